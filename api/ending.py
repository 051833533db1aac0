"""The end of a process that is held up: by a database that does not answer, or by whatever else. In order it ends by itself, and sooner."""

import logging
import os
import threading
import time

log = logging.getLogger("change_ledger")


def end_within(seconds: float) -> None:
    """End this process after so many seconds, unless it has ended by then. What was acknowledged is durable before it is."""
    threading.Thread(target=_end_after, args=(seconds,), name="end", daemon=True).start()


def _end_after(seconds: float) -> None:
    time.sleep(seconds)
    log.error(
        "something does not answer: this process ends without it, after %g s; what was acknowledged is recorded",
        seconds,
    )
    os._exit(1)
