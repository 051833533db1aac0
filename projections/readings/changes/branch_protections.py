"""Protected branches: what the code host asks of whoever merges there, and when it came to ask for less, and by whom.

Not whether anybody was allowed to change that. A change is held against what was said before, and against what its sender says that it was.
That less is asked is heard from everybody; that more is, from whoever told of the branch before, or from who has the power to say so.

    payments-api#main    created 09:00: required_approvals 2
                         edited 10:00 by github:7: required_approvals from 2 to 1     weakened
"""

from dataclasses import dataclass
from typing import Final, Literal

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.code import BranchProtectionChanged
from projections.engine.view import EntryInfo, View, replace
from projections.readings.people.powers import READ_BY_POWERS, fault_of_speaker
from projections.readings.people.replacing import has_power
from projections.readings.people.voices import Spoken, spoken
from projections.rules.protection import weaker, weakest

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
    # Who told of it last and is believed when more is asked.
    believed: Spoken | None = None
    weakened: tuple[Weakening, ...] = ()


branch_protections = View(
    "branch_protections",
    version=2,
    row=Protection,
    kind="branch_protection",
    entries_of=lambda key, row: (Match((BranchProtectionChanged.type,), (ref("repository", key.partition("#")[0]),)),),
    reads=READ_BY_POWERS,
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
    is_protected = event.action != "deleted"
    may_strengthen = row.believed is None or _may_strengthen(entry, said, row.believed)
    if not may_strengthen:
        after = weakest(known, after) if is_protected and row.state == "protected" else {}
        is_protected = is_protected and row.state == "protected"
    weakened = row.weakened
    if what:
        weakened = (*weakened, Weakening(tuple(what), said))
        weakened = weakened if len(weakened) <= KEPT else (*weakened[: KEPT // 2], *weakened[-KEPT // 2 :])
    return replace(
        row,
        repository=event.repository,
        branch=event.branch,
        state="protected" if is_protected else "unprotected",
        rules=tuple(Rule(name, after[name]) for name in sorted(after)),
        changed_by=said.speaker,
        said=said,
        believed=said if may_strengthen else row.believed,
        weakened=weakened,
    )


def _may_strengthen(entry: EntryInfo, said: Spoken, before: Spoken) -> bool:
    if fault_of_speaker(entry.reads, entry.type, said):
        return False
    return said.principal == before.principal or has_power(entry.reads, entry.type, said)
