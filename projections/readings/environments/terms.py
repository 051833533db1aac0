"""`Terms`: what one declaration says about where and when something holds: a freeze, a window of the calendar of compliance.

Not whether it holds somewhere (`selected`), nor when (`rules.calendar`).
"""

from dataclasses import dataclass

from ledger.events.compliance_window import ComplianceWindowDeclared
from ledger.events.freeze import FreezeDeclared
from projections.engine.view import EntryInfo, Moment, moment
from projections.readings.people.voices import Spoken, spoken
from projections.rules.calendar import Times


@dataclass(frozen=True)
class Terms:
    """One declaration: by whom; where; from when to when, the first time where it recurs; and which types of changes it leaves out."""

    said: Spoken
    environments: tuple[str, ...]
    patterns: tuple[str, ...]
    tiers: tuple[str, ...]
    tenants: tuple[str, ...]
    regions: tuple[str, ...]
    services: tuple[str, ...]
    start_at: Moment
    end_at: Moment
    time_zone: str | None = None
    recurs: str | None = None
    except_at: tuple[str, ...] = ()
    exempt_types: tuple[str, ...] = ()

    @property
    def times(self) -> Times:
        return Times(self.start_at, self.end_at, self.time_zone, self.recurs, self.except_at)


def terms_of(event: FreezeDeclared | ComplianceWindowDeclared, entry: EntryInfo) -> Terms:
    """Return what an entry declares."""
    return Terms(
        spoken(entry, event.actor),
        event.environments,
        event.patterns,
        event.tiers,
        event.tenants,
        event.regions,
        event.services,
        moment(event.start),
        moment(event.end),
        event.time_zone,
        event.recurs,
        event.except_at,
        event.exempt_types,
    )
