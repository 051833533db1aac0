"""What one statement may take: a bound of memory and of processor time, so that a fold that counts to what a stranger wrote fails a test
instead of taking the whole machine. Not a measurement: the bounds are hundreds of times what the dearest statement takes.
"""

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

MEMORY: Final = 1 << 30
PROCESSOR_S: Final = 60.0


class TooMuchError(BaseException):
    """Something took more of the processor than it may. No `except Exception` takes it for its own."""


@contextmanager
def bearable(memory: int = MEMORY, processor_s: float = PROCESSOR_S) -> Iterator[None]:
    """Bound what is done within: MemoryError beyond so many bytes more than now (Linux), TooMuchError beyond so much processor."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooMuchError(f"more than {processor_s:g} seconds of processor")

    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, processor_s)
    if sys.platform == "linux":
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + memory, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
