"""Approvals: an approver's decision on a change, bound to the scope as it stood."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.identifiers import (
    ChangeId,
    Count,
    Digest,
    Erasable,
    Identity,
    Label,
    PolicyId,
    RoleName,
    Time,
    Version,
    many,
)


class ApprovalEvent(Event):
    """A fact about the approval of one change."""

    refs: ClassVar[tuple[str, ...]] = ("change_id",)
    change_id: ChangeId


class ApprovalRequested(ApprovalEvent):
    """Approvals were asked for, by a named rule of a policy version."""

    type = "approval.requested"
    says = "{actor} asked for {quorum:approval} of {change_id} by {required_roles}"
    actor: Identity
    scope_digest: Digest | None = None
    policy_id: PolicyId
    policy_version: Version
    rule: Label
    required_roles: tuple[RoleName, ...] = many(at_least=1, at_most=8)
    quorum: Count
    due_at: Time | None = None


class ApprovalGranted(ApprovalEvent):
    """A named approver accepted the change as its scope stood."""

    type = "approval.granted"
    says = "{actor} approved {change_id}"
    actor: Identity
    scope_digest: Digest | None = None
    role: RoleName | None = None
    comment: Erasable | None = None


class ApprovalRejected(ApprovalEvent):
    """A named approver refused the change as its scope stood."""

    type = "approval.rejected"
    says = "{actor} rejected {change_id}"
    actor: Identity
    scope_digest: Digest | None = None
    role: RoleName | None = None
    comment: Erasable | None = None


class ApprovalWithdrawn(ApprovalEvent):
    """An approver took back an approval given earlier."""

    type = "approval.withdrawn"
    says = "{actor} withdrew the approval of {change_id}"
    actor: Identity
    scope_digest: Digest | None = None
    comment: Erasable | None = None
