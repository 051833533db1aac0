"""What holds for every request, whatever its route: an id, its sender's share, headers that keep answers where they belong, a line in
the access log.

An answer is `nosniff`, and `no-store` unless its route says how long it may be kept. A caller's `X-Request-Id` comes
back when it is a plain word; otherwise one is made. A caller that leaves is no error.
"""

import asyncio
import itertools
import logging
import re
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Final

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.datastructures import Headers
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.desk.posted import BATCH, media_type
from api.http import problems
from api.http.access_log import AccessLog, now_text
from api.http.addresses import NOWHERE
from api.http.limits import Limits, Rate
from api.http.shares import Place, Places, Shares, is_long, size_of_one
from ledger.errors import LedgerStoppedError

# What nginx calls a caller that left before the answer.
LEFT: Final = 499
# Whoever asks for too much at once is soon done with a part of it.
RETRY_AFTER_S: Final = 1
HEALTH: Final = ("/healthz", "/readyz", "/readyz/views")
_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PROCESS: Final = secrets.token_hex(6)
_numbers: Final = itertools.count(1)
log = logging.getLogger("change_ledger")


def new_request_id() -> str:
    """Return an id that no other request of any process has."""
    return f"{_PROCESS}-{next(_numbers):x}"


class Edge:
    """Pure ASGI, around all routes, and the only middleware. `shown_by` says which credential a request shows; at `doors` that is
    known only by the body, and the route takes the place; `straight` answers requests without a query, by method and path, past
    the router.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        access_log: AccessLog | None,
        limits: Limits,
        shares: Shares,
        shown_by: Callable[[Scope], str | None],
        doors: Collection[str],
        straight: Mapping[tuple[str, str], ASGIApp],
    ) -> None:
        self._app = app
        self._straight = straight
        self._access_log = access_log
        self._limits = limits
        self._rate = Rate(limits.address_per_minute)
        self._shares = shares
        self._shown_by = shown_by
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _given_id(scope) or new_request_id()
        problems.REQUEST_ID.set(request_id)
        status = sent = 0
        # HEAD is GET without the body: whoever may one may the other, and no route knows of it.
        asked: Scope = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        asked["place"] = place = Place(scope.get("connection"))

        async def send_marked(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                place.give_back()
                headers = message["headers"] = list(message.get("headers", ()))
                headers.append((b"x-request-id", request_id.encode()))
                headers.append((b"x-content-type-options", b"nosniff"))
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
            elif asked is not scope:
                return
            else:
                sent += len(message.get("body", b""))
            await send(message)
            if asked is not scope:
                # All is said; a stream that has no end learns that nobody reads it.
                await send({"type": "http.response.body", "body": b""})

        try:
            with suppress(ClientDisconnect):
                if (refused := await self._begun(asked, place, started)) is not None:
                    await problems.response(refused)(scope, receive, send_marked)
                else:
                    await self._answering(asked)(asked, receive, send_marked)
        except asyncio.CancelledError:
            # The server stops, and has waited for answers for as long as it does.
            if status:
                raise
            stopped = LedgerStoppedError("the server stops, and it is not known whether this is done: send it again")
            await problems.response(stopped)(scope, receive, send_marked)
        except Exception:  # The edge of the process: what nobody foresaw is told with the id of the request.
            if status:
                raise
            log.exception("request %s failed: %s %s", request_id, scope["method"], scope["path"])
            await problems.unforeseen()(scope, receive, send_marked)
        finally:
            place.give_back()
            if self._access_log is not None:
                client = scope.get("client")
                self._access_log.write(
                    {
                        "time": now_text(),
                        "request_id": request_id,
                        "client": client[0] if client else None,
                        "credential": asked.get("credential"),
                        "method": scope["method"],
                        # As they were sent, percent signs and all: what a line of a log can hold.
                        "path": scope["raw_path"][:1000].decode("ascii", "backslashreplace"),
                        "query": scope["query_string"][:1000].decode("ascii", "backslashreplace"),
                        "status": scope.get("refused") or status or LEFT,
                        "bytes": sent,
                        "ms": round((time.perf_counter() - started) * 1000, 1),
                    }
                )

    def _straight_for(self, asked: Scope) -> ASGIApp | None:
        return None if asked["query_string"] else self._straight.get((asked["method"], asked["path"]))

    def _answering(self, asked: Scope) -> ASGIApp:
        return self._straight_for(asked) or self._app

    async def _begun(self, asked: Scope, place: Place, now: float) -> problems.TooManyRequestsError | None:
        """Wait for the turn of a request, or say why it is refused. Raises ClientDisconnect when nobody waits any more."""
        connection = asked.get("connection")
        network = connection.network if connection is not None else NOWHERE
        who = self._shown_by(asked)
        if (wait_s := self._rate.take(network, now)) and not self._limits.exempts(who):
            return problems.TooManyRequestsError(f"addresses of {network}", self._limits.address_per_minute, wait_s)
        if connection is not None and who is not None:
            connection.holder = asked["credential"] = who
        if who is None and asked["path"] in self._doors:
            return None
        places, sender = self._share_of(asked, who, network)
        if places.are_asked_for(sender):
            is_batch = media_type(Headers(scope=asked)) == BATCH
            if not self._limits.exempts(who, is_batch=is_batch):
                named = who or f"addresses of {network}"
                return problems.TooManyRequestsError(named, places.most, RETRY_AFTER_S, time="at once")
        await place.take(places, sender)
        return None

    def _share_of(self, asked: Scope, who: str | None, network: str) -> tuple[Places, str]:
        """Return the places that a request is to take one of, and whose they are."""
        if who is None:
            # Whoever asks for health is mostly the neighbour that everybody comes through.
            return self._shares.networks, f"{network} {asked['path']}" if asked["path"] in HEALTH else network
        if self._straight_for(asked) is None:
            return self._shares.long if is_long(asked) else self._shares.credentials, who
        return self._shares.for_body(size_of_one(Headers(scope=asked))), who


def handled(app: FastAPI) -> ASGIApp:
    """Return the routes of an application with the problems that tell their errors, and nothing else around them.

    FastAPI would put more there: telemetry, pages for what failed, a limit of bodies. Here the edge tells what failed, and
    each route says how much it reads.
    """
    return ExceptionMiddleware(AsyncExitStackMiddleware(app.router), handlers=app.exception_handlers)


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode() if _ID.fullmatch(value) else None
    return None
