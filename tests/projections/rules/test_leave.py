"""Leave in time, by both clocks."""

from dataclasses import dataclass

from projections.rules.leave import Clocks, comes_before, happened, instants, is_reported_late, was_there

CLOCKS = Clocks()


@dataclass(frozen=True)
class Said:
    at: str
    recorded_at: str
    position: int


def said(at: str, recorded_at: str | None = None, position: int = 1) -> Said:
    """Something of one morning."""
    return Said(_time(at), _time(recorded_at or at), position)


def _time(clock: str) -> str:
    return f"2026-03-02T{clock}:00.000000Z"


def test_leave_that_is_true_and_recorded_before_the_act_is_there() -> None:
    (instant,) = instants(said("09:00", position=5), CLOCKS)
    assert was_there(said("08:00"), instant, CLOCKS)


def test_leave_that_is_recorded_within_the_lag_is_there_and_later_it_is_not() -> None:
    (instant,) = instants(said("09:00", "09:01", position=5), CLOCKS)
    assert was_there(said("08:59", "09:15", 6), instant, CLOCKS)
    assert not was_there(said("08:59", "09:16", 6), instant, CLOCKS)


def test_an_act_that_is_reported_late_is_judged_at_its_time_and_at_its_recording() -> None:
    act = said("09:00", "11:00", 5)
    assert is_reported_late(act, CLOCKS)
    assert [instant.at for instant in instants(act, CLOCKS)] == [act.at, act.recorded_at]
    assert not is_reported_late(said("09:00", "09:15", 5), CLOCKS)


def test_an_act_from_before_the_ledger_began_is_judged_at_its_recording() -> None:
    act = said("09:00", "11:00", 5)
    assert [instant.at for instant in instants(act, Clocks(began=_time("10:00")))] == [act.recorded_at]


def test_history_is_judged_at_its_time_by_whatever_is_on_record() -> None:
    (instant,) = instants(said("09:00", "23:00", 5), CLOCKS, is_history=True)
    assert was_there(said("08:00", "23:30", 9), instant, CLOCKS)


def test_where_clocks_may_be_apart_the_record_decides() -> None:
    (instant,) = instants(said("09:00", position=5), CLOCKS)
    assert comes_before(said("09:02", position=4), instant, CLOCKS)
    assert not comes_before(said("09:02", position=6), instant, CLOCKS)
    assert not comes_before(said("09:03", position=4), instant, CLOCKS)


def test_a_time_ahead_of_its_recording_counts_as_its_recording() -> None:
    assert happened(_time("10:00"), _time("09:00")) == _time("09:00")
