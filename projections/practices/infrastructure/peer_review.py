"""3.1 Mandatory peer review: nothing is merged that nobody else has reviewed."""

from typing import Final

from projections.engine.derived import Breach
from projections.engine.reads import Look
from projections.judging.findings import finding, positions_of
from projections.practices.practice import Practice
from projections.readings.changes.code import CodeChange, Merging, code_changes, unreviewed_because
from projections.readings.changes.commits import commits
from projections.readings.people.identities import identities
from projections.readings.people.policies import in_force
from projections.readings.people.settings import Words

PRACTICE: Final = Practice("3.1", "Mandatory peer review", views=(code_changes, commits, identities))
REVIEWED_BRANCH: Final = Words(
    "reviewed-branch",
    "a branch into which nothing is merged without review",
    applies_to="repository",
    is_several=True,
    nothing="all",
)


def _has_to_be_reviewed(row: CodeChange, merge: Merging, look: Look) -> bool:
    """Say whether a merge went into a branch that the policy names, or it names none. An unknown branch is one of them."""
    if merge.branch is None:
        return True
    branches = in_force(look.at(merge.said.at), merge.said.at).words(REVIEWED_BRANCH, row.repository)
    return not branches or merge.branch in branches


@finding(code_changes, severity="high", version=2)
def merged_without_review(row: CodeChange, look: Look) -> Breach | None:
    """Code was merged or pushed that nobody but its author had approved as it was, or that somebody wanted changed.

    The policy may name the branches.
    """
    for merge in row.merges:
        if not _has_to_be_reviewed(row, merge, look):
            continue
        if (fault := unreviewed_because(row, merge, look)) is not None:
            what = "was merged" if row.pull_request is not None else "was pushed directly"
            reviews = (review.said.position for review in row.reviews)
            return Breach(
                f"{row.key} {what}, and {fault}", positions_of(row.head_position, merge.said.position, *reviews)
            )
    return None
