"""A server in this process, whose ledger has a clock that the test moves on: for what happens over days."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from servers import GITHUB_SECRET, START_TIMEOUT_S, Server, make_ledger
from waiting import wait_for

import api.app
from api.http import serving
from api.opening import open_ledger
from api.settings import Settings
from ledger.ledger import Ledger


class Moved:
    """How far the clocks of a ledger are ahead of this machine's."""

    def __init__(self) -> None:
        self._ahead_ns = 0

    def pass_time(self, **span: float) -> None:
        """Let so much time pass: hours=3."""
        self._ahead_ns += round(timedelta(**span).total_seconds()) * 1_000_000_000

    def now(self, **ago: float) -> str:
        """Return the time, or one that is so long ago, as producers write it."""
        at = datetime.fromtimestamp((time.time_ns() + self._ahead_ns) / 1e9, UTC) - timedelta(**ago)
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")

    def open(self, settings: Settings) -> Ledger:
        ledger = open_ledger(settings)
        wall_ns, steady_ns = ledger.clock.wall_ns, ledger.clock.steady_ns
        ledger.clock.wall_ns = lambda: wall_ns() + self._ahead_ns
        ledger.clock.steady_ns = lambda: steady_ns() + self._ahead_ns
        return ledger


@contextmanager
def moved_server(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, Moved]]:
    """Serve a new ledger from a thread, until the test is done."""
    moved, made, ports = Moved(), [], []
    ready = threading.Event()
    run, listen = serving._Server.run, serving.listen

    def listening(host: str, port: int) -> Any:
        taken = listen(host, port)
        ports.append(taken.getsockname()[1])
        return taken

    def running(server: Any, sockets: Any) -> None:
        made.append(server)
        ready.set()
        run(server, sockets=sockets)

    monkeypatch.setattr(api.app, "open_ledger", moved.open)
    monkeypatch.setattr(serving, "listen", listening)
    monkeypatch.setattr(serving._Server, "run", running)
    tokens = make_ledger(directory)
    settings = Settings(directory=directory, views="inside", secrets={"github": GITHUB_SECRET}, access_log="off")
    thread = threading.Thread(target=serving.serve, args=(api.app.create_app(settings), "127.0.0.1", 0))
    thread.start()
    assert ready.wait(START_TIMEOUT_S)
    server = Server(directory, f"http://127.0.0.1:{ports[0]}", tokens, None, {})  # type: ignore[arg-type]
    try:
        # All views are built for the first time.
        wait_for(lambda: all(view["position"] for view in server.get("/v1/views").json()["views"]))
        yield server, moved
    finally:
        for client in server._clients.values():
            client.close()
        made[0].should_exit = True
        thread.join(START_TIMEOUT_S)
