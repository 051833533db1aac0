"""Live pages: a stream that says that the views have come further than what a page shows. The page then asks for itself again.

No row travels on the stream, only a position: what a page shows, it has from one place. So a message that came twice changes
nothing, and one that was lost with its connection is made up for by the next, which `Last-Event-ID` asks for.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from api.console.pages import HEADERS, PageRoute, Visit, count_forged, visit_of
from api.console.signed_in import session_of
from api.http.shapes import MAX_POSITION
from api.http.streams import streams_of
from ledger.errors import UnauthenticatedError

router = APIRouter(route_class=PageRoute, include_in_schema=False)
# A page is asked for again once in so long at most, however much is recorded.
PAUSE_S: Final = 1.0
# Views come after the entries: so soon it is looked again whether they have.
SOON_S: Final = 0.2
# A quiet stream says something, so that proxies let it be; and it is seen whether its session goes on.
QUIET_S: Final = 10.0
# Not a refusal: readers of streams try again after one. This one ends by its own word, and the page finds out why.
ENDED: Final = b"event: ended\ndata: ended\n\n"


@router.get("/console/stream")
async def stream(request: Request, after: Annotated[int, Query(ge=0, le=MAX_POSITION)] = 0) -> StreamingResponse:
    """Say that there is more than a position, again and again, until the session ends."""
    try:
        told = _told(await asyncio.to_thread(visit_of, request), _last(request, after))
    except UnauthenticatedError as error:
        count_forged(request, error)
        told = _end()
    return StreamingResponse(told, media_type="text/event-stream", headers=HEADERS)


def _last(request: Request, after: int) -> int:
    """Return the position that a reader knows: the last it was told, or that of the page."""
    last = request.headers.get("last-event-id", "")
    return int(last) if last.isascii() and last.isdigit() and len(last) <= 16 else after


async def _end() -> AsyncIterator[bytes]:
    yield ENDED


async def _told(visit: Visit, after: int) -> AsyncIterator[bytes]:
    request = visit.request
    streams, views = streams_of(request), request.app.state.reached
    with streams.opened(visit.ledger) as stream:
        while not streams.is_closing:
            stream.grown.clear()
            try:
                session_of(request)
                visit.ledger.authority.check(visit.caller, visit.ledger.clock.now_us())
            except UnauthenticatedError:
                yield ENDED
                return
            position, size = await views.get()
            if position > after:
                after = position
                yield b"id: %d\nevent: grown\ndata: %d\n\n" % (position, position)
                await asyncio.sleep(PAUSE_S)
                continue
            is_behind = position < max(size, streams.size)
            try:
                await asyncio.wait_for(stream.grown.wait(), SOON_S if is_behind else QUIET_S)
            except TimeoutError:
                if not is_behind:
                    yield b": waiting\n\n"
