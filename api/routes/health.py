"""`/healthz` and `/readyz`: is the process alive, and does it append?"""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from api import problems
from api.auth import ledger_of
from api.questions import Route
from api.routes.tiles import publisher_of
from ledger.errors import LedgerStoppedError
from projections.engine.progress import read_states
from projections.engine.serving import ViewNotReadyError

router = APIRouter(tags=["health"], route_class=Route)


@router.get("/healthz", summary="Alive")
async def healthz() -> dict[str, str]:
    """Answers as long as the process can answer."""
    return {"status": "ok"}


@router.get("/readyz", summary="Ready", responses={503: {"description": "It does not append, and says why."}})
def readyz(request: Request) -> Response:
    """200 while the ledger appends, signs its checkpoints and keeps its views.

    503 with the reason when it must not, or the database does not answer.
    """
    ledger = ledger_of(request)
    try:
        size = ledger.check_ready()
    except LedgerStoppedError as stopped:
        return problems.response(stopped)
    publisher = publisher_of(request)
    if (refusal := publisher.refusal()) is not None:
        return problems.response(refusal)
    with ledger.database.read() as connection:
        known = read_states(connection)
    views = {name: {"position": state.position, "failure": state.failure} for name, state in sorted(known.items())}
    stopped_views = [
        f"{name} at position {state.failed_at}: {state.failure}" for name, state in known.items() if state.failure
    ]
    if (problem := request.app.state.views.problem) is not None:
        stopped_views.append(problem)
    if stopped_views:
        # The others go on, and so do the appends; but whoever asks these is not told of what came after.
        return problems.response(ViewNotReadyError(f"views are not kept: {'; '.join(sorted(stopped_views))}"))
    return JSONResponse({"status": "ok", "size": size, "checkpoints": publisher.status(), "views": views})


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> JSONResponse:
    """Return the description of this API, for those that make clients from it."""
    return JSONResponse(request.app.openapi())
