"""P13: what a command costs, in time of the processor, from its start to its end. Beside it a Python that imports the library of commands.

Not how long it takes: that is the server's affair, too.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from servers import event, running_server  # type: ignore[import-not-found,unused-ignore]

from benchmarks.measure import Contender, Row, beside, limit, take_turns

COMMAND = Path(sys.executable).parent / "change-ledger"
BARE = "python -c 'import typer'"
# Of a second of one core; and how many times the bare start.
AT_MOST_MS, AT_MOST_TIMES = 500, 4


def measure(directory: Path, rounds: int) -> list[Row]:
    """Return the lines of P13: without a server, and for two commands against one."""
    with running_server(directory / "starting") as server:
        server.post(event())
        there = ("--server", server.url, "--token", server.tokens["all"])
        asked = ("gate", "deploy", "--service", "api", "--environment", "prod", "--change", "CHG-1")
        contenders = {
            "--version": _starts([COMMAND, "--version"], (0,)),
            "show": _starts([COMMAND, *there, "show", "1"], (0,)),
            # Nothing is known of the change: the gate answers, and does not allow.
            "gate": _starts([COMMAND, *there, *asked], (1,)),
            BARE: _starts([sys.executable, "-c", "import typer"], (0,)),
        }
        rates = take_turns(contenders, rounds)
    rows = []
    for name in ("--version", "show", "gate"):
        work = f"change-ledger {name}"
        rows.append(beside("P13", work, rates, name, BARE, at_least=1 / AT_MOST_TIMES, unit="starts/CPU s"))
        rows.append(limit("P13", work, 1000 / rates.median(name), "ms of CPU", at_most=AT_MOST_MS))
    return rows


def _starts(words: Sequence[str | Path], statuses: tuple[int, ...]) -> Contender:
    def contender(number: int) -> float:
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in statuses:
            raise RuntimeError(f"{words} ended with {process.returncode}, expected {statuses}")
        return 1 / (used.ru_utime + used.ru_stime)

    return contender
