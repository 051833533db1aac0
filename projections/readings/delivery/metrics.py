"""Delivery: the five metrics of DORA for every service and month, each with the deployments and entries it is made of.

Definitions, version 1, of deployments to production that succeeded as jobs, in the month in which they were first seen:

- deployment frequency: how many there were;
- lead time: the median of seconds from the merge of the commit to the end of the deployment, where both are known;
- change failure rate: the share of deployments that were rolled back or caused a confirmed incident. A deployment counts
  once, however many incidents it caused;
- recovery time: the median of seconds from the end of a failed deployment to the rollback, or to the end of its incidents;
- rework rate: the share of deployments of emergency and unauthorized changes, which nobody had planned.

What is recorded after the month is a restatement: the row keeps what it said before, and after.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.change import ChangeLinked
from ledger.events.code import CodeMerged
from ledger.events.deployment import DeploymentFinished, DeploymentStarted
from ledger.events.incident import IncidentAttributed, IncidentDetected, IncidentEvent, IncidentOpened, IncidentResolved
from ledger.events.rollback import RollbackCompleted
from projections.engine.view import EntryInfo, Moment, Number, Reads, View, replace, seconds_between
from projections.readings.changes.scopes import change_scopes
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.delivery.incidents import Incident, caused_by, concerned, incidents
from projections.readings.environments.environments import READ_BY_ASKING, is_production
from projections.rules.figures import known, percentile, share

DEFINITION: Final = 1
# Of so many deployments of a service is asked whether they were tied to a change by what they deployed, or when.
LATEST: Final = 50
UNPLANNED: Final = ("emergency", "unauthorized")


@dataclass(frozen=True)
class Merge:
    """When a commit was merged, first."""

    commit: str
    merged_at: Moment | None = None
    position: int | None = None


merges = View(
    "merges",
    version=1,
    row=Merge,
    kind="commit",
    doc="Merged commits: when each came into the main line, from which lead time is counted.",
)


def _commits(event: CodeMerged) -> list[str]:
    return [commit for commit in (event.merge_sha, event.head_sha) if commit is not None]


@merges.on(CodeMerged, key=_commits)
def merged(row: Merge, event: CodeMerged, entry: EntryInfo) -> Merge:
    return row if row.merged_at is not None else Merge(row.commit, entry.time, entry.position)


@dataclass(frozen=True)
class Delivered:
    """One deployment of the month, and what each metric takes from it."""

    deployment_id: str
    is_failed: bool
    is_unplanned: bool
    lead_s: int | None
    recovery_s: int | None
    positions: tuple[int, ...]


@dataclass(frozen=True)
class Restatement:
    """What an entry that was recorded after the month changed: the metrics before and after it."""

    position: int
    at: Moment
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Delivery:
    """One service in one month. Rates are shares of `deployments`; times are seconds. `items` holds what they are made of."""

    key: str
    service: str | None = None
    month: str | None = None
    definition: int = DEFINITION
    deployments: int = 0
    failed: int = 0
    change_failure_rate: Number | None = None
    lead_time_s: int | None = None
    recovery_time_s: int | None = None
    rework_rate: Number | None = None
    items: tuple[Delivered, ...] = ()
    # Refs of the deployments and incidents of which an entry said something here, also of what is counted no more.
    heard_of: tuple[str, ...] = ()
    restatements: tuple[Restatement, ...] = ()


def _entries_of(key: str, row: Delivery) -> list[Match]:
    service = key.rpartition("/")[0]
    # A link by hand, and what is said of an incident, need not name the service.
    return [Match(refs=(name,)) for name in (ref("service", service), *row.heard_of)]


delivery = View(
    "delivery",
    version=3,
    row=Delivery,
    kind="delivery",
    entries_of=_entries_of,
    names=("heard_of",),
    reads=(change_scopes, deployments, incidents, merges, *READ_BY_ASKING),
    indexes=("service", "month"),
    doc="Delivery: deployment frequency, lead time, change failure rate, recovery time and rework rate, by service and month.",
)


def _months(event: Any, entry: EntryInfo) -> list[str]:
    return [month for row in _deployments(event, entry.reads) if (month := _month_of(row, entry.reads)) is not None]


def _month_of(row: Deployment, reads: Reads) -> str | None:
    if row.environment is None or row.service is None or row.seen_at is None:
        return None
    if not is_production(reads, row.environment, row.seen_at):
        return None
    return f"{row.service}/{row.seen_at[:7]}"


def _deployments(event: Any, reads: Reads) -> list[Deployment]:
    """Return the deployments that an entry is about; of what is said of an incident, those that caused it, or were held to."""
    name = getattr(event, "deployment_id", None)
    names: tuple[str, ...] = (name,) if name else ()
    changes: tuple[str, ...] = ()
    if isinstance(event, IncidentAttributed):
        names, changes = concerned(event, reads)
    elif isinstance(event, IncidentEvent) and (incident := reads.row(incidents, event.incident_id)) is not None:
        names = (incident.deployment_id,) if incident.deployment_id else ()
        changes = (incident.change_id,) if incident.change_id and not names else ()
    rows = {name: row for name in names if (row := reads.row(deployments, name)) is not None}
    for change in changes:
        rows |= {row.deployment_id: row for row in _of_change(reads, change)}
    return list(rows.values())


def _of_change(reads: Reads, change_id: str) -> list[Deployment]:
    scope, about = reads.row(change_scopes, change_id), ref("change", change_id)
    rows = [
        row
        for event in (DeploymentStarted, DeploymentFinished, ChangeLinked)
        for row in reads.named(deployments, event, about)
    ]
    # Those too that were tied to the change by what they deployed, or when: their entries do not name it.
    for service in scope.services if scope is not None else ():
        rows += reads.named(deployments, DeploymentStarted, ref("service", service), LATEST)
    return [row for row in rows if row.change_id == change_id]


@delivery.on(
    DeploymentStarted,
    DeploymentFinished,
    RollbackCompleted,
    IncidentDetected,
    IncidentOpened,
    IncidentAttributed,
    IncidentResolved,
    ChangeLinked,
    key=_months,
)
def counted(row: Delivery, event: Any, entry: EntryInfo) -> Delivery:
    items = {item.deployment_id: item for item in row.items}
    heard_of = dict.fromkeys(row.heard_of)
    for deployment in _deployments(event, entry.reads):
        if _month_of(deployment, entry.reads) != row.key:
            # What is said of a deployment may take it to another service: it is counted there.
            continue
        items.pop(deployment.deployment_id, None)
        caused = caused_by(entry.reads, deployment)
        heard_of |= dict.fromkeys(
            (ref("deployment", deployment.deployment_id), *(ref("incident", i.incident_id) for i in caused))
        )
        if deployment.outcome == "success":
            items[deployment.deployment_id] = _item(deployment, caused, entry.reads)
    service, _, month = row.key.rpartition("/")
    counts = tuple(items[name] for name in sorted(items))
    now = _measured(replace(row, service=service, month=month, items=counts, heard_of=tuple(heard_of)))
    if entry.recorded_at[:7] > month and row.items and metrics(row) != metrics(now):
        restated = Restatement(entry.position, entry.recorded_at, metrics(row), metrics(now))
        now = replace(now, restatements=(*row.restatements, restated))
    return now


def _item(row: Deployment, caused: Sequence[Incident], reads: Reads) -> Delivered:
    scope = reads.row(change_scopes, row.change_id) if row.change_id else None
    merge = reads.row(merges, row.commit) if row.commit else None
    ended = row.finished_at
    resolved = [incident.resolved_at for incident in caused]
    over = row.rolled_back_at or (max(at or "" for at in resolved) if resolved and all(resolved) else None)
    positions = {*row.positions, *(p for incident in caused for p in incident.positions)}
    if merge is not None and merge.position is not None:
        positions.add(merge.position)
    return Delivered(
        row.deployment_id,
        row.rolled_back_at is not None or bool(caused),
        scope is not None and scope.change_type in UNPLANNED,
        seconds_between(merge.merged_at, ended) if merge else None,
        seconds_between(ended, over),
        tuple(sorted(positions)),
    )


def _measured(row: Delivery) -> Delivery:
    failed = [item for item in row.items if item.is_failed]
    return replace(
        row,
        deployments=len(row.items),
        failed=len(failed),
        change_failure_rate=share(len(failed), len(row.items)),
        lead_time_s=percentile(known(item.lead_s for item in row.items), 50),
        recovery_time_s=percentile(known(item.recovery_s for item in failed), 50),
        rework_rate=share(sum(item.is_unplanned for item in row.items), len(row.items)),
    )


def metrics(row: Delivery) -> tuple[str, ...]:
    """Return the five metrics as words, in the order of the module's definitions."""
    values = {
        "deployments": row.deployments,
        "lead_time_s": row.lead_time_s,
        "change_failure_rate": row.change_failure_rate,
        "recovery_time_s": row.recovery_time_s,
        "rework_rate": row.rework_rate,
    }
    return tuple(f"{name}={value}" for name, value in values.items())
