"""Deployments: what was put where. A deployment without a change is a fact too."""

from typing import ClassVar, Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    Artifact,
    Attempt,
    ChangeId,
    Commit,
    Count,
    DeploymentId,
    Environment,
    Flag,
    Label,
    Part,
    Service,
    many,
)

Strategy = Literal["canary", "blue_green", "rolling", "recreate"]
Outcome = Literal["success", "failure", "error", "cancelled", "superseded"]
Health = Literal["healthy", "degraded", "inconclusive"]


class DeploymentEvent(Event):
    """A fact about one deployment."""

    refs: ClassVar[tuple[str, ...]] = ("deployment_id", "change_id", "service", "environment")
    deployment_id: DeploymentId
    change_id: ChangeId | None = None
    service: Service | None = None
    environment: Environment | None = None
    # A run that goes again is the next one of the same deployment.
    attempt: Attempt = 1


class DeploymentStarted(DeploymentEvent):
    """Somebody or something began to put an artifact into an environment."""

    type = "deployment.started"
    says = "{actor} started deployment {deployment_id} of {service} to {environment}"
    service: Service
    environment: Environment
    artifact: Artifact | None = None
    commit: Commit | None = None
    strategy: Strategy | None = None


class DeploymentFinished(DeploymentEvent):
    """A deployment ended. Success of the job is not yet success of the change."""

    type = "deployment.finished"
    says = "deployment {deployment_id} of {service} to {environment} ended as {outcome}"
    outcome: Outcome
    artifact: Artifact | None = None
    commit: Commit | None = None


class Check(Part):
    """One thing that was looked at after a deployment."""

    name: Label
    passed: Flag
    observations: Count


class DeploymentVerified(DeploymentEvent):
    """Checks ran against what was deployed."""

    type = "deployment.verified"
    says = "deployment {deployment_id} was verified as {verdict}"
    verdict: Health
    artifact: Artifact | None = None
    checks: tuple[Check, ...] = many(at_least=1)


class DeploymentPromoted(DeploymentEvent):
    """What was deployed to one environment was let through to the next."""

    type = "deployment.promoted"
    says = "{actor} promoted deployment {deployment_id} of {service} from {environment} to {to_environment}"
    refs = ("deployment_id", "change_id", "service", "environment", "to_environment")
    environment: Environment
    to_environment: Environment
    artifact: Artifact | None = None
