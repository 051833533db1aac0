"""Waiting until something is so, and the lines that a request leaves in the access log."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from servers import PAUSE_S, Server

WITHIN_S = 30


def wait_for(condition: Callable[[], Any], what: str = "it comes true", *, within_s: float = WITHIN_S) -> Any:
    """Return the first answer that is true. `what` says in words what is waited for."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(PAUSE_S)
    return found


def lines_of(directory: Path, request_id: str) -> list[dict[str, Any]]:
    text = (directory / "access.log").read_text() if (directory / "access.log").exists() else ""
    # The last one may be half there.
    lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in lines if line["request_id"] == request_id]


def line_of(server: Server, request_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = wait_for(lambda: lines_of(server.directory, request_id))
    (line,) = found
    return line
