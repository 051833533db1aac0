"""8.1 Immutable audit trail: only who made a statement takes it back."""

from typing import Final

from projections.engine.derived import Breach
from projections.engine.reads import Look
from projections.judging.findings import finding, positions_of
from projections.practices.practice import Practice
from projections.readings.people.imports import beginnings, imports
from projections.readings.people.withdrawals import Withdrawal, withdrawals

PRACTICE: Final = Practice("8.1", "Immutable audit trail", views=(withdrawals, imports, beginnings))


@finding(withdrawals, severity="medium")
def withdrawal_of_anothers(row: Withdrawal, look: Look) -> Breach | None:
    """Somebody took back a statement that another had made. Only an operator's counts."""
    if row.stated_by is None or row.stated_by == row.withdrawn_by:
        return None
    words = f"{row.withdrawn_by} withdrew the statement at {row.original_position}, which {row.stated_by} had made"
    return Breach(words, positions_of(row.original_position, row.position))
