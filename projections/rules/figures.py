"""Figures: shares, means and percentiles of whole numbers. Pure; not what they are of."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

_DIGITS: Final = Decimal("0.0001")


def share(some: int, of_all: int) -> str | None:
    """Return a share with four decimals; None of nothing.

    >>> share(4, 23)
    '0.1739'
    """
    return f"{(Decimal(some) / of_all).quantize(_DIGITS)}" if of_all else None


def known(values: Iterable[int | None]) -> list[int]:
    """Return the values that are known, the smallest first."""
    return sorted(value for value in values if value is not None)


def mean(ordered: list[int]) -> int | None:
    """Return the mean, down to a whole number; None of nothing."""
    return sum(ordered) // len(ordered) if ordered else None


def percentile(ordered: list[int], percent: int) -> int | None:
    """Return the value that so many percent lie at or below, interpolated as the median is; None of nothing.

    That is linear interpolation between the closest ranks (Hyndman and Fan 1996, type 7), down to a whole number.

    >>> percentile([10, 20, 30, 40], 50), percentile([10, 20, 30, 40], 90)
    (25, 37)
    """
    if not ordered:
        return None
    place, rest = divmod(percent * (len(ordered) - 1), 100)
    after = ordered[min(place + 1, len(ordered) - 1)]
    return ordered[place] + rest * (after - ordered[place]) // 100
