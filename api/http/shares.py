"""Shares: how many requests of one sender are worked on at once, and how many wait for that.

A sender is a credential or, for requests that show none which is known, a network of addresses. A request takes its place before its
body is read and before a thread is taken. One more waits in the sender's own line, behind nobody else; and beyond the line it is told to
come again. What waits is not begun: where connections are short, it is among the first to go (`api.http.connections`).

    8 places and 100 behind them: of 600 requests at once by one token 8 are worked on, 100 wait and 492 get 429; and what another token
    asks meanwhile is begun at once.

Long questions, of which nobody knows how long they take, share few places among all senders: the next one is for whoever has fewest. So
they never have all threads, nor all connections to the database, and posts, gates and short reads always find some.

    5 tokens ask for 8 pages of a view each, and there are 8 places for that: of each 1 or 2 are worked on. A sixth token's page is the
    next to be begun, and its gate question is begun at once.

A place is held until the answer begins. What goes on after that, a stream or an answer that is not read, holds a connection and no thread.
"""

import asyncio
from collections import Counter
from typing import Final, Protocol

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path
from starlette.types import Scope

from api.desk.posted import BATCH, media_type
from api.desk.submitting import MAX_AT_ONCE
from api.http.limits import Limits
from ledger.log.writer import MAX_IN_LOOP

# Reads of one thing, or of a few bytes, when they have no query. Whatever is not named here is long.
SHORT: Final = (
    "/healthz",
    "/readyz",
    "/readyz/views",
    "/openapi.json",
    "/checkpoint",
    "/tile/{level}/{path:path}",
    "/tile/entries/{path:path}",
    "/tile/signatures/{path:path}",
    "/v1/ledger",
    "/v1/ledger/keys",
    "/v1/ledger/tools",
    "/v1/events/{position:int}",
    "/v1/events/{position:int}/entry",
    "/v1/events/{position:int}/envelope",
    "/v1/events/{position:int}/proof",
    "/v1/events/{position:int}/evidence/{sha256}",
    "/v1/views/{view}/{key:path}",
    "/v1/gates",
    "/v1/catalogue",
    "/v1/catalogue/{type}",
    "/console/static/{name}",
)
_SHORT: Final = tuple(compile_path(path)[0] for path in SHORT)


class Waiting(Protocol):
    """A connection whose request may wait for its turn: `turn` comes true, or false when nobody is there any more."""

    turn: asyncio.Future[bool] | None


class Places:
    """So many places for each sender, of not more than so many together, and a line for each. Used from the event loop alone."""

    def __init__(self, at_once: int, waiting: int, together: int | None = None) -> None:
        self.most: Final = at_once + waiting
        self._at_once = at_once
        self._together = together
        self._taken: Counter[str] = Counter()
        self._all = 0
        # Of those that have as many places, whoever was served longest ago comes first.
        self._lines: dict[str, dict[asyncio.Future[bool], None]] = {}

    def are_asked_for(self, sender: str) -> bool:
        """Say whether all places of a sender are taken, and its line is full."""
        return self._taken[sender] + len(self._lines.get(sender, ())) >= self.most

    async def take(self, sender: str, connection: Waiting | None) -> None:
        """Take a place, in one's turn. Raises ClientDisconnect when nobody waits for the answer any more."""
        if self._may_begin(sender):
            self._begin(sender)
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
            if not line and self._lines.get(sender) is line:
                del self._lines[sender]
            if connection is not None:
                connection.turn = None

    def give_back(self, sender: str) -> None:
        """Give a place back, and to whoever is first in the line of the sender that has fewest."""
        self._all -= 1
        self._taken[sender] -= 1
        if not self._taken[sender]:
            del self._taken[sender]
        while waiting := [other for other in self._lines if self._may_begin(other)]:
            served = min(waiting, key=lambda other: self._taken[other])
            line = self._lines.pop(served)
            turn = next(iter(line))
            del line[turn]
            if line:
                self._lines[served] = line
            if not turn.done():
                self._begin(served)
                turn.set_result(True)

    def _may_begin(self, sender: str) -> bool:
        return self._taken[sender] < self._at_once and (self._together is None or self._all < self._together)

    def _begin(self, sender: str) -> None:
        self._taken[sender] += 1
        self._all += 1


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
    """The places that there are: for posts that take no thread, for long questions, for whatever else a credential asks, and for
    strangers.
    """

    def __init__(self, limits: Limits) -> None:
        # As many as the loop appends at once: more would wait for the writer.
        self.posts: Final = Places(MAX_IN_LOOP, limits.waiting)
        self.long: Final = Places(limits.credential_at_once, limits.waiting, limits.long_at_once)
        self.credentials: Final = Places(limits.credential_at_once, limits.waiting)
        self.networks: Final = Places(limits.address_at_once, limits.waiting)

    def for_body(self, size: int) -> Places:
        """Return the places for a body whose sender is known: a long one takes a thread."""
        return self.posts if size <= MAX_AT_ONCE else self.credentials


def is_long(scope: Scope) -> bool:
    """Say whether a request asks for what may take long: a list, a page, something of the past, or to wait for something."""
    if scope["method"] != "GET":
        return False
    return bool(scope["query_string"]) or not any(short.match(scope["path"]) for short in _SHORT)


def size_of_one(headers: Headers) -> int:
    """Return the length of a post of one event; of a batch, and where the length is not said, more than is read without a thread."""
    length = headers.get("content-length", "")
    if not length.isdecimal() or len(length) > len(str(MAX_AT_ONCE)) or media_type(headers) == BATCH:
        return MAX_AT_ONCE + 1
    return int(length)
