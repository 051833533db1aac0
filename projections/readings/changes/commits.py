"""Commits: in which code changes each was proposed or merged, and which deployments name it. By the first seven digits.

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


# Hashes of so many digits are whole.
WHOLE: Final = 40


@dataclass(frozen=True)
class Commit:
    """What is known of a whole hash; or, by seven digits, of shorter ones that begin with them, and which hashes do so at all.

    Two rows, so that who knows the whole hash is not concerned by others that begin like it. `told_by` are deployments whose
    entries name one.
    """

    prefix: str
    commits: tuple[str, ...] = ()
    code_changes: tuple[str, ...] = ()
    told_by: tuple[str, ...] = ()


def _entries_of(key: str, row: Commit) -> list[Match]:
    named = (ref("commit", commit) for commit in dict.fromkeys((key, *row.commits)))
    return [Match(refs=(name,)) for name in (*named, *(ref("deployment", name) for name in row.told_by))]


commits = View(
    "commits",
    version=3,
    row=Commit,
    kind="commit",
    entries_of=_entries_of,
    names=("commits", "told_by"),
    doc="Commits by their first seven digits: where each was proposed and merged, and which deployments name it.",
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
    """Return what is known of a hash: its own, and of those that begin with it or with which it begins. Of a short one that may be
    several, which those are and nothing else.
    """
    prefix = reads.row(commits, commit[:SHORTEST])
    if len(commit) >= WHOLE:
        # Read also where nothing is known yet: else a gate would not notice that it is merged before the answer is recorded.
        return _joined(commit, reads.row(commits, commit), prefix or Commit(commit))
    if prefix is None:
        return Commit(commit)
    known = tuple(other for other in prefix.commits if is_same(commit, other))
    if ambiguous(commit, known):
        return Commit(commit, known)
    whole = next((reads.row(commits, other) for other in known if len(other) >= WHOLE), None)
    return replace(_joined(commit, whole, prefix), commits=known)


def hashes_of(reads: Reads, commit: str, others: Iterable[str] = ()) -> list[str]:
    """Return the hashes by which statements may name a commit: its own, and those of others, or that are known, which may be the same."""
    prefix = reads.row(commits, commit[:SHORTEST])
    known = (*(prefix.commits if prefix is not None else ()), *others)
    return list(dict.fromkeys((commit, *(other for other in known if is_same(commit, other)))))


def is_of(reads: Reads, commit: str, others: Iterable[str]) -> bool:
    """Say whether a commit may be one of several, or of the same pull request as one of them: as its head is merged under another hash."""
    of = set(commit_of(reads, commit).code_changes)
    return any(is_same(commit, other) or not of.isdisjoint(commit_of(reads, other).code_changes) for other in others)


def _joined(commit: str, whole: Commit | None, prefix: Commit) -> Commit:
    if whole is None:
        return Commit(commit, (), prefix.code_changes)
    return Commit(commit, (), _with(whole.code_changes, *prefix.code_changes))


def key_of(event: Any, entry: EntryInfo) -> str:
    """Return the key of the code change that an entry is about: a pull request, or what was pushed without one."""
    if event.pull_request is not None:
        return f"{event.repository}#{event.pull_request}"
    pushed = getattr(event, "merge_sha", None) or event.head_sha
    return f"{event.repository}@{pushed or entry.position}"


def _named(event: Any) -> list[str]:
    named = (getattr(event, name, None) for name in ("merge_sha", "head_sha", "commit"))
    return [commit for commit in named if commit is not None]


def _keys(event: Any) -> list[str]:
    return [key for commit in _named(event) for key in (commit[:SHORTEST], commit) if len(key) in (SHORTEST, *_WHOLES)]


# SHA-1 and SHA-256.
_WHOLES: Final = range(WHOLE, 65)


def _with(held: tuple[str, ...], *more: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*held, *more)))


@commits.on(CodeProposed, CodeMerged, DeploymentStarted, DeploymentFinished, key=_keys)
def named(row: Commit, event: Any, entry: EntryInfo) -> Commit:
    hashes = [commit for commit in _named(event) if commit.startswith(row.prefix)]
    row = replace(row, commits=_with(row.commits, *hashes))
    deployment = getattr(event, "deployment_id", None)
    if deployment is not None:
        return replace(row, told_by=_with(row.told_by, deployment))
    if len(row.prefix) == SHORTEST and all(len(commit) >= WHOLE for commit in hashes):
        return row
    return replace(row, code_changes=_with(row.code_changes, key_of(event, entry)))
