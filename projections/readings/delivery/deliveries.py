"""Deliveries: what each deployment to production counts for, by the definitions of `metrics`.

It is made again whenever what it rests on is another. So a merge that is told late, a ticket, an incident that moves, a withdrawal:
each changes the deployment's row, and by it the month's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ledger.events import ref
from ledger.events.incident import IncidentDetected, IncidentOpened
from projections.engine.derived import Judged
from projections.engine.reads import Look
from projections.engine.view import Moment, seconds_between
from projections.readings.changes.code import code_changes
from projections.readings.changes.commits import ambiguous, commit_of, commits, is_same
from projections.readings.changes.scopes import change_scopes
from projections.readings.delivery.commit_runs import commit_runs, ran_before
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.delivery.incidents import Incident, caused_by, ended_at, has_cause, incidents
from projections.readings.environments.environments import READ_BY_ASKING, is_production

UNPLANNED: Final = ("emergency", "unauthorized")


@dataclass(frozen=True)
class Lead:
    """One commit that went out: seconds from its merge, and from the first time that it was proposed."""

    commit: str
    from_merge_s: int | None = None
    from_first_s: int | None = None


@dataclass(frozen=True)
class Delivered:
    """One deployment. It is counted where it was to production, and succeeded as a job. `note` says what of it cannot be known."""

    deployment_id: str
    is_counted: bool = False
    service: str | None = None
    team: str | None = None
    month: str | None = None
    seen_at: Moment | None = None
    is_failed: bool = False
    is_unplanned: bool = False
    # It went out while an incident of its service, that something else had caused, was not over.
    is_rework: bool = False
    # Its commit had run there before: it goes out once.
    is_repeated: bool = False
    leads: tuple[Lead, ...] = ()
    recovery_s: int | None = None
    positions: tuple[int, ...] = ()
    note: str = ""


deliveries = Judged(
    "deliveries",
    version=3,
    row=Delivered,
    of=deployments,
    reads=(incidents, commits, commit_runs, code_changes, change_scopes, *READ_BY_ASKING),
    indexes=("service", "team", "month", "seen_at"),
    doc="Deliveries: what every deployment to production counts for in the five metrics, and the entries that show it.",
)


@deliveries.by
def delivered(row: Deployment, look: Look) -> Delivered:
    """What one deployment counts for."""
    at = row.started_at or row.finished_at or row.seen_at
    if row.service is None or row.seen_at is None or at is None or not is_production(look, row.environment, at):
        return Delivered(row.deployment_id)
    if row.outcome != "success":
        return Delivered(
            row.deployment_id, service=row.service, month=row.seen_at[:7], seen_at=row.seen_at, positions=row.positions
        )
    scope = look.row(change_scopes, row.change_id) if row.change_id else None
    caused = [incident for incident in caused_by(look, row) if has_cause(look, incident)]
    positions = {*row.positions, *(p for incident in caused for p in incident.positions)}
    leads, merged, note = _leads(row, look)
    positions |= merged
    ends = [ended_at(look, incident) for incident in caused]
    over = row.rolled_back_at or (max(end or "" for end in ends) if ends and all(ends) else None)
    return Delivered(
        row.deployment_id,
        True,
        row.service,
        scope.team if scope is not None else None,
        row.seen_at[:7],
        row.seen_at,
        row.rolled_back_at is not None or bool(caused),
        scope is not None and scope.change_type in UNPLANNED,
        _mends(row, at, caused, look),
        ran_before(look, row),
        leads,
        seconds_between(row.finished_at, over),
        tuple(sorted(positions)),
        note,
    )


def _leads(row: Deployment, look: Look) -> tuple[tuple[Lead, ...], set[int], str]:
    """Return how long each commit of a deployment took, where that is known; the entries that show it; and what is not known."""
    leads: list[Lead] = []
    positions: set[int] = set()
    notes: list[str] = []
    for commit in (row.commit,) if row.commit is not None else ():
        known = commit_of(look, commit)
        if several := ambiguous(commit, known.commits):
            notes.append(f"{commit} may be {' or '.join(several)}")
            continue
        changes = [c for key in known.code_changes if (c := look.row(code_changes, key)) is not None]
        merges = [
            (merge.said.at, merge.said.position, change)
            for change in changes
            for merge in change.merges
            if is_same(commit, merge.commit) or is_same(commit, merge.head)
        ]
        if not merges:
            continue
        at, position, _ = min(merges, key=lambda merge: merge[:2])
        first = min((head.said.at for _, _, change in merges for head in change.heads), default=None)
        leads.append(Lead(commit, seconds_between(at, row.finished_at), seconds_between(first, row.finished_at)))
        positions.add(position)
    return tuple(leads), positions, "; ".join(notes)


def _mends(row: Deployment, at: Moment, caused: list[Incident], look: Look) -> bool:
    own = {incident.incident_id for incident in caused}
    return any(incident.incident_id not in own for incident in _open_at(row, at, look))


def _open_at(row: Deployment, at: Moment, look: Look) -> Iterator[Incident]:
    """Yield the incidents of the service that a deployment had caused, and that were not over at a time."""
    for event in (IncidentDetected, IncidentOpened):
        for incident in look.at(at).named(incidents, event, ref("service", row.service or "")):
            began = incident.detected_at or incident.opened_at
            if (
                began is not None
                and began <= at <= (incident.resolved_at or at)
                and (incident.deployment_id is not None or incident.change_id is not None)
                and has_cause(look, incident)
            ):
                yield incident
