"""The ledger's clock: the wall clock, distrusted.

Wall time may jump: a wrong NTP answer, an operator's typo. One forward jump, believed, would freeze `recorded_at` for
years, because it never decreases. So the wall is compared with a clock that cannot be set, over the time since the
last append.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ledger.errors import ClockError

MAX_DISAGREEMENT_US: Final = 60_000_000
_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# The ends of the calendar, in microseconds since 1970: years 1 to 9999, as RFC 3339 writes them.
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_parts_of = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}):([0-9]{2})(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
).fullmatch
# Of what `to_text` writes: nothing is left to read but the second, which may be a leap second.
_is_normal = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]\.[0-9]{6}Z").fullmatch


def steady_ns() -> int:
    """Return a clock that is never set and, where the system offers it, runs on while the machine sleeps."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass
class Clock:
    """Wall and steady time, passed in so that tests can move them."""

    wall_ns: Callable[[], int] = time.time_ns
    steady_ns: Callable[[], int] = steady_ns
    _last: tuple[int, int] | None = None

    def now_us(self) -> int:
        """Return wall time in microseconds since 1970, UTC."""
        return self.wall_ns() // 1000

    def next_recorded_at(self, head_us: int, *, correcting: bool = False, apart: bool = False) -> int:
        """Return the `recorded_at` of the next group in microseconds: never below `head_us`, unless an operator corrects the clock.

        A group that is to be known by its instant is recorded `apart` from what stands before it: above `head_us`.

        Raises ClockError when the wall clock jumped since the last append, or stands more than a minute behind the
        ledger's last entry.
        """
        wall, steady = self.now_us(), self.steady_ns() // 1000
        if correcting:
            return wall
        if self._last is not None:
            drift = (wall - self._last[0]) - (steady - self._last[1])
            if abs(drift) > MAX_DISAGREEMENT_US:
                raise ClockError(
                    f"the wall clock moved {drift / 1e6:+.0f} s against the steady clock since the last append; expected at most ±60 s. "
                    "Set the machine's clock right and restart; if entries were recorded too late in time, run: change-ledger clock correct"
                )
        if head_us - wall > MAX_DISAGREEMENT_US:
            raise ClockError(
                f"the last entry was recorded at {to_text(head_us)}, {(head_us - wall) / 1e6:.0f} s ahead of the wall clock. "
                "Set the machine's clock right, or run: change-ledger clock correct"
            )
        return max(wall, head_us + apart)

    def appended(self) -> None:
        """Remember an append, as the point from which the two clocks are compared."""
        self._last = (self.now_us(), self.steady_ns() // 1000)


def to_text(microseconds: int) -> str:
    """Return a time as it stands in entries and rows: UTC, a year of four digits, always six decimals; so texts sort as times do.

    What lies beyond the calendar is its end: no sum of a time and some hours fails.

    >>> to_text(1_795_435_200_123_456)
    '2026-11-23T12:00:00.123456Z'
    >>> to_text(-10**18)
    '0001-01-01T00:00:00.000000Z'
    """
    when = _EPOCH + timedelta(microseconds=min(max(microseconds, _FIRST), _LAST))
    return when.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def from_text(text: str) -> int:
    """Return microseconds since 1970 of an RFC 3339 time with an offset: the one way in which a time is read.

    Letters may be lower case; what is finer than a microsecond is cut; a leap second is the second after it. Raises
    ValueError, in words for the sender, for a text that is not such a time, or lies beyond the years 1 to 9999 in UTC.

    >>> from_text("1970-01-01t01:00:00.5+01:00")
    500000
    >>> from_text("2016-12-31T23:59:60Z") == from_text("2017-01-01T00:00:00Z")
    True
    """
    found = _microseconds(text)
    if not _FIRST <= found <= _LAST:
        raise ValueError("expected a time within the years 1 to 9999 in UTC")
    return found


def normalised(text: str) -> str:
    """Return a time as `to_text` writes it. One that its offset carries beyond the calendar is the calendar's end.

    >>> normalised("0001-01-01T00:00:00+14:00")
    '0001-01-01T00:00:00.000000Z'
    """
    return text if _is_normal(text) else to_text(_microseconds(text))


def _microseconds(text: str) -> int:
    parts = _parts_of(text)
    if parts is None:
        raise ValueError("expected a time as RFC 3339 with an offset, such as 2026-11-23T12:00:00Z")
    date, minute, second, fraction, offset = parts.groups()
    is_leap = second == "60"
    plain = f"{date}T{minute}:{'59' if is_leap else second}{(fraction or '')[:7]}{offset.upper()}"
    try:
        found = (datetime.fromisoformat(plain) - _EPOCH) // timedelta(microseconds=1)
    except ValueError as error:
        raise ValueError(f"expected a time that exists: {error}") from None
    if is_leap:
        # RFC 3339 §5.7: a leap second is the last of a day in UTC.
        if found % _DAY < _DAY - _SECOND:
            raise ValueError("expected a time that exists: a leap second is the last of a day in UTC")
        found += _SECOND
    return found
