"""Incidents: when each was seen, taken up and over, and what is held to have caused it: one confirmed cause at a time.

What holds is what was said last, by time; where two times lie within the clocks' skew, by the record. So a confirmation of
another cause takes the first one's place, and an incident that is seen again after its end is open again. What somebody had no power
to say, or said in another's name, changes nothing: neither a cause nor an end. Nor does what a machine says of an incident that another one
saw first, unless it is enrolled for that; nor what anybody says against a cause that somebody else confirmed, who has no power to.

Not how likely a cause is: that is `attributions`.

Longer than other files because who caused an incident, and whether it is over, is one row.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ledger.events import ref
from ledger.events.incident import (
    IncidentAcknowledged,
    IncidentAttributed,
    IncidentDetected,
    IncidentOpened,
    IncidentResolved,
)
from projections.engine.view import LATEST, EntryInfo, Moment, Number, Reads, View, replace
from projections.readings.people.powers import READ_BY_POWERS, fault_of_speaker
from projections.readings.people.replacing import may_end, may_take_back
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, spoken, when
from projections.rules.keeping import kept
from projections.rules.leave import happened, replaces


@dataclass(frozen=True)
class Suspect:
    """A deployment that a method thinks possible, and its share."""

    deployment_id: str
    score: Number


@dataclass(frozen=True)
class Attribution:
    """What one method or person named as the cause; without a deployment and a change, that nothing deployed was it."""

    method: str
    method_version: str
    said: Spoken
    deployment_id: str | None = None
    change_id: str | None = None
    is_confirmed: bool = False
    candidates: tuple[Suspect, ...] = ()
    none_score: Number | None = None
    # Why it did not count when it was said: because of who said it.
    fault: str = ""


@dataclass(frozen=True)
class Incident:
    """One incident. `deployment_id` and `change_id` are the confirmed cause; what a method only suspects is `suspected`."""

    incident_id: str
    service: str | None = None
    environment: str | None = None
    severity: str | None = None
    artifact: str | None = None
    detected_at: Moment | None = None
    opened_by: str | None = None
    opened_at: Moment | None = None
    trigger_id: str | None = None
    acknowledged_by: str | None = None
    acknowledged_at: Moment | None = None
    # None while it is open, also when it was over before and was seen again.
    resolved_at: Moment | None = None
    # Who confirmed the cause that holds.
    confirmed: Spoken | None = None
    deployment_id: str | None = None
    change_id: str | None = None
    # What was held to be the cause before the last entry that named one.
    was_deployment_id: str | None = None
    was_change_id: str | None = None
    suspected: tuple[str, ...] = ()
    attributions: tuple[Attribution, ...] = ()
    # Who saw it, and who said that it is over: the last word of each.
    seen_by: tuple[Spoken, ...] = ()
    ends: tuple[Spoken, ...] = ()
    last_seen: Spoken | None = None
    last_resolved: Spoken | None = None
    positions: tuple[int, ...] = ()


def _touches(before: Incident | None, after: Incident | None) -> tuple[Moment, Moment] | None:
    spans = [
        (min(row.detected_at or LATEST, row.opened_at or LATEST), row.resolved_at or LATEST)
        for row in (before, after)
        if row is not None
    ]
    return (min(begin for begin, _ in spans), max(end for _, end in spans)) if spans else None


incidents = View(
    "incidents",
    version=6,
    row=Incident,
    kind="incident",
    reads=READ_BY_POWERS,
    indexes=("service", "environment", "deployment_id", "change_id", "detected_at"),
    about={"service": lambda row: (row.service,)},
    touches=_touches,
    doc="Incidents: when detected, opened, acknowledged and resolved, and which deployment caused each.",
)


_SEEING: Final = (IncidentDetected, IncidentOpened)
RESOLVED: Final = IncidentResolved.type
# Of so many who saw one incident, or said that it is over, the last word of each is kept.
KEPT: Final = 16


def _known(row: Incident, event: Any, entry: EntryInfo) -> Incident:
    return replace(
        row,
        service=row.service or event.service,
        environment=row.environment or event.environment,
        seen_by=_with(row.seen_by, event, entry) if isinstance(event, _SEEING) else row.seen_by,
        positions=(*row.positions, entry.position),
    )


def _with(known: tuple[Spoken, ...], event: Any, entry: EntryInfo) -> tuple[Spoken, ...]:
    """Return the last words of all, with another one."""
    own = next((one for one in known if one.principal == entry.by["principal"]), None)
    said = _last(own, event, entry)
    return kept((*(one for one in known if one is not own), said), said, lambda one: one.principal, KEPT)


def _last(held: Spoken | None, event: Any, entry: EntryInfo) -> Spoken:
    """Return the later of what was said before, and of what an entry says."""
    said = spoken(entry, event.actor)
    return said if held is None or replaces(said, held, clocks_of(entry.reads, entry.recorded_at)) else held


def _ended(row: Incident, entry: EntryInfo) -> Incident:
    """Say when it was over: at the end that was told last, where each who saw it said so since, or somebody who may for them."""
    clocks = clocks_of(entry.reads, entry.recorded_at)
    ends = [
        _over(end for end in row.ends if not replaces(seen, end, clocks) and may_end(entry.reads, RESOLVED, end, seen))
        for seen in row.seen_by
    ] or [_over(row.ends)]
    is_over = None not in ends
    last = _over(end for end in ends if end is not None) if is_over else None
    return replace(row, last_resolved=last, resolved_at=last.at if last is not None else None)


def _over(ends: Iterable[Spoken]) -> Spoken | None:
    return max(ends, key=when, default=None)


@incidents.on(IncidentDetected, key=lambda event: event.incident_id)
def detected(row: Incident, event: IncidentDetected, entry: EntryInfo) -> Incident:
    at = happened(entry.time, entry.recorded_at)
    return _ended(
        replace(
            _known(row, event, entry),
            severity=event.severity or row.severity,
            artifact=event.artifact or row.artifact,
            detected_at=min(row.detected_at or at, at),
            last_seen=_last(row.last_seen, event, entry),
        ),
        entry,
    )


@incidents.on(IncidentOpened, key=lambda event: event.incident_id)
def opened(row: Incident, event: IncidentOpened, entry: EntryInfo) -> Incident:
    return _ended(
        replace(
            _known(row, event, entry),
            severity=event.severity,
            opened_by=event.actor,
            opened_at=entry.time,
            trigger_id=event.trigger_id,
            last_seen=_last(row.last_seen, event, entry),
        ),
        entry,
    )


@incidents.on(IncidentAcknowledged, key=lambda event: event.incident_id)
def acknowledged(row: Incident, event: IncidentAcknowledged, entry: EntryInfo) -> Incident:
    row = _known(row, event, entry)
    return replace(row, acknowledged_by=event.actor, acknowledged_at=row.acknowledged_at or entry.time)


@incidents.on(IncidentResolved, key=lambda event: event.incident_id)
def resolved(row: Incident, event: IncidentResolved, entry: EntryInfo) -> Incident:
    row = _known(row, event, entry)
    said = spoken(entry, event.actor)
    if fault_of_speaker(entry.reads, entry.type, said, event.environment):
        return row
    return _ended(replace(row, ends=_with(row.ends, event, entry)), entry)


@incidents.on(IncidentAttributed, key=lambda event: event.incident_id)
def attributed(row: Incident, event: IncidentAttributed, entry: EntryInfo) -> Incident:
    said = spoken(entry, event.actor)
    told = Attribution(
        event.method,
        event.method_version,
        said,
        event.deployment_id,
        event.change_id,
        event.confirmed,
        tuple(Suspect(candidate.deployment_id, candidate.score) for candidate in event.candidates),
        event.none_score,
        fault_of_speaker(entry.reads, entry.type, said, event.environment),
    )
    is_confirmed = told.is_confirmed and not told.fault
    if is_confirmed and row.confirmed is not None and not _may_name_another(row, told, row.confirmed, entry):
        words = f"{row.confirmed.speaker} confirmed another cause, and {said.speaker} has no power to take that back"
        told = replace(told, fault=words)
    row = replace(
        _known(row, event, entry),
        attributions=(*row.attributions, told),
        was_deployment_id=row.deployment_id,
        was_change_id=row.change_id,
    )
    if told.fault:
        return row
    if not told.is_confirmed:
        named = (*(candidate.deployment_id for candidate in told.candidates), told.deployment_id)
        return replace(row, suspected=_names((*row.suspected, *named)))
    if row.confirmed is not None and (
        _is_the_same_cause(row, told)
        or not replaces(told.said, row.confirmed, clocks_of(entry.reads, entry.recorded_at))
    ):
        return row
    return replace(row, confirmed=told.said, deployment_id=told.deployment_id, change_id=told.change_id)


def _is_the_same_cause(row: Incident, told: Attribution) -> bool:
    return (row.deployment_id, row.change_id) == (told.deployment_id, told.change_id)


def _may_name_another(row: Incident, told: Attribution, confirmed: Spoken, entry: EntryInfo) -> bool:
    """Say whether what is said of a cause may stand against what somebody confirmed before: that nothing deployed was it accuses nobody,
    and is answered by whoever finds a cause; a cause is taken back by who had confirmed it, or has the power to.
    """
    is_accusation = row.deployment_id is None and row.change_id is None
    return (
        is_accusation or _is_the_same_cause(row, told) or may_take_back(entry.reads, entry.type, told.said, confirmed)
    )


def concerned(event: IncidentAttributed, reads: Reads) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the deployments and the changes that an attribution names, or that are held to be the cause by now, or were before.

    Where a deployment is the cause, the change is that deployment's, whichever was named beside it.
    """
    row = reads.row(incidents, event.incident_id)
    deployments = (event.deployment_id, *((row.deployment_id, row.was_deployment_id) if row else ()))
    held = ((row.deployment_id, row.change_id), (row.was_deployment_id, row.was_change_id)) if row else ()
    changes = (event.change_id, *(change for deployment, change in held if deployment is None))
    return _names(deployments), _names(changes)


def _names(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name is not None))


class Deployed(Protocol):
    """What was deployed, as far as an incident can be of it: a row of `deployments`."""

    @property
    def deployment_id(self) -> str: ...
    @property
    def service(self) -> str | None: ...
    @property
    def change_id(self) -> str | None: ...
    @property
    def started_at(self) -> Moment | None: ...
    @property
    def finished_at(self) -> Moment | None: ...


def is_caused_by(row: Incident, deployed: Deployed) -> bool:
    """Say whether an incident is held to be caused by a deployment: by its id, or by its change, in its service and after it began."""
    if row.deployment_id is not None:
        return row.deployment_id == deployed.deployment_id
    if row.change_id is None or row.change_id != deployed.change_id or row.service not in (None, deployed.service):
        return False
    began = deployed.started_at or deployed.finished_at
    return row.detected_at is None or began is None or began <= row.detected_at


def has_cause(reads: Reads, row: Incident) -> bool:
    """Say whether a cause is confirmed that counts by what is known now of whoever confirmed it."""
    said = row.confirmed
    return said is not None and not fault_of_speaker(reads, IncidentAttributed.type, said, row.environment)


def ended_at(reads: Reads, row: Incident) -> Moment | None:
    """Return when an incident was over, by who counts now; None while it is open."""
    said = row.last_resolved
    if row.resolved_at is None or said is None:
        return None
    return None if fault_of_speaker(reads, IncidentResolved.type, said, row.environment) else row.resolved_at


def caused_by(reads: Reads, deployed: Deployed) -> list[Incident]:
    """Return the incidents that a deployment is held to have caused, by their names."""
    about = [ref("deployment", deployed.deployment_id)]
    about += [ref("change", deployed.change_id)] if deployed.change_id else []
    rows = {row.incident_id: row for name in about for row in reads.named(incidents, IncidentAttributed, name)}
    return [row for _, row in sorted(rows.items()) if is_caused_by(row, deployed)]
