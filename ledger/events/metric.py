"""Metrics: what was measured of a service, by which others may compute again what followed from it."""

from ledger.events.base import Event
from ledger.events.identifiers import Count, Decimal, DeploymentId, Environment, Label, Service, Time


class MetricMeasured(Event):
    """A metric of a service had a value over a time, by so many samples."""

    type = "metric.measured"
    says = "{metric} of {service} in {environment} was {value} from {start} to {end}, by {samples:sample}"
    refs = ("service", "environment", "deployment_id")
    service: Service
    environment: Environment
    deployment_id: DeploymentId | None = None
    metric: Label
    start: Time
    end: Time
    value: Decimal
    samples: Count
