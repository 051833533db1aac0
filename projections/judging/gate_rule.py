"""`@gate_rule`: a rule of a gate takes the question, reads rows of views, and answers with a reason and the entries used.

Not the recording, and no clock: `question.asked_at` is the time. A rule that finds nothing to judge by does not allow; who has
no policy in force gets no `allow`. Which rules a gate asks is `projections.gates.composition`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from types import MappingProxyType
from typing import Final

from ledger.events.gate import Verdict
from ledger.events.identifiers import with_names
from projections.engine.reads import Look
from projections.engine.view import DeclarationError
from projections.readings.changes.facts import change_facts
from projections.readings.changes.ticket import Ticket
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.people.policies import POLICY, InForce

# The strictest last.
VERDICTS: Final[tuple[Verdict, ...]] = ("allow", "needs_approval", "insufficient_evidence", "deny")
# A rule names so many of the entries it stands on, the last ones.
MAX_POSITIONS: Final = 64
# So many people are told who could do something.
MAX_ABLE: Final = 20


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to do, and when they asked."""

    gate: str
    asked_at: str
    actor: str | None = None
    change_id: str | None = None
    deployment_id: str | None = None
    service: str | None = None
    environment: str | None = None
    artifact: str | None = None
    dataset_id: str | None = None
    to_environment: str | None = None
    policy_id: str = POLICY
    commit: str | None = None
    plan: str | None = None
    attempt: int | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rule says. `reason` is a word that programs compare; `words` are for people.

    Where it does not allow, `remedy` says what would make it, and `able` who could do that, as far as people are on record. Neither is
    recorded: people come and go. `settings` are those of a policy that it asked for, by name.
    """

    rule: str
    version: int
    verdict: Verdict
    reason: str
    words: str
    positions: tuple[int, ...] = ()
    remedy: str = ""
    able: tuple[str, ...] = ()
    settings: frozenset[str] = frozenset()


Said = tuple[Verdict, str, str, Iterable[int | None]]
# Who could do something about an answer: persons, in any order.
Able = Callable[[Question, Look, InForce], Iterable[str]]
# What else is to be said of it, by what is on record: nothing, or the end of a sentence.
More = Callable[[Question, Look, InForce], str]


@dataclass(frozen=True, slots=True)
class Remedy:
    """What would make a rule allow, in words. Without `able` it is for whoever asks."""

    words: str
    able: Able | None = None
    more: More | None = None


# By the reason of an answer; under "" for every other reason.
Remedies = Mapping[str, Remedy]
NO_REMEDIES: Final[Remedies] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of gates, by its name and version. Under one version it means the same for ever: a recheck asks it again."""

    name: str
    version: int
    doc: str
    judge: Callable[[Question, Look, InForce], Said]
    remedies: Remedies = field(default_factory=dict)

    def __call__(self, question: Question, look: Look, policy: InForce) -> Answer:
        verdict, reason, words, used = self.judge(question, look, policy)
        positions = sorted({position for position in used if position is not None})
        return Answer(self.name, self.version, verdict, reason, with_names(words), tuple(positions[-MAX_POSITIONS:]))

    def remedied(self, answer: Answer, question: Question, look: Look, policy: InForce) -> Answer:
        """Return an answer of this rule with what would make it allow, and who could do it: the first by name.

        A rule that has no words for the reason says when it allows.
        """
        if answer.verdict == "allow":
            return answer
        remedy = (
            self.remedies.get(answer.reason) or COMMON.get(answer.reason) or self.remedies.get("") or Remedy(self.doc)
        )
        able = sorted(set(remedy.able(question, look, policy))) if remedy.able is not None else []
        more = remedy.more(question, look, policy) if remedy.more is not None else ""
        words = with_names(f"{remedy.words}; {more}" if more else remedy.words)
        return replace(answer, remedy=words, able=tuple(able[:MAX_ABLE]))


def _or_where(question: Question, look: Look, policy: InForce) -> str:
    return "" if question.environment else "or name the environment: there the policy may ask for none"


# Of every rule.
COMMON: Final[Remedies] = {
    "no-change": Remedy(
        "name a change that was opened, or open one (change.opened) and submit it (change.submitted)", more=_or_where
    ),
    "no-deployment": Remedy("name a deployment that was reported (deployment.started)"),
    "not-said": Remedy("say in the question what is missing"),
    "entry-stepped-over": Remedy(
        "an operator has the views folded by a version of the program that can take the entry"
    ),
}
# Every rule there is, those too that no gate asks any more.
RULES: Final[dict[tuple[str, int], Rule]] = {}


def strictest(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the strictest of some verdicts. Raises ValueError for none: no rule at all is no pass."""
    return max(verdicts, key=VERDICTS.index)


def gate_rule(
    *, version: int = 1, name: str | None = None, remedies: Remedies = NO_REMEDIES
) -> Callable[[Callable[[Question, Look, InForce], Said]], Rule]:
    """Make a rule of a function, under the function's name unless another is given.

    A rule whose meaning changes is a new function with the next version. The one of before stays, under its name, where it can still
    be asked; where it went, what was decided by it is not checkable.
    """

    def declare(function: Callable[[Question, Look, InForce], Said]) -> Rule:
        rule = Rule(
            (name or function.__name__).replace("_", "-"), version, (function.__doc__ or "").strip(), function, remedies
        )
        if not rule.doc or (rule.name, version) in RULES:
            raise DeclarationError(f"the rule {rule.name} {version} has no docstring, or is declared twice")
        RULES[rule.name, version] = rule
        return rule

    return declare


def ticket_of(question: Question, look: Look) -> Ticket | None:
    return look.row(change_tickets, question.change_id) if question.change_id else None


def deployment_of(question: Question, look: Look) -> Deployment | None:
    return look.row(deployments, question.deployment_id) if question.deployment_id else None


def last_fact(ticket: Ticket, look: Look) -> Sequence[int | None]:
    """Return the last fact about a change. What a gate said of it is not a fact about it."""
    facts = look.row(change_facts, ticket.change_id)
    return [facts.last_fact_position] if facts is not None else []


def of_change(
    function: Callable[[Ticket, Question, Look, InForce], Said],
) -> Callable[[Question, Look, InForce], Said]:
    """Make a rule of a function of the question's change. What is not known is no evidence."""

    @wraps(function)
    def judged(question: Question, look: Look, policy: InForce) -> Said:
        ticket = ticket_of(question, look)
        return NO_CHANGE if ticket is None else function(ticket, question, look, policy)

    return judged


def of_deployment(
    function: Callable[[Deployment, Question, Look, InForce], Said],
) -> Callable[[Question, Look, InForce], Said]:
    """Make a rule of a function of the question's deployment. What is not known is no evidence."""

    @wraps(function)
    def judged(question: Question, look: Look, policy: InForce) -> Said:
        row = deployment_of(question, look)
        return NO_DEPLOYMENT if row is None else function(row, question, look, policy)

    return judged


def by_state(ticket: Ticket, look: Look, *allowed: str) -> Said:
    """Allow a change in some states. One that has not come that far is no evidence; one beyond them is denied."""
    verdict: Verdict = "insufficient_evidence" if ticket.state in ("draft", "assessing") else "deny"
    verdict = "allow" if ticket.state in allowed else verdict
    return verdict, ticket.state, f"{ticket.change_id} is {ticket.state}", last_fact(ticket, look)


# Of rules that ask where a change is.
BY_STATE: Final[Mapping[str, Remedy]] = {
    "draft": Remedy("its author submits the change (change.submitted)"),
    "assessing": Remedy("the change is scored by the model that counts, and reviewed where the policy asks for that"),
    "authorizing": Remedy("the approvals that are missing"),
    "": Remedy("nothing: what comes next needs another change"),
}
NO_CHANGE: Final[Said] = ("insufficient_evidence", "no-change", "no such change is known", ())


NO_DEPLOYMENT: Final[Said] = ("insufficient_evidence", "no-deployment", "no such deployment is known", ())
