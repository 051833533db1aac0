"""`/v1/gates`: "may this proceed?", asked by pipelines, answered by rules over views, and recorded."""

from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter

from api.http.auth import CurrentLedger, KnownCaller
from api.http.questions import Route
from api.http.routes.events import PROBLEMS, Position
from ledger.clock import to_text
from ledger.events.gate import Asked
from ledger.ledger import Ledger
from projections import VIEWS
from projections.gates.asking import Decision, ask, recheck
from projections.gates.composition import GATES
from projections.judging.gate_rule import Question
from projections.judging.settings import SETTINGS
from projections.readings.people.policies import POLICY

router = APIRouter(tags=["gates"], route_class=Route)
Gate = Literal["approve", "deploy", "promote", "rollback", "close"]


@router.get("/v1/gates", summary="List gates", responses=PROBLEMS)
def list_gates(caller: KnownCaller) -> dict[str, Any]:
    """Every gate with its rules, in the order they are asked, and the settings of a policy that rules look for."""
    gates = [
        {
            "gate": name,
            "version": gate.version,
            "rules": [{"rule": rule.name, "version": rule.version, "doc": rule.doc} for rule in gate.rules],
        }
        for name, gate in GATES.items()
    ]
    return {"gates": gates, "settings": dict(SETTINGS)}


@router.post("/v1/gates/{gate}", summary="Ask whether something may proceed", responses=PROBLEMS)
def ask_gate(gate: Gate, asked: Asked, caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """Answered by the facts up to `read_at`, and recorded as `gate.decided`. The status is 200 whatever the verdict is.

    503 with Retry-After when what the rules look at did not stand still; then nothing was recorded.
    """
    return asked_in(ledger, gate, asked, caller.principal)


def asked_in(ledger: Ledger, gate: str, asked: Asked, principal: str) -> dict[str, Any]:
    """Ask a ledger in somebody's name, and return the answer as doors give it."""
    said = asked.model_dump() | {"actor": asked.actor or principal, "policy_id": asked.policy_id or POLICY}
    return decision_json(ask(ledger, VIEWS, Question(gate, to_text(ledger.clock.now_us()), **said)))


@router.get("/v1/gates/decisions/{position}/recheck", summary="Answer a recorded question again", responses=PROBLEMS)
def recheck_decision(position: Position, caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """The same rules over the entries up to where the decision had read; `agrees` says whether they answer the same."""
    return recheck_in(ledger, position)


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


def _json(decision: Decision) -> dict[str, Any]:
    return {
        "gate": decision.question.gate,
        "verdict": decision.verdict,
        "asked_at": decision.question.asked_at,
        "read_at": decision.read_at,
        "policy": {"policy_id": decision.policy.policy_id, "version": decision.policy.version},
        "rules": [asdict(answer) for answer in decision.answers],
    }
