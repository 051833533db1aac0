"""`RowsThen`: rows as they stood at an earlier position, folded again from the entries about their key.

`up_to` is what was known: entries after it do not count. `until`, when given, is what had happened: a statement about a
later time does not count, whenever it was recorded. A statement that was taken back counts up to its withdrawal.

A withdrawal folds rows anew: those that the statement is of, and those that were folded by a row which is another without it
(`going_along`). What is folded anew reads everything as it would be without what was taken back by then.

    7 opens CHG-7, 9 starts d-1 of its artifact, 12 withdraws 7
    -> as of 12 there is no CHG-7, d-1 is of no change, and the facts of CHG-7 have nothing of d-1; as of 11 all is as it was

Longer than other modules: which entries a row is folded from, as of when and without what, is one question.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from ledger.conditions import AFTER_ALL, Match
from ledger.events import Event
from projections.engine.answers import Still
from projections.engine.derived import Derived, Judged
from projections.engine.listing import Listing
from projections.engine.log import Carried, Log, Since, TakenBack, original_of
from projections.engine.skips import Skips
from projections.engine.tally import Live, Tally
from projections.engine.view import EntryInfo, Limit, Moment, Reads, View, replace

R = TypeVar("R")
# How many entries that name one row are asked for rows that go along with it: the last ones.
MAX_FOLLOWED: Final = 100
# Whose statements rest on what holds for all.
EVERYBODYS: Final = None
# Of how many rows entries are kept, where one past goes on; and in how many ways each is kept folded again.
MAX_KEPT: Final = 5000
MAX_AGAIN: Final = 4


def keys_taken_back(view: View[Any], original: EntryInfo, then: Reads, now: Reads) -> set[str]:
    """Return the keys of the rows that a statement is of: those it had when it was recorded, and those it would have now.

    `then` and `now` are what its keys may depend on: the views at the statement, and where it was taken back.
    """
    found: set[str] = set()
    if (fold := view.folds.get(original.type)) is not None:
        before = original.reads
        for reads in (then, now):
            original.reads = reads
            found.update(fold.keys(original.event, original))
        original.reads = before
    return found


def going_along(
    view: View[Any], changed: Mapping[View[Any], Mapping[str, tuple[Any, Any]]], past: "RowsThen", end: int
) -> dict[str, tuple[int, ...]]:
    """Return the rows of a view that go along with a correction, each with the entries by which it does.

    `changed` are rows of other views that are others from `end` on, each before and after. A view that is a list of lines, each written
    once, or of what was recorded, goes along with nothing.
    """
    found: dict[str, dict[int, None]] = defaultdict(dict)
    if isinstance(view, (Tally, Listing)) or view.keeps_withdrawn:
        return {}
    for read in view.reads:
        matches = {match for key, rows in changed.get(read, {}).items() for match in view.followed(read, key, rows)}
        entries = {e.position: e for match in matches for e in past.log.latest(match, up_to=end, limit=MAX_FOLLOWED)}
        _add_keys(found, view, entries, past, end)
    whose = past.whose(frozenset(view.reads), changed, end)
    if whose is EVERYBODYS or whose:
        spoken = (e for name in view.folds for e in past.spoken(name, end) if _is_by(e, whose))
        _add_keys(found, view, {e.position: e for e in spoken}, past, end)
    return {key: tuple(positions) for key, positions in found.items()}


def _add_keys(
    found: dict[str, dict[int, None]], view: View[Any], entries: Mapping[int, EntryInfo], past: "RowsThen", end: int
) -> None:
    for position, entry in sorted(entries.items()):
        if not past.skips.holds(view, position):
            for key in keys_taken_back(view, entry, past.at(position), past.at(position, end)):
                found[key][position] = None


def _is_by(entry: EntryInfo, whose: frozenset[str] | None) -> bool:
    said_by = entry.by["principal"].lower(), entry.statement["data"].get("actor", "").lower()
    return whose is EVERYBODYS or not whose.isdisjoint(said_by)


class _At(Still):
    """The views as they stood at one position, without what was taken back up to `known`: what a fold reads, and what judges."""

    def __init__(self, past: "RowsThen", position: int, known: int) -> None:
        self._past = past
        self._position = position
        self._known = known
        super().__init__()

    def row(self, view: View[R], key: str) -> R | None:
        return self._past.row(view, key, self._position, self._known)

    def named(self, view: View[R], event: type[Event], about: str | None = None, limit: Limit = None) -> list[R]:
        return self._past.named(view, event, about, limit, self._position, self._known)

    def where(self, view: View[R], column: str, value: str) -> list[R]:
        return self._past.where(view, column, value, self._position, self._known)

    def entry(self, position: int) -> EntryInfo:
        return self._past.entry(position)

    def at(self, time: Moment) -> "_At":
        return self

    def has_come(self, time: Moment | None) -> bool:
        return time is not None and time <= self._past.time_at(self._position)


@dataclass(slots=True)
class _States:
    """A row after each of its entries: where, how it stood, and how many of these were asked which entries they name."""

    positions: list[int] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)
    asked: int = 0


class RowsThen:
    """Rows of views at positions up to `up_to`. `live` are the rows as they stand now.

    They tell what rows keep of their own past. Of others they are a hint of where the entries are, which spares folding a row
    as often as it names more of them. Whoever folds many of them hands over what was `taken_back`.
    """

    def __init__(
        self,
        log: Log,
        live: Live,
        *,
        up_to: int,
        until: str | None = None,
        skips: Skips,
        taken_back: TakenBack | None = None,
    ) -> None:
        self.skips = skips
        self.log = log
        self._live = live
        self._up_to = up_to
        self._until = until
        self._entries: dict[tuple[str, str], list[EntryInfo]] = {}
        # Up to where they were read, and by which matches.
        self._read: dict[tuple[str, str], int] = {}
        self._wanted: dict[tuple[str, str], dict[Match, None]] = defaultdict(dict)
        # By key, and by where the row was folded again.
        self._states: dict[tuple[str, str], dict[int, _States]] = {}
        # By key: the names by which the row told of its entries, column by column.
        self._told: dict[tuple[str, str], dict[str, set[Any]]] = {}
        self._withdrawn: dict[int, dict[int, int]] = {}
        # By where something was taken back, and what was asked of: by whom statements rest on it.
        self._whose: dict[tuple[int, frozenset[View[Any]]], frozenset[str] | None] = {}
        # Entries of a type, with a ref or without: up to where they were read, and they.
        self._of: dict[Match, tuple[int, list[EntryInfo]]] = {}
        # What came after the `up_to` of the beginning.
        self._since = Since()
        # Also after `up_to`: the live rows already know of it.
        self._taken = taken_back if taken_back is not None else TakenBack(log)
        # The whole past, where this one ends before some of it.
        self._whole: RowsThen | None = None
        # Whoever hands over what was taken back folds, and asks for rows as they are from here on.
        self._is_folding = taken_back is not None
        # What folds makes the rows that others recall.
        self._recalls = not self._is_folding and until is None

    def go_on(self, entry: EntryInfo) -> None:
        """Know one more entry, the next one. Whoever folds goes on with one past, from entry to entry."""
        self._since.add(entry)
        self._up_to = entry.position

    def is_full(self) -> bool:
        """Say whether so much is kept by now that it is better to begin anew."""
        return len(self._entries) >= MAX_KEPT or len(self._since) >= MAX_KEPT

    def read_from(self, log: Log) -> None:
        """Read on from a log that knows as much, and more."""
        self.log = log

    def at(self, position: int, known: int | None = None) -> _At:
        return _At(self, position, position if known is None else known)

    def row(self, view: View[R], key: str, position: int, known: int | None = None) -> R | None:
        """Return a row as it stood at a position, or None where there was none yet.

        Without what was taken back up to `known`, which is the position itself unless it is said.
        """
        if position <= 0:
            return None
        if view.keeps_past:
            self._live.require(view, position)
        if isinstance(view, Derived):
            finding: Any = view.as_of(self._live.row(view, key), position)
            return finding  # type: ignore[no-any-return]
        if isinstance(view, Judged):
            subject = self.row(view.of, key, position, known)
            return None if subject is None else view.judge(subject, self.at(position, known))
        if isinstance(view, Listing):
            line: R | None = view.as_of(self._live.row(view, key), position)
            return line
        if isinstance(view, Tally):
            count: R | None = view.as_of(key, self._live.parts(view, key, position))
            if count is None:
                return None
            return view.standing(view.with_past(count, self._live.row(view, key), position))
        while True:
            states = self._states_of(view, key, position, position if known is None else known)
            there = bisect_right(states.positions, position)
            # A row may name more of its entries as it grows, and name other ones later: then it is folded once more, from all.
            # All of them are asked, also after one that told of more; none twice.
            fresh = states.rows[states.asked : there] if view.names else ()
            states.asked = max(states.asked, there)
            told_of_more = [self._gather(view, key, state) for state in fresh if state is not None]
            if not any(told_of_more):
                row: R | None = states.rows[there - 1] if there else None
                return row

    def _states_of(self, view: View[Any], key: str, position: int, known: int) -> "_States":
        """Return the row after each of its entries, at least up to a position."""
        entries = self._entries_of(view, key)
        withdrawn = {} if view.keeps_withdrawn else self._withdrawn_at(known)
        again = self._folded_anew(view, key, entries, withdrawn, position, known)
        known_states = self._states.setdefault((view.name, key), {})
        if again not in known_states and len(known_states) == MAX_AGAIN:
            del known_states[next(iter(known_states))]
        states = known_states.setdefault(again, _States())
        for entry in entries[len(states.rows) :]:
            if entry.position > position:
                break
            before = states.rows[-1] if states.rows else None
            is_left_out = entry.position in withdrawn
            state = before if is_left_out else self._folded(view, key, entry, before, again)
            states.positions.append(entry.position)
            states.rows.append(state)
        return states

    def _folded_anew(
        self,
        view: View[Any],
        key: str,
        entries: Sequence[EntryInfo],
        withdrawn: Mapping[int, int],
        position: int,
        known: int,
    ) -> int:
        """Return where a row was folded anew for the last time: what it read by then was without what was taken back."""
        if known > position and view.reads:
            # It is read by what is folded anew there.
            return known
        own = (
            e for e in entries if e.position in withdrawn and key in self._taken_back(view, e, withdrawn[e.position])
        )
        again = max((withdrawn[e.position] for e in own), default=0)
        if again == known or not (view.reads and withdrawn):
            return again
        ends = [*self._taken.carried[view.name].by_key.get(key, {})]
        if known not in ends:
            ends = [*self._carried(view, known).by_key.get(key, {})]
        return max(end for end in (again, *ends) if end <= known)

    def _carried(self, view: View[Any], known: int) -> Carried:
        """Return which rows of a view went along with corrections up to a position, if not of later ones."""
        if self._until is not None:
            # What changed a row is the same at whatever time somebody asks of.
            return self._knowing(known)._carried(view, known)
        carried = self._taken.carried[view.name]
        for end in [end for end in self._taken.by_end if end <= known and end not in carried.ends]:
            whole = self._knowing(end)
            changed = {read: whole.changed_at(read, end) for read in view.reads}
            carried.add(end, going_along(view, changed, whole, end))
        return carried

    def _knowing(self, end: int) -> "RowsThen":
        """Return a past that goes as far as a position, of all times."""
        if self._until is None and end <= self._up_to:
            return self
        if self._whole is None:
            taken = TakenBack(self.log) if self._until is not None else self._taken
            up_to = max(taken.by_end, default=0)
            self._whole = RowsThen(self.log, self._live, up_to=up_to, skips=self.skips, taken_back=taken)
            self._whole._is_folding = False
            self._whole._recalls = not self._is_folding
        return self._whole

    def spoken(self, event_type: str, end: int) -> Iterator[EntryInfo]:
        """Yield the last statements of a type that may rest on what was taken back at a position: those after the first of it."""
        first = min(self._taken.by_end[end])
        for entry in self.log.latest(Match((event_type,)), up_to=end, limit=MAX_FOLLOWED):
            if entry.position < first:
                return
            yield entry

    def whose(
        self, reads: frozenset[View[Any]], changed: Mapping[View[Any], Mapping[str, Any]], end: int
    ) -> frozenset[str] | None:
        """Return by whom statements rest on rows that are others from a position on, as these say who somebody is, what they may do, or
        what holds for all: `EVERYBODYS` then. Whoever they gave power, or linked, is among them.
        """
        about = frozenset(view for view in reads if view.speakers is not None or view.holds_for_all is not None)
        waiting = {(view, key) for view in about for key in changed.get(view, {})}
        if not waiting:
            return frozenset()
        if (end, about) not in self._whose:
            self._whose[end, about] = self._resting(about, waiting, end)
        return self._whose[end, about]

    def _resting(
        self, about: frozenset[View[Any]], waiting: set[tuple[View[Any], str]], end: int
    ) -> frozenset[str] | None:
        before, now, seen = self.at(end - 1), self.at(end), set(waiting)
        found: set[str] = set()
        while waiting:
            fresh: set[str] = set()
            for view, key in waiting:
                if view.holds_for_all is not None and view.holds_for_all(before, key) != view.holds_for_all(now, key):
                    return EVERYBODYS
                rows = [(reads, row) for reads in (before, now) if (row := reads.row(view, key)) is not None]
                if view.speakers is not None:
                    fresh.update(name for reads, row in rows for name in view.speakers(reads, row))
            whose, waiting = frozenset(fresh - found), set()
            found |= fresh
            for view in about if whose else ():
                said = (entry for name in view.folds for entry in self.spoken(name, end) if _is_by(entry, whose))
                keys = {key for entry in said for key in keys_taken_back(view, entry, self.at(entry.position), now)}
                waiting |= {(view, key) for key in keys} - seen
            seen |= waiting
        return frozenset(found)

    def changed_at(self, view: View[Any], end: int) -> dict[str, tuple[Any, Any]]:
        """Return the rows that are others from a position on because of what was taken back there, each before and after."""
        if view.is_judged or isinstance(view, (Tally, Listing)):
            return {}
        originals = [self.log.entry(position) for position in self._taken.by_end.get(end, ())]
        keys = {key for original in originals for key in self._taken_back(view, original, end)}
        keys |= set(self._carried(view, end).by_end.get(end, ())) if view.reads else set()
        rows = {key: (self.row(view, key, end - 1), self.row(view, key, end)) for key in sorted(keys)}
        return {key: pair for key, pair in rows.items() if pair[0] != pair[1]}

    def named(
        self, view: View[R], event: type[Event], about: str | None, limit: Limit, position: int, known: int
    ) -> list[R]:
        if isinstance(view, Judged):
            named = self.named(view.of, event, about, limit, position, known)
            return [view.judge(row, self.at(position, known)) for row in named]
        keys: dict[str, None] = {}
        for entry in self._latest_that_count(event.type, about, min(position, self._up_to), known, limit):
            keys |= dict.fromkeys(self._keys(view, entry, known))
        rows = (self.row(view, key, position, known) for key in keys)
        return [row for row in rows if row is not None]

    def _latest_that_count(
        self, event_type: str, about: str | None, up_to: int, known: int, limit: Limit
    ) -> list[EntryInfo]:
        """Return the entries of a type with a ref up to a position, the last first. All that there are is kept, a few of many is not."""
        if limit is not None:
            return self._taken.latest(self.log, event_type, about, up_to=up_to, known=known, limit=limit)
        held = self._latest(Match((event_type,), (about,) if about else ()), up_to)
        return [entry for entry in held if not self._taken.is_at(entry.position, known)]

    def _latest(self, match: Match, up_to: int) -> Iterable[EntryInfo]:
        """Return the entries up to a position that match, the last first."""
        if match not in self._of:
            self._of[match] = (self._up_to, list(self.log.entries([match], up_to=self._up_to)))
        read, held = self._of[match]
        if read < self._up_to:
            held += self._since.entries([match], after=read)
            self._of[match] = (self._up_to, held)
        return reversed(held[: bisect_right(held, up_to, key=lambda entry: entry.position)])

    def where(self, view: View[R], column: str, value: str, position: int, known: int) -> list[R]:
        # No index tells what a column held once: every row there was is folded again. Gates' rules ask this seldom.
        keys: set[str] = set()
        for entry in self.log.entries([Match(tuple(view.folds))], up_to=min(position, self._up_to)):
            keys.update(self._keys(view, entry, known))
        rows = (self.row(view, key, position, known) for key in sorted(keys))
        return [row for row in rows if row is not None and getattr(row, column) == value]

    def entry(self, position: int) -> EntryInfo:
        return self.log.entry(position)

    def time_at(self, position: int) -> Moment:
        """Return until when things had happened at a position."""
        return self._until if self._until is not None else self.log.entry(position).recorded_at

    def _entries_of(self, view: View[Any], key: str) -> list[EntryInfo]:
        if (view.name, key) not in self._entries:
            self._entries[view.name, key] = []
            self._read[view.name, key] = self._up_to
            self._gather(view, key, self._live.row(view, key))
            # What was taken back may be what once named the row, and does so no more.
            for at, end in self._taken.at.items() if view.is_followed else ():
                # And what it would name without it: then the row was folded anew.
                if at <= self._up_to and (
                    key in self._keys_at(view, at)
                    or (end <= self._up_to and key in self._taken_back(view, self.log.entry(at), end))
                ):
                    self._add(view, key, [self.log.entry(at)])
            for at in self._once_named(view, key):
                self._add(view, key, [self.log.entry(at)])
        elif (read := self._read[view.name, key]) < self._up_to and (wanted := self._wanted[view.name, key]):
            self._read[view.name, key] = self._up_to
            self._add(view, key, self._since.entries(list(wanted), after=read))
            # What came since may be of another name, which the row tells by now.
            self._gather(view, key, self._live.row(view, key))
        return self._entries[view.name, key]

    def _once_named(self, view: View[Any], key: str) -> list[int]:
        """Return the entries by which a row went along with corrections: while folding only now, for of the others the row knows."""
        if not (view.is_followed and view.reads and self._taken.at):
            return []
        of_all = self._taken.carried[view.name] if self._is_folding else self._carried(view, AFTER_ALL)
        named = of_all.by_key.get(key, {})
        return sorted({at for positions in named.values() for at in positions if at <= self._up_to})

    def _gather(self, view: View[Any], key: str, row: Any) -> bool:
        """Add the entries that a row says it is folded from. False when there are none that were not known."""
        first = (view.name, key) not in self._told
        if not first and not view.names:
            return False
        told = self._told.setdefault((view.name, key), defaultdict(set))
        fresh: dict[str, Any] = {}
        for name in view.names if row is not None else ():
            held = getattr(row, name)
            items = held if isinstance(held, tuple) else (held,)
            new = set(items) - told[name]
            told[name] |= new
            if not new:
                fresh[name] = () if isinstance(held, tuple) else None
            elif len(new) < len(items):
                fresh[name] = tuple(item for item in items if item in new)
        if not first and len(fresh) == len(view.names) and not any(fresh.values()):
            return False
        matches = view.entries_of(key, replace(row, **fresh) if fresh else row)
        wanted = {Match(match.types or tuple(view.folds), match.refs) for match in matches}
        self._wanted[view.name, key] |= dict.fromkeys(wanted)
        # What names no ref is of every row of the view: it is read once for all of them.
        everywhere = [match for match in wanted if not match.refs]
        found = {entry.position: entry for match in everywhere for entry in self._latest(match, self._up_to)}
        if own := wanted.difference(everywhere):
            found |= {entry.position: entry for entry in self.log.entries(list(own), up_to=self._up_to)}
        return bool(found) and self._add(view, key, [entry for _, entry in sorted(found.items())])

    def _add(self, view: View[Any], key: str, entries: Iterable[EntryInfo]) -> bool:
        held = self._entries[view.name, key]
        some = [entry for entry in entries if self._until is None or entry.time <= self._until]
        if some and (not held or some[0].position > held[-1].position):
            # What came since: the row as it was folded before it still holds. They come in order.
            held += some
            return True
        known = {entry.position: entry for entry in held}
        new = {entry.position: entry for entry in some if entry.position not in known}
        if not new:
            return False
        self._entries[view.name, key] = [entry for _, entry in sorted((known | new).items())]
        self._states.pop((view.name, key), None)
        return True

    def _folded(self, view: View[Any], key: str, entry: EntryInfo, row: Any, again: int) -> Any:
        fold = view.folds.get(entry.type)
        if fold is None or self.skips.holds(view, entry.position):
            return row
        # Another view may read the same entry at the same position: it sees the same past.
        before, entry.reads = entry.reads, self.at(entry.position, max(entry.position, again))
        entry.original = original_of(self.log, entry)
        if key in fold.keys(entry.event, entry):
            if view.recalls:
                entry.recalled = self._recalled(view, key) if self._recalls and again == 0 else None
            row = fold.apply(row if row is not None else view.new(key), entry.event, entry)
        entry.reads = before
        return row

    def _keys(self, view: View[Any], entry: EntryInfo, known: int) -> tuple[str, ...]:
        """Return the rows that an entry was folded into, by what stood there without what was taken back up to `known`."""
        # Put back, or the entries that are kept and this past would hold each other until the collector of garbage comes by.
        before, entry.reads = entry.reads, self.at(entry.position, known)
        keys = self.skips.keys(view, entry)
        entry.reads = before
        return keys

    def _recalled(self, view: View[R], key: str) -> R | None:
        """Return a row as it stands now, unless it is another one because of what was taken back, at whatever position."""
        if self._taken.at:
            if any(entry.position in self._taken.at for entry in self._entries_of(view, key)):
                return None
            if view.reads and key in self._carried(view, AFTER_ALL).by_key:
                return None
        return self._live.row(view, key)

    def _keys_at(self, view: View[Any], position: int) -> tuple[str, ...]:
        """Return the rows that an entry which was taken back had been folded into."""
        if (view.name, position) not in self._taken.keys:
            entry = self.log.entry(position)
            keys = self._keys(view, entry, position) if entry.type in view.folds else ()
            self._taken.keys[view.name, position] = keys
        return self._taken.keys[view.name, position]

    def _taken_back(self, view: View[Any], original: EntryInfo, withdrawn_at: int) -> frozenset[str]:
        if (view.name, original.position) not in self._taken.rows:
            then, now = self.at(original.position), self.at(withdrawn_at)
            found = () if self.skips.holds(view, original.position) else keys_taken_back(view, original, then, now)
            self._taken.rows[view.name, original.position] = frozenset(found)
        return self._taken.rows[view.name, original.position]

    def _withdrawn_at(self, position: int) -> dict[int, int]:
        """Return the entries that were taken back up to a position, and where."""
        taken = self._taken.at
        if not taken or next(reversed(taken.values())) <= position:
            return taken
        if position not in self._withdrawn:
            self._withdrawn[position] = {original: at for original, at in taken.items() if at <= position}
        return self._withdrawn[position]
