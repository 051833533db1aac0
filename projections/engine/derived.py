"""Views whose rows follow from rows: `Judged`, what somebody makes of a row, and `Derived`, what rules find in rows and since when.

Both come from functions of a row and a look (`projections.engine.reads`). What such a function looked at is noted, and it is asked
again at every entry that changed that, and at the first entry after a time that it took for future. So what is recorded later says
what it says about the past: two logins that are linked make an approval not count, wherever that is told.

    facts of CHG-7  ->  the ticket of CHG-7          one row a row, and as of any position it is asked again
    deployment d-1  ->  deployed-in-freeze/d-1       a row a rule; it keeps every change of the verdict

A finding ends when its rule finds nothing any more, or by a disposal: somebody who may do so answered it. Which disposal holds is asked
at every judgement, through the look, and so is not latched either.
What a finding is made of, and how its changes make it, is `projections.engine.finding`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeVar

from ledger.events import ref
from projections.engine.finding import (
    UNANSWERED,
    WORST_FIRST,
    Acted,
    Answer,
    Change,
    Finding,
    FindingRead,
    Justification,
    Severity,
    Verdict,
    bounded,
    standing,
)
from projections.engine.reads import Judging, Look
from projections.engine.view import DeclarationError, Moment, View, later, seconds_between

R = TypeVar("R")
Judge = Callable[[R, Look], Any]


@dataclass(frozen=True, eq=False, slots=True)
class Rule:
    """One rule: of the rows of which view, how grave, and the function that judges. Another meaning is another version."""

    name: str
    version: int
    doc: str
    subject: View[Any]
    severity: Severity
    judge: Judge[Any]


class Ruled(View[R]):
    """A view whose rows follow from rows of other views, by rules. No entry is folded into it."""

    is_judged = True

    def __init__(
        self, name: str, *, version: int, row: type[R], doc: str, kind: str, reads: Sequence[View[Any]], **more: Any
    ) -> None:
        super().__init__(
            name, version=version, row=row, doc=doc, kind=kind, reads=reads, entries_of=lambda key, row: (), **more
        )
        self.rules: dict[str, Rule] = {}

    def add(self, function: Judge[Any], subject: View[Any], severity: Severity, version: int) -> None:
        name = function.__name__.replace("_", "-")
        doc = (function.__doc__ or "").strip()
        if not doc or name in self.rules:
            raise DeclarationError(f"the rule {name} has no docstring, or is declared twice")
        if subject not in self.reads and subject is not self:
            raise DeclarationError(f"the rule {name} judges {subject.name}, which {self.name} does not read")
        self.rules[name] = Rule(name, version, doc, subject, severity, function)

    def judged(self, rule: Rule, subject: str, row: Any, look: Judging) -> Any:
        """Return what a rule makes of a row, read through a look."""
        return rule.judge(row, look)

    def id_of(self, rule: Rule, subject: str) -> str:
        """Return under which name the judgement of a subject is noted."""
        return f"{rule.name}{SEPARATOR}{subject}"

    def key_of(self, rule: Rule, subject: str) -> str:
        """Return the key of the row that a judgement of a subject makes."""
        raise NotImplementedError

    def after(
        self, row: R | None, rule: Rule, subject: str, found: Any, position: int, at: Moment, look: Judging
    ) -> R | None:
        """Return a row after a judgement at an entry: the very same where nothing changed."""
        raise NotImplementedError


class Judged(Ruled[R]):
    """What one function makes of each row of `of`, and of what it looks at: a row under the same key.

    How a row stood is asked again, of the rows as they stood.
    """

    is_made = True

    def __init__(
        self,
        name: str,
        *,
        version: int,
        row: type[R],
        doc: str,
        of: View[Any],
        reads: Sequence[View[Any]] = (),
        indexes: Sequence[str] = (),
        about: Mapping[str, Callable[[R], Iterable[str | None]]] = MappingProxyType({}),
    ) -> None:
        super().__init__(
            name, version=version, row=row, doc=doc, kind=of.kind, reads=(of, *reads), indexes=indexes, about=about
        )
        self.of = of

    def by(self, function: Callable[[Any, Look], R]) -> Callable[[Any, Look], R]:
        """Declare the function. Another meaning of it is another version of the view."""
        self.add(function, self.of, "low", self.version)
        return function

    @property
    def rule(self) -> Rule:
        (rule,) = self.rules.values()
        return rule

    def judge(self, row: Any, look: Look) -> R:
        """Return what is made of a row."""
        made: R = self.rule.judge(row, look)
        return made

    def key_of(self, rule: Rule, subject: str) -> str:
        return subject

    def after(
        self, row: R | None, rule: Rule, subject: str, found: R | None, position: int, at: Moment, look: Judging
    ) -> R | None:
        return row if row == found else found


class Derived(Ruled[Finding]):
    """Findings of rules over the views before it, and over findings. `answered` says what somebody made of one: through the look;
    `lag_minutes`, how much later than an act what shows it may be recorded.
    """

    keeps_past = True

    def __init__(
        self,
        name: str,
        *,
        version: int,
        doc: str,
        reads: tuple[View[Any], ...],
        answered: Callable[[Finding, Look], Answer] = lambda row, look: UNANSWERED,
        lag_minutes: Callable[[Look, Moment], int] = lambda look, at: 0,
    ) -> None:
        super().__init__(
            name,
            version=version,
            row=Finding,
            doc=doc,
            kind="finding",
            # What is made of rows is made once more where late leave counts: of what it was made of.
            reads=(*(of for read in reads if read.is_made for of in read.reads), *reads),
            indexes=("rule", "subject", "severity", "is_open", "disposition", WORST_FIRST),
        )
        self.read_row = FindingRead
        self._answered = answered
        self._lag_minutes = lag_minutes

    def values_of(self, column: str) -> tuple[str, ...]:
        """Return the names of the rules, for the column that holds them."""
        return tuple(self.rules) if column == "rule" else ()

    def rule(self, subject: View[R], *, severity: Severity, version: int = 1) -> Callable[[Judge[R]], Judge[R]]:
        """Judge every row of `subject` by a function of the row and a look.

        A rule that is new, or has another version, makes the view be judged anew from the first entry on.
        """

        def declare(function: Judge[R]) -> Judge[R]:
            self.add(function, subject, severity, version)
            return function

        return declare

    def read_at(self, row: dict[str, Any], at: Moment) -> dict[str, Any]:
        return row | {"age_s": seconds_between(row["first_seen_at"], row["resolved_at"] or at) or 0}

    def key_of(self, rule: Rule, subject: str) -> str:
        return self.id_of(rule, subject)

    def judged(self, rule: Rule, subject: str, row: Any, look: Judging) -> Verdict | None:
        breach = bounded(rule.judge(row, look))
        if breach is None:
            return None
        came = look.came
        named = Finding(
            self.id_of(rule, subject),
            rule.name,
            subject,
            rule.severity,
            says=breach.says,
            positions=breach.positions,
        )
        return Verdict(breach, self._answered(named, look), _justified(rule, subject, row, look), came)

    def after(
        self,
        row: Finding | None,
        rule: Rule,
        subject: str,
        found: Verdict | None,
        position: int,
        at: Moment,
        look: Judging,
    ) -> Finding | None:
        """Return a row after a verdict: the same one when nothing changed."""
        if found == (row.verdict if row is not None else None) and (row is None or row.changes):
            return row
        row = row or Finding(self.id_of(rule, subject), rule.name, subject, rule.severity)
        if found is None:
            return standing(row, (*row.changes, Change(position, at, is_open=False)))
        before = row.changes[-1] if row.changes and row.changes[-1].says else None
        breach, answer = found.breach, found.answer
        change = Change(
            position,
            at,
            answer.disposal is None,
            breach.says,
            breach.positions,
            answer,
            self._acted(found, before, ref(rule.subject.kind, subject), position, at, look),
            # What was the first to justify it stays that.
            before.justified if before is not None and before.justified and found.justified else found.justified,
        )
        return standing(row, (*row.changes, change))

    def _acted(
        self, found: Verdict, before: Change | None, about: str, place: int, now: Moment, look: Judging
    ) -> Acted | None:
        """Return when what a finding is about was done, and whether it was known then: once for as long as something is found."""
        if before is not None and before.positions == found.breach.positions:
            return before.acted
        entries = [look.entry(position) for position in found.breach.positions]
        if found.breach.act is not None:
            entries = [look.entry(found.breach.act)]
        if not entries:
            return None
        # Those that tell of the subject itself, or are it; where none does, the last of all.
        key = about.partition(":")[2]
        own = [entry for entry in entries if about in entry.refs or str(entry.position) == key] or entries[-1:]
        entry = own[0]
        at = min(entry.time, entry.recorded_at)
        if before is not None and before.acted is not None:
            return Acted(at, entry.position, before.acted.known_then)
        # What falls due is found at the first entry after it.
        last = look.entry(place - 1).recorded_at if place > 1 else ""
        fell_due = found.came is not None and last < found.came
        in_time = now <= later(own[-1].recorded_at, minutes=self._lag_minutes(look, at))
        return Acted(at, entry.position, fell_due or in_time)

    def as_of(self, row: Finding | None, position: int) -> Finding | None:
        """Return a row as it stood at a position, or None where there was none yet."""
        changes = tuple(change for change in row.changes if change.position <= position) if row is not None else ()
        return standing(row, changes) if row is not None and changes else None


SEPARATOR: Final = "/"


def _justified(rule: Rule, subject: str, row: Any, look: Judging) -> Justification | None:
    """Return what would have let through what a rule finds, had it come in time: the last that came late, where by all that did the
    rule finds nothing.
    """
    if not (look.lateness or look.looked_at_made or rule.subject.is_made):
        return None
    lenient = look.leniently()
    seen = lenient.row(rule.subject, subject) if rule.subject.is_made else row
    is_found = rule.judge(seen, lenient) is not None
    look.wait_for(lenient)
    lenient.end()
    if is_found or not lenient.lateness:
        return None
    entry = look.entry(max(lenient.lateness))
    return Justification(
        entry.position, getattr(entry.event, "actor", None) or entry.by["principal"], entry.recorded_at
    )
