"""Access: what was granted to whom, how it was used, and what reviews decided about it."""

from dataclasses import dataclass
from typing import Literal

from ledger.events import ref
from ledger.events.access import AccessGranted, AccessRevoked, AccessRotated, AccessUsed
from ledger.events.access_review import AccessReviewItemDecided
from projections.engine.reads import Look
from projections.engine.view import LATEST, EntryInfo, Moment, Reads, View, moment, replace
from projections.readings.environments.environments import is_meant
from projections.readings.people.identities import logins_of


@dataclass(frozen=True)
class Decision:
    """What a review decided about a grant."""

    review_id: str
    reviewer: str
    decision: Literal["keep", "revoke"]
    position: int


@dataclass(frozen=True)
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
    rotated_at: Moment | None = None
    decisions: tuple[Decision, ...] = ()


access_grants = View(
    "access_grants",
    version=2,
    row=Grant,
    kind="grant",
    indexes=("principal", "principal_kind", "environment", "role"),
    about={"identity": lambda row: (row.principal,)},
    # Whatever changes, it is another grant from its beginning on.
    touches=lambda before, after: (min((row.granted_at or "" for row in (before, after) if row), default=""), LATEST),
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


@access_grants.on(AccessRotated, key=lambda event: event.grant_id)
def rotated(row: Grant, event: AccessRotated, entry: EntryInfo) -> Grant:
    return replace(row, rotated_at=max(row.rotated_at or "", entry.time))


@access_grants.on(AccessReviewItemDecided, key=lambda event: event.grant_id)
def decided(row: Grant, event: AccessReviewItemDecided, entry: EntryInfo) -> Grant:
    decision = Decision(event.review_id, event.actor, event.decision, entry.position)
    return replace(row, decisions=(*row.decisions, decision))


def has_ended(grant: Grant, time: Moment) -> bool:
    """Say whether a grant was revoked, or expired, by a time."""
    return any(end is not None and end <= time for end in (grant.expires_at, grant.revoked_at))


def has_ended_by_now(grant: Grant, look: Look) -> bool:
    """Say whether a grant was revoked, or expired; and let the end that has not come wake whoever asks."""
    return any(look.has_come(end) for end in (grant.expires_at, grant.revoked_at))


def roles_of(reads: Reads, identity: str, time: Moment, environment: str | None = None) -> dict[str, int]:
    """Return the roles whose grants to somebody, under any login, are in force at a time, and the positions of the grants.

    A grant for one environment counts there; one for none in particular counts everywhere.
    """
    found = {}
    logins = sorted(logins_of(reads, identity))
    grants = [g for login in logins for g in reads.named(access_grants, AccessGranted, ref("identity", login))]
    for grant in grants:
        if grant.principal not in logins or grant.role is None or grant.granted_position is None:
            continue
        began = grant.granted_at is not None and grant.granted_at <= time
        if (
            began
            and not has_ended(grant, time)
            and (environment is None or is_meant(reads, grant.environment, environment, time))
        ):
            found[grant.role] = grant.granted_position
    return found
