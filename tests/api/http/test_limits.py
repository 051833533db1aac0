"""Rates of credentials and of addresses, authentications that failed, and readers that wait."""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bodies
import httpx
import pytest
from deliveries import deliver
from moved_servers import moved_server
from servers import BATCH, Server, check_problem, event, log_server, running_server
from waiting import wait_for

from api.http.failures import MAX_KEPT, NAMED, Failures
from api.http.limits import MAX_KEYS, Rate
from ledger.log.database import Database, Lock

LIMITS = '{"credential_per_minute": 20, "address_per_minute": 200%s}'


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Server]:
    with log_server(tmp_path / "var", CHANGE_LEDGER_LIMITS=LIMITS % "") as running:
        yield running


def until_refused(ask: Callable[[], httpx.Response], at_most: int) -> httpx.Response:
    for _ in range(at_most):
        if (answer := ask()).status_code == 429:
            return answer
    raise AssertionError(f"{at_most} requests were answered")


# -- rates -------------------------------------------------------------------------------------------------------------


def test_a_credential_that_asks_too_often_is_told_when_to_come_again_and_others_are_not(limited: Server) -> None:
    answer = until_refused(lambda: limited.get("/v1/events", by="auditor"), 50)
    problem = check_problem(answer, 429)
    assert "at most 20 requests a minute of token:" in problem["detail"]
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert limited.get("/v1/events", by="analyst").status_code == 200
    assert limited.post(event(), by="reporter").status_code == 201


def test_what_is_refused_by_a_limit_is_not_recorded(limited: Server) -> None:
    before = limited.size()
    statuses = [limited.post(event(), by="reporter").status_code for _ in range(40)]
    assert set(statuses) == {201, 429}
    assert limited.size() - before == statuses.count(201)


def test_batches_are_exempt_unless_the_setting_says_otherwise(limited: Server, tmp_path: Path) -> None:
    until_refused(lambda: limited.post(event(), by="reporter"), 50)
    assert limited.post([event()], by="reporter", kind=BATCH).status_code == 201
    with log_server(tmp_path / "other", CHANGE_LEDGER_LIMITS=LIMITS % ', "exempt_batches": false') as other:
        answer = until_refused(lambda: other.post([event()], by="reporter", kind=BATCH), 50)
        check_problem(answer, 429)


def test_who_takes_back_one_statement_after_another_is_asked_to_say_it_in_one_batch(tmp_path: Path) -> None:
    limits = '{"withdrawals_per_minute": 3}'
    with log_server(tmp_path / "var", CHANGE_LEDGER_LIMITS=limits) as server:
        said = [server.post(event(), by="reporter").json()["position"] for _ in range(8)]
        taken_back = [event("statement.withdrawn", actor="person:ann", position=at, reason="x") for at in said]
        statuses = [server.post(one, by="reporter").status_code for one in taken_back[:4]]
        assert statuses == [201, 201, 201, 429]
        problem = check_problem(server.post(taken_back[3:], by="reporter", kind=BATCH), 429)
        assert "at most 3 withdrawals (a batch of them is one) a minute of token:" in problem["detail"]
        # Nothing else waits for that, and nobody else.
        assert server.post(event(), by="reporter").status_code == 201
        assert server.post(taken_back[3:], by="operator", kind=BATCH).status_code != 429


def test_who_appends_more_than_a_days_worth_is_told_when_there_is_room_again(tmp_path: Path) -> None:
    limits = '{"credential_bytes_per_day": 30000}'
    title = {"actor": "person:ann", "change_id": "C1", "change_type": "normal", "services": ["pay"]}
    with log_server(tmp_path / "var", CHANGE_LEDGER_LIMITS=limits) as server:
        # Texts beside the log take room, too, and so do batches, which no rate holds back.
        said = [event("change.opened", **title, title="x" * 8000) for _ in range(9)]
        assert server.post(said[0], by="reporter").status_code == 201
        assert server.post(said[1:3], by="reporter", kind=BATCH).status_code == 201
        before = server.size()
        answer = server.post(said[3:], by="reporter", kind=BATCH)
        problem = check_problem(answer, 429)
        assert "at most 30000 bytes that are appended a day of token:" in problem["detail"]
        assert 60 < int(answer.headers["retry-after"]) <= 86_400
        # Only what is appended counts: what is merely looked at does not, and nobody else is held up.
        assert server.post(said[3:6], by="reporter", kind=BATCH, params={"dry_run": "true"}).status_code == 200
        assert server.size() == before
        assert server.post(said[3], by="operator").status_code != 429
        # What is kept of a body that nobody understands is whoever's who brought it, and not the ledger's.
        posted = {"to": "/v1/intake/junit?run=1", "kind": "application/xml"}
        suite = b'<testsuite name="a">%s</testsuite>' % (b'<testcase name="b"/>' * 1000)
        assert server.post(suite, by="reporter", **posted).status_code == 429
        assert server.post(suite, by="all", **posted).status_code == 201
        check_problem(server.client("reporter").post("/v1/gates/deploy", json={"change_id": "C1"}), 429)


def test_more_than_there_is_in_all_is_let_to_whoever_took_nothing() -> None:
    rate = Rate(100, 1000.0)
    assert rate.take("a", 0.0, 500) == 0
    assert [rate.take("a", 0.0), rate.take("a", 9.0, 2), rate.take("a", 10.0), rate.take("a", 10.0)] == [10, 11, 0, 10]
    assert rate.take("a", 1010.0, 100) == 0


def test_a_credential_may_be_exempt_from_both_limits(limited: Server) -> None:
    credential, token = limited.issue_token("reporter", "auditor")
    directory, tokens = limited.directory, limited.tokens
    limited.stop()
    exempt = LIMITS % f', "exempt_credentials": ["{credential}"]'
    with (
        log_server(directory, tokens=tokens, CHANGE_LEDGER_LIMITS=exempt) as again,
        again.client_with(token) as client,
    ):
        until_refused(lambda: again.get("/healthz", by="nobody"), 2000)
        assert {client.get("/v1/events").status_code for _ in range(50)} == {200}


def test_an_address_that_asks_too_often_is_refused_whatever_it_asks_and_others_are_not(limited: Server) -> None:
    for path in ("/v1/ledger", "/v1/events", "/nowhere"):
        problem = check_problem(until_refused(lambda path=path: limited.get(path, by="nobody"), 2000), 429)  # type: ignore[misc]
        assert "at most 200 requests a minute of addresses of 127.0.0.0/24" in problem["detail"]
    with httpx.Client(
        base_url=limited.url, transport=httpx.HTTPTransport(local_address="127.0.9.9"), timeout=600
    ) as elsewhere:
        assert elsewhere.get("/v1/ledger").status_code == 200


def test_a_minute_has_so_many_and_after_a_pause_as_many_again() -> None:
    rate = Rate(60)
    assert [rate.take("a", 0.0) for _ in range(60)] == [0] * 60
    assert rate.take("a", 0.0) == 1
    assert rate.take("b", 0.0) == 0
    assert rate.take("a", 1.0) == 0
    assert rate.take("a", 1.0) == 1
    assert [rate.take("a", 1000.0) for _ in range(61)] == [0] * 60 + [1]


def test_a_slow_rate_says_how_long_to_wait() -> None:
    rate = Rate(1)
    assert [rate.take("a", 0.0), rate.take("a", 0.0), rate.take("a", 59.0), rate.take("a", 60.0)] == [0, 60, 1, 0]


def test_rates_of_ever_more_senders_take_no_more_memory() -> None:
    rate = Rate(100)
    for _ in range(100):
        rate.take("busy", 0.0)
    for number in range(3 * MAX_KEYS):
        rate.take(str(number), 0.0)
    assert len(rate._made_up_at) <= MAX_KEYS
    assert rate.take("busy", 0.0) > 0


# -- authentications that failed ---------------------------------------------------------------------------------------


def test_failed_authentications_are_told_in_one_line_and_recorded(tmp_path: Path) -> None:
    with log_server(tmp_path / "var") as own:
        credential, token = own.issue_token("reporter")
        own.client().delete(f"/v1/ledger/credentials/{credential}").raise_for_status()
        with own.client_with(token) as revoked:
            assert [revoked.post("/v1/events").status_code for _ in range(5)] == [401] * 5
        with own.client_with("clt_guessed") as guessing:
            assert [guessing.get("/v1/events").status_code for _ in range(7)] == [401] * 7
        unsigned = own.post(b"{}", to="/v1/intake/github", by="nobody")
        assert unsigned.status_code == 401
        own.stop()
        tokens = own.tokens
    (line,) = [
        line for line in (own.directory / "server.err").read_text().splitlines() if "authentications failed" in line
    ]
    assert line == f"authentications failed: 13; 8 from 127.0.0.0/24, 5 from 127.0.0.0/24 with {credential}"
    with log_server(tmp_path / "var", tokens=tokens) as again:
        (entry,) = again.entries(type="ledger.authentication_failures")
        data = entry["entry"]["statement"]["data"]
        assert data.pop("since")
        assert data == {
            "total": 13,
            "largest": [
                {"network": "127.0.0.0/24", "count": 8},
                {"credential": credential, "network": "127.0.0.0/24", "count": 5},
            ],
            "others": 0,
        }
        assert again.audit().verdict == "sound"


def test_nothing_is_told_or_recorded_where_nothing_failed(tmp_path: Path) -> None:
    with log_server(tmp_path / "var") as own:
        assert own.get("/v1/events").status_code == 200
        own.stop()
        tokens = own.tokens
    assert (own.directory / "server.err").read_text() == ""
    with log_server(tmp_path / "var", tokens=tokens) as again:
        assert again.entries(type="ledger.authentication_failures") == []


def test_the_fifty_largest_are_named_and_the_rest_is_a_number() -> None:
    failures = Failures(0)
    for number in range(80):
        for _ in range(number + 1):
            failures.count(None, f"10.0.{number}.0/24")
    entry = failures.entry()
    assert entry is not None
    assert (entry["since"], entry["total"]) == ("1970-01-01T00:00:00.000000Z", 80 * 81 // 2)
    assert [item["count"] for item in entry["largest"]] == list(range(80, 30, -1))
    assert entry["others"] == 30 * 31 // 2
    failures.kept(entry, 60_000_000)
    assert failures.entry() is None


def test_what_fails_while_an_entry_is_written_is_in_the_next() -> None:
    failures = Failures(0)
    failures.count(None, "192.0.2.0/24")
    entry = failures.entry()
    failures.count("token:1", "192.0.2.0/24")
    assert entry is not None
    failures.kept(entry, 60_000_000)
    assert failures.entry() == {
        "since": "1970-01-01T00:01:00.000000Z",
        "total": 1,
        "largest": [{"credential": "token:1", "network": "192.0.2.0/24", "count": 1}],
        "others": 0,
    }


def test_senders_without_number_hide_no_large_one() -> None:
    failures = Failures(0)
    for number in range(3 * MAX_KEPT):
        failures.count(None, f"2001:db8:{number:x}::/48")
        if number % 100 == 0:
            failures.count("token:1", "192.0.2.0/24")
    entry = failures.entry()
    assert entry is not None
    assert entry["largest"][0] == {"credential": "token:1", "network": "192.0.2.0/24", "count": 3 * MAX_KEPT // 100}
    assert entry["total"] == 3 * MAX_KEPT + 3 * MAX_KEPT // 100
    assert sum(item["count"] for item in entry["largest"]) + entry["others"] == entry["total"]
    assert len(entry["largest"]) == NAMED


def test_a_line_a_minute_says_what_is_new() -> None:
    failures = Failures(0)
    assert failures.line() is None
    failures.count(None, "192.0.2.0/24")
    assert failures.line() == "authentications failed: 1; 1 from 192.0.2.0/24"
    assert failures.line() is None
    for number in range(5):
        failures.count(None, f"10.0.{number}.0/24")
    line = failures.line()
    assert line is not None
    assert line.startswith("authentications failed: 5; 1 from ")
    assert line.endswith(", and 2 more senders")


# -- readers that wait -------------------------------------------------------------------------------------------------


@contextmanager
def with_views_that_stand_still(directory: Path, *documents: dict[str, Any]) -> Iterator[tuple[Server, Lock]]:
    """Run a server that appends while its views stay where these documents are: another process holds their lock, which is given."""
    with running_server(directory) as made:
        for document in documents:
            position = made.record(document)["position"]
        made.get("/v1/views/change_tickets", params={"min_position": position}).raise_for_status()
        made.stop()
    database = Database(made.database_url)
    lock = database.try_lock("views")
    assert lock is not None
    try:
        # Of one token more wait here than it has places.
        with running_server(directory, tokens=made.tokens, CHANGE_LEDGER_LIMITS='{"credential_at_once": 100}') as own:
            yield own, lock
    finally:
        lock.release()
        database.close()


def test_readers_that_wait_for_a_view_starve_nobody(tmp_path: Path) -> None:
    """Eighty readers wait for views that do not move, and health, entries and appends are answered before one of them is done."""
    with with_views_that_stand_still(tmp_path / "var", event()) as (own, lock), ThreadPoolExecutor(80) as pool:
        position = own.record(event())["position"]
        done: list[int] = []

        client = own.client("auditor")

        def wait(_: Any) -> None:
            done.append(client.get("/v1/views/deployments", params={"min_position": position}).status_code)

        readers = [pool.submit(wait, number) for number in range(80)]
        wait_for(lambda: len(done) >= 72)
        # On a busy machine one of those that wait may give up meanwhile; not all of them.
        for before in iter(lambda: len(done), 80):
            assert own.get("/readyz", by="nobody").status_code == 200
            assert own.get("/v1/events/1").status_code == 200
            assert own.post(event()).status_code == 201
            assert own.get("/v1/views/deployments").status_code == 200
            if len(done) == before:
                break
        assert len(done) < 80, "nobody else was answered while readers waited"
        assert set(done) == {503}
        # Nobody has to wait any more.
        lock.release()
        for reader in readers:
            reader.result()


def test_gates_that_wait_for_views_starve_neither_health_nor_appends(tmp_path: Path) -> None:
    opened = event("change.opened", change_id="CHG-7", title="t")
    with with_views_that_stand_still(tmp_path / "var", opened) as (own, lock), ThreadPoolExecutor(60) as pool:
        own.record(event("change.opened", change_id="CHG-7", title="t"))
        begun: list[int] = []
        done: list[int] = []

        # To make a client takes longer than to ask: all ask by one.
        client = own.client()
        assert own.get("/readyz", by="nobody").status_code == 200

        def ask(_: Any) -> None:
            begun.append(1)
            done.append(client.post("/v1/gates/deploy", json={"change_id": "CHG-7"}).status_code)

        asked = [pool.submit(ask, number) for number in range(60)]
        wait_for(lambda: len(begun) == 60)
        # A busy machine takes so long over this that some gates have given up; not as long as more wait than there are threads.
        for before in iter(lambda: len(done), 60):
            assert 60 - before > 40, "nobody else was answered while gates waited"
            assert own.get("/readyz", by="nobody").status_code == 200
            assert own.post(event()).status_code == 201
            if len(done) == before:
                break
        lock.release()
        for each in asked:
            each.result()


def test_a_body_that_there_is_no_room_for_is_told_so_and_taken_when_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with moved_server(tmp_path / "var", monkeypatch) as (server, _):
        wanted = {"source": "https://github.com/acme/*", "door": "github", "principal": "service:github"}
        assert server.client().post("/v1/ledger/sources", json=wanted).status_code == 201
        body = bodies.encoded(bodies.review(body="x" * 100_000))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        problem = check_problem(deliver(server, body, "pull_request_review"), 503)
        assert "no room left for bodies of senders that are not known" in problem["detail"]
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        assert deliver(server, body, "pull_request_review").status_code == 201
