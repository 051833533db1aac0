"""Streams: answers that go on until their reader leaves or the server stops. What is new is looked at once for all of them.

Whatever is appended, and however many streams are open, there is one look, and the next not sooner than PAUSE_S after it: it reads what
came, and who may do what since. A stream whose reader asked for nothing of it goes on waiting; others have it from memory. Only a stream
that is further behind reads for itself, and few do at the same time.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

from fastapi import Request

from ledger.conditions import AFTER_ALL, Match
from ledger.ledger import Ledger
from ledger.log.reading import PAGE, StoredEntry, read_entries, read_size

# At most so often is it looked what came.
PAUSE_S: Final = 0.1
# And so much later when the database did not answer.
RETRY_S: Final = 5.0
# Streams that are behind, and read for themselves.
MAX_READING: Final = 4
R = TypeVar("R")
log = logging.getLogger("change_ledger")


class Stream:
    """One open stream: what its reader asked for (all, where `matches` is empty), and up to which position it was told.

    `grown` is set when there may be more for it; whoever waits for it clears it first.
    """

    def __init__(self, after: int, matches: Sequence[Match]) -> None:
        self.after = after
        self.grown = asyncio.Event()
        self.matches = matches

    def asks_for(self, stored: StoredEntry) -> bool:
        if stored.position <= self.after:
            return False
        return not self.matches or any(match.fits(stored.type, stored.refs) for match in self.matches)


class Streams:
    """All open streams of an application. Used from the event loop alone."""

    def __init__(self) -> None:
        self.is_closing = False
        # Up to where it was looked; 0 before the first look.
        self.size = 0
        self._open: set[Stream] = set()
        # What the last look found, and after which position.
        self._found: list[StoredEntry] = []
        self._found_after = 0
        self._authority_at = 0
        self._grown = asyncio.Event()
        self._is_told = False
        self._reading = asyncio.Semaphore(MAX_READING)

    def close(self) -> None:
        """Let every open stream end: a server that stops waits for its answers."""
        self.is_closing = True
        for stream in list(self._open):
            stream.grown.set()

    @contextmanager
    def opened(self, ledger: Ledger, after: int = 0, matches: Sequence[Match] = ()) -> Iterator[Stream]:
        """Give a stream that is told of growth. The first one begins to look, and the last one ends that."""
        stream = Stream(after, matches)
        if not self._open:
            self._looking = asyncio.create_task(self._look_on(ledger))
        self._open.add(stream)
        try:
            yield stream
        finally:
            self._open.discard(stream)
            if not self._open:
                self._looking.cancel()

    async def page(self, ledger: Ledger, stream: Stream) -> tuple[list[StoredEntry], int]:
        """Return what a stream is to tell next, and up to which position it has told all then."""
        if stream.after >= self.size:
            return [], stream.after
        if stream.after >= self._found_after:
            return [stored for stored in self._found if stream.asks_for(stored)], self.size
        async with self._reading:
            size, found = await asyncio.to_thread(_read, ledger, stream.after, stream.matches)
        return found, found[-1].position if len(found) == PAGE else max(size, stream.after)

    # -- one look for all --------------------------------------------------------------------------------------------

    async def _look_on(self, ledger: Ledger) -> None:
        loop = asyncio.get_running_loop()

        def grown(_size: int) -> None:
            # By whoever appends: one call into the loop, however much comes before it is looked.
            if not self._is_told:
                self._is_told = True
                loop.call_soon_threadsafe(self._grown.set)

        self.size, self._found, self._found_after = 0, [], 0
        stop = ledger.watcher.listen(grown)
        try:
            self._grown.set()
            while True:
                await self._grown.wait()
                self._grown.clear()
                self._is_told = False
                await asyncio.sleep(PAUSE_S if await self._look(ledger) else RETRY_S)
        finally:
            stop()

    async def _look(self, ledger: Ledger) -> bool:
        """Look at what came, and wake those whom it concerns. Says whether the database answered; what it did not is looked at again."""
        before = self.size
        try:
            # At first only how far it is: what is there already, each stream reads for itself.
            size, found = await asyncio.to_thread(_read, ledger, before or AFTER_ALL)
        except Exception:
            # The edge of this task: streams wait for as long as the database does not answer, and nothing else ends.
            log.exception("what is new could not be read for open streams")
            self._grown.set()
            return False
        if len(found) == PAGE:
            # Of very much: the rest with the next look.
            self.size = found[-1].position
            self._grown.set()
        else:
            self.size = size
        self._found, self._found_after = found, before or size
        authority_at = ledger.authority.position
        # The first look says only how far it is: whoever is behind that has not been told.
        concerns_all = not before or authority_at != self._authority_at
        self._authority_at = authority_at
        for stream in self._open:
            if concerns_all or stream.after < before or any(map(stream.asks_for, found)):
                stream.grown.set()
            else:
                stream.after = max(stream.after, self.size)
        return True


def _read(ledger: Ledger, after: int, matches: Sequence[Match] = ()) -> tuple[int, list[StoredEntry]]:
    """Return the size of the ledger and the entries after a position. Afterwards the authority is at least as new as they are."""
    with ledger.database.read() as connection:
        size, found = read_size(connection), list(read_entries(connection, matches, after=after))
    ledger.current_authority()
    return size, found


class Shared(Generic[R]):
    """What many want to know at the same time, looked up once for all of them, and again only when the last answer is some time old."""

    def __init__(self, look: Callable[[], R], pause_s: float = PAUSE_S) -> None:
        self._look = look
        self._pause_s = pause_s
        self._asked: asyncio.Future[R] | None = None
        self._again_at = 0.0

    async def get(self) -> R:
        """Return an answer, of now or of `pause_s` ago at most. Raises what the look raises."""
        loop = asyncio.get_running_loop()
        if self._asked is None or (self._asked.done() and loop.time() >= self._again_at):
            self._asked, self._again_at = loop.run_in_executor(None, self._look), loop.time() + self._pause_s
        return await asyncio.shield(self._asked)


def streams_of(request: Request) -> Streams:
    """Return the open streams of the application that a request came to."""
    streams: Streams = request.app.state.streams
    return streams
