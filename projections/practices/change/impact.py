"""5.3 Impact assessment for shared infrastructure: all that is known to depend on it was looked at."""

from typing import Final

from projections.engine.derived import Breach
from projections.engine.reads import Look
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, last_fact, of_change
from projections.judging.of_a_change import rule_of_a_change
from projections.practices.practice import Practice
from projections.readings.changes.impacts import Impact, impacts, left_out, resources
from projections.readings.changes.ticket import Ticket
from projections.readings.changes.tickets import change_tickets
from projections.readings.people.policies import InForce
from projections.readings.people.settings import Words
from projections.rules.words import listed

PRACTICE: Final = Practice("5.3", "Impact assessment for shared infrastructure", views=(resources, impacts))
IMPACT_ASSESSMENT: Final = Words(
    "impact-assessment",
    "whether a change needs an impact assessment to be deployed",
    applies_to="type of change",
    choices=("required", "optional"),
    default=("optional",),
)


@finding(impacts, severity="high")
def impact_not_covered(row: Impact, look: Look) -> Breach | None:
    """A change to something shared was implemented, and its impact assessment left out what was known to depend on it."""
    ticket = look.row(change_tickets, row.change_id)
    if ticket is None or ticket.started_position is None:
        return None
    missing = left_out(look, row, ticket.started_position)
    if not missing:
        return None
    words = f"{row.change_id} was implemented without an assessment of {listed(missing)}"
    return Breach(words, positions_of(row.position, ticket.started_position))


@rule_of_a_change(
    version=2,
    remedies={
        "": Remedy("an impact assessment names all that depends on the shared resources (change.impact_assessed)")
    },
)
@of_change
def impact_is_covered(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """The impact assessment names all that is known to depend on the shared resources the change touches. The policy may ask for one."""
    impact = look.row(impacts, ticket.change_id)
    if impact is None:
        if "required" in policy.words(IMPACT_ASSESSMENT, ticket.change_type):
            return (
                "insufficient_evidence",
                "not-assessed",
                "the policy asks for an impact assessment",
                last_fact(ticket, look),
            )
        return "allow", "not-asked-for", "no impact assessment was asked for", ()
    missing = left_out(look, impact)
    if missing:
        return "deny", "not-covered", f"not assessed: {listed(missing)}", [impact.position]
    return "allow", "covered", f"all that depends on {listed(impact.targets)} was assessed", [impact.position]
