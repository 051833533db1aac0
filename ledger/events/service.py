"""Services: what each needs where it runs, as far as that holds state."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.identifiers import Environment, Flag, Resource, Service, many


class ServiceProvisioned(Event):
    """A service was set up in an environment: with resources that hold its state, or without any."""

    type = "service.provisioned"
    says = "{service} was set up in {environment}[ with {resources}]"
    refs: ClassVar[tuple[str, ...]] = ("service", "environment", "resources")
    service: Service
    environment: Environment
    stateful: Flag
    resources: tuple[Resource, ...] = many(default=())
