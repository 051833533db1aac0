"""Deliveries of outside formats to a server, and what it made of them."""

import hashlib
import itertools
from typing import Any

import bodies
from httpx import Response
from servers import JSON, Server

from api.intake import cdevents, github
from api.intake.translation import Fact, Mapped

# Of deliveries and what they are about: none is used twice.
numbers = itertools.count(100)


def deliver(server: Server, document: Any, kind: str, **more: str) -> Response:
    """Deliver a webhook as GitHub does: no token, a signature over the raw body."""
    body = document if isinstance(document, bytes) else bodies.encoded(document)
    return server.post(body, to="/v1/intake/github", by="nobody", kind=JSON, headers=bodies.webhook(body, kind, **more))


def entry_at(server: Server, position: int) -> dict[str, Any]:
    entry: dict[str, Any] = server.get(f"/v1/events/{position}").json()["entry"]
    return entry


def taken(server: Server, answer: Response, status: int = 201) -> dict[str, Any]:
    """Return the entry of the only fact that an accepted body made."""
    assert answer.status_code == status, answer.text
    [receipt] = answer.json()["receipts"]
    return entry_at(server, receipt["position"])


def evidence_of(server: Server, entry: dict[str, Any]) -> bytes:
    [kept] = entry["evidence"]
    answer = server.get(f"/v1/events/{entry['position']}/evidence/{kept['sha256']}")
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert kept["size"] == len(answer.content)
    assert kept["sha256"] == hashlib.sha256(answer.content).hexdigest()
    return answer.content


def said(kind: str, document: Any) -> Fact:
    """Return the only fact of a webhook."""
    body = document if isinstance(document, bytes) else bodies.encoded(document)
    translated = github.translate({"x-github-event": kind}, body)
    assert isinstance(translated, Mapped), translated
    [fact] = translated.facts
    return fact


def said_by_cdevents(document: Any) -> Fact:
    """Return the only fact of a CDEvent."""
    translated = cdevents.translate({}, bodies.encoded(document))
    assert isinstance(translated, Mapped), translated
    [fact] = translated.facts
    return fact
