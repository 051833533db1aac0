"""`Derived`: a view of what rules find in the rows of other views, and since when.

A rule is judged again at every entry that changed a row it looks at, and at the first entry after a time that such a row
names as due. So what is recorded later finds what it says about the past. A row keeps every change of the verdict:
how it stood at an earlier position is read from the row itself.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeVar

from ledger.events.identifiers import with_names
from projections.engine.view import DeclarationError, Moment, Reads, View

R = TypeVar("R")
Severity = Literal["low", "medium", "high"]


class Index(Reads, Protocol):
    """What a rule may look into: rows by key, and rows by what a column holds."""

    def find(self, view: View[R], column: str, low: str, high: str | None = None) -> list[R]:
        """Return the rows whose column holds `low`, or lies between `low` and `high`, sorted by key."""


def every(view: View[R], index: Index) -> list[R]:
    """Return all rows of a view: of one that stays small."""
    return index.find(view, view.key, "", "\uffff")


@dataclass(frozen=True, slots=True)
class Breach:
    """What a rule found: in words, and the entries that show it."""

    says: str
    positions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a verdict: at which entry, and what was found from there on; nothing when `is_open` is false."""

    position: int
    at: Moment
    is_open: bool
    says: str = ""
    positions: tuple[int, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One rule that one subject breaks, or broke. It is resolved by the entry after which the rule found nothing any more."""

    finding_id: str
    rule: str = ""
    subject: str = ""
    severity: Severity = "low"
    is_open: bool = False
    says: str = ""
    positions: tuple[int, ...] = ()
    first_seen_at: Moment | None = None
    first_seen_position: int | None = None
    resolved_at: Moment | None = None
    resolved_position: int | None = None
    changes: tuple[Change, ...] = ()


Judge = Callable[[Any, Moment, Index], Breach | None]
Subjects = Callable[[Any, Index], Iterable[str]]
# When a subject is to be judged again, where that follows from more than its own row.
Due = Callable[[Any, Moment, Index], Iterable[Moment]]


@dataclass(frozen=True, slots=True)
class Wake:
    """Whom a change of a row in another view concerns: these subjects, when one of the columns `of` changed."""

    subjects: Subjects
    of: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Rule:
    """One rule: of the rows of which view, how grave, and when a row is judged again.

    That is when one of the columns `of` changed, when a row of another view `wakes` it, and when it is due: columns say so, or a
    function.
    """

    name: str
    doc: str
    subject: View[Any]
    of: tuple[str, ...]
    severity: Severity
    judge: Judge
    wakes: Mapping[View[Any], Wake]
    due: tuple[str, ...]
    due_at: Due | None = None

    @property
    def watched(self) -> frozenset[str]:
        """The columns of the subject that it looks at."""
        return frozenset((self.subject.key, *self.of, *self.due))

    @property
    def is_due(self) -> bool:
        """Say whether time alone may change a verdict."""
        return bool(self.due) or self.due_at is not None


class Derived(View[Finding]):
    """Findings of rules over the views before it. No entry is folded into it; rows follow from rows."""

    keeps_past = True

    def __init__(self, name: str, *, version: int, doc: str, reads: tuple[View[Any], ...]) -> None:
        super().__init__(
            name,
            version=version,
            row=Finding,
            doc=doc,
            kind="finding",
            reads=reads,
            entries_of=lambda key, row: (),
            indexes=("rule", "subject", "severity", "is_open"),
        )
        self.rules: dict[str, Rule] = {}
        # By view: columns of its rows, the rules that look at them, and whom that wakes, if not the row itself.
        self._watching: dict[View[Any], list[tuple[frozenset[str], Rule, Wake | None]]] = defaultdict(list)
        # What follows from it: all columns that a rule looks at, and whom a change of some of them wakes.
        self._watched: dict[View[Any], tuple[str, ...]] = {}
        self._woken: dict[tuple[View[Any], tuple[str, ...]], list[tuple[Rule, Wake | None]]] = {}

    def values_of(self, column: str) -> tuple[str, ...]:
        """Return the names of the rules, for the column that holds them."""
        return tuple(self.rules) if column == "rule" else ()

    def rule(
        self,
        subject: View[R],
        *,
        of: tuple[str, ...],
        severity: Severity,
        wakes: Mapping[View[Any], Wake] | None = None,
        due: tuple[str, ...] = (),
        due_at: Due | None = None,
    ) -> Callable[[Callable[[R, Moment, Index], Breach | None]], Callable[[R, Moment, Index], Breach | None]]:
        """Judge every row of `subject` by a function of the row, the time, and the other views.

        `of` are the columns of the subject that it looks at, but for the key: it is judged again when one of them changed.
        `wakes` names, for other views it looks into, the columns it looks at there, and the subjects to judge again when one
        changed. `due` names columns of the subject that hold a time: it is judged again at the first entry after it. `due_at`
        computes such times, from the views in `wakes` too; a process that begins asks it of every row, so the view should be small.
        """

        def declare(function: Callable[[R, Moment, Index], Breach | None]) -> Callable[..., Breach | None]:
            name = function.__name__.replace("_", "-")
            doc = (function.__doc__ or "").strip()
            if not doc:
                raise DeclarationError(f"the rule {name} has no docstring")
            rule = Rule(name, doc, subject, of, severity, function, wakes or {}, due, due_at)
            for view, columns in ((subject, rule.watched), *((view, wake.of) for view, wake in rule.wakes.items())):
                if view not in self.reads:
                    raise DeclarationError(f"the rule {name} looks into {view.name}, which {self.name} does not read")
                if missing := set(columns) - set(view.columns):
                    raise DeclarationError(
                        f"the rule {name} looks at {sorted(missing)}, which {view.name} does not have"
                    )
            self.rules[name] = rule
            self._watching[subject].append((rule.watched, rule, None))
            for view, wake in rule.wakes.items():
                self._watching[view].append((frozenset(wake.of), rule, wake))
            for view in (subject, *rule.wakes):
                self._watched[view] = tuple(
                    sorted(frozenset().union(*(columns for columns, _, _ in self._watching[view])))
                )
            return function

        return declare

    def woken_by(self, view: View[Any], before: Any, after: Any) -> list[tuple[Rule, Wake | None]]:
        """Return the rules to judge again when a row of a view changed, and whom that wakes, if not the row itself.

        Without a row before or after, all that look at the view.
        """
        columns = self._watched.get(view, ())
        if before is not None and after is not None:
            old, new = before.__dict__, after.__dict__
            columns = tuple([name for name in columns if old[name] is not new[name] and old[name] != new[name]])
        if (view, columns) not in self._woken:
            watching = self._watching.get(view, ())
            self._woken[view, columns] = [(rule, wake) for of, rule, wake in watching if not of.isdisjoint(columns)]
        return self._woken[view, columns]

    def id_of(self, rule: Rule, subject: str) -> str:
        """Return the key of a finding."""
        return f"{rule.name}{SEPARATOR}{subject}"

    def changed(self, row: Finding | None, rule: Rule, subject: str, found: Breach | None, change: Change) -> Finding:
        """Return a row after a verdict: the same one when nothing changed. Without a row, something was found."""
        row = row or Finding(self.id_of(rule, subject), rule.name, subject, rule.severity)
        before = Breach(row.says, row.positions) if row.is_open else None
        if row.changes and found == before:
            return row
        return _standing(row, (*row.changes, change))

    def as_of(self, row: Finding | None, position: int) -> Finding | None:
        """Return a row as it stood at a position, or None where there was none yet."""
        changes = tuple(change for change in row.changes if change.position <= position) if row is not None else ()
        return _standing(row, changes) if row is not None and changes else None


SEPARATOR: Final = "/"
# A wording lists ten things by their names at most; what is longer, a rule has written carelessly.
MAX_SAYS: Final = 4000
MAX_POSITIONS: Final = 32


def bounded(found: Breach | None) -> Breach | None:
    """Return what was found with as much of it as a row keeps: of very many entries the first and the last.

    Things are called by their names.
    """
    if found is None:
        return None
    half = MAX_POSITIONS // 2
    some = found.positions
    said = with_names(found.says)
    says = said if len(said) <= MAX_SAYS else f"{said[:MAX_SAYS]}…"
    return Breach(says, some if len(some) <= MAX_POSITIONS else (*some[:half], *some[-half:]))


def change_to(found: Breach | None, position: int, at: Moment) -> Change:
    """Return the change that a verdict at an entry would be."""
    if found is None:
        return Change(position, at, is_open=False)
    return Change(position, at, is_open=True, says=found.says, positions=found.positions)


def _standing(row: Finding, changes: tuple[Change, ...]) -> Finding:
    first, last = changes[0], changes[-1]
    told = next(change for change in reversed(changes) if change.is_open)
    return Finding(
        row.finding_id,
        row.rule,
        row.subject,
        row.severity,
        last.is_open,
        told.says,
        told.positions,
        first.at,
        first.position,
        None if last.is_open else last.at,
        None if last.is_open else last.position,
        changes,
    )
