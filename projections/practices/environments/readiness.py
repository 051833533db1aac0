"""4.6 Readiness against the release schedule: environments are ready when they were promised to be, and before a release begins."""

from typing import Final

from ledger.events.environment import EnvironmentReadinessPromised, EnvironmentReadyAttested
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Moment, Reads
from projections.judging.able import holding
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import NO_CHANGE, Question, Remedy, Said, gate_rule, ticket_of
from projections.judging.of_acts import finding_of_acts
from projections.practices.practice import Practice
from projections.readings.changes.scopes import change_scopes
from projections.readings.delivery.deployments import Deployment, change_at
from projections.readings.environments.environments import names_for
from projections.readings.environments.readiness import (
    Attestation,
    Promise,
    Readiness,
    ReleaseSlack,
    attestations_of,
    failing,
    promises_of,
    readiness,
    ready_since,
    release_schedules,
    release_slack,
    rows_of,
)
from projections.readings.people.imports import instants_of
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.replacing import may_end, standing
from projections.readings.people.settings import Words
from projections.readings.people.speaking import clocks_of
from projections.rules.leave import FOR_EVER, Clocks, is_on_record
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "4.6", "Readiness against the release schedule", views=(readiness, release_schedules, release_slack)
)
READINESS_GATE: Final = Words(
    "readiness-gate",
    "whether an environment must be attested as ready for the release that a change is of",
    applies_to="environment",
    choices=("required", "optional"),
    default=("optional",),
)


@finding(readiness, severity="medium", version=3)
def readiness_late(row: Readiness, look: Look) -> Breach | None:
    """An environment was not ready when it was promised to be, and still is not. Another promise afterwards takes nothing of that away."""
    if row.release_id is None or row.environment is None:
        return None
    rows = rows_of(look, row.release_id, row.environment, FOR_EVER)
    attestations = attestations_of(look, rows)
    promises = promises_of(look, rows)
    if not promises or rows[0].key != row.key:
        return None
    clocks = clocks_of(look, promises[-1].said.at)
    if ready_since(look, attestations, clocks) is not None:
        return None
    missed = [
        one
        for one in _standing(promises, look)
        if look.has_come(one.ready_by) and not _was_kept(one, attestations, clocks, look)
    ]
    if not missed:
        return None
    words = f"{row.environment} was promised for release {row.release_id} by {missed[0].ready_by}"
    return Breach(words, positions_of(*(one.said.position for one in missed)))


def _standing(promises: list[Promise], reads: Reads) -> list[Promise]:
    """Return the promises that stood when their time came: no other was on record by then, by who may end them."""
    return [
        one
        for place, one in enumerate(promises)
        if not any(
            later.said.recorded_at <= one.ready_by
            and may_end(reads, EnvironmentReadinessPromised.type, later.said, one.said)
            for later in promises[place + 1 :]
        )
    ]


def _was_kept(promise: Promise, attestations: list[Attestation], clocks: Clocks, reads: Reads) -> bool:
    by_then = [one for one in attestations if one.said.at <= promise.ready_by]
    since = ready_since(reads, by_then, clocks)
    return since is not None and since <= promise.ready_by


@finding(release_slack, severity="medium")
def release_before_ready(row: ReleaseSlack, look: Look) -> Breach | None:
    """A release is to begin before its environments are promised to be ready; or it was to begin, and they are not."""
    if row.start_at is None:
        return None
    has_begun = look.has_come(row.start_at)
    waiting = []
    for one in row.environments:
        if not one.is_ready and one.slack_minutes is not None and one.slack_minutes < 0:
            waiting.append(f"{one.environment} is promised by {one.ready_at}")
        elif not one.is_ready and has_begun:
            waiting.append(f"{one.environment} is not attested as ready")
    if not waiting:
        return None
    words = f"release {row.release_id} begins at {row.start_at}, and {listed(waiting)}"
    return Breach(words, positions_of(row.scheduled_position))


def _unready(release_id: str, environment: str, at: Moment, told: list[Attestation], reads: Reads) -> str:
    """Say why an environment is not ready for a release by what was attested, or ""."""
    if not told:
        return f"nobody had attested that {environment} is ready for release {release_id}"
    if ready_since(reads, told, clocks_of(reads, at)) is None:
        words = standing(reads, EnvironmentReadyAttested.type, told, lambda one: one.environment)
        return f"{environment} was not ready for release {release_id}: {listed(failing(words))} did not pass"
    return ""


@finding_of_acts(severity="high", version=3)
def started_unready(row: Deployment, look: Look) -> Breach | None:
    """Something of a release was put where nobody had attested by then that all is ready for it, where the policy asks for that."""
    for act in row.acts:
        if act.is_history or act.environment is None:
            continue
        for instant in instants_of(look, act):
            then, clocks = look.at(instant.at), clocks_of(look, instant.at)
            policy = in_force(then, instant.at)
            if "required" not in policy.words(READINESS_GATE, *names_for(then, policy, act.environment, instant.at)):
                continue
            change_id = change_at(look, row, act, instant, clocks)
            scope = look.row(change_scopes, change_id) if change_id is not None else None
            if scope is None or scope.release_id is None:
                continue
            told = [
                one
                for one in attestations_of(look, rows_of(then, scope.release_id, act.environment, instant.at))
                # What failed before counts whenever it is told; what passed, when it was on record.
                if one.said.at <= instant.at and (one.failed or is_on_record(one.said, instant))
            ]
            if why := _unready(scope.release_id, act.environment, instant.at, told, look):
                words = f"{row.deployment_id} began at {act.at}, and {why}"
                return Breach(words, positions_of(act.position, *(one.said.position for one in told[-1:])))
    return None


@gate_rule(
    version=2,
    remedies={
        "not-ready": Remedy(
            "somebody looks, and attests that the environment is ready for the release (environment.ready_attested)",
            holding(EnvironmentReadyAttested),
        )
    },
)
def environment_is_ready(question: Question, look: Look, policy: InForce) -> Said:
    """The environment is attested as ready for the release that the change is of, where the policy asks for that."""
    if question.environment is None:
        return "insufficient_evidence", "not-said", "expected an environment in the question", ()
    names = names_for(look, policy, question.environment, question.asked_at)
    if "required" not in policy.words(READINESS_GATE, *names):
        return "allow", "not-asked-for", "the policy asks for no readiness", ()
    ticket = ticket_of(question, look)
    if ticket is None:
        return NO_CHANGE
    if ticket.release_id is None:
        return "allow", "of-no-release", f"{ticket.change_id} is of no release", ()
    rows = rows_of(look, ticket.release_id, question.environment, question.asked_at)
    told = attestations_of(look, rows)
    used = [one.said.position for one in told[-1:]]
    if why := _unready(ticket.release_id, question.environment, question.asked_at, told, look):
        return "deny" if told else "insufficient_evidence", "not-ready", why, used
    return "allow", "ready", f"{question.environment} is ready for release {ticket.release_id}", used
