"""6.1 Health checks after a deployment: what is promoted was verified as healthy, and nobody holds it."""

from collections.abc import Callable
from typing import Final

from ledger.events.deployment import DeploymentVerified
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.judging.able import holding
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule, of_deployment
from projections.practices.practice import Practice
from projections.readings.delivery.deployments import Deployment, deployments, runs
from projections.readings.delivery.verifications import Verification, Verified, verifications
from projections.readings.environments.environments import names_for
from projections.readings.people.policies import InForce
from projections.readings.people.replacing import standing
from projections.readings.people.settings import Words
from projections.readings.people.speaking import clocks_of
from projections.rules.leave import Instant, comes_before
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "6.1",
    "Health checks after a deployment",
    views=(deployments, verifications),
    to_come="single probes, with where they looked from and the version they saw",
)
VERIFICATION: Final = Words(
    "verification",
    "whether a deployment must be verified as healthy to be promoted",
    applies_to="environment",
    choices=("required", "optional"),
    default=("required",),
)


@gate_rule(
    remedies={
        "not-finished": Remedy("the deployment finishes (deployment.finished)"),
        "": Remedy("nothing: another deployment is promoted"),
    }
)
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


_HEALTHY: Final = {
    "": Remedy(
        "a verification of what was deployed, by its checks, says that it is healthy (deployment.verified)",
        holding(DeploymentVerified),
    )
}


@gate_rule(version=3, remedies=_HEALTHY)
@of_deployment
def deployment_is_healthy(row: Deployment, question: Question, look: Look, policy: InForce) -> Said:
    """The deployment was verified as healthy after it was put there last, where the policy asks for it; and by nobody else as anything
    else.
    """
    clocks, last = clocks_of(look, question.asked_at), runs(row)

    def is_of_it(one: Verification) -> bool:
        then = Instant(one.said.at, one.said.recorded_at, one.said.position)
        return last is None or comes_before(last, then, clocks)

    return _is_healthy(row, question, look, policy, is_of_it)


@gate_rule(version=2, name="deployment_is_healthy", remedies=_HEALTHY)
@of_deployment
def deployment_was_healthy(row: Deployment, question: Question, look: Look, policy: InForce) -> Said:
    """As it was asked when what was verified of an earlier attempt counted, too."""
    return _is_healthy(row, question, look, policy, lambda one: True)


def _is_healthy(
    row: Deployment, question: Question, look: Look, policy: InForce, is_of_it: Callable[[Verification], bool]
) -> Said:
    if "required" not in policy.words(VERIFICATION, *names_for(look, policy, question.environment, question.asked_at)):
        return "allow", "not-asked-for", "the policy asks for no verification", ()
    verified = look.row(verifications, row.deployment_id)
    told = standing(look, DeploymentVerified.type, verified.of_each) if verified is not None else []
    told = [one for one in told if is_of_it(one)]
    if not told:
        return "insufficient_evidence", "not-verified", "it was not verified since it was put there", row.positions
    found = [_said_of(row, one) for one in reversed(told)]
    return next((said for said in found if said[0] != "allow"), found[0])


def _said_of(row: Deployment, last: Verification) -> Said:
    """Return what one verification says of a deployment."""
    if last.artifact is not None and row.artifact is not None and last.artifact != row.artifact:
        words = f"{last.artifact} was verified, and {row.artifact} was deployed"
        return "insufficient_evidence", "another-artifact", words, row.positions
    if last.contradiction:
        words = f"it was verified as healthy, and {last.contradiction}"
        return "deny" if last.failed else "insufficient_evidence", "contradicts-itself", words, row.positions
    if last.verdict == "healthy":
        return "allow", "healthy", "it was verified as healthy", row.positions
    if last.verdict == "degraded":
        return "deny", "degraded", "it was verified as degraded", row.positions
    return "insufficient_evidence", "not-verified", f"verification: {last.verdict}", row.positions


@finding(verifications, severity="high")
def healthy_against_its_checks(row: Verified, look: Look) -> Breach | None:
    """A deployment was verified as healthy, though a check did not pass, or looked at nothing."""
    if not row.contradictions:
        return None
    first = row.contradictions[0]
    return Breach(
        f"{row.deployment_id} was verified as healthy, and {first.contradiction}",
        positions_of(*(told.said.position for told in row.contradictions)),
    )
