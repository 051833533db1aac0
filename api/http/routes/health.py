"""`/healthz`, `/readyz` and `/readyz/views`: is the process alive, does it append, and are the views kept up?"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from api.desk.views import kept_up
from api.http import problems
from api.http.questions import Route
from api.http.state import ledger_of, publisher_of
from ledger.errors import LedgerStoppedError
from ledger.stewardship.clock import mark_time
from ledger.words import number_of
from projections.engine.serving import ViewNotReadyError

router = APIRouter(tags=["health"], route_class=Route)
# Of its own: the threads that answer everybody else may all wait, for views or for the database.
_threads: Final = ThreadPoolExecutor(2, "health")
# Whoever asks for health does not wait for long, and is to be told.
ANSWER_WITHIN_S: Final = 10.0
NAMED: Final = 3


async def _beside(ready: Callable[[Request], Response], request: Request) -> Response:
    context = contextvars.copy_context()
    asked = asyncio.get_running_loop().run_in_executor(_threads, context.run, ready, request)
    try:
        return await asyncio.wait_for(asked, ANSWER_WITHIN_S)
    except TimeoutError:
        return problems.response(LedgerStoppedError(f"the database has not answered for {ANSWER_WITHIN_S:g} s"))


@router.get("/healthz", summary="Alive")
async def healthz() -> dict[str, str]:
    """Answers as long as the process can answer."""
    return {"status": "ok"}


@router.get("/readyz", summary="Ready", responses={503: {"description": "It does not append, and says why."}})
async def readyz(request: Request) -> Response:
    """200 while the ledger appends; it says whether its checkpoints are signed, how far the views are behind, and since when.

    503 with the reason when it must not append, or the database does not answer. After an append that the database could not do, as on
    a full disk, it appends `ledger.time_passed`: 503 until one is written. A signer that stopped (`checkpoints`: signer
    "refused", and why in `detail`) and views that stopped or lag do not count here: they must not take every process out of a
    balancer. Ask `/readyz/views` for views.
    """
    return await _beside(_ready, request)


def _ready(request: Request) -> Response:
    ledger = ledger_of(request)
    try:
        request.app.state.writer.check_moving()
        if ledger.recorder.met_outage:
            # What could not be appended may never be sent here again: nobody else would find out.
            mark_time(ledger, 0)
        size = ledger.check_ready()
    except LedgerStoppedError as stopped:
        return problems.response(stopped)
    publisher = publisher_of(request)
    views = _views(request)
    return JSONResponse({"status": "ok", "size": size, "checkpoints": publisher.status(), "views": views})


@router.get("/readyz/views", summary="Views ready", responses={503: {"description": "Views stopped, or lag too far."}})
async def views_ready(request: Request) -> Response:
    """200 while all views are kept up with the log: 503 when one stopped, or when they lag for longer than `max_views_lag_s`."""
    return await _beside(_views_ready, request)


def _views_ready(request: Request) -> Response:
    views = _views(request)
    most: int = request.app.state.settings.max_views_lag_s
    held_up = [f"{name} stopped at position {position}" for name, position in views["stopped"].items()]
    if views["unbuilt"]:
        # A new ledger has all of them to build: the first few say what is meant, `/readyz` lists them.
        first, more = views["unbuilt"][:NAMED], len(views["unbuilt"]) - NAMED
        held_up.append(f"{', '.join(first)}{f' and {more} more' if more > 0 else ''} being built for the first time")
    if views["lag_s"] > most:
        held_up.append(
            f"{number_of(views['behind'], 'entry', 'entries')} behind for {views['lag_s']} s; expected at most {most} s"
        )
    if held_up and views["problem"]:
        held_up.append(views["problem"])
    if held_up:
        return problems.response(ViewNotReadyError(f"views are not kept up: {'; '.join(held_up)}"))
    return JSONResponse({"status": "ok", "views": views})


def _views(request: Request) -> dict[str, Any]:
    views = request.app.state.views
    return kept_up(ledger_of(request)) | {"problem": views.problem if views is not None else None}


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> Response:
    """Return the description of this API, for those that make clients from it."""
    return Response(request.app.openapi_json, media_type="application/json")
