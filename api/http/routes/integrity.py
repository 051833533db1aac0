"""`/v1/ledger`: what the ledger says of itself, and its verification."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.desk.about import about_ledger
from api.desk.problems import RequestError
from api.http.auth import caller_of
from api.http.body import body_of, read_model
from api.http.programs import LINES, answer_of_command
from api.http.questions import Route
from api.http.shapes import MAX_POSITION, PROBLEMS
from api.http.state import CurrentLedger, ledger_of, publisher_of
from ledger.events.identifiers import Sha256Hex

router = APIRouter(tags=["ledger"], route_class=Route)


@router.get("/v1/ledger", summary="Origin, head, keys, versions", responses=PROBLEMS)
def about(request: Request, ledger: CurrentLedger) -> dict[str, Any]:
    """Public: what is needed to pin this ledger, and how long it is."""
    return about_ledger(ledger, publisher_of(request).status())


class VerifyRequest(BaseModel):
    """What to verify: all, or a range of positions; against which genesis, and with which recovered keys accepted."""

    model_config = ConfigDict(extra="forbid")

    first: int = Field(1, ge=1, le=MAX_POSITION)
    last: int | None = Field(None, ge=1, le=MAX_POSITION)
    genesis: Sha256Hex | None = None
    recovered: list[Sha256Hex] = Field([], max_length=32)
    signatures: bool = True


@router.post(
    "/v1/ledger/verify",
    summary="Verify the ledger",
    responses=PROBLEMS | LINES,
    openapi_extra=body_of(VerifyRequest, required=False),
)
async def verify(request: Request) -> StreamingResponse:
    """Runs in its own process, one at a time. The last line is the report.

    It is this server's own word: an auditor runs `change-ledger verify`.
    """
    ledger = ledger_of(request)
    await asyncio.to_thread(ledger.current_authority)
    caller_of(request)
    wanted = await read_model(request, VerifyRequest, or_nothing=True)
    size = await asyncio.to_thread(ledger.size)
    if not wanted.first <= (wanted.last or size) <= size:
        raise RequestError(
            422, "Not admissible", f"expected positions up to {size}, found {wanted.first} to {wanted.last}", "/last"
        )
    words = ["verify", "--progress-json", f"--first={wanted.first}"]
    words += [f"--last={wanted.last}"] if wanted.last else []
    words += [f"--genesis={wanted.genesis}"] if wanted.genesis else []
    words += [f"--recovered={identifier}" for identifier in wanted.recovered]
    words += [] if wanted.signatures else ["--no-signatures"]
    return answer_of_command(request, *words)
