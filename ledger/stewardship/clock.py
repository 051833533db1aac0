"""The ledger's clock, set by an operator, and the time that passes while nothing is recorded.

Not how times are assigned (`ledger.clock`).
"""

from ledger.clock import to_text
from ledger.conditions import Condition
from ledger.entry import Receipt
from ledger.errors import ConditionFailedError
from ledger.ledger import Ledger
from ledger.log.reading import read_head


def correct_clock(ledger: Ledger, *, actor: str, reason: str, by: str | None = None) -> Receipt:
    """Set the ledger's clock to this machine's wall clock, backwards if need be."""
    with ledger.database.read() as connection:
        previous = read_head(connection).recorded_at
    return ledger.act("ledger.clock_corrected", {"previous": to_text(previous), "reason": reason}, actor=actor, by=by)


def mark_time(ledger: Ledger, after_s: int) -> Receipt | None:
    """Append `ledger.time_passed` unless something was appended in the last `after_s` seconds, by this process or by another."""
    with ledger.database.read() as connection:
        head = read_head(connection)
    now = ledger.clock.now_us()
    if now - head.recorded_at < after_s * 1_000_000:
        return None
    try:
        return ledger.state("ledger.time_passed", {"until": to_text(now)}, condition=Condition(after=head.size))
    except ConditionFailedError:
        return None  # Another process was quicker.
