"""`/v1/gates`: "may this proceed?", asked by pipelines, answered by rules over views, and recorded."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool

from api.desk.gates import asked_in, considered_in, gates_there_are, recheck_in
from api.http.auth import KnownCaller
from api.http.body import body_of, read_model
from api.http.hypotheses import Hypothesis
from api.http.questions import Route
from api.http.shapes import PROBLEMS, Position
from api.http.state import CurrentLedger
from ledger.events.gate import Asked

router = APIRouter(tags=["gates"], route_class=Route)
# As much as a decision takes, about: it names what each rule looked at.
DECISION_BYTES: Final = 8192
# As `projections.gates.composition` has them; a test holds the two against each other.
Gate = Literal["approve", "deploy", "promote", "apply", "rollback", "load_data", "close"]


@router.get("/v1/gates", summary="List gates", responses=PROBLEMS)
def list_gates(caller: KnownCaller) -> dict[str, Any]:
    """Every gate with its rules, in the order they are asked, and the settings of a policy that rules look for."""
    return gates_there_are()


@router.post(
    "/v1/gates/{gate}",
    summary="Ask whether something may proceed",
    responses=PROBLEMS,
    openapi_extra=body_of(Asked),
)
async def ask_gate(request: Request, gate: Gate, caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """Answered by the facts up to `read_at`, and recorded as `gate.decided`. The status is 200 whatever the verdict is.

    503 with Retry-After when what the rules look at did not stand still; then nothing was recorded.
    """
    asked = await read_model(request, Asked)
    request.app.state.check_room(caller.credential, DECISION_BYTES)
    # Where other readers wait for views too, and not where appends look up who a caller is.
    return await run_in_threadpool(asked_in, ledger, gate, asked, caller.principal)


@router.get("/v1/gates/{gate}/what-if", summary="What would a gate answer", responses=PROBLEMS)
def what_if(
    gate: Gate, caller: KnownCaller, ledger: CurrentLedger, asked: Annotated[Hypothesis, Depends()]
) -> dict[str, Any]:
    """What the gate would answer now, and why. Nothing is recorded: no pipeline may act on it.

    403 where `actor` is somebody else: only operators ask as others.
    """
    return considered_in(ledger, gate, asked.question, caller)


@router.get("/v1/gates/decisions/{position}/recheck", summary="Answer a recorded question again", responses=PROBLEMS)
def recheck_decision(position: Position, caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """The same rules over the entries up to where the decision had read; `agrees` says whether they answer the same."""
    return recheck_in(ledger, position)
