"""Error budgets: how much of what may be bad was, by the methods of OpenSLO. Pure, over plain values.

Of a target of 99.9 % one in a thousand may be bad: that is the budget, and `spent` is how many times of it was.

    occurrences        events: 10,000 of which 5 were bad                      5 / (0.001 * 10,000)  = 0.5
    timeslices         slices in which fewer were good than `slice_target`     2 of 1,000 slices     = 2
    ratio_timeslices   the mean over slices of how many were bad in each

No data is no verdict: None, and not 0. No time counts twice: of measurements that meet, the worst counts, so that nobody thins what was
bad by telling what was good; but whoever may correct it measures a time again.

What was measured is weighed a stretch at a time, and stretches that do not meet add up: one more measurement of today has nothing
of last week weighed again. Those that meet are weighed as one.

    Monday 00:00 to 24:00    288 measurements, 2 of 90,000 bad    weighed once
    Tuesday 00:00 to 09:05   109 measurements                     weighed again for the one of 09:00
"""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from operator import attrgetter
from typing import Final, Generic, Literal, Protocol, TypeVar

from ledger.clock import from_text
from ledger.words import number_of

_PRECISION: Final = 80
_DIGITS: Final = Decimal("0.0001")
_SECOND: Final = 1_000_000


class Measure(Protocol):
    """How many there were in a time, and how many of them were good."""

    @property
    def begin(self) -> str: ...
    @property
    def end(self) -> str: ...
    @property
    def unit(self) -> Literal["events", "slices"]: ...
    @property
    def good(self) -> str: ...
    @property
    def total(self) -> str: ...
    @property
    def may_correct(self) -> bool: ...
    @property
    def position(self) -> int: ...
    @property
    def recorded_at(self) -> str: ...


M = TypeVar("M", bound=Measure)


@dataclass(frozen=True, slots=True)
class Promise:
    """What has to be good: a share, of what."""

    method: Literal["occurrences", "timeslices", "ratio_timeslices"]
    target: str
    window_days: int
    slice_s: int | None = None
    slice_target: str | None = None


def fault_of(promise: Promise) -> str:
    """Say why nobody can hold, or measure, what was promised; "" where nothing speaks against it."""
    if not 0 < Decimal(promise.target) < 1:
        return f"its target is {promise.target}: expected a share between 0 and 1, such as 0.999"
    if not 0 < promise.window_days <= 366:
        return f"its window is {number_of(promise.window_days, 'day')}: expected 1 to 366"
    if promise.method != "occurrences" and not promise.slice_s:
        return "it counts slices, and does not say how long one is"
    if promise.method == "timeslices" and not 0 < Decimal(promise.slice_target or 0) <= 1:
        return "it counts good slices, and does not say what is a good one"
    return ""


def once(measures: Iterable[M]) -> list[M]:
    """Return measures, told in the order of the record, so that no time counts twice: see the module. The earliest time first."""
    # Apart from each other, and in order: what meets a new one are neighbours.
    kept: list[M] = []
    for measure in measures:
        if measure.end <= measure.begin:
            continue
        first = bisect_right(kept, measure.begin, key=lambda one: one.end)
        after = bisect_left(kept, measure.end, key=lambda one: one.begin)
        if all(_is_again(one, measure) or _badness(one) < _badness(measure) for one in kept[first:after]):
            kept[first:after] = [measure]
    return kept


def _is_again(one: Measure, other: Measure) -> bool:
    return other.may_correct and (one.begin, one.end) == (other.begin, other.end)


def _badness(measure: Measure) -> Decimal:
    with localcontext(prec=_PRECISION):
        good, total = Decimal(measure.good), Decimal(measure.total)
        return 1 - good / total if 0 <= good <= total and total else Decimal(-1)


@dataclass(frozen=True, slots=True)
class Stretch(Generic[M]):
    """What was measured in a time, told in the order of the record; of it what counts, the earliest first; and what that weighs."""

    begin: str
    end: str
    # When the last of it was recorded.
    recorded_at: str
    told: tuple[M, ...]
    counted: tuple[M, ...]
    bad: Decimal
    total: Decimal


def stretches(promise: Promise, parts: Iterable[Sequence[M] | Stretch[M]]) -> list[Stretch[M]]:
    """Return what was measured as stretches that do not meet, the earliest first: what meets of several parts is one."""
    found: list[Stretch[M]] = []
    # Those that meet, up to the latest end so far.
    meeting: list[Stretch[M]] = []
    end = ""
    for one in sorted(_each(promise, parts), key=attrgetter("begin")):
        if meeting and one.begin >= end:
            found.append(_as_one(promise, meeting))
            meeting = []
        meeting.append(one)
        end = max(end, one.end)
    return [*found, _as_one(promise, meeting)] if meeting else found


def _each(promise: Promise, parts: Iterable[Sequence[M] | Stretch[M]]) -> Iterator[Stretch[M]]:
    for part in parts:
        if isinstance(part, Stretch):
            yield part
        elif told := [measure for measure in part if measure.begin < measure.end]:
            yield _stretch(promise, told)


def strung(some: Sequence[Stretch[M]]) -> Stretch[M]:
    """Return stretches that do not meet, the earliest first and at least one, as one."""
    if len(some) == 1:
        return some[0]
    told = itertools.chain.from_iterable(one.told for one in some)
    with localcontext(prec=_PRECISION):
        return Stretch(
            some[0].begin,
            some[-1].end,
            max(one.recorded_at for one in some),
            tuple(sorted(told, key=attrgetter("position"))),
            tuple(itertools.chain.from_iterable(one.counted for one in some)),
            sum((one.bad for one in some), Decimal()),
            sum((one.total for one in some), Decimal()),
        )


def _as_one(promise: Promise, meeting: Sequence[Stretch[M]]) -> Stretch[M]:
    if len(meeting) == 1:
        return meeting[0]
    told = itertools.chain.from_iterable(one.told for one in meeting)
    return _stretch(promise, sorted(told, key=attrgetter("position")))


def _stretch(promise: Promise, told: Sequence[M]) -> Stretch[M]:
    counted = once(told)
    weighed = [weights for measure in counted if (weights := _weighed(promise, measure)) is not None]
    with localcontext(prec=_PRECISION):
        bad, total = (sum((weights[place] for weights in weighed), Decimal()) for place in (0, 1))
    return Stretch(
        min(measure.begin for measure in told),
        max(measure.end for measure in told),
        max(measure.recorded_at for measure in told),
        tuple(told),
        tuple(counted),
        bad,
        total,
    )


def spent(promise: Promise, some: Sequence[Stretch[M]]) -> Decimal | None:
    """Return how many times of the budget was spent: 0 is nothing, 1 all of it; None where nothing was measured that says so."""
    with localcontext(prec=_PRECISION):
        return _share(promise, sum((one.bad for one in some), Decimal()), some)


def spent_between(promise: Promise, times: Sequence[str], some: Sequence[Stretch[M]]) -> list[Decimal | None]:
    """Return how much of the budget was spent from each of some times, in their order, until the next: by what was measured until then."""
    bad = [Decimal()] * (len(times) + 1)
    with localcontext(prec=_PRECISION):
        for one in some:
            for end, weight in _ends(promise, one, times):
                bad[bisect_left(times, end)] += weight
    return [_share(promise, weight, some) for weight in bad[1:]]


def _ends(promise: Promise, one: Stretch[M], times: Sequence[str]) -> Iterator[tuple[str, Decimal]]:
    """Yield when what was measured in a stretch ended, and how much of it was bad: all at once, where no time lies within."""
    if bisect_right(times, one.begin) == bisect_left(times, one.end):
        yield one.end, one.bad
        return
    for measure in one.counted:
        if (weights := _weighed(promise, measure)) is not None:
            yield measure.end, weights[0]


def _share(promise: Promise, bad: Decimal, some: Sequence[Stretch[M]]) -> Decimal | None:
    with localcontext(prec=_PRECISION):
        total = sum((one.total for one in some), Decimal())
        if fault_of(promise) or not total:
            return None
        return (bad / ((1 - Decimal(promise.target)) * total)).quantize(_DIGITS)


def _weighed(promise: Promise, measure: Measure) -> tuple[Decimal, Decimal] | None:
    """Return how much was bad, and of how much; None where a measure says nothing for a promise."""
    with localcontext(prec=_PRECISION):
        good, total = Decimal(measure.good), Decimal(measure.total)
        if not 0 <= good <= total or not total:
            return None
        if promise.method == "occurrences":
            return (total - good, total) if measure.unit == "events" else None
        if measure.unit == "slices":
            return (total - good, total) if promise.method == "timeslices" else None
        length = from_text(measure.end) - from_text(measure.begin)
        # Of a longer time nobody knows which slices of it were good.
        if length > (promise.slice_s or 0) * _SECOND:
            return None
        if promise.method == "ratio_timeslices":
            return 1 - good / total, Decimal(1)
        return Decimal(good / total < Decimal(promise.slice_target or 1)), Decimal(1)
