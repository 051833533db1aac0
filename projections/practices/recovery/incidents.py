"""7.4 Triggering incident response: a change is not closed while an incident that it caused is open."""

from typing import Final

from ledger.events.incident import IncidentResolved
from ledger.words import number_of
from projections.engine.reads import Look
from projections.judging.able import holding
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule, of_change
from projections.practices.practice import Practice
from projections.readings.changes.ticket import Ticket
from projections.readings.delivery.incidents import incidents
from projections.readings.people.policies import InForce
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "7.4",
    "Triggering incident response",
    views=(incidents,),
    to_come="how long after a trigger an incident was opened; nothing is sent out yet",
)


@gate_rule(
    remedies={
        "": Remedy("the incidents that the change caused are resolved (incident.resolved)", holding(IncidentResolved))
    }
)
@of_change
def incidents_are_over(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """No incident that the change caused is still open."""
    rows = [row for name in ticket.incidents if (row := look.row(incidents, name)) is not None]
    used = [position for row in rows for position in row.positions]
    still = [row.incident_id for row in rows if row.resolved_at is None]
    if still:
        return "deny", "incident-open", f"{listed(still)} is not resolved", used
    return "allow", "over", f"{number_of(len(rows), 'incident')}, all resolved", used
