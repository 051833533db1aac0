"""Code: what was proposed for merging, what was merged, what is asked of whoever merges, and who is asked about which paths."""

from typing import Final, Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    Attempt,
    BranchName,
    ChangeId,
    Commit,
    Count,
    Digest,
    Flag,
    Identity,
    Label,
    Part,
    PathPattern,
    PullRequest,
    Repository,
    SectionName,
    many,
)

# Rules in one statement, and owners of one.
MAX_RULES: Final = 40
MAX_OWNERS: Final = 16


class CodeProposed(Event):
    """A pull or merge request came to a new head commit."""

    type = "code.proposed"
    says = "{authors} proposed {head_sha} in {repository}#{pull_request}"
    refs = ("repository", "head_sha", "change_id")
    repository: Repository
    pull_request: PullRequest
    head_sha: Commit
    # Empty where the sender does not know them any more: then nobody is known to be somebody else.
    authors: tuple[Identity, ...] = many(default=())
    change_id: ChangeId | None = None


class CodeMerged(Event):
    """Code reached a branch from which releases are made."""

    type = "code.merged"
    says = "{actor} merged into {repository}"
    refs = ("repository", "head_sha", "merge_sha", "change_id")
    repository: Repository
    pull_request: PullRequest | None = None
    head_sha: Commit | None = None
    merge_sha: Commit | None = None
    branch: Label | None = None
    change_id: ChangeId | None = None


class BranchRule(Part):
    """One rule of a protected branch: how many, `true` or `false`, or for whom it holds (`off`, `non_admins`, `everyone`)."""

    name: Label
    value: Label


class BranchProtectionChanged(Event):
    """What a code host asks before code reaches a branch became something else."""

    type = "code.branch_protection_changed"
    says = "the protection of {branch} in {repository} was {action}[ by {actor}]"
    refs = ("repository",)
    repository: Repository
    # A branch, or a pattern of several.
    branch: BranchName
    action: Literal["created", "edited", "deleted"]
    rules: tuple[BranchRule, ...] = many(at_most=64, default=())
    # What those that changed were before, as far as its sender says.
    before: tuple[BranchRule, ...] = many(at_most=64, default=())


class PathOwners(Part):
    """One line: whom a code host asks about paths that match a pattern. Of several that match, the last counts, in its section.

    Without owners it asks nobody. `others` are owners who are named by an address alone.
    """

    pattern: PathPattern
    owners: tuple[Identity, ...] = many(at_most=MAX_OWNERS, default=())
    others: Count = 0
    section: SectionName | None = None
    optional: Flag = False
    approvals: Count | None = None


class CodeOwnersDeclared(Event):
    """A repository says whom a code host asks about which of its paths: all of it, in `parts` statements, lines in their order."""

    type = "code.owners_declared"
    says = "{repository} says who owns its paths[ at {commit}], part {part} of {parts}"
    refs = ("repository", "commit")
    repository: Repository
    commit: Commit | None = None
    host: Literal["github", "gitlab"]
    owners_file: Digest
    part: Attempt = 1
    parts: Attempt = 1
    rules: tuple[PathOwners, ...] = many(at_most=MAX_RULES, default=())
    # Lines that nobody can read, which the host passes over.
    invalid: Count = 0
