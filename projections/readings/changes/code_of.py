"""The code of a change: which pull requests bring it, at which commit, and who approved that.

Those that name the change, and those of the commits in its scope. Of a commit that was merged, the head that was merged is what
somebody approved. Not whether that is enough: a policy says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger.events import ref
from ledger.events.code import CodeProposed
from projections.engine.view import Reads
from projections.readings.changes.code import LATEST, CodeChange, approvers_of, brings, code_changes, is_believed
from projections.readings.changes.commits import commit_of, is_same
from projections.readings.people.identities import person_of
from projections.readings.people.voices import Spoken
from projections.rules.leave import Instant


@dataclass(frozen=True, slots=True)
class Brought:
    """Code that a change brings: the pull request, and the commit of it that was to be approved."""

    row: CodeChange
    head: str
    # Who is believed that it is of the change; None where a commit of its scope shows that. Where nobody is, it has to be reviewed,
    # too, and its review is none of the change.
    said: tuple[Spoken, ...] | None = None


def code_of(reads: Reads, change_id: str, commits: Sequence[str]) -> tuple[list[Brought], list[str]]:
    """Return the code of a change, and those of its commits of which no pull request is known."""
    found: dict[str, Brought] = {}
    unknown: list[str] = []
    for commit in commits:
        brought = list(_brought_by(reads, commit))
        found |= {one.row.key: one for one in brought}
        if not brought:
            unknown.append(commit)
    for row in reads.named(code_changes, CodeProposed, ref("change", change_id), limit=LATEST):
        head = row.merged_head or row.head_sha
        if head is not None and any(naming.change_id == change_id for naming in row.namings):
            found.setdefault(row.key, Brought(row, head, brings(row, change_id, reads)))
    return [found[key] for key in sorted(found)], unknown


def _brought_by(reads: Reads, commit: str) -> Iterator[Brought]:
    for key in commit_of(reads, commit).code_changes:
        row = reads.row(code_changes, key)
        if row is None or row.pull_request is None:
            continue
        merged = [
            merge.head or row.merged_head
            for merge in row.merges
            if is_same(commit, merge.commit) and is_believed(row, merge, reads)
        ]
        heads = [head.commit for head in row.heads if is_same(commit, head.commit)]
        head = next((head for head in (*merged, *heads) if head is not None), None)
        if head is not None:
            yield Brought(row, head)


def independent_approvers(reads: Reads, code: Brought, authors: Sequence[str], instant: Instant) -> set[str]:
    """Return who had approved code by then, and is an author neither of it nor of the change."""
    own = {person_of(reads, author) for author in authors}
    return approvers_of(code.row, code.head, instant, reads) - own
