"""Code: what was proposed for merging, what was merged, and what is asked of whoever merges."""

from typing import Literal

from ledger.events.base import Event
from ledger.events.identifiers import BranchName, ChangeId, Commit, Identity, Label, Part, PullRequest, Repository, many


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
