"""The process that folds the views: `run` is what it does, `ViewsProcess` is how a front starts it, watches it and ends it.

Two pipes join it to its front. Its input says that the front lives: it ends when the front closes it, or is gone, however
that came. Its output says, a line each time that changes, what holds the views up; an empty line for nothing. What it logs
goes where the front's log goes. It needs no key, and nothing of the log passes through the pipes: both read the database.

Which of several such processes folds is decided in the database (`projections.engine.runner`); the others stand by.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from api.ending import end_within
from api.settings import PREFIX, Settings
from ledger.log.database import Database
from ledger.log.following import Watcher
from projections import VIEWS
from projections.engine.runner import Runner

# This process does nothing else: a look at one page, so often, costs it nothing, and is what a reader of its own write waits for.
SQLITE_POLL_S: Final = 0.004
# How soon one that died is started again: doubled each time, and the first again after it has lived for so long.
FIRST_WAIT_S: Final = 1.0
MOST_WAIT_S: Final = 30.0
LIVED_S: Final = 60.0
# A batch is written, or not, by then; dying in one repeats nothing.
STOPPING_S: Final = 10.0
STOPPING: Final = {signal.SIGTERM, signal.SIGINT}
log = logging.getLogger("change_ledger")


def run(database: Database, *, beside_a_front: bool, started: Callable[[], None] = lambda: None) -> None:
    """Fold the views until told to stop: by the input's end beside a front, by SIGTERM or SIGINT otherwise.

    The batch that is being written is finished first.
    """
    # Before any thread, which would have its own: beside a front a terminal's or a service manager's signals to all processes
    # count for nothing, for its order of stopping is the one that counts.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    watcher = Watcher(database, poll_s=SQLITE_POLL_S)
    runner = Runner(database, VIEWS, watcher, tell=_tell if beside_a_front else lambda problem: None)
    runner.start()
    if beside_a_front:
        # What was said of the one before does not hold any more.
        _tell(None)
    started()
    if beside_a_front:
        while sys.stdin.buffer.read(1024):
            pass
    else:
        signal.sigwait(STOPPING)
    # Nobody is left to end a process that a database holds up. Dying in a batch repeats nothing.
    end_within(STOPPING_S)
    runner.close()
    watcher.close()


def _tell(problem: str | None) -> None:
    try:
        print(problem or "", flush=True)
    except OSError:
        return  # The front is gone, and this process about to end.


class ViewsProcess:
    """The process that folds the views, beside this one: started, started again when it dies, and ended."""

    def __init__(self, settings: Settings) -> None:
        self._environment = {
            **os.environ,
            # Not as options: those show in the list of processes.
            f"{PREFIX}DIRECTORY": str(settings.directory),
            f"{PREFIX}DATABASE_URL": settings.database_url,
        }
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="views process", daemon=True)
        self.problem: str | None = None

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Let it finish its batch, and end. Waits for that a while."""
        with self._lock:
            self._closing.set()
            process = self._process
            if process is not None and process.stdin is not None:
                process.stdin.close()
        if process is not None:
            try:
                process.wait(STOPPING_S)
            except subprocess.TimeoutExpired:
                # Dies in a batch: it is folded again from what is stored.
                process.kill()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._closing.is_set():
            began = time.monotonic()
            how = self._run_once()
            if self._closing.is_set():
                return
            wait_s = FIRST_WAIT_S if time.monotonic() - began > LIVED_S else wait_s
            self.problem = f"the process that folds the views {how}; it is started again in {wait_s:g} s"
            log.error("%s", self.problem)
            self._closing.wait(wait_s)
            wait_s = min(2 * wait_s, MOST_WAIT_S)

    def _run_once(self) -> str:
        """Start one, note what it tells until it ends, and return how that was."""
        with self._lock:
            if self._closing.is_set():
                return "was not started"
            try:
                process = self._process = self._started()
            except OSError as error:
                return f"could not be started ({error.strerror})"
        # `close` ends its input; here only what is over is closed.
        with process:
            # Ends when the process does, whatever ended it.
            for line in process.stdout or ():
                self.problem = line.strip() or None
            status = process.wait()
        return f"was killed by signal {-status}" if status < 0 else f"ended with {status}"

    def _started(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "api.cli", "views", "run", "--beside-a-front"],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Of no terminal: what is typed there is for the front.
            start_new_session=True,
        )
