"""What holds for every request, whatever its route: an id, headers that keep answers where they belong, a line in the access log.

An answer is `nosniff`, and `no-store` unless its route says how long it may be kept. A caller's `X-Request-Id` comes
back when it is a plain word; otherwise one is made. A caller that leaves is no error.
"""

import itertools
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import problems
from api.http.access_log import AccessLog, now_text
from api.http.addresses import NOWHERE
from api.http.limits import Rate

# What nginx calls a caller that left before the answer.
LEFT: Final = 499
_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PROCESS: Final = secrets.token_hex(6)
_numbers: Final = itertools.count(1)
log = logging.getLogger("change_ledger")


def new_request_id() -> str:
    """Return an id that no other request of any process has."""
    return f"{_PROCESS}-{next(_numbers):x}"


class Edge:
    """Pure ASGI, around all routes, and the only middleware. `is_exempt` says whether a request is by a credential that no limit
    holds for; `straight` answers requests without a query, by method and path, past the router.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        access_log: AccessLog | None,
        per_minute: int,
        is_exempt: Callable[[Scope], bool],
        straight: Mapping[tuple[str, str], ASGIApp],
    ) -> None:
        self._app = app
        self._straight = straight
        self._access_log = access_log
        self._per_minute = per_minute
        self._rate = Rate(per_minute)
        self._is_exempt = is_exempt

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

        async def send_marked(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
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
                network = scope["connection"].network if "connection" in scope else NOWHERE
                if (wait_s := self._rate.take(network, started)) and not self._is_exempt(scope):
                    refused = problems.TooManyRequestsError(f"addresses of {network}", self._per_minute, wait_s)
                    await problems.response(refused)(scope, receive, send_marked)
                else:
                    answering = self._app
                    if not scope["query_string"]:
                        answering = self._straight.get((asked["method"], scope["path"]), self._app)
                    await answering(asked, receive, send_marked)
        except Exception:  # The edge of the process: what nobody foresaw is told with the id of the request.
            if status:
                raise
            log.exception("request %s failed: %s %s", request_id, scope["method"], scope["path"])
            await problems.unforeseen()(scope, receive, send_marked)
        finally:
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
