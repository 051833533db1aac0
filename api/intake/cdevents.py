"""CDEvents 0.4 and 0.5 in CloudEvents: `service.deployed`, `.upgraded`, `.rolledback`, `change.merged`, `incident.detected`.

0.4 says `context.version` where 0.5 says `context.specversion`; the suffix of an event's type is that event's own
version. Two of their words are not ours: a deployment has no id of its own, so the event's serves; and nobody is named
as actor unless `customData.actor` says.
"""

import re
from typing import Any, Final
from urllib.parse import unquote

import orjson

from api.intake.translation import (
    ContradictionError,
    Fact,
    Headers,
    Mapped,
    Translation,
    Unmapped,
    need,
    pick,
    shown,
    without_nulls,
)

_is_type = re.compile(r"dev\.cdevents\.([a-z]+)\.([a-z]+)\.(\d+\.\d+\.\d+(?:-draft)?)").fullmatch
_VERSIONS: Final = ("0.4.", "0.5.")
# CloudEvents attribute -> where the CDEvent says the same (cloudevents-binding.md).
_SAME: Final = {
    "id": "context.id",
    "source": "context.source",
    "type": "context.type",
    "time": "context.timestamp",
    "subject": "subject.id",
}


def translate(headers: Headers, body: bytes) -> Translation:
    """Return the fact of a CDEvent. Raises ContradictionError when the CloudEvents attributes say otherwise."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Unmapped("none", "not-json")
    envelope = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    if not envelope and pick(document, "specversion") is not None and isinstance(pick(document, "data"), dict):
        # Structured mode: the attributes at the top, the same object again under `data`.
        envelope, document = {k: v for k, v in document.items() if k != "data"}, document["data"]
    if not isinstance(document, dict):
        return Unmapped("none", "not-an-object")
    for attribute, path in _SAME.items():
        said, inside = envelope.get(attribute), pick(document, path)
        if said is not None and said != inside:
            raise ContradictionError(
                f"CloudEvents says {attribute} is {shown(said)}, the CDEvent says {shown(inside)}", f"/{attribute}"
            )
    if envelope and envelope.get("specversion") != "1.0":
        raise ContradictionError(
            f"expected CloudEvents specversion 1.0, found {shown(envelope.get('specversion'))}", "/specversion"
        )
    return _of_cdevent(document)


def _of_cdevent(event: dict[str, Any]) -> Translation:
    event_type, source = _text(event, "context.type"), _text(event, "context.source")
    named = _is_type(event_type)
    if named is None:
        return Unmapped("none", "not-a-cdevent", source)
    kind = f"{named[1]}.{named[2]}"
    version = _text(event, "context.specversion") or _text(event, "context.version")
    if not version.startswith(_VERSIONS):
        return Unmapped(kind, "version-not-mapped", source)
    translator = _TRANSLATORS.get(kind)
    if translator is None:
        return Unmapped(kind, "kind-not-mapped", source)
    statement_type, data = translator(event)
    fact = Fact(
        source=need(event, "context.source"),
        type=statement_type,
        time=need(event, "context.timestamp"),
        data=without_nulls(data | {"actor": pick(event, "customData.actor")}),
    )
    return Mapped((fact,))


def _text(event: dict[str, Any], path: str) -> str:
    value = pick(event, path)
    return value if isinstance(value, str) else ""


def _deployed(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "deployment.finished", {
        "deployment_id": f"cdevents-{need(event, 'context.id')}",
        "change_id": pick(event, "customData.change_id"),
        "service": need(event, "subject.id"),
        "environment": need(event, "subject.content.environment.id"),
        "artifact": need(event, "subject.content.artifactId"),
        "outcome": "success",
    }


def _rolled_back(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "rollback.completed", {
        "rollback_id": pick(event, "customData.rollback_id") or f"cdevents-{need(event, 'context.id')}",
        "deployment_id": pick(event, "customData.deployment_id"),
        "change_id": pick(event, "customData.change_id"),
        "service": need(event, "subject.id"),
        "environment": need(event, "subject.content.environment.id"),
        "to_artifact": need(event, "subject.content.artifactId"),
        "outcome": "success",
    }


def _merged(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "code.merged", {
        "repository": need(event, "subject.content.repository.id"),
        "change_id": pick(event, "customData.change_id"),
    }


def _incident(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "incident.detected", {
        "incident_id": need(event, "subject.id"),
        "service": pick(event, "subject.content.service.id"),
        "environment": need(event, "subject.content.environment.id"),
        "artifact": pick(event, "subject.content.artifactId"),
        "description": pick(event, "subject.content.description"),
    }


_TRANSLATORS: Final = {
    "service.deployed": _deployed,
    "service.upgraded": _deployed,
    "service.rolledback": _rolled_back,
    "change.merged": _merged,
    "incident.detected": _incident,
}
