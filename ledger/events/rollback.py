"""Rollbacks: when one is due, who decided it, what it restored, and whether it was ever tried."""

from typing import ClassVar, Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    Artifact,
    ChangeId,
    Comparator,
    Count,
    Decimal,
    DeploymentId,
    Environment,
    Erasable,
    Identity,
    Label,
    PlaybookId,
    RollbackId,
    Service,
    Time,
    TriggerId,
    Version,
    many,
)

Mode = Literal["automatic", "manual"]
Decision = Literal["roll_back", "roll_forward", "hold"]
RollbackOutcome = Literal["success", "failure", "partial"]


class RollbackTriggerDefined(Event):
    """A measurable condition was set under which a rollback is due."""

    type = "rollback.trigger_defined"
    says = "trigger {trigger_id} for {service}: {metric} {comparator} {threshold} for {window_s} s"
    refs = ("trigger_id", "service", "environment", "change_id")
    trigger_id: TriggerId
    version: Version
    service: Service
    environment: Environment | None = None
    change_id: ChangeId | None = None
    metric: Label
    comparator: Comparator
    threshold: Decimal
    window_s: Count
    min_samples: Count
    mode: Mode


class RollbackTriggerFired(Event):
    """A measurement met a trigger's condition."""

    type = "rollback.trigger_fired"
    says = "trigger {trigger_id} fired for {service}: measured {measured} over {samples:sample}"
    refs = ("trigger_id", "service", "environment", "deployment_id", "change_id")
    trigger_id: TriggerId
    version: Version
    service: Service
    environment: Environment | None = None
    deployment_id: DeploymentId | None = None
    change_id: ChangeId | None = None
    measured: Decimal
    samples: Count


class RollbackEvent(Event):
    """A fact about one rollback."""

    refs: ClassVar[tuple[str, ...]] = ("rollback_id", "deployment_id", "change_id", "service", "environment")
    rollback_id: RollbackId
    deployment_id: DeploymentId | None = None
    change_id: ChangeId | None = None
    service: Service
    environment: Environment


class RollbackDecided(RollbackEvent):
    """Somebody decided, between options, whether to roll back."""

    type = "rollback.decided"
    says = "{actor} decided to {decision} {service} in {environment} ({rollback_id})"
    actor: Identity
    decision: Decision
    options: tuple[Label, ...] = many(at_least=1, at_most=8)
    reason: Erasable | None = None


class RollbackCompleted(RollbackEvent):
    """A rollback ended, from one artifact to another."""

    type = "rollback.completed"
    says = "{service} in {environment} was rolled back to {to_artifact}: {outcome}"
    from_artifact: Artifact | None = None
    to_artifact: Artifact | None = None
    outcome: RollbackOutcome


class RollbackRehearsed(Event):
    """A rollback playbook was tried and its recovery timed."""

    type = "rollback.rehearsed"
    says = "{actor} rehearsed playbook {playbook_id} {playbook_version} in {environment}"
    refs = ("playbook_id", "service", "environment")
    actor: Identity
    playbook_id: PlaybookId
    playbook_version: Version
    service: Service
    environment: Environment
    started_at: Time
    recovered_at: Time
    verified_by: Identity
