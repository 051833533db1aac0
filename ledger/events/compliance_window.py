"""Compliance windows: times in which the board is asked about every change, whatever its risk."""

from ledger.events.base import Event
from ledger.events.identifiers import ChangeType, ComplianceWindowId, Erasable, Identity, Label, Time, many
from ledger.events.selecting import Recurrence, Selector


class ComplianceWindowDeclared(Event, Selector, Recurrence):
    """A time, or one that recurs, was declared in which changes to some environments or services need a decision of the board."""

    type = "compliance_window.declared"
    says = (
        "{actor} declared compliance window {window_id}[ of {environments}][ of the tier {tiers}] from {start} to {end}"
    )
    refs = ("window_id", "environments", "tiers", "services")
    one_of = ("environments", "patterns", "tiers")
    actor: Identity
    window_id: ComplianceWindowId
    # Of its first time where it recurs.
    start: Time
    end: Time
    exempt_types: tuple[ChangeType, ...] = many(at_most=16, default=())
    # Whose calendar it is of.
    framework: Label | None = None
    reason: Erasable | None = None
