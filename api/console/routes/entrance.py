"""In and out: sign-in by a token, sign-out, the stylesheet, and the way from a name to its page."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from api.console.finding_ways import way_to
from api.console.forms import read_form, read_own_form
from api.console.pages import KnownVisit, PageRoute, page, plain_page
from api.console.sessions import MAX_TOKEN
from api.console.signed_in import check_way, forget, remember, session_of, sessions_of
from api.console.static import ASSETS
from api.console.words import HOME
from api.http.problems import count_failure
from api.http.shapes import FOREVER
from api.http.state import ledger_of
from ledger.errors import ForbiddenError, NotFoundError, UnauthenticatedError

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Next = Annotated[str | None, Query(max_length=2048)]


@router.get("/console")
def without_slash() -> Response:
    """The console is a folder."""
    return RedirectResponse(HOME, 303)


@router.get("/console/sign-in")
def sign_in_page(
    request: Request, next: Next = None, ended: Annotated[str | None, Query(max_length=1)] = None
) -> Response:
    """Where a token is pasted; where it may not be, why."""
    refused = None
    try:
        check_way(request)
    except ForbiddenError as error:
        refused = str(error)
    return plain_page("sign_in.html", next=_inside(next), refused=refused, ended=ended is not None, fault=None)


@router.post("/console/sign-in")
async def sign_in(request: Request) -> Response:
    """A token becomes a session. It is asked for each time, and never kept but sealed, in the browser."""
    check_way(request)
    form = await read_form(request, ("token", "next"))
    token, after = form.get("token", ""), _inside(form.get("next"))
    ledger = ledger_of(request)
    try:
        if not token or len(token) > MAX_TOKEN:
            raise UnauthenticatedError("expected a token, as `change-ledger token create` printed it")
        ledger.current_authority()
        credential = ledger.authority.authenticate(token, ledger.clock.now_us())
    except UnauthenticatedError as error:
        count_failure(request, error)
        return plain_page("sign_in.html", status=401, next=after, refused=None, ended=False, fault=str(error))
    request.scope["credential"] = credential.id
    answer = RedirectResponse(after, 303)
    session = sessions_of(request).begin("token", token, ledger.clock.now_us(), credential.expires_at_us)
    remember(request, answer, session, anew=True)
    return answer


@router.post("/console/sign-out")
async def sign_out(request: Request) -> Response:
    """The session ends, here and in the browser."""
    answer = RedirectResponse(f"{HOME}sign-in", 303)
    try:
        session = session_of(request)
    except UnauthenticatedError:
        # It has ended already.
        forget(request, answer)
        return answer
    await read_own_form(request, session, ())
    sessions_of(request).end(session)
    forget(request, answer)
    return answer


@router.get("/console/static/{name}")
def static(name: Annotated[str, Path(max_length=80)]) -> Response:
    """The stylesheet or the icon, under a name that changes with it."""
    if (asset := ASSETS.get(name)) is None:
        raise NotFoundError(f"there is no {name[:80]!r}: expected {' or '.join(ASSETS)}")
    return Response(asset.body, media_type=asset.media_type, headers={"Cache-Control": f"public, {FOREVER}"})


@router.get("/console/go")
def go(visit: KnownVisit, q: Annotated[str, Query(max_length=300)] = "") -> Response:
    """From a name to its page: a change, deployment, person, service, digest, a ref or a position; where several fit, all of them."""
    found = way_to(visit.ledger, q.strip())
    if len(found) == 1:
        return RedirectResponse(found[0].address, 303)
    return page(visit, "go.html", title="Go to", q=q.strip(), found=found)


def _inside(after: str | None) -> str:
    """Return where to go afterwards: a page of the console, and never another place."""
    if after is None or not after.startswith(HOME) or "\\" in after or any(ord(letter) < 33 for letter in after):
        return HOME
    return after
