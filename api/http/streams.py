"""Streams: what every answer needs that goes on, until its reader leaves or the server stops."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from api.http.state import ledger_of


@contextmanager
def grown_of(request: Request) -> Iterator[asyncio.Event]:
    """Give an event that is set whenever the ledger has grown, and when the server stops. Whoever waits for it clears it first."""
    grown, loop = asyncio.Event(), asyncio.get_running_loop()

    def wake(_: int) -> None:
        loop.call_soon_threadsafe(grown.set)

    stop = ledger_of(request).watcher.listen(wake)
    request.app.state.streams.add(grown)
    try:
        yield grown
    finally:
        stop()
        request.app.state.streams.discard(grown)


def is_closing(request: Request) -> bool:
    """Say whether the server stops, so that a stream ends."""
    closing: asyncio.Event = request.app.state.closing
    return closing.is_set()
