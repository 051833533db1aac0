"""Triggers of a rollback: whether a measurable condition held, computed again from what was measured. Pure, over plain values.

A condition holds at a time when measurements that meet it cover the whole window before it, with as many samples as it asks for.

    error_rate gt 0.02 for 300 s, 500 samples
    09:00-09:03 0.05 (400), 09:03-09:05 0.04 (300)    holds at 09:05
    09:00-09:03 0.05 (400), 09:03-09:05 0.01 (300)    does not
    09:00-09:03 0.05 (400)                            None: of two minutes nobody knows; no data is no verdict
    09:00-09:05 0.05 (400)                            None: too few samples
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol, TypeVar

from ledger.clock import from_text, to_text

_SECOND: Final = 1_000_000


class Measure(Protocol):
    """A value over a time, by so many samples."""

    @property
    def begin(self) -> str: ...
    @property
    def end(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def samples(self) -> int: ...


M = TypeVar("M", bound=Measure)


@dataclass(frozen=True, slots=True)
class Condition:
    """When a rollback is due: a comparison that held for so many seconds, by so many samples."""

    comparator: str
    threshold: str
    window_s: int
    min_samples: int


def meets(condition: Condition, value: str) -> bool:
    """Say whether a value meets a condition's comparison."""
    measured, threshold = Decimal(value), Decimal(condition.threshold)
    return {
        "gt": measured > threshold,
        "ge": measured >= threshold,
        "lt": measured < threshold,
        "le": measured <= threshold,
    }[condition.comparator]


def fires(condition: Condition, value: str, samples: int) -> bool:
    """Say whether a value by so many samples is one by which a trigger fires: too few say nothing."""
    return meets(condition, value) and samples >= condition.min_samples


def window_before(condition: Condition, at: str) -> str:
    """Return from when on a condition has to hold for it to hold at a time."""
    return to_text(from_text(at) - condition.window_s * _SECOND)


def held(condition: Condition, measures: Iterable[Measure], at: str) -> bool | None:
    """Say whether a condition held at a time; None where what was measured does not say."""
    begin = window_before(condition, at)
    within = [measure for measure in measures if measure.end == at or begin < measure.end < at]
    if _covers([measure for measure in within if meets(condition, measure.value)], begin, at, condition.min_samples):
        return True
    return False if _covers(within, begin, at, condition.min_samples) else None


def due(condition: Condition, measures: Sequence[M]) -> Iterator[M]:
    """Yield the measurements at whose end a condition held, the earliest first."""
    for measure in sorted(measures, key=lambda one: (one.end, one.begin)):
        if meets(condition, measure.value) and held(condition, measures, measure.end):
            yield measure


def _covers(measures: Sequence[Measure], begin: str, end: str, min_samples: int) -> bool:
    """Say whether measurements leave no gap between two times, and have enough samples."""
    reached = begin
    for measure in sorted(measures, key=lambda one: one.begin):
        if measure.begin > reached:
            return False
        reached = max(reached, measure.end)
    return bool(measures) and reached >= end and sum(measure.samples for measure in measures) >= max(1, min_samples)
