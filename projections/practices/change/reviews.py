"""5.5 Post-implementation reviews that feed the risk model: done in time, by somebody else than who deployed."""

from typing import Final

from ledger.events import ref
from ledger.events.pir import PirOpened
from projections.engine.derived import Breach
from projections.engine.reads import Look
from projections.engine.view import later
from projections.judging.findings import finding
from projections.judging.gate_rule import Question, Said, gate_rule, last_fact, of_change
from projections.practices.practice import Practice
from projections.readings.changes.reviews import Review, reviews
from projections.readings.changes.ticket import Ticket
from projections.readings.people.policies import InForce
from projections.readings.people.settings import Number
from projections.readings.risk.calibrations import calibrations
from projections.readings.risk.outcomes import base_rates, outcomes
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "5.5", "Post-implementation reviews that feed the risk model", views=(reviews, outcomes, base_rates, calibrations)
)
OBSERVATION_HOURS: Final = Number(
    "observation-hours", "how long a change is watched before it is closed", applies_to="band of risk"
)


@finding(reviews, severity="medium")
def review_overdue(row: Review, look: Look) -> Breach | None:
    """A post-implementation review was not done in time."""
    if row.state == "done" or not look.has_come(row.overdue_at):
        return None
    return Breach(f"{row.pir_id} of {row.change_id} was due at {row.due_at}")


@gate_rule()
@of_change
def change_waits_for_its_end(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """The change was implemented, and watched for as long as the policy asks."""
    if ticket.state not in ("reviewing", "closed"):
        return "insufficient_evidence", ticket.state, f"{ticket.change_id} is {ticket.state}", last_fact(ticket)
    hours = policy.number(OBSERVATION_HOURS, ticket.risk_band)
    if ticket.finished_at is not None:
        until = later(ticket.finished_at, hours=hours)
        if question.asked_at < until:
            return "insufficient_evidence", "being-watched", f"it is watched until {until}", last_fact(ticket)
    return "allow", ticket.state, f"{ticket.change_id} is {ticket.state}", last_fact(ticket)


@gate_rule()
@of_change
def review_is_done(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """Every review that was opened is done, by somebody else than who deployed where the risk is not low."""
    asked = look.named(reviews, PirOpened, ref("change", ticket.change_id))
    waiting = [review.pir_id for review in asked if review.state == "open"]
    if waiting:
        return "insufficient_evidence", "review-open", f"{listed(waiting)} is not done", last_fact(ticket)
    if ticket.state == "closed":
        return "allow", "reviewed", f"reviewed by {ticket.reviewed_by}", last_fact(ticket)
    if ticket.risk_band in (None, "low") and not ticket.is_rolled_back and not ticket.incidents and not asked:
        return "allow", "not-asked-for", "low risk, and nothing happened: no review was asked for", last_fact(ticket)
    return "insufficient_evidence", "not-reviewed", "no review by somebody else than who deployed", last_fact(ticket)
