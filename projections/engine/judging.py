"""`Judge`: finds out, entry by entry, which judgements may be other now, and judges these again.

It knows no rule. Which judgements those are follows from what they looked at before: `projections.engine.noted`.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, get_args

from projections.engine.derived import SEPARATOR, Derived, Rule, Ruled
from projections.engine.finding import Disposition
from projections.engine.lenses import Lens
from projections.engine.noted import Noted, Span, hull
from projections.engine.reads import Judging, closed_read, entry_read, form_in, row_read, whats_of
from projections.engine.rows_now import RowsNow
from projections.engine.store import Store
from projections.engine.view import LATEST, DeclarationError, EntryInfo, Moment, View

# Rows that an entry changed, as they were before it.
Changed = Mapping[View[Any], Mapping[str, Any]]
# The columns in which two rows differ; None where one of them is not there.
Moved = tuple[str, ...] | None


@dataclass(slots=True)
class _Forms:
    """In which forms rules ever looked at something. It only grows: who goes on elsewhere reads it from the store."""

    # By form, the rules.
    rules: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    # By view, those that looked at rows which are not their own.
    of_view: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    # Types of entries that were asked for as such.
    types: set[str] = field(default_factory=set)

    def add(self, rule: str, form: str) -> None:
        self.rules[form].add(rule)
        parts = form_in(form)
        if parts is not None and "@" in form and parts[2]:
            self.types.add(form.partition("@")[0])
        elif parts is not None:
            self.of_view[parts[1]].add(rule)


class _Asked(NamedTuple):
    """Who has to be looked for: those of some rules who read any of some things, as of now or of a time within a span."""

    rules: set[str]
    whats: list[str]
    span: Span | None


class Judge:
    """Judges for one view. What it finds is written to `rows`, and what it looked at is in `noted`, until both are saved."""

    def __init__(self, view: Ruled[Any], rows: RowsNow, store: Store) -> None:
        self.view = view
        self._notes = store.notes(view)
        self.noted = Noted(self._notes)
        self._rows = rows
        self._store = store
        # The findings that are found, disposed of or not. Of findings only these, and new ones, are ever written.
        self._open: set[str] = set()
        # Times at which a judgement may be another, the earliest first. Some hold no more: `Noted.is_due`.
        self._due: list[tuple[Moment, str]] = []
        self._now: Moment = ""
        self._forms = _Forms()
        # Of reads by key, the kind of ref that names such rows.
        self._kinds = {row_read(read, ""): read.kind for read in view.reads}
        # By rule and view, the columns that it ever looked at.
        self._lenses: dict[str, dict[View[Any], Lens]] = {name: {} for name in view.rules}
        self._lens_of: dict[str, Callable[[View[Any]], Lens]] = {}
        self._by_subject: dict[View[Any], list[Rule]] = defaultdict(list)
        # What follows from these: of each view the columns that any rule looks at, and whom a change of some of them concerns.
        self._views: set[View[Any]] = set()
        self._looked_at: dict[View[Any], tuple[str, ...]] = {}
        self._concerned: dict[tuple[View[Any], Moved], tuple[list[Rule], set[str]]] = {}
        for rule in view.rules.values():
            self._by_subject[rule.subject].append(rule)
            self._lens_of[rule.name] = self._lens_finder(rule)
            self._lenses[rule.name][rule.subject] = self._lens(rule, rule.subject)

    def begin(self, now: Moment) -> None:
        """Take up, in a process that begins after an entry of a time, what was noted, what is open, and which times are waited for."""
        self._now = now
        views = {read.name: read for read in (*self.view.reads, self.view)}
        for name, what, _ in self._notes.reads_of(tuple(self.view.rules)):
            kind, _, told = what.partition(" ")
            if kind == "form":
                self._forms.add(name, told)
                continue
            view, _, column = told.partition(".")
            if view in views:
                lens = self._lenses[name].setdefault(views[view], self._lens(self.view.rules[name], views[view]))
                lens.add(column)
        self._views.clear()
        self._looked_at.clear()
        self._concerned.clear()
        if isinstance(self.view, Derived):
            for column, value in (("is_open", True), *(("disposition", word) for word in get_args(Disposition))):
                self._open.update(self._store.find(self.view, column, value))
        self._due = self.noted.due()
        heapq.heapify(self._due)

    def prefetch(self, entries: Sequence[EntryInfo]) -> None:
        """Look up together whether anybody reads what entries name."""
        names: dict[str, set[str]] = defaultdict(set)
        for name in {name for entry in entries for name in entry.refs}:
            kind, _, value = name.partition(":")
            names[kind].add(value)
        whats: list[str] = []
        for form in self._forms.rules:
            kind = self._kinds.get(form) or form.partition("@")[2].removesuffix(":")
            whats += [form + value for value in names.get(kind, ())]
        self.noted.prefetch(whats)

    # -- whom it concerns -------------------------------------------------------------------------------------------

    def woken(self, entry: EntryInfo, originals: Sequence[EntryInfo], changed: Changed) -> list[tuple[Rule, str]]:
        """Return each rule and subject to judge again after an entry, from which on others do not count; each once."""
        readers: set[str] = set()
        if entry.recorded_at < self._now:
            readers |= self.noted.came_after(entry.recorded_at)
        self._now = entry.recorded_at
        while self._due and self._due[0][0] <= self._now:
            due, reader = heapq.heappop(self._due)
            if self.noted.is_due(reader, due):
                readers.add(reader)
        if entry.type in self._forms.types:
            whats = [entry_read(entry.type, about) for about in (None, *entry.refs)]
            readers |= self.noted.readers(whats, hull(self._spans(entry)))
        for original in originals:
            # It named rows, and does so no more, though nothing of them may change.
            if original.type in self._forms.types:
                whats = [
                    what(original.type, about) for about in (None, *original.refs) for what in (entry_read, closed_read)
                ]
                readers |= self.noted.readers(whats, ("", LATEST))
        return self._found(readers, changed) if readers or not self._looking().isdisjoint(changed) else []

    def woken_by_own(self, changed: Mapping[str, Any]) -> list[tuple[Rule, str]]:
        """Return each rule and subject to judge again after rows of the view itself changed: of rules that judge such rows."""
        return self._found(set(), {self.view: changed}) if self.view in self._by_subject else []

    def _found(self, readers: set[str], changed: Changed) -> list[tuple[Rule, str]]:
        begun: list[str] = []
        asked: list[_Asked] = []
        for view, rows in changed.items():
            if columns := self._columns(view):
                for key, before in rows.items():
                    if (one := self._concern(view, columns, key, before, readers, begun)) is not None:
                        asked.append(one)
        # Who read what of all these rows is looked up together.
        self.noted.prefetch(what for one in asked for what in one.whats)
        for one in asked:
            found_here = self.noted.readers(one.whats, one.span)
            readers.update(reader for reader in found_here if reader.partition(SEPARATOR)[0] in one.rules)
        for reader in begun:
            self.noted.begin(reader)
        self.noted.load(readers)
        rules, found = self.view.rules, []
        # Sorted: which failure is told of must not depend on chance.
        for reader in sorted(readers):
            name, _, key = reader.partition(SEPARATOR)
            if name in rules:
                found.append((rules[name], key))
        return found

    def _spans(self, entry: EntryInfo) -> Iterator[Span | None]:
        """Yield the times that the rows which an entry names touch."""
        for view in self.view.reads:
            if view.touches is not None and entry.type in view.folds:
                rows = (self._rows.row(view, key) for key in view.folds[entry.type].keys(entry.event, entry))
                yield from (view.touches(None, row) for row in rows if row is not None)

    def _concern(
        self, view: View[Any], columns: tuple[str, ...], key: str, before: Any, readers: set[str], begun: list[str]
    ) -> _Asked | None:
        """Add whom a change of a row concerns, and return who has to be looked for, if anybody."""
        after = self._rows.row(view, key)
        moved: Moved = None
        if before is not None and after is not None:
            old, new = before.__dict__, after.__dict__
            moved = tuple([name for name in columns if old[name] is not new[name] and old[name] != new[name]])
        own, others = self._whom(view, moved)
        mine = [self.view.id_of(rule, key) for rule in own]
        readers.update(mine)
        if before is None:
            begun += mine
        span: Span | None = None
        if view.is_scoped and (looking := self._forms.of_view[view.name]):
            was, is_now = view.scope(before), view.scope(after)
            spans = [view.touches(before, after) if view.touches is not None else None]
            if was != is_now:
                # Somebody sees it now who did not, or the other way round: whichever columns they looked at in other rows.
                others = looking
                spans += [was[1], is_now[1]]
            span = hull(spans)
        if not others:
            return None
        return _Asked(others, list(whats_of(view, key, before, after, self._forms.rules)), span)

    def _looking(self) -> set[View[Any]]:
        """Return the views at whose rows any rule looks."""
        if not self._views:
            self._views = {view for lenses in self._lenses.values() for view in lenses}
        return self._views

    def _columns(self, view: View[Any]) -> tuple[str, ...]:
        """Return the columns of a view that any rule looks at; the key, where all that counts is whether a row is there."""
        if view not in self._looked_at:
            lenses = [lenses[view] for lenses in self._lenses.values() if view in lenses]
            looked = {column for lens in lenses for column in lens.columns}
            self._looked_at[view] = tuple(sorted(looked | ({view.key} if lenses else set())))
        return self._looked_at[view]

    def _whom(self, view: View[Any], moved: Moved) -> tuple[list[Rule], set[str]]:
        """Return the rules that judge rows of a view, and the names of those that looked at them otherwise, by what moved."""
        if (view, moved) not in self._concerned:
            looking = {
                name
                for name, lenses in self._lenses.items()
                if view in lenses and (moved is None or not set(moved).isdisjoint(lenses[view].columns))
            }
            own = [rule for rule in self._by_subject.get(view, ()) if rule.name in looking]
            self._concerned[view, moved] = (own, looking & self._forms.of_view[view.name])
        return self._concerned[view, moved]

    # -- judging ----------------------------------------------------------------------------------------------------

    def judge(self, rule: Rule, key: str, entry: EntryInfo) -> tuple[str, Any] | None:
        """Judge one subject again; return the key of the row that changed, and how it stood. Raises what the rule raises: then
        nothing is noted or written.
        """
        name, reader, now = rule.name, self.view.id_of(rule, key), entry.recorded_at
        look = Judging(self._rows, now, self._lens_of[name])
        subject, found = self._rows.row(rule.subject, key), None
        if subject is not None:
            found = self.view.judged(rule, key, self._lenses[name][rule.subject].over(subject), look)
        look.end()
        if look.reads:
            # Its own row it is judged by anyhow.
            look.reads.discard((row_read(rule.subject, key), ""))
        for what, _ in self.noted.note(reader, look.reads):
            self._learn(name, what)
        if self.noted.wait(reader, look.due, look.came) and look.due is not None:
            heapq.heappush(self._due, (look.due, reader))
        is_finding = isinstance(self.view, Derived)
        if is_finding and found is None and reader not in self._open:
            return None
        made = self.view.key_of(rule, key)
        before = self._rows.row(self.view, made)
        after = self.view.after(before, rule, key, found, entry.position, now, look)
        if after is before:
            return None
        self._rows.write(self.view, made, after)
        if is_finding and after is not None:
            (self._open.discard if after.verdict is None else self._open.add)(reader)
        return made, before

    def _learn(self, rule: str, what: str) -> None:
        """Note in which form a rule looked at something, when it is the first time."""
        if (form := form_in(what)) is not None and rule not in self._forms.rules.get(form[0], ()):
            self._forms.add(rule, form[0])
            self._concerned.clear()
            self.noted.know(rule, f"form {form[0]}")

    def _lens_finder(self, rule: Rule) -> Callable[[View[Any]], Lens]:
        lenses = self._lenses[rule.name]

        def lens_of(view: View[Any]) -> Lens:
            if (lens := lenses.get(view)) is None:
                if view not in self.view.reads:
                    raise DeclarationError(f"{rule.name} looks at {view.name}, which {self.view.name} does not read")
                lens = lenses[view] = self._lens(rule, view)
                self._grown(rule, f"view {view.name}")
            return lens

        return lens_of

    def _lens(self, rule: Rule, view: View[Any]) -> Lens:
        return Lens(view, lambda column: self._grown(rule, f"column {view.name}.{column}"))

    def _grown(self, rule: Rule, what: str) -> None:
        """Note that a rule looked at a view or a column for the first time."""
        self._views.clear()
        self._looked_at.clear()
        self._concerned.clear()
        self.noted.know(rule.name, what)
