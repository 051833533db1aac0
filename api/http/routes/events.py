"""`POST /v1/events`: statements in, receipts out."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, TypeVar

import orjson
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from api.desk import cloudevents
from api.http import problems
from api.http.auth import appending_caller_of, ledger_of
from api.http.body import BATCH, check_charset, media_type, read_body
from api.http.problems import RequestError
from api.http.questions import Route
from ledger.authority import Caller
from ledger.canonical import parse, pointer
from ledger.conditions import Condition, parse_condition
from ledger.entry import Receipt
from ledger.errors import ForbiddenError, LedgerError, StatementError
from ledger.events import CATALOGUE, sentence
from ledger.ledger import Ledger
from ledger.log.recorder import Outcome, Recorded, Refused, Repeated, Submission
from ledger.log.tree import proof_of
from ledger.statement import MAX_STATEMENT_BYTES, STATEMENT_PAYLOAD_TYPE, ErasableText, Statement
from signing import dsse

router = APIRouter(tags=["events"], route_class=Route)

STRUCTURED: Final = ("application/cloudevents+json", "application/json")
DSSE: Final = "application/vnd.dsse+json"
MAX_BATCH: Final = 1000
# A statement with erasable texts is longer as submitted than as recorded.
MAX_SUBMITTED_BYTES: Final = 4 * MAX_STATEMENT_BYTES
# A body that is longer is not parsed where all requests are answered.
MAX_AT_ONCE: Final = 65_536
# How long `?wait=checkpoint` waits.
WAIT_S: Final = 10.0
MAX_POSITION: Final = 2**53 - 1
Position = Annotated[int, Path(ge=1, le=MAX_POSITION, description="Place in the ledger, from 1.")]

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
_PROBLEM: Final[dict[str, Any]] = {
    "description": "A problem document that names the place (RFC 9457).",
    "content": {problems.MEDIA_TYPE: {"schema": {"type": "object", "required": ["title", "status", "detail"]}}},
}
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = dict.fromkeys(
    (400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 503), _PROBLEM
)
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
    ledger, caller = ledger_of(request), await appending_caller_of(request)
    condition = None
    if expect is not None:
        # Beside the lock, for which everybody waits, and beside the loop: it may look at all that a ref was ever named by.
        condition = await asyncio.to_thread(ledger.recorder.look_back, parse_condition(parse(expect.encode())))
    kind = media_type(request)
    check_charset(request)
    body = await read_body(request, request.app.state.settings.max_body_bytes)
    if kind == BATCH:
        return await _append_batch(
            request, ledger, caller, body, atomic=atomic, dry_run=dry_run, condition=condition, wait=wait is not None
        )
    if kind == DSSE:
        try:
            statement = await aside(body, lambda: signed_statement(ledger, body))
        except ForbiddenError:
            # Another process may have enrolled the key a moment ago.
            await asyncio.to_thread(ledger.current_authority)
            statement = await aside(body, lambda: signed_statement(ledger, body))
        caller = replace(caller, trust="signed")
    else:
        statement = await aside(body, lambda: ledger.admission.admit(event_of(request, kind, body)))
    permitted_at = ledger.authority.position
    ledger.authority.permit(caller, statement, ledger.clock.now_us())
    if dry_run:
        return json_answer(200, {"dry_run": True, "entry": _preview(statement, caller)})
    [outcome] = await request.app.state.writer.append([Submission((statement,), caller, condition, permitted_at)])
    return outcome_response(outcome, proofs=await _proofs(request, ledger, [outcome]) if wait else None)


def signed_statement(ledger: Ledger, body: bytes) -> Statement:
    """Return the statement of a DSSE envelope whose producer's signatures hold. Erasable texts lie beside it, with their salts:

    {"payload": "…", "payloadType": "application/cloudevents+json", "signatures": […], "texts": {"title": {"salt": "…", "text": "…"}}}
    """
    document = parse(body, max_size=2 * MAX_SUBMITTED_BYTES)
    envelope = dsse.Envelope.from_json(document)
    if envelope.payload_type != STATEMENT_PAYLOAD_TYPE:
        raise StatementError(
            f"expected payloadType {STATEMENT_PAYLOAD_TYPE}, found {envelope.payload_type!r}"[:200], "/payloadType"
        )
    statement = ledger.admission.admit_signed(
        envelope.payload, envelope.signatures, tuple(_texts_beside(document.get("texts", {})))
    )
    ledger.authority.check_signatures(statement)
    return statement


def _texts_beside(given: Any) -> Iterator[ErasableText]:
    if not isinstance(given, dict):
        raise StatementError("expected texts to be an object: field to salt and text", "/texts")
    for field, item in given.items():
        salt = item.get("salt") if isinstance(item, dict) else None
        if not isinstance(salt, str) or not re.fullmatch("[0-9a-f]{64}", salt) or not isinstance(item.get("text"), str):
            raise StatementError('expected {"salt": "<64 hex digits>", "text": "…"}', f"/texts/{pointer(field)}")
        yield ErasableText(field, bytes.fromhex(salt), item["text"])


async def _proofs(request: Request, ledger: Ledger, outcomes: list[Outcome]) -> dict[int, str]:
    """Return proofs by position once a published checkpoint covers all; none when that takes too long, and all stays recorded."""
    positions = [r.position for outcome in outcomes if not isinstance(outcome, Refused) for r in outcome.receipts]
    published = await request.app.state.publisher.wait_for(max(positions, default=0), WAIT_S)
    if published is None:
        return {}

    def prove() -> dict[int, str]:
        with ledger.database.read() as connection:
            return {position: str(proof_of(connection, position, published)) for position in positions}

    return await asyncio.to_thread(prove)


def event_of(request: Request, kind: str, body: bytes) -> Any:
    """Return the CloudEvents object of a request, whichever of the two modes it came in."""
    headers = cloudevents.attributes(request.headers)
    if headers and kind != STRUCTURED[0]:
        # Who names no type sends JSON: nothing else is taken, and SDKs leave it out.
        if kind not in ("application/json", ""):
            raise RequestError(
                415, "Unsupported media type", f"binary mode carries data as application/json, found {kind}"
            )
        return {**headers, "data": parse(body, max_size=MAX_SUBMITTED_BYTES)}
    if kind not in STRUCTURED:
        raise RequestError(
            415,
            "Unsupported media type",
            f"expected {', '.join((*STRUCTURED, BATCH))} or ce- headers, found {kind or 'none'}",
        )
    event = parse(body, max_size=MAX_SUBMITTED_BYTES)
    if isinstance(event, dict):
        for name, value in headers.items():
            if event.get(name) is not None and not cloudevents.is_same(name, value, event[name]):
                raise StatementError(f"the header ce-{name} says {value!r}, the body {event[name]!r}"[:300], f"/{name}")
    return event


R = TypeVar("R")


async def aside(body: bytes, work: Callable[[], R]) -> R:
    """Do what takes time in proportion to a body: for a long one in a thread, where nobody else's request waits for it."""
    return work() if len(body) <= MAX_AT_ONCE else await asyncio.to_thread(work)


def _admitted(ledger: Ledger, caller: Caller, body: bytes, *, atomic: bool) -> list[Statement | LedgerError]:
    """Return what each event of a batch becomes. Of an atomic one, the first fault is raised."""
    events = parse(body)
    if not isinstance(events, list) or not 0 < len(events) <= MAX_BATCH:
        raise StatementError(f"expected an array of 1 to {MAX_BATCH} events")
    statements: list[Statement | LedgerError] = []
    for number, event in enumerate(events):
        try:
            statement = ledger.admission.admit(event)
            ledger.authority.permit(caller, statement, ledger.clock.now_us())
            statements.append(statement)
        except LedgerError as error:
            if isinstance(error, StatementError):
                error.place = f"/{number}{error.place}"
            if atomic:
                raise
            statements.append(error)
    return statements


async def _append_batch(
    request: Request,
    ledger: Ledger,
    caller: Caller,
    body: bytes,
    *,
    atomic: bool,
    dry_run: bool,
    condition: Condition | None,
    wait: bool,
) -> Response:
    if condition is not None and not atomic:
        raise RequestError(
            400, "Bad request", "an append condition goes with a single event or with ?atomic=true", "/expect"
        )
    permitted_at = ledger.authority.position
    statements = await aside(body, lambda: _admitted(ledger, caller, body, atomic=atomic))
    good = [s for s in statements if isinstance(s, Statement)]
    if dry_run:
        previews = [
            {"status": 200, "entry": _preview(s, caller)} if isinstance(s, Statement) else _item(Refused(s))
            for s in statements
        ]
        return json_answer(200 if len(good) == len(statements) else 207, {"dry_run": True, "items": previews})
    writer = request.app.state.writer
    if atomic:
        [outcome] = await writer.append([Submission(tuple(good), caller, condition, permitted_at)])
        return outcome_response(outcome, many=True, proofs=await _proofs(request, ledger, [outcome]) if wait else None)
    answered = await writer.append([Submission((s,), caller, None, permitted_at) for s in good]) if good else []
    proofs = await _proofs(request, ledger, answered) if wait else None
    outcomes = iter(answered)
    items = [_item(next(outcomes) if isinstance(s, Statement) else Refused(s), proofs) for s in statements]
    statuses = {item["status"] for item in items}
    return json_answer(statuses.pop() if statuses in ({200}, {201}) else 207, {"items": items})


def _item(outcome: Outcome, proofs: dict[int, str] | None = None) -> dict[str, Any]:
    if isinstance(outcome, Refused):
        document = problems.of_error(outcome.error)
        return {"status": document["status"], "problem": document}
    return {"status": 201 if isinstance(outcome, Recorded) else 200, "receipt": _receipt(outcome.receipts[0], proofs)}


def _receipt(receipt: Receipt, proofs: dict[int, str] | None) -> dict[str, Any]:
    document = receipt.to_json()
    return document if proofs is None else document | {"proof": proofs.get(receipt.position)}


def outcome_response(outcome: Outcome, *, many: bool = False, proofs: dict[int, str] | None = None) -> Response:
    """Return 201 with receipts, 200 for repeats, or the problem. Each receipt carries its proof when one was asked for, or null."""
    if isinstance(outcome, Refused):
        return problems.response(outcome.error)
    receipts = [_receipt(receipt, proofs) for receipt in outcome.receipts]
    return json_answer(200 if isinstance(outcome, Repeated) else 201, {"receipts": receipts} if many else receipts[0])


def _preview(statement: Statement, caller: Caller) -> dict[str, Any]:
    return {
        "recorded_by": json.loads(caller.json),
        "refs": list(statement.refs),
        "statement": json.loads(statement.body),
        "says": sentence(CATALOGUE[statement.type], statement.data),
    }


def json_answer(status: int, document: Any, headers: dict[str, str] | None = None) -> Response:
    """Return an answer in JSON, encoded once."""
    return Response(orjson.dumps(document), status, headers, media_type="application/json")
