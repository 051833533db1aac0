"""RFC 9457 problems: one table from error class to status, used by every door."""

import difflib
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final

import sqlalchemy.exc
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api.http.addresses import NOWHERE
from ledger import errors
from ledger.log.database import is_outage
from projections.engine.serving import ViewNotReadyError
from projections.gates.asking import GateBusyError
from signing.errors import SigningError, VerificationError

MEDIA_TYPE: Final = "application/problem+json"
OUTAGE_TOLD_EVERY_S: Final = 60.0
log = logging.getLogger("change_ledger")
# Of the request that is being answered: callers quote it, and operators find it in the access log.
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")

# Most specific first: the first class that an error is an instance of decides.
TABLE: Final[tuple[tuple[type[BaseException], int, str], ...]] = (
    (errors.StatementTooLargeError, 413, "Too large"),
    (errors.UnknownTypeError, 422, "Unknown event type"),
    (errors.StatementError, 422, "Not admissible"),
    (errors.ConflictError, 409, "Recorded with another content"),
    (errors.EnrolledError, 409, "Enrolled already"),
    (errors.ConditionFailedError, 412, "Append condition failed"),
    (errors.ForbiddenError, 403, "Not allowed"),
    (errors.UnauthenticatedError, 401, "Not authenticated"),
    (ViewNotReadyError, 503, "The view is not there yet"),
    (errors.NotFoundError, 404, "Not found"),
    (errors.QueueFullError, 503, "Busy"),
    (GateBusyError, 503, "The facts did not stand still"),
    (errors.LastKeyError, 409, "The last key"),
    (errors.LedgerStoppedError, 503, "The ledger does not append"),
    (errors.SetupError, 503, "Not set up"),
    (VerificationError, 422, "Does not verify"),
    (SigningError, 422, "Bad key"),
    (sqlalchemy.exc.DBAPIError, 503, "The database did not answer"),
)


class RequestError(Exception):
    """A request that is wrong before the ledger is asked: its media type, its parameters, its headers."""

    def __init__(self, status: int, title: str, detail: str, place: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.place = place


class TooManyRequestsError(RequestError):
    """A credential or an address asks more often than it may. Nothing was done; try again after `retry_after` seconds."""

    def __init__(self, who: str, per_minute: int, retry_after: int) -> None:
        super().__init__(
            429,
            "Too many requests",
            f"expected at most {per_minute} requests a minute of {who}; try again in {retry_after} s",
        )
        self.retry_after = retry_after


def problem(status: int, title: str, detail: str, **more: Any) -> dict[str, Any]:
    """Return a problem document. `type` stays about:blank: status and title say what kind it is."""
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    # What is quoted from bad input may not be Unicode; the answer about it must be.
    return {
        name: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for name, value in (document | more).items()
        if value or name in document
    }


def of_error(error: BaseException) -> dict[str, Any]:
    """Return the problem document of an error of the rooms below."""
    if isinstance(error, RequestError):
        return problem(error.status, error.title, str(error), place=error.place)
    for error_class, status, title in TABLE:
        if isinstance(error, error_class):
            more = {name: getattr(error, name, None) for name in ("place", "position", "canonical")}
            return problem(status, title, _detail(error), **more)
    raise error


def _detail(error: BaseException) -> str:
    if not isinstance(error, sqlalchemy.exc.DBAPIError):
        return str(error)
    # What a database driver says may hold addresses and statements: it goes to the log, not to the caller.
    if is_outage(error):
        return "the database did not answer; try again, and look into the server's log if it stays so"
    return "the database refused the question; an operator finds the reason in the server's log"


class OutageLog:
    """Writes an outage down once in a while, and how many requests met it since: one for each would fill the disk, 10 KB at a time."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._again_at = -math.inf
        self._untold = 0

    def tell(self, error: BaseException, cause: BaseException) -> None:
        self._untold += 1
        if self._now() >= self._again_at:
            log.error(
                "%s, met by %d requests since it was told last", type(error).__name__, self._untold, exc_info=cause
            )
            self._untold, self._again_at = 0, self._now() + OUTAGE_TOLD_EVERY_S


_outages: Final = OutageLog()


def _log(error: BaseException) -> None:
    """Write down what the caller is not told."""
    cause = error if isinstance(error, sqlalchemy.exc.DBAPIError) else error.__cause__
    if not isinstance(cause, sqlalchemy.exc.SQLAlchemyError):
        return
    if is_outage(cause):
        _outages.tell(error, cause)
    else:
        log.error("%s", type(error).__name__, exc_info=cause)


def response(error: BaseException) -> Response:
    document = of_error(error)
    _log(error)
    headers = {}
    if document["status"] in (429, 503):
        headers["Retry-After"] = str(getattr(error, "retry_after", 5))
    if document["status"] == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return answer(document, headers)


def answer(document: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document as the answer to the request in hand, with the id of that request."""
    if request_id := REQUEST_ID.get():
        document = document | {"request_id": request_id}
    return JSONResponse(document, document["status"], headers, media_type=MEDIA_TYPE)


def worded(fault: Mapping[str, Any], *, skip: int = 0) -> tuple[str, str]:
    """Return what a fault that pydantic found says, and its place, without the first parts of it that are no part of what was sent."""
    place = "".join(f"/{part}" for part in fault["loc"][skip:])
    return f"{fault['msg'].removeprefix('Value error, ')} (at {place or '/'})", place


def unforeseen() -> Response:
    """Return the answer to a request that failed in a way nobody foresaw."""
    return answer(problem(500, "Failed", "the server could not do this, and its log says why; quote request_id"))


def _nothing_at(path: str, routes: Sequence[APIRoute]) -> str:
    """Say that there is nothing at a path, and what there is."""
    there_are = sorted({route.path_format for route in routes})
    plain = path.rstrip("/")
    if plain != path and any(route.path_regex.match(plain) for route in routes):
        return f"there is nothing at {path[:80]}: expected {plain[:80]}, without the slash at the end"
    for room, kind in (("/v1/views/", "view"), ("/v1/intake/", "intake format")):
        if path.startswith(room):
            names = [known.removeprefix(room) for known in there_are if known.startswith(room)]
            asked = path.removeprefix(room).partition("/")[0]
            return errors.no_such(kind, asked, [name for name in names if "/" not in name])
    close = difflib.get_close_matches(path[:80], there_are, n=1)
    return f"there is nothing at {path[:80]}{f'; did you mean {close[0]}?' if close else ';'} /openapi.json describes what there is"


def install(app: FastAPI, routes: Sequence[APIRoute]) -> None:
    """Make every error of the app, which has these routes, a problem document."""

    async def known(request: Request, error: Exception) -> Response:
        if isinstance(error, errors.UnauthenticatedError):
            app.state.failures.count(
                error.credential, connection.network if (connection := request.scope.get("connection")) else NOWHERE
            )
        return response(error)

    for error_class in (errors.LedgerError, SigningError, sqlalchemy.exc.DBAPIError, RequestError):
        app.add_exception_handler(error_class, known)

    async def http(request: Request, error: Exception) -> Response:
        status, detail = getattr(error, "status_code", 500), str(getattr(error, "detail", ""))
        headers, path = dict(getattr(error, "headers", None) or {}), request.scope["path"]
        if status == 404:
            document = problem(404, "Not found", _nothing_at(path, routes))
        elif status == 405:
            methods = sorted(
                {
                    method
                    for route in routes
                    if route.path_regex.match(path)
                    for known in route.methods or ()
                    for method in (("GET", "HEAD") if known == "GET" else (known,))
                }
            )
            headers["Allow"] = ", ".join(methods)
            words = f"expected {' or '.join(methods)} at {path[:80]}, found {request.method[:20]}"
            document = problem(405, "Method not allowed", words)
        else:
            document = problem(status, detail or "HTTP error", f"{status}: {detail}")
        return answer(document, headers)

    app.add_exception_handler(HTTPException, http)

    async def invalid(_: Request, error: Exception) -> Response:
        first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
        words, place = worded(first, skip=1)
        return answer(problem(422, "Not admissible", words, place=place))

    app.add_exception_handler(RequestValidationError, invalid)
