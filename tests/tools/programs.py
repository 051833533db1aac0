"""`change-ledger` as a process of its own, from a process that has imported it: `program(*words)` is the command line.

The process is forked, not started anew: that saves the seconds of importing, of which the tests would spend most of their
time. That the program starts in a fresh interpreter, too, is for tests of its own (tests/api/cli).
"""

import atexit
import contextlib
import functools
import subprocess
import sys
import tempfile
from pathlib import Path

from sessions import warm_commands

WARM = Path(__file__).with_name("warm.py")


@functools.cache
def warm() -> Path:
    """Return the socket of the process that forks: one for all tests of this process, until it ends."""
    ends = contextlib.ExitStack()
    atexit.register(ends.close)
    directory = ends.enter_context(tempfile.TemporaryDirectory(prefix="warm-"))
    return ends.enter_context(warm_commands(Path(directory) / "socket"))


def program(*words: object) -> list[str]:
    """Return the command line that runs `change-ledger` with these words in a forked process."""
    return [sys.executable, "-I", "-S", str(WARM), "run", str(warm()), *map(str, words)]


def script(code: str, *arguments: object) -> list[str]:
    """Return the command line that runs a Python program in a forked process; it imports the tools of the tests as these do."""
    return program("-c", code, *arguments)


def run(*words: object) -> subprocess.CompletedProcess[str]:
    """Run `change-ledger` with these words, and return how it ended and what it said."""
    return subprocess.run(program(*words), capture_output=True, text=True, timeout=600, check=False)


def kill(process: subprocess.Popen[str]) -> int:
    """Kill a program whose output is piped here. Returns its status once the forked process is gone, too."""
    process.kill()
    status = process.wait(600)
    assert process.stdout is not None
    # The pipe ends with the last process that holds it.
    process.stdout.read()
    return status
