"""Incidents: that something went wrong, who took it up, and what is thought to have caused it."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.identifiers import (
    Artifact,
    ChangeId,
    Decimal,
    DeploymentId,
    Environment,
    Erasable,
    Flag,
    Identity,
    IncidentId,
    Label,
    Part,
    Service,
    Severity,
    TriggerId,
    Version,
    many,
)


class IncidentEvent(Event):
    """A fact about one incident."""

    refs: ClassVar[tuple[str, ...]] = ("incident_id", "service", "environment")
    incident_id: IncidentId
    service: Service | None = None
    environment: Environment | None = None


class IncidentDetected(IncidentEvent):
    """Something saw that a service misbehaves."""

    type = "incident.detected"
    says = "incident {incident_id} detected in {service} ({environment})"
    severity: Severity | None = None
    artifact: Artifact | None = None
    description: Erasable | None = None


class IncidentOpened(IncidentEvent):
    """Incident response was started."""

    type = "incident.opened"
    says = "{actor} opened incident {incident_id} as {severity}"
    refs = ("incident_id", "service", "environment", "trigger_id")
    severity: Severity
    trigger_id: TriggerId | None = None
    description: Erasable | None = None


class IncidentAcknowledged(IncidentEvent):
    """A responder took an incident up."""

    type = "incident.acknowledged"
    says = "{actor} acknowledged incident {incident_id}"
    actor: Identity


class Candidate(Part):
    """A deployment that may have caused an incident, and how likely."""

    deployment_id: DeploymentId
    score: Decimal


class IncidentAttributed(IncidentEvent):
    """A method or a person named what caused an incident, or that no deployment did."""

    type = "incident.attributed"
    says = "incident {incident_id} was attributed to {deployment_id} by {method}"
    refs = ("incident_id", "service", "environment", "deployment_id", "change_id")
    method: Label
    method_version: Version
    deployment_id: DeploymentId | None = None
    change_id: ChangeId | None = None
    candidates: tuple[Candidate, ...] = many(default=())
    none_score: Decimal | None = None
    confirmed: Flag


class IncidentResolved(IncidentEvent):
    """Service was restored."""

    type = "incident.resolved"
    says = "incident {incident_id} was resolved"
    resolution: Erasable | None = None
