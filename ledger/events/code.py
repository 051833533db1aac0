"""Code: what was proposed for merging, and what was merged."""

from ledger.events.base import Event
from ledger.events.identifiers import ChangeId, Commit, Identity, Label, PullRequest, Repository, many


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
