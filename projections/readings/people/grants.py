"""Access: what was granted to whom, how it was used, and what reviews decided about it.

Not which grants count, nor what somebody may do by them: that is `powers`. A grant that is given again under its id is another statement
beside the first (`spans`); which of them is in force at a time depends on who had the power to say so.
"""

from dataclasses import dataclass
from typing import Literal

from ledger.events.access import AccessGranted, AccessRevoked, AccessRotated, AccessUsed
from ledger.events.access_review import AccessReviewItemDecided
from projections.engine.view import LATEST, EntryInfo, Moment, View, moment, replace
from projections.readings.people.identities import logins_of
from projections.readings.people.voices import Spoken, spoken


@dataclass(frozen=True)
class ReviewedDecision:
    """What a review decided about a grant."""

    review_id: str
    reviewer: str
    decision: Literal["keep", "revoke"]
    position: int


@dataclass(frozen=True)
class Span:
    """One statement that granted something: what, to whom, by whom, until when."""

    principal: str
    principal_kind: Literal["human", "service"]
    role: str
    environment: str | None
    resource: str | None
    expires_at: Moment | None
    said: Spoken
    owner: str | None = None

    def __hash__(self) -> int:
        return self.said.position

    @property
    def words(self) -> tuple[str | None, ...]:
        """What it gives, whoever said so, and when."""
        return self.principal, self.principal_kind, self.role, self.environment, self.resource, self.expires_at


@dataclass(frozen=True)
class Grant:
    """One grant, from its beginning to its end. `expires_at` is judged by whoever asks: no entry says that it passed.

    The columns before `used_by` are what was said last, whether it counts or not: what stands of it is `grants_held`.
    """

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
    # By whose word it was used, and its secret renewed: the latest of each principal.
    used_by: tuple[Spoken, ...] = ()
    rotated_by: tuple[Spoken, ...] = ()
    decisions: tuple[ReviewedDecision, ...] = ()
    spans: tuple[Span, ...] = ()
    revocations: tuple[Spoken, ...] = ()


access_grants = View(
    "access_grants",
    version=4,
    row=Grant,
    kind="grant",
    indexes=("principal", "principal_kind", "environment", "role"),
    about={"identity": lambda row: (row.principal, *(span.principal for span in row.spans))},
    # Whatever changes, it is another grant from its beginning on.
    touches=lambda before, after: (min((_begins(row) for row in (before, after) if row), default=""), LATEST),
    speakers=lambda reads, row: {login for span in row.spans for login in logins_of(reads, span.principal)},
    doc="Grants of access: to whom, by whom, until when, how often used, and what reviews decided.",
)


def _begins(row: Grant) -> Moment:
    return min((row.granted_at or "", *(span.said.at for span in row.spans)))


@access_grants.on(AccessGranted, key=lambda event: event.grant_id)
def granted(row: Grant, event: AccessGranted, entry: EntryInfo) -> Grant:
    expires_at = moment(event.expires_at) if event.expires_at else None
    span = Span(
        event.principal,
        event.principal_kind,
        event.role,
        event.environment,
        event.resource,
        expires_at,
        spoken(entry, event.actor),
        event.owner,
    )
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
        expires_at=expires_at,
        spans=(*row.spans, span),
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
        revocations=(*row.revocations, spoken(entry, event.actor)),
    )


@access_grants.on(AccessUsed, key=lambda event: event.grant_id)
def used(row: Grant, event: AccessUsed, entry: EntryInfo) -> Grant:
    said = spoken(entry, event.actor)
    used_by = _latest(row.used_by, said)
    return replace(row, uses=row.uses + 1, last_used_at=max(row.last_used_at or "", entry.time), used_by=used_by)


@access_grants.on(AccessRotated, key=lambda event: event.grant_id)
def rotated(row: Grant, event: AccessRotated, entry: EntryInfo) -> Grant:
    rotated_by = _latest(row.rotated_by, spoken(entry, event.actor))
    return replace(row, rotated_at=max(row.rotated_at or "", entry.time), rotated_by=rotated_by)


def _latest(before: tuple[Spoken, ...], said: Spoken) -> tuple[Spoken, ...]:
    """Return the latest word of each principal, with one more: a use a minute makes no longer row."""
    others = tuple(one for one in before if one.principal != said.principal)
    own = (*(one for one in before if one.principal == said.principal), said)
    return (*others, max(own, key=lambda one: (one.at, one.position)))


@access_grants.on(AccessReviewItemDecided, key=lambda event: event.grant_id)
def decided(row: Grant, event: AccessReviewItemDecided, entry: EntryInfo) -> Grant:
    decision = ReviewedDecision(event.review_id, event.actor, event.decision, entry.position)
    return replace(row, decisions=(*row.decisions, decision))
