"""`change-ledger` with a clock that stands where a file says, so that a made-up history is recorded when it happens.

For the demo alone: `python scripts/then.py FILE WORDS…` runs the command line. FILE holds the time that it is there, and the time by this
machine when that was said, in nanoseconds since 1970; the clock runs on from there.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ledger import clock

_file = Path(sys.argv.pop(1))


def _behind_ns() -> int:
    """Return how far the file's time lies behind this machine's: since it was written, the clock ran on."""
    said = _file.read_text().split()
    return int(said[1]) - int(said[0])


def _wall_ns() -> int:
    return time.time_ns() - _behind_ns()


def _steady_ns() -> int:
    return clock.steady_ns() - _behind_ns()


@dataclass
class Then(clock.Clock):
    """A clock whose two times are moved alike."""

    wall_ns: Callable[[], int] = _wall_ns
    steady_ns: Callable[[], int] = _steady_ns


if __name__ == "__main__":
    clock.Clock = Then  # type: ignore[misc]
    from api.cli import main

    main()
