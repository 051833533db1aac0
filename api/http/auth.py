"""Who may use which route: bearer tokens, and one table of role × route.

`ROUTES` is the whole truth: a route that is not in it cannot be mounted, and a test tries every cell. What a reporter
may report (areas, sources) is judged by `ledger.authority`, again under the lock.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.types import Scope

from api.desk.posted import BATCH, media_type
from api.desk.submitting import Prepared
from api.http.limits import DAY_S, Limits, Rate
from api.http.problems import TooManyRequestsError
from api.http.state import ledger_of
from api.intake import FORMATS
from ledger.authority import Caller, Credential
from ledger.errors import ForbiddenError, UnauthenticatedError
from ledger.events.statement import StatementWithdrawn
from ledger.ledger import Ledger
from ledger.statement import Statement

REPORTER, AUDITOR, ANALYST, OPERATOR = "reporter", "auditor", "analyst", "operator"
ROLES: Final = (REPORTER, AUDITOR, ANALYST, OPERATOR)
# Open to everybody: health, and what verifying needs.
PUBLIC: Final[tuple[str, ...]] = ()
READERS: Final = (AUDITOR, ANALYST, OPERATOR)
ANYBODY_KNOWN: Final = ROLES
# The sender's own signature over the body takes the place of a token.
BY_SIGNATURE: Final = ("signature",)

# HEAD stands where GET does, for the same roles.
ROUTES: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/readyz/views"): PUBLIC,
    ("GET", "/v1/ledger"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/checkpoint"): PUBLIC,
    ("GET", "/tile/{level}/{path}"): PUBLIC,
    # Unless the ledger has public entries.
    ("GET", "/tile/entries/{path}"): (AUDITOR, OPERATOR),
    ("GET", "/tile/signatures/{path}"): (AUDITOR, OPERATOR),
    ("GET", "/v1/ledger/checkpoints"): PUBLIC,
    ("GET", "/v1/ledger/consistency"): PUBLIC,
    ("GET", "/v1/ledger/keys"): PUBLIC,
    ("POST", "/v1/ledger/keys"): (OPERATOR,),
    ("DELETE", "/v1/ledger/keys/{role}/{key_id}"): (OPERATOR,),
    ("GET", "/v1/events/{position}/proof"): ANYBODY_KNOWN,
    ("GET", "/v1/dossiers/{ref}"): READERS,
    ("POST", "/v1/ledger/heads"): (OPERATOR,),
    ("GET", "/v1/catalogue"): ANYBODY_KNOWN,
    ("GET", "/v1/catalogue/{type}"): ANYBODY_KNOWN,
    ("POST", "/v1/events"): (REPORTER, OPERATOR),
    ("GET", "/v1/events"): READERS,
    ("GET", "/v1/events/stream"): READERS,
    ("GET", "/v1/events/{position}"): READERS,
    ("GET", "/v1/events/{position}/entry"): READERS,
    ("GET", "/v1/events/{position}/envelope"): READERS,
    ("GET", "/v1/events/{position}/evidence/{sha256}"): (AUDITOR, OPERATOR),
    ("DELETE", "/v1/events/{position}/texts"): (OPERATOR,),
    ("DELETE", "/v1/events/{position}/evidence/{sha256}"): (OPERATOR,),
    ("POST", "/v1/ledger/verify"): (AUDITOR, OPERATOR),
    ("GET", "/v1/ledger/credentials"): (AUDITOR, OPERATOR),
    ("POST", "/v1/ledger/credentials"): (OPERATOR,),
    ("DELETE", "/v1/ledger/credentials/{credential}"): (OPERATOR,),
    ("GET", "/v1/ledger/trust-rules"): (AUDITOR, OPERATOR),
    ("POST", "/v1/ledger/trust-rules"): (OPERATOR,),
    ("GET", "/v1/ledger/sources"): (AUDITOR, OPERATOR),
    ("POST", "/v1/ledger/sources"): (OPERATOR,),
    ("DELETE", "/v1/ledger/sources"): (OPERATOR,),
    ("GET", "/v1/ledger/imports"): READERS,
    ("POST", "/v1/ledger/imports"): (OPERATOR,),
    ("DELETE", "/v1/ledger/imports/{import_id}"): (OPERATOR,),
    # Whoever holds a program may ask whether it is ours.
    ("GET", "/v1/ledger/tools"): PUBLIC,
    ("POST", "/v1/ledger/tools"): (OPERATOR,),
    ("GET", "/v1/views"): READERS,
    ("POST", "/v1/views/check"): (AUDITOR, OPERATOR),
    ("POST", "/v1/views/rebuild"): (OPERATOR,),
    ("POST", "/v1/views/skip"): (OPERATOR,),
    ("GET", "/v1/views/{view}"): READERS,
    ("GET", "/v1/views/{view}/{key}"): READERS,
    ("GET", "/v1/delivery"): READERS,
    ("GET", "/v1/calendar.ics"): READERS,
    ("GET", "/v1/risk/backtest"): READERS,
    ("GET", "/v1/risk/fit"): READERS,
    ("GET", "/v1/gates"): ANYBODY_KNOWN,
    # A question is a fact of its own: who may report may ask.
    ("POST", "/v1/gates/{gate}"): (REPORTER, OPERATOR),
    ("GET", "/v1/gates/{gate}/what-if"): ANYBODY_KNOWN,
    ("GET", "/v1/gates/decisions/{position}/recheck"): READERS,
    # Looks, and records nothing: a version is published as a statement.
    ("POST", "/v1/policies/check"): READERS,
    ("POST", "/v1/policies/try"): READERS,
    **{("POST", known.path): (REPORTER, OPERATOR) if known.signature is None else BY_SIGNATURE for known in FORMATS},
    # Pages: a session stands for its token.
    ("GET", "/console"): PUBLIC,
    ("GET", "/console/"): READERS,
    ("GET", "/console/sign-in"): PUBLIC,
    ("POST", "/console/sign-in"): PUBLIC,
    ("POST", "/console/sign-out"): PUBLIC,
    ("GET", "/console/static/{name}"): PUBLIC,
    ("GET", "/console/stream"): READERS,
    ("GET", "/console/go"): READERS,
    ("GET", "/console/changes"): READERS,
    ("GET", "/console/changes/{change_id}"): READERS,
    ("POST", "/console/changes/{change_id}"): (REPORTER, OPERATOR),
    ("GET", "/console/findings"): READERS,
    ("GET", "/console/findings.json"): READERS,
    ("GET", "/console/findings.csv"): READERS,
    ("GET", "/console/findings/{finding_id}"): READERS,
    ("POST", "/console/findings/{finding_id}"): (REPORTER, OPERATOR),
    ("GET", "/console/running"): READERS,
    ("GET", "/console/running.json"): READERS,
    ("GET", "/console/running.csv"): READERS,
    ("GET", "/console/board"): READERS,
    ("GET", "/console/board/{meeting_id}"): READERS,
    ("POST", "/console/board/{meeting_id}"): (REPORTER, OPERATOR),
    ("GET", "/console/calendar"): READERS,
    ("GET", "/console/calendar.json"): READERS,
    ("GET", "/console/calendar.csv"): READERS,
    ("GET", "/console/risk"): READERS,
    ("GET", "/console/access"): READERS,
    ("GET", "/console/access/{review_id}"): READERS,
    ("POST", "/console/access/{review_id}"): (REPORTER, OPERATOR),
    ("GET", "/console/delivery"): READERS,
    ("GET", "/console/delivery.json"): READERS,
    ("GET", "/console/delivery.csv"): READERS,
    ("GET", "/console/gates"): READERS,
    ("GET", "/console/gates.json"): READERS,
    ("GET", "/console/ledger"): READERS,
    ("GET", "/console/ledger.json"): READERS,
    # All entries are read: as at the API, not for everybody.
    ("POST", "/console/ledger"): (AUDITOR, OPERATOR),
    ("GET", "/console/verify"): READERS,
    # Whoever was given a proof checks it, and has no token.
    ("GET", "/console/verify.html"): PUBLIC,
    ("GET", "/console/views"): READERS,
    ("GET", "/console/views.json"): READERS,
    ("GET", "/console/views.csv"): READERS,
    ("GET", "/console/views/{view}"): READERS,
    ("GET", "/console/views/{view}/{key}"): READERS,
    ("GET", "/console/about/{ref}"): READERS,
    ("GET", "/console/entries"): READERS,
    ("GET", "/console/entries.json"): READERS,
    ("GET", "/console/entries.csv"): READERS,
    ("GET", "/console/entries/{position}"): READERS,
    # Whatever else: a page that says that there is none.
    ("GET", "/console/{path}"): READERS,
}


def credential_of(ledger: Ledger, header: str) -> Credential:
    """Return the credential that the header Authorization shows, or raise UnauthenticatedError."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError("expected the header Authorization: Bearer <token>")
    return ledger.authority.authenticate(token.strip(), ledger.clock.now_us())


def shown_by(ledger: Ledger, scope: Scope) -> str | None:
    """Return the id of the credential that the header Authorization of a request shows, None where this process knows none."""
    header = next((value for name, value in scope["headers"] if name == b"authorization"), None)
    if header is None:
        return None
    try:
        return credential_of(ledger, header.decode("latin-1")).id
    except UnauthenticatedError:
        return None


def _check_rate(request: Request, credential: Credential) -> None:
    limits: Limits = request.app.state.settings.limits
    wait_s = request.app.state.rate.take(credential.id, time.monotonic())
    if not wait_s or limits.exempts(credential.id, is_batch=media_type(request.headers) == BATCH):
        return
    raise TooManyRequestsError(credential.id, limits.credential_per_minute, wait_s)


def room_checked(limits: Limits) -> Callable[[str, int], None]:
    """Return what raises TooManyRequestsError for a credential that would append more bytes than it may.

    Each server counts for itself, and anew when it starts: it bounds what a credential can take of a disk before somebody looks.
    """
    rate = Rate(limits.credential_bytes_per_day, DAY_S)

    def check(who: str, size: int) -> None:
        if (wait_s := rate.take(who, time.monotonic(), size)) and who not in limits.exempt_credentials:
            most = limits.credential_bytes_per_day
            raise TooManyRequestsError(who, most, wait_s, what="bytes that are appended", time="a day")

    return check


def rates_checked(limits: Limits, check_room: Callable[[str, int], None]) -> Callable[[Prepared], None]:
    """Return what raises TooManyRequestsError for a credential that appends too much, or takes back too much, one thing after another."""
    check_withdrawals = _withdrawals_checked(limits)

    def check(prepared: Prepared) -> None:
        check_withdrawals(prepared)
        check_room(prepared.caller.credential, prepared.size)

    return check


def _withdrawals_checked(limits: Limits) -> Callable[[Prepared], None]:
    rate = Rate(limits.withdrawals_per_minute)

    def check(prepared: Prepared) -> None:
        if not any(isinstance(made, Statement) and made.type == StatementWithdrawn.type for made in prepared.made):
            return
        who = prepared.caller.credential
        if (wait_s := rate.take(who, time.monotonic())) and who not in limits.exempt_credentials:
            what = "withdrawals (a batch of them is one)"
            raise TooManyRequestsError(who, limits.withdrawals_per_minute, wait_s, what=what)

    return check


def caller_of(request: Request) -> Caller:
    """Return the caller of a request, or raise UnauthenticatedError or ForbiddenError by the table above."""
    return permitted(request, credential_of(ledger_of(request), request.headers.get("authorization", "")))


def permitted(request: Request, credential: Credential) -> Caller:
    """Return the caller with a credential, or raise ForbiddenError by the table above, TooManyRequestsError by its rate."""
    _check_rate(request, credential)
    route = request.scope["route"].path_format
    allowed = ROUTES[request.method, route]
    if not credential.roles.intersection(allowed):
        raise ForbiddenError(
            f"{request.method} {route} needs the role {' or '.join(allowed)}; {credential.id} has {', '.join(sorted(credential.roles))}"
        )
    # For the access log.
    request.scope["credential"] = credential.id
    if (connection := request.scope.get("connection")) is not None:
        connection.holder = credential.id
    cached = _callers.get(credential.id)
    if cached is None or cached.token is not credential:
        cached = _callers[credential.id] = Caller(credential.id, credential.principal, "token", credential)
    return cached


async def appending_caller_of(request: Request) -> Caller:
    """The same for routes that append. The lock judges again, so only a token that is not known is looked up first."""
    try:
        return caller_of(request)
    except UnauthenticatedError:
        # Another process may have issued it a moment ago.
        await asyncio.to_thread(ledger_of(request).current_authority)
        return caller_of(request)


def fresh_caller_of(request: Request) -> Caller:
    """The same for routes that do not append: revocations by other processes are looked up first."""
    ledger_of(request).current_authority()
    return caller_of(request)


# A caller carries its `recorded_by` in bytes; making it once per credential keeps it off the hot path.
_callers: dict[str, Caller] = {}

KnownCaller = Annotated[Caller, Depends(fresh_caller_of)]
