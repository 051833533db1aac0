"""Owners of code: whom a code host asks about which paths of a repository, as its last CODEOWNERS says.

Not who may approve, and not which paths a change touches, which no event tells. Lines stand in their order: the last that matches counts.

    code_owners   acme/shop        at 9fce…: 14 lines, 1 without owners; of the rest github:acme/core
    owned_paths   acme/shop@2c26…/1     *  github:acme/core; /docs/  nobody; *.tf  github:alice
"""

from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.code import CodeOwnersDeclared
from projections.engine.view import EntryInfo, View, replace
from projections.readings.people.voices import Spoken, spoken

# Patterns of every path.
_ALL: Final = ("*", "**", "/**", "/**/*")


@dataclass(frozen=True)
class CodeOwners:
    """What a repository says last, by the times at which its files came. `of_the_rest` are asked about what no later line names."""

    repository: str
    owners_file: str | None = None
    commit: str | None = None
    host: str | None = None
    parts: int = 0
    seen: int = 0
    lines: int = 0
    without_owners: int = 0
    invalid: int = 0
    of_the_rest: tuple[str, ...] = ()
    said: Spoken | None = None


code_owners = View(
    "code_owners",
    version=1,
    row=CodeOwners,
    kind="repository",
    indexes=("commit", "host"),
    doc="Owners of code by repository: what its last CODEOWNERS says, how many lines name nobody, and who is asked about the rest.",
)


@code_owners.on(CodeOwnersDeclared, key=lambda event: event.repository)
def declared(row: CodeOwners, event: CodeOwnersDeclared, entry: EntryInfo) -> CodeOwners:
    said = spoken(entry, event.actor)
    if event.part == 1:
        if row.said is not None and said.at < row.said.at:
            return row
        row = CodeOwners(
            row.repository, event.owners_file, event.commit, event.host, event.parts, invalid=event.invalid, said=said
        )
    elif (event.owners_file, event.part) != (row.owners_file, row.seen + 1):
        return row
    rest = [rule.owners for rule in event.rules if rule.pattern in _ALL and rule.section is None]
    return replace(
        row,
        seen=event.part,
        lines=row.lines + len(event.rules),
        without_owners=row.without_owners + sum(1 for rule in event.rules if not rule.owners and not rule.others),
        of_the_rest=rest[-1] if rest else row.of_the_rest,
    )


# -- line by line ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PathRule:
    """One line: a pattern, whom it names, and how many more by an address alone."""

    pattern: str
    owners: tuple[str, ...] = ()
    others: int = 0
    section: str | None = None
    optional: bool = False
    approvals: int | None = None


@dataclass(frozen=True)
class OwnedPaths:
    """The lines that one statement names, in their order."""

    owned: str
    repository: str | None = None
    owners_file: str | None = None
    commit: str | None = None
    part: int = 0
    parts: int = 0
    rules: tuple[PathRule, ...] = ()
    position: int | None = None


def _of_repository(key: str, _: OwnedPaths) -> tuple[Match, ...]:
    return (Match((CodeOwnersDeclared.type,), (ref("repository", key.rpartition("@")[0]),)),)


owned_paths = View(
    "owned_paths",
    version=1,
    row=OwnedPaths,
    kind="owned_paths",
    entries_of=_of_repository,
    indexes=("repository", "owners_file", "commit"),
    doc="Which patterns of paths are owned by whom, by repository and file, line by line: the last that matches counts.",
)


@owned_paths.on(CodeOwnersDeclared, key=lambda event: f"{event.repository}@{event.owners_file[7:]}/{event.part}")
def line_by_line(row: OwnedPaths, event: CodeOwnersDeclared, entry: EntryInfo) -> OwnedPaths:
    rules = tuple(
        PathRule(rule.pattern, rule.owners, rule.others, rule.section, rule.optional, rule.approvals)
        for rule in event.rules
    )
    return replace(
        row,
        repository=event.repository,
        owners_file=event.owners_file,
        commit=event.commit,
        part=event.part,
        parts=event.parts,
        rules=rules,
        position=entry.position,
    )
