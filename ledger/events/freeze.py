"""Freezes: times in which nothing is to change, and who was let through."""

from typing import ClassVar, Literal

from ledger.events.base import Event
from ledger.events.identifiers import ChangeId, Environment, Erasable, FreezeId, Identity, Service, Time, TimeZone, many


class FreezeEvent(Event):
    """A fact about one freeze."""

    refs: ClassVar[tuple[str, ...]] = ("freeze_id",)
    actor: Identity
    freeze_id: FreezeId


class FreezeDeclared(FreezeEvent):
    """A time was declared in which environments or services are not to change."""

    type = "freeze.declared"
    says = "{actor} declared freeze {freeze_id} of {environments} from {start} to {end}"
    refs = ("freeze_id", "environments", "services")
    environments: tuple[Environment, ...] = many(at_least=1, at_most=16)
    services: tuple[Service, ...] = many(default=())
    start: Time
    end: Time
    # In which its times were meant; they themselves are UTC.
    time_zone: TimeZone | None = None
    exempt_types: tuple[Literal["standard", "normal", "emergency"], ...] = many(at_most=3, default=())
    reason: Erasable | None = None


class FreezeLifted(FreezeEvent):
    """A freeze ended before its time."""

    type = "freeze.lifted"
    says = "{actor} lifted freeze {freeze_id}"
    reason: Erasable | None = None


class FreezeOverrideGranted(FreezeEvent):
    """One change was let through a freeze."""

    type = "freeze.override_granted"
    says = "{actor} let {change_id} of {requester} through freeze {freeze_id} until {expires_at}"
    refs = ("freeze_id", "change_id")
    change_id: ChangeId
    requester: Identity
    expires_at: Time
    reason: Erasable
