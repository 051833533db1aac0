"""3.1 Mandatory peer review: nothing is merged that nobody else has reviewed."""

from typing import Final

from projections.engine.derived import Breach
from projections.engine.reads import Look
from projections.judging.findings import finding, positions_of
from projections.practices.practice import Practice
from projections.readings.changes.code import CodeChange, code_changes, unreviewed_because
from projections.readings.people.identities import identities
from projections.readings.people.policies import in_force
from projections.readings.people.settings import Words

PRACTICE: Final = Practice("3.1", "Mandatory peer review", views=(code_changes, identities))
REVIEWED_BRANCH: Final = Words(
    "reviewed-branch",
    "a branch into which nothing is merged without review",
    applies_to="repository",
    is_several=True,
    nothing="all",
)


def _has_to_be_reviewed(row: CodeChange, look: Look) -> bool:
    """Say whether a merge went into a branch that the policy names, or it names none. An unknown branch is one of them."""
    if row.merged_at is None or row.branch is None:
        return True
    branches = in_force(look.at(row.merged_at), row.merged_at).words(REVIEWED_BRANCH, row.repository)
    return not branches or row.branch in branches


@finding(code_changes, severity="high")
def merged_without_review(row: CodeChange, look: Look) -> Breach | None:
    """Code was merged that nobody but its author approved as it was, or that somebody wanted changed. The policy may name the branches."""
    if not _has_to_be_reviewed(row, look):
        return None
    fault = unreviewed_because(row, look)
    if fault is None:
        return None
    positions = (row.head_position, row.merged_position, *(review.position for review in row.reviews))
    return Breach(f"{row.key} was merged, and {fault}", positions_of(*positions))
