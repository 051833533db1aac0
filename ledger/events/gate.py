"""Gates: the ledger's own answers to "may this proceed?". Reserved: only the ledger appends them."""

from typing import Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    Artifact,
    Attempt,
    ChangeId,
    Commit,
    Count,
    DatasetId,
    DeploymentId,
    Environment,
    GateName,
    Identity,
    Label,
    Part,
    PlanDigest,
    PolicyId,
    Position,
    Service,
    Time,
    Version,
    many,
)

Verdict = Literal["allow", "deny", "needs_approval", "insufficient_evidence"]


class Asked(Part):
    """What somebody wants to do: the question that HTTP, the command line and the recorded decision share. `actor` is who."""

    actor: Identity | None = None
    change_id: ChangeId | None = None
    deployment_id: DeploymentId | None = None
    service: Service | None = None
    environment: Environment | None = None
    artifact: Artifact | None = None
    commit: Commit | None = None
    dataset_id: DatasetId | None = None
    # Of infrastructure, to be applied.
    plan: PlanDigest | None = None
    # Which try of the deployment, from 1.
    attempt: Attempt | None = None
    to_environment: Environment | None = None
    policy_id: PolicyId | None = None
    # Of whoever asks: the same question under the same key is one decision.
    idempotency_key: Label | None = None


class RuleResult(Part):
    """What one rule of a gate answered, in which version of it, why in one word, and on which entries."""

    rule: Label
    # None in decisions of before rules had versions: the first.
    version: Count | None = None
    verdict: Verdict
    reason: Label
    # Places in the decision's `positions`, from 0.
    used: tuple[Count, ...] = many(at_most=16, default=())
    # Which of the decision's `settings` it asked for, by place.
    settings: tuple[Count, ...] = many(at_most=48, default=())
    # In decisions of before `used`: the positions themselves.
    positions: tuple[Position, ...] = many(at_most=64, default=())


class GateDecided(Event, Asked):
    """A gate was asked and answered."""

    type = "gate.decided"
    says = "gate {gate} answered {verdict} to {actor}[ for {change_id}][ of {service}][ in {environment}]"
    refs = ("gate", "change_id", "deployment_id", "service", "environment", "dataset_id")
    gate: GateName
    gate_version: Count | None = None
    verdict: Verdict
    asked_at: Time
    read_at: Position
    # Until when an `allow` holds.
    expires_at: Time | None = None
    policy_version: Version | None = None
    # The entries that the rules stand on, each once.
    positions: tuple[Position, ...] = many(at_most=512, default=())
    # The settings of the policy that the rules asked for. Without any, in decisions of before, nobody knows which.
    settings: tuple[Label, ...] = many(at_most=128, default=())
    rules: tuple[RuleResult, ...] = many(at_least=1, at_most=128)
