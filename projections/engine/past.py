"""`Past`: rows as they stood at an earlier position, folded again from the entries about their key.

`up_to` is what was known: entries after it do not count. `until`, when given, is what had happened: a statement about a
later time does not count, whenever it was recorded. A statement that was taken back counts up to its withdrawal.
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import Any, TypeVar

from ledger.conditions import Match
from ledger.events import Event
from projections.engine.log import WITHDRAWN, Log, taken_back_by
from projections.engine.view import EntryInfo, View

R = TypeVar("R")


class _At:
    """The views as they stood at one position: what a fold reads."""

    def __init__(self, past: "Past", position: int) -> None:
        self._past = past
        self._position = position

    def row(self, view: View[R], key: str) -> R | None:
        return self._past.row(view, key, self._position)

    def named(self, view: View[R], event: type[Event], about: str | None = None, limit: int | None = None) -> list[R]:
        return self._past.named(view, event, about, limit, self._position)


class Past:
    """Rows of views at positions up to `up_to`. `live` returns a row as it stands now: a hint of where its entries are."""

    def __init__(
        self,
        log: Log,
        live: Callable[[View[Any], str], Any],
        *,
        up_to: int,
        until: str | None = None,
    ) -> None:
        self._log = log
        self._live = live
        self._up_to = up_to
        self._until = until
        self._entries: dict[tuple[str, str], list[EntryInfo]] = {}
        self._states: dict[tuple[str, str, frozenset[int]], tuple[list[int], list[Any]]] = {}
        self._withdrawn: dict[int, int] | None = None

    def at(self, position: int) -> _At:
        return _At(self, position)

    def row(self, view: View[R], key: str, position: int) -> R | None:
        """Return a row as it stood at a position, or None where there was none yet."""
        entries = self._entries_of(view, key)
        withdrawn = self._withdrawn_at(position)
        without = frozenset(e.position for e in entries if e.position in withdrawn)
        positions, states = self._states.setdefault((view.name, key, without), ([], []))
        for entry in entries[len(positions) :]:
            if entry.position > position:
                break
            positions.append(entry.position)
            states.append(self._folded(view, key, entry, states[-1] if states else None, without))
        place = bisect_right(positions, position)
        return states[place - 1] if place else None

    def named(self, view: View[R], event: type[Event], about: str | None, limit: int | None, position: int) -> list[R]:
        match = Match((event.type,), (about,) if about else ())
        keys: dict[str, None] = {}
        for entry in self._log.latest(match, up_to=min(position, self._up_to), limit=limit):
            entry.reads = self.at(entry.position)
            keys |= dict.fromkeys(view.folds[event.type].keys(entry.event, entry))
        rows = (self.row(view, key, position) for key in keys)
        return [row for row in rows if row is not None]

    def _entries_of(self, view: View[Any], key: str) -> list[EntryInfo]:
        if (view.name, key) not in self._entries:
            matches = [
                Match(match.types or tuple(view.folds), match.refs)
                for match in view.entries_of(key, self._live(view, key))
            ]
            found = self._log.entries(matches, up_to=self._up_to) if matches else iter(())
            self._entries[view.name, key] = [
                entry for entry in found if self._until is None or entry.time <= self._until
            ]
        return self._entries[view.name, key]

    def _folded(self, view: View[Any], key: str, entry: EntryInfo, row: Any, without: frozenset[int]) -> Any:
        fold = view.folds.get(entry.type)
        if fold is None or entry.position in without:
            return row
        # Another view may read the same entry at the same position: it sees the same past.
        entry.reads = self.at(entry.position)
        if key not in fold.keys(entry.event, entry):
            return row
        return fold.apply(row if row is not None else view.new(key), entry.event, entry)

    def _withdrawn_at(self, position: int) -> set[int]:
        if self._withdrawn is None:
            self._withdrawn = {}
            for entry in self._log.entries([Match((WITHDRAWN,))], up_to=self._up_to):
                if (original := taken_back_by(self._log, entry)) is not None:
                    self._withdrawn.setdefault(original.position, entry.position)
        return {original for original, at in self._withdrawn.items() if at <= position}
