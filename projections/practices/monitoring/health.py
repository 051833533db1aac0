"""6.1 Health checks after a deployment: what is promoted was verified as healthy, and nobody holds it."""

from typing import Final

from projections.engine.reads import Look
from projections.judging.gate_rule import Question, Said, gate_rule, of_deployment
from projections.practices.practice import Practice
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.environments.environments import names_for
from projections.readings.people.policies import InForce
from projections.readings.people.settings import Words
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "6.1",
    "Health checks after a deployment",
    views=(deployments,),
    to_come="single probes, with where they looked from and the version they saw",
)
VERIFICATION: Final = Words(
    "verification",
    "whether a deployment must be verified as healthy to be promoted",
    applies_to="environment",
    choices=("required", "optional"),
    default=("required",),
)


@gate_rule()
@of_deployment
def deployment_held(row: Deployment, question: Question, look: Look, policy: InForce) -> Said:
    """The deployment succeeded, was not rolled back, and caused no incident."""
    if row.rolled_back_at is not None:
        return "deny", "rolled-back", f"it was rolled back at {row.rolled_back_at}", row.positions
    if row.incidents:
        return "deny", "incident", f"it caused {listed(row.incidents)}", row.positions
    if row.outcome is None:
        return "insufficient_evidence", "not-finished", "it has not finished", row.positions
    if row.outcome != "success":
        return "deny", "failed", f"it ended as {row.outcome}", row.positions
    return "allow", "held", "it succeeded, and nothing speaks against it", row.positions


@gate_rule()
@of_deployment
def deployment_is_healthy(row: Deployment, question: Question, look: Look, policy: InForce) -> Said:
    """The deployment was verified as healthy, where the policy asks for it."""
    if "required" not in policy.words(VERIFICATION, *names_for(look, policy, question.environment, question.asked_at)):
        return "allow", "not-asked-for", "the policy asks for no verification", ()
    if row.verdict == "healthy":
        return "allow", "healthy", "it was verified as healthy", row.positions
    if row.verdict == "degraded":
        return "deny", "degraded", "it was verified as degraded", row.positions
    return "insufficient_evidence", "not-verified", f"verification: {row.verdict or 'none'}", row.positions
