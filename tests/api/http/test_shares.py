"""What one sender has of the server at once: places, a line behind them, and what is said beyond; and nobody else waits for it."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import bodies
import pytest
from placed_ledgers import make_ledger_at
from servers import BATCH, STRUCTURED, Server, event, log_server, make_ledger, running_server
from sockets import connect, head, is_open, many, refusal, rest
from starlette.requests import ClientDisconnect
from waiting import wait_for

from api.http.auth import ROUTES
from api.http.shares import SHORT, Place, Places
from ledger.log.database import Database
from ledger.log.tables import VIEWS_SCHEMA


def by(server: Server, name: str, method: str, path: str, **headers: object) -> bytes:
    more = {"Connection": "close"} | headers
    return head(method, path, Authorization=f"Bearer {server.tokens[name]}", **more)


def settled(server: Server) -> None:
    """Return when whatever was sent before has been read: what is sent after it is answered."""
    assert server.get("/healthz", by="nobody").status_code == 200


# -- a burst -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("held", "sent"), [(100, 300), (500, 600)])
def test_a_burst_of_whole_requests_by_one_token_keeps_nobody_out(tmp_path: Path, held: int, sent: int) -> None:
    """Each of them waits ten seconds for a checkpoint that nobody signs, and all others are served before the burst is over."""
    tokens = make_ledger(tmp_path / "var")
    (tmp_path / "var" / "keys" / "checkpoint.pem").unlink()
    more = {"CHANGE_LEDGER_MAX_CONNECTIONS": str(held)}
    with log_server(tmp_path / "var", tokens=tokens, **more) as server, contextlib.ExitStack() as stack:
        wanted = {"source": "https://github.com/acme/*", "door": "github", "principal": "service:github"}
        assert server.client("operator").post("/v1/ledger/sources", json=wanted).status_code == 201
        burst = []
        for _ in range(sent):
            body = json.dumps(event()).encode()
            described = {"Content_Type": STRUCTURED, "Content_Length": len(body)}
            burst.append(stack.enter_context(connect(server)))
            with contextlib.suppress(ConnectionError):
                burst[-1].sendall(by(server, "all", "POST", "/v1/events?wait=checkpoint", **described) + body)
        for number in range(20):
            hook = bodies.encoded(bodies.deployment(number))
            headers = bodies.webhook(hook, "deployment")
            posted = server.post(hook, to="/v1/intake/github", by="nobody", kind="application/json", headers=headers)
            assert posted.status_code == 201
            assert server.post(event(), by="reporter").status_code == 201
            assert server.get("/v1/events", by="auditor").status_code == 200
            assert server.get("/v1/ledger", by="nobody").status_code == 200
        over = [connection for connection in burst if not is_open(connection)]
        assert len(over) < len(burst)
        refused = [answer for connection in over if (answer := rest(connection)) and b" 201 " not in answer[:20]]
        assert {refusal(answer)["status"] for answer in refused} <= {429, 503}
        assert all(b"\r\nretry-after: " in answer for answer in refused)
        assert refused


# -- places and the line -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server where everybody has one place, and two wait behind it."""
    limits = '{"credential_at_once": 1, "address_at_once": 1, "waiting": 2}'
    more = {"CHANGE_LEDGER_LIMITS": limits, "CHANGE_LEDGER_BODY_TIMEOUT_S": "3600"}
    with log_server(tmp_path_factory.mktemp("narrow") / "var", **more) as running:
        yield running
        assert "Traceback" not in (running.directory / "server.err").read_text()


FORM = "application/x-www-form-urlencoded"
BODY = json.dumps(event()).encode()


def slow_post(server: Server) -> bytes:
    """Return a post that takes a place, and is not whole without its last byte."""
    begun = by(server, "all", "POST", "/v1/events?dry_run=true", Content_Type=STRUCTURED, Content_Length=len(BODY))
    return begun + BODY[:-1]


def test_whoever_asks_for_more_at_once_waits_and_is_then_told_to_come_again(narrow: Server) -> None:
    ask = by(narrow, "all", "GET", "/v1/events/1")
    with connect(narrow) as first, connect(narrow) as second, connect(narrow) as third, connect(narrow) as fourth:
        for connection, sent in ((first, slow_post(narrow)), (second, ask), (third, ask)):
            connection.sendall(sent)
            settled(narrow)
        fourth.sendall(ask)
        answer = rest(fourth)
        assert refusal(answer)["status"] == 429
        assert b"\r\nretry-after: 1\r\n" in answer
        assert "expected at most 3 requests at once of token:" in refusal(answer)["detail"]
        # Others wait for nothing, and neither does what takes no thread.
        assert narrow.get("/v1/events", by="auditor").status_code == 200
        assert narrow.get("/v1/ledger", by="nobody").status_code == 200
        assert narrow.post(event()).status_code == 201
        assert [is_open(connection) for connection in (first, second, third)] == [True] * 3
        first.sendall(BODY[-1:])
        assert [rest(connection)[:12] for connection in (first, second, third)] == [b"HTTP/1.1 200"] * 3


def test_whoever_leaves_the_line_makes_room_in_it(narrow: Server) -> None:
    ask = by(narrow, "all", "GET", "/v1/events/1")
    with connect(narrow) as first, connect(narrow) as second, connect(narrow) as fourth:
        with connect(narrow) as third:
            for connection, sent in ((first, slow_post(narrow)), (second, ask), (third, ask)):
                connection.sendall(sent)
                settled(narrow)
        settled(narrow)
        fourth.sendall(ask)
        settled(narrow)
        first.sendall(BODY[-1:])
        assert [rest(connection)[:12] for connection in (first, second, fourth)] == [b"HTTP/1.1 200"] * 3


def test_batches_wait_and_are_not_refused(narrow: Server) -> None:
    ask, batch = by(narrow, "all", "GET", "/v1/events/1"), json.dumps([event()]).encode()
    post = by(narrow, "all", "POST", "/v1/events", Content_Type=BATCH, Content_Length=len(batch)) + batch
    with many(narrow, 4) as connections:
        for connection, sent in zip(connections, (slow_post(narrow), ask, ask, post), strict=True):
            connection.sendall(sent)
            settled(narrow)
        assert is_open(connections[3])
        connections[0].sendall(BODY[-1:])
        assert rest(connections[3]).startswith(b"HTTP/1.1 201")


def test_strangers_of_a_network_share_its_places_and_health_has_others(narrow: Server) -> None:
    """Who signs in with a body that does not come holds a place of the network: known callers do not come by it, nor does health."""
    begun = head("POST", "/console/sign-in", Host="127.0.0.1", Content_Type=FORM, Content_Length=9)
    with many(narrow, 4) as strangers:
        strangers[0].sendall(begun)
        settled(narrow)
        for stranger in strangers[1:]:
            stranger.sendall(head("GET", "/v1/ledger", Connection="close"))
            settled(narrow)
        assert "requests at once of addresses of 127.0.0.0/24" in refusal(rest(strangers[3]))["detail"]
        assert narrow.get("/readyz", by="nobody").status_code == 200
        assert narrow.get("/v1/events", by="auditor").status_code == 200
        assert [is_open(stranger) for stranger in strangers[:3]] == [True] * 3


# -- long questions ----------------------------------------------------------------------------------------------------


def test_every_short_read_is_a_route() -> None:
    formats = {path.replace(":path}", "}").replace(":int}", "}") for path in SHORT}
    assert formats <= {path for method, path in ROUTES if method == "GET"}


def test_long_questions_of_many_tokens_leave_threads_for_everybody_else(
    tmp_path: Path, new_postgres: Callable[[], str]
) -> None:
    """Each of five tokens asks for eight pages of a view that does not answer: posts, gates, health and short reads do not wait for one."""
    url = new_postgres()
    tokens = make_ledger_at(tmp_path / "var", url)
    more = {"CHANGE_LEDGER_DATABASE_URL": url, "CHANGE_LEDGER_DATABASE_TIMEOUT_S": "3600"}
    with running_server(tmp_path / "var", tokens=tokens, **more) as server, contextlib.ExitStack() as stack:
        position = server.record(event())["position"]
        wait_for(lambda: server.get("/readyz", by="nobody").json()["views"]["position"] >= position, "views are built")
        slow = [server.issue_token("auditor")[1] for _ in range(5)]
        database = Database(url)
        stack.callback(database.close)
        with database.engine.connect() as holder:
            # No gate reads it, and nothing that comes moves it.
            holder.exec_driver_sql("BEGIN")
            holder.exec_driver_sql(f"LOCK TABLE {VIEWS_SCHEMA}.view_compatibilities IN ACCESS EXCLUSIVE MODE")
            asked = [stack.enter_context(connect(server)) for _ in range(5 * 8)]
            for number, connection in enumerate(asked):
                shown = {"Authorization": f"Bearer {slow[number % 5]}", "Connection": "close"}
                connection.sendall(head("GET", "/v1/views/compatibilities", **shown))
            settled(server)
            for _ in range(3):
                question = {"environment": "prod", "service": "pay", "change_id": "CHG-1"}
                assert server.client().post("/v1/gates/deploy", json=question).status_code == 200
                assert server.post(event()).status_code == 201
                assert server.post([event()], kind=BATCH).status_code == 201
                assert server.get("/readyz", by="nobody").status_code == 200
                assert server.get(f"/v1/events/{position}").status_code == 200
            assert all(is_open(connection) for connection in asked)
            holder.exec_driver_sql("ROLLBACK")
        assert [rest(connection)[:12] for connection in asked] == [b"HTTP/1.1 200"] * len(asked)


# -- the law -----------------------------------------------------------------------------------------------------------


class Fake:
    turn: asyncio.Future[bool] | None = None


async def in_turn() -> None:
    places = Places(2, 3)
    order: list[int] = []
    seats = [Place(Fake()) for _ in range(5)]

    async def ask(number: int) -> None:
        await seats[number].take(places, "a")
        order.append(number)

    asked = [asyncio.create_task(ask(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert order == [0, 1]
    assert places.are_asked_for("a")
    # Nobody else stands behind them.
    assert not places.are_asked_for("b")
    await places.take("b", None)
    # One is gone, one is cancelled in the very moment in which its turn comes: the place goes on to the next.
    gone = seats[2]._connection
    assert gone is not None
    assert gone.turn is not None
    gone.turn.set_result(False)
    seats[0].give_back()
    asked[3].cancel()
    with pytest.raises(ClientDisconnect):
        await asked[2]
    with pytest.raises(asyncio.CancelledError):
        await asked[3]
    await asked[4]
    assert order == [0, 1, 4]
    for seat in seats:
        # Given back once, however often that is said.
        seat.give_back()
        seat.give_back()
    places.give_back("b")
    assert not places._taken
    assert not places._lines
    assert places._all == 0


async def together() -> None:
    """Of three places together two senders have all, and more wait; a third is the next, whoever came before it."""
    places = Places(2, 9, 3)
    order: list[str] = []

    async def ask(sender: str) -> None:
        await places.take(sender, None)
        order.append(sender)

    asked = [asyncio.create_task(ask(sender)) for sender in ("a", "a", "b", "a", "b", "b", "c", "c")]
    await asyncio.sleep(0)
    assert order == ["a", "a", "b"]
    places.give_back("a")
    await asyncio.sleep(0)
    assert order[3:] == ["c"]
    # Nobody who waits in vain keeps a place.
    asked[4].cancel()
    places.give_back("a")
    await asyncio.sleep(0)
    assert order[4:] == ["a"]
    for sender in ("b", "c", "a", "b", "c"):
        places.give_back(sender)
        await asyncio.sleep(0)
    assert sorted(order) == ["a", "a", "a", "b", "b", "c", "c"]
    with pytest.raises(asyncio.CancelledError):
        await asked[4]
    assert not places._taken
    assert not places._lines
    assert places._all == 0


def test_of_places_together_the_next_is_for_whoever_has_fewest() -> None:
    asyncio.run(together())


def test_places_are_had_in_turn_and_none_is_lost() -> None:
    asyncio.run(in_turn())
