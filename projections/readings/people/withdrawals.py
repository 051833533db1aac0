"""Withdrawals: statements that were taken back, by whom, and whose they were. What they mean, each view knows by itself."""

from dataclasses import dataclass

from ledger.conditions import Match
from ledger.events.statement import StatementWithdrawn
from projections.engine.view import EntryInfo, Moment, View, replace


@dataclass(frozen=True)
class Withdrawal:
    """One withdrawal, named by its position. It counts when it came from whoever had made the statement, or from an operator."""

    withdrawal: str
    position: int | None = None
    original_position: int | None = None
    original_type: str | None = None
    stated_by: str | None = None
    withdrawn_by: str | None = None
    withdrawn_at: Moment | None = None
    reason: str | None = None
    replaced_by: int | None = None


withdrawals = View(
    "withdrawals",
    version=1,
    row=Withdrawal,
    kind="withdrawal",
    entries_of=lambda key, row: (Match((StatementWithdrawn.type,)),),
    indexes=("original_position", "withdrawn_by"),
    doc="Withdrawals: which statements were taken back, by whom, and whose they were.",
)


@withdrawals.on(StatementWithdrawn, key=lambda event, entry: str(entry.position))
def withdrawn(row: Withdrawal, event: StatementWithdrawn, entry: EntryInfo) -> Withdrawal:
    original = entry.original
    return replace(
        row,
        position=entry.position,
        original_position=event.position,
        original_type=original.type if original is not None else None,
        stated_by=original.by["principal"] if original is not None else None,
        withdrawn_by=entry.by["principal"],
        withdrawn_at=entry.time,
        reason=event.reason,
        replaced_by=event.replaced_by,
    )
