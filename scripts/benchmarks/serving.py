"""P2, P3 and P9: over HTTP, one front and its process of views, as the command `serve` starts them; the load is a process of its own."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from benchmarks.appending import append_through_writer, in_groups_of
from benchmarks.events import groups
from benchmarks.load import Answer, Order
from benchmarks.measure import Rates, Row, beside, limit, take_turns, timed
from benchmarks.places import Keys, Place, PostgresPlace, create, reporter
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.writer import Writer

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 64
BATCH, BATCH_CLIENTS = 100, 8
WARM_UP_S = 0.4


def python(*arguments: str, more: Mapping[str, str] | None = None) -> list[str]:
    """Return the command line of a Python that finds the program and the benchmark."""
    paths = os.pathsep.join(
        [*(str(ROOT / room) for room in (".", "scripts", "tests/tools")), os.environ.get("PYTHONPATH", "")]
    ).rstrip(os.pathsep)
    settings = {"PYTHONPATH": paths} | dict(more or {})
    return ["env", *(f"{name}={value}" for name, value in settings.items()), sys.executable, *arguments]


class Served(NamedTuple):
    """A running server."""

    port: int
    pid: int

    def cpu_s(self) -> float:
        """Return the processor time of the process so far, without that of its children."""
        # proc(5): the second field is in brackets, and may hold anything; the 14th and 15th are ticks of user and system.
        words = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(command: list[str], directory: Path, *, by_interrupt: bool = False) -> Iterator[Served]:
    """Run a server until the end of the block; yields it when it accepts connections. A profiler is ended by an interrupt."""
    with (directory / "server.log").open("ab") as log:
        server = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        while by_interrupt and line and not line.startswith("serving "):
            line = server.stdout.readline()
        if not line.startswith("serving "):
            raise RuntimeError("the server did not start: " + (directory / "server.log").read_text()[-2000:])
        port = int(line.strip().rpartition(":")[2])
        _wait_until_listening(port, server)
        yield Served(port, server.pid)
    finally:
        server.send_signal(signal.SIGINT if by_interrupt else signal.SIGTERM)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_listening(port: int, server: subprocess.Popen[str]) -> None:
    # uvicorn says where it will listen as soon as the port is its own; it listens when the application has started.
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


class Load:
    """The process that makes requests. Numbers of events go on from order to order, so that none is a repeat."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            python("-m", "benchmarks.load"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._next = 1

    def close(self) -> None:
        self._process.communicate()

    def put(
        self,
        port: int,
        token: str,
        *,
        seconds: float,
        clients: int = CLIENTS,
        batch: int = 1,
        rate: float | None = None,
    ) -> Answer:
        order = Order(port, token, clients, seconds, self._next, batch, rate)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        answer = Answer(**json.loads(self._process.stdout.readline()))
        if answer.wrong:
            raise RuntimeError(f"expected only 201, found {answer.statuses}: {answer.wrong}")
        self._next += answer.used
        return answer


def settings_of(directory: Path, url: str) -> dict[str, str]:
    """Return the settings of a server on a ledger whose keys lie in `directory`."""
    return {
        "CHANGE_LEDGER_DIRECTORY": str(directory),
        "CHANGE_LEDGER_DATABASE_URL": url,
        # All load comes from one credential and one address: the limits are asked, and never reached.
        "CHANGE_LEDGER_LIMITS": '{"credential_per_minute": 100000000, "address_per_minute": 100000000}',
        "CHANGE_LEDGER_KNOWN_LEDGERS": str(directory / "known-ledgers"),
    }


def measure(place: Place, keys: Keys, *, seconds: float, rounds: int) -> list[Row]:
    """Return the lines of P2, P3 and P9 for one kind of database."""
    url = place.new("served")
    token = create(url, keys)
    more = settings_of(keys.directory, url)
    load = Load()
    try:
        with (
            serving(python("-m", "api.cli", "serve", "--port", "0", more=more), keys.directory) as front,
            serving(python("-m", "benchmarks.bare"), keys.directory) as bare,
        ):
            rows = _singles(place, load, front, bare, token, seconds, rounds)
            return [*rows, _batches(place, keys, load, front.port, token, seconds, rounds)]
    finally:
        load.close()


def _singles(
    place: Place, load: Load, front: Served, bare: Served, token: str, seconds: float, rounds: int
) -> list[Row]:
    by_cpu = Rates({"front": [], "bare": []})

    def singles(name: str, to: Served) -> float:
        before = to.cpu_s()
        answer = load.put(to.port, token, seconds=seconds)
        by_cpu.rounds[name].append(answer.events / max(to.cpu_s() - before, 0.01))
        return answer.events / answer.seconds

    for to in (front, bare):
        load.put(to.port, token, seconds=WARM_UP_S)
    rates = take_turns(
        {"ledger": lambda _: singles("front", front), "bare FastAPI": lambda _: singles("bare", bare)},
        rounds,
        warm_up=False,
    )
    what = f"HTTP, {place.name}, single posts, {CLIENTS} clients"
    rows = [
        beside("P2", what, rates, "ledger", "bare FastAPI", at_least=0.5, unit="requests/s"),
        # What neighbours do not change: no bar, and where the other is lost to them, what is left to judge by.
        beside("P2", f"{what}, by the front's own time", by_cpu, "front", "bare", unit="requests/CPU s"),
    ]
    rate = rates.median("ledger") / 2
    answer, floor = (load.put(to.port, token, seconds=2 * seconds, rate=rate) for to in (front, bare))
    found = ", ".join(f"{name} {value:.1f}" for name, value in answer.latency_ms.items())
    times = answer.latency_ms["p99"] / floor.latency_ms["p99"]
    what = f"HTTP, {place.name}, p99 of durable single posts at half of that rate, beside bare FastAPI's"
    half, rare = bare_commits(place, "bare-commits")
    note = (
        f"at {rate:,.0f}/s: {found}; bare p99 {floor.latency_ms['p99']:.1f} ms, and it stores nothing; "
        f"a commit of one row by the driver, alone: {half:.1f}, p99 {rare:.1f} ms"
    )
    return [*rows, limit("P9", what, times, "times", at_most=5, note=note)]


def bare_commits(place: Place, name: str, count: int = 400) -> tuple[float, float]:
    """Return how many milliseconds a durable commit of one row of a kilobyte takes by the bare driver: half of them less, and p99 less."""
    connection: Any
    if isinstance(place, PostgresPlace):
        place.new(name)
        connection, mark = psycopg.connect(place.plain_url(name), autocommit=True), "%s"
    else:
        connection, mark = sqlite3.connect(place.url(name).removeprefix("sqlite:///"), isolation_level=None), "?"
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE bare (number INTEGER PRIMARY KEY, row TEXT)")
    taken = []
    for number in range(count):
        start = time.perf_counter()
        connection.execute(f"INSERT INTO bare VALUES ({mark}, {mark})", (number, "x" * 1000))
        taken.append((time.perf_counter() - start) * 1000)
    connection.close()
    taken.sort()
    return taken[count // 2], taken[int(count * 0.99)]


def _batches(place: Place, keys: Keys, load: Load, port: int, token: str, seconds: float, rounds: int) -> Row:
    per_round = 30
    ledger = Ledger.open(Database(_beside(place, keys)), keys.entry)
    writer, caller = Writer(in_groups_of(BATCH, ledger.append_group)), reporter(ledger)
    work = groups(BATCH)

    def batches(_: int) -> float:
        answer = load.put(port, token, seconds=seconds, clients=BATCH_CLIENTS, batch=BATCH)
        return answer.events / answer.seconds

    try:
        rates = take_turns(
            {
                "ledger": batches,
                "in process (P1)": timed(
                    lambda _: append_through_writer(ledger, caller, writer, list(islice(work, per_round)))
                ),
            },
            rounds,
        )
    finally:
        writer.close()
        ledger.close()
    note = f"the writer joins requests; in process, groups stay at {BATCH}"
    what = f"HTTP, {place.name}, {BATCH} events a request, {BATCH_CLIENTS} clients"
    return beside("P3", what, rates, "ledger", "in process (P1)", at_least=0.8, note=note)


def _beside(place: Place, keys: Keys) -> str:
    url = place.new("beside-batches")
    create(url, keys)
    return url
