"""Gates: "may this proceed?", asked before acting, answered by named rules over views, and recorded.

A gate is an ordered set of rules. Each answers `allow`, `deny`, `needs_approval` or `insufficient_evidence`, with the
reason and the entries it stands on; the strictest answer is the verdict. There is no silent pass: a gate without rules
is a fault of this program, and what is not known is insufficient evidence.

The answer is appended under the condition that nothing was recorded meanwhile that the rules had looked at. If
something was, the question is asked again. The only clock is the question's `asked_at`, so that a decision can be
checked later: `projections.gates.rechecking`. Long, because what a decision rests on, and under which condition it is
recorded, is read in one piece.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Final

from ledger.entry import Receipt
from ledger.errors import ConditionFailedError, ConflictError, LedgerError, NotFoundError
from ledger.events.compliance_window import ComplianceWindowDeclared
from ledger.events.environment import EnvironmentDeclared
from ledger.events.freeze import FreezeDeclared, FreezeLifted, FreezeOverrideGranted
from ledger.events.gate import GateDecided, RuleResult, Verdict
from ledger.ledger import Ledger
from projections.engine.asking import Asking, await_position, states_of
from projections.engine.log import SqlLog
from projections.engine.rows_served import RowsServed
from projections.engine.skips import Skips
from projections.engine.sql_store import SqlStore
from projections.engine.view import EntryInfo, Moment, Reads, View, later, moment
from projections.gates.composition import GATES
from projections.judging.gate_rule import MAX_POSITIONS, RULES, Answer, Question, Rule, strictest
from projections.readings.delivery.gate_decisions import ALLOW_MINUTES
from projections.readings.people.policies import WHOLE, InForce, in_force
from projections.readings.people.powers import can_never_count
from projections.readings.people.voices import spoken
from projections.rules.words import listed

# A decision on facts that changed meanwhile is asked again, so often.
MAX_TRIES: Final = 5
# And so often what came between a look and the lock is looked at: from then on under the lock, where so little of it holds nobody up.
FREE_LOOKS: Final = 2
MAX_LOOKS: Final = 20
MOST_WEIGHED_LOCKED: Final = 8
# How long to wait for the views to have seen what changed.
WAIT_S: Final = 5.0
# A decision names so many entries, and of each rule the last ones: then the largest fits a statement.
MAX_USED: Final = 16
MAX_NAMED: Final = 512
# So many settings, and of each rule so many; all rules together name settings so often. Who asked for more has asked for `WHOLE`.
MAX_SETTINGS: Final = 128
MAX_ASKED_FOR: Final = 48
MAX_ALL_ASKED_FOR: Final = 1024
# A gate's own answers are no facts that it reads.
OWN: Final = (GateDecided.type,)
# What every gate looks at, whatever it is about, and of which no view takes up what can never count.
LEFT_OUT: Final = frozenset(
    cls.type
    for cls in (ComplianceWindowDeclared, EnvironmentDeclared, FreezeDeclared, FreezeLifted, FreezeOverrideGranted)
)
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

    @property
    def expires_at(self) -> Moment | None:
        """Until when an `allow` holds; None for any other answer."""
        if self.verdict != "allow":
            return None
        return later(self.question.asked_at, minutes=self.policy.number(ALLOW_MINUTES))


def answer(question: Question, look: Asking, read_at: int, rules: Sequence[Rule] | None = None) -> Decision:
    """Ask every rule of a gate, or those that are given. Raises NotFoundError for a gate that there is not."""
    gate = GATES.get(question.gate)
    if gate is None:
        raise NotFoundError(f"there is no gate {question.gate!r}; there are {', '.join(GATES)}")
    policy, noted = look.noting(in_force, look, question.asked_at, question.policy_id)
    answers = tuple(_answered(rule, question, look, policy, noted) for rule in (gate.rules if rules is None else rules))
    return Decision(question, strictest(a.verdict for a in answers), answers, read_at, policy)


def remedied(decision: Decision, look: Asking) -> Decision:
    """Return a decision with what would make each rule allow that does not, and who could do it. `look` is for this alone: what is
    read here is no condition of the answer.
    """
    question, policy = decision.question, decision.policy
    answers = (RULES[a.rule, a.version].remedied(a, question, look, policy) for a in decision.answers)
    return replace(decision, answers=tuple(answers))


def _answered(rule: Rule, question: Question, look: Asking, policy: InForce, noted: set[str]) -> Answer:
    """Return what a rule says, and by which settings; where it read what steps over an entry, that it cannot know."""
    found, asked_for = look.noting(rule, question, look, policy)
    found = replace(found, settings=frozenset(asked_for | noted))
    if not look.stepped_over:
        return found
    over = tuple(sorted(look.stepped_over))[:MAX_POSITIONS]
    words = f"what it reads steps over {listed(str(position) for position in over)}; without that: {found.words}"
    verdict = strictest((found.verdict, "insufficient_evidence"))
    return Answer(found.rule, found.version, verdict, STEPPED_OVER, words, over, settings=found.settings)


def consider(
    ledger: Ledger, views: Sequence[View[Any]], questions: Sequence[Question], rules: Sequence[Rule] | None = None
) -> list[Decision]:
    """Answer questions as gates would now, all of one state, and record nothing: what if. `rules` are asked instead of the gate's.

    Raises GateBusyError, NotFoundError and ViewNotReadyError as `ask` does.
    """
    store = SqlStore(ledger.database, views)
    await_position(ledger.database, ledger.watcher, views, 0, within_s=WAIT_S)
    for _ in range(MAX_TRIES):
        if (found := _looked(ledger, store, views, questions, rules)) is not None:
            return [decision for decision, _ in found]
    raise GateBusyError(f"the views took over from others {MAX_TRIES} times while they were asked; ask again")


def _looked(
    ledger: Ledger,
    store: SqlStore,
    views: Sequence[View[Any]],
    questions: Sequence[Question],
    rules: Sequence[Rule] | None = None,
) -> list[tuple[Decision, Asking]] | None:
    """Answer questions of one snapshot, each with what it looked at; None where a view's table was exchanged meanwhile."""
    with ledger.database.read() as connection:
        states = states_of(connection, views)
        position = min(state.position for state in states)
        skips = Skips(SqlLog(connection))
        rows = RowsServed(connection, store, position, skips)
        found = []
        for question in questions:
            look = Asking(rows, question.asked_at, skips, but=OWN)
            decision = answer(question, look, position, rules)
            if rules is None:
                decision = remedied(decision, look.aside())
            found.append((decision, look))
    with ledger.database.read() as connection:
        # A new table that took over meanwhile is empty to an older snapshot on PostgreSQL: no freeze, no finding.
        generations = [state.generation for state in states_of(connection, views)]
    return found if generations == [state.generation for state in states] else None


def ask(ledger: Ledger, views: Sequence[View[Any]], question: Question) -> Decision:
    """Answer a question and record the answer.

    Raises GateBusyError when the facts did not stand still, NotFoundError for no such gate, ViewNotReadyError while views
    are being built. Then nothing was recorded. ConflictError when the question's key was used for another question, or for an `allow` that
    is over.
    """
    store = SqlStore(ledger.database, views)
    # A ledger that has just been opened builds its views: whoever asks then waits a little, as they do for a view that is behind.
    await_position(ledger.database, ledger.watcher, views, 0, within_s=WAIT_S)
    for _ in range(MAX_TRIES):
        found = _looked(ledger, store, views, (question,))
        if found is None:
            continue
        ((decision, look),) = found
        position = decision.read_at
        try:
            receipt = _stated(ledger, store, decision, look)
        except ConditionFailedError as error:
            await_position(ledger.database, ledger.watcher, views, error.position, within_s=WAIT_S)
            continue
        if question.idempotency_key is not None and (first := _recorded(ledger, question, receipt)) is not None:
            # Asked again under the same key, after an answer that was lost: it is answered as the first time.
            return first
        return Decision(question, decision.verdict, decision.answers, position, decision.policy, receipt)
    raise GateBusyError(f"what gate {question.gate} looks at changed {MAX_TRIES} times while it was asked; ask again")


def _stated(ledger: Ledger, store: SqlStore, decision: Decision, look: Asking) -> Receipt:
    """Record a decision. Raises ConditionFailedError where something came that its rules had looked at.

    What came between the last look and the lock is looked at, too: mostly it moves nothing. Where something comes each time, as of
    strangers who say much, the last look is under the lock.
    """
    looked = partial(look.condition, ledger, store, decision.read_at, _can_never_count)
    tries = 0
    while True:
        tries += 1
        condition = looked()
        if tries > FREE_LOOKS:
            condition = replace(condition, look_again=partial(looked, MOST_WEIGHED_LOCKED))
        try:
            return ledger.state(
                GateDecided.type, _data(decision), condition=condition, identifier=_identifier(decision.question)
            )
        except ConditionFailedError:
            if condition.broken_by is not None or tries == MAX_LOOKS:
                raise


def _can_never_count(reads: Reads, entry: EntryInfo) -> bool:
    """Say whether an entry is nothing because of who said it: no row takes it up, as of freezes (decision 41)."""
    if entry.type not in LEFT_OUT:
        return False
    return can_never_count(reads, entry.type, spoken(entry, getattr(entry.event, "actor", None)))


def _identifier(question: Question) -> str | None:
    """Return the id under which a decision is recorded once; None where whoever asks gave no key."""
    if question.idempotency_key is None:
        return None
    # Of one asker: nobody meets another's key.
    told = f"{question.actor}\n{question.gate}\n{question.idempotency_key}"
    return f"gate/{hashlib.sha256(told.encode()).hexdigest()}"


def _recorded(ledger: Ledger, question: Question, receipt: Receipt) -> Decision | None:
    """Return a decision as it was recorded when its key was used before; None where this is the first time. Its rules have no words any
    more: those are not kept. The views may not have come so far yet, so the entry itself is asked.

    Raises ConflictError where it was another question, or an `allow` that is over.
    """
    with ledger.database.read() as connection:
        event = SqlLog(connection).entry(receipt.position).event
    if isinstance(event, GateDecided) and moment(event.asked_at) == question.asked_at:
        return None
    if not isinstance(event, GateDecided) or any(
        getattr(event, name) != getattr(question, name) for name in ASKED if name != "asked_at"
    ):
        raise ConflictError(
            f"the key {question.idempotency_key} was used for another question, answered at position {receipt.position}",
            position=receipt.position,
        )
    if event.verdict == "allow" and event.expires_at is not None and moment(event.expires_at) < question.asked_at:
        raise ConflictError(
            f"the key {question.idempotency_key} was used for an `allow` that held until {event.expires_at}; ask under another key",
            position=receipt.position,
        )
    answers = tuple(
        Answer(r.rule, r.version or 1, r.verdict, r.reason, "as recorded", positions_of(r, event)) for r in event.rules
    )
    policy = InForce(question.policy_id, event.policy_version)
    first = replace(question, asked_at=moment(event.asked_at))
    return Decision(first, event.verdict, answers, event.read_at, policy, receipt)


def _data(decision: Decision) -> dict[str, Any]:
    asked = {name: getattr(decision.question, name) for name in ASKED} | {"policy_version": decision.policy.version}
    positions: dict[int, int] = {}
    # First, so that there is room for it.
    settings: dict[str, int] = {WHOLE: 0}
    asked_for = _asked_for(decision.answers, settings)
    return {
        **{name: value for name, value in asked.items() if value is not None},
        "gate_version": GATES[decision.question.gate].version,
        "verdict": decision.verdict,
        **({"expires_at": decision.expires_at} if decision.expires_at is not None else {}),
        "read_at": decision.read_at,
        "rules": [
            {
                "rule": a.rule,
                "version": a.version,
                "verdict": a.verdict,
                "reason": a.reason,
                "used": _used(a, positions),
                "settings": places,
            }
            for a, places in zip(decision.answers, asked_for, strict=True)
        ],
        "positions": list(positions),
        "settings": list(settings),
    }


def _used(found: Answer, positions: dict[int, int]) -> list[int]:
    """Return where the entries that a rule stands on lie among all that a decision names: the last ones, while there is room."""
    for position in found.positions[-MAX_USED:]:
        if len(positions) < MAX_NAMED:
            positions.setdefault(position, len(positions))
    return [positions[position] for position in found.positions[-MAX_USED:] if position in positions]


def _asked_for(answers: Sequence[Answer], settings: dict[str, int]) -> list[list[int]]:
    """Return which settings each rule asked for, by their places among all, which are added; of what there is no room for, all."""
    found, room = [], MAX_ALL_ASKED_FOR
    for one in answers:
        names = sorted(one.settings)
        new = [name for name in names if name not in settings]
        if len(names) > min(MAX_ASKED_FOR, room) or len(settings) + len(new) > MAX_SETTINGS:
            names, new = [WHOLE], []
        room -= len(names)
        found.append([settings.setdefault(name, len(settings)) for name in names])
    return found


def positions_of(said: RuleResult, recorded: GateDecided) -> tuple[int, ...]:
    """Return the entries that a recorded rule names."""
    return said.positions or tuple(recorded.positions[place] for place in said.used if place < len(recorded.positions))
