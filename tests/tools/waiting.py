"""Waiting until something is so, and the lines that a request leaves in the access log."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from servers import PAUSE_S, START_TIMEOUT_S, Server


def wait_for(condition: Callable[[], Any], what: str = "it comes true") -> Any:
    """Return the first answer that is true; only what hangs is given up. `what` says in words what is waited for."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(PAUSE_S)
    return found


def settle(server: Server) -> None:
    """Return when no answer of a server changes that is told nothing more: its views and its checkpoint have come to its last entry."""
    size = server.size()
    server.wait_for_checkpoint(size)
    wait_for(lambda: server.get("/readyz").json()["views"]["position"] >= size)


def lines_of(directory: Path, request_id: str) -> list[dict[str, Any]]:
    text = (directory / "access.log").read_text() if (directory / "access.log").exists() else ""
    # The last one may be half there.
    lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in lines if line["request_id"] == request_id]


def line_of(server: Server, request_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = wait_for(lambda: lines_of(server.directory, request_id))
    (line,) = found
    return line
