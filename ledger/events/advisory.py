"""Advisories: what a machine thinks of a change. Advice is no approval, whoever gives it."""

from typing import ClassVar, Literal

from ledger.events.base import Event
from ledger.events.identifiers import ChangeId, Erasable, Identity, Label, PolicyId, Position, Version, many

Advised = Literal["approve", "reject", "decide_manually"]


class AdvisoryEvent(Event):
    """A fact about advice on one change."""

    refs: ClassVar[tuple[str, ...]] = ("change_id",)
    actor: Identity
    change_id: ChangeId


class AdvisoryIssued(AdvisoryEvent):
    """A machine advised to approve a change, to reject it, or to let people decide."""

    type = "advisory.issued"
    says = "{actor} advised to {verdict} {change_id}: {reasons}"
    verdict: Advised
    reasons: tuple[Label, ...] = many(at_least=1, at_most=16)
    policy_id: PolicyId | None = None
    policy_version: Version | None = None


class AdvisoryOverridden(AdvisoryEvent):
    """Somebody decided against the advice."""

    type = "advisory.overridden"
    says = "{actor} overrode the advice at position {advisory} on {change_id}"
    advisory: Position
    reason: Erasable
