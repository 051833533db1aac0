"""Producers that sign what they say: their keys, envelopes over canonical JSON, and texts that lie beside them."""

import base64
import hashlib
from typing import Any

import rfc8785
from httpx import Response
from ledgers import ORIGIN, possession
from servers import Server, check_problem, event

from signing import dsse
from signing.keys import SigningKey

PAYLOAD_TYPE = "application/cloudevents+json"
DSSE = "application/vnd.dsse+json"
SALT = b"\x5a" * 32


def producer_key(number: int) -> SigningKey:
    return SigningKey.from_seed(number.to_bytes(32))


def said(event_type: str = "deployment.finished", /, *, source: str | None = None, **data: Any) -> dict[str, Any]:
    """Return an event that may be signed: it names the ledger that it is for."""
    made = event(event_type, **data) | {"ledger": ORIGIN}
    return made if source is None else made | {"source": source}


def with_texts(statement: dict[str, Any], salt: bytes = SALT, **texts: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a statement that commits to texts, and the texts with their salts."""
    committed = {
        name: {"sha256": hashlib.sha256(salt + text.encode("utf-8", "surrogatepass")).hexdigest()}
        for name, text in texts.items()
    }
    beside = {name: {"salt": salt.hex(), "text": text} for name, text in texts.items()}
    return statement | {"data": statement["data"] | committed}, beside


def signed(statement: dict[str, Any] | bytes, *keys: SigningKey, **more: Any) -> dict[str, Any]:
    """Return the envelope of a statement: signed by all `keys` over its canonical form, or over bytes as they are."""
    payload = statement if isinstance(statement, bytes) else rfc8785.dumps(statement)
    signatures = tuple(dsse.Signature(key.key_id, dsse.sign(key, PAYLOAD_TYPE, payload)) for key in keys)
    return dsse.Envelope(PAYLOAD_TYPE, payload, signatures).to_json() | more


def enrol(server: Server, key: SigningKey, *sources: str, name: str = "service:payments-ci") -> int:
    """Enrol a producer's key over HTTP; return the position after which it is valid."""
    wanted = {"role": "producer", "name": name, "public_key": key.public_key.hex(), "sources": list(sources)}
    wanted["possession"] = possession(key, "producer")
    answer = server.client().post("/v1/ledger/keys", json=wanted)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["position"])


def post(server: Server, envelope: Any, **more: Any) -> Response:
    return server.post(envelope, kind=DSSE, **more)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def recorded(server: Server, envelope: Any, **more: Any) -> dict[str, Any]:
    """Post an envelope that is accepted; return the entry that it made."""
    answer = post(server, envelope, **more)
    assert answer.status_code == 201, answer.text
    entry: dict[str, Any] = server.get(f"/v1/events/{answer.json()['position']}").json()["entry"]
    return entry


def refused(server: Server, envelope: Any, status: int, place: str = "") -> dict[str, Any]:
    """Post an envelope that is refused, and leaves nothing."""
    before = server.size()
    problem = check_problem(post(server, envelope), status, place)
    assert server.size() == before
    return problem
