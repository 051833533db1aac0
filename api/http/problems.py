"""Problems as answers over HTTP: status, headers, media type, the id of the request. What they say is `api.desk.problems`."""

import difflib
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api.desk.problems import KNOWN, MEDIA_TYPE, RequestError, of_error, problem, worded
from api.http.addresses import NOWHERE
from ledger import errors
from projections import VIEWS

CONSOLE: Final = "/console/"
# Of the request that is being answered: callers quote it, and operators find it in the access log.
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")


class TooManyRequestsError(RequestError):
    """A credential or an address asks more than it may, or appends more. Nothing was done; try again after `retry_after` seconds."""

    def __init__(
        self, who: str, number: int, retry_after: int, *, what: str = "requests", time: str = "a minute"
    ) -> None:
        super().__init__(
            429,
            "Too many requests",
            f"expected at most {number} {what} {time} of {who}; try again in {retry_after} s",
        )
        self.retry_after = retry_after


def response(error: BaseException) -> Response:
    """Return the answer that tells an error. Raises the error where nobody foresaw it."""
    document = of_error(error)
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


def unforeseen() -> Response:
    """Return the answer to a request that failed in a way nobody foresaw."""
    return answer(problem(500, "Failed", "the server could not do this, and its log says why; quote request_id"))


def of_parameters(error: Exception) -> dict[str, Any]:
    """Return the problem document of parameters that are not what their route declares."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
    words, place = worded(first, skip=1)
    return problem(422, "Not admissible", words, place=place)


# What is told as what it is.
TOLD: Final = (*KNOWN, RequestError)


def told(request: Request, error: Exception) -> Response:
    """Return the answer to a request that failed in a way that is known. Authentications that fail are counted."""
    if isinstance(error, errors.UnauthenticatedError):
        count_failure(request, error)
    return response(error)


def count_failure(request: Request, error: errors.UnauthenticatedError) -> None:
    """Take an authentication that failed into account: by the credential that was shown, and where it came from."""
    connection = request.scope.get("connection")
    request.app.state.failures.count(error.credential, connection.network if connection else NOWHERE)


def _nothing_at(path: str, routes: Sequence[APIRoute]) -> str:
    """Say that there is nothing at a path, and what there is."""
    if path == "/":
        return f"there is nothing at /: people look at {CONSOLE}, and /openapi.json describes what programs ask"
    paths = sorted({route.path_format for route in routes})
    views = [path.replace("{view}", view.name) for path in paths if "{view}" in path for view in VIEWS]
    there_are = [*(path for path in paths if "{view}" not in path), *views]
    plain = path.rstrip("/")
    if plain != path and any(route.path_regex.match(plain) for route in routes):
        return f"there is nothing at {path[:80]}: expected {plain[:80]}, without the slash at the end"
    if path.startswith(room := "/v1/intake/"):
        names = [known.removeprefix(room) for known in there_are if known.startswith(room)]
        return errors.no_such("intake format", path.removeprefix(room).partition("/")[0], names)
    close = difflib.get_close_matches(path[:80], there_are, n=1)
    return f"there is nothing at {path[:80]}{f'; did you mean {close[0]}?' if close else ';'} /openapi.json describes what there is"


def install(app: FastAPI, routes: Sequence[APIRoute]) -> None:
    """Make every error of the app, which has these routes, a problem document."""

    async def known(request: Request, error: Exception) -> Response:
        return told(request, error)

    for error_class in TOLD:
        app.add_exception_handler(error_class, known)

    async def http(request: Request, error: Exception) -> Response:
        status, detail = getattr(error, "status_code", 500), str(getattr(error, "detail", ""))
        headers, path = dict(getattr(error, "headers", None) or {}), request.scope["path"]
        if status == 404 and path == "/" and "text/html" in request.headers.get("accept", ""):
            # Whoever types the server's address wants its pages.
            return RedirectResponse(CONSOLE, 303)
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
        return answer(of_parameters(error))

    app.add_exception_handler(RequestValidationError, invalid)
