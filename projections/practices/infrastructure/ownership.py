"""3.5 Ownership and lifecycle of templates: somebody who is still there answers for each, looks at it again, and approves its changes."""

from typing import Final

from ledger.events.template import TemplateApproved, TemplateOwnershipAssigned, TemplateRetired
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Reads
from projections.judging.able import may
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule, last_fact, ticket_of
from projections.practices.practice import Practice
from projections.readings.changes.code_owners import code_owners, owned_paths
from projections.readings.changes.facts import change_facts
from projections.readings.changes.template_owners import Assignment, TemplateOwner, assignment_at, template_owners
from projections.readings.changes.templates import Template, templates
from projections.readings.changes.ticket import Ticket
from projections.readings.changes.tickets import change_tickets
from projections.readings.people.identities import are_same, person_of
from projections.readings.people.imports import instants_of
from projections.readings.people.leaving import ends_of
from projections.readings.people.policies import InForce, in_force, in_force_now
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.settings import Words
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, when
from projections.rules.leave import instants
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "3.5", "Ownership and lifecycle of templates", views=(templates, template_owners, code_owners, owned_paths)
)
TEMPLATE_OWNER: Final = Words(
    "template-owner",
    "whether a template has an owner, who approves it",
    applies_to="template",
    choices=("required", "optional"),
    default=("optional",),
)


def _left(reads: Reads, assignment: Assignment) -> list[int]:
    """Return where all who answer for a template lost their last credentials; nothing while one of them is there."""
    ends = [ends_of(reads, who) for who in assignment.answering]
    return [position for some in ends for position in some] if all(ends) else []


def _retirements(reads: Reads, row: Template) -> list[Spoken]:
    return [said for said in row.retirements if not fault_of_speaker(reads, TemplateRetired.type, said)]


def _is_retired(reads: Reads, row: Template) -> bool:
    approved = max((a.said.position for a in row.approvals), default=0)
    return any(said.position > approved for said in _retirements(reads, row))


@finding(templates, severity="medium")
def template_orphaned(row: Template, look: Look) -> Breach | None:
    """Nobody answers for a template that may still be used: all who did have left; or, where the policy wants an owner, nobody ever did."""
    if not row.approvals or _is_retired(look, row):
        return None
    owned = assignment_at(look, row.template_id)
    if owned is None:
        if "required" not in in_force_now(look).words(TEMPLATE_OWNER, row.template_id):
            return None
        return Breach(f"nobody owns template {row.template_id}", positions_of(row.approved_position))
    if not (ends := _left(look, owned)):
        return None
    words = f"nobody is left who answers for template {row.template_id}: {listed(owned.answering)}"
    return Breach(words, positions_of(owned.said.position, *ends))


@finding(template_owners, severity="low")
def template_review_overdue(row: TemplateOwner, look: Look) -> Breach | None:
    """A template was not looked at again when it was to be: nobody was made its owner anew."""
    owned = assignment_at(look, row.template_id)
    template = look.row(templates, row.template_id)
    if owned is None or not look.has_come(owned.review_by) or (template is not None and _is_retired(look, template)):
        return None
    words = f"template {row.template_id} of {owned.owner} was to be looked at again by {owned.review_by}"
    return Breach(words, positions_of(owned.said.position))


@finding(templates, severity="medium")
def template_approved_without_its_owner(row: Template, look: Look) -> Breach | None:
    """A template was approved, or approved anew, by nobody who answered for it then; where the policy wants its owner to."""
    for said in _approvals(look, row):
        policy = in_force(look.at(said.at), said.at)
        if "required" not in policy.words(TEMPLATE_OWNER, row.template_id):
            continue
        if (owned := _passed_over(look, row, said)) is not None:
            return Breach(_approved_by(row, said, owned), positions_of(owned.said.position, said.position))
    return None


def _approvals(reads: Reads, row: Template) -> list[Spoken]:
    return [one.said for one in row.approvals if not fault_of_speaker(reads, TemplateApproved.type, one.said)]


def _passed_over(reads: Reads, row: Template, said: Spoken) -> Assignment | None:
    """Return who answered for a template when somebody else approved it; None where nobody did, or they did themselves."""
    clocks = clocks_of(reads, said.at)
    owned = assignment_at(reads, row.template_id, instants(said, clocks)[0], clocks)
    is_ones_own = owned is None or any(are_same(reads, who, said.speaker) for who in owned.answering)
    return None if is_ones_own else owned


def _approved_by(row: Template, said: Spoken, owned: Assignment) -> str:
    return f"template {row.template_id} was approved by {said.speaker}; {listed(owned.answering)} answered for it"


@finding(change_tickets, severity="medium", version=2)
def template_used_after_retirement(row: Ticket, look: Look) -> Breach | None:
    """A standard change was implemented by a template that had been retired before, and not approved anew."""
    template = look.row(templates, row.template_id) if row.template_id is not None else None
    facts = look.row(change_facts, row.change_id)
    if template is None or row.change_type != "standard" or facts is None:
        return None
    for said in _retirements(look, template):
        renewed = [one.said.at for one in template.approvals if one.said.position > said.position]
        # Each act by itself: that one of them lies before it excuses no other.
        for act in facts.done:
            for instant in instants_of(look, act, is_history=act.is_history):
                if said.at <= instant.at and not any(at <= instant.at for at in renewed):
                    words = f"{row.change_id} was implemented by template {template.template_id}, retired at {said.at}"
                    return Breach(words, positions_of(said.position, act.position))
    return None


def _owners(question: Question, look: Look, policy: InForce) -> set[str]:
    """Return who may approve the template that the question's change rests on, of those who answer for it where anybody does."""
    ticket, found = ticket_of(question, look), set(may(TemplateApproved)(question, look, policy))
    owned = assignment_at(look, ticket.template_id) if ticket is not None and ticket.template_id is not None else None
    return found & {person_of(look, who) for who in owned.answering} if owned is not None else found


@gate_rule(
    version=2,
    remedies={
        "not-by-its-owner": Remedy(
            "whoever answers for the template approves it, as it is (template.approved)", _owners
        ),
        "": Remedy(
            "somebody who is still there is made the owner of the template (template.ownership_assigned)",
            may(TemplateOwnershipAssigned),
        ),
    },
)
def template_is_owned(question: Question, look: Look, policy: InForce) -> Said:
    """A standard change rests on a template for which somebody answers who is still there, and had approved it; where the policy asks."""
    ticket = ticket_of(question, look)
    name = ticket.template_id if ticket is not None else None
    if ticket is None or ticket.change_type != "standard" or name is None:
        return "allow", "no-template", "no standard change is known that rests on a template", ()
    if "required" not in policy.words(TEMPLATE_OWNER, name):
        return "allow", "not-asked-for", "the policy asks for no owner of templates", ()
    owned = assignment_at(look, name)
    if owned is None:
        return "insufficient_evidence", "no-owner", f"nobody owns template {name}", last_fact(ticket, look)
    if ends := _left(look, owned):
        return "deny", "orphaned", f"nobody is left who answers for template {name}", [owned.said.position, *ends]
    if owned.review_by is not None and owned.review_by <= question.asked_at:
        return (
            "deny",
            "overdue",
            f"template {name} was to be looked at again by {owned.review_by}",
            [owned.said.position],
        )
    row = look.row(templates, name)
    last = max(_approvals(look, row) if row is not None else (), key=when, default=None)
    if row is not None and last is not None and (then := _passed_over(look, row, last)) is not None:
        return "deny", "not-by-its-owner", _approved_by(row, last, then), [then.said.position, last.position]
    return "allow", "owned", f"{owned.owner} answers for template {name}", [owned.said.position]
