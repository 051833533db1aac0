"""Incidents: when each was seen, taken up and over, and which deployment is held to have caused it."""

from dataclasses import dataclass
from typing import Any

from ledger.events.incident import (
    IncidentAcknowledged,
    IncidentAttributed,
    IncidentDetected,
    IncidentOpened,
    IncidentResolved,
)
from projections.engine.view import EntryInfo, Moment, View, replace


@dataclass(frozen=True)
class Incident:
    """One incident. `deployment_id` is the confirmed cause; what a method only suspects is `suspected`."""

    incident_id: str
    service: str | None = None
    environment: str | None = None
    severity: str | None = None
    detected_at: Moment | None = None
    opened_by: str | None = None
    opened_at: Moment | None = None
    trigger_id: str | None = None
    acknowledged_by: str | None = None
    acknowledged_at: Moment | None = None
    resolved_at: Moment | None = None
    deployment_id: str | None = None
    change_id: str | None = None
    suspected: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()


incidents = View(
    "incidents",
    version=1,
    row=Incident,
    kind="incident",
    indexes=("service", "environment", "deployment_id", "detected_at"),
    doc="Incidents: when detected, opened, acknowledged and resolved, and which deployment caused each.",
)


def _seen(row: Incident, event: Any, entry: EntryInfo) -> Incident:
    return replace(
        row,
        service=row.service or event.service,
        environment=row.environment or event.environment,
        positions=(*row.positions, entry.position),
    )


@incidents.on(IncidentDetected, key=lambda event: event.incident_id)
def detected(row: Incident, event: IncidentDetected, entry: EntryInfo) -> Incident:
    row = _seen(row, event, entry)
    return replace(row, severity=event.severity or row.severity, detected_at=row.detected_at or entry.time)


@incidents.on(IncidentOpened, key=lambda event: event.incident_id)
def opened(row: Incident, event: IncidentOpened, entry: EntryInfo) -> Incident:
    return replace(
        _seen(row, event, entry),
        severity=event.severity,
        opened_by=event.actor,
        opened_at=entry.time,
        trigger_id=event.trigger_id,
    )


@incidents.on(IncidentAcknowledged, key=lambda event: event.incident_id)
def acknowledged(row: Incident, event: IncidentAcknowledged, entry: EntryInfo) -> Incident:
    row = _seen(row, event, entry)
    return replace(row, acknowledged_by=event.actor, acknowledged_at=row.acknowledged_at or entry.time)


@incidents.on(IncidentResolved, key=lambda event: event.incident_id)
def resolved(row: Incident, event: IncidentResolved, entry: EntryInfo) -> Incident:
    return replace(_seen(row, event, entry), resolved_at=entry.time)


@incidents.on(IncidentAttributed, key=lambda event: event.incident_id)
def attributed(row: Incident, event: IncidentAttributed, entry: EntryInfo) -> Incident:
    row = _seen(row, event, entry)
    if event.confirmed:
        return replace(row, deployment_id=event.deployment_id, change_id=event.change_id)
    named = (*(candidate.deployment_id for candidate in event.candidates), event.deployment_id)
    return replace(row, suspected=tuple(dict.fromkeys(name for name in (*row.suspected, *named) if name)))
