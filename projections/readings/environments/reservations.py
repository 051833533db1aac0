"""Reservations of environments, and tests of performance in them: who had which for themselves from when to when, and what ran.

Not whether a result is valid: that is judged by what else went on. A reservation has one life: said again otherwise, it stays as it
was; to move one is to release it and to reserve again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ledger.conditions import Match
from ledger.events import Event, ref
from ledger.events.environment import EnvironmentReleased, EnvironmentReserved
from ledger.events.perf_test import PerfTestExecuted
from projections.engine.tally import Part, Tally
from projections.engine.view import EntryInfo, Moment, Reads, View, moment, replace
from projections.readings.delivery.acts import Act
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.environments.environments import READ_BY_ASKING, names_of, same_environment
from projections.readings.people.powers import fault_of_speaker, persons_behind
from projections.readings.people.voices import Spoken, has_root_power, spoken
from projections.rules.cells import days_of, hours_of
from projections.rules.environments import compared
from projections.rules.leave import Clocks, is_reported_late

# So many days of a reservation, hours of a deployment and hours of a test are looked at.
RESERVED_DAYS: Final = 366
DEPLOYED_HOURS: Final = 48
TESTED_HOURS: Final = 7 * 24


# -- reservations --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reservation:
    """One reservation, as it was said first. `again` said otherwise."""

    reservation_id: str
    environment: str | None = None
    start_at: Moment | None = None
    end_at: Moment | None = None
    # Nobody else is to be there meanwhile.
    exclusive: bool = True
    purpose: str | None = None
    team: str | None = None
    reserved_by: str | None = None
    said: Spoken | None = None
    again: tuple[Spoken, ...] = ()
    releases: tuple[Spoken, ...] = ()


reservations = View(
    "reservations",
    version=2,
    row=Reservation,
    kind="reservation",
    reads=READ_BY_ASKING,
    entries_of=lambda key, row: (
        Match((EnvironmentReserved.type, EnvironmentReleased.type), (ref("reservation", key),)),
    ),
    indexes=("environment", "start_at", "reserved_by", "team"),
    doc="Reservations of environments: by whom, for what, from when to when, for themselves alone or not, and when released.",
)


@reservations.on(EnvironmentReserved, key=lambda event: event.reservation_id)
def reserved(row: Reservation, event: EnvironmentReserved, entry: EntryInfo) -> Reservation:
    said = spoken(entry, event.actor)
    if not counts(entry.reads, EnvironmentReserved, said, event.environment):
        return row
    terms = (moment(event.start), moment(event.end), event.exclusive)
    if row.said is not None:
        is_there = same_environment(entry.reads, event.environment, row.environment, said.at)
        is_same = is_there and terms == (row.start_at, row.end_at, row.exclusive)
        return row if is_same else replace(row, again=(*row.again, said))
    return replace(
        row,
        environment=event.environment,
        start_at=terms[0],
        end_at=terms[1],
        exclusive=event.exclusive,
        purpose=event.purpose,
        team=event.team,
        reserved_by=event.actor,
        said=said,
    )


@reservations.on(EnvironmentReleased, key=lambda event: event.reservation_id)
def released(row: Reservation, event: EnvironmentReleased, entry: EntryInfo) -> Reservation:
    return replace(row, releases=(*row.releases, spoken(entry, event.actor)))


@dataclass(frozen=True)
class ReservedDay:
    """One environment on one day, and the reservations that touch it."""

    key: str
    reservations: tuple[str, ...] = ()


def _days(row: Reservation) -> Mapping[str, Part]:
    if row.environment is None or row.start_at is None or row.end_at is None:
        return {}
    name = compared(row.environment)
    return {f"{name}#{day}": (row.reservation_id,) for day in days_of(row.start_at, row.end_at, RESERVED_DAYS)}


def _reserved_day(row: ReservedDay, part: Part, count: int) -> ReservedDay:
    return replace(row, reservations=_counted(row.reservations, part, count))


reserved_days = Tally(
    "reserved_days",
    version=1,
    row=ReservedDay,
    kind="reserved_day",
    of=reservations,
    parts=_days,
    add=_reserved_day,
    doc="Days of environments, `staging#2026-11-23`, and the reservations that touch each.",
)


# -- deployments ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DeployedHour:
    """One environment in one hour, and what was being deployed to it."""

    key: str
    deployments: tuple[str, ...] = ()


def _hours(row: Deployment) -> Mapping[str, Part]:
    return {
        f"{compared(act.environment)}#{hour}": (row.deployment_id,)
        for act in row.acts
        if act.environment is not None
        # By each report, too: whoever dates an act back by another takes it out of no hour.
        for span in (span_of(act), *((at, at) for at in told_at(row, act)))
        for hour in hours_of(*span, DEPLOYED_HOURS)
    }


def _deployed_hour(row: DeployedHour, part: Part, count: int) -> DeployedHour:
    return replace(row, deployments=_counted(row.deployments, part, count))


deployed_hours = Tally(
    "deployed_hours",
    version=2,
    row=DeployedHour,
    kind="deployed_hour",
    of=deployments,
    parts=_hours,
    add=_deployed_hour,
    doc="Hours of environments, `staging#2026-11-23T09`, and what was being deployed in each.",
)


def span_of(act: Act) -> tuple[Moment, Moment]:
    """Return from when to when something was being put somewhere; one time where no end is known."""
    return act.at, max(act.at, act.finished_at or act.at)


def told_at(row: Deployment, act: Act) -> list[Moment]:
    """Return at which times the reports of an act say that something was done."""
    return [report.said.at for report in row.reports if report.attempt == act.attempt]


def _counted(names: tuple[str, ...], part: Part, count: int) -> tuple[str, ...]:
    (name,) = part
    if count > 0:
        return tuple(sorted({*names, str(name)}))
    return tuple(one for one in names if one != name)


# -- tests ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PerfMeasured:
    """One figure that a test measured."""

    name: str
    value: str


@dataclass(frozen=True)
class PerfTest:
    """One test of performance, as it was said first. `again` said otherwise."""

    test_id: str
    service: str | None = None
    environment: str | None = None
    started_at: Moment | None = None
    finished_at: Moment | None = None
    outcome: Literal["passed", "failed"] | None = None
    artifact: str | None = None
    commit: str | None = None
    reservation_id: str | None = None
    measured: tuple[PerfMeasured, ...] = ()
    said: Spoken | None = None
    again: tuple[Spoken, ...] = ()


perf_tests = View(
    "perf_tests",
    version=2,
    row=PerfTest,
    kind="perf_test",
    reads=READ_BY_ASKING,
    indexes=("service", "environment", "started_at", "outcome", "artifact"),
    doc="Tests of performance: of what, where, from when to when, under which reservation, and what was measured.",
)


@perf_tests.on(PerfTestExecuted, key=lambda event: event.test_id)
def executed(row: PerfTest, event: PerfTestExecuted, entry: EntryInfo) -> PerfTest:
    said = spoken(entry, event.actor)
    if not counts(entry.reads, PerfTestExecuted, said, event.environment):
        return row
    new = PerfTest(
        row.test_id,
        event.service,
        event.environment,
        moment(event.started_at),
        moment(event.finished_at),
        event.outcome,
        event.artifact,
        event.commit,
        event.reservation_id,
        tuple(PerfMeasured(figure.name, figure.value) for figure in event.measured),
    )
    if row.said is None:
        return replace(new, said=said)
    if same_environment(entry.reads, row.environment, event.environment, said.at):
        new = replace(new, environment=row.environment)
    return row if replace(row, said=None, again=()) == new else replace(row, again=(*row.again, said))


# -- asking --------------------------------------------------------------------------------------------------------------


def counts(reads: Reads, event: type[Event], said: Spoken | None, environment: str | None) -> bool:
    """Say whether something was said by whoever may."""
    return said is not None and not fault_of_speaker(reads, event.type, said, environment)


def end_of(reads: Reads, row: Reservation, clocks: Clocks) -> Moment | None:
    """Return until when a reservation holds: to its end, or its release by whoever may; one that is told late counts when it is told."""
    if row.end_at is None or row.start_at is None:
        return None
    released_at = (
        said.recorded_at if is_reported_late(said, clocks) else said.at
        for said in row.releases
        if may_release(reads, row, said)
    )
    return min((row.end_at, *(max(row.start_at, at) for at in released_at)))


def may_release(reads: Reads, row: Reservation, said: Spoken) -> bool:
    """Say whether somebody may release a reservation: whoever made it, or an operator."""
    if not counts(reads, EnvironmentReleased, said, row.environment) or row.said is None:
        return False
    is_ones_own = bool(persons_behind(reads, said) & persons_behind(reads, row.said))
    return is_ones_own or has_root_power(reads, EnvironmentReleased.type, said)


def reservations_between(reads: Reads, environment: str, begin: Moment, end: Moment) -> Iterator[Reservation]:
    """Yield the reservations that may touch a span of time in an environment, under all its names, each once, whether they count or not.

    Whoever asks looks first at what costs little: there may be many, and most of them of no interest.
    """
    found: dict[str, None] = {}
    for name in names_of(reads, environment, begin):
        for day in days_of(begin, end, RESERVED_DAYS):
            row = reads.row(reserved_days, f"{name}#{day}")
            found |= dict.fromkeys(row.reservations if row is not None else ())
    for reservation_id in found:
        one = reads.row(reservations, reservation_id)
        if one is not None:
            yield one


def deployments_between(reads: Reads, environment: str, begin: Moment, end: Moment) -> Iterator[Deployment]:
    """Yield what may have been deployed in a span of time to an environment, under all its names, each once."""
    found: dict[str, None] = {}
    for name in names_of(reads, environment, begin):
        for hour in hours_of(begin, end, TESTED_HOURS):
            row = reads.row(deployed_hours, f"{name}#{hour}")
            found |= dict.fromkeys(row.deployments if row is not None else ())
    for deployment_id in found:
        one = reads.row(deployments, deployment_id)
        if one is not None:
            yield one
