"""`POST /v1/events`: statements in, receipts out."""

from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.desk.posted import BATCH, DSSE, MAX_BATCH, STRUCTURED, check_charset
from api.desk.submitting import Wishes
from api.http.auth import appending_caller_of
from api.http.body import read_body
from api.http.questions import Route
from api.http.shapes import PROBLEMS, json_answer
from api.http.state import submitting_of
from ledger.statement import STATEMENT_PAYLOAD_TYPE

router = APIRouter(tags=["events"], route_class=Route)

PLAINLY: Final = Wishes()

_EVENT: Final[dict[str, Any]] = {
    "specversion": "1.0",
    "id": "7f1c2a9e-0c2b-4b59-9a35-3f3b6f3f2f10",
    "source": "https://ci.example.com/payments",
    "type": "deployment.started",
    "time": "2026-11-23T12:00:00Z",
    "data": {
        "actor": "service:payments-ci",
        "deployment_id": "payments-api-1042",
        "change_id": "CHG-7",
        "service": "payments-api",
        "environment": "prod",
    },
}
_SCHEMA: Final[dict[str, Any]] = {
    "title": "Statement",
    "type": "object",
    "required": ["specversion", "id", "source", "type", "time", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "pattern": "^[!-~]{1,256}$"},
        "source": {"type": "string", "pattern": "^[!-~]{1,256}$"},
        "type": {"type": "string"},
        "time": {"type": "string", "format": "date-time"},
        "subject": {"type": ["string", "null"], "minLength": 1, "maxLength": 256},
        "data": {"type": "object", "additionalProperties": True, "description": "As GET /v1/catalogue/{type} says."},
    },
    # Extension attributes: one type for all of them, beside `data`, is what strict compilers refuse.
    "additionalProperties": True,
}
# All items, said in a way that openapi-python-client leaves out: where one of several bodies is an array of objects with
# `items`, what it makes cannot post any of them.
_BATCH: Final[dict[str, Any]] = {
    "type": "array",
    "unevaluatedItems": _SCHEMA,
    "minItems": 1,
    "maxItems": MAX_BATCH,
}
_ENVELOPE: Final[dict[str, Any]] = {
    "title": "SignedStatement",
    "type": "object",
    "description": "A DSSE envelope over one canonical CloudEvents object that names this ledger in its extension `ledger`.",
    "required": ["payload", "payloadType", "signatures"],
    "properties": {
        "payload": {"type": "string", "format": "byte"},
        "payloadType": {"const": STATEMENT_PAYLOAD_TYPE},
        "signatures": {"type": "array", "minItems": 1, "maxItems": 4, "items": {"type": "object"}},
        "texts": {"type": "object", "description": "For each erasable field its salt (64 hex digits) and its text."},
    },
}
RECEIPT_EXAMPLE: Final[dict[str, Any]] = {
    "position": 1042,
    "entry_hash": "5b6a…",
    "signature": "MEUC…",
    "key_id": "9f2c…",
    "recorded_at": "2026-11-23T12:00:00.123456Z",
    "source": _EVENT["source"],
    "id": _EVENT["id"],
}
_RECEIPT: Final[dict[str, Any]] = {"application/json": {"schema": {"type": "object"}, "example": RECEIPT_EXAMPLE}}


@router.post(
    "/v1/events",
    status_code=201,
    summary="Append statements",
    responses=PROBLEMS
    | {
        200: {"description": "Every statement was recorded before: the first receipts.", "content": _RECEIPT},
        201: {
            "description": "Recorded. A single event gets a receipt, a batch gets them in order.",
            "content": _RECEIPT,
        },
        207: {"description": "A batch, item by item.", "content": {"application/json": {"schema": {"type": "object"}}}},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                STRUCTURED[0]: {"schema": _SCHEMA, "example": _EVENT},
                STRUCTURED[1]: {"schema": _SCHEMA, "example": _EVENT},
                DSSE: {"schema": _ENVELOPE},
                BATCH: {"schema": _BATCH, "example": [_EVENT]},
            },
        }
    },
)
async def append(
    request: Request,
    atomic: Annotated[bool, Query(description="A batch is recorded whole or not at all.")] = False,
    dry_run: Annotated[bool, Query(description="Validate, and show the entry that would be made.")] = False,
    wait: Annotated[
        Literal["checkpoint"] | None,
        Query(description="`checkpoint`: answer when a published checkpoint covers it, with the proof (at most 10 s)."),
    ] = None,
    expect: Annotated[
        str | None,
        Query(
            description="An append condition: no entry after the position may match.",
            examples=['{"after": 41, "none_of": [{"refs": ["change:CHG-7"]}]}'],
            max_length=8192,
        ),
    ] = None,
) -> Response:
    """CloudEvents 1.0: structured single, batch, or binary mode by `ce-` headers; or one that its producer signed, in a DSSE envelope."""
    return await _append(request, Wishes(atomic, dry_run, wait is not None), expect)


async def append_plainly(request: Request) -> Response:
    """The same for a request without a query (`api.http.straight`)."""
    return await _append(request, PLAINLY)


async def _append(request: Request, wishes: Wishes, expect: str | None = None) -> Response:
    caller, submitting = await appending_caller_of(request), submitting_of(request)
    if expect is not None:
        wishes = replace(wishes, condition=await submitting.condition(expect))
    check_charset(request.headers)
    body = await read_body(request, request.app.state.settings.max_body_bytes)
    return json_answer(*await submitting.post(caller, request.headers, body, wishes))
