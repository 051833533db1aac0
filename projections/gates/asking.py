"""Gates: "may this proceed?", asked before acting, answered by named rules over views, and recorded.

A gate is an ordered set of rules. Each answers `allow`, `deny`, `needs_approval` or `insufficient_evidence`, with the
reason and the entries it stands on; the strictest answer is the verdict. There is no silent pass: a gate without rules
is a fault of this program, and what is not known is insufficient evidence.

The answer is appended under the condition that nothing was recorded meanwhile that the rules had looked at. If
something was, the question is asked again. The only clock is the question's `asked_at`, so that a decision can be
checked later: `recheck`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from ledger.conditions import Condition
from ledger.entry import Receipt
from ledger.errors import ConditionFailedError, LedgerError, NotFoundError
from ledger.events.gate import GateDecided
from ledger.ledger import Ledger
from projections.engine.asking import Looking, Served, await_position, states_of
from projections.engine.log import SqlLog
from projections.engine.past import Past
from projections.engine.serving import Stored
from projections.engine.skips import Skips
from projections.engine.tables import SqlStore
from projections.engine.view import View, moment
from projections.gates.composition import GATES
from projections.judging.gate_rule import MAX_POSITIONS, Answer, Question, Rule, Verdict, strictest
from projections.readings.people.policies import InForce, in_force
from projections.rules.words import listed

# A decision on facts that changed meanwhile is asked again, so often.
MAX_TRIES: Final = 5
# How long to wait for the views to have seen what changed.
WAIT_S: Final = 5.0
# A gate's own answers are no facts that it reads.
OWN: Final = (GateDecided.type,)
# The reason of a rule that read rows which lack an entry.
STEPPED_OVER: Final = "entry-stepped-over"
# A recorded decision has the fields of its question, under the same names.
ASKED: Final = tuple(field.name for field in fields(Question))


class GateBusyError(LedgerError):
    """What a gate's rules look at changed each time before its answer could be recorded. Nothing was recorded."""

    retry_after = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """What a gate answered, at which position it had read, and where the answer is recorded."""

    question: Question
    verdict: Verdict
    answers: tuple[Answer, ...]
    read_at: int
    policy: InForce
    receipt: Receipt | None = None


def answer(question: Question, looking: Looking, read_at: int) -> Decision:
    """Ask every rule of a gate. Raises NotFoundError for a gate that there is not."""
    rules = GATES.get(question.gate)
    if not rules:
        raise NotFoundError(f"there is no gate {question.gate!r}; there are {', '.join(GATES)}")
    policy = in_force(looking, question.asked_at, question.policy_id)
    answers = tuple(_answered(rule, question, looking, policy) for rule in rules)
    return Decision(question, strictest(a.verdict for a in answers), answers, read_at, policy)


def _answered(rule: Rule, question: Question, looking: Looking, policy: InForce) -> Answer:
    """Return what a rule says; where it read what steps over an entry, that it cannot know."""
    found = rule(question, looking, policy)
    if not looking.stepped_over:
        return found
    over = tuple(sorted(looking.stepped_over))[:MAX_POSITIONS]
    words = f"what it reads steps over {listed(str(position) for position in over)}; without that: {found.words}"
    verdict = strictest((found.verdict, "insufficient_evidence"))
    return Answer(found.rule, verdict, STEPPED_OVER, words, over)


def ask(ledger: Ledger, views: Sequence[View[Any]], question: Question) -> Decision:
    """Answer a question and record the answer.

    Raises GateBusyError when the facts did not stand still, NotFoundError for no such gate, ViewNotReadyError while views
    are being built. Then nothing was recorded.
    """
    store = SqlStore(ledger.database, views)
    # A ledger that has just been opened builds its views: whoever asks then waits a little, as they do for a view that is behind.
    await_position(ledger.database, ledger.watcher, views, 0, within_s=WAIT_S)
    for _ in range(MAX_TRIES):
        with ledger.database.read() as connection:
            states = states_of(connection, views)
            position = min(state.position for state in states)
            skips = Skips(SqlLog(connection))
            looking = Looking(Served(connection, store, position, skips), skips, but=OWN)
            decision = answer(question, looking, position)
        with ledger.database.read() as connection:
            # A new table that took over meanwhile is empty to an older snapshot on PostgreSQL: no freeze, no finding.
            if [s.generation for s in states_of(connection, views)] != [s.generation for s in states]:
                continue
        try:
            receipt = ledger.state(
                GateDecided.type, _data(decision), condition=Condition(looking.matches, after=position)
            )
        except ConditionFailedError as error:
            await_position(ledger.database, ledger.watcher, views, error.position, within_s=WAIT_S)
            continue
        return Decision(question, decision.verdict, decision.answers, position, decision.policy, receipt)
    raise GateBusyError(f"what gate {question.gate} looks at changed {MAX_TRIES} times while it was asked; ask again")


def _data(decision: Decision) -> dict[str, Any]:
    asked = {name: getattr(decision.question, name) for name in ASKED} | {"policy_version": decision.policy.version}
    return {
        **{name: value for name, value in asked.items() if value is not None},
        "verdict": decision.verdict,
        "read_at": decision.read_at,
        "rules": [
            {"rule": a.rule, "verdict": a.verdict, "reason": a.reason, "positions": list(a.positions)}
            for a in decision.answers
        ],
    }


@dataclass(frozen=True, slots=True)
class Recheck:
    """A recorded decision, and the same question answered again from the entries up to where it had read."""

    position: int
    recorded: GateDecided
    again: Decision

    @property
    def agrees(self) -> bool:
        answers = [(r.rule, r.verdict, r.reason, r.positions) for r in self.recorded.rules]
        return (
            self.recorded.verdict == self.again.verdict
            and answers == [(a.rule, a.verdict, a.reason, a.positions) for a in self.again.answers]
            and self.recorded.policy_version == self.again.policy.version
        )


def recheck(ledger: Ledger, views: Sequence[View[Any]], position: int) -> Recheck:
    """Answer a recorded question again, from the entries alone. Raises NotFoundError where no gate decided."""
    store = SqlStore(ledger.database, views)
    with ledger.database.read() as connection:
        log = SqlLog(connection)
        entry = log.entry(position)
        if not isinstance(entry.event, GateDecided):
            raise NotFoundError(f"the entry at position {position} is {entry.type}; expected {GateDecided.type}")
        event = entry.event
        asked = {name: value for name in ASKED if (value := getattr(event, name)) is not None}
        question = Question(**(asked | {"asked_at": moment(event.asked_at)}))
        skips = Skips(log)
        past = Past(log, Stored(connection, store), up_to=event.read_at, skips=skips)
        again = answer(question, Looking(past.at(event.read_at), skips, but=OWN), event.read_at)
    return Recheck(position, event, again)
