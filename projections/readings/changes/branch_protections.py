"""Protected branches: what the code host asks of whoever merges there, and when it came to ask for less, and by whom.

Not whether anybody was allowed to change that. A change is held against what was said before, and against what its sender says that it was.

    payments-api#main    created 09:00: required_approvals 2
                         edited 10:00 by github:7: required_approvals from 2 to 1     weakened
"""

from dataclasses import dataclass
from typing import Final, Literal

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.code import BranchProtectionChanged
from projections.engine.view import EntryInfo, View, replace
from projections.readings.people.voices import Spoken, spoken
from projections.rules.protection import weaker

# So many changes that weakened a branch are kept: the first and the last ones.
KEPT: Final = 32


@dataclass(frozen=True)
class Rule:
    """One rule of a protected branch."""

    name: str
    value: str


@dataclass(frozen=True)
class Weakening:
    """One change after which less was asked: what, and who said so."""

    what: tuple[str, ...]
    said: Spoken


@dataclass(frozen=True)
class Protection:
    """One protected branch, or pattern of branches, of a repository."""

    protection: str
    repository: str | None = None
    branch: str | None = None
    state: Literal["protected", "unprotected"] | None = None
    rules: tuple[Rule, ...] = ()
    changed_by: str | None = None
    said: Spoken | None = None
    weakened: tuple[Weakening, ...] = ()


branch_protections = View(
    "branch_protections",
    version=1,
    row=Protection,
    kind="branch_protection",
    entries_of=lambda key, row: (Match((BranchProtectionChanged.type,), (ref("repository", key.partition("#")[0]),)),),
    indexes=("repository", "state", "changed_by"),
    doc="Protected branches: what is asked of whoever merges there, and which changes asked for less than before.",
)


@branch_protections.on(BranchProtectionChanged, key=lambda event: f"{event.repository}#{event.branch}")
def changed(row: Protection, event: BranchProtectionChanged, entry: EntryInfo) -> Protection:
    said = spoken(entry, event.actor)
    known = {rule.name: rule.value for rule in row.rules}
    after = known | {rule.name: rule.value for rule in event.rules}
    what = weaker(known | {rule.name: rule.value for rule in event.before}, after)
    if event.action == "deleted":
        what, after = ["the protection was taken away"], {}
    weakened = row.weakened
    if what:
        weakened = (*weakened, Weakening(tuple(what), said))
        weakened = weakened if len(weakened) <= KEPT else (*weakened[: KEPT // 2], *weakened[-KEPT // 2 :])
    return replace(
        row,
        repository=event.repository,
        branch=event.branch,
        state="unprotected" if event.action == "deleted" else "protected",
        rules=tuple(Rule(name, after[name]) for name in sorted(after)),
        changed_by=said.speaker,
        said=said,
        weakened=weakened,
    )
