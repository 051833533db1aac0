"""The rules of the gates: each takes the question, reads rows of views, and answers with a reason and the entries used.

Not the recording, and no clock: `question.asked_at` is the time. A rule that finds nothing to judge by does not allow.
The settings of a policy that rules ask for are in `SETTINGS`; who has no policy in force gets no `allow`.
Longer than other files because whoever audits the rules reads them in one place.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Final, Literal

from ledger.events import ref
from ledger.events.deployment import DeploymentStarted
from ledger.events.gate import GateDecided
from ledger.events.identifiers import with_names
from ledger.events.pir import PirOpened
from ledger.events.rollback import RollbackTriggerDefined
from projections.engine.view import Reads, later
from projections.readings.changes.impacts import impacts, left_out
from projections.readings.changes.reviews import reviews
from projections.readings.changes.scopes import change_scopes, is_within_window
from projections.readings.changes.tickets import Ticket, broken_by, change_tickets
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.delivery.freezes import freezes_at, override_for
from projections.readings.delivery.incidents import incidents
from projections.readings.delivery.triggers import rollback_triggers
from projections.readings.people.grants import roles_of
from projections.readings.people.identities import person_of
from projections.readings.people.policies import POLICY, InForce
from projections.readings.risk.assessments import risk_assessments
from projections.rules import duties as duties
from projections.rules.words import listed

Verdict = Literal["allow", "needs_approval", "insufficient_evidence", "deny"]
# The strictest last.
VERDICTS: Final[tuple[Verdict, ...]] = ("allow", "needs_approval", "insufficient_evidence", "deny")
MAX_POSITIONS: Final = 64

SETTINGS: Final[Mapping[str, str]] = {
    "quorum": "how many people must approve, by band of risk (1)",
    "required-role": "a role that an approver must hold, by band of risk; may be given several times",
    "rollback-triggers": "how many triggers a service must have, by environment (1 in prod, else 0)",
    "deployer-role": "a role that who deploys must hold, by environment; may be given several times",
    "reviewed-branch": "a branch into which nothing is merged without review, by repository; may be given several times (all)",
    "impact-assessment": "`required` when a change needs an impact assessment to be deployed, by type of change",
    "verification": "`required` when a deployment must be verified as healthy to be promoted, by environment (required)",
    "observation-hours": "how long a change is watched before it is closed, by band of risk (0)",
    "pir-due-days": "for whoever opens reviews: within how many days one is due, by band of risk",
    "revoke-within-days": "within how many days a review's decision to revoke is carried out (7)",
    "escalate-after-hours": "within how many hours approvals are given, or the change is escalated, by band of risk (no limit)",
    "access-review-days": "after how many days access is reviewed again, by environment (never)",
    "dormant-after-days": "how many days a service may hold a grant without using it, by environment (no limit)",
    "rotate-within-days": "how many days a service may use the same secret, by environment (no limit)",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to do, and when they asked."""

    gate: str
    asked_at: str
    actor: str | None = None
    change_id: str | None = None
    deployment_id: str | None = None
    service: str | None = None
    environment: str | None = None
    artifact: str | None = None
    to_environment: str | None = None
    policy_id: str = POLICY


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rule says. `reason` is a word that programs compare; `words` are for people."""

    rule: str
    verdict: Verdict
    reason: str
    words: str
    positions: tuple[int, ...] = ()


Said = tuple[Verdict, str, str, Iterable[int | None]]
Rule = Callable[[Question, Reads, InForce], Answer]


def strictest(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the strictest of some verdicts. Raises ValueError for none: no rule at all is no pass."""
    return max(verdicts, key=VERDICTS.index)


def _rule(function: Callable[[Question, Reads, InForce], Said]) -> Rule:
    name = function.__name__.replace("_", "-")

    def asked(question: Question, reads: Reads, policy: InForce) -> Answer:
        verdict, reason, words, used = function(question, reads, policy)
        positions = sorted({position for position in used if position is not None})
        return Answer(name, verdict, reason, with_names(words), tuple(positions[-MAX_POSITIONS:]))

    asked.__name__ = name
    asked.__doc__ = function.__doc__
    return asked


def _ticket(question: Question, reads: Reads) -> Ticket | None:
    return reads.row(change_tickets, question.change_id) if question.change_id else None


def _deployment(question: Question, reads: Reads) -> Deployment | None:
    return reads.row(deployments, question.deployment_id) if question.deployment_id else None


def _last(ticket: Ticket) -> Sequence[int | None]:
    """Return the last fact about a change. What a gate said of it is none."""
    return [step.position for step in ticket.timeline if step.type != GateDecided.type][-1:]


def _of_change(
    function: Callable[[Ticket, Question, Reads, InForce], Said],
) -> Callable[[Question, Reads, InForce], Said]:
    """Make a rule of a function of the question's change. What is not known is no evidence."""

    @wraps(function)
    def judged(question: Question, reads: Reads, policy: InForce) -> Said:
        ticket = _ticket(question, reads)
        return NO_CHANGE if ticket is None else function(ticket, question, reads, policy)

    return judged


def _of_deployment(
    function: Callable[[Deployment, Question, Reads, InForce], Said],
) -> Callable[[Question, Reads, InForce], Said]:
    """Make a rule of a function of the question's deployment. What is not known is no evidence."""

    @wraps(function)
    def judged(question: Question, reads: Reads, policy: InForce) -> Said:
        row = _deployment(question, reads)
        return NO_DEPLOYMENT if row is None else function(row, question, reads, policy)

    return judged


def _by_state(ticket: Ticket, *allowed: str) -> Said:
    """Allow a change in some states. One that has not come that far is no evidence; one beyond them is denied."""
    verdict: Verdict = "insufficient_evidence" if ticket.state in ("draft", "assessing") else "deny"
    verdict = "allow" if ticket.state in allowed else verdict
    return verdict, ticket.state, f"{ticket.change_id} is {ticket.state}", _last(ticket)


NO_CHANGE: Final[Said] = ("insufficient_evidence", "no-change", "no such change is known", ())
NO_DEPLOYMENT: Final[Said] = ("insufficient_evidence", "no-deployment", "no such deployment is known", ())


@_rule
def policy_is_in_force(question: Question, reads: Reads, policy: InForce) -> Said:
    """The policy that is asked has a version that somebody else than its author approved."""
    if policy.version is None:
        return "insufficient_evidence", "no-policy", f"no version of policy {policy.policy_id} is in force", ()
    return "allow", "in-force", f"policy {policy.policy_id} {policy.version}", [policy.approved_position]


# -- changes ------------------------------------------------------------------------------------------------------------


@_rule
@_of_change
def change_may_start(ticket: Ticket, question: Question, reads: Reads, policy: InForce) -> Said:
    """The change is scheduled or being implemented."""
    if ticket.state == "authorizing":
        words = f"{ticket.change_id} waits for {ticket.missing_approvals} approval(s)"
        return "needs_approval", "authorizing", words, _last(ticket)
    return _by_state(ticket, "scheduled", "implementing")


@_rule
@_of_change
def change_is_approved(ticket: Ticket, question: Question, reads: Reads, policy: InForce) -> Said:
    """Enough people approved this very scope, as the policy asks for the band of risk. A standard change rests on its template."""
    counting = [approval for approval in ticket.approvals if approval.counts]
    used: list[int | None] = [approval.position for approval in counting]
    if ticket.change_type == "standard" and ticket.state in ("scheduled", "implementing") and not ticket.template_fault:
        return "allow", "template", f"by template {ticket.template_id}", [ticket.scope_position]
    roles = policy.values("required-role", ticket.risk_band)
    quorum = max(ticket.quorum, policy.number("quorum", ticket.risk_band, default=1))
    missing = max(duties.s6_missing_from_quorum((a.person for a in counting), quorum), ticket.missing_approvals)
    if ticket.change_type == "emergency" and counting:
        return "allow", "emergency", f"an emergency with one approval; {missing} more are owed within 24 h", used
    if missing:
        others = [f"{a.approver}: {a.why}" for a in ticket.approvals if not a.counts]
        words = f"{missing} approval(s) missing" + (f"; do not count: {listed(others, '; ')}" if others else "")
        return "needs_approval", "quorum", words, [*used, *_last(ticket)]
    if roles and not set(roles) & set(ticket.required_roles):
        return "needs_approval", "role", f"the policy asks for {' or '.join(roles)}; it was not asked for", used
    return "allow", "approved", f"approved by {listed(a.approver for a in counting)}", used


@_rule
@_of_change
def risk_comes_out_again(ticket: Ticket, question: Question, reads: Reads, policy: InForce) -> Said:
    """The score was computed by a model that somebody approved, and comes out again. Standard and emergency changes need none."""
    row = reads.row(risk_assessments, ticket.change_id)
    if row is None or row.assessed_position is None:
        if ticket.change_type in ("standard", "emergency"):
            return "allow", "not-asked-for", f"{ticket.change_type} changes are not scored", ()
        return "insufficient_evidence", "not-assessed", "no score by an approved model", ()
    last = next(a for a in row.assessments if a.position == row.assessed_position)
    if last.fault:
        return "insufficient_evidence", "not-reproducible", last.fault, [last.position]
    return "allow", "reproducible", f"{last.score} ({last.band}) by {last.version_id}", [last.position]


@_rule
def deployed_is_approved(question: Question, reads: Reads, policy: InForce) -> Said:
    """Service, environment and artifact are those of the scope that was approved."""
    scope = reads.row(change_scopes, question.change_id) if question.change_id else None
    if scope is None or scope.scope_position is None:
        return "insufficient_evidence", "no-scope", "the change's scope was never fixed", ()
    used = [scope.scope_position]
    if question.service is None or question.environment is None or question.artifact is None:
        return "insufficient_evidence", "not-said", "expected service, environment and artifact in the question", used
    if question.service not in scope.services:
        return "deny", "other-service", f"{question.service} is not of {', '.join(scope.services)}", used
    if scope.environment not in (None, question.environment):
        return "deny", "other-environment", f"the change is for {scope.environment}", used
    if not scope.artifacts:
        return "insufficient_evidence", "no-artifact", "the scope names no artifact", used
    if question.artifact not in scope.artifacts:
        return "deny", "other-artifact", f"{question.artifact} is not the approved artifact", used
    return "allow", "as-approved", "service, environment and artifact are those of the scope", used


@_rule
def window_is_open(question: Question, reads: Reads, policy: InForce) -> Said:
    """Now is within the planned window, where the change was given one."""
    scope = reads.row(change_scopes, question.change_id) if question.change_id else None
    if scope is None:
        return NO_CHANGE
    if scope.planned_start is None:
        return "allow", "no-window", "no window was planned", ()
    words = f"planned from {scope.planned_start} to {scope.planned_end}"
    if is_within_window(scope, question.asked_at):
        return "allow", "within-window", words, [scope.planned_position]
    return "deny", "outside-window", words, [scope.planned_position]


@_rule
@_of_change
def impact_is_covered(ticket: Ticket, question: Question, reads: Reads, policy: InForce) -> Said:
    """The impact assessment names all that is known to depend on the shared resources the change touches. The policy may ask for one."""
    impact = reads.row(impacts, ticket.change_id)
    if impact is None:
        if "required" in policy.values("impact-assessment", ticket.change_type):
            return "insufficient_evidence", "not-assessed", "the policy asks for an impact assessment", _last(ticket)
        return "allow", "not-asked-for", "no impact assessment was asked for", ()
    missing = left_out(reads, impact)
    if missing:
        return "deny", "not-covered", f"not assessed: {listed(missing)}", [impact.position]
    return "allow", "covered", f"all that depends on {listed(impact.targets)} was assessed", [impact.position]


@_rule
def no_freeze_holds(question: Question, reads: Reads, policy: InForce) -> Said:
    """No freeze holds the environment and service, unless somebody else let this very change through."""
    environment = question.to_environment if question.gate == "promote" else question.environment
    row = _deployment(question, reads)
    service, change_id = question.service, question.change_id
    if row is not None:
        service, change_id = service or row.service, change_id or row.change_id
    if environment is None or service is None:
        return "insufficient_evidence", "not-said", "expected an environment and a service in the question", ()
    ticket = reads.row(change_tickets, change_id) if change_id else None
    kind = ticket.change_type if ticket else None
    used: list[int | None] = []
    for freeze in freezes_at(reads, environment, service, kind, question.asked_at):
        override = override_for(freeze, change_id, question.asked_at)
        if override is None:
            return "deny", "frozen", f"freeze {freeze.freeze_id} until {freeze.end_at}", [freeze.declared_position]
        used += [freeze.declared_position, override.position]
    return ("allow", "let-through", "let through the freeze", used) if used else ("allow", "no-freeze", "no freeze", ())


@_rule
def rollback_is_prepared(question: Question, reads: Reads, policy: InForce) -> Said:
    """The service has a trigger that says when a rollback is due."""
    least = policy.number("rollback-triggers", question.environment, default=1 if question.environment == "prod" else 0)
    if question.service is None:
        return "insufficient_evidence", "not-said", "expected a service in the question", ()
    found = [
        trigger.defined_position
        for trigger in reads.named(rollback_triggers, RollbackTriggerDefined, ref("service", question.service))
        if trigger.environment in (None, question.environment) and trigger.change_id in (None, question.change_id)
    ]
    if len(found) < least:
        return "deny", "no-trigger", f"{len(found)} rollback trigger(s) of {question.service}; expected {least}", found
    return "allow", "prepared", f"{len(found)} rollback trigger(s)", found


@_rule
def deployer_is_allowed(question: Question, reads: Reads, policy: InForce) -> Said:
    """S2: who deploys did not approve; and holds a grant of the role that the policy asks for."""
    if question.actor is None:
        return "insufficient_evidence", "not-said", "expected an actor in the question", ()
    ticket, person = _ticket(question, reads), person_of(reads, question.actor)
    for approval in ticket.approvals if ticket else ():
        if approval.counts and approval.person == person:
            return "deny", "S2", f"{question.actor} approved the change", [approval.position]
    roles = policy.values("deployer-role", question.environment)
    if not roles:
        return "allow", "not-asked-for", "the policy names no role for deploying", ()
    held = roles_of(reads, question.actor, question.asked_at, question.environment)
    granted = sorted(held[role] for role in roles if role in held)
    if not granted:
        return "deny", "no-grant", f"{question.actor} holds no grant of {' or '.join(roles)}", ()
    return "allow", "granted", f"{question.actor} may deploy to {question.environment}", granted


# -- approving ----------------------------------------------------------------------------------------------------------


@_rule
@_of_change
def change_waits_for_approval(ticket: Ticket, question: Question, reads: Reads, policy: InForce) -> Said:
    """The change has a scope, was assessed, and is not decided yet."""
    return _by_state(ticket, "authorizing", "scheduled")


@_rule
@_of_change
def approval_would_count(ticket: Ticket, question: Question, reads: Reads, policy: InForce) -> Said:
    """S1, S2, S4 and S5: an approval by this person, given now by their own credential, would count."""
    if question.actor is None:
        return "insufficient_evidence", "not-said", "expected an actor in the question", ()
    fault = broken_by(ticket, question.actor, question.asked_at, question.actor, "", reads)
    deployed = duties.s2_deployer_does_not_approve(person_of(reads, question.actor), ticket.deployed_by)
    fault = fault or (f"S2: {deployed}" if deployed else "")
    if fault:
        return "deny", fault.partition(":")[0], fault, _last(ticket)
    return "allow", "would-count", f"an approval by {question.actor} would count", _last(ticket)


# -- promoting and rolling back -----------------------------------------------------------------------------------------


@_rule
@_of_deployment
def deployment_held(row: Deployment, question: Question, reads: Reads, policy: InForce) -> Said:
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


@_rule
@_of_deployment
def deployment_is_healthy(row: Deployment, question: Question, reads: Reads, policy: InForce) -> Said:
    """The deployment was verified as healthy, where the policy asks for it."""
    if "required" not in (policy.values("verification", question.environment) or ("required",)):
        return "allow", "not-asked-for", "the policy asks for no verification", ()
    if row.verdict == "healthy":
        return "allow", "healthy", "it was verified as healthy", row.positions
    if row.verdict == "degraded":
        return "deny", "degraded", "it was verified as degraded", row.positions
    return "insufficient_evidence", "not-verified", f"verification: {row.verdict or 'none'}", row.positions


@_rule
@_of_deployment
def deployment_can_be_undone(row: Deployment, question: Question, reads: Reads, policy: InForce) -> Said:
    """The deployment was started and is not undone yet."""
    if row.rolled_back_at is not None:
        return "deny", "rolled-back", f"it was rolled back at {row.rolled_back_at} already", row.positions
    return "allow", "deployed", "it was deployed, and not undone", row.positions


@_rule
@_of_deployment
def rollback_is_decided(row: Deployment, question: Question, reads: Reads, policy: InForce) -> Said:
    """Somebody decided to roll back, and it is on record."""
    if row.rollback_decided_at is None:
        return "needs_approval", "not-decided", "nobody decided yet to roll back", row.positions
    return "allow", "decided", f"decided at {row.rollback_decided_at}", row.positions


@_rule
def target_was_deployed_before(question: Question, reads: Reads, policy: InForce) -> Said:
    """The artifact to go back to ran in this environment before, and held."""
    row = _deployment(question, reads)
    if row is None or row.service is None:
        return NO_DEPLOYMENT
    if question.artifact is None:
        return "insufficient_evidence", "not-said", "expected the artifact to go back to in the question", ()
    if question.artifact == row.artifact:
        return "deny", "same-artifact", "that artifact is the one to be undone", row.positions
    earlier = reads.named(deployments, DeploymentStarted, ref("service", row.service), limit=100)
    for other in earlier:
        fits = (other.environment, other.artifact, other.outcome) == (row.environment, question.artifact, "success")
        if fits and other.rolled_back_at is None:
            return "allow", "known-good", f"{question.artifact} ran as {other.deployment_id}", other.positions
    return "insufficient_evidence", "unknown-artifact", f"{question.artifact} is not known to have run there", ()


# -- closing ------------------------------------------------------------------------------------------------------------


@_rule
@_of_change
def change_waits_for_its_end(ticket: Ticket, question: Question, reads: Reads, policy: InForce) -> Said:
    """The change was implemented, and watched for as long as the policy asks."""
    if ticket.state not in ("reviewing", "closed"):
        return "insufficient_evidence", ticket.state, f"{ticket.change_id} is {ticket.state}", _last(ticket)
    hours = policy.number("observation-hours", ticket.risk_band, default=0)
    if ticket.finished_at is not None:
        until = later(ticket.finished_at, hours=hours)
        if question.asked_at < until:
            return "insufficient_evidence", "being-watched", f"it is watched until {until}", _last(ticket)
    return "allow", ticket.state, f"{ticket.change_id} is {ticket.state}", _last(ticket)


@_rule
@_of_change
def review_is_done(ticket: Ticket, question: Question, reads: Reads, policy: InForce) -> Said:
    """Every review that was opened is done, by somebody else than who deployed where the risk is not low."""
    asked = reads.named(reviews, PirOpened, ref("change", ticket.change_id))
    waiting = [review.pir_id for review in asked if review.state == "open"]
    if waiting:
        return "insufficient_evidence", "review-open", f"{listed(waiting)} is not done", _last(ticket)
    if ticket.state == "closed":
        return "allow", "reviewed", f"reviewed by {ticket.reviewed_by}", _last(ticket)
    if ticket.risk_band in (None, "low") and not ticket.is_rolled_back and not ticket.incidents and not asked:
        return "allow", "not-asked-for", "low risk, and nothing happened: no review was asked for", _last(ticket)
    return "insufficient_evidence", "not-reviewed", "no review by somebody else than who deployed", _last(ticket)


@_rule
@_of_change
def incidents_are_over(ticket: Ticket, question: Question, reads: Reads, policy: InForce) -> Said:
    """No incident that the change caused is still open."""
    rows = [row for name in ticket.incidents if (row := reads.row(incidents, name)) is not None]
    used = [position for row in rows for position in row.positions]
    still = [row.incident_id for row in rows if row.resolved_at is None]
    if still:
        return "deny", "incident-open", f"{listed(still)} is not resolved", used
    return "allow", "over", f"{len(rows)} incident(s), all resolved", used


@_rule
@_of_change
def approvals_are_not_owed(ticket: Ticket, question: Question, reads: Reads, policy: InForce) -> Said:
    """An emergency has the approvals that it owed."""
    if ticket.retro == "due":
        return "needs_approval", "retro", f"approvals are owed until {ticket.retro_due_at}", _last(ticket)
    return "allow", "none-owed", "no approval is owed", ()


GATES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "approve": (policy_is_in_force, change_waits_for_approval, approval_would_count, risk_comes_out_again),
    "deploy": (
        policy_is_in_force,
        change_may_start,
        change_is_approved,
        risk_comes_out_again,
        deployed_is_approved,
        window_is_open,
        impact_is_covered,
        no_freeze_holds,
        rollback_is_prepared,
        deployer_is_allowed,
    ),
    "promote": (policy_is_in_force, deployment_held, deployment_is_healthy, no_freeze_holds),
    "rollback": (policy_is_in_force, deployment_can_be_undone, rollback_is_decided, target_was_deployed_before),
    "close": (
        policy_is_in_force,
        change_waits_for_its_end,
        review_is_done,
        incidents_are_over,
        approvals_are_not_owed,
    ),
}
