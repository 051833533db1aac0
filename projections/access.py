"""Access: what was granted to whom, how it was used, and what reviews decided about it."""

from dataclasses import dataclass, replace
from typing import Literal

from ledger.events.access import AccessGranted, AccessRevoked, AccessUsed
from ledger.events.access_review import AccessReviewItemDecided
from projections.engine.view import EntryInfo, Moment, View, moment


@dataclass(frozen=True, slots=True)
class Decision:
    """What a review decided about a grant."""

    review_id: str
    reviewer: str
    decision: Literal["keep", "revoke"]
    position: int


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant, from its beginning to its end. `expires_at` is judged by whoever asks: no entry says that it passed."""

    grant_id: str
    principal: str | None = None
    principal_kind: Literal["human", "service"] | None = None
    owner: str | None = None
    role: str | None = None
    environment: str | None = None
    resource: str | None = None
    granted_by: str | None = None
    granted_at: Moment | None = None
    granted_position: int | None = None
    expires_at: Moment | None = None
    revoked_by: str | None = None
    revoked_at: Moment | None = None
    revoked_position: int | None = None
    uses: int = 0
    last_used_at: Moment | None = None
    decisions: tuple[Decision, ...] = ()


access_grants = View(
    "access_grants",
    version=1,
    row=Grant,
    kind="grant",
    indexes=("principal", "environment", "role"),
    doc="Grants of access: to whom, by whom, until when, how often used, and what reviews decided.",
)


@access_grants.on(AccessGranted, key=lambda event: event.grant_id)
def granted(row: Grant, event: AccessGranted, entry: EntryInfo) -> Grant:
    return replace(
        row,
        principal=event.principal,
        principal_kind=event.principal_kind,
        owner=event.owner,
        role=event.role,
        environment=event.environment,
        resource=event.resource,
        granted_by=event.actor,
        granted_at=entry.time,
        granted_position=entry.position,
        expires_at=moment(event.expires_at) if event.expires_at else None,
        # Granted anew: an earlier end does not count any more.
        revoked_by=None,
        revoked_at=None,
        revoked_position=None,
    )


@access_grants.on(AccessRevoked, key=lambda event: event.grant_id)
def revoked(row: Grant, event: AccessRevoked, entry: EntryInfo) -> Grant:
    return replace(
        row,
        principal=row.principal or event.principal,
        revoked_by=event.actor,
        revoked_at=entry.time,
        revoked_position=entry.position,
    )


@access_grants.on(AccessUsed, key=lambda event: event.grant_id)
def used(row: Grant, event: AccessUsed, entry: EntryInfo) -> Grant:
    return replace(row, uses=row.uses + 1, last_used_at=max(row.last_used_at or "", entry.time))


@access_grants.on(AccessReviewItemDecided, key=lambda event: event.grant_id)
def decided(row: Grant, event: AccessReviewItemDecided, entry: EntryInfo) -> Grant:
    decision = Decision(event.review_id, event.actor, event.decision, entry.position)
    return replace(row, decisions=(*row.decisions, decision))
