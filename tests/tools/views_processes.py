"""The processes that fold views for the server of a directory, found as an operator would: in the list of processes."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from servers import Server
from waiting import wait_for


def views_processes(directory: Path) -> list[int]:
    """Return the ids of processes that run beside the front of a directory."""
    mark = f"CHANGE_LEDGER_DIRECTORY={directory}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"--beside-a-front" in words and mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def views_process(server: Server) -> int:
    """Return the id of a server's views process once there is one."""
    [found] = wait_for(lambda: views_processes(server.directory))
    return int(found)


def kill_views(server: Server) -> int:
    """Kill a server's views process, and return which it was."""
    killed = views_process(server)
    os.kill(killed, signal.SIGKILL)
    return killed


def wait_for_views(server: Server) -> dict[str, object]:
    """Return what `/readyz/views` says once all views are kept up."""

    def kept_up() -> dict[str, object] | None:
        answer = server.get("/readyz/views", by="nobody")
        found = answer.json()
        return found if answer.status_code == 200 and found["views"]["behind"] == 0 else None

    ready: dict[str, object] = wait_for(kept_up)
    return ready
