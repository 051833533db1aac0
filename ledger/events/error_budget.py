"""Error budgets: how much was good of what was measured for an objective."""

from typing import Literal

from ledger.events.base import Event
from ledger.events.identifiers import Decimal, SloId, Time

Unit = Literal["events", "slices"]


class ErrorBudgetMeasured(Event):
    """How many events, or slices, there were in a time, and how many of them were good."""

    type = "error_budget.measured"
    says = "of {slo_id} {good} of {total} {unit} were good from {start} to {end}"
    refs = ("slo_id",)
    slo_id: SloId
    start: Time
    end: Time
    unit: Unit
    good: Decimal
    total: Decimal
