"""The ledger's clock: the wall clock, distrusted.

Wall time may jump: a wrong NTP answer, an operator's typo. One forward jump, believed, would freeze `recorded_at` for
years, because it never decreases. So the wall is compared with a clock that cannot be set, over the time since the
last append.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ledger.errors import ClockError

MAX_DISAGREEMENT_US = 60_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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

    def next_recorded_at(self, head_us: int, *, correcting: bool = False) -> int:
        """Return the `recorded_at` of the next group in microseconds: never below `head_us`, unless an operator corrects the clock.

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
        return max(wall, head_us)

    def appended(self) -> None:
        """Remember an append, as the point from which the two clocks are compared."""
        self._last = (self.now_us(), self.steady_ns() // 1000)


def to_text(microseconds: int) -> str:
    """Return `recorded_at` as it stands in entries: UTC, always six decimals.

    >>> to_text(1_795_435_200_123_456)
    '2026-11-23T12:00:00.123456Z'
    """
    return (_EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> int:
    """Return microseconds since 1970 of an RFC 3339 time with offset."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
