"""`/v1/ledger/imports`, `/tools`: which imports bring in history, and by which programs what the ledger gave out is checked."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request

from api.desk import stewardship
from api.desk.stewardship import By, ImportRequest, ToolRequest
from api.http.auth import KnownCaller
from api.http.body import body_of, read_model
from api.http.questions import Route
from api.http.shapes import PROBLEMS
from api.http.state import CurrentLedger
from ledger.events.identifiers import ImportId

router = APIRouter(tags=["ledger"], route_class=Route)


@router.get("/v1/ledger/imports", summary="List imports of history", responses=PROBLEMS)
def imports(caller: KnownCaller, ledger: CurrentLedger) -> list[dict[str, Any]]:
    """Every import there was, with the positions at which it was opened, and closed."""
    return stewardship.imports(ledger.database)


@router.post(
    "/v1/ledger/imports",
    status_code=201,
    summary="Open an import of history",
    responses=PROBLEMS,
    openapi_extra=body_of(ImportRequest),
)
async def open_import(request: Request, caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """From the next position on, until it is closed, what `credential` says of `sources` and dates before `until` is history.

    An id is used once; `until` has come.
    """
    wanted = await read_model(request, ImportRequest)
    return await asyncio.to_thread(stewardship.open_import, ledger, By.of(caller), wanted)


@router.delete("/v1/ledger/imports/{import_id:path}", summary="Close an import of history", responses=PROBLEMS)
def close_import(import_id: Annotated[ImportId, Path()], caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """What its credential records from here on is no history any more."""
    return stewardship.close_import(ledger, By.of(caller), import_id)


@router.get("/v1/ledger/tools", summary="List published programs", responses=PROBLEMS)
def tools(ledger: CurrentLedger) -> list[dict[str, Any]]:
    """Public: the programs that check what the ledger gave out, by name, version and SHA-256."""
    return stewardship.tools(ledger.database)


@router.post(
    "/v1/ledger/tools",
    status_code=201,
    summary="Publish a program",
    responses=PROBLEMS,
    openapi_extra=body_of(ToolRequest),
)
async def publish_tool(request: Request, caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """Whoever has the program can tell by its SHA-256 that it is this one. A version is published once."""
    wanted = await read_model(request, ToolRequest)
    return await asyncio.to_thread(stewardship.publish_tool, ledger, By.of(caller), wanted)
