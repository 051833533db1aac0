"""Error budgets: by the methods of OpenSLO, no time twice, and no verdict without data."""

import itertools
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.rules.budgets import Promise, Stretch, fault_of, once, spent, spent_between, stretches, strung


@dataclass(frozen=True)
class Told:
    begin: str
    end: str
    good: str
    total: str
    unit: Literal["events", "slices"] = "events"
    may_correct: bool = False
    position: int = 0
    recorded_at: str = "2026-03-02T10:00:00Z"


def minute(number: int, good: float, total: float = 100, length: int = 1, **more: Any) -> Told:
    return Told(
        f"2026-03-02T09:{number:02}:00Z", f"2026-03-02T09:{number + length:02}:00Z", str(good), str(total), **more
    )


def weighed(promise: Promise, measures: list[Told]) -> list[Stretch[Told]]:
    return stretches(promise, [measures])


OCCURRENCES = Promise("occurrences", "0.99", 28)
SLICES = Promise("timeslices", "0.9", 28, 60, "0.95")
RATIO = Promise("ratio_timeslices", "0.9", 28, 60)


def test_of_occurrences_as_many_may_be_bad_as_the_target_leaves() -> None:
    assert spent(OCCURRENCES, weighed(OCCURRENCES, [minute(0, 99), minute(1, 100)])) == Decimal("0.5")
    assert spent(OCCURRENCES, weighed(OCCURRENCES, [minute(0, 90, 100), minute(1, 900, 900)])) == 1


def test_a_slice_is_good_or_bad_as_a_whole() -> None:
    assert spent(SLICES, weighed(SLICES, [minute(n, 100) for n in range(9)] + [minute(9, 94)])) == 1
    assert spent(SLICES, weighed(SLICES, [minute(n, 95) for n in range(10)])) == 0
    assert spent(SLICES, weighed(SLICES, [minute(0, 9, 10, length=10, unit="slices")])) == 1


def test_of_ratios_the_mean_of_the_slices_counts_whatever_their_traffic() -> None:
    assert spent(RATIO, weighed(RATIO, [minute(0, 80), minute(1, 10**6, 10**6)])) == 1


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
    assert spent(promise, weighed(promise, measures)) is None


def test_no_time_counts_twice_and_of_what_meets_the_worst_does() -> None:
    bad, good = minute(0, 50), minute(0, 100)
    assert once([bad, good]) == [bad] == once([good, bad])
    corrected = minute(0, 100, may_correct=True)
    assert once([bad, corrected]) == [corrected]
    wide = minute(0, 3000, 3000, length=30, may_correct=True)
    assert once([wide, bad, minute(7, 90)]) == [bad, minute(7, 90)]
    assert once([minute(5, 1), minute(6, 2), wide]) == [minute(5, 1), minute(6, 2)]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9), st.integers(0, 100), st.booleans())))
def test_what_is_left_never_meets_and_says_no_better_than_any_that_it_meets(
    told: list[tuple[int, int, int, bool]],
) -> None:
    measures = [minute(begin, good, length=length, may_correct=may) for begin, length, good, may in told]
    kept = once(measures)
    assert all(one.end <= other.begin for one, other in itertools.pairwise(kept))
    assert set(kept) <= set(measures)
    assert bool(kept) == bool(measures)


def test_what_was_spent_from_time_to_time_adds_up_to_all_of_it() -> None:
    measures = [minute(n, 90 + n) for n in range(10)]
    some = weighed(OCCURRENCES, measures)
    # What ends when something is deployed was before it.
    times = ["2026-03-02T09:00:00Z", "2026-03-02T09:03:00Z", "2026-03-02T09:03:00Z", "2026-03-02T09:08:30Z"]
    assert spent_between(OCCURRENCES, times, some) == [Decimal("2.7"), Decimal(0), Decimal("2.5"), Decimal("0.3")]
    assert spent(OCCURRENCES, some) == Decimal("5.5")
    assert spent_between(OCCURRENCES, [], some) == []


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9), st.integers(-1, 101), st.booleans()), max_size=24),
    st.lists(st.integers(0, 24), max_size=4),
    st.lists(st.integers(0, 50), max_size=3),
    st.sampled_from([OCCURRENCES, SLICES, RATIO]),
)
def test_parts_come_to_what_the_whole_does(
    told: list[tuple[int, int, int, bool]], cuts: list[int], times: list[int], promise: Promise
) -> None:
    measures = [
        minute(begin, good, length=length, may_correct=may, position=position)
        for position, (begin, length, good, may) in enumerate(told)
    ]
    places = [0, *sorted(cuts), len(measures)]
    parts = [measures[begin:end] for begin, end in itertools.pairwise(places)]
    # Some were weighed before, and the first of them together.
    ready = [strung(found) if (found := weighed(promise, part)) else part for part in parts[:2]]
    some = stretches(promise, [*stretches(promise, ready), *parts[2:]])
    whole = [stretch for one in once(measures) for stretch in weighed(promise, [one])]
    assert [one for stretch in some for one in stretch.counted] == once(measures)
    assert spent(promise, some) == spent(promise, whole)
    when = sorted(f"2026-03-02T09:{time:02}:00Z" for time in times)
    assert spent_between(promise, when, some) == spent_between(promise, when, whole)
    assert all(one.end <= other.begin for one, other in itertools.pairwise(some))


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
