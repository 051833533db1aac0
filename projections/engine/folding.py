"""`Folder`: takes entries in order and folds them into all views at once, row by row, over a store.

At every entry the views are folded in the order of their declaration, so that a fold finds the views it reads as they
stand at that very entry. Not the catching up, and no transaction: what was touched lies in `touched` until somebody
saves it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import unquote

from ledger.conditions import Match
from ledger.events import Event
from projections.engine.log import Log, taken_back_by
from projections.engine.past import Past, keys_taken_back
from projections.engine.store import Store
from projections.engine.view import EntryInfo, View

R = TypeVar("R")
# How many rows are kept between batches; then all are dropped and read again as they are needed.
MAX_CACHED: Final = 50_000


@dataclass(frozen=True, slots=True)
class Failure:
    """A fold that raised: at which entry, and what it said."""

    position: int
    reason: str


class Folder:
    """Folds entries into views. It is also what a fold reads: the views as they stand at the entry."""

    def __init__(self, views: Sequence[View[Any]], store: Store, log: Log) -> None:
        self.store = store
        self.log = log
        self.failures: dict[str, Failure] = {}
        self.touched: dict[str, dict[str, Any]] = defaultdict(dict)
        self._views = tuple(views)
        self._position = 0
        self._rows: dict[str, dict[str, Any]] = {view.name: {} for view in views}
        self._by_kind: dict[str, list[View[Any]]] = defaultdict(list)
        self._by_type: dict[str, list[View[Any]]] = defaultdict(list)
        for view in views:
            self._by_kind[view.kind].append(view)
            for event_type in view.folds:
                self._by_type[event_type].append(view)

    # -- reading -------------------------------------------------------------------------------------------------

    def row(self, view: View[R], key: str) -> R | None:
        rows = self._rows[view.name]
        if key not in rows:
            rows[key] = self.store.load(view, (key,)).get(key)
        row: R | None = rows[key]
        return row

    def named(self, view: View[R], event: type[Event], about: str | None = None, limit: int | None = None) -> list[R]:
        match = Match((event.type,), (about,) if about else ())
        keys: dict[str, None] = {}
        for entry in self.log.latest(match, up_to=self._position, limit=limit):
            keys |= dict.fromkeys(view.folds[event.type].keys(entry.event, entry))
        rows = (self.row(view, key) for key in keys)
        return [row for row in rows if row is not None]

    # -- folding -------------------------------------------------------------------------------------------------

    def fold(self, entries: Sequence[EntryInfo]) -> None:
        """Fold entries, in order. A view whose fold raises stops at that entry; those that do not read it go on."""
        self._prefetch(entries)
        for entry in entries:
            self._fold(entry)

    def forget(self) -> None:
        """Begin the next batch: what was touched has been saved. Drops what is cached, when it has become much."""
        self.touched.clear()
        if sum(len(rows) for rows in self._rows.values()) > MAX_CACHED:
            for rows in self._rows.values():
                rows.clear()

    def _prefetch(self, entries: Sequence[EntryInfo]) -> None:
        """Load the rows that entries name by their refs, with one statement for each view."""
        wanted: dict[str, dict[str, None]] = defaultdict(dict)
        for entry in entries:
            for name in entry.refs:
                kind, _, value = name.partition(":")
                if kind in self._by_kind:
                    wanted[kind][unquote(value)] = None
        for kind, keys in wanted.items():
            for view in self._by_kind[kind]:
                rows = self._rows[view.name]
                if missing := [key for key in keys if key not in rows]:
                    rows |= dict.fromkeys(missing)
                    rows |= self.store.load(view, missing)

    def _fold(self, entry: EntryInfo) -> None:
        self._position = entry.position
        entry.reads = self
        original = taken_back_by(self.log, entry)
        views = self._by_type.get(entry.type, ()) if original is None else self._views
        for view in views:
            if view.name in self.failures:
                continue
            try:
                written = self._fold_into(view, entry)
                if original is not None:
                    written |= self._fold_again(view, entry, original, written)
            except Exception as error:  # noqa: BLE001 - the edge of a fold: it stops its own view, and not the others
                self._stop(view, Failure(entry.position, f"{type(error).__name__}: {error}"[:500]))
                continue
            for key, row in written.items():
                if row != self.row(view, key):
                    self._rows[view.name][key] = self.touched[view.name][key] = row

    def _fold_into(self, view: View[Any], entry: EntryInfo) -> dict[str, Any]:
        fold = view.folds.get(entry.type)
        if fold is None:
            return {}
        return {
            key: fold.apply(self.row(view, key) or view.new(key), entry.event, entry)
            for key in fold.keys(entry.event, entry)
        }

    def _fold_again(
        self, view: View[Any], entry: EntryInfo, original: EntryInfo, written: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the rows that a statement is of, without it: it was taken back, and that counts from here on."""
        if original.type not in view.folds:
            return {}
        past = Past(self.log, self.row, up_to=entry.position)
        keys = keys_taken_back(view, original, past.at(original.position), self)
        return {key: past.row(view, key, entry.position) for key in (*keys, *written)}

    def _stop(self, view: View[Any], failure: Failure) -> None:
        """Stop a view, and those that read it: they could not be at the same position any more."""
        self.failures[view.name] = failure
        because = failure.reason if failure.reason.startswith("reads ") else f"reads {view.name}, which stopped"
        for other in self._views:
            if other.name not in self.failures and view in other.reads:
                self._stop(other, Failure(failure.position, because))
