"""The cookie of a session: where it may be set, what it is called, and how it is read.

Over https it is `__Host-…`, Secure, for this host alone. Over plain http anybody on the way could read a token: so it is
refused, but where nobody is on the way, on the machine itself.
"""

import ipaddress
import re
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from api.console.sessions import Session, Sessions
from api.http.state import ledger_of
from ledger.authority import Authority, Credential
from ledger.errors import ForbiddenError, UnauthenticatedError

_PORT: Final = re.compile(r":[0-9]+$")
_NAME: Final = "change-ledger"
SECURE_NAME: Final = f"__Host-{_NAME}"


def sessions_of(request: Request) -> Sessions:
    """Return what makes and reads sessions."""
    found: Sessions = request.app.state.sessions
    return found


def credential_of(session: Session, authority: Authority, now_us: int) -> Credential:
    """Return the credential that a session stands for. Raises UnauthenticatedError where it is good no more."""
    match session.kind:
        case "token":
            return authority.authenticate(session.proof, now_us)


def is_secure(request: Request) -> bool:
    """Say whether a request came over TLS, to this process or to a proxy that is trusted."""
    return request.url.scheme == "https"


def check_way(request: Request) -> None:
    """Raise ForbiddenError where a token would cross a network in the open, or where another site sent the form."""
    if not is_secure(request) and not _is_here(request):
        raise ForbiddenError(
            "expected https: over plain http anybody on the way reads the token. Put a proxy that ends TLS before the server and "
            "name it in `trusted_proxies`, or sign in on the machine itself, at http://127.0.0.1"
        )
    check_origin(request)


def check_origin(request: Request) -> None:
    """Raise ForbiddenError for a form that another site sent: browsers say where one comes from."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None and origin is not None:
        # A browser of before 2023 names the site alone. What is no browser names neither.
        # Without the port, which a proxy may leave out.
        here, there = (
            _PORT.sub("", host.lower()) for host in (request.headers.get("host", ""), origin.partition("://")[2])
        )
        site = "same-origin" if here == there else "cross-site"
    if site not in (None, "same-origin", "none"):
        raise ForbiddenError("expected a form of this console; found one that another site sent")


def _is_here(request: Request) -> bool:
    """Say whether both ends are this machine: who asks, and the name that was asked for."""
    client = request.client.host if request.client is not None else ""
    return _is_loopback(client) and _is_loopback(request.url.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _name(request: Request) -> str:
    return SECURE_NAME if is_secure(request) else _NAME


def session_of(request: Request) -> Session:
    """Return the session of a request. Raises UnauthenticatedError where there is none."""
    cookie = request.cookies.get(_name(request))
    if not cookie:
        raise UnauthenticatedError("expected a session: sign in")
    # For whoever tells it: a cookie that we did not make is a try.
    request.scope["had_session"] = True
    return sessions_of(request).read(cookie, request.app.state.ledger.clock.now_us())


def credential_shown(request: Request) -> str | None:
    """Return the id of the credential that the session of a request stands for; None where this process knows of no such session."""
    if "cookie" not in request.headers:
        return None
    ledger = ledger_of(request)
    try:
        return credential_of(session_of(request), ledger.authority, ledger.clock.now_us()).id
    except UnauthenticatedError:
        return None


def remember(request: Request, answer: Response, session: Session, *, anew: bool = False) -> None:
    """Let the browser keep a session: where it is new, or was last kept some time ago."""
    sessions, now_us = sessions_of(request), request.app.state.ledger.clock.now_us()
    if anew or session.is_stale(now_us):
        answer.set_cookie(
            _name(request),
            sessions.cookie(sessions.renewed(session, now_us)),
            max_age=(session.ends_us - now_us) // 1_000_000,
            path="/",
            secure=is_secure(request),
            httponly=True,
            samesite="lax",
        )


def forget(request: Request, answer: Response) -> None:
    """Let the browser forget its session."""
    answer.delete_cookie(_name(request), path="/", secure=is_secure(request), httponly=True, samesite="lax")
