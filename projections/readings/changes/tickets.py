"""Change tickets: how far each change has come, and what was deployed for it. Which approvals count is said by `approvals`.

The states are those of the ticket's life: draft, assessing, authorizing, scheduled, implementing, reviewing, closed,
cancelled. What happened is never refused: a deployment without approval moves the ticket as any other does, and becomes a
finding. Longer than other files because it is one state machine.
"""

from collections.abc import Callable
from typing import Any

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
)
from ledger.events.deployment import DeploymentFinished, DeploymentPromoted, DeploymentStarted, DeploymentVerified
from ledger.events.freeze import FreezeOverrideGranted
from ledger.events.gate import GateDecided
from ledger.events.incident import IncidentAttributed
from ledger.events.pir import PirCompleted, PirOpened
from ledger.events.risk import RiskAssessed, RiskOutcomeLabelled
from ledger.events.rollback import RollbackCompleted, RollbackDecided, RollbackTriggerDefined, RollbackTriggerFired
from projections.engine.view import EntryInfo, View, moment, replace
from projections.readings.changes.approvals import (
    after_start,
    broken_by,
    counted,
    decided,
    escalated_at,
    may_start,
    withdrawn,
)
from projections.readings.changes.scopes import ChangeScope, change_scopes
from projections.readings.changes.templates import invalid_because, templates
from projections.readings.changes.ticket import PRE_START, Ticket
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.incidents import concerned, incidents
from projections.readings.environments.environments import environments
from projections.readings.people.grants import access_grants
from projections.readings.people.identities import identities, person_of
from projections.readings.people.policies import policies
from projections.readings.people.sources import authorities
from projections.readings.risk.assessments import risk_assessments
from projections.readings.risk.outcomes import base_rates, failures_of_template, outcomes


def _entries_of(key: str, row: Ticket) -> list[Match]:
    own = [ref("change", key), *(ref("deployment", name) for name in row.deployments)]
    return [Match(refs=(name,)) for name in (*own, *(ref("incident", name) for name in row.incidents))]


change_tickets = View(
    "change_tickets",
    version=5,
    row=Ticket,
    kind="change",
    about={"release": lambda row: (row.release_id,)},
    entries_of=_entries_of,
    names=("deployments", "incidents"),
    reads=(
        identities,
        access_grants,
        authorities,
        policies,
        environments,
        templates,
        change_scopes,
        deployments,
        incidents,
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
            after = fold(replace(ticket, last_fact_position=entry.position), event, entry)
            return after_start(_advanced(counted(after, ticket, entry)), entry)

        change_tickets.on(*events, key=key)(folded)
        return fold

    return declare


def _advanced(ticket: Ticket) -> Ticket:
    """Follow the transitions that need no event of their own."""
    if ticket.state == "assessing" and (ticket.assessed_position or 0) > (ticket.scope_position or 0):
        ticket = replace(ticket, state="authorizing")
    if ticket.state == "authorizing" and may_start(ticket):
        ticket = replace(ticket, state="scheduled")
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
    return withdrawn(_back_to_draft(ticket)) if ticket.state in PRE_START else ticket


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
    due = moment(event.due_at) if event.due_at else escalated_at(ticket, entry)
    return replace(
        ticket,
        approval_due_at=due,
        required_roles=event.required_roles,
        quorum=max(1, event.quorum),
        requested_rule=event.rule,
        policy_id=event.policy_id,
        policy_version=event.policy_version,
    )


@_step(ApprovalGranted)
def granted(ticket: Ticket, event: ApprovalGranted, entry: EntryInfo) -> Ticket:
    broken = broken_by(ticket, event.actor, entry.time, entry.by["principal"], entry.source, entry.reads)
    return replace(ticket, approvals=(*ticket.approvals, decided("granted", event, entry, broken)))


@_step(ApprovalRejected)
def rejected(ticket: Ticket, event: ApprovalRejected, entry: EntryInfo) -> Ticket:
    """Back to draft; approvals given before have to be given again. A rejection by the author is none."""
    ticket = replace(ticket, approvals=(*ticket.approvals, decided("rejected", event, entry)))
    return withdrawn(_back_to_draft(ticket)) if ticket.state in PRE_START else ticket


@_step(ApprovalWithdrawn)
def taken_back(ticket: Ticket, event: ApprovalWithdrawn, entry: EntryInfo) -> Ticket:
    state = "authorizing" if ticket.state == "scheduled" and ticket.change_type != "standard" else ticket.state
    return replace(withdrawn(ticket, person_of(entry.reads, event.actor)), state=state)


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
@_step(RollbackDecided, RollbackCompleted, key=_by_deployment)
@_step(ChangeLinked)
def deployed(ticket: Ticket, event: Any, entry: EntryInfo) -> Ticket:
    return _deployed(ticket, event.deployment_id, entry)


def _by_cause(event: IncidentAttributed, entry: EntryInfo) -> tuple[str, ...]:
    """The changes that may have caused an incident, or were held to have: by their ids, or those of their deployments."""
    names, changes = concerned(event, entry.reads)
    rows = (entry.reads.row(deployments, name) for name in names)
    return tuple(dict.fromkeys((*changes, *(row.change_id for row in rows if row is not None and row.change_id))))


@_step(IncidentAttributed, key=_by_cause)
def blamed(ticket: Ticket, event: IncidentAttributed, entry: EntryInfo) -> Ticket:
    incident = entry.reads.row(incidents, event.incident_id)
    cause = incident.change_id if incident is not None else None
    if incident is not None and incident.deployment_id is not None:
        row = entry.reads.row(deployments, incident.deployment_id)
        cause = row.change_id if row is not None and row.change_id else cause
    others = tuple(name for name in ticket.incidents if name != event.incident_id)
    return replace(ticket, incidents=(*others, event.incident_id) if cause == ticket.change_id else others)


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
