"""7.5 The record of a rollback decision: something can be undone, somebody decided it, and there is a place to go back to.

What is rolled back, by whatever statement that is known, needs somebody who decided it before; and what is decided is carried out.

Longer than other files because whether something was decided, and was done, is asked of the same rows.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ledger.events import kind_and_value, ref
from ledger.events.deployment import DeploymentStarted
from ledger.events.rollback import RollbackCompleted, RollbackDecided, RollbackTriggerFired
from projections.engine.answers import kept
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Around, Moment, Reads, later, replace
from projections.judging.able import may
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import NO_DEPLOYMENT, Question, Remedy, Said, deployment_of, gate_rule, of_deployment
from projections.practices.practice import Practice
from projections.readings.delivery.acts import Report, acts_of
from projections.readings.delivery.cutovers import cutovers
from projections.readings.delivery.deployments import Deployment, deployments, done_to
from projections.readings.delivery.measurements import trigger_firings
from projections.readings.delivery.placements import placements
from projections.readings.delivery.rollbacks import Decided, Rollback, is_believed, rollbacks, was_undone
from projections.readings.delivery.triggers import definitions_at, rollback_triggers
from projections.readings.environments.environments import canonical, is_production, same_environment
from projections.readings.people.imports import instants_of, is_history
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.settings import Number
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken
from projections.rules.leave import Instant, replaces, was_there
from projections.rules.triggers import fires

PRACTICE: Final = Practice("7.5", "The record of a rollback decision", views=(rollbacks, placements, cutovers))
ROLLBACK_WITHIN_HOURS: Final = Number(
    "rollback-within-hours", "within how many hours a decision to roll back is carried out", default=24, zero="no limit"
)
# Of so many decisions about a service, before and after something was done, it is asked which are about an environment.
LATEST: Final = 64


@finding(rollbacks, severity="medium", version=3)
def rollback_not_decided(row: Rollback, look: Look) -> Breach | None:
    """Something was rolled back in production, and nobody had decided to by then. What is decided later is no such decision."""
    for done in row.completions:
        if done.outcome == "failure":
            continue
        of_it = replace(
            row,
            deployment_id=row.deployment_id if row.decided is not None else done.deployment_id,
            service=done.service,
            environment=done.environment,
        )
        if not _was_decided(of_it.deployment_id, of_it, done.said, look, row.decisions):
            what = of_it.deployment_id or f"{done.service} in {done.environment}"
            words = f"{what} was rolled back at {done.said.at} by {row.rollback_id}, and nobody had decided to"
            return Breach(words, positions_of(done.said.position, row.decided_position))
    return None


@finding(rollbacks, severity="high")
def rolled_back_to_something_new(row: Rollback, look: Look) -> Breach | None:
    """Something was rolled back in production to what never ran there, as far as is known of what did: a deployment by another name."""
    for done in row.completions:
        said, there = done.said, done.environment
        if done.outcome == "failure" or done.to_artifact is None or is_history(look, said):
            continue
        if not is_production(look, there, said.at, by=said.speaker):
            continue
        ran = {
            artifact
            for _, act in done_to(look, done.service or "", said.position)
            if act.position < said.position and same_environment(look, act.environment, there, said.at)
            for artifact in act.artifacts
        }
        # Where what is undone is all that is known, nobody knows what ran before it.
        if len(ran) > 1 and done.to_artifact not in ran:
            words = f"{done.service} in {there} was rolled back at {said.at} to {done.to_artifact}, which is not known to have run there"
            return Breach(words, positions_of(said.position), said.position)
    return None


@finding(deployments, severity="medium", version=3)
def older_deployed_undecided(row: Deployment, look: Look) -> Breach | None:
    """An older artifact was put in the place of a newer one in production: it was rolled back, and nobody had decided to by then."""
    for name in row.undone_by:
        kind, other_id = kind_and_value(name)
        other = look.row(deployments, other_id) if kind == "deployment" else None
        for report in other.reports if other is not None else ():
            if not _is_there(report, row, look):
                continue
            if not _was_decided(row.deployment_id, row, report.said, look):
                words = f"{other_id} put something older in the place of {row.deployment_id}, and nobody had decided to roll back"
                return Breach(words, positions_of(report.said.position, row.started_position))
    return None


def _is_there(report: Report, undone: Deployment, look: Look) -> bool:
    """Say whether a report is of what took the place of a deployment."""
    return (
        (report.kind, report.outcome) == ("finished", "success")
        and report.service in (None, undone.service)
        and same_environment(look, report.environment or undone.environment, undone.environment, report.said.at)
    )


@finding(rollbacks, severity="medium", version=5)
def rollback_not_carried_out(row: Rollback, look: Look) -> Breach | None:
    """It was decided to roll back, and that was not done in time. It ends when it is, or when somebody decides otherwise."""
    last = _last(look, row.decisions, None, row.environment)
    if last is None or last.decision != "roll_back" or is_history(look, last.said):
        return None
    if not is_production(look, row.environment, last.said.at, by=last.said.speaker):
        return None
    hours = _within_hours(look, last.said.at)
    if not hours or not look.has_come(later(last.said.at, hours=hours)):
        return None
    if _was_done(row, last.said, look):
        return None
    about = _last_about(look, row.deployment_id, row.service, row.environment)
    latest = _last(look, row.decisions if about is None else (*row.decisions, about), None, row.environment)
    if latest is not None and latest.decision != "roll_back":
        return None
    what = row.deployment_id or f"{row.service} in {row.environment}"
    failed = ", and it failed" if row.outcome == "failure" else ""
    words = f"{last.said.speaker} decided at {last.said.at} to roll back {what} ({row.rollback_id}), and it was not done{failed}"
    return Breach(words, positions_of(last.said.position, row.completed_position))


def _was_done(row: Rollback, decided: Spoken, look: Look) -> bool:
    """Say whether something was rolled back after it was decided: the deployment; or, naming none, what its service ran there."""
    if any(one.outcome != "failure" and is_believed(look, one, decided) for one in row.completions):
        return True
    # As it was decided: whoever tells that it was done does not say of what.
    named = look.entry(decided.position).statement["data"].get("deployment_id")
    if named is not None:
        undone = look.row(deployments, named)
        return undone is not None and was_undone(look, undone)
    # Around the decision: the last of all would be others with each that comes, and what was done about this one would go with them.
    about, around = ref("service", row.service or ""), Around(decided.position, LATEST)
    ends = [
        (other.environment, other.rolled_back_at)
        for other in look.named(deployments, DeploymentStarted, about, around)
        if was_undone(look, other)
    ]
    ends += [
        (one.environment, one.said.at)
        for other in look.named(rollbacks, RollbackCompleted, about, around)
        for one in other.completions
        if one.outcome != "failure" and is_believed(look, one, decided)
    ]
    return any(
        at is not None and at >= decided.at and same_environment(look, place, row.environment, at) for place, at in ends
    )


def _was_decided(
    undone: str | None,
    where: Rollback | Deployment,
    done: Spoken,
    look: Look,
    own: Iterable[Decided] = (),
) -> bool:
    """Say whether somebody had decided on a rollback when it was done, under its id or another; or it needs nobody's decision.

    That is where it is not in production, or history, or a trigger that rolls back by itself had fired.
    """
    if is_history(look, done) or not is_production(look, where.environment, done.at, by=done.speaker):
        return True
    if undone is not None and _rolls_back_by_itself(undone, done, look):
        return True
    about = _about(look, undone, where.service, where.environment, done)
    decisions = [*own, *(one for row in about for one in row.decisions)]
    decided = (_last(look, decisions, instant, where.environment) for instant in instants_of(look, done))
    return all(one is not None and one.decision == "roll_back" for one in decided)


def _rolls_back_by_itself(undone: str, done: Spoken, look: Look) -> bool:
    """Say whether a trigger that rolls back by itself had fired, as was on record by then, and as it was defined; its condition met."""
    clocks = clocks_of(look, done.at)
    for fired in look.named(trigger_firings, RollbackTriggerFired, ref("deployment", undone), LATEST):
        trigger = look.row(rollback_triggers, fired.trigger_id) if fired.trigger_id is not None else None
        if fired.said is None or trigger is None or fired.measured is None:
            continue
        for instant in instants_of(look, done):
            defined = definitions_at(look, trigger, instant, clocks, fired.version)
            if not defined or defined[-1].mode != "automatic" or not was_there(fired.said, instant, clocks):
                break
            condition = defined[-1].condition
            if not fires(condition, fired.measured, fired.samples or 0):
                break
        else:
            return True
    return False


def _about(
    reads: Reads, undone: str | None, service: str | None, environment: str | None, done: Spoken | None = None
) -> Iterator[Rollback]:
    """Yield the rollbacks that were decided on for a deployment; or, naming none, for its service in its environment.

    One that names no deployment is for what is done as soon as it has to be.
    """
    if undone is not None:
        yield from reads.named(rollbacks, RollbackDecided, ref("deployment", undone))
    limit = LATEST if done is None else Around(done.position, LATEST)
    for row in reads.named(rollbacks, RollbackDecided, ref("service", service or ""), limit):
        at = row.decided_at
        if at is None or row.deployment_id is not None:
            continue
        if same_environment(reads, row.environment, environment, at):
            hours = _within_hours(reads, at)
            if done is None or not hours or done.at <= later(at, hours=hours):
                yield row


@kept
def _last_about(reads: Reads, undone: str | None, service: str | None, environment: str | None) -> Decided | None:
    """Return what was decided last for a deployment, or for its service: one answer for all who decided on it."""
    about = _about(reads, undone, service, environment)
    return _last(reads, (one for row in about for one in row.decisions), None, environment)


def _within_hours(reads: Reads, at: Moment) -> int:
    return in_force(reads, at).number(ROLLBACK_WITHIN_HOURS)


def _last(
    reads: Reads, decisions: Iterable[Decided], instant: Instant | None, environment: str | None
) -> Decided | None:
    """Return what was decided last, by who had the power: of all, or of what was there when somebody acted."""
    last: Decided | None = None
    for one in decisions:
        clocks = clocks_of(reads, one.said.at)
        if instant is not None and not was_there(one.said, instant, clocks):
            continue
        if (last is None or replaces(one.said, last.said, clocks)) and not fault_of_speaker(
            reads, RollbackDecided.type, one.said, environment
        ):
            last = one
    return last


# -- the gate ------------------------------------------------------------------------------------------------------------


@gate_rule(remedies={"": Remedy("nothing: it is undone already")})
@of_deployment
def deployment_can_be_undone(row: Deployment, question: Question, look: Look, policy: InForce) -> Said:
    """The deployment was started and is not undone yet."""
    if row.rolled_back_at is not None:
        return "deny", "rolled-back", f"it was rolled back at {row.rolled_back_at} already", row.positions
    return "allow", "deployed", "it was deployed, and not undone", row.positions


@gate_rule(remedies={"": Remedy("somebody decides to roll back (rollback.decided)", may(RollbackDecided))})
@of_deployment
def rollback_is_decided(row: Deployment, question: Question, look: Look, policy: InForce) -> Said:
    """Somebody decided to roll back, it is on record, and nobody decided otherwise since."""
    clocks, last = clocks_of(look, question.asked_at), None
    for rollback in look.named(rollbacks, RollbackDecided, ref("deployment", row.deployment_id)):
        said = rollback.decided
        if said is not None and (last is None or last.decided is None or replaces(said, last.decided, clocks)):
            last = rollback
    if last is None or last.decision is None:
        return "needs_approval", "not-decided", "nobody decided yet to roll back", row.positions
    if last.decision != "roll_back":
        words = f"{last.decided_by} decided at {last.decided_at}: {last.decision}"
        return "needs_approval", "not-decided", words, (last.decided_position,)
    return "allow", "decided", f"decided at {last.decided_at}", row.positions


_RAN: Final = {"": Remedy("an artifact is named that ran there, ended as success, and was not rolled back")}


@gate_rule(version=3, remedies=_RAN)
def target_was_deployed_before(question: Question, look: Look, policy: InForce) -> Said:
    """The artifact to go back to ran in this environment before, and held: as all that was on record before what is undone says."""

    def ran(other: Deployment, row: Deployment) -> bool:
        begun = min(row.positions, default=0)
        told = [report for report in other.reports if report.said.position < begun]
        return any(
            (act.artifacts, act.outcome) == ((question.artifact,), "success")
            and same_environment(look, act.environment, row.environment, question.asked_at)
            for act in acts_of(told, lambda name: canonical(look, name, question.asked_at))
        )

    return _was_deployed_before(question, look, ran)


@gate_rule(version=2, name="target_was_deployed_before", remedies=_RAN)
def target_was_said_to_be_deployed_before(question: Question, look: Look, policy: InForce) -> Said:
    """As it was asked when what was told afterwards of an earlier deployment counted, too."""

    def ran(other: Deployment, row: Deployment) -> bool:
        was_told = min(other.positions, default=0) < min(row.positions, default=0)
        is_it = (other.artifact, other.outcome) == (question.artifact, "success")
        return is_it and was_told and same_environment(look, other.environment, row.environment, question.asked_at)

    return _was_deployed_before(question, look, ran)


def _was_deployed_before(question: Question, look: Look, ran: Callable[[Deployment, Deployment], bool]) -> Said:
    row = deployment_of(question, look)
    if row is None or row.service is None:
        return NO_DEPLOYMENT
    if question.artifact is None:
        return "insufficient_evidence", "not-said", "expected the artifact to go back to in the question", ()
    if question.artifact == row.artifact:
        return "deny", "same-artifact", "that artifact is the one to be undone", row.positions
    for other in look.named(deployments, DeploymentStarted, ref("service", row.service), limit=100):
        if other.rolled_back_at is None and ran(other, row):
            return "allow", "known-good", f"{question.artifact} ran as {other.deployment_id}", other.positions
    return "insufficient_evidence", "unknown-artifact", f"{question.artifact} is not known to have run there", ()
