"""The log as folds read it: entries by position, by type and ref. From the database, or from memory for tests and checks."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from itertools import islice
from typing import Final, Protocol

from sqlalchemy.engine import Connection

from ledger.conditions import Match
from ledger.errors import NotFoundError
from ledger.events import is_of_the_ledger, ref
from ledger.log.reading import read_entries, read_entry, read_latest
from projections.engine.view import Around, EntryInfo, Limit

PAGE: Final = 1000
# Entries that were asked for by position, each about a kilobyte.
MOST_HELD: Final = 1000
# How many matches are looked for in one statement. SQLite takes 500 terms.
AT_ONCE: Final = 100
WITHDRAWN: Final = "statement.withdrawn"


class Log(Protocol):
    """Entries, as far as they are looked at."""

    def entry(self, position: int) -> EntryInfo:
        """Return the entry at a position. Raises ledger.errors.NotFoundError where there is none."""

    def entries(
        self, matches: Sequence[Match], *, after: int = 0, up_to: int | None, limit: int | None = None
    ) -> Iterator[EntryInfo]:
        """Yield entries after a position, up to another, that match any of `matches`, in order: to the end for None. So many at most."""

    def latest(self, match: Match, *, up_to: int, limit: int | None = None) -> Iterator[EntryInfo]:
        """Yield the entries up to a position that match, the last first."""


class SqlLog:
    """The log behind a connection. What it reads is of that connection's snapshot."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # What was taken back is asked for again by every row that it may be of.
        self._held: dict[int, EntryInfo] = {}

    def entry(self, position: int) -> EntryInfo:
        if (held := self._held.get(position)) is None:
            held = EntryInfo(read_entry(self._connection, position).document)
            if len(self._held) == MOST_HELD:
                self._held.clear()
            self._held[position] = held
        # A copy: who folds it says there what it reads.
        return copy(held)

    def entries(
        self, matches: Sequence[Match], *, after: int = 0, up_to: int | None, limit: int | None = None
    ) -> Iterator[EntryInfo]:
        if len(matches) <= AT_ONCE:
            for stored in read_entries(self._connection, matches, after=after, up_to=up_to, limit=limit):
                yield EntryInfo(stored.document)
            return
        # A row may name any number of its entries; a statement takes so many terms, and no more.
        found: dict[int, EntryInfo] = {}
        for first in range(0, len(matches), AT_ONCE):
            for entry in self.entries(matches[first : first + AT_ONCE], after=after, up_to=up_to):
                found.setdefault(entry.position, entry)
        yield from (found[position] for position in sorted(found)[:limit])

    def pages(self, matches: Sequence[Match], *, after: int = 0, up_to: int | None) -> Iterator[EntryInfo]:
        """Yield the entries after a position that match, in order, read page by page: for a walk over much of the log."""
        while page := list(read_entries(self._connection, matches, after=after, up_to=up_to, limit=PAGE)):
            yield from (EntryInfo(stored.document) for stored in page)
            after = page[-1].position

    def latest(self, match: Match, *, up_to: int, limit: int | None = None) -> Iterator[EntryInfo]:
        for stored in read_latest(self._connection, match, up_to=up_to, limit=limit):
            yield EntryInfo(stored.document)


class Ahead:
    """A log of which all entries about some things, up to a position, are read ahead: with a few statements for hundreds of things.

    Each entry is told what it means once, and given away as a copy: who folds it says there what it reads.
    """

    def __init__(self, log: Log, up_to: int) -> None:
        self._log = log
        self._up_to = up_to
        self._held: dict[str, list[EntryInfo]] = {}

    def read(self, names: Collection[str]) -> None:
        """Read what carries any of some refs, in the place of what was read before."""
        self._held = {name: [] for name in names}
        for entry in self._log.entries([Match(refs=(name,)) for name in names], up_to=self._up_to) if names else ():
            _ = entry.event, entry.time
            for name in entry.refs:
                if name in self._held:
                    self._held[name].append(entry)

    def entry(self, position: int) -> EntryInfo:
        return self._log.entry(position)

    def entries(
        self, matches: Sequence[Match], *, after: int = 0, up_to: int | None, limit: int | None = None
    ) -> Iterator[EntryInfo]:
        if up_to is None or not all(self._has(match, up_to) for match in matches):
            yield from self._log.entries(matches, after=after, up_to=up_to, limit=limit)
            return
        found = {entry.position: entry for match in matches for entry in self._fitting(match, up_to)}
        yield from islice((copy(found[position]) for position in sorted(found) if position > after), limit)

    def latest(self, match: Match, *, up_to: int, limit: int | None = None) -> Iterator[EntryInfo]:
        if not self._has(match, up_to):
            return self._log.latest(match, up_to=up_to, limit=limit)
        return islice(map(copy, reversed(self._fitting(match, up_to))), limit)

    def _has(self, match: Match, up_to: int) -> bool:
        return up_to <= self._up_to and match.refs[:1] != () and match.refs[0] in self._held

    def _fitting(self, match: Match, up_to: int) -> list[EntryInfo]:
        held = self._held[match.refs[0]]
        return [entry for entry in held if entry.position <= up_to and match.fits(entry.type, tuple(entry.refs))]


class Since:
    """Entries that came since something was read of the log, as whoever folds them saw them: nobody asks the log for these."""

    def __init__(self) -> None:
        self._all: list[EntryInfo] = []
        self._by: dict[str, list[EntryInfo]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, entry: EntryInfo) -> None:
        self._all.append(entry)
        for name in (entry.type, *entry.refs):
            self._by[name].append(entry)

    def entries(self, matches: Sequence[Match], *, after: int) -> list[EntryInfo]:
        """Return the entries after a position that match any of `matches`, in order."""
        found: dict[int, EntryInfo] = {}
        for match in matches:
            # No type is a ref: a ref has a colon.
            lists = [self._by.get(name, []) for name in (match.refs[:1] or match.types)] or [self._all]
            for held in lists:
                for entry in reversed(held):
                    if entry.position <= after:
                        break
                    if match.fits(entry.type, tuple(entry.refs)):
                        found[entry.position] = entry
        return [found[position] for position in sorted(found)]


def taken_back_by(log: Log, withdrawal: EntryInfo) -> EntryInfo | None:
    """Return the entry that a `statement.withdrawn` takes back; None when it is another type, or has no effect.

    It has one when it comes from the principal whose statement it was, or from an operator. A withdrawal is not taken back: the
    fact is stated again. Nor is what the ledger states about itself: whoever judges who may append asks no withdrawals.
    """
    original = original_of(log, withdrawal)
    if original is None or original.type == WITHDRAWN or is_of_the_ledger(original.type):
        return None
    own = original.by["principal"] == withdrawal.by["principal"]
    return original if own or _is_operator(log, withdrawal) else None


def original_of(log: Log, entry: EntryInfo) -> EntryInfo | None:
    """Return the entry that a `statement.withdrawn` is about; None when it is another type, or names no earlier entry."""
    if entry.type != WITHDRAWN:
        return None
    position = entry.statement["data"]["position"]
    return log.entry(position) if position < entry.position else None


class Carried:
    """Rows of one view that go along with corrections: by key, where, and the entries by which each is meant."""

    def __init__(self) -> None:
        self.ends: set[int] = set()
        self.by_end: dict[int, dict[str, tuple[int, ...]]] = {}
        self.by_key: dict[str, dict[int, tuple[int, ...]]] = defaultdict(dict)

    def add(self, end: int, keys: Mapping[str, tuple[int, ...]]) -> None:
        """Note which rows go along with what was taken back at a position."""
        self.ends.add(end)
        if keys:
            self.by_end[end] = dict(keys)
        for key, positions in keys.items():
            self.by_key[key][end] = positions


class TakenBack:
    """Which entries were taken back, and where. Read from the log once, and kept up by whoever folds: `add`.

    A statement is taken back once: who withdraws it again changes nothing. Withdrawals that were recorded at one instant, as a
    batch is, take effect together, at the last of them: a thousand of them fold a row again once.

        11 withdraws 3, 12 withdraws 4, both recorded at 12:00:00.5   ->   3 and 4 count up to 11, and no more from 12 on
    """

    def __init__(self, log: Log, *, up_to: int | None = None) -> None:
        # By the position of what was taken back: from where on it does not count.
        self.at: dict[int, int] = {}
        # The same by that position.
        self.by_end: dict[int, list[int]] = defaultdict(list)
        # Views and positions: whose rows each was of, when it was recorded, and when it was taken back. That never changes.
        self.keys: dict[tuple[str, int], tuple[str, ...]] = {}
        self.rows: dict[tuple[str, int], frozenset[str]] = {}
        # By view: where rows were folded anew, and by which of their entries; see `rows_then.going_along`. Up to which end that is known.
        self.carried: dict[str, Carried] = defaultdict(Carried)
        # By type and ref, or type alone: the entries that were taken back. How many more are to be looked at for so many that hold.
        self._of: dict[tuple[str, str | None], list[int]] = defaultdict(list)
        self._end = 0
        # The last withdrawal that is known of.
        self.last = 0
        if up_to is None or up_to > 0:
            for entry in log.entries([Match((WITHDRAWN,))], up_to=up_to):
                self.add(log, entry)

    def add(self, log: Log, entry: EntryInfo) -> None:
        """Note what an entry takes back: nothing, when it is of another type, or has no effect."""
        if entry.type != WITHDRAWN:
            return
        self.last = entry.position
        if entry.position > self._end:
            self._end = _end_of_group(log, entry)
        if entry.statement["data"]["position"] in self.at:
            return
        if (original := taken_back_by(log, entry)) is not None:
            self.at[original.position] = self._end
            self.by_end[self._end].append(original.position)
            for about in (None, *original.refs):
                self._of[original.type, about].append(original.position)

    def is_at(self, position: int, known: int) -> bool:
        """Say whether an entry is taken back by what is known up to a position."""
        return self.at.get(position, known + 1) <= known

    def latest(
        self, log: Log, event_type: str, about: str | None, *, up_to: int, known: int, limit: Limit = None
    ) -> list[EntryInfo]:
        """Return the entries of a type, and with a ref, up to a position, the last first: without those that are taken back."""
        gone = self._of.get((event_type, about), ())
        match = Match((event_type,), (about,) if about else ())
        if isinstance(limit, Around):
            at = min(limit.position, up_to)
            before = self.latest(log, event_type, about, up_to=at, known=known, limit=limit.count)
            after = log.entries([match], after=at, up_to=up_to, limit=limit.count + len(gone))
            counting = [entry for entry in after if not gone or not self.is_at(entry.position, known)]
            return [*reversed(counting[: limit.count]), *before]
        found = log.latest(match, up_to=up_to, limit=None if limit is None else limit + len(gone))
        return [entry for entry in found if not gone or not self.is_at(entry.position, known)][:limit]


def _end_of_group(log: Log, entry: EntryInfo) -> int:
    """Return the last of the withdrawals that were recorded at the same instant."""
    # No two groups with withdrawals share an instant, and a group is read whole or not at all: what follows is there, or never will be.
    end = at = entry.position
    with suppress(NotFoundError):
        while (following := log.entry(at + 1)).recorded_at == entry.recorded_at:
            at += 1
            end = at if following.type == WITHDRAWN else end
    return end


def _is_operator(log: Log, entry: EntryInfo) -> bool:
    if entry.by["credential"].startswith("key:"):
        return True
    issued = Match(
        ("ledger.credential_issued", "ledger.trust_rule_enrolled"), (ref("credential", entry.by["credential"]),)
    )
    for found in log.latest(issued, up_to=entry.position, limit=1):
        return "operator" in found.statement["data"]["roles"]
    return False
