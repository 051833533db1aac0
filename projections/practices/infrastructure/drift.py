"""3.3 Drift detection: what is not as it was applied is one finding until it is gone; and what nobody had a change for is another."""

from typing import Final

from ledger.events import ref
from ledger.events.change import ChangeOpened
from projections.engine.derived import Breach
from projections.engine.reads import Look
from projections.engine.view import later
from projections.judging.findings import finding, positions_of
from projections.practices.practice import Practice
from projections.readings.changes.scopes import ChangeScope, change_scopes, in_force_at, is_for
from projections.readings.changes.unlet import EMERGENCY_RECORD_HOURS
from projections.readings.environments.environments import is_production
from projections.readings.infrastructure.drifts import DRIFT_FLAP_HOURS, Drift, Drifted, drifts, plan_series
from projections.readings.people.policies import in_force
from projections.readings.people.speaking import clocks_of
from projections.rules.calendar import overlapping
from projections.rules.digests import content_digest
from projections.rules.leave import Instant, was_there
from projections.rules.recurrence import NotComputableError
from projections.rules.words import AT_MOST, listed

PRACTICE: Final = Practice("3.3", "Drift detection", views=(plan_series, drifts), settings=(DRIFT_FLAP_HOURS,))
# How many changes of a service are looked at: the last ones.
LATEST: Final = 64


@finding(drifts, severity="medium")
def drifted(row: Drift, look: Look) -> Breach | None:
    """Resources are not as they were applied. It is one finding until they are gone; whoever accepts them, accepts these and no others."""
    if not row.open:
        return None
    addresses = [one.address for one in row.open]
    # Of more than are named, which they are is in the digest: a disposition is of these.
    others = f" ({content_digest({'addresses': addresses})})" if len(addresses) > AT_MOST else ""
    words = f"{row.service or 'what is'} in {row.environment} is not as it was applied: {listed(addresses)}{others}"
    return Breach(words, positions_of(*(one.position for one in row.open)))


@finding(drifts, severity="high")
def drifted_without_a_change(row: Drift, look: Look) -> Breach | None:
    """Something was changed in production outside of the tool, and no change of the service was open and planned for then.

    Where no plan before shows it as it was applied, or nobody says of which service it is, nobody knows.
    """
    service, environment = row.service, row.environment
    if service is None or environment is None:
        return None
    without = [
        one
        for one in (*row.gone, *row.open)
        if one.after is not None
        and is_production(look, environment, one.since)
        and not any(
            _covers(look, scope, environment, one)
            for scope in look.named(change_scopes, ChangeOpened, ref("service", service), limit=LATEST)
        )
    ]
    if not without:
        return None
    first = without[0]
    words = f"{listed(one.address for one in without)} of {service} in {environment} was changed without a change"
    return Breach(f"{words}, between {first.after} and {first.since}", positions_of(*(one.position for one in without)))


def _covers(look: Look, scope: ChangeScope, environment: str, one: Drifted) -> bool:
    """Say whether a change was open, and planned, when something drifted; an emergency may be put on record soon afterwards."""
    if not scope.openings or not is_for(look, scope.environments, environment, one.since):
        return False
    opening, clocks = scope.openings[0].said, clocks_of(look, one.since)
    instant = Instant(one.since, later(one.since, minutes=clocks.lag_s // 60), one.position)
    if not was_there(opening, instant, clocks):
        policy = in_force(look.at(one.since), one.since)
        until = later(one.since, hours=policy.number(EMERGENCY_RECORD_HOURS))
        return scope.change_type == "emergency" and one.since <= opening.recorded_at <= until
    window = in_force_at(scope.windows, instant, clocks)
    if window is None:
        return scope.is_open
    try:
        return overlapping(window.times, one.after or one.since, one.since) is not None
    except NotComputableError:
        return False
