"""`Derived`: a view of what rules find in the rows of other views, and since when.

A rule is a function of a row and a look (`projections.engine.reads`). What it looked at is noted, and it is judged again at every
entry that changed that, and at the first entry after a time that it took for future. So what is recorded later finds what it
says about the past. A row keeps every change of the verdict: how it stood at an earlier position is read from the row itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from ledger.events.identifiers import with_names
from projections.engine.reads import Look
from projections.engine.view import DeclarationError, Moment, View

R = TypeVar("R")
Severity = Literal["low", "medium", "high"]


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


Judge = Callable[[R, Look], Breach | None]


@dataclass(frozen=True, eq=False, slots=True)
class Rule:
    """One rule: of the rows of which view, how grave, and the function that judges. Another meaning is another version."""

    name: str
    version: int
    doc: str
    subject: View[Any]
    severity: Severity
    judge: Judge[Any]


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

    def values_of(self, column: str) -> tuple[str, ...]:
        """Return the names of the rules, for the column that holds them."""
        return tuple(self.rules) if column == "rule" else ()

    def rule(self, subject: View[R], *, severity: Severity, version: int = 1) -> Callable[[Judge[R]], Judge[R]]:
        """Judge every row of `subject` by a function of the row and a look.

        A rule that is new, or has another version, makes the view be judged anew from the first entry on.
        """

        def declare(function: Judge[R]) -> Judge[R]:
            name = function.__name__.replace("_", "-")
            doc = (function.__doc__ or "").strip()
            if not doc or name in self.rules:
                raise DeclarationError(f"the rule {name} has no docstring, or is declared twice")
            if subject not in self.reads:
                raise DeclarationError(f"the rule {name} judges {subject.name}, which {self.name} does not read")
            self.rules[name] = Rule(name, version, doc, subject, severity, function)
            return function

        return declare

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
