"""`/v1/dossiers/{ref}`: everything the ledger holds about one thing, and the proof that nothing was left out."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from api.desk.entries import check_refs
from api.http.auth import KnownCaller
from api.http.questions import Route
from api.http.shapes import PROBLEMS, json_answer
from api.http.state import CurrentLedger, publisher_of
from ledger.stewardship import commitments

router = APIRouter(tags=["proofs"], route_class=Route)


@router.get("/v1/dossiers/{ref:rest}", summary="Every entry about a ref, provably all of them", responses=PROBLEMS)
def dossier(
    request: Request,
    ref: Annotated[str, Path(max_length=160, examples=["change:CHG-7"])],
    caller: KnownCaller,
    ledger: CurrentLedger,
) -> Response:
    """Complete up to the position that the last `ledger.heads_committed` names, as it was committed; later entries may be missing."""
    check_refs((ref,))
    return json_answer(200, commitments.dossier(ledger, ref, publisher_of(request).published()))


@router.post("/v1/ledger/heads", status_code=201, summary="Commit to the heads of all refs", responses=PROBLEMS)
async def commit_heads(caller: KnownCaller, ledger: CurrentLedger) -> dict[str, Any]:
    """Appends `ledger.heads_committed`. Dossiers are complete up to it once a published checkpoint covers it."""
    receipt = await asyncio.to_thread(commitments.commit_heads, ledger, actor=caller.principal)
    return receipt.to_json()
