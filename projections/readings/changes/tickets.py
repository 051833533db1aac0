"""Change tickets: how far each change has come, which approvals count and why others do not, what was deployed for it.

The states are those of the ticket's life: draft, assessing, authorizing, scheduled, implementing, reviewing, closed,
cancelled. What happened is never refused: a deployment without approval moves the ticket as any other does, and becomes a
finding. An approval is judged by roles and identities as of its entry; it is void as soon as the scope is another one.
Longer than other files because it is one state machine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from ledger.conditions import Match
from ledger.events import Event, ref
from ledger.events.advisory import AdvisoryIssued, AdvisoryOverridden
from ledger.events.approval import ApprovalGranted, ApprovalRejected, ApprovalRequested, ApprovalWithdrawn
from ledger.events.change import (
    ChangeCancelled,
    ChangeEscalated,
    ChangeImpactAssessed,
    ChangeLinked,
    ChangeOpened,
    ChangeReverted,
    ChangeScheduled,
    ChangeScopeAmended,
    ChangeSubmitted,
    ChangeType,
)
from ledger.events.deployment import DeploymentFinished, DeploymentPromoted, DeploymentStarted, DeploymentVerified
from ledger.events.freeze import FreezeOverrideGranted
from ledger.events.gate import GateDecided
from ledger.events.incident import IncidentAttributed
from ledger.events.pir import PirCompleted, PirOpened
from ledger.events.risk import RiskAssessed, RiskOutcomeLabelled
from ledger.events.rollback import RollbackCompleted, RollbackDecided, RollbackTriggerDefined, RollbackTriggerFired
from projections.engine.view import EntryInfo, Moment, Number, Reads, View, later, moment, replace
from projections.readings.changes.scopes import ChangeScope, change_scopes
from projections.readings.changes.templates import invalid_because, templates
from projections.readings.delivery.deployments import deployments
from projections.readings.people.grants import access_grants, roles_of
from projections.readings.people.identities import identities, kind_of, person_of
from projections.readings.people.policies import in_force, policies
from projections.readings.people.sources import authorities, sources_of
from projections.readings.risk.assessments import risk_assessments
from projections.readings.risk.outcomes import base_rates, failures_of_template, outcomes
from projections.rules import duties as rules

RETRO_WITHIN_HOURS: Final = 24
PRE_START: Final = ("draft", "assessing", "authorizing", "scheduled")
State = Literal["draft", "assessing", "authorizing", "scheduled", "implementing", "reviewing", "closed", "cancelled"]


@dataclass(frozen=True)
class Approval:
    """One decision of an approver. `why` says what keeps it from counting; empty when it counts."""

    approver: str
    person: str
    verdict: Literal["granted", "rejected"]
    role: str | None
    scope_digest: str
    at: Moment
    recorded_at: Moment
    position: int
    # What was wrong with it from the beginning: rule and reason.
    broken: str = ""
    is_withdrawn: bool = False
    counts: bool = False
    why: str = ""


@dataclass(frozen=True)
class Ticket:
    """One change, from its opening to its review."""

    change_id: str
    state: State = "draft"
    change_type: ChangeType | None = None
    opened_at: Moment | None = None
    opened_position: int | None = None
    author: str | None = None
    team: str | None = None
    services: tuple[str, ...] = ()
    environment: str | None = None
    release_id: str | None = None
    template_id: str | None = None
    scope_digest: str | None = None
    scope_position: int | None = None
    # Why a standard change has to be approved like a normal one.
    template_fault: str | None = None
    risk_model: str | None = None
    risk_score: Number | None = None
    risk_band: str | None = None
    assessed_position: int | None = None
    # Set when it was requested, for the scope it was requested for.
    required_roles: tuple[str, ...] = ()
    quorum: int = 1
    requested_rule: str | None = None
    policy_id: str | None = None
    policy_version: str | None = None
    # Until when the approvals asked for are to be given, or the change put before a higher body.
    approval_due_at: Moment | None = None
    escalated_to: str | None = None
    escalated_position: int | None = None
    approvals: tuple[Approval, ...] = ()
    missing_approvals: int = 1
    # When the last approval that was needed came, and where.
    approved_at: Moment | None = None
    approved_position: int | None = None
    planned_start: Moment | None = None
    planned_end: Moment | None = None
    deployments: tuple[str, ...] = ()
    deployed_by: tuple[str, ...] = ()
    started_at: Moment | None = None
    started_position: int | None = None
    # Whether it was let start: by enough approvals, by one for an emergency, by its template.
    was_let_start: bool | None = None
    finished_at: Moment | None = None
    is_rolled_back: bool = False
    # Of an emergency that started before all its approvals were there.
    retro_due_at: Moment | None = None
    retro: Literal["due", "on_time", "late"] | None = None
    incidents: tuple[str, ...] = ()
    outcome: Literal["successful", "successful_with_issues", "unsuccessful", "backed_out"] | None = None
    reviewed_by: str | None = None
    closed_at: Moment | None = None
    label: Literal["success", "failure"] | None = None
    # Of the last entry about it that is no answer of a gate.
    last_fact_position: int | None = None


def _entries_of(key: str, row: Ticket) -> list[Match]:
    return [Match(refs=(ref("change", key),)), *(Match(refs=(ref("deployment", d),)) for d in row.deployments)]


change_tickets = View(
    "change_tickets",
    version=4,
    row=Ticket,
    kind="change",
    entries_of=_entries_of,
    names=("deployments",),
    reads=(
        identities,
        access_grants,
        authorities,
        policies,
        templates,
        change_scopes,
        deployments,
        outcomes,
        base_rates,
        risk_assessments,
    ),
    indexes=("state", "author", "environment", "release_id", "retro_due_at", "approval_due_at", "planned_end"),
    doc="Change tickets: state, approvals and which of them count, deployments, and review.",
)
Fold = Callable[[Ticket, Any, EntryInfo], Ticket]


def _by_change(event: Any) -> str | None:
    change_id: str | None = event.change_id
    return change_id


def _by_deployment(event: Any, entry: EntryInfo) -> str | None:
    """The change of the deployment that an event is about, whether the event names it or not."""
    if event.change_id is not None or event.deployment_id is None:
        return _by_change(event)
    row = entry.reads.row(deployments, event.deployment_id)
    return row.change_id if row else None


def _step(*events: type[Event], key: Callable[..., Any] = _by_change) -> Callable[[Fold], Fold]:
    """Fold, and then what every entry does: judge what counts, and move on."""

    def declare(fold: Fold) -> Fold:
        def folded(ticket: Ticket, event: Any, entry: EntryInfo) -> Ticket:
            return _moved(fold(replace(ticket, last_fact_position=entry.position), event, entry), entry, ticket)

        change_tickets.on(*events, key=key)(folded)
        return fold

    return declare


# -- what counts, and where that leads -------------------------------------------------------------------------------


def _moved(ticket: Ticket, entry: EntryInfo, before: Ticket) -> Ticket:
    judged = _judged_anew(ticket, before)
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
    return _retro(_let_start(_advanced(ticket)), entry)


def _let_start(ticket: Ticket) -> Ticket:
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


def _judged_anew(ticket: Ticket, before: Ticket) -> tuple[Approval, ...]:
    """Return all approvals as they count now. What they are judged by mostly stays: then only new ones are looked at."""
    known = before.approvals

    def context(of: Ticket) -> tuple[Any, ...]:
        return of.scope_digest, of.environment, of.deployed_by

    if context(ticket) == context(before) and ticket.approvals[: len(known)] == known:
        if len(ticket.approvals) == len(known):
            return ticket.approvals
        return known + tuple(_judged(ticket, approval) for approval in ticket.approvals[len(known) :])
    return tuple(_judged(ticket, approval) for approval in ticket.approvals)


def _judged(ticket: Ticket, approval: Approval) -> Approval:
    why = approval.broken
    if approval.is_withdrawn:
        why = "withdrawn"
    elif approval.verdict == "rejected":
        why = "it is a rejection"
    elif not why and (fault := rules.s3_scope_is_the_approved_one(approval.scope_digest, ticket.scope_digest)):
        why = f"S3: {fault}"
    elif not why and ticket.environment in (None, "prod"):
        fault = rules.s2_deployer_does_not_approve(approval.person, ticket.deployed_by)
        why = f"S2: {fault}" if fault else ""
    return (
        approval
        if approval.why == why and approval.counts is not bool(why)
        else replace(approval, counts=not why, why=why)
    )


def _advanced(ticket: Ticket) -> Ticket:
    """Follow the transitions that need no event of their own."""
    if ticket.state == "assessing" and (ticket.assessed_position or 0) > (ticket.scope_position or 0):
        ticket = replace(ticket, state="authorizing")
    # An emergency may start with one authoriser; the others are owed afterwards.
    enough = ticket.missing_approvals == 0 or (
        ticket.change_type == "emergency" and any(approval.counts for approval in ticket.approvals)
    )
    if ticket.state == "authorizing" and enough:
        ticket = replace(ticket, state="scheduled")
    return ticket


def _retro(ticket: Ticket, entry: EntryInfo) -> Ticket:
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


def _back_to_draft(ticket: Ticket) -> Ticket:
    # What was asked for is asked for again, with a time of its own.
    return replace(ticket, state="draft", approval_due_at=None) if ticket.state in PRE_START else ticket


# -- opening and scope ------------------------------------------------------------------------------------------------


def _with_scope(ticket: Ticket, entry: EntryInfo) -> Ticket:
    """Take over what the change's scope says at this entry."""
    scope = entry.reads.row(change_scopes, ticket.change_id) or ChangeScope(ticket.change_id)
    return replace(
        ticket,
        change_type=scope.change_type,
        author=scope.author,
        team=scope.team,
        services=scope.services,
        environment=scope.environment,
        release_id=scope.release_id,
        template_id=scope.template_id,
        scope_digest=scope.scope_digest,
        scope_position=scope.scope_position,
        planned_start=scope.planned_start,
        planned_end=scope.planned_end,
    )


@_step(ChangeOpened)
def opened(ticket: Ticket, event: ChangeOpened, entry: EntryInfo) -> Ticket:
    ticket = replace(_with_scope(ticket, entry), opened_at=entry.time, opened_position=entry.position)
    # It has happened already: nothing is left to approve, only to review.
    return replace(ticket, state="reviewing") if event.change_type == "unauthorized" else ticket


@_step(ChangeSubmitted)
def submitted(ticket: Ticket, event: ChangeSubmitted, entry: EntryInfo) -> Ticket:
    ticket = replace(_with_scope(ticket, entry), template_fault=None)
    if ticket.state not in PRE_START:
        return ticket
    if ticket.change_type == "emergency":
        return replace(ticket, state="authorizing")
    if ticket.change_type == "standard":
        template = entry.reads.row(templates, ticket.template_id) if ticket.template_id else None
        failures = failures_of_template(entry.reads, ticket.template_id) if ticket.template_id else 0
        fault = invalid_because(template, entry.time, failures)
        if fault is None:
            return replace(ticket, state="scheduled")
        return replace(ticket, state="assessing", template_fault=fault)
    return replace(ticket, state="assessing")


@_step(ChangeScopeAmended)
def amended(ticket: Ticket, event: ChangeScopeAmended, entry: EntryInfo) -> Ticket:
    return _back_to_draft(_with_scope(ticket, entry))


@_step(ChangeScheduled)
def scheduled(ticket: Ticket, event: ChangeScheduled, entry: EntryInfo) -> Ticket:
    return _with_scope(ticket, entry)


@_step(ChangeReverted)
def reverted(ticket: Ticket, event: ChangeReverted, entry: EntryInfo) -> Ticket:
    return _withdraw_all(_back_to_draft(ticket)) if ticket.state in PRE_START else ticket


@_step(ChangeCancelled)
def cancelled(ticket: Ticket, event: ChangeCancelled, entry: EntryInfo) -> Ticket:
    return replace(ticket, state="cancelled", closed_at=entry.time) if ticket.state in PRE_START else ticket


@_step(ChangeEscalated)
def escalated(ticket: Ticket, event: ChangeEscalated, entry: EntryInfo) -> Ticket:
    """The higher body is asked of every later scope, too: nobody gets around it by submitting again."""
    return replace(ticket, escalated_to=event.to_role, escalated_position=entry.position)


@_step(RiskAssessed)
def assessed(ticket: Ticket, event: RiskAssessed, entry: EntryInfo) -> Ticket:
    """Take over the latest score by a model that somebody else than its author approved."""
    row = entry.reads.row(risk_assessments, ticket.change_id)
    if row is None:
        return ticket
    return replace(
        ticket,
        risk_model=row.version_id,
        risk_score=row.score,
        risk_band=row.band,
        assessed_position=row.assessed_position,
    )


# -- approvals --------------------------------------------------------------------------------------------------------


@_step(ApprovalRequested)
def requested(ticket: Ticket, event: ApprovalRequested, entry: EntryInfo) -> Ticket:
    due = moment(event.due_at) if event.due_at else _escalated_at(ticket, entry)
    return replace(
        ticket,
        approval_due_at=due,
        required_roles=event.required_roles,
        quorum=max(1, event.quorum),
        requested_rule=event.rule,
        policy_id=event.policy_id,
        policy_version=event.policy_version,
    )


def _escalated_at(ticket: Ticket, entry: EntryInfo) -> Moment | None:
    hours = in_force(entry.reads, entry.time).number("escalate-after-hours", ticket.risk_band, default=0)
    return later(entry.time, hours=hours) if hours else None


@_step(ApprovalGranted)
def granted(ticket: Ticket, event: ApprovalGranted, entry: EntryInfo) -> Ticket:
    broken = broken_by(ticket, event.actor, entry.time, entry.by["principal"], entry.source, entry.reads)
    return replace(ticket, approvals=(*ticket.approvals, _decision("granted", event, entry, broken)))


@_step(ApprovalRejected)
def rejected(ticket: Ticket, event: ApprovalRejected, entry: EntryInfo) -> Ticket:
    """Back to draft; approvals given before have to be given again. A rejection by the author is none."""
    ticket = replace(ticket, approvals=(*ticket.approvals, _decision("rejected", event, entry, "")))
    return _withdraw_all(_back_to_draft(ticket)) if ticket.state in PRE_START else ticket


@_step(ApprovalWithdrawn)
def withdrawn(ticket: Ticket, event: ApprovalWithdrawn, entry: EntryInfo) -> Ticket:
    person = person_of(entry.reads, event.actor)
    approvals = tuple(
        replace(approval, is_withdrawn=True) if approval.person == person else approval for approval in ticket.approvals
    )
    state = "authorizing" if ticket.state == "scheduled" and ticket.change_type != "standard" else ticket.state
    return replace(ticket, approvals=approvals, state=state)


def _withdraw_all(ticket: Ticket) -> Ticket:
    return replace(ticket, approvals=tuple(replace(approval, is_withdrawn=True) for approval in ticket.approvals))


def _decision(
    verdict: Literal["granted", "rejected"],
    event: ApprovalGranted | ApprovalRejected,
    entry: EntryInfo,
    broken: str,
) -> Approval:
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


# -- deployments ------------------------------------------------------------------------------------------------------


def _deployed(ticket: Ticket, deployment_id: str | None, entry: EntryInfo) -> Ticket:
    """Take over what the deployment's row says at this entry."""
    row = entry.reads.row(deployments, deployment_id) if deployment_id else None
    if row is None or row.change_id != ticket.change_id:
        return ticket
    deployers = (person_of(entry.reads, row.deployed_by),) if row.deployed_by else ()
    ticket = replace(
        ticket,
        deployments=tuple(dict.fromkeys((*ticket.deployments, row.deployment_id))),
        deployed_by=tuple(dict.fromkeys((*ticket.deployed_by, *deployers))),
        is_rolled_back=ticket.is_rolled_back or row.rolled_back_at is not None,
        incidents=tuple(dict.fromkeys((*ticket.incidents, *row.incidents))),
    )
    began = row.started_at or row.finished_at
    if began is not None and (ticket.started_at is None or began < ticket.started_at):
        ticket = replace(ticket, started_at=began, started_position=row.started_position or entry.position)
    ended = max(row.finished_at or "", row.rolled_back_at or "")
    if ticket.state in ("closed", "cancelled") or began is None:
        return ticket
    if not ended:
        return replace(ticket, state="implementing")
    return replace(ticket, state="reviewing", finished_at=max(ticket.finished_at or "", ended))


@_step(DeploymentStarted, DeploymentFinished, DeploymentVerified, DeploymentPromoted, key=_by_deployment)
@_step(RollbackDecided, RollbackCompleted, IncidentAttributed, key=_by_deployment)
@_step(ChangeLinked)
def deployed(ticket: Ticket, event: Any, entry: EntryInfo) -> Ticket:
    return _deployed(ticket, event.deployment_id, entry)


# -- review -----------------------------------------------------------------------------------------------------------


@_step(PirCompleted)
def reviewed(ticket: Ticket, event: PirCompleted, entry: EntryInfo) -> Ticket:
    """Closed, unless the one who deployed a risky change reviewed it."""
    ticket = _labelled(ticket, entry)
    own = person_of(entry.reads, event.actor) in ticket.deployed_by
    if ticket.state != "reviewing" or (own and ticket.risk_band not in (None, "low")):
        return ticket
    return replace(ticket, state="closed", outcome=event.outcome, reviewed_by=event.actor, closed_at=entry.time)


@_step(RiskOutcomeLabelled)
def labelled(ticket: Ticket, event: RiskOutcomeLabelled, entry: EntryInfo) -> Ticket:
    return _labelled(ticket, entry)


def _labelled(ticket: Ticket, entry: EntryInfo) -> Ticket:
    outcome = entry.reads.row(outcomes, ticket.change_id)
    return replace(ticket, label=outcome.label) if outcome else ticket


@_step(
    ChangeImpactAssessed, FreezeOverrideGranted, RollbackTriggerDefined, RollbackTriggerFired,
    AdvisoryIssued, AdvisoryOverridden, PirOpened,
)  # fmt: skip
def noted(ticket: Ticket, event: Any, entry: EntryInfo) -> Ticket:
    return ticket


@change_tickets.on(GateDecided, key=_by_change)
def asked(ticket: Ticket, event: GateDecided, entry: EntryInfo) -> Ticket:
    """What a gate said of a change is no fact about it. That it was asked makes the change known."""
    return ticket
