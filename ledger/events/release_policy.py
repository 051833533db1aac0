"""Policies of releases by budget: when somebody halted releases, or let them through."""

from typing import Literal

from ledger.events.base import Event
from ledger.events.identifiers import Erasable, Identity, SloId, Time

ReleaseAction = Literal["halt", "resume"]


class ReleasePolicyApplied(Event):
    """Releases were halted until a time, or let through though the budget is spent."""

    type = "release_policy.applied"
    says = "{actor} decided to {action} releases by {slo_id} until {until}"
    refs = ("slo_id",)
    actor: Identity
    slo_id: SloId
    action: ReleaseAction
    until: Time
    reason: Erasable | None = None
