"""Code changes: pull and merge requests, their heads and authors, who reviewed which commit, and what was merged.

What was merged without a pull request, a direct push, is a row of its own, named by its commit. Statements stand here as they were
made, by both clocks; whether a merge had been reviewed is computed (`unreviewed_because`).

Longer than other files because what a review is worth is one question.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.code import CodeMerged, CodeProposed
from ledger.events.code_review import CodeReviewDismissed, CodeReviewSubmitted
from projections.engine.reads import Rows
from projections.engine.view import Around, EntryInfo, Moment, Reads, View, replace
from projections.readings.changes.commits import ambiguous, commit_of, is_same, key_of
from projections.readings.people.identities import person_of
from projections.readings.people.imports import instants_of, is_history
from projections.readings.people.powers import fault_of_speaker, kind_of, names_behind
from projections.readings.people.replacing import may_take_back
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, has_root_power, is_vouched, spoken
from projections.rules.leave import Clocks, Instant, comes_before, replaces, was_there

# How many merges into a branch are looked at, between what runs and what is to run.
LATEST: Final = 64


@dataclass(frozen=True)
class CodeReview:
    """One review of one commit, and who dismissed it."""

    review_id: str
    reviewer: str
    verdict: Literal["approved", "changes_requested", "commented"]
    commit: str | None
    said: Spoken
    dismissals: tuple[Spoken, ...] = ()


@dataclass(frozen=True)
class Head:
    """A commit that a pull request came to."""

    commit: str
    said: Spoken


@dataclass(frozen=True)
class Merging:
    """One merge: which head, as which commit, into which branch."""

    said: Spoken
    head: str | None
    commit: str | None
    branch: str | None


@dataclass(frozen=True)
class Naming:
    """A pull request was said to bring a change."""

    change_id: str
    said: Spoken


@dataclass(frozen=True)
class CodeChange:
    """One pull request, or one direct push. `author` is the first of `authors`. Whoever pressed the button is no author.

    `merged_…`, `merge_sha` and `branch` are of the first merge: what is said again of the same head changes nothing of it.
    """

    key: str
    repository: str | None = None
    pull_request: int | None = None
    change_id: str | None = None
    head_sha: str | None = None
    head_position: int | None = None
    author: str | None = None
    authors: tuple[str, ...] = ()
    heads: tuple[Head, ...] = ()
    reviews: tuple[CodeReview, ...] = ()
    merged_by: str | None = None
    merged_at: Moment | None = None
    merged_position: int | None = None
    # The head that was merged, and into which branch.
    merged_head: str | None = None
    merge_sha: str | None = None
    branch: str | None = None
    merges: tuple[Merging, ...] = ()
    # Of everybody the change that they named last.
    namings: tuple[Naming, ...] = ()


def _of_the_repository(key: str, row: CodeChange) -> tuple[Match, ...]:
    return (Match(refs=(ref("repository", key.rpartition("#" if "#" in key else "@")[0]),)),)


code_changes = View(
    "code_changes",
    version=6,
    row=CodeChange,
    kind="code_change",
    entries_of=_of_the_repository,
    indexes=("repository", "author", "change_id", "merged_at"),
    doc="Code changes: heads and authors of pull requests, reviews by commit, what was merged, and what was pushed directly.",
)


def _seen(row: CodeChange, event: Any) -> CodeChange:
    return replace(row, repository=event.repository, pull_request=event.pull_request)


def _named(row: CodeChange, event: CodeProposed | CodeMerged, entry: EntryInfo) -> CodeChange:
    row = _seen(row, event)
    if event.change_id is None:
        return row
    row = replace(row, change_id=event.change_id)
    naming = Naming(event.change_id, spoken(entry, event.actor))
    theirs = next((one for one in row.namings if one.said.principal == naming.said.principal), None)
    if theirs is not None and theirs.change_id == naming.change_id:
        return row
    return replace(row, namings=(*(one for one in row.namings if one is not theirs), naming))


@code_changes.on(CodeProposed, key=key_of)
def proposed(row: CodeChange, event: CodeProposed, entry: EntryInfo) -> CodeChange:
    authors = tuple(dict.fromkeys((*row.authors, *event.authors)))
    head = Head(event.head_sha, spoken(entry, event.actor))
    last = row.heads[-1] if row.heads else None
    return replace(
        _named(row, event, entry),
        head_sha=event.head_sha,
        head_position=entry.position,
        author=next(iter(authors), None),
        authors=authors,
        heads=row.heads if last is not None and last.commit == head.commit else (*row.heads, head),
    )


@code_changes.on(CodeReviewSubmitted, key=key_of)
def reviewed(row: CodeChange, event: CodeReviewSubmitted, entry: EntryInfo) -> CodeChange:
    review = CodeReview(event.review_id, event.actor, event.verdict, event.commit, spoken(entry, event.actor))
    row = _seen(row, event)
    if event.author is not None and event.author not in row.authors:
        row = replace(row, author=row.author or event.author, authors=(*row.authors, event.author))
    return replace(row, reviews=(*row.reviews, review))


@code_changes.on(CodeReviewDismissed, key=key_of)
def dismissed(row: CodeChange, event: CodeReviewDismissed, entry: EntryInfo) -> CodeChange:
    said = spoken(entry, event.actor)
    reviews = tuple(
        replace(review, dismissals=(*review.dismissals, said)) if review.review_id == event.review_id else review
        for review in row.reviews
    )
    return replace(_seen(row, event), reviews=reviews)


@code_changes.on(CodeMerged, key=key_of)
def merged(row: CodeChange, event: CodeMerged, entry: EntryInfo) -> CodeChange:
    merge = Merging(spoken(entry, event.actor), event.head_sha, event.merge_sha, event.branch)
    row = _named(row, event, entry)
    if any(_is_told_again(known, merge) for known in row.merges):
        return row
    row = replace(row, merges=(*row.merges, merge))
    if event.pull_request is None:
        # Whoever pushed it wrote it, as far as anybody knows.
        authors = tuple(dict.fromkeys((*row.authors, event.actor or entry.by["principal"])))
        row = replace(row, author=row.author or authors[0], authors=authors)
    if row.merged_position is not None:
        return row
    return replace(
        row,
        merged_by=event.actor,
        merged_at=entry.time,
        merged_position=entry.position,
        merged_head=event.head_sha or row.head_sha or event.merge_sha,
        merge_sha=event.merge_sha,
        branch=event.branch,
    )


def _is_told_again(known: Merging, merge: Merging) -> bool:
    """Say whether one sender tells the same merge again. What another tells is kept: it may be whom one believes."""
    is_same_merge = (known.head, known.commit) == (merge.head, merge.commit)
    return is_same_merge and known.said.principal == merge.said.principal


# -- whether it had been reviewed --------------------------------------------------------------------------------------


def unreviewed_because(
    row: CodeChange, merge: Merging, reads: Rows, times: tuple[Instant, ...] | None = None
) -> str | None:
    """Say why what was merged had not been reviewed by somebody else; None when it had. At other `times` than the merge: by then.

    Every author needs a human who is not that author, whose last verdict before the merge, on the very commit that was merged, is an
    approval that nobody dismissed. And nobody else's last verdict, on whichever commit, may ask for changes. Logins that were linked
    are one person. Without a known author there is no pass. A direct push was reviewed where the commit was, as the head of a pull request.
    """
    clocks = clocks_of(reads, merge.said.at)
    if times is None:
        times = instants_of(reads, merge.said, is_history=is_history(reads, merge.said))
    if row.pull_request is not None:
        return _fault(row, _head_of(row, merge, clocks), times, clocks, reads)
    pushed = merge.commit or merge.head
    fault = f"nobody had reviewed {pushed or 'it'}: it is in no pull request that was reviewed"
    for other in _pull_requests(row, pushed, reads):
        if any(is_same(pushed, known.commit) and _was_merged(known, times, clocks) for known in other.merges):
            # What became of it is said of the pull request.
            return None
        if any(is_same(pushed, head.commit) for head in other.heads):
            authors = tuple(dict.fromkeys((*other.authors, *row.authors)))
            if (fault := _fault(replace(other, authors=authors), pushed, times, clocks, reads) or "") == "":
                return None
    return fault


def merges_of(commit: str, reads: Reads) -> list[tuple[CodeChange, Merging]]:
    """Return where a commit was merged or pushed, as itself or as the head of a pull request, as far as whoever says so is believed. Of a
    hash that may be several: nowhere.
    """
    return [
        (row, merge)
        for key in commit_of(reads, commit).code_changes
        if (row := reads.row(code_changes, key)) is not None
        for merge in row.merges
        if (is_same(commit, merge.commit) or is_same(commit, merge.head)) and is_believed(row, merge, reads)
    ]


def is_believed(row: CodeChange, merge: Merging, reads: Reads) -> bool:
    """Say whether somebody is believed who says that a pull request was merged as some commit: an authority, where one tells of the pull
    request; else a human, or who told of it first. A direct push accuses, and is believed.

    Else whoever deploys says that what they deploy is what somebody once approved.
    """
    return row.pull_request is None or _may_tell_of(row, CodeMerged.type, merge.said, reads)


def brings(row: CodeChange, change_id: str, reads: Reads) -> tuple[Spoken, ...]:
    """Return by whom it was said that a pull request brings a change, of those who would be believed about its merge.

    Else whoever deploys names the change in a pull request of others that somebody once approved.
    """
    types = (CodeProposed.type, CodeMerged.type)
    said = (one.said for one in row.namings if one.change_id == change_id)
    return tuple(one for one in said if any(_may_tell_of(row, event_type, one, reads) for event_type in types))


def _may_tell_of(row: CodeChange, event_type: str, said: Spoken, reads: Reads) -> bool:
    if _is_an_authority(event_type, said, reads):
        return True
    told = [
        *((CodeProposed.type, head.said) for head in row.heads),
        *((CodeReviewSubmitted.type, review.said) for review in row.reviews),
        *((CodeMerged.type, other.said) for other in row.merges),
    ]
    if any(_is_an_authority(known_type, known, reads) for known_type, known in told):
        return False
    is_first = bool(row.heads) and row.heads[0].said.principal == said.principal
    return is_first or (said.speaker == said.principal and kind_of(reads, said.speaker, said) == "human")


def _is_an_authority(event_type: str, said: Spoken, reads: Reads) -> bool:
    return is_vouched(reads, said) or has_root_power(reads, event_type, said)


def merged_between(reads: Reads, first: Merging, row: CodeChange, last: Merging) -> list[tuple[CodeChange, Merging]]:
    """Return what was merged into the branch of a merge after an earlier one, the merge itself among it. Of many, the last ones."""
    about = ref("repository", row.repository or "")
    found = {(row.key, last.said.position): (row, last)}
    for other in reads.named(code_changes, CodeMerged, about, limit=Around(last.said.position, LATEST)):
        for merge in other.merges:
            if merge.branch == last.branch and first.said.at < merge.said.at <= last.said.at:
                found[other.key, merge.said.position] = (other, merge)
    return [found[name] for name in sorted(found)]


def _was_merged(known: Merging, times: Iterable[Instant], clocks: Clocks) -> bool:
    """Say whether a merge was on record when something was pushed: a pull request that is told of afterwards excuses nothing."""
    return all(was_there(known.said, instant, clocks) for instant in times)


def _pull_requests(row: CodeChange, commit: str | None, reads: Reads) -> Iterator[CodeChange]:
    if commit is None:
        return
    for key in commit_of(reads, commit).code_changes:
        other = reads.row(code_changes, key) if key != row.key else None
        if other is not None and other.repository == row.repository and other.pull_request is not None:
            yield other


def _head_of(row: CodeChange, merge: Merging, clocks: Clocks) -> str | None:
    """Return the head that was merged: the one that the merge names, or else the last that the pull request had come to by then."""
    if merge.head is not None:
        return merge.head
    then = Instant(merge.said.at, merge.said.at, merge.said.position)
    last: Head | None = None
    for head in row.heads:
        if comes_before(head.said, then, clocks) and (last is None or replaces(head.said, last.said, clocks)):
            last = head
    return last.commit if last is not None else None


def _fault(row: CodeChange, head: str | None, times: tuple[Instant, ...], clocks: Clocks, reads: Reads) -> str | None:
    """Say what is wrong at any of the times at which a merge is judged; the first thing."""
    if not row.authors:
        return "no author is known"
    if head is not None and (different := ambiguous(head, (known.commit for known in row.heads))):
        return f"{head} may be {' or '.join(different)}"
    authors, own = _authors_of(row, reads), {person_of(reads, author) for author in row.authors}
    for instant in times:
        last = _last(row.reviews, instant, authors, clocks, reads)
        approvers = _approvers(row, head, last, reads)
        for person, author in authors.items():
            if not approvers - {person}:
                return f"nobody else than {author} had approved {head or 'it'}"
        for person, review in last.items():
            if review.verdict == "changes_requested" and person not in own:
                return f"{review.reviewer} had asked for changes"
    return None


def review_fault(row: CodeChange, head: str, instant: Instant, reads: Reads) -> str | None:
    """Say why a commit of a pull request had not been reviewed by somebody else by then; None when it had."""
    return _fault(row, head, (instant,), clocks_of(reads, instant.at), reads)


def approvals_in_vain(row: CodeChange, merge: Merging, reads: Reads) -> Iterator[str]:
    """Yield the approvals by others than the authors that do not count for what was merged, each with the reason."""
    clocks = clocks_of(reads, merge.said.at)
    authors, head = _authors_of(row, reads), _head_of(row, merge, clocks)
    for review in row.reviews:
        if review.verdict != "approved" or person_of(reads, review.reviewer) in authors:
            continue
        fault = fault_of_speaker(reads, CodeReviewSubmitted.type, review.said)
        if not fault and kind_of(reads, review.reviewer, review.said) != "human":
            fault = f"{review.reviewer} is not known to be a human"
        if not fault and not _is_of(review, head, row):
            fault = f"it is of {review.commit or 'no commit'}"
        if not fault and review.dismissals:
            fault = "it was dismissed"
        if fault:
            yield f"{review.reviewer}: {fault}"


def approvers_of(row: CodeChange, commit: str, instant: Instant, reads: Reads) -> set[str]:
    """Return who had approved a commit of a pull request by then: people, whose last verdict it was, and none of them its author."""
    authors = _authors_of(row, reads)
    last = _last(row.reviews, instant, authors, clocks_of(reads, instant.at), reads)
    return _approvers(row, commit, last, reads) - authors.keys()


def _authors_of(row: CodeChange, reads: Reads) -> dict[str, str]:
    """Return the authors of a pull request, by person: also the human who said by their own credential that it is another's."""
    told = (name for head in row.heads for name in names_behind(reads, head.said) if name == head.said.principal)
    names = (*row.authors, *(name for name in told if kind_of(reads, name) == "human"))
    return {person_of(reads, name): name for name in names}


def _approvers(row: CodeChange, head: str | None, last: Mapping[str, CodeReview], reads: Reads) -> set[str]:
    return {
        person
        for person, review in last.items()
        if review.verdict == "approved"
        and _is_of(review, head, row)
        and kind_of(reads, review.reviewer, review.said) == "human"
    }


def _is_of(review: CodeReview, head: str | None, row: CodeChange) -> bool:
    """Say whether a review is of the head. A short hash that may be of two heads is of neither."""
    return is_same(review.commit, head) and not ambiguous(review.commit or "", (known.commit for known in row.heads))


def _last(
    reviews: Iterable[CodeReview], instant: Instant, authors: Iterable[str], clocks: Clocks, reads: Reads
) -> dict[str, CodeReview]:
    """Return the last verdict of everybody before a merge, by person. An approval had to be on record; what accuses counts whenever."""
    last: dict[str, CodeReview] = {}
    for review in reviews:
        counts = was_there if review.verdict == "approved" else comes_before
        if review.verdict == "commented" or not counts(review.said, instant, clocks):
            continue
        fault = fault_of_speaker(reads, CodeReviewSubmitted.type, review.said)
        # Of whom it is not known who they are, nobody heard an objection; of whom nobody asks for a review, an objection is one.
        if fault.startswith("S12") or (fault and review.verdict == "approved"):
            continue
        person = person_of(reads, review.reviewer)
        if person not in last or replaces(review.said, last[person].said, clocks):
            last[person] = review
    return {
        person: review for person, review in last.items() if not _is_dismissed(review, instant, authors, clocks, reads)
    }


def _is_dismissed(review: CodeReview, instant: Instant, authors: Iterable[str], clocks: Clocks, reads: Reads) -> bool:
    """Say whether a review was dismissed by then: an objection only where that was on record, by whoever had made it or has the power to,
    such as a code host that is an authority for people; and not by whom it was about.
    """
    if review.verdict == "approved":
        return any(comes_before(said, instant, clocks) for said in review.dismissals)
    return any(
        was_there(said, instant, clocks)
        and person_of(reads, said.speaker) not in authors
        and not fault_of_speaker(reads, CodeReviewDismissed.type, said)
        and may_take_back(reads, CodeReviewDismissed.type, said, review.said)
        for said in review.dismissals
    )
