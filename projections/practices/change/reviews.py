"""5.5 Post-implementation reviews that feed the risk model: done in time, by somebody else than who deployed."""

from typing import Final

from ledger.events import ref
from ledger.events.pir import PirCompleted, PirOpened
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Moment, later
from projections.judging.able import others
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule, last_fact, of_change
from projections.practices.practice import Practice
from projections.readings.changes.facts import Done, change_facts
from projections.readings.changes.reviews import REVIEW_BY, REVIEW_WITHIN_HOURS, Review, is_anothers, is_done, reviews
from projections.readings.changes.ticket import Ticket
from projections.readings.changes.tickets import change_tickets
from projections.readings.environments.environments import is_production
from projections.readings.people.identities import person_of
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.settings import Number
from projections.readings.risk.calibrations import calibrations
from projections.readings.risk.outcomes import Outcome, base_rates, failures, outcomes, written
from projections.rules.leave import is_ahead_of
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "5.5",
    "Post-implementation reviews that feed the risk model",
    views=(reviews, outcomes, base_rates, calibrations),
    settings=(REVIEW_WITHIN_HOURS, REVIEW_BY),
)
# How a policy calls what was observed.
CALLED: Final = {"rolled back": "rolled-back", "incident": "incident", "failed": "failed"}
OBSERVATION_HOURS: Final = Number(
    "observation-hours", "how long a change is watched before it is closed", applies_to="band of risk"
)


@finding(reviews, severity="medium", version=2)
def review_overdue(row: Review, look: Look) -> Breach | None:
    """A post-implementation review was not done in time."""
    if is_done(look, row) or not look.has_come(row.overdue_at):
        return None
    by = row.due_by.position if row.due_by is not None else None
    return Breach(f"{row.pir_id} of {row.change_id} was due at {row.missed_at or row.due_at}", positions_of(by))


@finding(change_tickets, severity="medium", version=6)
def review_owed(ticket: Ticket, look: Look) -> Breach | None:
    """A change was not reviewed that the policy wants reviewed, by its type, its band or what came of it. Nobody has to ask for it."""
    # What nobody says has ended is reviewed as of its beginning.
    ended_at = ticket.opened_at if ticket.change_type == "unauthorized" else ticket.finished_at or ticket.started_at
    if ended_at is None:
        # Nothing was done for it. That it is said to have been given up, whenever, takes back nothing that was.
        return None
    policy = in_force(look.at(ended_at), ended_at)
    hours, why = _within(ticket, policy, look)
    if not hours:
        return None
    due_at, acts = _due_at(ticket, ended_at, hours, look)
    own = set(ticket.deployed_by) if is_anothers(policy, ticket.change_type, ticket.risk_band) else set()
    about = look.named(reviews, PirCompleted, ref("change", ticket.change_id))
    # One of another change stays that, whatever is said of it later.
    done = [row for row in about if row.change_id == ticket.change_id and is_done(look, row)]
    of_it = [row for row in done if row.completed is None or not any(is_ahead_of(row.completed, act) for act in acts)]
    if any(row.reviewer is None or person_of(look, row.reviewer) not in own for row in of_it):
        return None
    if not look.has_come(due_at):
        return None
    by = f"; {listed(row.reviewer or '' for row in of_it)} deployed it, and does not review it" if of_it else ""
    if early := [row.reviewer or "" for row in done if row not in of_it]:
        by += f"; {listed(early)} reviewed it before it was done"
    return Breach(
        f"a review of {ticket.change_id} was due at {due_at} because of {why}{by}",
        positions_of(*(row.completed_position for row in done)),
    )


def _due_at(ticket: Ticket, ended_at: Moment, hours: int, look: Look) -> tuple[Moment, list[Done]]:
    """Return when a review is due: so many hours after the last act of the change, of those that were on record before it was due; and of
    what was done by then to production: a review that came before it is none of that.
    """
    facts = look.row(change_facts, ticket.change_id)
    done = facts.done if facts is not None and ticket.change_type != "unauthorized" else ()
    due_at: Moment | None = None
    acts: list[Done] = []
    for act in sorted(done, key=lambda act: (_end_of(act), act.recorded_at)):
        if due_at is None or max(_end_of(act), act.recorded_at) <= due_at:
            due_at = later(_end_of(act), hours=hours)
            acts += [act] if is_production(look, act.environment, act.at, by=act.actor) else []
    return due_at or later(ended_at, hours=hours), acts


def _end_of(act: Done) -> Moment:
    return act.first_end_at or act.rolled_back_at or act.at


def _within(ticket: Ticket, policy: InForce, look: Look) -> tuple[int, str]:
    """Return within how many hours a change is to be reviewed, and why: the shortest time that its policy sets; 0 for none."""
    outcome = look.row(outcomes, ticket.change_id)
    seen = {CALLED[one.what] for one in failures(outcome)} if outcome is not None else set()
    about = {
        ticket.change_type or "normal": f"its type, {ticket.change_type}",
        **({ticket.risk_band: f"its band, {ticket.risk_band}"} if ticket.risk_band is not None else {}),
        **{name: f"what came of it, {name}" for name in sorted(seen)},
    }
    asked = [(hours, why) for name, why in about.items() if (hours := policy.number(REVIEW_WITHIN_HOURS, name))]
    return min(asked, default=(0, ""))


@finding(outcomes, severity="medium")
def review_contradicts_the_record(row: Outcome, look: Look) -> Breach | None:
    """A review, or a label, says that a change succeeded, and the record shows that it was rolled back, failed, or caused an incident."""
    said, failed = written(row), failures(row)
    if said is None or said.label == "failure" or not failed:
        return None
    first = failed[0]
    what = {"rolled back": "was rolled back", "failed": "failed to be deployed", "incident": "caused an incident"}[
        first.what
    ]
    about = first.incident_id or first.deployment_id or row.change_id
    known = ", known afterwards" if first.position > said.position else ""
    return Breach(
        f"{row.change_id} was said to have succeeded, and it {what} ({about}){known}",
        positions_of(said.position, *(one.position for one in failed)),
    )


@gate_rule(
    remedies={
        "being-watched": Remedy("the time passes for which the change is watched"),
        "": Remedy("all of the scope is deployed, or rolled back"),
    }
)
@of_change
def change_waits_for_its_end(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """The change was implemented, and watched for as long as the policy asks."""
    if ticket.state not in ("reviewing", "closed"):
        return "insufficient_evidence", ticket.state, f"{ticket.change_id} is {ticket.state}", last_fact(ticket, look)
    hours = policy.number(OBSERVATION_HOURS, ticket.risk_band)
    if ticket.finished_at is not None:
        until = later(ticket.finished_at, hours=hours)
        if question.asked_at < until:
            return "insufficient_evidence", "being-watched", f"it is watched until {until}", last_fact(ticket, look)
    return "allow", ticket.state, f"{ticket.change_id} is {ticket.state}", last_fact(ticket, look)


@gate_rule(version=2, remedies={"": Remedy("a review by somebody who did not deploy it (pir.completed)", others)})
@of_change
def review_is_done(ticket: Ticket, question: Question, look: Look, policy: InForce) -> Said:
    """Every review that was opened, or that the policy asks for by itself, is done, by somebody else than who deployed where the risk is
    not low.
    """
    asked = look.named(reviews, PirOpened, ref("change", ticket.change_id))
    waiting = [review.pir_id for review in asked if review.state == "open"]
    if waiting:
        return "insufficient_evidence", "review-open", f"{listed(waiting)} is not done", last_fact(ticket, look)
    if ticket.state == "closed":
        return "allow", "reviewed", f"reviewed by {ticket.reviewed_by}", last_fact(ticket, look)
    is_owed = _within(ticket, policy, look)[0] > 0
    if ticket.risk_band in (None, "low") and not (is_owed or ticket.is_rolled_back or ticket.incidents or asked):
        return (
            "allow",
            "not-asked-for",
            "low risk, and nothing happened: no review was asked for",
            last_fact(ticket, look),
        )
    return (
        "insufficient_evidence",
        "not-reviewed",
        "no review by somebody else than who deployed",
        last_fact(ticket, look),
    )
