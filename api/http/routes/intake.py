"""`POST /v1/intake/{format}`: authenticate the raw bytes, keep them, translate, append. One route for all of `FORMATS`.

The order matters: nothing is parsed before it is authenticated, and nothing authenticated is lost, understood or not.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from api.http import problems
from api.http.auth import appending_caller_of, ledger_of
from api.http.body import check_charset, media_type, read_body, read_unknown_body
from api.http.problems import RequestError
from api.http.questions import Route
from api.http.routes.events import PROBLEMS, outcome_response
from api.intake import FORMATS
from api.intake.formats import Format, HmacHeader
from api.intake.translation import ContradictionError, Fact, Mapped, Nothing, Unmapped
from ledger.authority import Caller, EnrolledSource
from ledger.errors import ForbiddenError, SetupError, StatementError
from ledger.ledger import Ledger
from ledger.log.recorder import Refused, Submission
from ledger.statement import Evidence, Statement

router = APIRouter(tags=["intake"], route_class=Route)

# The reason of an entry that keeps a body which its headers contradict.
CONTRADICTED: Final = "contradicts-its-headers"
# From here on a body is parsed beside the event loop, which others wait for.
_LARGE: Final = 65_536
_not_label = re.compile(r"[^A-Za-z0-9._/+-]+")
_RESPONSES = PROBLEMS | {
    200: {"description": "This body was recorded before: its first receipts. Or a ping."},
    201: {"description": "Recorded: the receipts of the facts that this body stands for."},
    202: {"description": "Kept, and recorded as intake.unmapped: authentic, but not understood."},
}


def _taking(known: Format) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers a body of a format."""

    async def take(request: Request) -> Response:
        ledger = ledger_of(request)
        if known.signature is None:
            body, caller_for = await _by_token(request, known)
        else:
            body, caller_for = await _by_secret(request, known, known.signature)
        return await _take(request, ledger, known, body, caller_for)

    return take


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
        # The shape of the body is somebody else's.
        openapi_extra={
            "requestBody": {"required": True, "content": {kind: {"schema": {}} for kind in _known.media_types}}
        },
    )


async def _by_token(request: Request, known: Format) -> tuple[bytes, Callable[[str], Caller]]:
    caller = await appending_caller_of(request)
    kind = media_type(request)
    if kind not in known.media_types and (kind or not known.untyped(request.headers)):
        raise RequestError(415, "Unsupported media type", f"expected {' or '.join(known.media_types)}")
    check_charset(request)
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

    def caller_for(source: str) -> Caller:
        try:
            return _hmac_caller(ledger.authority.door(known.name, source))
        except ForbiddenError:
            # Another process may have enrolled it a moment ago.
            return _hmac_caller(ledger.current_authority().door(known.name, source))

    return body, caller_for


def _hmac_caller(enrolled: EnrolledSource) -> Caller:
    return Caller(enrolled.credential or "hmac:none", enrolled.principal, "hmac", door=enrolled.door)


async def _take(
    request: Request,
    ledger: Ledger,
    known: Format,
    body: bytes,
    caller_for: Callable[[str], Caller],
) -> Response:
    kept = (Evidence.of(body, known.kept_as(body)),)
    sha256 = hashlib.sha256(body).hexdigest()
    source = ""
    try:
        if len(body) > _LARGE:
            translation = await asyncio.to_thread(known.translate, request.headers, body)
        else:
            translation = known.translate(request.headers, body)
        if isinstance(translation, Nothing):
            return JSONResponse(translation.answer)
        if isinstance(translation, Mapped):
            source = translation.facts[0].source
            statements = [
                _statement(ledger, fact, f"{sha256}/{number}", () if number else kept)
                for number, fact in enumerate(translation.facts)
            ]
            return await _append(request, ledger, statements, caller_for(source))
        unmapped = translation
    except ContradictionError as error:
        return await _refuse_contradiction(request, ledger, known.name, error, sha256, kept, caller_for)
    except StatementError as error:
        unmapped = Unmapped(known.name, f"field{error.place}", source)
    return await _append_unmapped(request, ledger, known.name, unmapped, sha256, kept, caller_for)


def _statement(ledger: Ledger, fact: Fact, identifier: str, kept: tuple[Evidence, ...]) -> Statement:
    event = {
        "specversion": "1.0",
        "id": identifier,
        "source": fact.source,
        "type": fact.type,
        "time": fact.time,
        "data": fact.data,
        "subject": fact.subject or None,
        # What of the body stands in the evidence alone.
        "leftout": " ".join(fact.left_out) or None,
    }
    return ledger.admission.admit(event, evidence=kept)


async def _append(request: Request, ledger: Ledger, statements: list[Statement], caller: Caller) -> Response:
    permitted_at = ledger.authority.position
    for statement in statements:
        ledger.authority.permit(caller, statement, ledger.clock.now_us())
    [outcome] = await request.app.state.writer.append([Submission(tuple(statements), caller, None, permitted_at)])
    return outcome_response(outcome, many=True)


async def _append_unmapped(
    request: Request,
    ledger: Ledger,
    form: str,
    unmapped: Unmapped,
    sha256: str,
    kept: tuple[Evidence, ...],
    caller_for: Callable[[str], Caller],
) -> Response:
    actor = caller_for(unmapped.source).principal
    data = {
        "actor": actor,
        "format": form,
        "kind": _label(unmapped.kind),
        "reason": _label(unmapped.reason),
        "body_sha256": sha256,
    }
    statement = ledger.ledger_statement("intake.unmapped", data, identifier=f"{form}/{sha256}", evidence=kept)
    [outcome] = await request.app.state.writer.append([Submission((statement,), ledger.own_caller(), None)])
    answer = outcome_response(outcome, many=True)
    if answer.status_code == 201:
        answer.status_code = 202
    return answer


async def _refuse_contradiction(
    request: Request,
    ledger: Ledger,
    form: str,
    error: ContradictionError,
    sha256: str,
    kept: tuple[Evidence, ...],
    caller_for: Callable[[str], Caller],
) -> Response:
    """Keep a body that its headers contradict, and refuse it. The entry names nothing of the headers, which nobody signed: whoever
    sends one body under many names makes one entry.
    """
    data = {
        "actor": caller_for("").principal,
        "format": form,
        "kind": "none",
        "reason": CONTRADICTED,
        "body_sha256": sha256,
    }
    statement = ledger.ledger_statement(
        "intake.unmapped", data, identifier=f"{form}/{sha256}/{CONTRADICTED}", evidence=kept
    )
    [outcome] = await request.app.state.writer.append([Submission((statement,), ledger.own_caller(), None)])
    if isinstance(outcome, Refused):
        return problems.response(outcome.error)
    position = outcome.receipts[0].position
    return problems.response(
        StatementError(f"{error}; the body is kept at position {position}, and states nothing", error.place)
    )


def _label(text: str) -> str:
    return (_not_label.sub("-", text).strip("._/+-") or "none")[:64]
