"""4.3 Dedicated environments for performance tests: two do not have one at a time, and a result counts only where nothing else went on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ledger.clock import from_text, to_text
from ledger.events.environment import EnvironmentReserved
from projections.engine.answers import kept
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Moment, Reads, later
from projections.judging.findings import finding, positions_of
from projections.practices.practice import Practice
from projections.readings.environments.environments import names_for, same_environment
from projections.readings.environments.reservations import (
    RESERVED_DAYS,
    TESTED_HOURS,
    PerfTest,
    Reservation,
    counts,
    deployed_hours,
    deployments_between,
    end_of,
    may_release,
    perf_tests,
    reservations,
    reservations_between,
    reserved_days,
    span_of,
    told_at,
)
from projections.readings.people.policies import in_force
from projections.readings.people.settings import Words
from projections.readings.people.speaking import clocks_of
from projections.rules.cells import days_of
from projections.rules.leave import Clocks, Instant, is_on_record
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "4.3",
    "Dedicated environments for performance tests",
    views=(reservations, perf_tests, reserved_days, deployed_hours),
)
PERF_RESERVATION: Final = Words(
    "perf-reservation",
    "whether a test of performance must have its environment reserved",
    applies_to="environment",
    choices=("required", "optional"),
    default=("optional",),
)


@finding(reservations, severity="medium")
def reservations_overlap(row: Reservation, look: Look) -> Breach | None:
    """An environment was reserved for a time that somebody has reserved it for already, for themselves alone."""
    if row.said is None or row.environment is None or not counts(look, EnvironmentReserved, row.said, row.environment):
        return None
    end = end_of(look, row, clocks_of(look, row.said.at)) or ""
    for day in days_of(row.start_at or "", end, RESERVED_DAYS):
        if (found := _overlaps(look, row.environment, day).get(row.reservation_id)) is not None:
            words = f"{row.reservation_id} has {row.environment} from {row.start_at} to {end}"
            return Breach(f"{words}, and {found.says}", positions_of(found.position, row.said.position))
    return None


@dataclass(frozen=True, slots=True)
class _Overlap:
    """What a reservation overlaps, in words, and where that was recorded."""

    says: str
    position: int


@kept
def _overlaps(reads: Reads, environment: str, day: str) -> Mapping[str, _Overlap]:
    """Return of the reservations of an environment on a day those that overlap one recorded before them, and which: one answer for all."""
    end_of_day = f"{day}T23:59:59.999999Z"
    there = [
        (one.said, one)
        for one in reservations_between(reads, environment, end_of_day, end_of_day)
        if one.said is not None and counts(reads, EnvironmentReserved, one.said, one.environment)
    ]
    found = {}
    for said, row in there:
        clocks = clocks_of(reads, said.at)
        begin, end = row.start_at or "", end_of(reads, row, clocks) or ""
        for earlier, other in there:
            # Of two, the one that was recorded later overlaps the other, whatever its date. None goes on beyond its end.
            if (
                earlier.position >= said.position
                or not (row.exclusive or other.exclusive)
                or begin >= (other.end_at or "")
            ):
                continue
            until = end_of(reads, other, clocks) or ""
            if (other.start_at or "") < end and begin < until:
                says = f"{other.reservation_id} has it from {other.start_at} to {until}"
                found[row.reservation_id] = _Overlap(says, earlier.position)
                break
    return MappingProxyType(found)


@finding(reservations, severity="low")
def reserved_twice(row: Reservation, look: Look) -> Breach | None:
    """A reservation was made again in other words, or released by somebody else. It stays as it was."""
    if row.said is None:
        return None
    strangers = [said for said in row.releases if not may_release(look, row, said)]
    words = [f"{said.speaker} said otherwise at {said.at}" for said in row.again]
    words += [f"{said.speaker} released it at {said.at}, and had not made it" for said in strangers]
    if not words:
        return None
    told = positions_of(*(said.position for said in (*row.again, *strangers)))
    return Breach(f"{row.reservation_id} stays as it was: {listed(words)}", told)


@finding(perf_tests, severity="medium", version=2)
def perf_result_disturbed(row: PerfTest, look: Look) -> Breach | None:
    """While a test of performance ran, something was deployed there, or somebody else had the environment. Its result is not valid."""
    if row.said is None or row.environment is None or row.started_at is None or row.finished_at is None:
        return None
    if later(row.started_at, hours=TESTED_HOURS) < row.finished_at:
        words = f"{row.test_id} ran for more than {TESTED_HOURS} hours: nobody can tell that nothing disturbed it"
        return Breach(words, (row.said.position,))
    clocks = clocks_of(look, row.started_at)
    found = list(_disturbances(row, row.environment, row.started_at, row.finished_at, clocks, look))
    if not found:
        return None
    words = f"{row.test_id} ran in {row.environment} from {row.started_at} to {row.finished_at}, and meanwhile "
    return Breach(words + listed(said for said, _ in found), positions_of(row.said.position, *(at for _, at in found)))


def _disturbances(
    row: PerfTest, environment: str, begin: Moment, end: Moment, clocks: Clocks, look: Look
) -> Iterator[tuple[str, int]]:
    """Yield in words what went on in an environment while a test ran, each with its entry."""
    # What ends as the test begins, as near as clocks may be apart, disturbs nothing.
    first, last = _moved(begin, clocks.skew_s), _moved(end, -clocks.skew_s)
    for deployment in deployments_between(look, environment, begin, end):
        for act in deployment.acts:
            begun, done = span_of(act)
            # By each report of it, too: whoever dates it back by another takes it out of no test.
            is_meanwhile = (begun < last and first < done) or any(first < at < last for at in told_at(deployment, act))
            if is_meanwhile and same_environment(look, act.environment, environment, act.at):
                yield f"{deployment.deployment_id} was deployed", act.position
                break
    for other in reservations_between(look, environment, begin, end):
        is_ones_own = other.reservation_id == row.reservation_id
        if is_ones_own or not counts(look, EnvironmentReserved, other.said, other.environment):
            continue
        until = end_of(look, other, clocks) or ""
        if other.said is not None and (other.start_at or "") < last and first < until:
            yield f"{other.reservation_id} had it reserved", other.said.position


def _moved(time: Moment, seconds: int) -> Moment:
    return to_text(from_text(time) + seconds * 1_000_000)


@finding(perf_tests, severity="medium")
def perf_test_unreserved(row: PerfTest, look: Look) -> Breach | None:
    """A test of performance ran in an environment that was not reserved for it, where the policy asks for that."""
    if row.said is None or row.environment is None or row.started_at is None or row.finished_at is None:
        return None
    then = look.at(row.started_at)
    policy = in_force(then, row.started_at)
    if "required" not in policy.words(PERF_RESERVATION, *names_for(then, policy, row.environment, row.started_at)):
        return None
    why = _lacking(row, row.environment, row.started_at, row.finished_at, look)
    return Breach(f"{row.test_id} ran in {row.environment} {why}", (row.said.position,)) if why else None


def _lacking(row: PerfTest, environment: str, begin: Moment, end: Moment, reads: Reads) -> str:
    held = reads.row(reservations, row.reservation_id) if row.reservation_id is not None else None
    if held is None or held.said is None or not counts(reads, EnvironmentReserved, held.said, held.environment):
        return "without a reservation"
    clocks = clocks_of(reads, begin)
    if not same_environment(reads, held.environment, environment, begin):
        return f"and {held.reservation_id} is of {held.environment}"
    if not is_on_record(held.said, Instant(begin, _moved(begin, clocks.lag_s), row.said.position if row.said else 0)):
        return f"and {held.reservation_id} was made afterwards"
    until = end_of(reads, held, clocks) or ""
    if _moved(begin, clocks.skew_s) < (held.start_at or "") or until < _moved(end, -clocks.skew_s):
        return f"and {held.reservation_id} is from {held.start_at} to {until}"
    return ""


@finding(perf_tests, severity="low")
def perf_test_stated_twice(row: PerfTest, look: Look) -> Breach | None:
    """A test of performance was reported again in other words. What was said first stays."""
    if not row.again:
        return None
    words = listed(f"{said.speaker} at {said.recorded_at}" for said in row.again)
    return Breach(f"{row.test_id} was reported otherwise by {words}", positions_of(*(s.position for s in row.again)))
