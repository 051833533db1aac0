"""Dependencies: which resource needs which other, as far as somebody declared it."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.identifiers import Flag, Identity, Resource


class DependencyEvent(Event):
    """A fact about one dependency."""

    refs: ClassVar[tuple[str, ...]] = ("resource", "depends_on")
    actor: Identity
    resource: Resource
    depends_on: Resource


class DependencyDeclared(DependencyEvent):
    """A resource was found to need another, which several share or not."""

    type = "dependency.declared"
    says = "{actor} declared that {resource} depends on {depends_on}"
    shared: Flag


class DependencyRemoved(DependencyEvent):
    """A resource needs another no longer."""

    type = "dependency.removed"
    says = "{actor} declared that {resource} depends on {depends_on} no longer"
