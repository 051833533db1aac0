"""5.1 Deployments tied to change tickets, both ways: of its artifacts, within its window, approved before; and no change without one."""

from typing import Final

from projections.engine.derived import Breach
from projections.engine.reads import Look
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import NO_CHANGE, Question, Said, by_state, gate_rule, last_fact, of_change
from projections.practices.practice import Practice
from projections.readings.changes.scopes import change_scopes, is_within_window
from projections.readings.changes.ticket import Ticket
from projections.readings.changes.tickets import change_tickets
from projections.readings.changes.timeline import change_timeline
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.environments.environments import is_meant, is_production
from projections.readings.people.policies import InForce
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "5.1",
    "Deployments tied to change tickets, both ways",
    views=(change_tickets, change_timeline, change_scopes, deployments),
)


@finding(change_tickets, severity="high")
def started_without_approval(row: Ticket, look: Look) -> Breach | None:
    """A change was implemented before it was approved."""
    if row.was_let_start is not False or row.change_type in (None, "unauthorized"):
        return None
    why = listed((f"{approval.approver}: {approval.why}" for approval in row.approvals if approval.why), "; ")
    words = f"{row.change_id} started at {row.started_at} without approval" + (f" ({why})" if why else "")
    return Breach(words, positions_of(row.started_position, *(approval.position for approval in row.approvals)))


@finding(change_tickets, severity="high")
def unauthorized_change(row: Ticket, look: Look) -> Breach | None:
    """A change was made that nobody had asked for; it has to be reviewed."""
    if row.change_type != "unauthorized" or row.state == "closed":
        return None
    return Breach(f"{row.change_id} was not authorized", positions_of(row.opened_position))


@finding(change_tickets, severity="low")
def approved_and_not_deployed(row: Ticket, look: Look) -> Breach | None:
    """The time planned for an approved change passed, and nothing was deployed."""
    if row.state != "scheduled" or row.deployments or not look.has_come(row.planned_end):
        return None
    return Breach(
        f"{row.change_id} was planned until {row.planned_end}, and not deployed", positions_of(row.approved_position)
    )


@finding(deployments, severity="high")
def deployment_without_change(row: Deployment, look: Look) -> Breach | None:
    """Something was deployed to production, and no change is known for it."""
    at = row.started_at or row.finished_at
    if row.change_id is not None or row.environment is None or at is None:
        return None
    if not is_production(look, row.environment, at, by=row.deployed_by):
        return None
    return Breach(f"{row.deployment_id} put {row.service} into {row.environment} without a change", row.positions)


@finding(deployments, severity="high")
def artifact_not_approved(row: Deployment, look: Look) -> Breach | None:
    """What was deployed is not among the artifacts of the change's scope."""
    scope = look.row(change_scopes, row.change_id) if row.change_id else None
    if scope is None or not scope.artifacts or row.artifact is None or row.artifact in scope.artifacts:
        return None
    return Breach(
        f"{row.deployment_id} deployed {row.artifact}, not of {scope.change_id}",
        positions_of(scope.scope_position, *row.positions),
    )


@finding(deployments, severity="medium")
def outside_window(row: Deployment, look: Look) -> Breach | None:
    """A change was deployed before or after the time that was planned for it."""
    scope = look.row(change_scopes, row.change_id) if row.change_id else None
    if scope is None or scope.planned_start is None or row.started_at is None:
        return None
    if is_within_window(scope, row.started_at):
        return None
    words = (
        f"{row.deployment_id} started at {row.started_at}, planned from {scope.planned_start} to {scope.planned_end}"
    )
    return Breach(words, positions_of(scope.planned_position, row.started_position))


@gate_rule()
@of_change
def change_may_start(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """The change is scheduled or being implemented."""
    if ticket.state == "authorizing":
        words = f"{ticket.change_id} waits for {ticket.missing_approvals} approval(s)"
        return "needs_approval", "authorizing", words, last_fact(ticket)
    return by_state(ticket, "scheduled", "implementing")


@gate_rule()
def deployed_is_approved(question: Question, look: Look, policy: InForce) -> Said:
    """Service, environment and artifact are those of the scope that was approved."""
    scope = look.row(change_scopes, question.change_id) if question.change_id else None
    if scope is None or scope.scope_position is None:
        return "insufficient_evidence", "no-scope", "the change's scope was never fixed", ()
    used = [scope.scope_position]
    if question.service is None or question.environment is None or question.artifact is None:
        return "insufficient_evidence", "not-said", "expected service, environment and artifact in the question", used
    if question.service not in scope.services:
        return "deny", "other-service", f"{question.service} is not of {', '.join(scope.services)}", used
    if not is_meant(look, scope.environment, question.environment, question.asked_at):
        return "deny", "other-environment", f"the change is for {scope.environment}", used
    if not scope.artifacts:
        return "insufficient_evidence", "no-artifact", "the scope names no artifact", used
    if question.artifact not in scope.artifacts:
        return "deny", "other-artifact", f"{question.artifact} is not the approved artifact", used
    return "allow", "as-approved", "service, environment and artifact are those of the scope", used


@gate_rule()
def window_is_open(question: Question, look: Look, policy: InForce) -> Said:
    """Now is within the planned window, where the change was given one."""
    scope = look.row(change_scopes, question.change_id) if question.change_id else None
    if scope is None:
        return NO_CHANGE
    if scope.planned_start is None:
        return "allow", "no-window", "no window was planned", ()
    words = f"planned from {scope.planned_start} to {scope.planned_end}"
    if is_within_window(scope, question.asked_at):
        return "allow", "within-window", words, [scope.planned_position]
    return "deny", "outside-window", words, [scope.planned_position]
