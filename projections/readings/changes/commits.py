"""Commits: in which code changes each was proposed or merged, and by which deployments it went out. By the first seven digits.

Senders shorten hashes. A short one is every commit that begins with it: two such that differ are told, and nobody chooses.

    merged a3f5…40 digits, deployed a3f5b21   the same commit: one begins with the other
    merged a3f5b21c…, merged a3f5b21d…        of deployed a3f5b21 it is not known which
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.code import CodeMerged, CodeProposed
from ledger.events.deployment import DeploymentFinished, DeploymentStarted
from projections.engine.view import EntryInfo, Reads, View, replace

# As many digits as the shortest hash has.
SHORTEST: Final = 7


@dataclass(frozen=True)
class Commit:
    """What is known of the commits that begin with the same seven digits, each as it was written."""

    prefix: str
    commits: tuple[str, ...] = ()
    code_changes: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()


def _entries_of(key: str, row: Commit) -> list[Match]:
    return [
        Match(refs=(name,))
        for name in (
            *(ref("commit", commit) for commit in (row.commits or (key,))),
            *(ref("deployment", name) for name in row.deployments),
        )
    ]


commits = View(
    "commits",
    version=1,
    row=Commit,
    kind="commit",
    entries_of=_entries_of,
    names=("commits", "deployments"),
    doc="Commits by their first seven digits: where each was proposed and merged, and which deployments it went out with.",
)


def is_same(one: str | None, other: str | None) -> bool:
    """Say whether two hashes may be of one commit: one begins with the other."""
    return one is not None and other is not None and (one.startswith(other) or other.startswith(one))


def ambiguous(commit: str, known: Iterable[str | None]) -> tuple[str, ...]:
    """Return the different commits that a short hash may be, where there are several; else nothing.

    >>> ambiguous("a3f5b21", ["a3f5b21c", "a3f5b21d", "a3f5b21", None])
    ('a3f5b21c', 'a3f5b21d')
    """
    longer = sorted({other for other in known if other is not None and other.startswith(commit)}, key=len, reverse=True)
    found: list[str] = []
    for other in longer:
        if not any(full.startswith(other) for full in found):
            found.append(other)
    return tuple(sorted(found)) if len(found) > 1 else ()


def commit_of(reads: Reads, commit: str) -> Commit:
    """Return what is known of whatever begins with the same seven digits."""
    return reads.row(commits, commit[:SHORTEST]) or Commit(commit[:SHORTEST])


def key_of(event: Any, entry: EntryInfo) -> str:
    """Return the key of the code change that an entry is about: a pull request, or what was pushed without one."""
    if event.pull_request is not None:
        return f"{event.repository}#{event.pull_request}"
    pushed = getattr(event, "merge_sha", None) or event.head_sha
    return f"{event.repository}@{pushed or entry.position}"


def _hashes(event: Any) -> list[str]:
    named = [getattr(event, name, None) for name in ("merge_sha", "head_sha", "commit")]
    return [commit[:SHORTEST] for commit in named if commit is not None]


def _with(held: tuple[str, ...], *more: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*held, *(one for one in more if one is not None))))


@commits.on(CodeProposed, CodeMerged, key=_hashes)
def proposed_or_merged(row: Commit, event: Any, entry: EntryInfo) -> Commit:
    named = [
        commit
        for commit in (getattr(event, "merge_sha", None), event.head_sha)
        if (commit or "").startswith(row.prefix)
    ]
    return replace(row, commits=_with(row.commits, *named), code_changes=_with(row.code_changes, key_of(event, entry)))


@commits.on(DeploymentStarted, DeploymentFinished, key=_hashes)
def deployed(row: Commit, event: Any, entry: EntryInfo) -> Commit:
    return replace(
        row, commits=_with(row.commits, event.commit), deployments=_with(row.deployments, event.deployment_id)
    )
