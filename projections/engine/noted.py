"""`Noted`: which judgement rests on what, and until when; in memory for a batch, and in two tables of the view.

It is a cache: a table that is lost is made again with the view's rows. Where it says too much, something is judged in vain. What it
must never do is say too little.

    reads_of_findings    reader                       what                            at
                         deployed-in-freeze/d-1       freezes@environment:prod        2026-03-02T10:00:00.000000Z
                         deployed-in-freeze/d-1       change_tickets:CHG-7
                         deployed-in-freeze           column change_tickets.change_type          what the rule ever looked at, and how
                         deployed-in-freeze           form freezes@environment:
    waits_of_findings    reader                       due                             came
                         review-overdue/PIR-7         2026-03-12T10:00:00.000000Z

A judgement holds from `came`, the last time that it took for past, to before `due`, the first that it took for future. Time goes
backwards only when an operator corrects the clock; then whatever took a time for past that has not come any more is judged again.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from projections.engine.reads import NO_READS, Read
from projections.engine.view import LATEST, Moment

# How many judgements' reads are kept between batches that were asked for of late; as many again are kept from before that.
MAX_CACHED: Final = 50_000
# Who read something is kept where they are so few; where they are more, they are asked for by time.
FEW: Final = 100
Span = tuple[Moment, Moment]
Wait = tuple[Moment | None, Moment | None]
# By reader and what was read: whether it is read from now on, or no more.
Moved = Mapping[tuple[str, str, Moment], bool]


def hull(spans: Iterable[Span | None]) -> Span | None:
    """Return the smallest span that holds some spans; None for none."""
    some = [span for span in spans if span is not None]
    return (min(low for low, _ in some), max(high for _, high in some)) if some else None


@dataclass(frozen=True, slots=True)
class Notes:
    """What a batch noted: reads that came (True) and went, and waits; None for a wait that is over."""

    reads: Moved = field(default_factory=dict)
    waits: Mapping[str, Wait | None] = field(default_factory=dict)


NO_NOTES: Final = Notes()


class NotesStore(Protocol):
    """Where notes of one view lie."""

    def readers(self, whats: Collection[str], span: Span | None) -> list[tuple[str, str, Moment]]:
        """Return (reader, what, at) of who read any of some things: as of now, or of a time within the span."""

    def few_readers(self, whats: Collection[str], most: int) -> dict[str, list[tuple[str, Moment]]]:
        """Return (reader, at) of who read some things, by what was read: of those things alone that so many read at most."""

    def reads_of(self, readers: Collection[str]) -> list[tuple[str, str, Moment]]:
        """Return (reader, what, at) of what some readers read."""

    def waits(self) -> list[tuple[str, Moment]]:
        """Return (reader, due) of all that wait for a time."""

    def came_after(self, time: Moment) -> list[str]:
        """Return the readers that took a later time for past."""

    def waits_of(self, readers: Collection[str]) -> dict[str, Wait]:
        """Return the waits of some readers."""


class Noted:
    """The notes of one view while entries are folded."""

    def __init__(self, store: NotesStore) -> None:
        self._store = store
        # Since the last save.
        self.reads: dict[tuple[str, str, Moment], bool] = {}
        self.waits: dict[str, Wait | None] = {}
        # The same reads by what was read: who came, and at which time.
        self._came: dict[str, dict[tuple[str, Moment], None]] = defaultdict(dict)
        # Who read something, and of which time, where all are known; None where they are many, and are asked for each time.
        self._readers: dict[str, dict[tuple[str, Moment], None] | None] = {}
        # What judgements read, as far as it is known here; NO_READS where nothing.
        self._of: dict[str, frozenset[Read]] = {}
        self._of_before: dict[str, frozenset[Read]] = {}
        self._wait_of: dict[str, Wait | None] = {}

    # -- who reads ------------------------------------------------------------------------------------------------

    def prefetch(self, whats: Iterable[str]) -> None:
        """Look up together who reads some things."""
        asked = {what for what in whats if what not in self._readers}
        few = self._store.few_readers(asked, FEW) if asked else {}
        for what in asked:
            if what not in few:
                self._readers[what] = None
                continue
            stored = (read for read in few[what] if self.reads.get((read[0], what, read[1]), True))
            self._readers[what] = dict.fromkeys(stored) | self._came.get(what, {})

    def readers(self, whats: Iterable[str], span: Span | None) -> set[str]:
        """Return who read any of some things: as of now, or of a time within the span."""
        asked = list(whats)
        self.prefetch(asked)
        found: set[str] = set()
        if many := [what for what in asked if self._readers[what] is None]:
            for reader, what, at in self._store.readers(many, span):
                if self.reads.get((reader, what, at), True):
                    found.add(reader)
        for what in asked:
            known = self._readers[what]
            for reader, at in self._came.get(what, ()) if known is None else known:
                if at == "" or (span is not None and span[0] <= at <= span[1]):
                    found.add(reader)
        return found

    # -- what was read --------------------------------------------------------------------------------------------

    def load(self, readers: Iterable[str]) -> None:
        """Look up together what some readers read and wait for."""
        missing = [reader for reader in readers if not self._is_known(reader)]
        if not missing:
            return
        found: dict[str, set[Read]] = {reader: set() for reader in missing}
        for reader, what, at in self._store.reads_of(missing):
            found[reader].add((what, at))
        self._of |= {reader: frozenset(reads) for reader, reads in found.items()}
        waits = self._store.waits_of(missing)
        self._wait_of |= {reader: waits.get(reader) for reader in missing}

    def begin(self, reader: str) -> None:
        """Know that a reader has read nothing yet: its subject begins here."""
        if not self._is_known(reader):
            self._of[reader] = NO_READS
            self._wait_of[reader] = None

    def _is_known(self, reader: str) -> bool:
        if reader in self._of:
            return True
        if reader in self._of_before:
            self._of[reader] = self._of_before.pop(reader)
            return True
        return False

    def note(self, reader: str, reads: set[Read]) -> Iterable[Read]:
        """Note what a judgement read. The reader is known: `load` or `begin`. Return what it had not read before."""
        before = self._of[reader]
        if reads == before:
            return ()
        for read in before - reads:
            self._move(reader, *read, is_read=False)
        new = reads - before
        for read in new:
            self._move(reader, *read, is_read=True)
        self._of[reader] = frozenset(reads) if reads else NO_READS
        return new

    def wait(self, reader: str, due: Moment | None, came: Moment | None) -> bool:
        """Note when a judgement holds no more. The reader is known. Say whether that is another time than before."""
        old = self._wait_of[reader]
        new = None if due is None and came is None else (due, came)
        if new == old:
            return False
        self._wait_of[reader] = self.waits[reader] = new
        return old is None or old[0] != due

    def _move(self, reader: str, what: str, at: Moment, *, is_read: bool) -> None:
        key = (reader, what, at)
        # What came and went within a batch may also have been there before it: then it goes for good.
        self.reads[key] = is_read
        read, known = (reader, at), self._readers.get(what)
        if is_read:
            self._came[what][read] = None
        else:
            self._came[what].pop(read, None)
        if known is not None:
            if is_read:
                known[read] = None
            else:
                known.pop(read, None)
            if len(known) > 2 * FEW:
                self._readers[what] = None

    def know(self, rule: str, what: str) -> None:
        """Note at which view or column, or in which form, a rule looked for the first time."""
        self._move(rule, what, "", is_read=True)

    # -- time -----------------------------------------------------------------------------------------------------

    def due(self) -> list[tuple[Moment, str]]:
        """Return (due, reader) of all that wait for a time: for a process that begins."""
        return [(due, reader) for reader, due in self._store.waits()]

    def is_due(self, reader: str, due: Moment) -> bool:
        """Say whether a reader still waits for a time."""
        if reader not in self._wait_of:
            self.load([reader])
        wait = self._wait_of.get(reader)
        return wait is not None and wait[0] == due

    def came_after(self, time: Moment) -> set[str]:
        """Return the readers that took a later time for past."""
        stored = {reader for reader in self._store.came_after(time) if reader not in self.waits}
        here = {reader for reader, wait in self.waits.items() if wait is not None and (wait[1] or "") > time}
        return stored | here

    # -- batches --------------------------------------------------------------------------------------------------

    @property
    def notes(self) -> Notes:
        """What is to be saved."""
        return Notes(self.reads, self.waits)

    def forget(self) -> None:
        """Begin the next batch: what was noted has been saved. Drops what was not asked for of late, when it has become much."""
        self.reads.clear()
        self.waits.clear()
        self._came.clear()
        if len(self._readers) > MAX_CACHED:
            self._readers.clear()
        if len(self._of) > MAX_CACHED:
            self._of_before, self._of = self._of, {}
            # A wait is known of whom the reads are known.
            self._wait_of = {reader: wait for reader, wait in self._wait_of.items() if reader in self._of_before}


class MemoryNotes:
    """Notes that go with the process."""

    def __init__(self) -> None:
        self._by_what: dict[str, dict[tuple[str, Moment], None]] = defaultdict(dict)
        self._by_reader: dict[str, dict[Read, None]] = defaultdict(dict)
        self._waits: dict[str, Wait] = {}

    def readers(self, whats: Collection[str], span: Span | None) -> list[tuple[str, str, Moment]]:
        low, high = span or (LATEST, "")
        return [
            (reader, what, at)
            for what in whats
            for reader, at in self._by_what.get(what, ())
            if at == "" or low <= at <= high
        ]

    def few_readers(self, whats: Collection[str], most: int) -> dict[str, list[tuple[str, Moment]]]:
        return {what: list(found) for what in whats if len(found := self._by_what.get(what, {})) <= most}

    def reads_of(self, readers: Collection[str]) -> list[tuple[str, str, Moment]]:
        return [(reader, *read) for reader in readers for read in self._by_reader.get(reader, ())]

    def waits(self) -> list[tuple[str, Moment]]:
        return [(reader, due) for reader, (due, _) in self._waits.items() if due is not None]

    def came_after(self, time: Moment) -> list[str]:
        return [reader for reader, (_, came) in self._waits.items() if came is not None and came > time]

    def waits_of(self, readers: Collection[str]) -> dict[str, Wait]:
        return {reader: self._waits[reader] for reader in readers if reader in self._waits}

    def save(self, notes: Notes) -> None:
        for (reader, what, at), is_read in notes.reads.items():
            if is_read:
                self._by_what[what][reader, at] = None
                self._by_reader[reader][what, at] = None
            else:
                self._by_what[what].pop((reader, at), None)
                self._by_reader[reader].pop((what, at), None)
        for reader, wait in notes.waits.items():
            if wait is None:
                self._waits.pop(reader, None)
            else:
                self._waits[reader] = wait
