"""CDEvents 0.4 and 0.5 in CloudEvents: `service.deployed`, `.upgraded`, `.rolledback`, `change.merged`, `incident.detected`,
`environment.created`, `.modified`, `.deleted`, `pipelinerun.started`, `.finished`; and tests (`cdevents_tests`).

0.4 says `context.version` where 0.5 says `context.specversion`; the suffix of an event's type is that event's own
version. Two of their words are not ours: a deployment has no id of its own, so the event's serves; and nobody is named
as actor unless `customData.actor` says.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from api.intake import cloudevents
from api.intake.cdevents_custom import without_custom_data
from api.intake.cdevents_tests import Told, case_ended, case_skipped, suite_ended
from api.intake.formats import JSON, UNMAPPED, Format, Redactor, Sample
from api.intake.translation import (
    ContradictionError,
    ForeignJsonError,
    Headers,
    Mapped,
    Translation,
    Unmapped,
    fact,
    need,
    pick,
    pick_text,
    read_json,
    shown,
)
from ledger.errors import StatementError

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
        document = read_json(body)
        envelopes: list[dict[str, Any]] = [_attributes(headers)]
        if pick(document, "specversion") is not None:
            # Structured mode: the attributes at the top, the same object again under `data`.
            envelopes.append({name: value for name, value in document.items() if value is not None})
            document = _data_of(document)
    except ForeignJsonError as error:
        return Unmapped("none", str(error))
    if not isinstance(document, dict):
        return Unmapped("none", "not-an-object")
    for envelope in envelopes:
        if envelope:
            _check_envelope(envelope, document)
    try:
        return _of_cdevent(document)
    except StatementError as error:
        return Unmapped(_kind_of(document), f"field{error.place}", _text(document, "context.source"))


def _attributes(headers: Headers) -> dict[str, Any]:
    try:
        return dict(cloudevents.attributes(headers))
    except StatementError as error:
        raise ContradictionError(str(error), error.place) from None


def _data_of(document: dict[str, Any]) -> Any:
    if isinstance(encoded := document.get("data_base64"), str) and document.get("data") is None:
        try:
            return read_json(base64.b64decode(encoded, validate=True))
        except binascii.Error:
            raise ForeignJsonError("not-base64") from None
    return document.get("data")


def _check_envelope(envelope: dict[str, Any], event: dict[str, Any]) -> None:
    for attribute, path in _SAME.items():
        said, inside = envelope.get(attribute), pick(event, path)
        if said is not None and not cloudevents.is_same(attribute, said, inside):
            raise ContradictionError(
                f"CloudEvents says {attribute} is {shown(said)}, the CDEvent says {shown(inside)}", f"/{attribute}"
            )
    if envelope.get("specversion") != "1.0":
        raise ContradictionError(
            f"expected CloudEvents specversion 1.0, found {shown(envelope.get('specversion'))}", "/specversion"
        )


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
    who, time, subject = pick(event, "customData.actor"), need(event, "context.timestamp"), pick(event, "subject.id")
    told = translator(event)
    return Mapped(
        tuple(
            fact(source, statement_type, time, data | {"actor": who}, subject=subject)
            for statement_type, data in (told if isinstance(told, list) else [told])
        )
    )


def _kind_of(event: dict[str, Any]) -> str:
    named = _is_type(_text(event, "context.type"))
    return f"{named[1]}.{named[2]}" if named else "none"


def _text(event: dict[str, Any], path: str) -> str:
    return pick_text(event, path) or ""


def _deployed(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "deployment.finished", {
        "deployment_id": f"cdevents-{need(event, 'context.id')}",
        "change_id": pick(event, "customData.change_id"),
        "service": need(event, "subject.id"),
        "environment": need(event, "subject.content.environment.id"),
        "artifact": pick(event, "subject.content.artifactId"),
        "outcome": "success",
    }


def _rolled_back(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "rollback.completed", {
        "rollback_id": pick_text(event, "customData.rollback_id") or f"cdevents-{need(event, 'context.id')}",
        "deployment_id": pick(event, "customData.deployment_id"),
        "change_id": pick(event, "customData.change_id"),
        "service": need(event, "subject.id"),
        "environment": need(event, "subject.content.environment.id"),
        "to_artifact": pick(event, "subject.content.artifactId"),
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
        "environment": pick(event, "subject.content.environment.id"),
        "artifact": pick(event, "subject.content.artifactId"),
        "description": pick(event, "subject.content.description"),
    }


def _created(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "environment.created", {
        "environment": need(event, "subject.id"),
        "expires_at": pick(event, "customData.expires_at"),
        "owner": pick(event, "customData.owner"),
        "team": pick(event, "customData.team"),
        "cost_center": pick(event, "customData.cost_center"),
    }


def _extended(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return that an environment may live longer, where its sender says until when, and who had asked why; else it is no fact of ours."""
    return "environment.ttl_extended", {
        "environment": need(event, "subject.id"),
        **{name: need(event, f"customData.{name}") for name in ("expires_at", "requester", "reason")},
    }


def _deleted(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "environment.deleted", {"environment": need(event, "subject.id")}


def _began(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "pipeline_run.started", _run_of(event)


def _ended(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    outcome = _OUTCOMES.get(_text(event, "subject.content.outcome"))
    return "pipeline_run.finished", _run_of(event) | {"outcome": outcome}


def _run_of(event: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of a run. CDEvents have no word for runners, tenants and builders: their senders say these of their own."""
    own = ("attempt", "job", "tenant", "runner_id", "image_digest", "ephemeral", "builder_id", "service", "commit")
    return {"run_id": need(event, "subject.id")} | {name: pick(event, f"customData.{name}") for name in own}


# How a run ended -> what that is here.
_OUTCOMES: Final = {"success": "success", "failure": "failure", "error": "failure", "cancel": "cancelled"}
_TRANSLATORS: Final[Mapping[str, Callable[[dict[str, Any]], tuple[str, dict[str, Any]] | Told]]] = {
    "service.deployed": _deployed,
    "service.upgraded": _deployed,
    "service.rolledback": _rolled_back,
    "change.merged": _merged,
    "incident.detected": _incident,
    "environment.created": _created,
    "environment.modified": _extended,
    "environment.deleted": _deleted,
    "pipelinerun.started": _began,
    "pipelinerun.finished": _ended,
    "testsuiterun.finished": suite_ended,
    "testcaserun.finished": case_ended,
    "testcaserun.skipped": case_skipped,
}


_INSIDE: Final = {"environment": {"id": "prod"}, "artifactId": "pkg:oci/payments-api@sha256%3A5f2c9e0b7d1a4c38"}
_CASE: Final = {
    "environment": {"id": "staging"}, "testCase": {"id": "7", "name": "refunds::paid_once"}, "testSuiteRun": {"id": "suite-run-7"},
}  # fmt: skip


def _sample(kind: str, subject: str, content: dict[str, Any], *becomes: str, **more: str) -> Sample:
    context = {
        "specversion": "0.5.1", "id": f"6b1f0d3e-{kind}", "source": "/pipelines/prod",
        "type": f"dev.cdevents.{kind}.0.3.0", "timestamp": "2025-05-30T08:19:30Z",
    }  # fmt: skip
    custom = {"actor": "service:payments-ci", "change_id": "CHG-12"}
    return Sample(
        kind,
        {"context": context, "subject": {"id": subject, "content": content}, "customData": custom | more},
        becomes,
        {"content-type": JSON},
    )


FORMAT: Final = Format(
    "cdevents",
    "CDEvents 0.4 and 0.5",
    "`service.deployed`, `.upgraded`, `.rolledback`, `change.merged`, `incident.detected`, `environment.created`, "
    "`.modified`, `.deleted`, `pipelinerun.started`, `.finished`, `testsuiterun.finished`, `testcaserun.finished` and `.skipped`, in "
    "binary or structured CloudEvents.",
    translate,
    media_types=("application/cloudevents+json", JSON),
    redactor=Redactor(1, without_custom_data),
    # Binary mode without a type carries JSON, as at /v1/events.
    untyped=lambda headers: bool(cloudevents.attributes(headers)),
    samples=(
        _sample("service.deployed", "payments-api", _INSIDE, "deployment.finished"),
        _sample("service.upgraded", "payments-api", _INSIDE, "deployment.finished"),
        _sample("service.rolledback", "payments-api", _INSIDE, "rollback.completed"),
        _sample("change.merged", "pull-42", {"repository": {"id": "acme/payments-api"}}, "code.merged"),
        _sample("incident.detected", "INC-5", {"description": "Slow answers"} | _INSIDE, "incident.detected"),
        _sample("environment.created", "pr-7", {"name": "Pull request 7"}, "environment.created"),
        _sample("environment.deleted", "pr-7", {}, "environment.deleted"),
        _sample(
            "environment.modified",
            "pr-7",
            {},
            "environment.ttl_extended",
            expires_at="2025-06-06T08:00:00Z",
            requester="person:olga",
            reason="The review goes on",
        ),
        _sample("pipelinerun.started", "run-7", {"pipelineName": "build"}, "pipeline_run.started"),
        _sample("pipelinerun.finished", "run-7", {"outcome": "success"}, "pipeline_run.finished"),
        _sample(
            "testsuiterun.finished",
            "suite-run-7",
            {"outcome": "success", "environment": {"id": "staging"}, "testSuite": {"id": "payments-api"}},
            "test.shard_finished",
        ),
        _sample("testcaserun.finished", "case-run-7", _CASE | {"outcome": "failure"}, "test.shard_finished"),
        _sample(
            "testcaserun.finished",
            "case-run-8",
            _CASE | {"outcome": "success", "testCase": {"id": "load", "type": "performance"}},
            "test.shard_finished",
            "perf_test.executed",
            service="payments-api",
            started_at="2025-05-30T08:00:00Z",
        ),
        _sample("testcaserun.skipped", "case-run-9", _CASE, "test.shard_finished"),
        _sample("taskrun.finished", "task-7", {"outcome": "success"}, UNMAPPED),
    ),
)
