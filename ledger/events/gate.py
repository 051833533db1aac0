"""Gates: the ledger's own answers to "may this proceed?". Reserved: only the ledger appends them."""

from typing import Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    Artifact,
    ChangeId,
    DeploymentId,
    Environment,
    GateName,
    Label,
    Part,
    PolicyId,
    Position,
    Service,
    Time,
    Version,
    many,
)


class RuleResult(Part):
    """What one rule of a gate answered, why in one word, and on which entries."""

    rule: Label
    verdict: Literal["allow", "deny", "needs_approval", "insufficient_evidence"]
    reason: Label
    positions: tuple[Position, ...] = many(at_most=64)


class GateDecided(Event):
    """A gate was asked and answered."""

    type = "gate.decided"
    says = "gate {gate} answered {verdict} to {actor} for {change_id} in {environment}"
    refs = ("gate", "change_id", "deployment_id", "service", "environment")
    gate: GateName
    verdict: Literal["allow", "deny", "needs_approval", "insufficient_evidence"]
    asked_at: Time
    read_at: Position
    policy_id: PolicyId | None = None
    policy_version: Version | None = None
    change_id: ChangeId | None = None
    deployment_id: DeploymentId | None = None
    service: Service | None = None
    environment: Environment | None = None
    artifact: Artifact | None = None
    to_environment: Environment | None = None
    rules: tuple[RuleResult, ...] = many(at_least=1)
