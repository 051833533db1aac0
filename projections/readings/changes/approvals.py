"""What counts: which approvals of a change do, why others do not, what is missing, and what that lets happen.

Where the change is in its life is `tickets`. An approval is judged by roles and identities as of its entry (S1, S4, S5, S12), and again
whenever the change's scope, its environment or those who deployed it are others (S2, S3); how many are missing is S6.
"""

from typing import Any, Final, Literal

from ledger.events.approval import ApprovalGranted, ApprovalRejected
from projections.engine.view import EntryInfo, Moment, Reads, later, replace
from projections.readings.changes.ticket import Approval, Ticket
from projections.readings.environments.environments import is_production
from projections.readings.people.grants import roles_of
from projections.readings.people.identities import kind_of, person_of
from projections.readings.people.policies import in_force
from projections.readings.people.settings import Number
from projections.readings.people.sources import sources_of
from projections.rules import duties as rules

RETRO_WITHIN_HOURS: Final = 24
ESCALATE_AFTER_HOURS: Final = Number(
    "escalate-after-hours",
    "within how many hours approvals are given, or the change is escalated",
    applies_to="band of risk",
    zero="no limit",
)


# -- as it is given ----------------------------------------------------------------------------------------------------


def decided(
    verdict: Literal["granted", "rejected"],
    event: ApprovalGranted | ApprovalRejected,
    entry: EntryInfo,
    broken: str = "",
) -> Approval:
    """Return a decision of an approver, with the first rule that it breaks as it is given."""
    return Approval(
        event.actor,
        person_of(entry.reads, event.actor),
        verdict,
        event.role,
        event.scope_digest,
        entry.time,
        entry.recorded_at,
        entry.position,
        broken,
    )


def broken_by(ticket: Ticket, approver: str, time: Moment, principal: str, source: str, reads: Reads) -> str:
    """Return the first rule that an approval breaks as it is given, and why; empty when it breaks none.

    Roles and identities are those of the entry. S2, S3 and S6 depend on what comes later, and are judged with the ticket.
    """
    person = person_of(reads, approver)
    author = person_of(reads, ticket.author) if ticket.author else None
    required = (*ticket.required_roles, ticket.escalated_to) if ticket.escalated_to else ticket.required_roles
    held = roles_of(reads, approver, time, ticket.environment) if required else {}
    enrolled = sources_of(reads, principal) if principal != approver else []
    checks = (
        ("S1", rules.s1_author_does_not_approve(author, person)),
        ("S4", rules.s4_approver_is_human(approver, kind_of(reads, approver))),
        ("S5", rules.s5_approver_held_a_role(held, required)),
        ("S12", rules.s12_approver_spoke(approver, principal, source, enrolled)),
    )
    return next((f"{rule}: {fault}" for rule, fault in checks if fault), "")


def withdrawn(ticket: Ticket, person: str | None = None) -> Ticket:
    """Take back what somebody decided, or what everybody did."""
    approvals = tuple(
        replace(approval, is_withdrawn=True) if person in (None, approval.person) else approval
        for approval in ticket.approvals
    )
    return replace(ticket, approvals=approvals)


def escalated_at(ticket: Ticket, entry: EntryInfo) -> Moment | None:
    """Return until when approvals that are asked for now are given, or the change is put before a higher body."""
    hours = in_force(entry.reads, entry.time).number(ESCALATE_AFTER_HOURS, ticket.risk_band)
    return later(entry.time, hours=hours) if hours else None


# -- as it stands --------------------------------------------------------------------------------------------------------


def counted(ticket: Ticket, before: Ticket, entry: EntryInfo) -> Ticket:
    """Say of a ticket after an entry which of its approvals count, and what is missing. `before` is the ticket before it."""
    judged = _judged_anew(ticket, before, entry)
    counting = [approval for approval in judged if approval.counts]
    missing = rules.s6_missing_from_quorum((approval.person for approval in counting), ticket.quorum)
    if ticket.escalated_to and not any(approval.role == ticket.escalated_to for approval in counting):
        missing = max(missing, 1)
    approved_at, approved_position = ticket.approved_at, ticket.approved_position
    if missing:
        approved_at = approved_position = None
    elif approved_position is None:
        last = max(counting, key=lambda approval: approval.position)
        approved_at, approved_position = last.at, last.position
    found = (judged, missing, approved_at, approved_position)
    if found != (ticket.approvals, ticket.missing_approvals, ticket.approved_at, ticket.approved_position):
        ticket = replace(
            ticket,
            approvals=judged,
            missing_approvals=missing,
            approved_at=approved_at,
            approved_position=approved_position,
        )
    return ticket


def _judged_anew(ticket: Ticket, before: Ticket, entry: EntryInfo) -> tuple[Approval, ...]:
    """Return all approvals as they count now. What they are judged by mostly stays: then only new ones are looked at."""
    known = before.approvals

    def context(of: Ticket) -> tuple[Any, ...]:
        return of.scope_digest, of.environment, of.deployed_by

    if context(ticket) == context(before) and ticket.approvals[: len(known)] == known:
        if len(ticket.approvals) == len(known):
            return ticket.approvals
        return known + tuple(_judged(ticket, approval, entry) for approval in ticket.approvals[len(known) :])
    return tuple(_judged(ticket, approval, entry) for approval in ticket.approvals)


def _judged(ticket: Ticket, approval: Approval, entry: EntryInfo) -> Approval:
    why = approval.broken
    if approval.is_withdrawn:
        why = "withdrawn"
    elif approval.verdict == "rejected":
        why = "it is a rejection"
    elif not why and (fault := rules.s3_scope_is_the_approved_one(approval.scope_digest, ticket.scope_digest)):
        why = f"S3: {fault}"
    elif not why and is_production(entry.reads, ticket.environment, ticket.started_at or entry.time):
        fault = rules.s2_deployer_does_not_approve(approval.person, ticket.deployed_by)
        why = f"S2: {fault}" if fault else ""
    return (
        approval
        if approval.why == why and approval.counts is not bool(why)
        else replace(approval, counts=not why, why=why)
    )


def may_start(ticket: Ticket) -> bool:
    """Say whether the approvals there are let a change start. An emergency may with one; the others are owed afterwards."""
    is_urgent = ticket.change_type == "emergency" and any(approval.counts for approval in ticket.approvals)
    return ticket.missing_approvals == 0 or is_urgent


# -- once it has started -----------------------------------------------------------------------------------------------


def after_start(ticket: Ticket, entry: EntryInfo) -> Ticket:
    """Say of a change that has started whether it was let, and what an emergency owes."""
    return _with_retro(_with_start(ticket), entry)


def _with_start(ticket: Ticket) -> Ticket:
    """Say whether the change was approved when it started. A scope that is amended later takes nothing back."""
    if ticket.started_at is None or (ticket.scope_position or 0) > (ticket.started_position or 0):
        return ticket
    counting = [approval.at for approval in ticket.approvals if approval.counts]
    if ticket.change_type == "standard" and ticket.scope_position is not None and ticket.template_fault is None:
        allowed = True
    elif ticket.change_type == "emergency":
        allowed = any(at <= ticket.started_at for at in counting)
    else:
        allowed = ticket.approved_at is not None and ticket.approved_at <= ticket.started_at
    return ticket if ticket.was_let_start is allowed else replace(ticket, was_let_start=allowed)


def _with_retro(ticket: Ticket, entry: EntryInfo) -> Ticket:
    if ticket.change_type != "emergency" or ticket.started_at is None:
        return ticket
    if ticket.retro is None and ticket.missing_approvals:
        due = later(ticket.started_at, hours=RETRO_WITHIN_HOURS)
        return replace(ticket, retro="due", retro_due_at=due)
    if ticket.retro == "due" and ticket.missing_approvals == 0 and ticket.retro_due_at is not None:
        # Both clocks: an approval that claims an earlier time, and was recorded too late, is late.
        on_time = max(ticket.approved_at or "", entry.recorded_at) <= ticket.retro_due_at
        return replace(ticket, retro="on_time" if on_time else "late")
    return ticket
