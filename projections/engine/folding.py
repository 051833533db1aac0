"""`Folder`: takes entries in order and folds them into all views at once, row by row, over a store.

At every entry the views are folded in the order of their declaration, so that a fold finds the views it reads as they
stand at that very entry. Then rules judge what changed. Not the catching up, and no transaction: what was touched lies
in `touched` until somebody saves it.
"""

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import unquote

from ledger.conditions import Match
from ledger.events import Event
from projections.engine.derived import Derived, Rule, change_to, every
from projections.engine.log import Log, original_of, taken_back_by
from projections.engine.past import Past, keys_taken_back
from projections.engine.store import Store, summed
from projections.engine.tally import Part, Tally
from projections.engine.view import LATEST, EntryInfo, View

R = TypeVar("R")
# How many rows are kept between batches; then all are dropped and read again as they are needed.
MAX_CACHED: Final = 20_000
# How many entries of a ref are kept, from its first on; and of how many refs is that number squared.
MAX_BEGUN: Final = 64


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
        # Of views that count: the parts that were added and taken away.
        self.counted: dict[str, dict[tuple[str, int, Part], int]] = defaultdict(lambda: defaultdict(int))
        self._views = tuple(views)
        self._derived = [view for view in views if isinstance(view, Derived)]
        self._position: int | None = None
        # Of the entry that is being folded: the rows it changed, and in which of the columns that rules look at; None is all.
        self._changed: dict[str, dict[str, tuple[str, ...] | None]] = defaultdict(dict)
        # And these rows as they were before it.
        self._before: dict[str, dict[str, Any]] = defaultdict(dict)
        # By the name of a derived view: the findings that are open. Only these, and new ones, are ever written.
        self._open: dict[str, set[str]] = defaultdict(set)
        self._by_column: dict[str, dict[str, dict[Any, set[str]]]] = defaultdict(dict)
        # Times at which a subject is to be judged again, the earliest first.
        self._due: list[tuple[str, str, str]] = []
        self._rows: dict[str, dict[str, Any]] = {view.name: {} for view in views}
        # Of entries by type and ref, or type alone: the keys that each names in a view, as far as was asked; the latest last.
        self._named: dict[tuple[str, str | None], dict[tuple[str, int | None], deque[tuple[str, ...]]]] = defaultdict(
            dict
        )
        # Of refs that began here: all entries that carry them. Nothing has to be looked up for these, as for a new release.
        self._begun: dict[str, list[EntryInfo]] = {}
        self._kinds_asked: set[str] = set()
        self._by_name = {view.name: view for view in views}
        self._by_kind: dict[str, list[View[Any]]] = defaultdict(list)
        self._by_type: dict[str, list[View[Any]]] = defaultdict(list)
        self._watched: dict[str, tuple[str, ...]] = {}
        for view in views:
            self._by_kind[view.kind].append(view)
            watched = frozenset().union(*(derived.watched(view) for derived in self._derived))
            self._watched[view.name] = tuple(sorted(watched))
            for event_type in view.of.folds if isinstance(view, Tally) else view.folds:
                self._by_type[event_type].append(view)

    # -- reading -------------------------------------------------------------------------------------------------

    def row(self, view: View[R], key: str) -> R | None:
        rows = self._rows[view.name]
        if key not in rows:
            rows[key] = self.store.load(view, (key,)).get(key)
        row: R | None = rows[key]
        return row

    def named(self, view: View[R], event: type[Event], about: str | None = None, limit: int | None = None) -> list[R]:
        known = self._named[event.type, about]
        if (view.name, limit) not in known:
            fold = view.folds[event.type]
            keys = [fold.keys(entry.event, entry) for entry in self._entries_of(event.type, about, limit)]
            known[view.name, limit] = deque(reversed(keys), limit)
        latest = dict.fromkeys(key for keys in reversed(known[view.name, limit]) for key in keys)
        rows = (self.row(view, key) for key in latest)
        return [row for row in rows if row is not None]

    def _entries_of(self, event_type: str, about: str | None, limit: int | None) -> Iterable[EntryInfo]:
        """Return the entries of a type with a ref, up to the one that is being folded; the latest first."""
        if about is not None:
            self._kinds_asked.add(about.partition(":")[0])
            if (begun := self._begun.get(about)) is not None:
                return [entry for entry in reversed(begun) if entry.type == event_type][:limit]
        match = Match((event_type,), (about,) if about else ())
        return self.log.latest(match, up_to=self._position or 0, limit=limit)

    def _name(self, entry: EntryInfo) -> None:
        """Take an entry into what is known of the entries of its type: they are looked up once, and then grow here."""
        for about in (None, *entry.refs):
            for (name, _), keys in self._named.get((entry.type, about), {}).items():
                keys.append(self._by_name[name].folds[entry.type].keys(entry.event, entry))
        for about, (count, _) in entry.refs.items():
            if count == 1 and about.partition(":")[0] in self._kinds_asked:
                self._begun[about] = [entry]
            elif (begun := self._begun.get(about)) is not None:
                begun.append(entry)
                if len(begun) > MAX_BEGUN:
                    del self._begun[about]

    def find(self, view: View[R], column: str, low: str, high: str | None = None) -> list[R]:
        if high is None:
            keys = {*self.store.find(view, column, low, low), *self._touched_by(view, column).get(low, ())}
            high = low
        else:
            keys = {*self.store.find(view, column, low, high), *self.touched[view.name]}
        rows = (self.row(view, key) for key in sorted(keys))
        return [row for row in rows if row is not None and low <= (getattr(row, column) or "") <= high]

    def _touched_by(self, view: View[Any], column: str) -> dict[Any, set[str]]:
        """Return the keys of touched rows by what a column held since the last save: the store does not know yet."""
        by_value = self._by_column[view.name].get(column)
        if by_value is None:
            by_value = self._by_column[view.name][column] = defaultdict(set)
            for key, row in self.touched[view.name].items():
                by_value[getattr(row, column, None)].add(key)
        return by_value

    def _write(self, view: View[Any], key: str, row: Any) -> None:
        self._rows[view.name][key] = self.touched[view.name][key] = row
        for column, by_value in self._by_column[view.name].items():
            by_value[getattr(row, column, None)].add(key)

    # -- folding -------------------------------------------------------------------------------------------------

    def fold(self, entries: Sequence[EntryInfo]) -> None:
        """Fold entries, in order. A view whose fold raises stops at that entry; those that do not read it go on."""
        self._prefetch(entries)
        if self._position is None and entries:
            self._remember(entries[0].position - 1)
        for entry in entries:
            self._changed.clear()
            self._before.clear()
            self._fold(entry)
            for view in self._derived:
                if view.name not in self.failures:
                    self._judge(view, entry)

    def forget(self) -> None:
        """Begin the next batch: what was touched has been saved. Drops what is cached, when it has become much."""
        self.touched.clear()
        self.counted.clear()
        self._by_column.clear()
        if sum(len(rows) for rows in self._rows.values()) > MAX_CACHED:
            for rows in self._rows.values():
                rows.clear()
            self._named.clear()
        if len(self._begun) > MAX_BEGUN * MAX_BEGUN:
            self._begun.clear()

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
                self._load(view, keys)

    def _load(self, view: View[Any], keys: Iterable[str]) -> None:
        rows = self._rows[view.name]
        if missing := [key for key in keys if key not in rows]:
            rows |= dict.fromkeys(missing)
            rows |= self.store.load(view, missing)

    def _fold(self, entry: EntryInfo) -> None:
        self._position = entry.position
        entry.reads = self
        self._name(entry)
        entry.original = original_of(self.log, entry)
        original = taken_back_by(self.log, entry)
        # One for all views: what was withdrawn, and rows that several of them read, are looked up once.
        past = Past(self.log, self, up_to=entry.position) if original is not None else None
        views = self._by_type.get(entry.type, ()) if original is None else self._views
        for view in views:
            if view.name in self.failures:
                continue
            try:
                written = self._count(view, entry) if isinstance(view, Tally) else self._fold_into(view, entry)
                if original is not None and past is not None:
                    written |= self._fold_again(view, entry, original, written, past)
            except Exception as error:  # noqa: BLE001 - the edge of a fold: it stops its own view, and not the others
                self._stop(view, Failure(entry.position, f"{type(error).__name__}: {error}"[:500]))
                continue
            for key, row in written.items():
                before = self.row(view, key)
                if row is not before and row != before:
                    self._write(view, key, row)
                    self._changed[view.name][key] = self._difference(view, before, row)
                    self._before[view.name][key] = before

    def _difference(self, view: View[Any], before: Any, after: Any) -> tuple[str, ...] | None:
        """Return the columns in which two rows differ, of those that rules look at; None where there is but one row."""
        if before is None or after is None:
            return None
        old, new = before.__dict__, after.__dict__
        return tuple(
            [name for name in self._watched[view.name] if old[name] is not new[name] and old[name] != new[name]]
        )

    def _fold_into(self, view: View[Any], entry: EntryInfo) -> dict[str, Any]:
        fold = view.folds.get(entry.type)
        if fold is None:
            return {}
        return {
            key: fold.apply(self.row(view, key) or view.new(key), entry.event, entry)
            for key in fold.keys(entry.event, entry)
        }

    def _count(self, view: Tally[Any], entry: EntryInfo) -> dict[str, Any]:
        """Return the counts that rows which this entry changed are part of, or were."""
        written: dict[str, Any] = {}
        for name, before in self._before[view.of.name].items():
            for key, part, count in view.changes(before, self.row(view.of, name)):
                row = written[key] if key in written else self.row(view, key) or view.new(key)
                written[key] = view.add(row, part, count)
                self.counted[view.name][key, entry.position, part] += count
        return written

    def parts(self, view: Tally[Any], key: str, up_to: int) -> list[tuple[Part, int]]:
        """Return the parts of a count up to a position, those too that are not saved yet."""
        unsaved = [
            (part, count) for (name, at, part), count in self.counted[view.name].items() if name == key and at <= up_to
        ]
        return summed([*self.store.parts(view, key, up_to), *unsaved])

    def _fold_again(
        self, view: View[Any], entry: EntryInfo, original: EntryInfo, written: dict[str, Any], past: Past
    ) -> dict[str, Any]:
        """Return the rows that a statement is of, without it: it was taken back, and that counts from here on."""
        if original.type not in view.folds:
            return {}
        keys = keys_taken_back(view, original, past.at(original.position), self)
        return {key: past.row(view, key, entry.position) for key in (*keys, *written)}

    # -- judging -------------------------------------------------------------------------------------------------

    def _judge(self, view: Derived, entry: EntryInfo) -> None:
        """Judge every subject that may have a new verdict: what it rests on changed, or its time has come."""
        now = entry.recorded_at
        subjects: dict[tuple[Rule, str], None] = {}
        while self._due and self._due[0][0] <= now:
            _, name, key = heapq.heappop(self._due)
            subjects[view.rules[name], key] = None
        try:
            for name, changed in self._changed.items():
                for key, columns in changed.items():
                    for rule, wake in view.woken_by(name, columns):
                        if wake is None:
                            subjects[rule, key] = None
                        elif (row := self._rows[name].get(key)) is not None:
                            subjects |= dict.fromkeys((rule, subject) for subject in wake.subjects(row, self))
            for rule, key in subjects:
                self._judge_one(view, rule, key, entry)
        except Exception as error:  # noqa: BLE001 - the edge of a rule, as of a fold: it stops its own view
            self._stop(view, Failure(entry.position, f"{type(error).__name__}: {error}"[:500]))

    def _judge_one(self, view: Derived, rule: Rule, key: str, entry: EntryInfo) -> None:
        subject = self.row(rule.subject, key)
        found = None
        if subject is not None:
            if rule.is_due:
                self._wait_for(rule, key, subject, entry.recorded_at)
            found = rule.judge(subject, entry.recorded_at, self)
        finding_id = view.id_of(rule, key)
        if found is None and finding_id not in self._open[view.name]:
            return
        before = self.row(view, finding_id)
        after = view.changed(before, rule, key, found, change_to(found, entry.position, entry.recorded_at))
        if after is not before:
            self._write(view, finding_id, after)
            (self._open[view.name].add if after.is_open else self._open[view.name].discard)(finding_id)

    def _wait_for(self, rule: Rule, key: str, subject: Any, now: str) -> None:
        dues = [getattr(subject, column) for column in rule.due]
        if rule.due_at is not None:
            dues += rule.due_at(subject, now, self)
        for due in dues:
            if due is not None and due > now:
                heapq.heappush(self._due, (due, rule.name, key))

    def _remember(self, position: int) -> None:
        """Take up, in a process that begins at a position, the findings that are open, and the times that rows wait for."""
        self._position = position
        if position == 0:
            return
        now = self.log.entry(position).recorded_at
        for view in self._derived:
            self._open[view.name].update(self.store.find(view, "is_open", True, True))
            for rule in view.rules.values():
                waiting = [subject for column in rule.due for subject in self.find(rule.subject, column, now, LATEST)]
                if rule.due_at is not None:
                    waiting += every(rule.subject, self)
                for subject in waiting:
                    self._wait_for(rule, getattr(subject, rule.subject.key), subject, now)

    def _stop(self, view: View[Any], failure: Failure) -> None:
        """Stop a view, and those that read it: they could not be at the same position any more."""
        self.failures[view.name] = failure
        because = failure.reason if failure.reason.startswith("reads ") else f"reads {view.name}, which stopped"
        for other in self._views:
            if other.name not in self.failures and view in other.reads:
                self._stop(other, Failure(failure.position, because))
