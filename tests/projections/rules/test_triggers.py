"""Triggers computed again: a condition holds when measurements that meet it cover its whole window, with enough samples."""

from dataclasses import dataclass

import pytest

from projections.rules.triggers import Condition, due, fires, held, meets


@dataclass(frozen=True)
class Told:
    begin: str
    end: str
    value: str
    samples: int = 300


def told(begin: int, end: int, value: str, samples: int = 300) -> Told:
    return Told(stamp(begin), stamp(end), value, samples)


def stamp(minute: int) -> str:
    return f"2026-03-02T09:{minute:02}:00.000000Z"


ERRORS = Condition("gt", "0.02", 300, 500)


@pytest.mark.parametrize(
    ("measures", "expected"),
    [
        ([told(0, 3, "0.05"), told(3, 5, "0.04")], True), ([told(3, 5, "0.04"), told(0, 3, "0.05")], True),
        ([told(0, 3, "0.05"), told(3, 5, "0.01")], False), ([told(0, 5, "0.02", 900)], False),
        # Nobody knows: a gap, nothing, too few samples, of a time that is not over.
        ([told(0, 3, "0.05")], None), ([told(0, 2, "0.05"), told(3, 5, "0.05")], None), ([], None), ([told(0, 5, "0.05", 499)], None),
        ([told(0, 6, "0.05", 900)], None), ([told(1, 5, "0.05", 900)], None),
        # What somebody else measured of the same time, or of a longer one, does not make it good.
        ([told(0, 5, "0.05", 600), told(0, 5, "0", 9000)], True), ([told(0, 5, "0.05", 600), told(-0, 5, "0.001", 10**6)], True),
    ],
)  # fmt: skip
def test_a_condition_holds_over_its_whole_window(measures: list[Told], expected: bool | None) -> None:
    assert held(ERRORS, measures, stamp(5)) is expected


def test_it_is_due_at_the_end_of_every_measurement_at_which_it_held() -> None:
    measures = [told(n, n + 1, "0.01" if n == 3 else "0.05") for n in range(10)]
    assert [measure.end for measure in due(ERRORS, measures)] == [stamp(9), stamp(10)]
    assert next(due(Condition("gt", "0.02", 0, 1), measures)).end == stamp(1)


@pytest.mark.parametrize(("comparator", "expected"), [("gt", "FFT"), ("ge", "FTT"), ("lt", "TFF"), ("le", "TTF")])
def test_every_comparator_is_read(comparator: str, expected: str) -> None:
    condition = Condition(comparator, "0.5", 0, 0)
    assert "".join("FT"[meets(condition, value)] for value in ("0.4", "0.50", "0.6")) == expected


def test_a_trigger_fires_by_a_value_that_meets_it_over_enough_samples() -> None:
    assert [fires(ERRORS, *told) for told in (("0.05", 500), ("0.05", 499), ("0.02", 500))] == [True, False, False]
