"""Service level objectives: what was promised of a service."""

from typing import Literal

from ledger.events.base import Event
from ledger.events.identifiers import Count, Decimal, Environment, Identity, Service, SloId

# As OpenSLO has them: `budgetingMethod`.
Budgeting = Literal["occurrences", "timeslices", "ratio_timeslices"]


class SloPublished(Event):
    """An objective was set: which share has to be good, of what, over which rolling days."""

    type = "slo.published"
    says = "{actor} published objective {slo_id} of {service}: {target} by {method} over {window_days:day}"
    refs = ("slo_id", "service", "environment")
    actor: Identity
    slo_id: SloId
    service: Service
    environment: Environment | None = None
    method: Budgeting
    # A share: 0.995.
    target: Decimal
    window_days: Count
    # How long a slice is, and which share of it has to be good, for it to be a good one.
    slice_s: Count | None = None
    slice_target: Decimal | None = None
