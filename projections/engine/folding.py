"""`Folder`: takes entries in order and folds them into all views at once, row by row, over a store.

At every entry the views are folded in the order of their declaration, so that a fold finds the views it reads as they
stand at that very entry (`rows`). Then rules judge what changed. Not the catching up, and no transaction.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from ledger.log.database import is_outage
from projections.engine.derived import Ruled
from projections.engine.judging import Judge
from projections.engine.listing import Listing
from projections.engine.log import Log, original_of
from projections.engine.noted import Notes
from projections.engine.rows_now import RowsNow
from projections.engine.rows_then import RowsThen, going_along, keys_taken_back
from projections.engine.skips import Skips
from projections.engine.store import MemoryStore, Store
from projections.engine.tally import Tally
from projections.engine.view import EntryInfo, View

log = logging.getLogger("change_ledger")


@dataclass(frozen=True, slots=True)
class Failure:
    """A fold that raised: at which entry, and what it said."""

    position: int
    reason: str


def _failure(position: int, error: Exception) -> Failure:
    """Return what is told of a fold that raised. Raises an outage again: it says nothing of the entry, and is tried again."""
    if is_outage(error):
        raise error
    # What a database says holds statements and values; its kind is enough, and the log has the rest.
    words = "the database refused what it was asked" if isinstance(error, SQLAlchemyError) else str(error)
    log.error("a fold raised at position %d", position, exc_info=error)
    return Failure(position, f"{type(error).__name__}: {words}"[:500])


class Folder:
    """Folds entries into views, and judges. What it wrote is in `rows`, and what it noted in `judges`, until `forget()`."""

    def __init__(
        self,
        views: Sequence[View[Any]],
        store: Store,
        log: Log,
        refused: Mapping[tuple[str, int], str] = MappingProxyType({}),
    ) -> None:
        self.skips = Skips(log)
        self.rows = RowsNow(views, store, log, self.skips)
        # By view and position: entries whose rows could not be written, and why. The view stops there.
        self._refused = refused
        self.failures: dict[str, Failure] = {}
        self._views = tuple(views)
        self.judges = [Judge(view, self.rows, store) for view in views if isinstance(view, Ruled)]
        self._has_begun = False
        # Of the entry that is being folded: what does not count from here on.
        self._originals: Sequence[EntryInfo] = ()
        self._past: RowsThen | None = None
        # Of the entry that is being folded: the rows it changed, as they were before it.
        self._changed: dict[View[Any], dict[str, Any]] = defaultdict(dict)
        self._by_type: dict[str, list[View[Any]]] = defaultdict(list)
        # By what they count: counts of rows that are judged.
        self._counts: dict[View[Any], list[Tally[Any]]] = defaultdict(list)
        for view in views:
            if isinstance(view, Tally) and view.is_judged:
                self._counts[view.of].append(view)
            for event_type in view.of.folds if isinstance(view, Tally) else view.folds:
                self._by_type[event_type].append(view)

    # -- folding -------------------------------------------------------------------------------------------------

    def fold(self, entries: Sequence[EntryInfo]) -> None:
        """Fold entries, in order. A view whose fold raises stops at that entry; those that do not read it go on."""
        self.rows.prefetch(entries)
        if not self._has_begun and entries:
            self._remember(entries[0].position - 1)
        for judge in self.judges:
            judge.prefetch(entries)
        for entry in entries:
            self._changed.clear()
            self._fold(entry)
            for judge in self.judges:
                if judge.view.name not in self.failures:
                    self._judge(judge, entry)
                    for view in self._counts.get(judge.view, ()):
                        self._count_judged(view, entry)

    @property
    def notes(self) -> dict[str, Notes]:
        """What judgements rest on, by the name of their view: to be saved with the rows."""
        return {judge.view.name: judge.noted.notes for judge in self.judges}

    def save_in(self, store: MemoryStore) -> None:
        """Save what a batch touched and noted in a store in memory, the one that is folded over, and begin the next."""
        for view in self._views:
            store.save(view, self.rows.touched.get(view.name, {}), self.rows.counted.get(view.name, {}))
        for judge in self.judges:
            store.notes(judge.view).save(judge.noted.notes)
        self.forget()

    def forget(self) -> None:
        """Begin the next batch: what this one touched and noted has been saved."""
        self.rows.forget()
        for judge in self.judges:
            judge.noted.forget()

    def _fold(self, entry: EntryInfo) -> None:
        self.rows.begin(entry)
        entry.original = original_of(self.rows.log, entry)
        taken = self.rows.taken
        taken.add(self.rows.log, entry)
        if self._past is not None:
            self._past.go_on(entry)
            if self._past.is_full():
                self._past = None
        # What does not count from here on. One past for all views: rows that several of them read are looked up once.
        originals = [self.rows.log.entry(position) for position in taken.by_end.get(entry.position, ())]
        for original in originals:
            self.rows.take_back(original)
        self._originals = originals
        past = self._past_at(entry) if originals else None
        views = self._by_type.get(entry.type, ()) if not originals else self._views
        for view in views:
            if view.name in self.failures or view.is_judged or self.skips.holds(view, entry.position):
                continue
            if (refusal := self._refused.get((view.name, entry.position))) is not None:
                self._stop(view, Failure(entry.position, refusal))
                continue
            try:
                written = self._count(view, entry) if isinstance(view, Tally) else self._fold_into(view, entry)
                if past is not None:
                    written |= self._fold_again(view, entry, originals, written, past)
            except Exception as error:  # noqa: BLE001 - the edge of a fold: it stops its own view, and not the others
                self._stop(view, _failure(entry.position, error))
                continue
            self._write(view, written)

    def _write(self, view: View[Any], written: Mapping[str, Any]) -> None:
        for key, row in written.items():
            before = self.rows.row(view, key)
            if row is not before and (row is None or before is None or row.__dict__ != before.__dict__):
                self.rows.write(view, key, row)
                self._changed[view][key] = before

    def _count_judged(self, view: Tally[Any], entry: EntryInfo) -> None:
        """Count rows that were judged at an entry."""
        if view.name in self.failures or self.skips.holds(view, entry.position):
            return
        if (refusal := self._refused.get((view.name, entry.position))) is not None:
            self._stop(view, Failure(entry.position, refusal))
            return
        try:
            self._write(view, self._count(view, entry))
        except Exception as error:  # noqa: BLE001 - the edge of a fold: it stops its own view, and not the others
            self._stop(view, _failure(entry.position, error))

    def _fold_into(self, view: View[Any], entry: EntryInfo) -> dict[str, Any]:
        fold = view.folds.get(entry.type)
        if fold is None:
            return {}
        keys = fold.keys(entry.event, entry)
        if isinstance(view, Listing):
            self.rows.make_room(view, keys)
        self.rows.name(view, entry, keys)
        return {key: fold.apply(self.rows.row(view, key) or view.new(key), entry.event, entry) for key in keys}

    def _count(self, view: Tally[Any], entry: EntryInfo) -> dict[str, Any]:
        """Return the counts that rows which this entry changed are part of, or were."""
        written: dict[str, Any] = {}
        changes = [
            change
            for name, before in self._changed[view.of].items()
            for change in view.changes(before, self.rows.row(view.of, name))
        ]
        for key, part, count in changes:
            row = written[key] if key in written else self.rows.row(view, key) or view.new(key)
            written[key] = view.add(row, part, count)
        # Only now: where one could not be added, none is kept.
        for key, part, count in changes:
            self.rows.count(view, key, part, count)
        return {key: view.standing(view.settled(self.rows.row(view, key), row, entry)) for key, row in written.items()}

    def _past_at(self, entry: EntryInfo) -> RowsThen:
        """Return the past up to an entry. One withdrawal after another goes on with what was read for the one before."""
        if self._past is None:
            self._past = RowsThen(
                self.rows.log, self.rows, up_to=entry.position, taken_back=self.rows.taken, skips=self.skips
            )
        self._past.read_from(self.rows.log)
        return self._past

    def _fold_again(
        self, view: View[Any], entry: EntryInfo, originals: Sequence[EntryInfo], written: dict[str, Any], past: RowsThen
    ) -> dict[str, Any]:
        """Return the rows that statements are of, without them: they were taken back, and that counts from here on."""
        if view.keeps_withdrawn:
            return {}
        folded = [o for o in originals if o.type in view.folds and not self.skips.holds(view, o.position)]
        keys: dict[str, None] = {}
        if isinstance(view, Listing):
            for original in folded:
                original.reads = past.at(original.position)
                keys |= dict.fromkeys(view.folds[original.type].keys(original.event, original))
            return {key: view.taken_back(self.rows.row(view, key), entry.position) for key in keys}
        for original in folded:
            keys |= dict.fromkeys(keys_taken_back(view, original, past.at(original.position), self.rows))
        if view.reads:
            changed = {
                read: {key: (before, self.rows.row(read, key)) for key, before in self._changed[read].items()}
                for read in view.reads
                if read in self._changed and not isinstance(read, (Tally, Listing))
            }
            along = going_along(view, changed, past, entry.position) if changed else {}
            self.rows.taken.carried[view.name].add(entry.position, along)
            keys |= dict.fromkeys(along)
        return {key: past.row(view, key, entry.position) for key in (*keys, *(written if folded else ()))}

    # -- judging -------------------------------------------------------------------------------------------------

    def _judge(self, judge: Judge, entry: EntryInfo) -> None:
        """Judge every subject that may have a new verdict: what it rests on changed, or its time has come."""
        view = judge.view
        if (refusal := self._refused.get((view.name, entry.position))) is not None:
            self._stop(view, Failure(entry.position, refusal))
            return
        woken = judge.woken(entry, self._originals, self._changed)
        while woken:
            moved: dict[str, Any] = {}
            for rule, key in woken:
                try:
                    if (changed := judge.judge(rule, key, entry)) is not None:
                        # What is judged next may look at it.
                        self._changed[view].setdefault(*changed)
                        moved.setdefault(*changed)
                except Exception as error:  # noqa: BLE001 - the edge of a rule, as of a fold: it stops its own view
                    # Stepped over, this subject keeps the verdict that it had, until it is woken again.
                    if not self.skips.holds(view, entry.position):
                        self._stop(view, _failure(entry.position, error))
                        return
            # Rules about findings judge those that these made; of them there is an end, as each needs another statement.
            woken = judge.woken_by_own(moved)

    def _remember(self, position: int) -> None:
        """Take up, in a process that begins at a position, what was noted of judgements."""
        self._has_begun = True
        self.rows.stand_at(position)
        if position:
            now = self.rows.log.entry(position).recorded_at
            for judge in self.judges:
                judge.begin(now)

    def _stop(self, view: View[Any], failure: Failure) -> None:
        """Stop a view, and those that read it: they could not be at the same position any more."""
        self.failures[view.name] = failure
        because = failure.reason if failure.reason.startswith("reads ") else f"reads {view.name}, which stopped"
        for other in self._views:
            if other.name not in self.failures and view in other.reads:
                self._stop(other, Failure(failure.position, because))
