"""Views whose rows follow from rows: `Judged`, what somebody makes of a row, and `Derived`, what rules find in rows and since when.

Both come from functions of a row and a look (`projections.engine.reads`). What such a function looked at is noted, and it is asked
again at every entry that changed that, and at the first entry after a time that it took for future. So what is recorded later says
what it says about the past: two logins that are linked make an approval not count, wherever that is told.

    facts of CHG-7  ->  the ticket of CHG-7          one row a row, and as of any position it is asked again
    deployment d-1  ->  deployed-in-freeze/d-1       a row a rule; it keeps every change of the verdict

A finding ends when its rule finds nothing any more, or by a disposal: somebody who may do so answered it. Which disposal holds is asked
at every judgement, through the look, and so is not latched either. Longer than other files because a finding's row is what its changes make
of it, and the views are what makes changes.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar

from ledger.canonical import encode
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


Disposition = Literal["accepted", "remediated", "false_positive"]


@dataclass(frozen=True, slots=True)
class Disposal:
    """What ends a finding that its rule still finds: as what, by whom, in which entry, and until when."""

    disposition: Disposition
    by: str
    position: int
    until: Moment | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A disposal that does not count: whose, in which entry, and why."""

    by: str
    position: int
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody made of a finding: the disposal that holds, and the first that does not count."""

    disposal: Disposal | None = None
    refused: Refusal | None = None


UNANSWERED: Final = Answer()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule found of a subject, and what somebody made of that."""

    breach: Breach
    answer: Answer = UNANSWERED


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a verdict: at which entry, and what was found from there on; nothing where it says nothing.

    It is open where something is found and no disposal holds.
    """

    position: int
    at: Moment
    is_open: bool
    says: str = ""
    positions: tuple[int, ...] = ()
    answer: Answer = UNANSWERED

    @property
    def verdict(self) -> Verdict | None:
        return Verdict(Breach(self.says, self.positions), self.answer) if self.says else None


@dataclass(frozen=True)
class Finding:
    """One rule that one subject breaks, or broke.

    It is resolved by the entry after which the rule found nothing any more, or after which a disposal holds; then `disposition` is said.
    """

    finding_id: str
    rule: str = ""
    subject: str = ""
    severity: Severity = "low"
    is_open: bool = False
    says: str = ""
    # Of what it says, the digest that a disposition of it names.
    said: str = ""
    positions: tuple[int, ...] = ()
    first_seen_at: Moment | None = None
    first_seen_position: int | None = None
    resolved_at: Moment | None = None
    resolved_position: int | None = None
    disposition: Disposition | None = None
    disposed_by: str | None = None
    disposed_position: int | None = None
    disposed_until: Moment | None = None
    # The first disposition of what it says now that does not count.
    refused: Refusal | None = None
    changes: tuple[Change, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        return self.changes[-1].verdict if self.changes else None


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

    def judged(self, rule: Rule, subject: str, row: Any, look: Look) -> Any:
        """Return what a rule makes of a row, read through a look."""
        return rule.judge(row, look)

    def id_of(self, rule: Rule, subject: str) -> str:
        """Return under which name the judgement of a subject is noted."""
        return f"{rule.name}{SEPARATOR}{subject}"

    def key_of(self, rule: Rule, subject: str) -> str:
        """Return the key of the row that a judgement of a subject makes."""
        raise NotImplementedError

    def after(self, row: R | None, rule: Rule, subject: str, found: Any, position: int, at: Moment) -> R | None:
        """Return a row after a judgement at an entry: the very same where nothing changed."""
        raise NotImplementedError


class Judged(Ruled[R]):
    """What one function makes of each row of `of`, and of what it looks at: a row under the same key.

    How a row stood is asked again, of the rows as they stood.
    """

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

    def after(self, row: R | None, rule: Rule, subject: str, found: R | None, position: int, at: Moment) -> R | None:
        return row if row == found else found


class Derived(Ruled[Finding]):
    """Findings of rules over the views before it, and over findings. `answered` says what somebody made of one: through the look."""

    keeps_past = True

    def __init__(
        self,
        name: str,
        *,
        version: int,
        doc: str,
        reads: tuple[View[Any], ...],
        answered: Callable[[Finding, Look], Answer] = lambda row, look: UNANSWERED,
    ) -> None:
        super().__init__(
            name,
            version=version,
            row=Finding,
            doc=doc,
            kind="finding",
            reads=reads,
            indexes=("rule", "subject", "severity", "is_open", "disposition"),
        )
        self._answered = answered

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

    def key_of(self, rule: Rule, subject: str) -> str:
        return self.id_of(rule, subject)

    def judged(self, rule: Rule, subject: str, row: Any, look: Look) -> Verdict | None:
        breach = bounded(rule.judge(row, look))
        if breach is None:
            return None
        named = Finding(
            self.id_of(rule, subject),
            rule.name,
            subject,
            rule.severity,
            says=breach.says,
            positions=breach.positions,
        )
        return Verdict(breach, self._answered(named, look))

    def after(
        self, row: Finding | None, rule: Rule, subject: str, found: Verdict | None, position: int, at: Moment
    ) -> Finding | None:
        """Return a row after a verdict: the same one when nothing changed."""
        if found == (row.verdict if row is not None else None) and (row is None or row.changes):
            return row
        row = row or Finding(self.id_of(rule, subject), rule.name, subject, rule.severity)
        return _standing(row, (*row.changes, change_to(found, position, at)))

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


def said_of(rule: str, subject: str, says: str) -> str:
    """Return the digest of what a finding says, as dispositions name it: SHA-256 of canonical JSON, in base64."""
    told = encode({"rule": rule, "says": says, "subject": subject})
    return base64.b64encode(hashlib.sha256(told).digest()).decode()


def change_to(found: Verdict | None, position: int, at: Moment) -> Change:
    """Return the change that a verdict at an entry would be."""
    if found is None:
        return Change(position, at, is_open=False)
    breach, answer = found.breach, found.answer
    return Change(position, at, answer.disposal is None, breach.says, breach.positions, answer)


def _standing(row: Finding, changes: tuple[Change, ...]) -> Finding:
    first, last = changes[0], changes[-1]
    told = next((change for change in reversed(changes) if change.says), last)
    disposal = last.answer.disposal
    # Since when it is as it is: a disposal that is told otherwise, or one more that does not count, moves no end.
    ended = last
    for change in reversed(changes):
        if change.is_open or (change.says == "") != (last.says == ""):
            break
        ended = change
    return Finding(
        row.finding_id,
        row.rule,
        row.subject,
        row.severity,
        last.is_open,
        told.says,
        said_of(row.rule, row.subject, told.says),
        told.positions,
        first.at,
        first.position,
        None if last.is_open else ended.at,
        None if last.is_open else ended.position,
        disposal.disposition if disposal is not None else None,
        disposal.by if disposal is not None else None,
        disposal.position if disposal is not None else None,
        disposal.until if disposal is not None else None,
        last.answer.refused,
        changes,
    )
