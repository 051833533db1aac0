"""Deployments: what was put where, by whom, for which change, and what became of it. All of them, with a change or without.

A deployment that does not name its change is tied to the one open change that names its artifact, or else to the one that
is planned for that time; or by hand afterwards. It is rolled back by a rollback that names it, or names where it runs, and by an older
artifact that is deployed in its place. Longer than other files because so many kinds of statements are about a deployment: a fold for each.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.change import ChangeLinked
from ledger.events.deployment import (
    DeploymentEvent,
    DeploymentFinished,
    DeploymentPromoted,
    DeploymentStarted,
    DeploymentVerified,
    Health,
    Outcome,
    Strategy,
)
from ledger.events.incident import IncidentAttributed
from ledger.events.rollback import RollbackCompleted, RollbackDecided, RollbackTriggerFired
from projections.engine.view import Around, EntryInfo, Moment, Reads, View, replace
from projections.readings.changes.scopes import change_scopes, found_for
from projections.readings.delivery.acts import Act, Kind, Report, acts_of, is_repeated
from projections.readings.delivery.incidents import concerned, incidents
from projections.readings.delivery.placements import placements, undoing, undone_by, what_was_placed
from projections.readings.delivery.triggers import is_met, rollback_triggers
from projections.readings.environments.environments import (
    READ_BY_ASKING,
    canonical,
)
from projections.readings.people.imports import imports, is_history
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.replacing import has_power, may_take_back
from projections.readings.people.voices import Spoken, spoken
from projections.rules.leave import Clocks, Instant, is_on_record, was_there

How = Literal["id", "digest", "window", "link"]


@dataclass(frozen=True)
class Tie:
    """A change to which a deployment was tied: by its own word, by what it deployed, by when it did, or by somebody afterwards."""

    change_id: str
    how: How
    said: Spoken


@dataclass(frozen=True)
class Deployment:
    """One deployment, or several under one id: its `acts`. Service and environment are of the first, the end of the last.

    Its `outcome` is the job's; whether it had to be repaired is `rolled_back_at` and `incidents`.
    """

    deployment_id: str
    change_id: str | None = None
    # As the last of `links` has it.
    linked_by: How | None = None
    links: tuple[Tie, ...] = ()
    # Before the last link.
    was_change_id: str | None = None
    # The first link that would have taken it away from its change, by who had no power to.
    not_moved: Tie | None = None
    service: str | None = None
    environment: str | None = None
    artifact: str | None = None
    commit: str | None = None
    strategy: Strategy | None = None
    deployed_by: str | None = None
    reported_by: str | None = None
    # Of its first entry: later facts do not move it into another month.
    seen_at: Moment | None = None
    started_at: Moment | None = None
    started_position: int | None = None
    finished_at: Moment | None = None
    # What began and has not ended: since when.
    going_since: Moment | None = None
    outcome: Outcome | None = None
    verdict: Health | None = None
    verified_at: Moment | None = None
    promoted_to: tuple[str, ...] = ()
    # The first trigger that fired by what met it, or verification that was not healthy.
    first_sign_at: Moment | None = None
    rollbacks: tuple[str, ...] = ()
    rollback_decided_at: Moment | None = None
    rolled_back_at: Moment | None = None
    rolled_back_to: str | None = None
    # By which deployments and rollbacks that do not name it, as refs.
    undone_by: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()
    acts: tuple[Act, ...] = ()
    reports: tuple[Report, ...] = ()


def _entries_of(key: str, row: Deployment) -> list[Match]:
    # That an incident moved to another deployment is said by an entry that names only the other; so is what takes its place.
    named = (ref("deployment", key), *(ref("incident", i) for i in row.incidents), *row.undone_by)
    return [Match(refs=(name,)) for name in named]


deployments = View(
    "deployments",
    version=16,
    row=Deployment,
    kind="deployment",
    entries_of=_entries_of,
    names=("undone_by", "incidents"),
    reads=(change_scopes, imports, incidents, placements, rollback_triggers, *READ_BY_ASKING),
    follows={
        placements: what_was_placed,
        # What names no change is tied to one of its service, by artifact or window.
        change_scopes: lambda scope: [
            Match((DeploymentStarted.type, DeploymentFinished.type), (ref("service", name),)) for name in scope.services
        ],
    },
    indexes=("change_id", "service", "environment", "started_at", "deployed_by", "going_since", "artifact", "commit"),
    doc="Deployments: what, where, by whom, for which change, and whether it held.",
)


def _seen(row: Deployment, event: DeploymentEvent, entry: EntryInfo, *, is_report: bool = True) -> Deployment:
    """Take over what every fact about a deployment may say. Later facts may leave out what earlier ones said.

    What was said of it before anybody reported it takes nothing from the first report: neither its change, nor what is put where.
    """
    is_first = is_report and not row.reports
    if event.change_id is not None and (
        row.change_id is None or (is_first and row.change_id != event.change_id and not _is_held(row, entry))
    ):
        before = row.links[-1] if row.linked_by == "link" else None
        row = _of_change(row, Tie(event.change_id, "id", spoken(entry, event.actor)))
        row = replace(row, not_moved=row.not_moved or before)
    service, environment = (row.service, row.environment) if not is_first else (None, None)
    return replace(
        row,
        service=service or event.service or row.service,
        environment=environment or event.environment or row.environment,
        reported_by=row.reported_by or entry.by["principal"],
        seen_at=row.seen_at or entry.time,
        positions=(*row.positions, entry.position),
    )


def _is_held(row: Deployment, entry: EntryInfo) -> bool:
    """Say whether somebody who has the power had linked a deployment before it was reported."""
    return row.linked_by == "link" and has_power(entry.reads, ChangeLinked.type, row.links[-1].said)


def _of_change(row: Deployment, link: Tie) -> Deployment:
    return replace(row, change_id=link.change_id, linked_by=link.how, links=(*row.links, link))


def _tied(row: Deployment, entry: EntryInfo) -> Deployment:
    """Tie a deployment that names no change to the one it must belong to, if there is just one."""
    if row.change_id is not None or row.service is None or row.environment is None:
        return row
    found = found_for(entry.reads, row.service, row.environment, row.artifact, row.started_at or entry.time)
    return row if found is None else _of_change(row, Tie(*found, spoken(entry, row.deployed_by)))


def _acted(row: Deployment, kind: Kind, event: Any, entry: EntryInfo) -> Deployment:
    """Know one more report of what was done, and what follows for the deployment as a whole."""
    said = spoken(entry, event.actor)
    report = Report(
        kind,
        said,
        event.service,
        event.to_environment if kind == "promoted" else event.environment,
        event.attempt,
        event.artifact,
        None if kind == "promoted" else event.commit,
        event.outcome if kind == "finished" else None,
        is_history(entry.reads, said),
    )
    # A list of its own: each report is written once, however many there are of one act.

    @cache
    def naming(name: str) -> str:
        return canonical(entry.reads, name, entry.time)

    reports = row.reports if is_repeated(row.reports, report, naming) else (*row.reports, report)
    acts = acts_of(reports, naming)
    done = [act for act in acts if act.kind == "deployment"]
    started = [act.started_at for act in done if act.started_at is not None]
    last = max(done, key=lambda act: (act.finished_at or act.at, act.position), default=None)
    began, ended = min(started, default=None), last.finished_at if last else None
    return replace(
        row,
        acts=acts,
        reports=reports,
        artifact=row.artifact or event.artifact,
        commit=row.commit or report.commit,
        deployed_by=next((act.actor for act in done if act.actor is not None), row.deployed_by),
        started_at=began,
        started_position=min((r.said.position for r in reports if r.kind == "started"), default=None),
        finished_at=ended,
        going_since=began if ended is None else None,
        outcome=last.outcome if last else None,
    )


@deployments.on(DeploymentStarted, key=lambda event: event.deployment_id)
def started(row: Deployment, event: DeploymentStarted, entry: EntryInfo) -> Deployment:
    row = _acted(_seen(row, event, entry), "started", event, entry)
    return _tied(replace(row, strategy=event.strategy or row.strategy), entry)


def _and_what_it_undoes(event: Any, entry: EntryInfo) -> list[str]:
    """The deployment that an entry names, and the one whose place is taken by something older."""
    return [name for name in (event.deployment_id, undone_by(event, entry)) if name is not None]


def _undone(row: Deployment, event: Any, entry: EntryInfo, artifact: str | None) -> Deployment:
    """Know that something older took the place of a deployment, by an entry that does not name it."""
    undone = tuple(dict.fromkeys((*row.undone_by, undoing(event) or "")))
    row = _rolled_back(replace(row, undone_by=undone), artifact, entry)
    return replace(row, positions=(*row.positions, entry.position))


def _rolled_back(row: Deployment, artifact: str | None, entry: EntryInfo) -> Deployment:
    """Know that a deployment was undone: from then on, however often it is told."""
    if row.rolled_back_at is not None and row.rolled_back_at <= entry.time:
        return row
    return replace(row, rolled_back_at=entry.time, rolled_back_to=artifact)


@deployments.on(DeploymentFinished, key=_and_what_it_undoes)
def finished(row: Deployment, event: DeploymentFinished, entry: EntryInfo) -> Deployment:
    if row.deployment_id != event.deployment_id:
        return _undone(row, event, entry, event.artifact)
    return _tied(_acted(_seen(row, event, entry), "finished", event, entry), entry)


@deployments.on(DeploymentVerified, key=lambda event: event.deployment_id)
def verified(row: Deployment, event: DeploymentVerified, entry: EntryInfo) -> Deployment:
    row = _seen(row, event, entry, is_report=False)
    if _is_in_doubt(event, entry):
        return row
    if row.verified_at is not None and entry.time < row.verified_at:
        # What was seen earlier and told later takes no newer verdict's place.
        return row if event.verdict == "healthy" else _sign(row, entry)
    row = replace(row, verdict=event.verdict, verified_at=entry.time)
    return row if event.verdict == "healthy" else _sign(row, entry)


@deployments.on(RollbackTriggerFired, key=lambda event: event.deployment_id)
def trigger_fired(row: Deployment, event: RollbackTriggerFired, entry: EntryInfo) -> Deployment:
    row = replace(row, positions=(*row.positions, entry.position))
    return _sign(row, entry) if is_met(entry.reads.row(rollback_triggers, event.trigger_id), event) else row


def _sign(row: Deployment, entry: EntryInfo) -> Deployment:
    return replace(row, first_sign_at=min(row.first_sign_at or entry.time, entry.time))


@deployments.on(DeploymentPromoted, key=lambda event: event.deployment_id)
def promoted(row: Deployment, event: DeploymentPromoted, entry: EntryInfo) -> Deployment:
    row = _acted(_seen(row, event, entry), "promoted", event, entry)
    return replace(row, promoted_to=tuple(dict.fromkeys((*row.promoted_to, event.to_environment))))


@deployments.on(ChangeLinked, key=lambda event: event.deployment_id)
def linked(row: Deployment, event: ChangeLinked, entry: EntryInfo) -> Deployment:
    """A link says afterwards to which change a deployment belongs. What it was let do by then, no link changes; and from a change that
    it is of already, nobody takes it away without the power to.
    """
    row = replace(row, positions=(*row.positions, entry.position))
    if _is_in_doubt(event, entry):
        return row
    link = Tie(event.change_id, "link", spoken(entry, event.actor))
    if row.change_id not in (None, event.change_id) and not _may_move(row, link, entry):
        return replace(row, not_moved=row.not_moved or link)
    return _of_change(replace(row, was_change_id=row.change_id), link)


def _may_move(row: Deployment, link: Tie, entry: EntryInfo) -> bool:
    """Say whether a link may take a deployment away from its change: by who has the power, or had linked it there; or where there is no
    such change.
    """
    scope = entry.reads.row(change_scopes, row.change_id or "")
    if scope is None or not scope.openings:
        return True
    if row.linked_by == "link":
        return may_take_back(entry.reads, entry.type, link.said, row.links[-1].said)
    return has_power(entry.reads, entry.type, link.said)


def _is_in_doubt(event: Any, entry: EntryInfo) -> bool:
    """Say whether a statement did not count when it was made, because of who made it."""
    said = spoken(entry, event.actor)
    return bool(fault_of_speaker(entry.reads, entry.type, said, getattr(event, "environment", None)))


# How many deployments of a service are looked at by `done_to`.
LATEST: Final = 64


def done_to(reads: Reads, service: str, around: int | None = None) -> Iterator[tuple[Deployment, Act]]:
    """Yield what was put where of a service, whichever of its statements are known: last, or around a position."""
    about, seen = ref("service", service), set()
    limit = LATEST if around is None else Around(around, LATEST)
    for event in (DeploymentStarted, DeploymentFinished):
        for row in reads.named(deployments, event, about, limit=limit):
            if row.deployment_id not in seen:
                seen.add(row.deployment_id)
                yield from ((row, act) for act in row.acts if act.service == service)


def runs(row: Deployment) -> Act | None:
    """Return what a deployment put somewhere last."""
    done = (act for act in row.acts if act.kind == "deployment")
    return max(done, key=lambda act: (act.at, act.position), default=None)


def change_at(reads: Reads, row: Deployment, act: Act, instant: Instant, clocks: Clocks) -> str | None:
    """Return the change that something was done for, by its first report or by what was on record at an instant. What ties it to
    another later lets nothing through, and neither does a link by who had no power to say so, as is known now.
    """
    there = [link for link in row.links if _is_there(reads, link, act, instant, clocks)]
    return there[-1].change_id if there else None


def change_of(reads: Reads, row: Deployment, act: Act, instant: Instant, clocks: Clocks) -> str | None:
    """Return the change that something is held against: that for which it was done, else the one to which it was tied afterwards."""
    return change_at(reads, row, act, instant, clocks) or row.change_id


def _is_there(reads: Reads, link: Tie, act: Act, instant: Instant, clocks: Clocks) -> bool:
    if link.how == "link":
        return was_there(link.said, instant, clocks) and not fault_of_speaker(reads, ChangeLinked.type, link.said)
    # A report of the end may name the change where that of the start did not.
    return link.said.position <= act.position or is_on_record(link.said, instant)


@deployments.on(RollbackDecided, key=lambda event: event.deployment_id)
def rollback_decided(row: Deployment, event: RollbackDecided, entry: EntryInfo) -> Deployment:
    if _is_in_doubt(event, entry):
        return replace(row, positions=(*row.positions, entry.position))
    return replace(
        row,
        rollbacks=tuple(dict.fromkeys((*row.rollbacks, event.rollback_id))),
        rollback_decided_at=entry.time,
        positions=(*row.positions, entry.position),
    )


@deployments.on(RollbackCompleted, key=_and_what_it_undoes)
def rolled_back(row: Deployment, event: RollbackCompleted, entry: EntryInfo) -> Deployment:
    """A rollback that names no deployment is of what ran there."""
    if row.deployment_id != event.deployment_id:
        return _undone(row, event, entry, event.to_artifact)
    if event.outcome == "success":
        row = _rolled_back(row, event.to_artifact, entry)
    return replace(row, positions=(*row.positions, entry.position))


@deployments.on(
    IncidentAttributed, key=lambda event, entry: concerned(event, entry.reads)[0] if event.confirmed else None
)
def blamed(row: Deployment, event: IncidentAttributed, entry: EntryInfo) -> Deployment:
    incident = entry.reads.row(incidents, event.incident_id)
    is_cause = incident is not None and incident.deployment_id == row.deployment_id
    others = tuple(name for name in row.incidents if name != event.incident_id)
    if not is_cause and len(others) == len(row.incidents):
        return row
    kept = (*others, event.incident_id) if is_cause else others
    return replace(row, incidents=kept, positions=(*row.positions, entry.position))
