"""Conflicts: statements of which another content came under the same source and id, by the position of the one that is on record.

Not what that content was: it was refused, and its digest alone is kept. Which of the two is right, nobody here knows.

    12  deployment.finished    success, as ci/run-88          row 12
    15  intake.conflicted      another content as ci/run-88   row 12, once
"""

from dataclasses import dataclass
from typing import Final

from ledger.conditions import Match
from ledger.events.intake import IntakeConflicted
from projections.engine.view import EntryInfo, View, replace

# So many are told of one statement, the first ones: whoever tells on says nothing new.
MOST: Final = 30


@dataclass(frozen=True)
class Conflict:
    """One statement, and in which entries another content of it is noted: each content once."""

    statement: str
    source: str | None = None
    digest: str | None = None
    positions: tuple[int, ...] = ()
    has_more: bool = False


conflicts = View(
    "conflicts",
    version=1,
    row=Conflict,
    kind="conflict",
    # No ref names a statement by its position. There are few of them.
    entries_of=lambda key, row: (Match((IntakeConflicted.type,)),),
    indexes=("source",),
    doc="Conflicts: statements of which another content came under the same source and id, which was refused, and where that is noted.",
)


def _contradicted(event: IntakeConflicted, entry: EntryInfo) -> str | None:
    return str(event.first_position) if event.first_position < entry.position else None


@conflicts.on(IntakeConflicted, key=_contradicted)
def came_again(row: Conflict, event: IntakeConflicted, entry: EntryInfo) -> Conflict:
    if len(row.positions) == MOST:
        return row if row.has_more else replace(row, has_more=True)
    return replace(
        row,
        source=event.conflicting_source,
        digest=event.first_digest,
        positions=(*row.positions, entry.position),
    )
