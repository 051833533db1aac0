"""Rollouts: how much a deployment was seen to have while it went out."""

from ledger.events.base import Event
from ledger.events.identifiers import Artifact, DeploymentId, Environment, Percent, Service


class RolloutObserved(Event):
    """Somebody saw how much of the traffic, or of the instances, a deployment had at a time."""

    type = "rollout.observed"
    says = "deployment {deployment_id} of {service} had {weight} percent"
    refs = ("deployment_id", "service", "environment")
    deployment_id: DeploymentId
    service: Service
    environment: Environment
    weight: Percent
    artifact: Artifact | None = None
