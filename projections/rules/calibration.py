"""Calibration: what was predicted, against what came. Sums are exact, so that any order gives the same.

Not the predictions: those are of `projections.rules.risk`.
"""

from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Final

from projections.rules.risk import rounded, text

# Digits that hold the sum of a billion squares of twelve digits.
_EXACT: Final = 40


@dataclass(frozen=True, slots=True)
class Bin:
    """Changes whose predicted probability lay in [lowest, lowest + 0.1): how many, what was predicted in all, how many failed."""

    lowest: str
    changes: int
    predicted: str
    failures: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Predictions against outcomes. Sums are exact: adding and taking away in any order gives the same."""

    changes: int = 0
    failures: int = 0
    # Of squared differences between the prediction and the outcome.
    squares: str = "0"
    bins: tuple[Bin, ...] = ()

    @property
    def brier(self) -> str | None:
        """The Brier score: the mean squared difference, 0 for a prophet, 0.25 for a coin."""
        return text(rounded(float(Decimal(self.squares) / self.changes))) if self.changes else None

    @property
    def reliability_error(self) -> str | None:
        """The mean distance between what a bin predicted and what came of it, weighted by its changes."""
        if not self.changes:
            return None
        apart = sum((abs(Decimal(b.predicted) - b.failures) for b in self.bins), Decimal(0))
        return text(rounded(float(apart / self.changes)))


def counted(calibration: Calibration, probability: str, failed: bool, count: int = 1) -> Calibration:
    """Add a prediction and its outcome, or take one away (`count` -1)."""
    with localcontext(prec=_EXACT):
        return _counted(calibration, Decimal(probability), failed, count)


def _counted(calibration: Calibration, p: Decimal, failed: bool, count: int) -> Calibration:
    lowest = text(min(p * 10 // 1, Decimal(9)) / 10)
    bins = {b.lowest: b for b in calibration.bins}
    old = bins.get(lowest, Bin(lowest, 0, "0", 0))
    bins[lowest] = Bin(
        lowest, old.changes + count, text(Decimal(old.predicted) + count * p), old.failures + count * failed
    )
    return Calibration(
        calibration.changes + count,
        calibration.failures + count * failed,
        text(Decimal(calibration.squares) + count * (p - failed) ** 2),
        tuple(b for _, b in sorted(bins.items()) if b.changes),
    )
