"""Placements: what ran where, one after the other; and which deployment something undoes that does not name it.

What runs is told apart by artifact, or by commit where no artifact is named. An older one that is deployed again undoes what ran there
last, whatever its statement is called; so does a rollback that names a service and no deployment.

    d-1 of A, d-2 of B, d-3 of A   ->   d-3 undoes d-2
    d-1 of A, d-2 of A             ->   the same once more undoes nothing
    d-1 of A, d-2 of B, d-3 of C   ->   nor does what is new

Of each service in each environment the last placements are kept: what ran long before is not known to be older.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger.conditions import Match
from ledger.events import Event, kind_and_value, ref
from ledger.events.deployment import DeploymentFinished, DeploymentPromoted, DeploymentStarted
from ledger.events.rollback import RollbackCompleted
from projections.engine.view import EntryInfo, Moment, View, replace
from projections.readings.changes.commits import is_same
from projections.readings.environments.environments import under_all_names
from projections.rules.environments import compared

# A row is written for every deployment: it stays short.
KEPT: Final = 10


@dataclass(frozen=True)
class Placed:
    """Something that was put into an environment: by a deployment, or by a rollback. It runs from its end, where that was a success."""

    name: str
    artifact: str | None = None
    commit: str | None = None
    runs_from: Moment | None = None
    position: int = 0


@dataclass(frozen=True)
class Placement:
    """One service in one environment, and what was put there."""

    place: str
    environment: str | None = None
    placed: tuple[Placed, ...] = ()


placements = View(
    "placements",
    version=2,
    row=Placement,
    kind="placement",
    entries_of=lambda key, row: (Match(refs=(ref("service", key.partition("@")[0]),)),),
    indexes=("environment",),
    doc="Placements: the artifacts and commits that were put into each environment of each service, one after the other.",
)


def place_of(service: str | None, environment: str | None) -> str | None:
    """Return what a service in an environment is called here; None where one is not known."""
    return f"{service}@{compared(environment)}" if service is not None and environment is not None else None


def _where(event: Any) -> str | None:
    return place_of(event.service, event.environment)


def _noted(row: Placement, placed: Placed) -> Placement:
    placed_there = _together((*row.placed, placed))[-KEPT:]
    return replace(row, environment=row.place.partition("@")[2], placed=placed_there)


def _together(placed: Iterable[Placed]) -> tuple[Placed, ...]:
    """Return placements, each once, where it was reported last: what one report leaves out another has said."""
    found: dict[str, Placed] = {}
    for one in placed:
        if (known := found.pop(one.name, None)) is not None:
            one = Placed(
                one.name,
                one.artifact or known.artifact,
                one.commit or known.commit,
                one.runs_from or known.runs_from,
                one.position,
            )
        found[one.name] = one
    return tuple(found.values())


@placements.on(DeploymentStarted, key=_where)
def started(row: Placement, event: DeploymentStarted, entry: EntryInfo) -> Placement:
    name = ref("deployment", event.deployment_id)
    return _noted(row, Placed(name, event.artifact, event.commit, position=entry.position))


@placements.on(DeploymentFinished, key=_where)
def finished(row: Placement, event: DeploymentFinished, entry: EntryInfo) -> Placement:
    runs_from = entry.time if event.outcome == "success" else None
    name = ref("deployment", event.deployment_id)
    return _noted(row, Placed(name, event.artifact, event.commit, runs_from, entry.position))


@placements.on(DeploymentPromoted, key=lambda event: place_of(event.service, event.to_environment))
def promoted(row: Placement, event: DeploymentPromoted, entry: EntryInfo) -> Placement:
    name = ref("deployment", event.deployment_id)
    return _noted(row, Placed(name, event.artifact, None, entry.time, entry.position))


@placements.on(RollbackCompleted, key=_where)
def rolled_back(row: Placement, event: RollbackCompleted, entry: EntryInfo) -> Placement:
    if event.outcome != "success" or event.to_artifact is None:
        return row
    name = ref("rollback", event.rollback_id)
    return _noted(row, Placed(name, event.to_artifact, None, entry.time, entry.position))


def what_was_placed(row: Placement) -> list[Match]:
    """Return the entries of all that was placed somewhere, and the last of the service under other names of the environment: what each
    undoes is read off the others.
    """
    of_service = Match(
        (DeploymentFinished.type, RollbackCompleted.type), (ref("service", row.place.partition("@")[0]),)
    )
    return [*(Match(refs=(placed.name,)) for placed in row.placed), of_service]


# -- what is undone ------------------------------------------------------------------------------------------------------


def undoing(event: Event) -> str | None:
    """Return the ref by which an entry is found that may undo what it does not name."""
    if isinstance(event, RollbackCompleted) and event.deployment_id is None:
        return ref("rollback", event.rollback_id) if event.outcome == "success" else None
    if isinstance(event, DeploymentFinished) and event.outcome == "success":
        return ref("deployment", event.deployment_id)
    return None


def undone_by(event: Any, entry: EntryInfo) -> str | None:
    """Return the deployment that an entry undoes without naming it: what ran there, where something older takes its place."""
    name = undoing(event)
    service, environment = (event.service, event.environment) if name is not None else (None, None)
    if service is None or environment is None:
        return None
    rows = under_all_names(entry.reads, placements, environment, entry.time, lambda called: place_of(service, called))
    placed = _together(sorted((one for row in rows for one in row.placed), key=lambda one: one.position))
    ran = sorted((one for one in placed if one.runs_from is not None), key=_order)
    new = next((one for one in ran if one.name == name), None)
    before = [
        one for one in ran if one is not new and _order(one) < (_order(new) if new else (entry.time, entry.position))
    ]
    last = before[-1] if before else None
    kind, deployment = kind_and_value(last.name) if last is not None else ("", "")
    if last is None or kind != "deployment":
        return None
    if isinstance(event, RollbackCompleted):
        is_of_it = event.from_artifact in (None, last.artifact) and event.to_artifact != last.artifact
        return deployment if is_of_it else None
    return deployment if new is not None and _is_older(new, last, before) else None


def _order(placed: Placed) -> tuple[Moment, int]:
    return placed.runs_from or "", placed.position


def _is_older(new: Placed, last: Placed, before: Sequence[Placed]) -> bool:
    """Say whether what is put somewhere ran there before what ran there last ever did."""
    if _are_same(new, last) is not False:
        return False
    first = next(one for one in before if one is last or _are_same(one, last))
    return any(_are_same(one, new) for one in before[: before.index(first)])


def _are_same(one: Placed, other: Placed) -> bool | None:
    """Say whether two placements are of one artifact, or of one commit; None where nothing tells."""
    if one.artifact is not None and other.artifact is not None:
        return one.artifact == other.artifact
    if one.commit is not None and other.commit is not None:
        return is_same(one.commit, other.commit)
    return None
