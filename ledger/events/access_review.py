"""Access reviews: every grant looked at by somebody else than its holder."""

from typing import ClassVar, Literal

from ledger.events.base import Event
from ledger.events.identifiers import AccessReviewId, Count, Digest, Environment, Erasable, GrantId, Identity, Time


class AccessReviewEvent(Event):
    """A fact about one review of access rights."""

    refs: ClassVar[tuple[str, ...]] = ("review_id",)
    actor: Identity
    review_id: AccessReviewId


class AccessReviewOpened(AccessReviewEvent):
    """A review began over the grants as they stood, fixed by digest."""

    type = "access_review.opened"
    says = "{actor} opened access review {review_id} over {population_count:grant}"
    refs = ("review_id", "environment")
    environment: Environment | None = None
    population_digest: Digest
    population_count: Count
    due_at: Time


class AccessReviewItemDecided(AccessReviewEvent):
    """A reviewer decided on one grant."""

    type = "access_review.item_decided"
    says = "{actor} decided to {decision} {grant_id} of {principal} in {review_id}"
    refs = ("review_id", "grant_id", "principal")
    grant_id: GrantId
    principal: Identity
    decision: Literal["keep", "revoke"]
    reason: Erasable | None = None


class AccessReviewCompleted(AccessReviewEvent):
    """The reviewer declared a review done."""

    type = "access_review.completed"
    says = "{actor} completed access review {review_id}: {kept} kept, {revoked} to revoke"
    kept: Count
    revoked: Count
