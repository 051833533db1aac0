"""Pages: what every one of them has. Templates, headers, who looks, how far what is shown reaches, and problems in words.

A page is a function of a `Visit`; what it shows it has from `api.desk`. Its route is a `PageRoute`, which turns what goes wrong
into a page, and whoever is not signed in to the sign-in. `.json` and `.csv` beside a page answer as the API does.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import UndefinedError

from api.console import words
from api.console.sessions import Session
from api.console.signed_in import credential_of, forget, remember, session_of, sessions_of
from api.console.templating import rendered
from api.desk.policies import works_alone
from api.desk.problems import of_error
from api.desk.views import kept_up
from api.http.auth import permitted
from api.http.problems import REQUEST_ID, TOLD, count_failure, of_parameters
from api.http.questions import Route
from api.http.state import ledger_of, publisher_of
from ledger.authority import Caller
from ledger.errors import UnauthenticatedError
from ledger.ledger import Ledger
from projections import VIEWS
from projections.engine.progress import read_states
from projections.engine.serving import ViewNotReadyError

_POLICY: Final = "Content-Security-Policy"
# Nothing from elsewhere, nothing inline, and nobody puts a page into theirs.
HEADERS: Final[Mapping[str, str]] = {
    _POLICY: "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_MADE_ANEW: Final = "views are being made anew, for another version of this program; ask again in a moment"
# A text becomes part of a page by htmx alone, which the extension hx-csp guards.
_TYPES: Final = "require-trusted-types-for 'script'; trusted-types htmx"
# What stands beside a page: the same for programs.
BESIDE: Final = (".json", ".csv")


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who looks at a page: the request, the ledger it is about, and as whom they signed in."""

    request: Request
    ledger: Ledger
    caller: Caller
    session: Session

    @property
    def query(self) -> dict[str, str]:
        return dict(self.request.query_params)

    @property
    def path(self) -> str:
        return path_of(self.request)

    def may(self, *roles: str) -> bool:
        """Say whether whoever looks has one of these roles."""
        return self.caller.token is not None and not self.caller.token.roles.isdisjoint(roles)


def path_of(request: Request) -> str:
    """Return the path of a page as it was asked for: decoded, a name such as `a/..` in it would lead elsewhere."""
    return quote(request.scope["raw_path"].decode("ascii", "replace"), safe="/%:@!$&'()*+,;=~")


def visit_of(request: Request) -> Visit:
    """Return who looks, by the session of the request and the table of roles. Raises UnauthenticatedError and ForbiddenError."""
    ledger = ledger_of(request)
    # Another process may have revoked the token.
    ledger.current_authority()
    session = session_of(request)
    caller = permitted(request, credential_of(session, ledger.authority, ledger.clock.now_us()))
    request.scope["session"] = session
    return Visit(request, ledger, caller, session)


KnownVisit = Annotated[Visit, Depends(visit_of)]


def standing_of(request: Request) -> dict[str, Any]:
    """Say how far what is shown reaches, entries, views, checkpoint and witnesses, and whether anybody but one person looks at it."""
    ledger = ledger_of(request)
    views, published = kept_up(ledger), publisher_of(request).status()
    return {
        "size": views["position"] + views["behind"],
        "views": views,
        "checkpoints": published,
        "is_of_one": works_alone(ledger.database, ledger.clock.now_us()),
    }


def page(
    visit: Visit,
    template: str,
    *,
    status: int = 200,
    position: int | None = None,
    is_live: bool = False,
    **shown: Any,
) -> Response:
    """Return a page. `position` is where what it shows is true; without it, where the views are. A live one asks for itself again."""
    standing = standing_of(visit.request)
    # Of each answer: what somebody put into a page cannot know it, and so it runs nothing.
    nonce = visit.ledger.random(16).hex()
    made = _html(
        template,
        status,
        visit=visit,
        nonce=nonce,
        live=words.with_query(visit.path, visit.query) if is_live else "",
        position=standing["views"]["position"] if position is None else position,
        standing=standing,
        form_token=sessions_of(visit.request).form_token(visit.session),
        **shown,
    )
    made.headers[_POLICY] += f"; script-src 'nonce-{nonce}'; connect-src 'self'; {_TYPES}"
    return made


def plain_page(template: str, *, status: int = 200, **shown: Any) -> Response:
    """Return a page for whoever is not signed in: it shows nothing of the ledger."""
    return _html(template, status, visit=None, **shown)


def _html(template: str, status: int, **shown: Any) -> Response:
    return HTMLResponse(rendered(template, **shown), status, dict(HEADERS))


class PageRoute(Route):
    """A route of a page: what goes wrong is told on a page, too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with the cookie that keeps the session, and problems in words."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                made = await handle(request)
            except (*TOLD, RequestValidationError) as error:
                made = _told(request, error)
            except UndefinedError:
                if not _is_being_made_anew(request):
                    raise
                made = _told(request, ViewNotReadyError(_MADE_ANEW))
            session = request.scope.get("session")
            # A session lives on what somebody does: that a page asks for itself is no sign of life.
            if session is not None and not _is_of_script(request):
                remember(request, made, session)
            return made

        return answer


def _told(request: Request, error: Exception) -> Response:
    """Return the page that tells a problem. Raises the error where programs ask, and read documents."""
    if request.path_params.get("beside") or request.url.path.endswith(BESIDE):
        raise error
    if isinstance(error, UnauthenticatedError):
        return _sent_to_sign_in(request, error)
    document = of_parameters(error) if isinstance(error, RequestValidationError) else of_error(error)
    return problem_page(request, document)


def _is_being_made_anew(request: Request) -> bool:
    """Say whether some view still has rows of an earlier version: they may lack what a page shows."""
    with ledger_of(request).database.read() as connection:
        known = read_states(connection)
    return any(view.name not in known or not known[view.name].is_by(view) for view in VIEWS)


def problem_page(request: Request, document: Mapping[str, Any]) -> Response:
    """Return a problem document as a page."""
    headers = dict(HEADERS)
    if document["status"] in (429, 503):
        headers["Retry-After"] = "5"
    shown = {"problem": dict(document), "request_id": REQUEST_ID.get(), "back": words.HOME}
    text = rendered("problem.html", visit=None, **shown)
    return HTMLResponse(text, document["status"], headers)


def _sent_to_sign_in(request: Request, error: UnauthenticatedError) -> Response:
    """Send somebody to the sign-in, and back afterwards. A form that was posted meanwhile is not sent on: it was for a session."""
    had = count_forged(request, error)
    if request.method != "GET":
        document = {"title": "Not signed in", "status": 401, "detail": f"{error}. Sign in, and look at the page again."}
        made = problem_page(request, document)
    else:
        asked = path_of(request) + (f"?{request.url.query}" if request.url.query else "")
        there = words.address("sign-in", next=None if asked == words.HOME else asked, ended="1" if had else None)
        # A part of a page goes nowhere by itself: the whole page is sent, and no form to sign in stands in its middle.
        made = Response(headers={"HX-Redirect": there}) if _is_of_script(request) else RedirectResponse(there, 303)
    forget(request, made)
    return made


def count_forged(request: Request, error: UnauthenticatedError) -> bool:
    """Count a cookie that is not good as a try, and say whether there was one."""
    had: bool = request.scope.get("had_session", False)
    if had:
        count_failure(request, error)
    return had


def _is_of_script(request: Request) -> bool:
    """Say whether a page asks by its script, and nobody by a link or a form."""
    return "hx-request" in request.headers
