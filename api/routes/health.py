"""`/healthz` and `/readyz`: is the process alive, and does it append?"""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from api import problems
from api.auth import ledger_of
from api.routes.tiles import publisher_of
from ledger.errors import LedgerStoppedError

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Alive")
async def healthz() -> dict[str, str]:
    """Answers as long as the process can answer."""
    return {"status": "ok"}


@router.get("/readyz", summary="Ready", responses={503: {"description": "It does not append, and says why."}})
def readyz(request: Request) -> Response:
    """200 while the ledger appends and signs its checkpoints; 503 with the reason when it must not, or the database does not answer."""
    ledger = ledger_of(request)
    try:
        size = ledger.check_ready()
    except LedgerStoppedError as stopped:
        return problems.response(stopped)
    publisher = publisher_of(request)
    if (refusal := publisher.refusal()) is not None:
        return problems.response(refusal)
    return JSONResponse({"status": "ok", "size": size, "checkpoints": publisher.status()})
