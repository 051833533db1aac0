"""3.3 Drift detection: what is not as it was applied is one finding until it is gone; and what nobody had a change for is another."""

from typing import Final

from ledger.events import ref
from ledger.events.change import ChangeOpened
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Around, later
from projections.judging.findings import finding, positions_of
from projections.practices.practice import Practice
from projections.readings.changes.scopes import ChangeScope, change_scopes, in_force_at, is_for
from projections.readings.changes.unlet import EMERGENCY_RECORD_HOURS, why_unlet
from projections.readings.environments.environments import is_production
from projections.readings.infrastructure.drifts import DRIFT_FLAP_HOURS, Drift, Drifted, drifts, plan_series
from projections.readings.infrastructure.states import DEFAULT
from projections.readings.people.policies import in_force, in_force_now
from projections.readings.people.settings import Number
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken
from projections.rules.calendar import overlapping
from projections.rules.digests import content_digest
from projections.rules.leave import Instant, was_there
from projections.rules.recurrence import NotComputableError
from projections.rules.words import AT_MOST, listed

PRACTICE: Final = Practice("3.3", "Drift detection", views=(plan_series, drifts), settings=(DRIFT_FLAP_HOURS,))
DRIFT_RECORD_HOURS: Final = Number(
    "drift-record-hours",
    "within how many hours drift that nobody had a change for is put on record as an unauthorized change",
    default=24,
)
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
    words = f"{row.service or 'what is'} in {_where(row)} is not as it was applied: {listed(addresses)}{others}"
    return Breach(words, positions_of(*(one.position for one in row.open)))


@finding(drifts, severity="high", version=3)
def drifted_without_a_change(row: Drift, look: Look) -> Breach | None:
    """Something was changed in production outside of the tool, and no change of the service was open, let begin and planned for then.

    Where no plan before shows it as it was applied, or nobody says of which service it is, nobody knows.
    """
    without = _without_a_change(row, look)
    if not without:
        return None
    first = without[0]
    words = f"{_named(without)} of {row.service} in {_where(row)} was changed without a change"
    return Breach(f"{words}, between {first.after} and {first.since}", positions_of(*(one.position for one in without)))


@finding(drifts, severity="medium", version=3)
def drift_not_put_on_record(row: Drift, look: Look) -> Breach | None:
    """Drift that nobody had a change for was not put on record in time as an unauthorized change, which somebody has to review.

    It ends when that is opened, after the drift was seen.
    """
    hours = in_force_now(look).number(DRIFT_RECORD_HOURS)
    late = [
        one
        for one in _without_a_change(row, look)
        if look.has_come(later(one.since, hours=hours))
        and not any(
            scope.openings[0].said.at >= one.since
            and is_for(look, scope.environments, row.environment or "", one.since)
            for scope in _changes_of(row, one, look)
            if scope.change_type == "unauthorized" and scope.openings
        )
    ]
    if not late:
        return None
    words = f"that {_named(late)} of {row.service} in {_where(row)} was changed without a change"
    return Breach(
        f"{words} was to be on record as an unauthorized change by {later(late[0].since, hours=hours)}",
        positions_of(*(one.position for one in late)),
    )


def _named(some: list[Drifted]) -> str:
    return listed(dict.fromkeys(one.address for one in some))


def _where(row: Drift) -> str:
    return f"{row.environment}, workspace {row.workspace}," if row.workspace != DEFAULT else f"{row.environment}"


def _without_a_change(row: Drift, look: Look) -> list[Drifted]:
    """Return what drifted in production while no change of the service was open and planned."""
    environment = row.environment
    if row.service is None or environment is None:
        return []
    found = (
        one
        for drifted in (*row.gone, *row.open)
        for one in drifted.beginnings
        if one.after is not None
        and is_production(look, environment, one.since)
        and not any(_covers(look, scope, environment, one) for scope in _changes_of(row, one, look))
    )
    return list(found)


def _changes_of(row: Drift, one: Drifted, look: Look) -> list[ChangeScope]:
    limit = Around(one.position, LATEST)
    return look.named(change_scopes, ChangeOpened, ref("service", row.service or ""), limit=limit)


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
    # Whoever only opens a change covers nothing by it.
    if why_unlet(look, scope.change_id, Spoken(None, "", "", "", one.since, one.since, one.position), instant):
        return False
    window = in_force_at(scope.windows, instant, clocks)
    if window is None:
        return scope.is_open
    try:
        return overlapping(window.times, one.after or one.since, one.since) is not None
    except NotComputableError:
        return False
