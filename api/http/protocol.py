"""HTTP/1.1 on a socket, with bounds: uvicorn's protocol, which by itself waits for ever and has no limit of headers.

Time for the headers and for the body of each request, the size of headers and trailers, how many requests wait behind
each other on a connection, and how long an answer that nobody reads is kept. Trailers are read and thrown away: a
header that comes after the body is no header here.

Long, because a connection is one state: what may come when, and what it may hold until then, is read in one piece.
"""

import asyncio
from typing import Any, Final, Literal

import orjson
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from api.desk.problems import MEDIA_TYPE, problem
from api.http.addresses import client_of, is_within, network_of
from api.http.connections import Connections
from api.http.edge import LEFT, new_request_id
from api.http.heads import fault_of, without_offer, words_for

# Requests that may wait behind the one that is answered: each is kept in memory.
MAX_PIPELINED: Final = 16
# Pieces in which a body may come, and how long they are on average beyond them: each costs the loop a call, however short it is.
MAX_PIECES: Final = 16_384
LEAST_PIECE: Final = 64
# How often the bodies of known callers are weighed.
WEIGHED_BYTES: Final = 262_144
RETRY_AFTER_S: Final = 5
# How long the other side may take to close after us.
CLOSING_S: Final = 5.0
_TITLES: Final = {
    400: "Bad request",
    408: "Too slow",
    431: "Headers too large",
    501: "Not implemented",
    503: "Busy",
    505: "HTTP version not supported",
}

# What is wrong with a request, and says nothing against those of before.
_WRONG: Final = (400, 431, 501, 505)


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Its phase is how far the last request on it has come."""

    def __init__(
        self,
        connections: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Any = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.shared, self._bounds = connections, connections.bounds
        self.network = ""
        self.pace: float = 0
        self.held = 0
        self.holder = ""
        # Of the request that waits in its sender's line (`api.http.shares`).
        self.turn: asyncio.Future[bool] | None = None
        self.body_size = self._weighed = self._pieces = 0
        # Of the body, and not handed on yet: uvicorn copies what came before with every piece.
        self._parts: list[bytes] = []
        self.dropped = False
        self._trusted = False
        self._phase: Literal["idle", "head", "body", "answer"] = "head"
        self.began = 0.0
        # Of the head that is being read; of the chunk in hand; and since there were bytes of a body.
        self._head = self._chunk = self._quiet = 0
        self._ended_in_chunk = False
        # The request that the app answers now: others may wait behind it.
        self._answered: RequestResponseCycle | None = None
        self._closing_at: float | None = None
        # The head without the offer of another protocol that came with it, to be read in its place.
        self._without_offer: bytes | None = None
        # What is said when the requests of before are answered.
        self._last_word: tuple[int, str] | None = None
        self._unread, self._unread_since = 0, 0.0

    # -- what the transport says -----------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        peer = self.client[0] if self.client else ""
        self._trusted = is_within(peer, self._bounds.trusted_proxies)
        self.network = network_of(peer)
        self.began = self.loop.time()
        self.shared.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.shared.forget(self)
        self._leave(LEFT)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.dropped:
            return
        before, self._chunk, self._ended_in_chunk = self._phase, len(data), False
        self.pace += self._chunk
        if before == "idle":
            self._phase, self.began, self._head = "head", self.loop.time(), 0
        elif before == "body":
            self._quiet += self._chunk
        self._unset_keepalive_if_required()
        self._parse(data)
        if self._phase == "head" and not self._ended_in_chunk and before != "body":
            self._head += self._chunk
            if self._head > self._bounds.max_header_bytes:
                self._refuse_headers()
        elif self._phase == "body" and self._quiet > self._bounds.max_header_bytes:
            self._refuse_headers()

    def _parse(self, data: bytes) -> None:
        """Read bytes. Those after a head with an offer go to a parser of their own, after the head without it."""
        rest: bytes | None = data
        while rest is not None and not self.dropped:
            read, rest = rest, None
            try:
                self.parser.feed_data(read)
                self._hand_on()
            except HttpParserUpgrade as offer:
                if self._without_offer is None:
                    return
                rest = self._without_offer + read[offer.args[0] :]
                self._without_offer = None
                self.parser = HttpRequestParser(self)
                # As uvicorn has it: what comes after the last request on a connection takes nothing from its answer.
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            except HttpParserError as error:
                # What a callback raised hides behind an error of the parser.
                self._refuse(400, words_for(str(error.__context__ or error)))

    # -- what the parser says --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._phase != "head":
            self._phase, self.began = "head", self.loop.time()
        if self._ended_in_chunk:
            self._head = 0
        self.holder = ""
        self.body_size = self._weighed = self._pieces = 0
        self.scope["connection"] = self  # type: ignore[typeddict-unknown-key]

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase == "head":
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.dropped:
            return
        limit = self._bounds.max_header_bytes
        if (
            self._head + self._chunk > limit
            and len(self.url) + sum(len(n) + len(v) + 4 for n, v in self.headers) > limit
        ):
            self._refuse_headers()
            return
        if len(self.pipeline) >= MAX_PIPELINED:
            self._refuse(503, f"expected at most {MAX_PIPELINED} requests to wait on one connection")
            return
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if (fault := fault_of(method, version, self.headers)) is not None:
            self._refuse(*fault)
            return
        if self.parser.should_upgrade():
            self._without_offer = without_offer(method, self.url, version, self.headers)
            return
        if self._trusted:
            self._take_forwarded()
        self._phase, self.began, self._quiet = "body", self.loop.time(), 0
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        self._quiet = 0
        if self.dropped:
            return
        self._pieces += 1
        self.body_size += len(body)
        if self._pieces > MAX_PIECES + self.body_size // LEAST_PIECE:
            self._refuse(
                400, f"expected a body in pieces of {LEAST_PIECE} bytes and more; found {self._pieces} shorter ones"
            )
            return
        self._parts.append(body)
        if self.body_size > self._weighed + WEIGHED_BYTES:
            self._weighed = self.body_size
            self.shared.weigh()

    def _hand_on(self) -> None:
        """Give what came of a body to whoever answers, in one piece."""
        if self._parts and not self.dropped:
            super().on_body(b"".join(self._parts))
        self._parts.clear()

    def on_message_complete(self) -> None:
        if self._without_offer is not None:
            return
        self._ended_in_chunk = True
        if self.dropped:
            return
        self._hand_on()
        super().on_message_complete()
        self._phase = "idle" if self.cycle.response_complete else "answer"

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._phase == "answer" and self.cycle.response_complete:
            self._phase, self.body_size = "idle", 0
            if self._last_word is not None and not self.transport.is_closing():
                self._end(*self._last_word)

    def _take_forwarded(self) -> None:
        """Let the request come from where a trusted proxy says."""
        forwarded = [value.decode("latin-1") for name, value in self.headers if name == b"x-forwarded-for"]
        schemes = [value for name, value in self.headers if name == b"x-forwarded-proto"]
        peer, port = self.client or ("", 0)
        client = client_of(peer, forwarded, self._bounds.trusted_proxies)
        self.scope["client"] = (client, port if client == peer else 0)
        self.network = network_of(client)
        if schemes and schemes[-1] in (b"http", b"https"):
            self.scope["scheme"] = schemes[-1].decode()

    # -- who has to go ---------------------------------------------------------------------------------------------

    @property
    def droppable(self) -> bool:
        """A proxy keeps connections open for all its clients; whose request it is, is known with its headers."""
        return not self.holder and (self.is_begun or self.goes_on)

    @property
    def goes_on(self) -> bool:
        """Whether its answer has begun and does not end: a stream, or one that is not read."""
        return self._phase == "answer" and self._is_answering and self._has_begun_to_answer

    @property
    def _has_begun_to_answer(self) -> bool:
        return self._answered is not None and self._answered.response_started

    @property
    def is_begun(self) -> bool:
        """Whether its request is not whole, waits in a line, or none is on its way: whoever it is of sends again, and nothing was done."""
        return self.turn is not None or self._phase == "body" or (self._phase != "answer" and not self._trusted)

    def drop(self, why: str) -> None:
        """Make room for others."""
        self._refuse(503, f"{why}; try again")

    def sweep(self, now: float) -> None:
        """End what takes too long: heads, bodies, readers of answers, and the other side's closing."""
        if self._closing_at is not None:
            if now > self._closing_at + CLOSING_S:
                self.transport.abort()
            return
        unread = self.transport.get_write_buffer_size()
        if unread < self._unread or not unread:
            self._unread_since = now
        elif now > self._unread_since + self._bounds.body_timeout_s:
            self.transport.abort()
        self._unread = unread
        if self._phase == "head" and now > self.began + self._bounds.header_timeout_s:
            self._refuse(408, f"the headers did not come within {self._bounds.header_timeout_s:g} s")
        elif self._phase == "body" and now > self.began + self._bounds.body_timeout_s:
            self._refuse(408, f"the body did not come within {self._bounds.body_timeout_s:g} s")

    def _refuse_headers(self) -> None:
        self._refuse(431, f"expected at most {self._bounds.max_header_bytes} bytes of headers")

    def _refuse(self, status: int, why: str) -> None:
        """Close the connection, with a problem where an answer can still be given."""
        if self.dropped:
            return
        self.dropped = True
        if status in _WRONG and self._phase != "body" and self._is_answering:
            # The requests of before are whole: they are answered first.
            self._phase, self._last_word = "answer", (status, why)
        else:
            self._end(status, why)

    @property
    def _is_answering(self) -> bool:
        return self._answered is not None and not self._answered.response_complete

    def _end(self, status: int, why: str) -> None:
        self._closing_at = self.loop.time()
        if not self._is_answering:
            # Whoever said nothing is told nothing.
            can_be_said = self._phase != "head" or self._head > 0 or self._chunk > 0
        else:
            # Only while the answer that is due is that to the last request, and has not begun.
            running = self._answered
            can_be_said = running is self.cycle and self._phase != "head" and not running.response_started
        if can_be_said:
            self._write_problem(status, why)
        self._leave(status)
        self.transport.close()

    def _leave(self, status: int) -> None:
        """Let the app know that nobody waits for its answer any more. uvicorn tells only the last request on a connection."""
        self.pipeline.clear()
        if self.turn is not None and not self.turn.done():
            self.turn.set_result(False)
        if self._answered is not None and not self._answered.response_complete:
            self._answered.scope.setdefault("refused", status)  # type: ignore[typeddict-item]
            self._answered.disconnected = True
            self._answered.message_event.set()

    def _write_problem(self, status: int, why: str) -> None:
        request_id = new_request_id()
        body = orjson.dumps(problem(status, _TITLES[status], why, request_id=request_id))
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
        ]
        if status == 503:
            headers.append((b"retry-after", str(RETRY_AFTER_S).encode()))
        lines = b"".join(
            name + b": " + value + b"\r\n" for name, value in [*self.server_state.default_headers, *headers]
        )
        self.transport.write(STATUS_LINE[status] + lines + b"\r\n" + body)
