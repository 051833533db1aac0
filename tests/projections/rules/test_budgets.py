"""Error budgets: by the methods of OpenSLO, no time twice, and no verdict without data."""

import itertools
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.rules.budgets import Promise, fault_of, once, spent, spent_by


@dataclass(frozen=True)
class Told:
    begin: str
    end: str
    good: str
    total: str
    unit: Literal["events", "slices"] = "events"
    by: str = "service:monitoring"


def minute(number: int, good: float, total: float = 100, length: int = 1, **more: str) -> Told:
    return Told(
        f"2026-03-02T09:{number:02}:00Z", f"2026-03-02T09:{number + length:02}:00Z", str(good), str(total), **more
    )  # type: ignore[arg-type]


OCCURRENCES = Promise("occurrences", "0.99", 28)
SLICES = Promise("timeslices", "0.9", 28, 60, "0.95")
RATIO = Promise("ratio_timeslices", "0.9", 28, 60)


def test_of_occurrences_as_many_may_be_bad_as_the_target_leaves() -> None:
    assert spent(OCCURRENCES, [minute(0, 99), minute(1, 100)]) == Decimal("0.5")
    assert spent(OCCURRENCES, [minute(0, 90, 100), minute(1, 900, 900)]) == 1


def test_a_slice_is_good_or_bad_as_a_whole() -> None:
    assert spent(SLICES, [minute(n, 100) for n in range(9)] + [minute(9, 94)]) == 1
    assert spent(SLICES, [minute(n, 95) for n in range(10)]) == 0
    assert spent(SLICES, [minute(0, 9, 10, length=10, unit="slices")]) == 1


def test_of_ratios_the_mean_of_the_slices_counts_whatever_their_traffic() -> None:
    assert spent(RATIO, [minute(0, 80), minute(1, 10**6, 10**6)]) == 1


@pytest.mark.parametrize(
    ("promise", "measures"),
    [
        (OCCURRENCES, []), (OCCURRENCES, [minute(0, 0, 0)]), (OCCURRENCES, [minute(0, 2, 1)]), (OCCURRENCES, [minute(0, -1)]),
        (OCCURRENCES, [minute(0, 9, 10, unit="slices")]), (RATIO, [minute(0, 9, 10, unit="slices")]),
        # Of ten minutes at once nobody knows which was good.
        (SLICES, [minute(0, 1000, 1000, length=10)]), (Promise("occurrences", "1", 28), [minute(0, 1)]),
    ],
)  # fmt: skip
def test_no_data_is_no_verdict(promise: Promise, measures: list[Told]) -> None:
    assert spent(promise, measures) is None


def test_no_time_counts_twice_and_of_others_the_worst_does() -> None:
    bad, good = minute(0, 50), minute(0, 100)
    assert once([bad, good]) == [good]
    stranger = minute(0, 100, by="service:ci")
    assert once([bad, stranger]) == [bad] == once([stranger, bad])
    wide = minute(0, 3000, 3000, length=30, by="service:ci")
    assert once([wide, bad, minute(7, 90)]) == [bad, minute(7, 90)]
    assert once([minute(5, 1), minute(6, 2), wide]) == [minute(5, 1), minute(6, 2)]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9), st.integers(0, 100), st.sampled_from("ab"))))
def test_what_is_left_never_meets_and_says_no_better_than_any_that_it_meets(
    told: list[tuple[int, int, int, str]],
) -> None:
    measures = [minute(begin, good, length=length, by=by) for begin, length, good, by in told]
    kept = once(measures)
    assert all(one.end <= other.begin for one, other in itertools.pairwise(kept))
    assert set(kept) <= set(measures)
    assert bool(kept) == bool(measures)


def test_what_some_spent_adds_up_to_what_all_did() -> None:
    measures = [minute(n, 90 + n) for n in range(10)]
    parts = [spent_by(OCCURRENCES, [measure], measures) for measure in measures]
    assert sum(part for part in parts if part is not None) == spent(OCCURRENCES, measures)


@pytest.mark.parametrize(
    ("promise", "words"),
    [
        (Promise("occurrences", "1", 28), "between 0 and 1"), (Promise("occurrences", "99.9", 28), "between 0 and 1"),
        (Promise("occurrences", "0.9", 0), "1 to 366"), (Promise("timeslices", "0.9", 28), "how long"),
        (Promise("timeslices", "0.9", 28, 60), "a good one"), (OCCURRENCES, ""), (SLICES, ""), (RATIO, ""),
    ],
)  # fmt: skip
def test_what_nobody_can_hold_is_said(promise: Promise, words: str) -> None:
    assert words in fault_of(promise)
    assert bool(words) == bool(fault_of(promise))
