"""Access reviews: every grant that was in force when a review began, and what was decided about each, by somebody else.

The population is replayed from the grants as of the opening: what was granted later is not part of it, and what the
opener left out is. A review over nothing is done when it is opened. Nobody's decision about their own access counts.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from ledger.canonical import encode
from ledger.conditions import Match
from ledger.events import ref
from ledger.events.access import AccessGranted, AccessRevoked
from ledger.events.access_review import AccessReviewCompleted, AccessReviewItemDecided, AccessReviewOpened
from projections.engine.view import EntryInfo, Moment, Reads, View, later, moment, replace
from projections.readings.environments.environments import READ_BY_ASKING, same_environment
from projections.readings.people.grants import access_grants, has_ended
from projections.readings.people.identities import identities, person_of
from projections.readings.people.policies import in_force
from projections.readings.people.settings import Number
from projections.rules import duties as rules

REVOKE_WITHIN_DAYS: Final = Number(
    "revoke-within-days", "within how many days a review's decision to revoke is carried out", default=7
)


@dataclass(frozen=True)
class ReviewedGrant:
    """One grant of the population, and what was decided about it. `why` says why a decision does not count."""

    grant_id: str
    principal: str | None
    reviewer: str | None = None
    decision: Literal["keep", "revoke"] | None = None
    decided_at: Moment | None = None
    position: int | None = None
    why: str = ""
    # Of a decision to revoke: until when, and when it was.
    revoke_by: Moment | None = None
    revoked_at: Moment | None = None


@dataclass(frozen=True)
class AccessReview:
    """One review. `undecided` counts grants without a decision that counts."""

    review_id: str
    environment: str | None = None
    state: Literal["open", "done"] = "open"
    opened_by: str | None = None
    opened_at: Moment | None = None
    opened_position: int | None = None
    due_at: Moment | None = None
    completed_at: Moment | None = None
    completed_position: int | None = None
    stated_count: int | None = None
    stated_digest: str | None = None
    population_count: int = 0
    population_digest: str | None = None
    undecided: int = 0
    # The earliest end of a decision to revoke that was not carried out yet.
    revoke_due_at: Moment | None = None
    # Decided about, and not in the population.
    outside: tuple[str, ...] = ()
    items: tuple[ReviewedGrant, ...] = ()


def _entries_of(key: str, row: AccessReview) -> list[Match]:
    return [
        Match(refs=(ref("access_review", key),)),
        *(Match((AccessRevoked.type,), (ref("grant", i.grant_id),)) for i in row.items if i.decision == "revoke"),
    ]


access_reviews = View(
    "access_reviews",
    version=2,
    row=AccessReview,
    kind="access_review",
    entries_of=_entries_of,
    names=("items",),
    reads=(identities, access_grants, *READ_BY_ASKING),
    indexes=("environment", "state", "due_at", "revoke_due_at"),
    doc="Access reviews: the grants that were in force at the opening, decisions, and whether they were carried out.",
)


def digest_of(grant_ids: Sequence[str]) -> str:
    """Return the digest of a population: SHA-256 of the canonical JSON of its grant ids, sorted."""
    return "sha256:" + hashlib.sha256(encode(sorted(grant_ids))).hexdigest()


def population(reads: Reads, environment: str | None, time: Moment) -> list[ReviewedGrant]:
    """Return the grants that were in force at a time: in one environment, or all of them."""
    # All of them: an entry may spell an environment in another way.
    found = {
        grant.grant_id: ReviewedGrant(grant.grant_id, grant.principal)
        for grant in reads.named(access_grants, AccessGranted)
        if grant.granted_at is not None
        and grant.granted_at <= time
        and (environment is None or same_environment(reads, grant.environment, environment, time))
        and not has_ended(grant, time)
    }
    return [found[grant_id] for grant_id in sorted(found)]


@access_reviews.on(AccessReviewOpened, key=lambda event: event.review_id)
def opened(row: AccessReview, event: AccessReviewOpened, entry: EntryInfo) -> AccessReview:
    items = population(entry.reads, event.environment, entry.time)
    # A review over nothing asks nobody for anything.
    is_done = not items and event.population_count == 0
    return _counted(
        replace(
            row,
            environment=event.environment,
            opened_by=event.actor,
            opened_at=entry.time,
            opened_position=entry.position,
            state="done" if is_done else row.state,
            completed_at=entry.time if is_done else row.completed_at,
            due_at=moment(event.due_at),
            stated_count=event.population_count,
            stated_digest=event.population_digest,
            population_count=len(items),
            population_digest=digest_of([item.grant_id for item in items]),
            items=tuple(items),
        )
    )


@access_reviews.on(AccessReviewItemDecided, key=lambda event: event.review_id)
def decided(row: AccessReview, event: AccessReviewItemDecided, entry: EntryInfo) -> AccessReview:
    if event.grant_id not in {item.grant_id for item in row.items}:
        return replace(row, outside=tuple(dict.fromkeys((*row.outside, event.grant_id))))
    reviewer, holder = person_of(entry.reads, event.actor), person_of(entry.reads, event.principal)
    fault = rules.s7_reviewer_is_not_the_holder(reviewer, holder)
    days = in_force(entry.reads, entry.time).number(REVOKE_WITHIN_DAYS)
    revoke_by = later(entry.time, days=days) if event.decision == "revoke" else None

    def judged(item: ReviewedGrant) -> ReviewedGrant:
        return replace(
            item,
            reviewer=event.actor,
            decision=event.decision,
            decided_at=entry.time,
            position=entry.position,
            why=f"S7: {fault}" if fault else "",
            revoke_by=revoke_by,
        )

    return _counted(
        replace(row, items=tuple(judged(item) if item.grant_id == event.grant_id else item for item in row.items))
    )


@access_reviews.on(AccessReviewCompleted, key=lambda event: event.review_id)
def completed(row: AccessReview, event: AccessReviewCompleted, entry: EntryInfo) -> AccessReview:
    return replace(row, state="done", completed_at=entry.time, completed_position=entry.position)


def _asked_to_revoke(event: Any, entry: EntryInfo) -> list[str]:
    grant = entry.reads.row(access_grants, event.grant_id)
    return [decision.review_id for decision in (grant.decisions if grant else ()) if decision.decision == "revoke"]


@access_reviews.on(AccessRevoked, key=_asked_to_revoke)
def carried_out(row: AccessReview, event: AccessRevoked, entry: EntryInfo) -> AccessReview:
    return _counted(
        replace(
            row,
            items=tuple(
                replace(item, revoked_at=item.revoked_at or entry.time)
                if (item.grant_id, item.decision) == (event.grant_id, "revoke")
                else item
                for item in row.items
            ),
        )
    )


def _counted(row: AccessReview) -> AccessReview:
    waiting = [item.revoke_by for item in row.items if item.revoke_by is not None and item.revoked_at is None]
    return replace(
        row,
        undecided=sum(item.decision is None or bool(item.why) for item in row.items),
        revoke_due_at=min(waiting, default=None),
    )
