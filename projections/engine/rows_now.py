"""`RowsNow`: rows as they stand at the entry that is being folded. What folds and rules read, and where what they write lies
until somebody saves it.

Rows, and which entries of a type carry a ref, are looked up once and then kept up here. Not the folding itself.

    12 opens CHG-7                  touched: CHG-7 of change_facts, as the fold made it, and not saved yet
    13 starts d-1, for CHG-7        its fold reads CHG-7 as of 12, from here; then d-1 and CHG-7 are touched
    the batch ends                  whoever folds saves what was touched; the rows stay here for the next batch
"""

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from ledger.events import Event, kind_and_value
from projections.engine.answers import Answers
from projections.engine.derived import Judged
from projections.engine.log import Log, TakenBack
from projections.engine.skips import Skips
from projections.engine.store import Store, summed
from projections.engine.tally import Part, Tally
from projections.engine.view import Around, EntryInfo, Limit, View

R = TypeVar("R")
K = TypeVar("K")
V = TypeVar("V")
# How many rows are kept between batches that were asked for of late; as many again are kept from before that.
MAX_CACHED: Final = 20_000
# Where an entry is, and the keys that it names in a view.
_Naming = tuple[int, tuple[str, ...]]
# Of so many times as many last entries as are asked for around a position it is kept what they name: what is judged is mostly of late.
SHOWING: Final = 4
# How many entries of a ref are kept, from its first on; and of how many refs is that number squared.
MAX_BEGUN: Final = 64


class _Recent(Generic[K, V]):
    """What was asked for of late, and what was before: `age` drops what was not asked for since it was called last."""

    def __init__(self) -> None:
        self.new: dict[K, V] = {}
        self.old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        if key not in self.new and key in self.old:
            self.new[key] = self.old.pop(key)
        return self.new.get(key)

    def age(self) -> None:
        self.old, self.new = self.new, {}


class RowsNow:
    """Rows of views at one entry after another: `begin` says at which."""

    def __init__(self, views: Sequence[View[Any]], store: Store, log: Log, skips: Skips) -> None:
        self.store = store
        self.log = log
        self._skips = skips
        self.touched: dict[str, dict[str, Any]] = defaultdict(dict)
        # The same rows as they were saved last.
        self.before: dict[str, dict[str, Any]] = defaultdict(dict)
        # Of views that count: the parts that were added and taken away.
        self.counted: dict[str, dict[tuple[str, int, Part], int]] = defaultdict(lambda: defaultdict(int))
        self._position = 0
        self._rows: dict[str, _Recent[str, Any]] = {view.name: _Recent() for view in views}
        self._by_column: dict[str, dict[str, dict[Any, set[str]]]] = defaultdict(dict)
        # Of entries by type and ref, or type alone: what each names in a view, as far as was asked; the latest last.
        self._named: _Recent[tuple[str, str | None], dict[tuple[str, int | None], deque[_Naming]]] = _Recent()
        # What does not count any more, and from where on.
        self.taken = TakenBack(log, up_to=0)
        # Of refs that began here: all entries that carry them. Nothing has to be looked up for these, as for a new release.
        self._begun: _Recent[str, list[EntryInfo]] = _Recent()
        self._kinds_asked: set[str] = set()
        self._types_asked: set[str] = set()
        self._by_kind: dict[str, list[View[Any]]] = defaultdict(list)
        for view in views:
            self._by_kind[view.kind].append(view)
        self.answers = Answers(self)

    # -- reading -------------------------------------------------------------------------------------------------

    def row(self, view: View[R], key: str) -> R | None:
        cached = self._rows[view.name]
        rows = cached.new
        if key not in rows:
            rows[key] = cached.old[key] if key in cached.old else self.store.load(view, (key,)).get(key)
        row: R | None = rows[key]
        return row

    def named(self, view: View[R], event: type[Event], about: str | None = None, limit: Limit = None) -> list[R]:
        return self.found(view, event, about, limit)[0]

    def found(
        self, view: View[R], event: type[Event], about: str | None = None, limit: Limit = None
    ) -> tuple[list[R], bool]:
        """Return the rows that `named` does, and whether another entry may name one more: not, where enough came after a position."""
        if isinstance(view, Judged):
            made_of, is_open = self.found(view.of, event, about, limit)
            keyed = (getattr(row, view.of.key) for row in made_of)
            return [row for key in keyed if (row := self.row(view, key)) is not None], is_open
        is_open = True
        if isinstance(limit, Around):
            naming = self._around(view, event.type, about, limit)
            is_open = len(naming) < limit.count or naming[-limit.count][0] <= limit.position
        else:
            naming = self._latest(view, event.type, about, limit)
        latest = dict.fromkeys(key for _, keys in reversed(naming) for key in keys)
        rows = (self.row(view, key) for key in latest)
        return [row for row in rows if row is not None], is_open

    def _latest(self, view: View[Any], event_type: str, about: str | None, limit: int | None) -> Sequence[_Naming]:
        """Return what the last entries of a type name, the latest last. It is kept up from entry to entry."""
        self._types_asked.add(event_type)
        known = self._named.get((event_type, about))
        if known is None:
            known = self._named.new[event_type, about] = {}
        if (view.name, limit) not in known:
            known[view.name, limit] = deque(self._naming(view, event_type, about, limit), limit)
        return known[view.name, limit]

    def _naming(self, view: View[Any], event_type: str, about: str | None, limit: Limit) -> list[_Naming]:
        entries = self._entries_of(event_type, about, limit)
        return [(entry.position, self._skips.keys(view, entry)) for entry in reversed(entries)]

    def _around(self, view: View[Any], event_type: str, about: str | None, limit: Around) -> Sequence[_Naming]:
        """Return what the entries around a position name: read off the last ones, which are kept up, where these show all of it."""
        last = self._latest(view, event_type, about, SHOWING * limit.count)
        after = bisect_right(last, limit.position, key=lambda naming: naming[0])
        if after < limit.count and len(last) == SHOWING * limit.count:
            return self._naming(view, event_type, about, limit)
        return [*islice(last, max(0, after - limit.count), after + limit.count)]

    def _entries_of(self, event_type: str, about: str | None, limit: Limit) -> list[EntryInfo]:
        """Return the entries of a type with a ref, up to the one that is being folded, that count; the latest first."""
        if about is not None:
            self._kinds_asked.add(about.partition(":")[0])
            if not isinstance(limit, Around) and (begun := self._begun.get(about)) is not None:
                held = (entry for entry in reversed(begun) if entry.type == event_type)
                return [entry for entry in held if not self.taken.is_at(entry.position, self._position)][:limit]
        at = self._position
        return self.taken.latest(self.log, event_type, about, up_to=at, known=at, limit=limit)

    def where(self, view: View[R], column: str, value: str) -> list[R]:
        keys = {*self.store.find(view, column, value), *self._touched_by(view, column).get(value, ())}
        self._load(view, keys)
        rows = (self.row(view, key) for key in sorted(keys))
        return [row for row in rows if row is not None and getattr(row, column) == value]

    def entry(self, position: int) -> EntryInfo:
        return self.log.entry(position)

    def answer(self, question: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Return what is answered to a question that is kept (`projections.engine.answers`)."""
        return self.answers.ask(question, args).value

    def _touched_by(self, view: View[Any], column: str) -> dict[Any, set[str]]:
        """Return the keys of touched rows by what a column held since the last save: the store does not know yet."""
        by_value = self._by_column[view.name].get(column)
        if by_value is None:
            by_value = self._by_column[view.name][column] = defaultdict(set)
            for key, row in self.touched[view.name].items():
                by_value[getattr(row, column, None)].add(key)
        return by_value

    def require(self, view: View[Any], position: int) -> None:
        """Nothing is missing: nobody asks here for what is after the entry that is being folded."""

    def parts(self, view: Tally[Any], key: str, up_to: int) -> list[tuple[Part, int]]:
        """Return the parts of a count up to a position, those too that are not saved yet."""
        unsaved = [
            (part, count) for (name, at, part), count in self.counted[view.name].items() if name == key and at <= up_to
        ]
        return summed([*self.store.parts(view, key, up_to), *unsaved])

    # -- writing -------------------------------------------------------------------------------------------------

    def begin(self, entry: EntryInfo) -> None:
        """Stand at an entry."""
        self._position = entry.position
        entry.reads = self
        self.answers.named(entry.type, entry.refs)
        for about, (count, _) in entry.refs.items():
            if count == 1 and about.partition(":")[0] in self._kinds_asked:
                self._begun.new[about] = [entry]
            elif (begun := self._begun.get(about)) is not None:
                begun.append(entry)
                if len(begun) > MAX_BEGUN:
                    del self._begun.new[about]

    def name(self, view: View[Any], entry: EntryInfo, keys: tuple[str, ...]) -> None:
        """Let an entry be among those of its type, before its view folds it: it names these rows of the view."""
        if entry.type not in self._types_asked:
            return
        for about in (None, *entry.refs):
            for (name, _), latest in (self._named.get((entry.type, about)) or {}).items():
                if name == view.name:
                    latest.append((entry.position, keys))

    def take_back(self, original: EntryInfo) -> None:
        """Let an entry be among those of its type no more: it does not count from the entry on that is being folded."""
        self.answers.named(original.type, original.refs, is_one_less=True)
        for about in (None, *original.refs):
            for names in (self._named.new, self._named.old):
                names.pop((original.type, about), None)

    def write(self, view: View[Any], key: str, row: Any) -> None:
        """Let a row stand from this entry on; None takes it away."""
        touched, before = self.touched[view.name], self.row(view, key)
        if key not in touched:
            self.before[view.name][key] = before
        self.answers.moved(view, key, before, row)
        self._rows[view.name].new[key] = touched[key] = row
        for column, by_value in self._by_column[view.name].items():
            by_value[getattr(row, column, None)].add(key)

    def make_room(self, view: View[Any], keys: Iterable[str]) -> None:
        """Let there be no rows yet under keys that this entry makes: nothing has to be looked up for them."""
        self._rows[view.name].new |= dict.fromkeys(keys)

    def count(self, view: Tally[Any], key: str, part: Part, count: int) -> None:
        """Note a part that was added to a count at this entry, or taken away."""
        self.counted[view.name][key, self._position, part] += count

    # -- batches -------------------------------------------------------------------------------------------------

    def stand_at(self, position: int) -> None:
        """Begin after a position that is stored: what comes before it is read from there."""
        self._position = position
        self.taken = TakenBack(self.log, up_to=position)

    def prefetch(self, entries: Sequence[EntryInfo]) -> None:
        """Load the rows that entries name by their refs, with one statement for each view."""
        wanted: dict[str, dict[str, None]] = defaultdict(dict)
        for entry in entries:
            # Rows of single statements lie under their positions.
            for kind, value in (("statement", str(entry.position)), *map(kind_and_value, entry.refs)):
                if kind in self._by_kind:
                    wanted[kind][value] = None
        for kind, keys in wanted.items():
            for view in self._by_kind[kind]:
                self._load(view, keys)

    def _load(self, view: View[Any], keys: Iterable[str]) -> None:
        cached = self._rows[view.name]
        if missing := [key for key in keys if key not in cached.new and key not in cached.old]:
            cached.new |= dict.fromkeys(missing)
            cached.new |= self.store.load(view, missing)

    def forget(self) -> None:
        """Begin the next batch: what was touched has been saved. Drops what was not asked for of late, when it has become much."""
        self.touched.clear()
        self.before.clear()
        self.counted.clear()
        self._by_column.clear()
        self.answers.make_room()
        if sum(len(cached.new) for cached in self._rows.values()) > MAX_CACHED:
            for cached in self._rows.values():
                cached.age()
            self._named.age()
        if len(self._begun.new) > MAX_BEGUN * MAX_BEGUN:
            self._begun.age()
