"""`/v1/events`, read: entries by position, type and ref, as exact bytes, as envelopes and as a stream; and what lies beside them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response, StreamingResponse

from api.desk import stewardship
from api.desk.entries import entry_of, evidence_of, page_of, stored_at
from api.desk.problems import RequestError
from api.desk.stewardship import By
from api.http.auth import KnownCaller, caller_of
from api.http.narrowing import Narrow, Since, Until, times
from api.http.questions import Route, Total, link_to_next
from api.http.shapes import MAX_POSITION, PROBLEMS, Position, Reason, json_answer
from api.http.state import CurrentLedger, ledger_of
from api.http.streams import streams_of
from ledger.authority import Caller
from ledger.conditions import Match
from ledger.errors import UnauthenticatedError
from ledger.events.identifiers import Sha256Hex
from ledger.ledger import Ledger

router = APIRouter(tags=["events"], route_class=Route)


@router.get("/v1/events", summary="List entries", responses=PROBLEMS)
def list_entries(
    request: Request,
    caller: KnownCaller,
    ledger: CurrentLedger,
    narrow: Annotated[Narrow, Depends()],
    after: Annotated[int, Query(ge=0, le=MAX_POSITION)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    since: Since = None,
    until: Until = None,
    total: Total = False,
) -> Response:
    """Entries after a position, in order, by type and ref. `next` is what to pass as `after` for the page that follows."""
    matches = narrow.matches(ledger)
    first, end = times(since, until)
    page = page_of(ledger, matches, after=after, limit=limit, since=first, until=end, total=total)
    return json_answer(200, page, link_to_next(request, page.get("next")))


@router.get("/v1/events/stream", summary="Follow entries", responses=PROBLEMS)
async def stream(
    request: Request,
    narrow: Annotated[Narrow, Depends()],
    after: Annotated[int, Query(ge=0, le=MAX_POSITION)] = 0,
) -> StreamingResponse:
    """Server-sent events, one for each entry, its position as the id. `Last-Event-ID` resumes without gap or repeat."""
    ledger = ledger_of(request)
    await asyncio.to_thread(ledger.current_authority)
    caller = caller_of(request)
    last = ", ".join(request.headers.getlist("last-event-id"))
    if last:
        if len(last) > 16 or not last.isascii() or not last.isdigit() or int(last) > MAX_POSITION:
            raise RequestError(
                400, "Bad request", f"expected Last-Event-ID to be a position, found {last!r}"[:120], "/last-event-id"
            )
        after = int(last)
    return StreamingResponse(
        _follow(request, ledger, caller, await asyncio.to_thread(narrow.matches, ledger), after),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


async def _follow(
    request: Request, ledger: Ledger, caller: Caller, matches: Sequence[Match], after: int
) -> AsyncIterator[bytes]:
    streams = streams_of(request)
    with streams.opened(ledger, after, matches) as stream:
        while not streams.is_closing:
            stream.grown.clear()
            entries, told_up_to = await streams.page(ledger, stream)
            try:
                # A stream ends with the token that opened it.
                ledger.authority.check(caller, ledger.clock.now_us())
            except UnauthenticatedError as error:
                # The answer has begun: a comment is all that can still be said.
                yield b": %b\n\n" % str(error).encode()
                return
            for stored in entries:
                stream.after = stored.position
                yield b"id: %d\nevent: %b\ndata: %b\n\n" % (stored.position, stored.type.encode(), stored.entry)
            stream.after = max(stream.after, told_up_to)
            if entries:
                continue
            try:
                await asyncio.wait_for(stream.grown.wait(), timeout=10)
            except TimeoutError:
                # A comment keeps proxies from closing a quiet stream, and finds out whether the reader is still there.
                yield b": waiting\n\n"


@router.get("/v1/events/{position}", summary="One entry", responses=PROBLEMS)
def show(position: Position, caller: KnownCaller, ledger: CurrentLedger) -> Response:
    """The entry, its receipt, and its texts as far as they were not erased."""
    return json_answer(200, entry_of(ledger, position))


@router.get("/v1/events/{position}/entry", summary="The exact bytes of an entry", responses=PROBLEMS)
def entry_bytes(position: Position, caller: KnownCaller, ledger: CurrentLedger) -> Response:
    """What was hashed and signed: `printf '\\0' | cat - entry.json | sha256sum` is the entry hash."""
    return Response(stored_at(ledger, position).entry, media_type="application/json")


@router.get("/v1/events/{position}/envelope", summary="An entry as a DSSE envelope", responses=PROBLEMS)
def envelope(position: Position, caller: KnownCaller, ledger: CurrentLedger) -> Response:
    """A standard DSSE envelope that any DSSE verifier checks."""
    return json_answer(200, ledger.envelope(stored_at(ledger, position)).to_json())


Sha256 = Annotated[Sha256Hex, Path()]


@router.get("/v1/events/{position}/evidence/{sha256}", summary="Evidence that an entry witnesses", responses=PROBLEMS)
def evidence(position: Position, sha256: Sha256, caller: KnownCaller, ledger: CurrentLedger) -> Response:
    """The untouched bytes that came in."""
    kind, body = evidence_of(ledger, position, sha256)
    # Never as its own type: what strangers sent must not run as a page of this server.
    headers = {
        "X-Media-Type": kind,
        "Content-Disposition": "attachment",
    }
    return Response(body, media_type="application/octet-stream", headers=headers)


@router.delete("/v1/events/{position}/texts", summary="Erase the texts of an entry", responses=PROBLEMS)
def erase_texts(position: Position, reason: Reason, caller: KnownCaller, ledger: CurrentLedger) -> Response:
    """The texts go; leaf and proofs stay. The erasure is itself an entry, whose receipt this answers with."""
    return json_answer(200, stewardship.erase_texts(ledger, By.of(caller), position, reason))


@router.delete("/v1/events/{position}/evidence/{sha256}", summary="Remove evidence", responses=PROBLEMS)
def remove_evidence(
    position: Position, sha256: Sha256, reason: Reason, caller: KnownCaller, ledger: CurrentLedger
) -> Response:
    """The bytes go, the digest stays. The removal is itself an entry."""
    return json_answer(200, stewardship.remove_evidence(ledger, By.of(caller), position, sha256, reason))
