"""What was said and done about each change: decisions, deployments, reviews. As it was recorded, with who said it and when.

Nothing is judged here. Which approvals count, and where the change is in its life, is `tickets`, which is made of these.
Longer than other files because it is a list: a fold for each thing that may be said of a change.
"""

from collections.abc import Callable, Iterable
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
    ChangeReviewed,
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
from projections.engine.view import EntryInfo, Moment, View, moment, replace
from projections.readings.changes.scopes import change_scopes
from projections.readings.delivery.acts import Act
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.delivery.incidents import concerned, incidents
from projections.readings.delivery.placements import placements, undoing, undone_by, what_was_placed
from projections.readings.environments.environments import READ_BY_ASKING
from projections.readings.people.voices import Spoken, spoken
from projections.readings.risk.outcomes import base_rates, failures_of_template

Word = Literal[
    "requested", "granted", "rejected", "withdrawn", "escalated", "reverted", "cancelled", "reviewed", "objected"
]
_LOOKED: Final[dict[str, Word]] = {"approved": "reviewed", "changes_requested": "objected"}


@dataclass(frozen=True)
class Decision:
    """Something that was asked or decided about a change. `role` is the one that a decider claims, or that it was put before."""

    word: Word
    said: Spoken
    scope_digest: str | None = None
    role: str | None = None
    # Of a request: what it asks for.
    roles: tuple[str, ...] = ()
    quorum: int | None = None
    rule: str | None = None
    policy_id: str | None = None
    policy_version: str | None = None
    due_at: Moment | None = None


@dataclass(frozen=True)
class Reviewed:
    """A review after the change that somebody completed."""

    said: Spoken
    pir_id: str
    outcome: Literal["successful", "successful_with_issues", "unsuccessful", "backed_out"]


@dataclass(frozen=True)
class Done(Act):
    """One act of a deployment of the change."""

    deployment_id: str = ""
    rolled_back_at: Moment | None = None


@dataclass(frozen=True)
class ChangeFacts:
    """What is known of one change, beside its scope."""

    change_id: str
    decisions: tuple[Decision, ...] = ()
    done: tuple[Done, ...] = ()
    deployments: tuple[str, ...] = ()
    # What took the place of its deployments and names none of them, as refs.
    undone_by: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    reviewed: tuple[Reviewed, ...] = ()
    # Of its template's changes, when its scope was submitted last.
    template_failures: int = 0
    # Of the last entry about it that is no answer of a gate.
    last_fact_position: int | None = None


# What the readings of people and risk have to say is looked up when a ticket is made of these.
def _entries_of(key: str, row: ChangeFacts) -> list[Match]:
    own = [ref("change", key), *(ref("deployment", name) for name in row.deployments), *row.undone_by]
    return [Match(refs=(name,)) for name in (*own, *(ref("incident", name) for name in row.incidents))]


change_facts = View(
    "change_facts",
    version=6,
    row=ChangeFacts,
    kind="change",
    entries_of=_entries_of,
    names=("deployments", "undone_by", "incidents"),
    reads=(change_scopes, placements, deployments, incidents, base_rates, *READ_BY_ASKING),
    follows={placements: what_was_placed},
    doc="What was said and done about changes: decisions, deployments and reviews, as they were recorded.",
)
Fold = Callable[[ChangeFacts, Any, EntryInfo], ChangeFacts]


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
    """Fold, and note that this was the last fact."""

    def declare(fold: Fold) -> Fold:
        def folded(row: ChangeFacts, event: Any, entry: EntryInfo) -> ChangeFacts:
            return fold(replace(row, last_fact_position=entry.position), event, entry)

        change_facts.on(*events, key=key)(folded)
        return fold

    return declare


def _decided(row: ChangeFacts, word: Word, event: Any, entry: EntryInfo, **more: Any) -> ChangeFacts:
    decision = Decision(word, spoken(entry, event.actor), **more)
    return replace(row, decisions=(*row.decisions, decision))


# -- decisions ---------------------------------------------------------------------------------------------------------


@_step(ApprovalRequested)
def requested(row: ChangeFacts, event: ApprovalRequested, entry: EntryInfo) -> ChangeFacts:
    return _decided(
        row,
        "requested",
        event,
        entry,
        scope_digest=event.scope_digest,
        roles=event.required_roles,
        quorum=event.quorum,
        rule=event.rule,
        policy_id=event.policy_id,
        policy_version=event.policy_version,
        due_at=moment(event.due_at) if event.due_at else None,
    )


@_step(ApprovalGranted)
def granted(row: ChangeFacts, event: ApprovalGranted, entry: EntryInfo) -> ChangeFacts:
    return _decided(row, "granted", event, entry, scope_digest=event.scope_digest, role=event.role)


@_step(ApprovalRejected)
def rejected(row: ChangeFacts, event: ApprovalRejected, entry: EntryInfo) -> ChangeFacts:
    return _decided(row, "rejected", event, entry, scope_digest=event.scope_digest, role=event.role)


@_step(ApprovalWithdrawn)
def withdrawn(row: ChangeFacts, event: ApprovalWithdrawn, entry: EntryInfo) -> ChangeFacts:
    return _decided(row, "withdrawn", event, entry, scope_digest=event.scope_digest)


@_step(ChangeEscalated)
def escalated(row: ChangeFacts, event: ChangeEscalated, entry: EntryInfo) -> ChangeFacts:
    return _decided(row, "escalated", event, entry, role=event.to_role)


@_step(ChangeReverted)
def reverted(row: ChangeFacts, event: ChangeReverted, entry: EntryInfo) -> ChangeFacts:
    return _decided(row, "reverted", event, entry)


@_step(ChangeReviewed)
def looked_at(row: ChangeFacts, event: ChangeReviewed, entry: EntryInfo) -> ChangeFacts:
    return _decided(row, _LOOKED[event.verdict], event, entry, scope_digest=event.scope_digest)


@_step(ChangeCancelled)
def cancelled(row: ChangeFacts, event: ChangeCancelled, entry: EntryInfo) -> ChangeFacts:
    return _decided(row, "cancelled", event, entry)


@_step(ChangeSubmitted)
def submitted(row: ChangeFacts, event: ChangeSubmitted, entry: EntryInfo) -> ChangeFacts:
    scope = entry.reads.row(change_scopes, row.change_id)
    template = event.template_id or (scope.template_id if scope else None)
    return replace(row, template_failures=failures_of_template(entry.reads, template)) if template else row


# -- deployments -------------------------------------------------------------------------------------------------------


def _of_links(event: ChangeLinked, entry: EntryInfo) -> tuple[str, ...]:
    """The change that a deployment is tied to by now, and the one that it was of before."""
    row = entry.reads.row(deployments, event.deployment_id)
    names = (event.change_id, row.change_id if row else None, row.was_change_id if row else None)
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _with(row: ChangeFacts, deployment_id: str | None, entry: EntryInfo) -> ChangeFacts:
    """Take over what the deployment's row says at this entry; or nothing of it, where it is of another change."""
    deployment = entry.reads.row(deployments, deployment_id) if deployment_id else None
    if deployment is None:
        return row
    # Where it was once of this change, its entries are followed further.
    names = tuple(dict.fromkeys((*row.deployments, deployment.deployment_id)))
    others = tuple(done for done in row.done if done.deployment_id != deployment.deployment_id)
    # Its incidents come and go with it.
    row = replace(row, incidents=_caused(row, deployment.incidents, entry))
    if deployment.change_id != row.change_id:
        return replace(row, deployments=names, done=others) if len(others) < len(row.done) else row
    done = tuple(_done(deployment, act) for act in deployment.acts)
    return replace(row, deployments=names, done=(*others, *done))


def _caused(row: ChangeFacts, names: Iterable[str], entry: EntryInfo) -> tuple[str, ...]:
    """Return the incidents, of those of a change and some more, of which it is held to be the cause."""
    return tuple(name for name in dict.fromkeys((*row.incidents, *names)) if _cause(name, entry) == row.change_id)


def _cause(incident_id: str, entry: EntryInfo) -> str | None:
    """Return the change that is held to have caused an incident: that of the deployment which did, or one that is named alone."""
    incident = entry.reads.row(incidents, incident_id)
    if incident is None or incident.deployment_id is None:
        return incident.change_id if incident is not None else None
    deployment = entry.reads.row(deployments, incident.deployment_id)
    return deployment.change_id if deployment is not None and deployment.change_id else incident.change_id


def _done(row: Deployment, act: Act) -> Done:
    rolled_back_at = row.rolled_back_at if act.kind == "deployment" else None
    return Done(**vars(act), deployment_id=row.deployment_id, rolled_back_at=rolled_back_at)


def _by_what_it_undoes(event: Any, entry: EntryInfo) -> list[str]:
    """The change of the deployment that an entry is about, and that of the one whose place is taken."""
    undone = entry.reads.row(deployments, name) if (name := undone_by(event, entry)) is not None else None
    named = (_by_deployment(event, entry), undone.change_id if undone is not None else None)
    return [name for name in named if name is not None]


@_step(DeploymentFinished, RollbackCompleted, key=_by_what_it_undoes)
def deployed_or_undone(row: ChangeFacts, event: Any, entry: EntryInfo) -> ChangeFacts:
    undone = undone_by(event, entry)
    if undone is not None and (name := undoing(event)) not in row.undone_by:
        row = replace(row, undone_by=(*row.undone_by, name or ""))
    return _with(_with(row, event.deployment_id, entry), undone, entry)


@_step(DeploymentStarted, DeploymentVerified, DeploymentPromoted, key=_by_deployment)
@_step(RollbackDecided, key=_by_deployment)
@_step(ChangeLinked, key=_of_links)
def deployed(row: ChangeFacts, event: Any, entry: EntryInfo) -> ChangeFacts:
    return _with(row, event.deployment_id, entry)


def _by_cause(event: IncidentAttributed, entry: EntryInfo) -> tuple[str, ...]:
    """The changes that may have caused an incident, or were held to have: by their ids, or those of their deployments."""
    names, changes = concerned(event, entry.reads)
    rows = (entry.reads.row(deployments, name) for name in names)
    return tuple(dict.fromkeys((*changes, *(row.change_id for row in rows if row is not None and row.change_id))))


@_step(IncidentAttributed, key=_by_cause)
def blamed(row: ChangeFacts, event: IncidentAttributed, entry: EntryInfo) -> ChangeFacts:
    # What was said of last stands last.
    others = tuple(name for name in row.incidents if name != event.incident_id)
    return replace(row, incidents=_caused(replace(row, incidents=others), (event.incident_id,), entry))


# -- afterwards --------------------------------------------------------------------------------------------------------


@_step(PirCompleted)
def reviewed(row: ChangeFacts, event: PirCompleted, entry: EntryInfo) -> ChangeFacts:
    return replace(row, reviewed=(*row.reviewed, Reviewed(spoken(entry, event.actor), event.pir_id, event.outcome)))


@_step(
    ChangeOpened, ChangeScopeAmended, ChangeScheduled, ChangeImpactAssessed, FreezeOverrideGranted, RiskAssessed,
    RollbackTriggerDefined, RollbackTriggerFired, AdvisoryIssued, AdvisoryOverridden, PirOpened, RiskOutcomeLabelled,
)  # fmt: skip
def noted(row: ChangeFacts, event: Any, entry: EntryInfo) -> ChangeFacts:
    return row


@change_facts.on(GateDecided, key=_by_change)
def asked(row: ChangeFacts, event: GateDecided, entry: EntryInfo) -> ChangeFacts:
    """What a gate said of a change is no fact about it. That it was asked makes the change known."""
    return row
