"""`/v1/ledger`: what the ledger says of itself, and its verification."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.desk.about import about_ledger
from api.desk.problems import RequestError
from api.http.auth import caller_of
from api.http.body import body_of, read_model
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
    responses=PROBLEMS
    | {
        200: {
            "description": "Lines of JSON: progress as it goes, then the report with every fault.",
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        },
        409: {"description": "A verification is running already."},
    },
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
    lock: asyncio.Lock = request.app.state.verifying
    if lock.locked():
        raise RequestError(409, "Busy", "a verification is running already; ask again when it has ended")
    command = [sys.executable, "-m", "api.cli", "verify", "--progress-json", f"--first={wanted.first}"]
    command += [f"--last={wanted.last}"] if wanted.last else []
    command += [f"--genesis={wanted.genesis}"] if wanted.genesis else []
    command += [f"--recovered={identifier}" for identifier in wanted.recovered]
    command += [] if wanted.signatures else ["--no-signatures"]
    # The address of the database may hold a password: by the environment, not where `ps` shows it.
    inherited = {k: v for k, v in request.app.state.environment.items() if k != "CHANGE_LEDGER_SERVER"}
    environment = inherited | {"CHANGE_LEDGER_DATABASE_URL": ledger.database.url.render_as_string(hide_password=False)}
    return StreamingResponse(_lines(command, environment, lock), media_type="application/x-ndjson")


async def _lines(command: list[str], environment: dict[str, str], lock: asyncio.Lock) -> AsyncIterator[bytes]:
    process = None
    # Taken only when the answer starts: a caller that is gone before then must not leave it locked.
    await lock.acquire()
    try:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1 << 26
        )
        if process.stdout is not None:
            async for line in process.stdout:
                yield line
        status = await process.wait()
        if status == 2 and process.stderr is not None:
            detail = (await process.stderr.read())[-500:].decode(errors="replace").strip()
            yield json.dumps({"verdict": "not checked", "detail": detail}).encode() + b"\n"
    finally:
        if process is not None and process.returncode is None:
            process.kill()
        lock.release()
