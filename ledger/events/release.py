"""Releases: what of several teams goes out together, in which order and when, and that each team stands by its part."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.identifiers import (
    Artifact,
    Environment,
    Erasable,
    Identity,
    Part,
    ReleaseId,
    Service,
    Team,
    Time,
    many,
)


class ReleaseEvent(Event):
    """A fact about one release."""

    refs: ClassVar[tuple[str, ...]] = ("release_id",)
    actor: Identity
    release_id: ReleaseId


class Component(Part):
    """One service of a release, exactly as it goes out, and whose it is."""

    service: Service
    artifact: Artifact
    owner_team: Team | None = None


class Edge(Part):
    """One service that needs another: the provider goes out first."""

    consumer: Service
    provider: Service


class ReleaseContent(Part):
    """What a release holds: its digest is computed of what it says."""

    components: tuple[Component, ...] = many(at_least=1, at_most=64)
    edges: tuple[Edge, ...] = many(at_most=128, default=())


class ReleaseScopeDefined(ReleaseEvent, ReleaseContent):
    """What goes out together was fixed, each component by its digest."""

    type = "release.scope_defined"
    says = "{actor} defined the scope of release {release_id}"


class ReleaseScopeAmended(ReleaseEvent, ReleaseContent):
    """What goes out together became something else; it says all of it again."""

    type = "release.scope_amended"
    says = "{actor} amended the scope of release {release_id}"
    reason: Erasable | None = None


class ReleaseScheduled(ReleaseEvent):
    """A release is to begin at a time, in these environments. It may be said again for another time."""

    type = "release.scheduled"
    says = "{actor} scheduled release {release_id} for {start} in {environments}"
    refs = ("release_id", "environments")
    environments: tuple[Environment, ...] = many(at_least=1, at_most=16)
    start: Time
    end: Time | None = None
