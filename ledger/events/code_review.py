"""Code reviews: a reviewer's verdict on code at a commit."""

from typing import ClassVar, Literal

from ledger.events.base import Event
from ledger.events.identifiers import Commit, Erasable, Identity, Label, PullRequest, Repository


class CodeReviewEvent(Event):
    """A fact about one review of one pull request."""

    refs: ClassVar[tuple[str, ...]] = ("repository", "commit")
    repository: Repository
    pull_request: PullRequest
    review_id: Label
    # A review of no commit approves none.
    commit: Commit | None = None


class CodeReviewSubmitted(CodeReviewEvent):
    """A reviewer gave a verdict on a pull request as of a commit."""

    type = "code_review.submitted"
    says = "{actor} reviewed {repository}#{pull_request} at {commit}: {verdict}"
    actor: Identity
    verdict: Literal["approved", "changes_requested", "commented"]
    author: Identity | None = None
    comment: Erasable | None = None


class CodeReviewDismissed(CodeReviewEvent):
    """An earlier review no longer counts."""

    type = "code_review.dismissed"
    says = "{actor} dismissed the review {review_id} of {repository}#{pull_request} by {reviewer}"
    reviewer: Identity | None = None
