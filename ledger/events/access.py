"""Access: rights granted, revoked and used; the secrets behind them replaced."""

from typing import Literal

from ledger.events.base import Event
from ledger.events.identifiers import Environment, Erasable, GrantId, Identity, Label, Resource, RoleName, Time


class AccessGranted(Event):
    """A principal received a role, on something, perhaps for a time."""

    type = "access.granted"
    says = "{actor} granted {role} to {principal} ({grant_id})"
    refs = ("grant_id", "principal", "environment", "resource")
    actor: Identity
    grant_id: GrantId
    principal: Identity
    principal_kind: Literal["human", "service"]
    owner: Identity | None = None
    role: RoleName
    environment: Environment | None = None
    resource: Resource | None = None
    expires_at: Time | None = None
    reason: Erasable | None = None


class AccessRevoked(Event):
    """A grant ended before or at its time."""

    type = "access.revoked"
    says = "{actor} revoked {grant_id} of {principal}"
    refs = ("grant_id", "principal")
    actor: Identity
    grant_id: GrantId
    principal: Identity
    reason: Erasable | None = None


class AccessUsed(Event):
    """A principal made use of a grant."""

    type = "access.used"
    says = "{principal} used {grant_id} for {purpose}"
    refs = ("grant_id", "principal", "environment")
    grant_id: GrantId
    principal: Identity
    environment: Environment | None = None
    purpose: Label


class AccessRotated(Event):
    """The secret behind a grant was replaced by another."""

    type = "access.rotated"
    says = "{actor} rotated the secret of {grant_id} of {principal}"
    refs = ("grant_id", "principal")
    actor: Identity
    grant_id: GrantId
    principal: Identity
