"""What gates answer, whoever asks: a question is put, answered by rules, recorded; and a recorded one is answered again."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ledger.authority import Caller
from ledger.clock import to_text
from ledger.errors import ForbiddenError
from ledger.events.gate import Asked
from ledger.ledger import Ledger
from projections import VIEWS
from projections.gates.asking import Decision, ask, consider
from projections.gates.composition import GATES
from projections.gates.rechecking import recheck
from projections.judging.gate_rule import Answer as RuleAnswer
from projections.judging.gate_rule import Question
from projections.practices.change.approvals import OF_ONE, approval_would_count
from projections.readings.people.policies import POLICY
from projections.readings.people.settings import SETTINGS


def gates_there_are() -> dict[str, Any]:
    """Return every gate with its rules, in the order they are asked, and the settings of a policy that rules look for."""
    gates = [
        {
            "gate": name,
            "version": gate.version,
            "rules": [{"rule": rule.name, "version": rule.version, "doc": rule.doc} for rule in gate.rules],
        }
        for name, gate in GATES.items()
    ]
    settings = {
        name: {
            "means": setting.doc,
            "holds": setting.holds,
            "applies_to": setting.applies_to,
            "otherwise": setting.otherwise,
        }
        for name, setting in sorted(SETTINGS.items())
    }
    return {"gates": gates, "settings": settings}


def asked_in(ledger: Ledger, gate: str, asked: Asked, principal: str) -> dict[str, Any]:
    """Ask a ledger in somebody's name, and return the answer as doors give it."""
    said = asked.model_dump() | {"actor": asked.actor or principal, "policy_id": asked.policy_id or POLICY}
    return decision_json(ask(ledger, VIEWS, Question(gate, to_text(ledger.clock.now_us()), **said)))


def may_ask_as_others(caller: Caller) -> bool:
    """Say whether a caller may ask what a gate would answer to somebody else: operators, and whoever works on the machine itself."""
    return caller.token is None or "operator" in caller.token.roles


def considered_in(ledger: Ledger, gate: str, asked: Asked, caller: Caller) -> dict[str, Any]:
    """Return what a gate would answer now, as doors give it. Nothing is recorded, and nobody may act on it.

    Raises ForbiddenError where it is asked as somebody else by whoever may not.
    """
    actor = asked.actor or caller.principal
    if actor.lower() != caller.principal.lower() and not may_ask_as_others(caller):
        raise ForbiddenError(
            f"only an operator may ask what if as somebody else: {caller.principal} asked as {actor[:120]}. Leave `actor` out"
        )
    said = asked.model_dump(exclude={"idempotency_key"}) | {"actor": actor, "policy_id": asked.policy_id or POLICY}
    (found,) = consider(ledger, VIEWS, [Question(gate, to_text(ledger.clock.now_us()), **said)])
    return _json(found)


def would_count(ledger: Ledger, changes: Sequence[str], actor: str) -> dict[str, RuleAnswer]:
    """Return for each change whether an approval by somebody would count now, and if not, why: the rule of the gate `approve`."""
    now = to_text(ledger.clock.now_us())
    questions = [Question("approve", now, actor=actor, change_id=change) for change in changes]
    found = consider(ledger, VIEWS, questions, [approval_would_count])
    return dict(zip(changes, (decision.answers[0] for decision in found), strict=True))


def recheck_in(ledger: Ledger, position: int) -> dict[str, Any]:
    """Recheck a decision of a ledger, and return what doors say of it."""
    found = recheck(ledger, VIEWS, position)
    return {
        "position": position,
        "agrees": found.agrees,
        "recorded": found.recorded.verdict,
        "again": _json(found.again) if found.again is not None else None,
        "not_checkable": [{"rule": rule, "version": version} for rule, version in found.gone],
        "new": list(found.new),
    }


def decision_json(decision: Decision) -> dict[str, Any]:
    """Return a decision that was recorded: its verdict, the rules in words, and where it stands."""
    receipt = {"receipt": decision.receipt.to_json()} if decision.receipt else {}
    return {**_json(decision), **receipt}


def _told(answer: RuleAnswer) -> dict[str, Any]:
    """Return an answer without the settings that it rests on: these are recorded, and mean nothing to whoever asks."""
    told = asdict(answer)
    del told["settings"]
    return told


def _json(decision: Decision) -> dict[str, Any]:
    return {
        "gate": decision.question.gate,
        "verdict": decision.verdict,
        "asked_at": decision.question.asked_at,
        "read_at": decision.read_at,
        "policy": {
            "policy_id": decision.policy.policy_id,
            "version": decision.policy.version,
            "is_of_one": any(answer.reason == OF_ONE for answer in decision.answers),
        },
        "rules": [_told(answer) for answer in decision.answers],
    }
