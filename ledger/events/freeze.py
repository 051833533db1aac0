"""Freezes: times in which nothing is to change, and who was let through."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.identifiers import ChangeId, ChangeType, Erasable, FreezeId, Identity, Time, many
from ledger.events.selecting import Recurrence, Selector


class FreezeEvent(Event):
    """A fact about one freeze."""

    refs: ClassVar[tuple[str, ...]] = ("freeze_id",)
    actor: Identity
    freeze_id: FreezeId


class FreezeDeclared(FreezeEvent, Selector, Recurrence):
    """A time, or one that recurs, was declared in which environments or services are not to change."""

    type = "freeze.declared"
    says = "{actor} declared freeze {freeze_id}[ of {environments}][ of the tier {tiers}][ of names like {patterns}] from {start} to {end}"
    refs = ("freeze_id", "environments", "tiers", "services")
    one_of = ("environments", "patterns", "tiers")
    # Of its first time where it recurs.
    start: Time
    end: Time
    exempt_types: tuple[ChangeType, ...] = many(at_most=16, default=())
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
