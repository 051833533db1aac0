"""Rollback decisions: who decided what between which options, how long it took, and what came to be known only afterwards."""

from dataclasses import dataclass
from typing import Any, Final

from ledger.conditions import Match
from ledger.events import kind_and_value, ref
from ledger.events.deployment import DeploymentVerified
from ledger.events.incident import IncidentAttributed
from ledger.events.rollback import Decision, RollbackCompleted, RollbackDecided, RollbackOutcome, RollbackTriggerFired
from projections.engine.view import EntryInfo, Moment, Reads, View, replace, seconds_between
from projections.readings.delivery.deployments import Deployment, deployments, done_to
from projections.readings.delivery.placements import placements, undone_by, what_was_placed
from projections.readings.delivery.triggers import is_met, rollback_triggers
from projections.readings.environments.environments import READ_BY_ASKING, same_environment
from projections.readings.people.powers import fault_of_speaker, kind_of, persons_behind
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, has_root_power, is_vouched, spoken
from projections.rules.leave import replaces

# How many rollbacks that name a deployment, or a service, are looked at: the last ones.
LATEST: Final = 64


@dataclass(frozen=True)
class Decided:
    """What somebody decided, when they had the power to."""

    decision: Decision
    said: Spoken


@dataclass(frozen=True)
class Completed:
    """What somebody said was rolled back, and how that ended."""

    said: Spoken
    outcome: RollbackOutcome
    deployment_id: str | None = None
    service: str | None = None
    environment: str | None = None
    to_artifact: str | None = None


@dataclass(frozen=True)
class Rollback:
    """One decision, and all that were taken under its id. `late_evidence` had happened when it was taken, and was recorded after it:
    nobody could know it here.
    """

    rollback_id: str
    deployment_id: str | None = None
    change_id: str | None = None
    service: str | None = None
    environment: str | None = None
    decision: Decision | None = None
    options: tuple[str, ...] = ()
    decided_by: str | None = None
    decided_at: Moment | None = None
    decided_position: int | None = None
    decided: Spoken | None = None
    decisions: tuple[Decided, ...] = ()
    # The first sign that something was wrong: a trigger that fired by what met it, a verification that failed.
    first_sign_at: Moment | None = None
    decision_latency_s: int | None = None
    completed_at: Moment | None = None
    completed_position: int | None = None
    outcome: RollbackOutcome | None = None
    from_artifact: str | None = None
    to_artifact: str | None = None
    recovery_s: int | None = None
    late_evidence: tuple[int, ...] = ()
    # As each who told of it said first that it was done, or else last that it was not: the columns above are of what was told last.
    completions: tuple[Completed, ...] = ()


def _entries_of(key: str, row: Rollback) -> list[Match]:
    about = [Match(refs=(ref("rollback", key),))]
    return [*about, Match(refs=(ref("deployment", row.deployment_id),))] if row.deployment_id else about


rollbacks = View(
    "rollbacks",
    version=8,
    row=Rollback,
    kind="rollback",
    entries_of=_entries_of,
    names=("deployment_id",),
    reads=(placements, rollback_triggers, deployments, *READ_BY_ASKING),
    follows={placements: what_was_placed},
    indexes=("deployment_id", "service", "decided_at"),
    doc="Rollback decisions: options, who decided and how soon, recovery, and evidence that was recorded only afterwards.",
)


@rollbacks.on(RollbackDecided, key=lambda event: event.rollback_id)
def decided(row: Rollback, event: RollbackDecided, entry: EntryInfo) -> Rollback:
    """The decision is the last, by its time, of who had the power. One of an earlier time that is told later takes nothing back."""
    said = spoken(entry, event.actor)
    if fault_of_speaker(entry.reads, entry.type, said, event.environment):
        return row
    row = replace(row, decisions=(*row.decisions, Decided(event.decision, said)))
    if row.decided is not None and not replaces(said, row.decided, clocks_of(entry.reads, entry.recorded_at)):
        return row
    deployment = entry.reads.row(deployments, event.deployment_id) if event.deployment_id else None
    sign = deployment.first_sign_at if deployment else None
    return replace(
        row,
        deployment_id=event.deployment_id,
        change_id=event.change_id or (deployment.change_id if deployment else None),
        service=event.service,
        environment=event.environment,
        decision=event.decision,
        options=event.options,
        decided_by=event.actor,
        decided_at=entry.time,
        decided_position=entry.position,
        decided=said,
        first_sign_at=sign,
        decision_latency_s=seconds_between(sign, entry.time),
    )


@rollbacks.on(RollbackCompleted, key=lambda event: event.rollback_id)
def completed(row: Rollback, event: RollbackCompleted, entry: EntryInfo) -> Rollback:
    deployment_id = event.deployment_id or undone_by(event, entry)
    done = Completed(
        spoken(entry, event.actor), event.outcome, deployment_id, event.service, event.environment, event.to_artifact
    )
    return replace(
        row,
        # What is decided says it better than what is done: a rollback that names no deployment is of what ran there.
        deployment_id=row.deployment_id or deployment_id,
        service=row.service or event.service,
        environment=row.environment or event.environment,
        completed_at=entry.time,
        completed_position=entry.position,
        outcome=event.outcome,
        from_artifact=event.from_artifact,
        to_artifact=event.to_artifact,
        recovery_s=seconds_between(row.decided_at, entry.time),
        completions=_with(row.completions, done),
    )


def _with(completions: tuple[Completed, ...], done: Completed) -> tuple[Completed, ...]:
    """Return completions with one more: what was done is not undone by saying that it failed, nor by saying it of something else."""
    own = next((one for one in completions if one.said.principal == done.said.principal), None)
    if own is not None and own.outcome == "success":
        return completions
    return (*(one for one in completions if one is not own), done)


def _decisions_about(event: Any, entry: EntryInfo) -> tuple[str, ...]:
    row = entry.reads.row(deployments, event.deployment_id) if event.deployment_id else None
    return row.rollbacks if row else ()


@rollbacks.on(DeploymentVerified, IncidentAttributed, RollbackTriggerFired, key=_decisions_about)
def came_late(row: Rollback, event: Any, entry: EntryInfo) -> Rollback:
    if row.decided_at is None or entry.time > row.decided_at:
        return row
    if isinstance(event, RollbackTriggerFired) and not is_met(
        entry.reads.row(rollback_triggers, event.trigger_id), event
    ):
        return row
    return replace(row, late_evidence=(*row.late_evidence, entry.position))


# -- asking --------------------------------------------------------------------------------------------------------------


def is_believed(reads: Reads, done: Completed, decided: Spoken | None = None) -> bool:
    """Say whether it is believed that something was rolled back: who has the power says so, had put something there before, or is a
    human, who may as well decide that it is not. What was put there since it was `decided` makes nobody believed.
    """
    said, event_type = done.said, RollbackCompleted.type
    if has_root_power(reads, event_type, said) or is_vouched(reads, said):
        return True
    if said.speaker == said.principal and kind_of(reads, said.speaker, said) == "human":
        return True
    persons = persons_behind(reads, said)
    before = min(said.position, decided.position if decided is not None else said.position)
    there = [
        (row, act)
        for row, act in done_to(reads, done.service or "", before)
        if same_environment(reads, act.environment, done.environment, said.at)
    ]
    ran = {artifact for _, act in there for artifact in act.artifacts if act.position < before}
    if ran and done.to_artifact is not None and done.to_artifact not in ran:
        # To what never ran there, nobody goes back.
        return False
    return any(
        bool(persons & persons_behind(reads, report.said))
        for row, _ in there
        for report in row.reports
        if report.said.position < before
    )


def was_undone(reads: Reads, row: Deployment) -> bool:
    """Say whether it is believed that a deployment was rolled back, or shown by what took its place."""
    if row.rolled_back_at is None:
        return False
    kinds = [kind_and_value(name) for name in row.undone_by]
    told = [found for kind, name in kinds if kind == "rollback" and (found := reads.row(rollbacks, name)) is not None]
    told += reads.named(rollbacks, RollbackCompleted, ref("deployment", row.deployment_id), limit=LATEST)
    return any(kind == "deployment" for kind, _ in kinds) or any(
        one.outcome != "failure" and is_believed(reads, one) for rollback in told for one in rollback.completions
    )
