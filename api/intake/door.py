"""`/v1/intake/{format}`: authenticate the raw bytes, keep them, translate, append.

The order matters: nothing is parsed before it is authenticated, and nothing authenticated is lost, understood or not.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from api.desk import cloudevents
from api.http.auth import appending_caller_of, ledger_of
from api.http.body import media_type, read_body, read_unknown_body
from api.http.problems import RequestError
from api.http.questions import Route
from api.http.routes.events import PROBLEMS, STRUCTURED, outcome_response
from api.intake import cdevents, github
from api.intake.translation import ContradictionError, Fact, Headers, Mapped, Nothing, Translation, Unmapped
from ledger.authority import Caller, EnrolledSource
from ledger.errors import ForbiddenError, SetupError, StatementError
from ledger.ledger import Ledger
from ledger.log.recorder import Submission
from ledger.statement import Evidence, Statement

router = APIRouter(tags=["intake"], route_class=Route)

_FORM: Final = "application/x-www-form-urlencoded"
# From here on a body is parsed beside the event loop, which others wait for.
_LARGE: Final = 65_536
_not_label = re.compile(r"[^A-Za-z0-9._/+-]+")
_RESPONSES = PROBLEMS | {
    200: {"description": "This body was recorded before: its first receipts. Or a ping."},
    201: {"description": "Recorded: the receipts of the facts that this body stands for."},
    202: {"description": "Kept, and recorded as intake.unmapped: authentic, but not understood."},
}


def _takes(*kinds: str) -> dict[str, Any]:
    """Return what the OpenAPI document says of a body whose shape is somebody else's."""
    return {"requestBody": {"required": True, "content": {kind: {"schema": {}} for kind in kinds}}}


@router.post(
    "/v1/intake/github",
    summary="GitHub webhooks",
    responses=_RESPONSES,
    status_code=201,
    openapi_extra=_takes("application/json", _FORM),
)
async def from_github(request: Request) -> Response:
    """`deployment`, `deployment_status`, `pull_request`, `pull_request_review` and `ping`, in JSON or as a form.

    X-Hub-Signature-256 over the raw body authenticates it.
    """
    ledger = ledger_of(request)
    secret = request.app.state.settings.github_secret
    if secret is None:
        raise SetupError("no secret of the GitHub webhook is set: CHANGE_LEDGER_GITHUB_SECRET")
    # Whoever has not even signed sends no body.
    github.check_signed(request.headers)
    body = await read_unknown_body(request, request.app.state.settings.max_body_bytes)
    github.check_signature(secret.get_secret_value(), body, request.headers)

    def door(source: str) -> Caller:
        try:
            return _hmac_caller(ledger.authority.door("github", source))
        except ForbiddenError:
            # Another process may have enrolled it a moment ago.
            return _hmac_caller(ledger.current_authority().door("github", source))

    return await _take(request, ledger, github.translate, "github", body, door)


@router.post(
    "/v1/intake/cdevents",
    summary="CDEvents 0.4 and 0.5",
    responses=_RESPONSES,
    status_code=201,
    openapi_extra=_takes(*STRUCTURED),
)
async def from_cdevents(request: Request) -> Response:
    """`service.deployed`, `.upgraded`, `.rolledback`, `change.merged` and `incident.detected`, in binary or structured CloudEvents."""
    ledger, caller = ledger_of(request), await appending_caller_of(request)
    kind = media_type(request)
    # Binary mode without a type carries JSON, as at /v1/events.
    if kind not in STRUCTURED and (kind or not cloudevents.attributes(request.headers)):
        raise RequestError(415, "Unsupported media type", "expected application/json or application/cloudevents+json")
    body = await read_body(request, request.app.state.settings.max_body_bytes)
    return await _take(request, ledger, cdevents.translate, "cdevents", body, lambda _: caller)


def _hmac_caller(enrolled: EnrolledSource) -> Caller:
    return Caller(enrolled.credential or "hmac:none", enrolled.principal, "hmac", door=enrolled.door)


async def _take(
    request: Request,
    ledger: Ledger,
    translate: Callable[[Headers, bytes], Translation],
    form: str,
    body: bytes,
    caller_for: Callable[[str], Caller],
) -> Response:
    kept = (Evidence.of(body, _FORM if body.startswith(github.FORM_PREFIX) else "application/json"),)
    sha256 = hashlib.sha256(body).hexdigest()
    source = ""
    try:
        if len(body) > _LARGE:
            translation = await asyncio.to_thread(translate, request.headers, body)
        else:
            translation = translate(request.headers, body)
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
    except ContradictionError:
        raise
    except StatementError as error:
        unmapped = Unmapped(form, f"field{error.place}", source)
    return await _append_unmapped(request, ledger, form, unmapped, sha256, kept, caller_for)


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


def _label(text: str) -> str:
    return (_not_label.sub("-", text).strip("._/+-") or "none")[:64]
