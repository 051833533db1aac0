"""What each change is to do: which services, where, with which artifacts, and in which window. Not how far it has come."""

from dataclasses import dataclass
from typing import Literal

from ledger.events import Event, ref
from ledger.events.change import (
    ChangeCancelled,
    ChangeOpened,
    ChangeScheduled,
    ChangeScopeAmended,
    ChangeSubmitted,
)
from ledger.events.pir import PirCompleted
from projections.engine.view import EntryInfo, Moment, Reads, View, moment, replace
from projections.readings.environments.environments import is_meant


@dataclass(frozen=True)
class ChangeScope:
    """One change's scope, as it was fixed last. `is_open` until it was cancelled or reviewed."""

    change_id: str
    change_type: str | None = None
    author: str | None = None
    team: str | None = None
    services: tuple[str, ...] = ()
    environment: str | None = None
    release_id: str | None = None
    template_id: str | None = None
    scope_digest: str | None = None
    scope_position: int | None = None
    artifacts: tuple[str, ...] = ()
    playbook_id: str | None = None
    playbook_version: str | None = None
    planned_start: Moment | None = None
    planned_end: Moment | None = None
    planned_position: int | None = None
    is_open: bool = True


change_scopes = View(
    "change_scopes",
    version=1,
    row=ChangeScope,
    kind="change",
    indexes=("release_id", "template_id"),
    doc="Scopes of changes: services, environment, artifacts by digest, and the planned window.",
)


@change_scopes.on(ChangeOpened, key=lambda event: event.change_id)
def opened(row: ChangeScope, event: ChangeOpened, entry: EntryInfo) -> ChangeScope:
    return replace(
        row,
        change_type=event.change_type,
        author=event.actor,
        team=event.team,
        services=event.services,
        environment=event.environment,
        release_id=event.release_id,
        template_id=event.template_id,
    )


@change_scopes.on(ChangeSubmitted, key=lambda event: event.change_id)
def submitted(row: ChangeScope, event: ChangeSubmitted, entry: EntryInfo) -> ChangeScope:
    return replace(
        row,
        scope_digest=event.scope_digest,
        scope_position=entry.position,
        artifacts=event.artifacts,
        playbook_id=event.playbook_id,
        playbook_version=event.playbook_version,
    )


@change_scopes.on(ChangeScopeAmended, key=lambda event: event.change_id)
def amended(row: ChangeScope, event: ChangeScopeAmended, entry: EntryInfo) -> ChangeScope:
    return replace(row, scope_digest=event.scope_digest, scope_position=entry.position, artifacts=event.artifacts)


@change_scopes.on(ChangeScheduled, key=lambda event: event.change_id)
def scheduled(row: ChangeScope, event: ChangeScheduled, entry: EntryInfo) -> ChangeScope:
    return replace(
        row,
        planned_start=moment(event.planned_start),
        planned_end=moment(event.planned_end),
        planned_position=entry.position,
    )


@change_scopes.on(ChangeCancelled, PirCompleted, key=lambda event: event.change_id)
def ended(row: ChangeScope, event: Event, entry: EntryInfo) -> ChangeScope:
    return replace(row, is_open=False)


# A service has seldom more open changes than this; older ones are not looked at.
_LATEST = 50


def found_for(
    reads: Reads, service: str, environment: str, artifact: str | None, time: Moment
) -> tuple[str, Literal["digest", "window"]] | None:
    """Return the one open change that a deployment without a change must belong to, and by what it was found.

    By `digest` when exactly one change names the artifact, else by `window` when exactly one is planned for that time.
    Two that fit are none: a guess would hide a deployment without a change.
    """
    fitting = [
        scope
        for scope in reads.named(change_scopes, ChangeOpened, ref("service", service), limit=_LATEST)
        if scope.is_open and is_meant(reads, scope.environment, environment, time)
    ]
    named = [scope.change_id for scope in fitting if artifact is not None and artifact in scope.artifacts]
    planned = [scope.change_id for scope in fitting if is_within_window(scope, time)]
    if len(named) == 1:
        return named[0], "digest"
    return (planned[0], "window") if len(planned) == 1 else None


def is_within_window(scope: ChangeScope, time: Moment) -> bool:
    """Say whether a time lies in the window that a change was given; False when it was given none."""
    return bool(scope.planned_start and scope.planned_end and scope.planned_start <= time <= scope.planned_end)
