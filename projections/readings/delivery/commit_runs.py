"""Commit runs: by which deployments a commit first ran where. A service in an environment to which it went for the first time.

A commit goes out to many services, and many times to one: whoever asks whether it ran before asks for the first times alone, so that
nobody is concerned by the next one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.deployment import DeploymentFinished, DeploymentStarted
from projections.engine.view import EntryInfo, Moment, Reads, View, replace
from projections.readings.changes.commits import SHORTEST, is_same
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.delivery.placements import place_of
from projections.readings.environments.environments import under_all_names

# So many of the first are kept: one of them may turn out to have failed.
KEPT: Final = 8


@dataclass(frozen=True)
class Run:
    """One deployment that put a commit somewhere, and when that had succeeded."""

    deployment_id: str
    commit: str
    finished_at: Moment


@dataclass(frozen=True)
class CommitRuns:
    """What begins with some seven digits, in one service and environment: the first that put it there. `told_by` are all that tried."""

    key: str
    commit: str | None = None
    service: str | None = None
    environment: str | None = None
    runs: tuple[Run, ...] = ()
    told_by: tuple[str, ...] = ()


def key_of(commit: str, service: str, environment: str) -> str:
    """Return the key of a commit in a service and an environment, however that is spelled."""
    return f"{commit[:SHORTEST]}@{place_of(service, environment)}"


def _entries_of(key: str, row: CommitRuns) -> list[Match]:
    return [Match(refs=(ref("deployment", name),)) for name in row.told_by]


commit_runs = View(
    "commit_runs",
    version=1,
    row=CommitRuns,
    kind="commit_run",
    entries_of=_entries_of,
    names=("told_by",),
    reads=(deployments,),
    indexes=("commit", "service"),
    doc="Commits by their first seven digits, service and environment: the deployments that first put each there, and succeeded.",
)


def _key(event: Any, entry: EntryInfo) -> str | None:
    row = entry.reads.row(deployments, event.deployment_id)
    if row is None or row.commit is None or row.service is None or row.environment is None:
        return None
    return key_of(row.commit, row.service, row.environment)


@commit_runs.on(DeploymentStarted, DeploymentFinished, key=_key)
def ran(row: CommitRuns, event: Any, entry: EntryInfo) -> CommitRuns:
    known = entry.reads.row(deployments, event.deployment_id)
    commit, service, environment = row.key.split("@", 2)
    others = [run for run in row.runs if run.deployment_id != event.deployment_id]
    runs = sorted([*others, *_run(known)], key=lambda run: (run.finished_at, run.deployment_id))[:KEPT]
    told_by = tuple(dict.fromkeys((*row.told_by, event.deployment_id)))
    return replace(row, commit=commit, service=service, environment=environment, runs=tuple(runs), told_by=told_by)


def _run(row: Deployment | None) -> Iterator[Run]:
    if row is not None and row.outcome == "success" and row.commit is not None and row.finished_at is not None:
        yield Run(row.deployment_id, row.commit, row.finished_at)


def ran_before(reads: Reads, row: Deployment) -> bool:
    """Say whether the commit of a deployment had been put there before it, by another that succeeded."""
    commit, service, environment, finished_at = row.commit, row.service, row.environment, row.finished_at or ""
    if commit is None or service is None or environment is None:
        return False
    rows = under_all_names(reads, commit_runs, environment, finished_at, lambda name: key_of(commit, service, name))
    return any(
        run.deployment_id != row.deployment_id and run.finished_at < finished_at and is_same(run.commit, commit)
        for known in rows
        for run in known.runs
    )
