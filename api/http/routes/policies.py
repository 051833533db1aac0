"""`/v1/policies`: a version of a policy is looked at before anybody publishes it. Publishing is a statement: `POST /v1/events`."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from api.desk.policies import PolicyText, PolicyTrial, checked_in, tried_in
from api.http.auth import KnownCaller
from api.http.body import body_of, read_model
from api.http.questions import Route
from api.http.shapes import PROBLEMS
from api.http.state import CurrentLedger
from ledger.authority import Caller

router = APIRouter(tags=["policies"], route_class=Route)


@router.post(
    "/v1/policies/check",
    summary="Check a version of a policy",
    responses=PROBLEMS,
    openapi_extra=body_of(PolicyText),
)
async def check_policy(request: Request, caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """What of it means nothing, whether the people on record can satisfy it (S11), and in what it differs from the version in force.

    Nothing is recorded.
    """
    wanted = await read_model(request, PolicyText)
    await _in_turn(request, caller)
    return await run_in_threadpool(checked_in, ledger, wanted)


@router.post(
    "/v1/policies/try",
    summary="What another policy would have said",
    responses=PROBLEMS,
    openapi_extra=body_of(PolicyTrial),
)
async def try_policy(request: Request, caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """Every decision of a gate since a time, the last 10,000 of them, asked again under a version that is not in force.

    One differs where today's rules answer otherwise under it than was recorded, and than they do under the policy of then. Nothing is
    recorded. One is tried at a time: 503 with Retry-After while another is.
    """
    wanted = await read_model(request, PolicyTrial)
    await _in_turn(request, caller)
    return await run_in_threadpool(tried_in, ledger, wanted)


async def _in_turn(request: Request, caller: Caller) -> None:
    """Wait for a place of the long questions: now that the body is there, which could have come slowly."""
    await request.scope["place"].take(request.app.state.shares.long, caller.credential)
