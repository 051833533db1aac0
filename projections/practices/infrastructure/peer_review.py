"""3.1 Mandatory peer review: nothing is merged that nobody else has reviewed."""

from typing import Final

from projections.engine.derived import Breach, Index, Wake, every
from projections.engine.view import Moment
from projections.judging.findings import findings, positions_of, rows_since_approval
from projections.practices.practice import Practice
from projections.readings.changes.code import CodeChange, code_changes, unreviewed_because
from projections.readings.people.identities import Identity, identities, logins_of
from projections.readings.people.policies import Policy, in_force, policies

PRACTICE: Final = Practice("3.1", "Mandatory peer review", views=(code_changes, identities))


def _code_of(identity: Identity, index: Index) -> list[str]:
    """The code that somebody wrote or reviewed. Links are rare: all of it is looked through."""
    logins = logins_of(index, identity.identity)
    return [
        row.key
        for row in every(code_changes, index)
        if logins & {*row.authors, *(review.reviewer for review in row.reviews)}
    ]


def _merged_since(policy: Policy, index: Index) -> list[str]:
    return [row.key for row in rows_since_approval(policy, code_changes, "merged_at", index)]


def _has_to_be_reviewed(row: CodeChange, index: Index) -> bool:
    """Say whether a merge went into a branch that the policy names, or it names none. An unknown branch is one of them."""
    if row.merged_at is None or row.branch is None:
        return True
    branches = in_force(index, row.merged_at).values("reviewed-branch", row.repository)
    return not branches or row.branch in branches


@findings.rule(
    code_changes,
    of=("repository", "branch", "head_position", "authors", "reviews", "merged_at", "merged_position", "merged_head"),
    severity="high",
    wakes={
        identities: Wake(_code_of, of=("links", "kind")),
        policies: Wake(_merged_since, of=("versions",)),
    },
)
def merged_without_review(row: CodeChange, now: Moment, index: Index) -> Breach | None:
    """Code was merged that nobody but its author approved as it was, or that somebody wanted changed. The policy may name the branches."""
    if not _has_to_be_reviewed(row, index):
        return None
    fault = unreviewed_because(row, index)
    if fault is None:
        return None
    positions = (row.head_position, row.merged_position, *(review.position for review in row.reviews))
    return Breach(f"{row.key} was merged, and {fault}", positions_of(*positions))
