"""Crashes: a real server under load is killed at random moments, and nothing that it acknowledged is lost or altered.

Its process of views is killed too: alone, with its front, or left to notice that the front is gone. Afterwards the views are what
a rebuild gives. Clients behave as clients should: who got no answer sends the same again. The killing of the database server itself, and
histories that were lost with it, are in `test_processes`.
"""

import base64
import itertools
import os
import random
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from ledgers import ENTRY_KEY, create_ledger
from programs import kill, program
from views_processes import views_processes
from waiting import wait_for

from ledger.audit.of_database import audit_database
from ledger.audit.report import Pin
from ledger.log import tables
from ledger.log.database import Database
from ledger.stewardship.credentials import issue_token
from projections import VIEWS
from projections.engine.checking import check
from signing import keys
from signing.merkle import leaf_hash

ROOT = Path(__file__).parents[3]
CLIENTS = 4
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
SINGLE = {"Content-Type": "application/cloudevents+json"}
Event = dict[str, Any]
Pair = tuple[str, str]


class Server:
    """The ledger's server, as a process of its own."""

    def __init__(self, directory: Path, database_url: str) -> None:
        self._command = program("--directory", directory, "--database-url", database_url, "serve", "--port", "0")
        self._environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "CHANGE_LEDGER_KNOWN_LEDGERS": str(directory / "known-ledgers"),
            "CHANGE_LEDGER_VIEWS": "beside",
        }
        self._directory = directory
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        log = self._directory / "server.log"
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._directory,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("serving http://"), f"the server did not start: {log.read_text()[-2000:]}"
        self.url = line.split()[1]

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end. Returns the exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if number == signal.SIGKILL:
            status = kill(process)
        else:
            process.send_signal(number)
            status = process.wait(600)
        if process.stdout is not None:
            process.stdout.close()
        return status


@dataclass
class Load:
    """Clients that post, and remember what they sent and what was acknowledged."""

    token: str
    largest: int
    url: str = ""
    sent: dict[Pair, Event] = field(default_factory=dict)
    acknowledged: dict[Pair, dict[str, Any]] = field(default_factory=dict)
    requests: int = 0
    answers: int = 0
    wrong: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    stopping: bool = False
    resting: int = 0

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)

    def client(self, seed: int) -> None:
        """Post until told to stop. Half of what got no answer is sent again at once, the rest is left to the end."""
        chance = random.Random(seed)
        unanswered: list[list[Event]] = []
        while not self.stopping:
            url = self.url
            with httpx.Client(
                base_url=url, headers={"Authorization": f"Bearer {self.token}"}, timeout=600, verify=False
            ) as client:
                try:
                    while not self.stopping:
                        events = unanswered.pop() if unanswered else self._events(chance)
                        self._note(events)
                        self._take(events, _post(client, events, atomic=chance.random() < 0.3))
                except httpx.TransportError as error:
                    if isinstance(error, httpx.ConnectError) or chance.random() < 0.5:
                        unanswered.append(events)
            self._wait_for_another(url)

    def _note(self, events: list[Event]) -> None:
        with self.changed:
            self.sent |= {(event["source"], event["id"]): event for event in events}
            self.requests += 1
            self.changed.notify_all()

    def _wait_for_another(self, url: str) -> None:
        """Killed: there is nobody to ask until the next server stands there. Or this one was busy, and is asked again."""
        with self.changed:
            self.changed.wait_for(lambda: self.stopping or self.url != url, 0.1)

    def _events(self, chance: random.Random) -> list[Event]:
        with self.changed:
            numbers = [next(self._numbers) for _ in range(chance.choice((1, 1, 1, 2, self.largest // 5, self.largest)))]
        return [_opened(number) if number % 5 == 0 else _deployment(number) for number in numbers]

    def _take(self, events: list[Event], answer: httpx.Response) -> None:
        with self.changed:
            self.answers += 1
            self.changed.notify_all()
            for event, status, receipt in _receipts(events, answer):
                pair = (event["source"], event["id"])
                if status == 503:
                    continue
                if receipt is None or (receipt["source"], receipt["id"]) != pair:
                    self.wrong.append(f"{pair}: {status} {answer.text[:300]}")
                elif self.acknowledged.setdefault(pair, receipt) != receipt:
                    self.wrong.append(f"{pair}: {receipt} after {self.acknowledged[pair]}")

    def moved_to(self, url: str) -> None:
        with self.changed:
            self.url = url
            self.changed.notify_all()

    def wait_for_traffic(self, answers: int, requests: int) -> None:
        """Return right after that many more answers came, and then that many more requests left."""
        with self.changed:
            goal = self.answers + answers
            assert self.changed.wait_for(lambda: self.wrong or self.answers >= goal, 600), "the server answers nothing"
            goal = self.requests + requests
            assert self.changed.wait_for(lambda: self.wrong or self.requests >= goal, 600), "the clients send nothing"
            assert self.wrong == []

    def ended(self, client: Future[None]) -> None:
        with self.changed:
            if client.exception() is not None:
                self.wrong.append(f"a client broke: {client.exception()!r}")
            self.resting += 1
            self.changed.notify_all()

    def stop(self) -> None:
        with self.changed:
            self.stopping = True
            self.changed.notify_all()

    def wait_for_rest(self) -> None:
        """Return when every client has ended."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.resting == CLIENTS, 600), "a client does not end"


def _deployment(number: int) -> Event:
    data = {
        "deployment_id": f"deploy-{number}",
        "change_id": f"CHG-{number % 7}",
        "service": f"service-{number % 3}",
        "environment": "prod",
        "outcome": "success",
    }
    return _event(number, "deployment.finished", data)


def _opened(number: int) -> Event:
    data = {
        "actor": "person:alice",
        "change_id": f"CHG-{number}",
        "change_type": "normal",
        "services": ["payments-api"],
        "title": f"A text that is salted, number {number}",
    }
    return _event(number, "change.opened", data)


def _event(number: int, event_type: str, data: dict[str, Any]) -> Event:
    return {
        "specversion": "1.0",
        "id": f"crash-{number}",
        "source": f"https://ci.example.com/{number % 2}",
        "type": event_type,
        "time": "2026-11-23T12:00:00Z",
        "data": data,
    }


def _post(client: httpx.Client, events: list[Event], *, atomic: bool) -> httpx.Response:
    if len(events) == 1:
        return client.post("/v1/events", json=events[0], headers=SINGLE)
    return client.post("/v1/events", json=events, headers=BATCH, params={"atomic": "true"} if atomic else {})


def _receipts(events: list[Event], answer: httpx.Response) -> Iterator[tuple[Event, int, dict[str, Any] | None]]:
    """Yield each event with its status and its receipt, if it has one."""
    document = answer.json()
    if "items" in document:
        for event, item in zip(events, document["items"], strict=True):
            yield event, item["status"], item.get("receipt")
    elif len(events) == 1:
        yield events[0], answer.status_code, document if answer.is_success else None
    else:
        for number, event in enumerate(events):
            yield event, answer.status_code, document["receipts"][number] if answer.is_success else None


@contextmanager
def under_load(directory: Path, database_url: str, seed: int, largest: int) -> Iterator[tuple[Server, Load, bytes]]:
    """A new ledger, its server, and clients that post to it; with the hash of its genesis."""
    keys.save(ENTRY_KEY, directory / "keys" / "entry.pem")
    ledger = create_ledger(database_url)
    _, token, _ = issue_token(ledger, actor="person:root", principal="service:ci", kind="service", roles=["reporter"])
    with ledger.database.engine.connect() as connection:
        e = tables.entries.c
        genesis = leaf_hash(connection.execute(sa.select(e.entry).where(e.position == 1)).scalar_one())
    ledger.close()
    server, load = Server(directory, database_url), Load(token, largest)
    with ThreadPoolExecutor(CLIENTS) as pool:
        try:
            server.start()
            load.moved_to(server.url)
            clients = [pool.submit(load.client, seed + number) for number in range(CLIENTS)]
            for client in clients:
                client.add_done_callback(load.ended)
            yield server, load, genesis
            load.stop()
            for client in clients:
                client.result(600)
        finally:
            load.stop()
            server.end(signal.SIGKILL)


def kill_again_and_again(directory: Path, database_url: str, kills: int, seed: int, largest: int) -> None:
    # At the end everything is folded twice: events by the sixty take as long again as all the killing.
    # Of four, the first and the third kill the front, the second its views alone, the fourth both.
    chance = random.Random(seed)
    with under_load(directory, database_url, seed, largest) as (server, load, genesis):
        for number in range(kills):
            # A request has just left when the signal is sent, and others are on their way: in the queue, in a
            # transaction, in COMMIT, or answered in part.
            load.wait_for_traffic(chance.randint(1, 6), chance.randint(1, 40))
            if number % 2:
                for folding in views_processes(directory):
                    os.kill(folding, signal.SIGKILL)
            if number % 4 == 1:
                continue
            assert server.end(signal.SIGKILL) == -signal.SIGKILL
            server.start()
            load.moved_to(server.url)
        load.wait_for_traffic(1, 1)
        load.stop()
        # Who was about to post when it was told to stop has posted, and what it sent is known.
        load.wait_for_rest()
        assert load.wrong == []
        resent = send_again(server.url, load)
        # All of them are folded for the first time here, if no process of views has lived for long enough.
        wait_for(lambda: _is_kept_up(server.url))
        assert server.end(signal.SIGTERM) in (0, -signal.SIGTERM)
    database = Database(database_url)
    everything_acknowledged_is_there(database, load, resent)
    report = audit_database(database, pin=Pin(genesis=genesis))
    assert (report.verdict, report.faults) == ("sound", ())
    assert [(view.name, view.is_equal) for view in check(database, VIEWS)] == [(view.name, True) for view in VIEWS]
    database.close()


def _is_kept_up(url: str) -> bool:
    answer = httpx.get(f"{url}/readyz/views", timeout=30)
    return answer.status_code == 200 and answer.json()["views"]["behind"] == 0


def send_again(url: str, load: Load) -> dict[Pair, dict[str, Any]]:
    """Send everything that was ever sent once more: each is a repeat, or was lost unacknowledged and is recorded now."""
    receipts: dict[Pair, dict[str, Any]] = {}
    events = list(load.sent.values())
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {load.token}"}, timeout=600, verify=False
    ) as client:
        for start in range(0, len(events), 500):
            part = events[start : start + 500]
            answer = client.post("/v1/events", json=part, headers=BATCH)
            for event, status, receipt in _receipts(part, answer):
                pair = (event["source"], event["id"])
                assert receipt is not None, f"{pair}: {status}"
                assert status == 200 if pair in load.acknowledged else status in (200, 201), f"{pair}: {status}"
                receipts[pair] = receipt
    return receipts


def everything_acknowledged_is_there(database: Database, load: Load, resent: dict[Pair, dict[str, Any]]) -> None:
    """Every receipt that a client holds is what the database has, byte for byte; every pair has one position; no gap."""
    assert load.acknowledged
    assert {pair: resent[pair] for pair in load.acknowledged} == load.acknowledged
    e = tables.entries.c
    with database.engine.connect() as connection:
        columns = sa.select(e.position, e.leaf_hash, e.signature, e.entry).order_by(e.position)
        stored = {row.position: row for row in connection.execute(columns)}
        conflicts = sa.select(tables.event_types.c.name).where(tables.event_types.c.name == "intake.conflicted")
        assert connection.execute(conflicts).all() == []
    assert list(stored) == list(range(1, len(stored) + 1))
    # The genesis and the token, and everything that was ever sent once.
    assert len(stored) == 2 + len(load.sent)
    assert sorted(receipt["position"] for receipt in resent.values()) == list(range(3, len(stored) + 1))
    for receipt in [*load.acknowledged.values(), *resent.values()]:
        row = stored[receipt["position"]]
        assert row.leaf_hash.hex() == receipt["entry_hash"] == leaf_hash(row.entry).hex()
        assert row.signature == _base64(receipt["signature"])


def _base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def test_a_server_accepts_connections_from_the_line_on_that_says_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    keys.save(ENTRY_KEY, tmp_path / "keys" / "entry.pem")
    create_ledger(url).close()
    server = Server(tmp_path, url)
    server.start()
    try:
        assert httpx.get(f"{server.url}/healthz", timeout=600).status_code == 200
    finally:
        server.end(signal.SIGKILL)


def test_a_server_on_sqlite_that_is_killed_loses_nothing(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    kills, largest = (100, 60) if request.config.getoption("--all") else (5, 15)
    kill_again_and_again(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", kills, seed=20_261_123, largest=largest)


@pytest.mark.postgres
def test_a_server_on_postgresql_that_is_killed_loses_nothing(
    tmp_path: Path, new_postgres: Callable[[], str], request: pytest.FixtureRequest
) -> None:
    kills, largest = (100, 60) if request.config.getoption("--all") else (4, 15)
    kill_again_and_again(tmp_path, new_postgres(), kills, seed=20_261_124, largest=largest)
