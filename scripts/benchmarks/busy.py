"""Whether others used the machine while a part was measured: told by the kernel's counters before and after it.

Nothing of ours works then. What others do during a part cannot be told from what its own servers and databases do; what the hypervisor
took from all of them can.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

PROBE_S = 0.3
# Shares of all cores above which figures are not to be judged.
MAX_OTHERS, MAX_STOLEN = 0.15, 0.05


@dataclass(frozen=True)
class Busy:
    """Shares of all cores, and the load average of a minute."""

    others: float
    stolen: float
    load: float

    @property
    def is_much(self) -> bool:
        return self.others > MAX_OTHERS or self.stolen > MAX_STOLEN


class Watch:
    """Begun before a part, asked after it."""

    def __init__(self) -> None:
        self._before = _others()
        self._start = _counters()

    def ended(self) -> Busy:
        total, _, stolen = (now - then for now, then in zip(_counters(), self._start, strict=True))
        share = stolen / total if total else 0.0
        return Busy(round(max(self._before, _others()), 2), round(share, 3), round(os.getloadavg()[0], 2))


def _others() -> float:
    start = _counters()
    time.sleep(PROBE_S)
    total, used, _ = (now - then for now, then in zip(_counters(), start, strict=True))
    return used / total if total else 0.0


def _counters() -> tuple[int, int, int]:
    """Return ticks of all cores since the start: of all kinds, of work, stolen. Zeros where the system does not say."""
    try:
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    except OSError:
        return 0, 0, 0
    # proc(5): user nice system idle iowait irq softirq steal; what guests use is in the first two already.
    user, nice, system, idle, waiting, interrupts, soft, stolen = map(int, words[1:9])
    used = user + nice + system + interrupts + soft
    return used + idle + waiting + stolen, used, stolen
