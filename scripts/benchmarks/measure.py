"""Taking rates in turns, and what a line of the table says."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

# A contender does one round of its work and returns its rate per second.
Contender = Callable[[int], float]


@dataclass(frozen=True)
class Row:
    """One line: what was done, how fast, beside what, and whether that is enough. `met` is None where no bar was set."""

    budget: str
    work: str
    ours: float
    unit: str
    beside: str = ""
    theirs: float | None = None
    ratio: float | None = None
    bar: str = ""
    met: bool | None = None
    note: str = ""
    # What rounds gave of what is judged, the ratio or else the figure: lower and upper quartile. None where there was one round.
    spread: tuple[float, float] | None = None
    less_is_better: bool = False
    # Whether others had too much of the machine while it was measured.
    busy: bool = False

    @property
    def judged(self) -> float:
        """What a bar is for: the ratio where there is one, else the figure."""
        return self.ours if self.ratio is None else self.ratio

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Rates:
    """The rates of several contenders, round by round."""

    rounds: dict[str, list[float]] = field(default_factory=dict)

    def median(self, name: str) -> float:
        return statistics.median(self.rounds[name])

    def ratio(self, ours: str, theirs: str) -> float:
        """Return the median of the ratios of rounds: what disturbed a round disturbed both halves of it."""
        return statistics.median(self._ratios(ours, theirs))

    def spread(self, ours: str, theirs: str) -> tuple[float, float] | None:
        """Return the quartiles of those ratios."""
        return quartiles(self._ratios(ours, theirs))

    def _ratios(self, ours: str, theirs: str) -> list[float]:
        return [a / b for a, b in zip(self.rounds[ours], self.rounds[theirs], strict=True)]


def quartiles(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the lower and the upper quartile of what rounds gave; of fewer than four rounds the least and the greatest."""
    if len(values) < 2:
        return None
    if len(values) < 4:
        return min(values), max(values)
    low, _, high = statistics.quantiles(values, n=4)
    return low, high


def take_turns(contenders: Mapping[str, Contender], rounds: int, *, warm_up: bool = True) -> Rates:
    """Let every contender do `rounds` rounds after one to warm up (round 0), in turns, and in another order each time."""
    names = list(contenders)
    rates = Rates({name: [] for name in names})
    for name in names if warm_up else ():
        contenders[name](0)
    # What the rounds work from is kept out of the collector's walks: it would be walked on the account of whoever runs.
    gc.collect()
    gc.freeze()
    for number in range(1, rounds + 1):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            rates.rounds[name].append(contenders[name](number))
    gc.unfreeze()
    return rates


def timed(work: Callable[[int], int], clock: Callable[[], float] = time.perf_counter) -> Contender:
    """Make a contender of a function that does round n and returns how much it did.

    What one thread computes is timed by `time.thread_time`: no neighbour counts there.
    """

    def contender(number: int) -> float:
        start = clock()
        done = work(number)
        return done / (clock() - start)

    return contender


def beside(
    budget: str,
    work: str,
    rates: Rates,
    ours: str,
    theirs: str,
    *,
    at_least: float | None = None,
    aim: float | None = None,
    unit: str = "entries/s",
    note: str = "",
) -> Row:
    """Return the line that holds one contender against another. `at_least` is a bar, `aim` one that nobody promised."""
    ratio, bar = rates.ratio(ours, theirs), at_least if at_least is not None else aim
    return Row(
        budget,
        work,
        rates.median(ours),
        unit,
        theirs,
        rates.median(theirs),
        ratio,
        "" if bar is None else f"≥ {bar:g}" if aim is None else f"aim {bar:g}",
        None if bar is None else ratio >= bar,
        note,
        rates.spread(ours, theirs),
    )


def limit(
    budget: str,
    work: str,
    value: float,
    unit: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    note: str = "",
    spread: tuple[float, float] | None = None,
) -> Row:
    """Return the line that holds a figure against a fixed bar. `spread` is of its rounds; a figure that is counted has none to speak of."""
    row = Row(budget, work, value, unit, note=note, spread=spread)
    if at_least is not None:
        return replace(row, bar=f"≥ {at_least:,g}", met=value >= at_least)
    if at_most is not None:
        return replace(row, bar=f"≤ {at_most:,g}", met=value <= at_most, less_is_better=True)
    return row
