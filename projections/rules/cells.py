"""Cells of time, days and hours of UTC: under which what lies in a span of time is found without looking at all there is.

hours_of("2026-03-02T09:59:00.000000Z", "2026-03-02T11:00:00.000000Z", 9)   2026-03-02T09, 2026-03-02T10, 2026-03-02T11
"""

from typing import Final

from ledger.clock import from_text, to_text

_HOUR: Final = 3600 * 1_000_000


def hours_of(begin: str, end: str, at_most: int) -> tuple[str, ...]:
    """Return the hours that a span of time touches, the first so many."""
    return _cells(begin, end, at_most, _HOUR, len("2026-03-02T09"))


def days_of(begin: str, end: str, at_most: int) -> tuple[str, ...]:
    """Return the days that a span of time touches, the first so many."""
    return _cells(begin, end, at_most, 24 * _HOUR, len("2026-03-02"))


def _cells(begin: str, end: str, at_most: int, length: int, shown: int) -> tuple[str, ...]:
    first = from_text(begin)
    number = min(at_most, (from_text(end) - first) // length + 2)
    found = (to_text(first + place * length)[:shown] for place in range(number))
    return tuple(dict.fromkeys(cell for cell in found if cell <= end[:shown]))
