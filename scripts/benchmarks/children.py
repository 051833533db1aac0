"""What runs in a process of its own: `python -m benchmarks.children memory|audit|compute [URL]`.

memory    audit once; print peak memory as JSON
audit     audit again and again, signatures included, until terminated
compute   compute until terminated: what any busy neighbour costs
"""

import hashlib
import json
import sys
import threading
from pathlib import Path


class Peak:
    """Samples the memory that is this process's own: a mapped file is resident too, though the system may drop it at any time."""

    def __init__(self) -> None:
        self.own_kib = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(0.005):
            self.own_kib = max(self.own_kib, _status_kib("RssAnon"))


def _status_kib(name: str) -> int:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    found = status.partition(f"{name}:")[2].split()
    return int(found[0]) if found else 0


def memory(url: str) -> None:
    from ledger.audit.of_database import audit_database
    from ledger.log.database import Database

    peak = Peak()
    report = audit_database(Database(url), signatures=False, workers=1)
    peak.stop()
    # Not ru_maxrss: that begins with what the parent had when it forked.
    print(json.dumps({"entries": report.entries, "own_kib": peak.own_kib, "resident_kib": _status_kib("VmHWM")}))


def audit(url: str) -> None:
    from ledger.audit.of_database import audit_database
    from ledger.log.database import Database

    database = Database(url)
    print("ready", flush=True)
    while True:
        audit_database(database, workers=1)


def compute() -> None:
    print("ready", flush=True)
    digest = b""
    while True:
        digest = hashlib.sha256(digest).digest()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["memory", url]:
            memory(url)
        case ["audit", url]:
            audit(url)
        case ["compute"]:
            compute()
        case other:
            sys.exit(f"expected memory URL, audit URL or compute, found {other}")
