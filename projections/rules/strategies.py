"""Strategies: which a matrix allows for a service, and whether what was seen of a rollout was the one that was chosen. Pure.

weights seen, by time      canary           blue_green         rolling            recreate
5, 50, 100                 as chosen        shifted bit by bit as chosen          shifted bit by bit
100                        all at once      as chosen          all at once        as chosen
(nothing)                  None: no data is no verdict
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Strategy = Literal["canary", "blue_green", "rolling", "recreate"]
_BIT_BY_BIT: Final = ("canary", "rolling")


@dataclass(frozen=True, slots=True)
class Cell:
    """Which strategies services of some kind may use; what it does not say it is for all of."""

    strategies: tuple[Strategy, ...]
    criticalities: tuple[str, ...] = ()
    bears_at_most_s: int | None = None
    stateful: bool | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """What a service is: how much depends on it, how long its rollback may take, and whether it holds state."""

    criticality: str
    max_rollback_s: int
    stateful: bool


def allowed(cells: Sequence[Cell], profile: Profile) -> tuple[Strategy, ...] | None:
    """Return the strategies of the first cell that a service fits; None where it fits none."""
    for cell in cells:
        if cell.criticalities and profile.criticality not in cell.criticalities:
            continue
        if cell.bears_at_most_s is not None and profile.max_rollback_s > cell.bears_at_most_s:
            continue
        if cell.stateful is None or cell.stateful == profile.stateful:
            return cell.strategies
    return None


def not_as_chosen(chosen: Strategy, weights: Sequence[int]) -> str:
    """Say how what was seen contradicts what was chosen, or "". `weights` are percents, the earliest first; none say nothing."""
    if not weights:
        return ""
    until_all = weights[: weights.index(100)] if 100 in weights else weights
    between = [weight for weight in until_all if 0 < weight < 100]
    if chosen in _BIT_BY_BIT and 100 in weights and not between:
        return "it had 100 percent at once"
    if chosen not in _BIT_BY_BIT and between:
        return f"it was shifted bit by bit: {', '.join(f'{weight}' for weight in between[:10])} percent"
    return ""
