"""`POST /v1/intake/{format}`: authenticate the raw bytes, and hand them on. One route for all of `FORMATS`.

Nothing is parsed before it is authenticated. Of a file, the query says what it cannot: its context. What becomes of a body is
`api.desk.taking`.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.desk.posted import check_charset, media_type
from api.desk.problems import RequestError
from api.desk.taking import Body, take
from api.http.auth import appending_caller_of
from api.http.body import read_body, read_unknown_body
from api.http.questions import Route
from api.http.shapes import PROBLEMS, json_answer
from api.http.state import ledger_of, submitting_of
from api.intake import FORMATS
from api.intake.context import ALWAYS, KNOWN, MAX_SAID
from api.intake.formats import Format, HmacHeader
from ledger.authority import Caller, EnrolledSource
from ledger.errors import SetupError

router = APIRouter(tags=["intake"], route_class=Route)

_RESPONSES = PROBLEMS | {
    200: {"description": "This body was recorded before: its first receipts. Or a ping."},
    201: {"description": "Recorded: the receipts of the facts that this body stands for."},
    202: {"description": "Kept, and recorded as intake.unmapped: authentic, but not understood."},
}


def _taking(known: Format) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers a body of a format."""

    async def answer(request: Request) -> Response:
        if known.signature is None:
            content, caller_for = await _by_token(request, known)
        else:
            content, caller_for = await _by_secret(request, known, known.signature)
        context = known.context(dict(request.query_params)) if known.is_file else None
        body = Body(known, request.headers, content, caller_for, context)
        return json_answer(*await take(submitting_of(request), body))

    return answer


def _described(known: Format) -> dict[str, Any]:
    """Return what the description says of a format: the shape of its body is somebody else's, and its context has a parameter each."""
    bodies: dict[str, Any] = {kind: {"schema": {}} for kind in known.media_types}
    asked = (*known.asks, *ALWAYS) if known.is_file else ()
    return {
        "requestBody": {"required": True, "content": bodies},
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": name in known.needs,
                "description": KNOWN[name].doc,
                "schema": {"type": "string", "maxLength": MAX_SAID, "examples": [KNOWN[name].example]},
            }
            for name in asked
        ],
    }


for _known in FORMATS:
    router.add_api_route(
        _known.path,
        _taking(_known),
        methods=["POST"],
        name=f"from_{_known.name.replace('-', '_')}",
        summary=_known.title,
        description=_known.about,
        responses=_RESPONSES,
        status_code=201,
        openapi_extra=_described(_known),
    )


async def _by_token(request: Request, known: Format) -> tuple[bytes, Callable[[str], Caller]]:
    caller = await appending_caller_of(request)
    kind = media_type(request.headers)
    if kind not in known.media_types and (kind or not known.untyped(request.headers)):
        raise RequestError(415, "Unsupported media type", f"expected {' or '.join(known.media_types)}")
    check_charset(request.headers)
    return await read_body(request, request.app.state.settings.max_body_bytes), lambda _: caller


async def _by_secret(request: Request, known: Format, signature: HmacHeader) -> tuple[bytes, Callable[[str], Caller]]:
    ledger = ledger_of(request)
    secret = request.app.state.settings.secrets.get(known.name)
    if secret is None:
        raise SetupError(f"no secret is shared with the senders of {known.name}: set {known.secret_variable}")
    # Whoever has not even signed sends no body.
    signature.check_signed(request.headers)
    body = await read_unknown_body(request, request.app.state.settings.max_body_bytes)
    signature.check(secret.get_secret_value(), body, request.headers)
    # Not before: a stranger who signs with nothing would have the places of whoever has the secret. Nobody is refused here: such senders
    # do not come again.
    await request.scope["place"].take(request.app.state.shares.for_body(len(body)), f"hmac:{known.name}")
    return body, lambda source: _hmac_caller(ledger.authority.door(known.name, source))


def _hmac_caller(enrolled: EnrolledSource) -> Caller:
    return Caller(enrolled.credential or "hmac:none", enrolled.principal, "hmac", door=enrolled.door)
