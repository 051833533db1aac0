"""1.3 Release freezes: nothing is deployed while a freeze holds it, unless somebody else let that very change through."""

from typing import Final

from projections.engine.derived import Breach
from projections.engine.reads import Look
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Said, deployment_of, gate_rule
from projections.practices.practice import Practice
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.delivery.freezes import Freeze, freezes, freezes_at, override_for
from projections.readings.people.policies import InForce
from projections.rules import duties
from projections.rules.words import listed

PRACTICE: Final = Practice("1.3", "Release freezes", views=(freezes,))


@finding(deployments, severity="high")
def deployed_in_freeze(row: Deployment, look: Look) -> Breach | None:
    """Something was deployed while a freeze held it, and nobody else had let it through. Freezes declared afterwards count."""
    if row.started_at is None or row.environment is None:
        return None
    ticket = look.row(change_tickets, row.change_id) if row.change_id else None
    kind = ticket.change_type if ticket else None
    for freeze in freezes_at(look.at(row.started_at), row.environment, row.service, kind, row.started_at):
        if override_for(freeze, row.change_id, row.started_at) is None:
            late = ", declared afterwards" if (freeze.declared_position or 0) > (row.started_position or 0) else ""
            words = f"{row.deployment_id} started at {row.started_at}, in freeze {freeze.freeze_id}{late}"
            return Breach(words, positions_of(freeze.declared_position, row.started_position))
    return None


@finding(freezes, severity="medium")
def override_of_ones_own(row: Freeze, look: Look) -> Breach | None:
    """S9: somebody let their own change through a freeze."""
    own = [o for o in row.overrides if duties.s9_requester_does_not_grant(o.requester, o.granted_by)]
    if not own:
        return None
    changes = listed(override.change_id for override in own)
    return Breach(
        f"{own[-1].granted_by} let {changes} through {row.freeze_id} for themselves",
        positions_of(*(o.position for o in own)),
    )


@gate_rule()
def no_freeze_holds(question: Question, look: Look, policy: InForce) -> Said:
    """No freeze holds the environment and service, unless somebody else let this very change through."""
    environment = question.to_environment if question.gate == "promote" else question.environment
    row = deployment_of(question, look)
    service, change_id = question.service, question.change_id
    if row is not None:
        service, change_id = service or row.service, change_id or row.change_id
    if environment is None or service is None:
        return "insufficient_evidence", "not-said", "expected an environment and a service in the question", ()
    ticket = look.row(change_tickets, change_id) if change_id else None
    kind = ticket.change_type if ticket else None
    used: list[int | None] = []
    for freeze in freezes_at(look, environment, service, kind, question.asked_at):
        override = override_for(freeze, change_id, question.asked_at)
        if override is None:
            return "deny", "frozen", f"freeze {freeze.freeze_id} until {freeze.end_at}", [freeze.declared_position]
        used += [freeze.declared_position, override.position]
    return ("allow", "let-through", "let through the freeze", used) if used else ("allow", "no-freeze", "no freeze", ())
