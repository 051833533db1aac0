"""Proofs over HTTP: inclusion of one entry, consistency of two sizes, and every checkpoint there was."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.desk.problems import RequestError
from api.http.auth import KnownCaller
from api.http.questions import Route, link_to_next
from api.http.shapes import MAX_POSITION, PROBLEMS, TEXT, Position
from api.http.state import CurrentLedger, publisher_of
from ledger.log.checkpoints import StoredCheckpoint, last_size, read_checkpoints
from ledger.log.tree import consistency_proof, proof_of, tree_of
from signing.checkpoint import encode_hash

router = APIRouter(tags=["proofs"], route_class=Route)
Size = Annotated[int, Query(ge=0, le=MAX_POSITION)]


@router.get("/v1/events/{position}/proof", summary="Proof of inclusion", responses=PROBLEMS)
def proof(request: Request, position: Position, caller: KnownCaller, ledger: CurrentLedger) -> Response:
    """A `.tlog-proof` file (C2SP): the entry's way to the root of the published checkpoint, checked without this server."""
    with ledger.database.read() as connection:
        found = str(proof_of(connection, position, publisher_of(request).published()))
    headers = {"Content-Disposition": f'attachment; filename="{position}.tlog-proof"'}
    return Response(found, media_type=TEXT, headers=headers)


@router.get("/v1/ledger/consistency", summary="Proof that nothing was rewritten between two sizes", responses=PROBLEMS)
def consistency(
    ledger: CurrentLedger, older: Annotated[int, Query(alias="from", ge=0, le=MAX_POSITION)], to: Size
) -> dict[str, Any]:
    """Both roots and the hashes that connect them (RFC 6962 §2.1.2), in base64. Whoever holds a checkpoint compares roots with it."""
    with ledger.database.read() as connection:
        size = last_size(connection)
        if not older <= to <= size:
            raise RequestError(
                422,
                "Not admissible",
                f"expected from ≤ to ≤ {size}, the last checkpoint; found {older} and {to}",
                "/to",
            )
        return {
            "from": {"size": older, "root": encode_hash(tree_of(connection, older).root())},
            "to": {"size": to, "root": encode_hash(tree_of(connection, to).root())},
            "proof": [encode_hash(node) for node in consistency_proof(connection, older, to)],
        }


def checkpoint_json(stored: StoredCheckpoint) -> dict[str, Any]:
    """Return a checkpoint with its note, cosignatures beneath, and the names of those who cosigned."""
    return {
        "size": stored.size,
        "root": encode_hash(stored.checkpoint.root),
        "note": str(stored.note),
        "cosigned_by": [line.name for line in stored.cosignatures],
    }


@router.get("/v1/ledger/checkpoints", summary="Every checkpoint that was signed", responses=PROBLEMS)
def checkpoints(
    request: Request,
    response: Response,
    ledger: CurrentLedger,
    after: Size = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Smallest first. `next` is what to pass as `after` for the page that follows."""
    with ledger.database.read() as connection:
        items = list(read_checkpoints(connection, after=after, limit=limit))
    following = items[-1].size if len(items) == limit else None
    response.headers.update(link_to_next(request, following))
    more = {} if following is None else {"next": following}
    return {"items": [checkpoint_json(stored) for stored in items]} | more
