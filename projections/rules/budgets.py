"""Error budgets: how much of what may be bad was, by the methods of OpenSLO. Pure, over plain values.

Of a target of 99.9 % one in a thousand may be bad: that is the budget, and `spent` is how many times of it was.

    occurrences        events: 10,000 of which 5 were bad                      5 / (0.001 * 10,000)  = 0.5
    timeslices         slices in which fewer were good than `slice_target`     2 of 1,000 slices     = 2
    ratio_timeslices   the mean over slices of how many were bad in each

No data is no verdict: None, and not 0. No time counts twice: whoever measured it may measure it again, and of others that meet it the
worst counts, so that nobody thins what was bad by telling what was good.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Final, Literal, Protocol, TypeVar

from ledger.clock import from_text

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
    def by(self) -> str: ...


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
        return f"its window is {promise.window_days} day(s): expected 1 to 366"
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
    return (one.begin, one.end, one.by) == (other.begin, other.end, other.by)


def _badness(measure: Measure) -> Decimal:
    with localcontext(prec=_PRECISION):
        good, total = Decimal(measure.good), Decimal(measure.total)
        return 1 - good / total if 0 <= good <= total and total else Decimal(-1)


def spent(promise: Promise, measures: Sequence[Measure]) -> Decimal | None:
    """Return how many times of the budget was spent: 0 is nothing, 1 all of it; None where nothing was measured that says so."""
    told = [weighed for measure in measures if (weighed := _weighed(promise, measure)) is not None]
    return _share(promise, told, told)


def spent_by(promise: Promise, some: Sequence[Measure], measures: Sequence[Measure]) -> Decimal | None:
    """Return how much of the budget of all measures some of them spent."""
    told = [weighed for measure in measures if (weighed := _weighed(promise, measure)) is not None]
    own = [weighed for measure in some if (weighed := _weighed(promise, measure)) is not None]
    return _share(promise, own, told)


def _share(
    promise: Promise, own: Sequence[tuple[Decimal, Decimal]], told: Sequence[tuple[Decimal, Decimal]]
) -> Decimal | None:
    with localcontext(prec=_PRECISION):
        total = sum((total for _, total in told), Decimal())
        if fault_of(promise) or not total:
            return None
        bad = sum((bad for bad, _ in own), Decimal())
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
