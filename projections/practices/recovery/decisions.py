"""7.5 The record of a rollback decision: something can be undone, somebody decided it, and there is a place to go back to."""

from typing import Final

from ledger.events import ref
from ledger.events.deployment import DeploymentStarted
from ledger.events.rollback import RollbackDecided
from projections.engine.reads import Look
from projections.judging.able import may
from projections.judging.gate_rule import NO_DEPLOYMENT, Question, Remedy, Said, deployment_of, gate_rule, of_deployment
from projections.practices.practice import Practice
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.delivery.rollbacks import rollbacks
from projections.readings.environments.environments import same_environment
from projections.readings.people.policies import InForce
from projections.readings.people.speaking import clocks_of
from projections.rules.leave import replaces

PRACTICE: Final = Practice("7.5", "The record of a rollback decision", views=(rollbacks,))


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


@gate_rule(remedies={"": Remedy("an artifact is named that ran there, ended as success, and was not rolled back")})
def target_was_deployed_before(question: Question, look: Look, policy: InForce) -> Said:
    """The artifact to go back to ran in this environment before, and held."""
    row = deployment_of(question, look)
    if row is None or row.service is None:
        return NO_DEPLOYMENT
    if question.artifact is None:
        return "insufficient_evidence", "not-said", "expected the artifact to go back to in the question", ()
    if question.artifact == row.artifact:
        return "deny", "same-artifact", "that artifact is the one to be undone", row.positions
    earlier = look.named(deployments, DeploymentStarted, ref("service", row.service), limit=100)
    for other in earlier:
        fits = (other.artifact, other.outcome, other.rolled_back_at) == (question.artifact, "success", None)
        if fits and same_environment(look, other.environment, row.environment, question.asked_at):
            return "allow", "known-good", f"{question.artifact} ran as {other.deployment_id}", other.positions
    return "insufficient_evidence", "unknown-artifact", f"{question.artifact} is not known to have run there", ()
