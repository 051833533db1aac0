"""The access log: one line of JSON for each request that was answered, or left.

A line is written at most FLUSH_S after its answer; a process that is killed loses those of the last moment. What is
recorded in the ledger never rests on it.

    {"time":"2026-11-28T12:00:00.000000Z","request_id":"5f0c9a1b2d3e-1a","client":"192.0.2.7","credential":"token:9f2c41d07b3e",
     "method":"POST","path":"/v1/events","query":"","status":201,"bytes":312,"ms":4.1}
"""

import asyncio
import logging
import os
import sys
import time
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import orjson

from ledger.clock import to_text

FLUSH_S: Final = 0.25
# One file of before is kept: strangers can write lines, and must not fill a disk.
MAX_FILE_BYTES: Final = 64 * 1024 * 1024
log = logging.getLogger("change_ledger")


def access_log_of(target: str, directory: Path) -> "AccessLog | None":
    """Return the access log that the setting of this name asks for."""
    if target == "off":
        return None
    return AccessLog(None if target == "-" else Path(target or directory / "access.log"))


@lru_cache(1)
def _second(seconds: int) -> str:
    return to_text(seconds * 1_000_000)[:19]


def now_text() -> str:
    """Return the time as the ledger writes it. Every request needs it, and a calendar costs more than all else at the edge."""
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_second(seconds)}.{microseconds:06d}Z"


class AccessLog:
    """Lines for a file, which whoever rotates may move away, or for stderr when `path` is None. Used from the event loop alone."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lines: list[bytes] = []
        self._failing = False

    def write(self, line: dict[str, Any]) -> None:
        """Take a line; it is written a moment later, with those that come meanwhile."""
        if not self._lines:
            asyncio.get_running_loop().call_later(FLUSH_S, self.flush)
        self._lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def flush(self) -> None:
        """Write what was taken. A disk that is full stops no request: it is said once, and the lines are lost."""
        lines, self._lines = b"".join(self._lines), []
        if not lines:
            return
        try:
            if self._path is None:
                sys.stderr.buffer.write(lines)
                sys.stderr.buffer.flush()
            else:
                self._append(self._path, lines)
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.warning("the access log cannot be written, and requests go on: %s", error)
            self._failing = True

    def _append(self, path: Path, lines: bytes) -> None:
        # Opened each time: a file that was moved away is left alone.
        with open(path, "ab", opener=partial(os.open, mode=0o600)) as file:
            file.write(lines)
            full = file.tell() > MAX_FILE_BYTES
        if full:
            path.replace(path.with_name(f"{path.name}.1"))
