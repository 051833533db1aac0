"""Shares: how many requests of one sender are worked on at once, and how many wait for that.

A sender is a credential or, for requests that show none which is known, a network of addresses. A request takes its place before its
body is read and before a thread is taken. One more waits in the sender's own line, behind nobody else; and beyond the line it is told to
come again. What waits is not begun: where connections are short, it is among the first to go (`api.http.connections`).

    8 places and 100 behind them: of 600 requests at once by one token 8 are worked on, 100 wait and 492 get 429; and what another token
    asks meanwhile is begun at once.

A place is held until the answer begins. What goes on after that, a stream or an answer that is not read, holds a connection and no thread.
"""

import asyncio
from collections import Counter
from typing import Final, Protocol

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from api.desk.posted import BATCH, media_type
from api.desk.submitting import MAX_AT_ONCE
from api.http.limits import Limits
from ledger.log.writer import MAX_IN_LOOP


class Waiting(Protocol):
    """A connection whose request may wait for its turn: `turn` comes true, or false when nobody is there any more."""

    turn: asyncio.Future[bool] | None


class Places:
    """So many places for each sender, and a line for each. Used from the event loop alone."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self.most: Final = at_once + waiting
        self._at_once = at_once
        self._taken: Counter[str] = Counter()
        self._lines: dict[str, dict[asyncio.Future[bool], None]] = {}

    def are_asked_for(self, sender: str) -> bool:
        """Say whether all places of a sender are taken, and its line is full."""
        return self._taken[sender] + len(self._lines.get(sender, ())) >= self.most

    async def take(self, sender: str, connection: Waiting | None) -> None:
        """Take a place, in one's turn. Raises ClientDisconnect when nobody waits for the answer any more."""
        if self._taken[sender] < self._at_once:
            self._taken[sender] += 1
            return
        turn = asyncio.get_running_loop().create_future()
        line = self._lines.setdefault(sender, {})
        line[turn] = None
        if connection is not None:
            connection.turn = turn
        try:
            if not await turn:
                raise ClientDisconnect
        except asyncio.CancelledError:
            # The turn may have come in the same moment.
            if turn.done() and not turn.cancelled() and turn.result():
                self.give_back(sender)
            raise
        finally:
            line.pop(turn, None)
            if connection is not None:
                connection.turn = None

    def give_back(self, sender: str) -> None:
        """Give a place to whoever is first in the sender's line, or back."""
        line = self._lines.get(sender, {})
        while line:
            turn = next(iter(line))
            del line[turn]
            if not turn.done():
                turn.set_result(True)
                return
        self._lines.pop(sender, None)
        self._taken[sender] -= 1
        if not self._taken[sender]:
            del self._taken[sender]


class Place:
    """The place of one request: none before it is taken, and none after it is given back."""

    def __init__(self, connection: Waiting | None) -> None:
        self._connection = connection
        self._taken: tuple[Places, str] | None = None

    async def take(self, places: Places, sender: str) -> None:
        """Take a place instead of the one that it has, in one's turn. Raises ClientDisconnect when nobody waits for the answer any more."""
        self.give_back()
        await places.take(sender, self._connection)
        self._taken = places, sender

    def give_back(self) -> None:
        if self._taken is not None:
            (places, sender), self._taken = self._taken, None
            places.give_back(sender)


class Shares:
    """The places that there are: for posts that take no thread, for whatever else a credential asks, and for strangers."""

    def __init__(self, limits: Limits) -> None:
        # As many as the loop appends at once: more would wait for the writer.
        self.posts: Final = Places(MAX_IN_LOOP, limits.waiting)
        self.credentials: Final = Places(limits.credential_at_once, limits.waiting)
        self.networks: Final = Places(limits.address_at_once, limits.waiting)

    def for_body(self, size: int) -> Places:
        """Return the places for a body whose sender is known: a long one takes a thread."""
        return self.posts if size <= MAX_AT_ONCE else self.credentials


def size_of_one(headers: Headers) -> int:
    """Return the length of a post of one event; of a batch, and where the length is not said, more than is read without a thread."""
    length = headers.get("content-length", "")
    if not length.isdecimal() or len(length) > len(str(MAX_AT_ONCE)) or media_type(headers) == BATCH:
        return MAX_AT_ONCE + 1
    return int(length)
