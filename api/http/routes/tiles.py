"""`/checkpoint` and `/tile/…`: the ledger as a static log that other people's tools read (C2SP tlog-tiles).

Only what a signed checkpoint covers is served: it never changes, so it may be kept for ever.
"""

import gzip
import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from api.http.auth import caller_of
from api.http.questions import Route
from api.http.shapes import FOREVER, PROBLEMS, TEXT
from api.http.state import CurrentLedger, ledger_of, publisher_of
from ledger.errors import NotFoundError
from ledger.log.checkpoints import last_size
from ledger.log.tree import read_tile
from signing.errors import VerificationError
from signing.merkle import TILE_HEIGHT
from signing.tiles import ENTRIES, SIGNATURES, Tile, parse_path

router = APIRouter(tags=["tiles"], route_class=Route)

_BYTES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "The bytes of the tile."}
}
_NOTE: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/plain": {}}, "description": "A signed note."}}
TilePath = Annotated[str, Path(max_length=64, description="x001/x234/067, with .p/5 for a partial tile")]


@router.get("/checkpoint", summary="The published checkpoint", responses=PROBLEMS | _NOTE, response_class=Response)
def checkpoint(request: Request) -> Response:
    """A signed note (C2SP tlog-checkpoint): the head of the tree, signed by the log and, by policy, by witnesses."""
    return Response(str(publisher_of(request).published().note), media_type=TEXT, headers={"Cache-Control": "no-cache"})


def _tile(request: Request, ledger: CurrentLedger, level: str, path: str) -> Tile:
    try:
        tile = parse_path(f"tile/{level}/{path}")
    except VerificationError as error:
        raise NotFoundError(str(error)) from error
    with ledger.database.read() as connection:
        size = last_size(connection)
    if tile.first + tile.width > size >> (TILE_HEIGHT * (tile.level if isinstance(tile.level, int) else 0)):
        raise NotFoundError(f"{tile.path} reaches beyond the last checkpoint, of size {size}")
    return tile


@router.get("/tile/entries/{path:path}", summary="Entries, 256 to a bundle", responses=PROBLEMS | _BYTES)
def entries(request: Request, path: TilePath) -> Response:
    """Each entry after its length as a big-endian uint16. For auditors, unless the ledger has public entries."""
    return _protected(request, ENTRIES, path)


@router.get("/tile/signatures/{path:path}", summary="Entry signatures, 256 to a tile", responses=PROBLEMS | _BYTES)
def signatures(request: Request, path: TilePath) -> Response:
    """For each entry the number of its key as a big-endian uint16, and 64 bytes."""
    return _protected(request, SIGNATURES, path)


def _protected(request: Request, level: str, path: str) -> Response:
    ledger = ledger_of(request)
    public = request.app.state.settings.public_entries
    if not public:
        ledger.current_authority()
        caller_of(request)
    tile = _tile(request, ledger, level, path)
    with ledger.database.read() as connection:
        data = read_tile(connection, tile)
    headers = {"Cache-Control": f"{'public' if public else 'private'}, {FOREVER}", "Vary": "Accept-Encoding"}
    if _takes_gzip(request.headers.get("accept-encoding", "")):
        data, headers["Content-Encoding"] = gzip.compress(data, 1, mtime=0), "gzip"
    return Response(data, media_type="application/octet-stream", headers=headers)


def _takes_gzip(accepted: str) -> bool:
    codings = [item.partition(";") for item in accepted.lower().split(",")]
    # A weight of 0 says: not this one (RFC 9110 §12.4.2).
    return any(name.strip() == "gzip" and not re.fullmatch(r"\s*q=0(\.0*)?\s*", weight) for name, _, weight in codings)


@router.get("/tile/{level}/{path:path}", summary="Hashes of the tree", responses=PROBLEMS | _BYTES)
def hashes(
    request: Request, ledger: CurrentLedger, level: Annotated[str, Path(max_length=20)], path: TilePath
) -> Response:
    """Up to 256 hashes of a level of the tree. Public: they say nothing of what the entries hold."""
    tile = _tile(request, ledger, level, path)
    with ledger.database.read() as connection:
        data = read_tile(connection, tile)
    return Response(data, media_type="application/octet-stream", headers={"Cache-Control": f"public, {FOREVER}"})
