"""Code changes: pull and merge requests, their heads and authors, who reviewed which commit, and what was merged.

Whether a merge had been reviewed is a rule's to say (`four_eyes`): reviews stand here as they were given.
"""

from dataclasses import dataclass
from typing import Any, Literal

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.code import CodeMerged, CodeProposed
from ledger.events.code_review import CodeReviewDismissed, CodeReviewSubmitted
from projections.engine.view import EntryInfo, Moment, Reads, View, replace
from projections.readings.people.identities import kind_of, person_of


@dataclass(frozen=True)
class CodeReview:
    """One review of one commit."""

    review_id: str
    reviewer: str
    verdict: Literal["approved", "changes_requested", "commented"]
    commit: str | None
    at: Moment
    position: int
    is_dismissed: bool = False


@dataclass(frozen=True)
class CodeChange:
    """One pull request. `author` is the first of `authors`. Whoever pressed the button is no author."""

    key: str
    repository: str | None = None
    pull_request: int | None = None
    change_id: str | None = None
    head_sha: str | None = None
    head_position: int | None = None
    author: str | None = None
    authors: tuple[str, ...] = ()
    reviews: tuple[CodeReview, ...] = ()
    merged_by: str | None = None
    merged_at: Moment | None = None
    merged_position: int | None = None
    # The head that was merged, and into which branch.
    merged_head: str | None = None
    branch: str | None = None


def _of_the_repository(key: str, row: CodeChange) -> tuple[Match, ...]:
    return (Match(refs=(ref("repository", key.rpartition("#")[0]),)),)


code_changes = View(
    "code_changes",
    version=3,
    row=CodeChange,
    kind="code_change",
    entries_of=_of_the_repository,
    indexes=("repository", "author", "change_id", "merged_at"),
    doc="Code changes: heads and authors of pull requests, reviews by commit, and what was merged.",
)


def _key(event: Any) -> str | None:
    return None if event.pull_request is None else f"{event.repository}#{event.pull_request}"


def _seen(row: CodeChange, event: Any) -> CodeChange:
    return replace(row, repository=event.repository, pull_request=event.pull_request)


@code_changes.on(CodeProposed, key=_key)
def proposed(row: CodeChange, event: CodeProposed, entry: EntryInfo) -> CodeChange:
    authors = tuple(dict.fromkeys((*row.authors, *event.authors)))
    return replace(
        _seen(row, event),
        change_id=event.change_id or row.change_id,
        head_sha=event.head_sha,
        head_position=entry.position,
        author=next(iter(authors), None),
        authors=authors,
    )


@code_changes.on(CodeReviewSubmitted, key=_key)
def reviewed(row: CodeChange, event: CodeReviewSubmitted, entry: EntryInfo) -> CodeChange:
    review = CodeReview(event.review_id, event.actor, event.verdict, event.commit, entry.time, entry.position)
    row = _seen(row, event)
    if event.author is not None and event.author not in row.authors:
        row = replace(row, author=row.author or event.author, authors=(*row.authors, event.author))
    return replace(row, reviews=(*row.reviews, review))


@code_changes.on(CodeReviewDismissed, key=_key)
def dismissed(row: CodeChange, event: CodeReviewDismissed, entry: EntryInfo) -> CodeChange:
    reviews = tuple(
        replace(review, is_dismissed=True) if review.review_id == event.review_id else review for review in row.reviews
    )
    return replace(_seen(row, event), reviews=reviews)


@code_changes.on(CodeMerged, key=_key)
def merged(row: CodeChange, event: CodeMerged, entry: EntryInfo) -> CodeChange:
    return replace(
        _seen(row, event),
        change_id=event.change_id or row.change_id,
        merged_by=event.actor,
        merged_at=entry.time,
        merged_position=entry.position,
        merged_head=event.head_sha or row.head_sha,
        branch=event.branch,
    )


def unreviewed_because(row: CodeChange, reads: Reads) -> str | None:
    """Say why what was merged had not been reviewed by somebody else; None when it had, and when nothing was merged.

    Every author needs a human who is not that author, whose last verdict, on the very commit that was merged, is an approval
    that nobody dismissed. And nobody else's last verdict, on whichever commit, may ask for changes. Logins that were linked
    are one person. Without a known author there is no pass.
    """
    if row.merged_position is None:
        return None
    if not row.authors:
        return "no author is known"
    last: dict[str, CodeReview] = {}
    for review in row.reviews:
        if review.position < row.merged_position and review.verdict != "commented":
            last[person_of(reads, review.reviewer)] = review
    approvers = {
        person
        for person, review in last.items()
        if review.verdict == "approved"
        and not review.is_dismissed
        and review.commit is not None
        and review.commit == row.merged_head
        and kind_of(reads, review.reviewer) == "human"
    }
    for author in row.authors:
        if not approvers - {person_of(reads, author)}:
            return f"nobody else than {author} approved {row.merged_head or 'it'}"
    authors = {person_of(reads, author) for author in row.authors}
    for person, review in last.items():
        if review.verdict == "changes_requested" and not review.is_dismissed and person not in authors:
            return f"{review.reviewer} had asked for changes"
    return None
