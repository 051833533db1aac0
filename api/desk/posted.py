"""What was posted: headers and bytes become what somebody says. One event, a batch of them, or one that its producer signed.

CloudEvents 1.0 in its modes structured, binary and batch, and DSSE envelopes. Judges nothing: whether what is said can
be a statement, and by whom, is for `api.desk.submitting`.

    Content-Type: application/cloudevents-batch+json

    [{"specversion":"1.0","id":"1",…},{"specversion":"1.0","id":"2",…}]

becomes two `Said`, the first with the place `/0`, to be answered each for itself.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from api.desk.problems import RequestError, worded
from api.intake import cloudevents
from ledger.canonical import parse, pointer
from ledger.errors import StatementError
from ledger.statement import MAX_STATEMENT_BYTES, STATEMENT_PAYLOAD_TYPE, ErasableText, Evidence
from signing import dsse

STRUCTURED: Final = ("application/cloudevents+json", "application/json")
BATCH: Final = "application/cloudevents-batch+json"
DSSE: Final = "application/vnd.dsse+json"
MAX_BATCH: Final = 1000
# A statement with erasable texts is longer as submitted than as recorded.
MAX_SUBMITTED_BYTES: Final = 4 * MAX_STATEMENT_BYTES
_parameter: Final = re.compile(r';\s*([^=;\s"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')
_is_salt = re.compile("[0-9a-f]{64}").fullmatch
# A header may come twice: `items` names it each time.
Headers = Mapping[str, str]
# Each for itself, or all together and answered by one receipt or by several.
Shape = Literal["one", "all", "each"]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that somebody says: a CloudEvents object, and what is kept beside it. `place` leads to it in what was sent."""

    event: Any
    place: str = ""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Signed:
    """The same, signed by its producer: the bytes that were signed, and the texts that they commit to."""

    payload: bytes
    signatures: tuple[dsse.Signature, ...]
    texts: tuple[ErasableText, ...]
    place: str = ""


@dataclass(frozen=True, slots=True)
class Posted:
    """All that one request says, and how it is answered."""

    said: tuple[Said | Signed, ...]
    shape: Shape = "one"


def media_type(headers: Headers) -> str:
    """Return the media type of a body, without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def check_charset(headers: Headers) -> None:
    """Raise RequestError for JSON that its header says is not in UTF-8, which is the only encoding that JSON has (RFC 8259 §8.1)."""
    for header, said in headers.items():
        if header.lower() != "content-type" or ";" not in said:
            continue
        for name, value in _parameter.findall(said):
            charset = value.strip().strip('"').lower()
            if name.lower() == "charset" and charset not in ("utf-8", "us-ascii"):
                raise RequestError(415, "Unsupported charset", f"expected charset=utf-8, found {charset[:40]!r}")


def read(headers: Headers, body: bytes) -> Posted:
    """Return what a request says. Raises RequestError for a media type that is not read here, StatementError naming the place."""
    kind = media_type(headers)
    if kind == BATCH:
        return Posted(tuple(Said(event, f"/{number}") for number, event in enumerate(_events(body))), "each")
    return Posted((_signed(body) if kind == DSSE else Said(_event(headers, kind, body)),))


def model_of(model: type[Model], said: bytes | Mapping[str, Any]) -> Model:
    """Return what somebody asks for as a model, of JSON or of what was read of it. Raises StatementError naming the place."""
    try:
        return model.model_validate_json(said) if isinstance(said, bytes) else model.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise StatementError(*worded(first, sorted(model.model_fields))) from None


def _events(body: bytes) -> list[Any]:
    events = parse(body)
    if not isinstance(events, list) or not 0 < len(events) <= MAX_BATCH:
        raise StatementError(f"expected an array of 1 to {MAX_BATCH} events")
    return events


def _event(headers: Headers, kind: str, body: bytes) -> Any:
    """Return the CloudEvents object of a request, whichever of the two modes it came in."""
    attributes = cloudevents.attributes(headers)
    if attributes and kind != STRUCTURED[0]:
        # Who names no type sends JSON: nothing else is taken, and SDKs leave it out.
        if kind not in ("application/json", ""):
            raise RequestError(
                415, "Unsupported media type", f"binary mode carries data as application/json, found {kind}"
            )
        return {**attributes, "data": parse(body, max_size=MAX_SUBMITTED_BYTES)}
    if kind not in STRUCTURED:
        expected = f"{', '.join((*STRUCTURED, BATCH, DSSE))} or ce- headers"
        raise RequestError(415, "Unsupported media type", f"expected {expected}, found {kind or 'none'}")
    event = parse(body, max_size=MAX_SUBMITTED_BYTES)
    if attributes and isinstance(event, dict):
        for name, value in attributes.items():
            if event.get(name) is not None and not cloudevents.is_same(name, value, event[name]):
                raise StatementError(f"the header ce-{name} says {value!r}, the body {event[name]!r}"[:300], f"/{name}")
    return event


def _signed(body: bytes) -> Signed:
    """Return what a DSSE envelope holds. Erasable texts lie beside it, with their salts:

    {"payload": "…", "payloadType": "application/cloudevents+json", "signatures": […], "texts": {"title": {"salt": "…", "text": "…"}}}
    """
    document = parse(body, max_size=2 * MAX_SUBMITTED_BYTES)
    envelope = dsse.Envelope.from_json(document)
    if envelope.payload_type != STATEMENT_PAYLOAD_TYPE:
        raise StatementError(
            f"expected payloadType {STATEMENT_PAYLOAD_TYPE}, found {envelope.payload_type!r}"[:200], "/payloadType"
        )
    return Signed(envelope.payload, envelope.signatures, tuple(_texts_beside(document.get("texts", {}))))


def _texts_beside(given: Any) -> Iterator[ErasableText]:
    if not isinstance(given, dict):
        raise StatementError("expected texts to be an object: field to salt and text", "/texts")
    for field, item in given.items():
        salt = item.get("salt") if isinstance(item, dict) else None
        if not isinstance(salt, str) or not _is_salt(salt) or not isinstance(item.get("text"), str):
            raise StatementError('expected {"salt": "<64 hex digits>", "text": "…"}', f"/texts/{pointer(field)}")
        yield ErasableText(field, bytes.fromhex(salt), item["text"])
