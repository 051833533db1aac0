"""A database that acknowledges every byte and answers nothing: whoever asks is told so, the server ends when it is told to, and goes on
by itself when the database is back.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from placed_ledgers import make_ledger_at
from servers import STRUCTURED, Server, check_problem, event, log_server
from sockets import connect, head, is_open, rest
from swallowing import SwallowingProxy, swallowing_proxy
from waiting import wait_for

from ledger.log.bounded import BoundedConnection
from ledger.log.database import Database, is_outage

LONG_S = 120.0


@pytest.fixture
def proxied(new_postgres: Callable[[], str]) -> Iterator[tuple[str, str, SwallowingProxy]]:
    """Give the URL of a database, its URL by way of a proxy, and the proxy."""
    url = sa.make_url(new_postgres())
    assert url.port is not None
    with swallowing_proxy(url.port) as proxy:
        there = url.set(host="127.0.0.1", port=proxy.port)
        yield url.render_as_string(hide_password=False), there.render_as_string(hide_password=False), proxy


def request(server: Server, document: dict[str, object]) -> bytes:
    body = json.dumps(document).encode()
    more = {"Content_Type": STRUCTURED, "Content_Length": len(body), "Connection": "close"}
    return head("POST", "/v1/events", Authorization=f"Bearer {server.tokens['all']}", **more) + body


def is_alive(server: Server) -> bool:
    return httpx.get(f"{server.url}/healthz", timeout=LONG_S).status_code == 200


def test_a_database_that_answers_nothing_is_told_to_whoever_asks_and_taken_up_again(
    tmp_path: Path, proxied: tuple[str, str, SwallowingProxy]
) -> None:
    direct, there, proxy = proxied
    tokens = make_ledger_at(tmp_path / "var", direct)
    more = {"CHANGE_LEDGER_DATABASE_URL": there, "CHANGE_LEDGER_DATABASE_TIMEOUT_S": "3"}
    with log_server(tmp_path / "var", tokens=tokens, **more) as server:
        acknowledged = server.record(event())["position"]
        proxy.swallows = True
        posted = event(id="held-up")
        taken_back = event("statement.withdrawn", actor="person:ann", position=acknowledged, reason="x")
        with connect(server) as one, connect(server) as other:
            # A withdrawal looks at what it takes back, where nobody else waits for that.
            other.sendall(request(server, taken_back))
            one.sendall(request(server, posted))
            assert is_alive(server)
            for connection in (one, other):
                answer = rest(connection)
                assert answer.startswith(b"HTTP/1.1 503")
                assert b"retry-after" in answer
        check_problem(server.get("/readyz", by="nobody"), 503)
        assert is_alive(server)
        proxy.swallows = False
        # Nobody starts anything again: what is opened from now on is answered.
        receipt = wait_for(lambda: answered(server, posted), "the database is taken up again")
        assert receipt["position"] == acknowledged + 1
        wait_for(lambda: server.get("/readyz", by="nobody").status_code == 200, "it is ready again")
        assert server.get(f"/v1/events/{acknowledged}").status_code == 200


def answered(server: Server, document: dict[str, object]) -> dict[str, object] | None:
    answer = server.post(document)
    assert answer.status_code in (200, 201, 503)
    return answer.json() if answer.status_code != 503 else None


def test_health_is_answered_while_many_long_questions_wait_for_a_database_that_answers_nothing(
    tmp_path: Path, proxied: tuple[str, str, SwallowingProxy]
) -> None:
    direct, there, proxy = proxied
    tokens = make_ledger_at(tmp_path / "var", direct)
    more = {"CHANGE_LEDGER_DATABASE_URL": there, "CHANGE_LEDGER_DATABASE_TIMEOUT_S": "30"}
    with log_server(tmp_path / "var", tokens=tokens, **more) as server, contextlib.ExitStack() as stack:
        receipt = server.record(event())
        readers = [server.issue_token("auditor")[1] for _ in range(5)]
        proxy.swallows = True
        asked = [stack.enter_context(connect(server)) for _ in range(10 * len(readers))]
        for number, connection in enumerate(asked):
            shown = {"Authorization": f"Bearer {readers[number % len(readers)]}", "Connection": "close"}
            # Lists and short reads.
            path = "/v1/events" if number < len(asked) // 2 else f"/v1/events/{receipt['position']}"
            connection.sendall(head("GET", path, **shown))
        assert is_alive(server)
        check_problem(server.get("/readyz", by="nobody"), 503)
        assert is_alive(server)
        assert any(is_open(connection) for connection in asked)
        proxy.swallows = False
        answers = {rest(connection)[:12] for connection in asked}
        assert answers <= {b"HTTP/1.1 200", b"HTTP/1.1 503"}
        wait_for(lambda: server.get("/readyz", by="nobody").status_code == 200, "it is ready again")
        assert server.get(f"/v1/events/{receipt['position']}").status_code == 200


@pytest.mark.parametrize("timeout_s", ["5", "3600"], ids=["given up", "waited for"])
def test_a_server_ends_when_it_is_told_to_whatever_its_database_does(
    tmp_path: Path, proxied: tuple[str, str, SwallowingProxy], timeout_s: str
) -> None:
    direct, there, proxy = proxied
    tokens = make_ledger_at(tmp_path / "var", direct)
    more = {"CHANGE_LEDGER_DATABASE_URL": there, "CHANGE_LEDGER_DATABASE_TIMEOUT_S": timeout_s}
    with log_server(tmp_path / "var", tokens=tokens, **more) as server:
        receipts = [server.record(event()) for _ in range(3)]
        # By a connection of the server that was never the writer's.
        assert server.size() == receipts[-1]["position"]
        proxy.swallows = True
        with connect(server) as stuck:
            stuck.sendall(request(server, event()))
            assert is_alive(server)
            assert is_open(stuck)
            server.process.terminate()
            try:
                server.process.wait(LONG_S)
            finally:
                server.process.kill()
            assert rest(stuck)[:12] in (b"", b"HTTP/1.1 503")
    database = Database(direct)
    with database.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT max(position) FROM entries").scalar()
    database.close()
    assert found is not None
    assert found >= receipts[-1]["position"]


def test_a_statement_is_waited_for_so_long_and_its_connection_given_up(
    proxied: tuple[str, str, SwallowingProxy],
) -> None:
    _, there, proxy = proxied
    database = Database(there, answer_within_s=1)
    with database.engine.connect() as connection:
        assert isinstance(connection.connection.dbapi_connection, BoundedConnection)
        # One that takes its time, and comes.
        assert connection.exec_driver_sql("SELECT 7 FROM pg_sleep(0.5)").scalar() == 7
        proxy.swallows = True
        began = time.monotonic()
        with pytest.raises(sa.exc.OperationalError, match="did not answer for 1 s") as failed:
            connection.exec_driver_sql("SELECT 8")
        assert time.monotonic() - began >= 1
        assert is_outage(failed.value)
        proxy.swallows = False
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 9").scalar() == 9
    database.close()
