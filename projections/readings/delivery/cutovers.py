"""Cutovers: every time something began to run somewhere, one a line: a deployment that ended well, a promotion, a rollback.

What ran in a place at a time is its last line up to then. Lines of one place are found by `place_and_time`, however many there are
of it: a line of ten years ago costs as much as that of today.

    d-1 into prod at 9:00, d-2 at 11:00, d-2 rolled back at 12:00   ->   at 11:30 d-2 runs, at 12:30 what it was rolled back to

Not whether it may: that is judged of deployments. What a deployment is for, how it went, and what its report of the end left out is
told by its own row, as that stands by now. A line is written once, of its entry: where a report names no place, under the one that the
deployment was known to be of.
"""

from dataclasses import dataclass
from typing import Any, Final

from ledger.events.deployment import DeploymentEvent, DeploymentFinished, DeploymentPromoted
from ledger.events.rollback import RollbackCompleted
from projections.engine.listing import Listing
from projections.engine.view import EntryInfo, Moment, replace
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.placements import place_of

# Before it comes a place, after it a time. No name of a place has one.
BETWEEN: Final = " "


@dataclass(frozen=True)
class Cutover:
    """One time that something began to run somewhere. `place` is `service@environment`, as placements have it."""

    line: str
    place: str = ""
    position: int = 0
    at: Moment | None = None
    place_and_time: str = ""
    service: str | None = None
    environment: str | None = None
    deployment_id: str | None = None
    # What was rolled back runs no more; `artifact` is what it was rolled back to.
    rollback_id: str | None = None
    artifact: str | None = None
    commit: str | None = None
    # From where on it does not count: its statement was taken back.
    withdrawn_position: int | None = None


cutovers = Listing(
    "cutovers",
    version=1,
    row=Cutover,
    about="place",
    reads=(deployments,),
    indexes=("place_and_time",),
    doc="Cutovers: every time something began to run somewhere, by a deployment that ended well, a promotion or a rollback.",
)


def _deployed_where(event: DeploymentEvent, entry: EntryInfo) -> tuple[str | None, str | None]:
    """Return service and environment: what a report leaves out, an earlier one of the same deployment said."""
    row = entry.reads.row(deployments, event.deployment_id)
    environment = event.to_environment if isinstance(event, DeploymentPromoted) else event.environment
    if row is None:
        return event.service, environment
    return event.service or row.service, environment or row.environment


def _deployed(event: DeploymentEvent, entry: EntryInfo) -> str | None:
    if isinstance(event, DeploymentFinished) and event.outcome != "success":
        return None
    return place_of(*_deployed_where(event, entry))


@cutovers.on(DeploymentFinished, DeploymentPromoted, key=_deployed)
def put_there(row: Cutover, event: Any, entry: EntryInfo) -> Cutover:
    service, environment = _deployed_where(event, entry)
    return replace(
        _from(row, event, entry),
        service=service,
        environment=environment,
        artifact=event.artifact,
        commit=None if isinstance(event, DeploymentPromoted) else event.commit,
    )


@cutovers.on(
    RollbackCompleted,
    key=lambda event: place_of(event.service, event.environment) if event.outcome == "success" else None,
)
def rolled_back(row: Cutover, event: RollbackCompleted, entry: EntryInfo) -> Cutover:
    return replace(
        _from(row, event, entry),
        service=event.service,
        environment=event.environment,
        rollback_id=event.rollback_id,
        artifact=event.to_artifact,
    )


def _from(row: Cutover, event: DeploymentEvent | RollbackCompleted, entry: EntryInfo) -> Cutover:
    return replace(
        row,
        at=entry.time,
        place_and_time=f"{row.place}{BETWEEN}{entry.time}",
        deployment_id=event.deployment_id,
    )
