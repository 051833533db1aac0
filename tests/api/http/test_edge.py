"""What holds for every request: its id, the headers of its answer, its line in the access log, and what is left when its caller leaves."""

import re
import socket
from pathlib import Path

import pytest
from servers import STRUCTURED, Server, check_problem, event, log_server
from waiting import line_of

PATHS = [
    "/healthz",
    "/readyz",
    "/v1/ledger",
    "/v1/events",
    "/v1/events/1",
    "/v1/views/findings",
    "/nowhere",
    "/openapi.json",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("by", ["all", "nobody"])
def test_no_answer_is_kept_guessed_at_or_says_what_serves_it(server: Server, path: str, by: str) -> None:
    answer = server.get(path, by=by)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


def test_what_may_be_kept_is_kept(server: Server) -> None:
    server.record(event())
    server.wait_for_checkpoint()
    answer = server.get("/tile/0/000.p/1", by="nobody")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_new_token_is_stored_by_nobody_in_between(server: Server) -> None:
    wanted = {"principal": "service:made-for-a-test", "roles": ["reporter"]}
    answer = server.client().post("/v1/ledger/credentials", json=wanted)
    assert answer.headers["cache-control"] == "no-store"


def test_each_request_has_an_id_that_problems_and_the_access_log_carry(server: Server) -> None:
    answers = [server.get("/v1/events/999999") for _ in range(2)]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == 2
    assert [check_problem(answer, 404)["request_id"] for answer in answers] == ids
    line = line_of(server, ids[0])
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v1/events/999999", 404)
    assert line["client"] == "127.0.0.1"
    assert line["credential"].startswith("token:")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["time"])
    assert line["bytes"] == len(answers[0].content)


@pytest.mark.parametrize("path", ["/v1/events", "/nowhere", "/v1/events?limit=x"])
def test_every_kind_of_problem_carries_the_id(server: Server, path: str) -> None:
    answer = server.get(path, by="all" if "limit" in path else "nobody")
    assert check_problem(answer)["request_id"] == answer.headers["x-request-id"]


def test_the_id_of_a_caller_comes_back(server: Server) -> None:
    answer = server.get("/v1/events/999999", headers={"X-Request-Id": "build-1042.deploy_7"})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "build-1042.deploy_7"
    assert line_of(server, "build-1042.deploy_7")["status"] == 404


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, '"}{"', "é"])
def test_an_id_that_is_no_plain_word_is_replaced(server: Server, given: str) -> None:
    answer = server.get("/healthz", by="nobody", headers={"X-Request-Id": given.encode()})
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", answer.headers["x-request-id"])


def test_a_line_is_one_line_whatever_the_path_holds(server: Server) -> None:
    request_id = server.get("/v1/events/%0A%22%7D%E2%80%A8%FF", by="nobody").headers["x-request-id"]
    assert line_of(server, request_id)["path"] == "/v1/events/%0A%22%7D%E2%80%A8%FF"


def test_a_token_is_in_no_line_and_no_log(server: Server) -> None:
    token = server.tokens["all"]
    request_id = server.get("/v1/events/1").headers["x-request-id"]
    line_of(server, request_id)
    for name in ("access.log", "server.err"):
        assert token not in (server.directory / name).read_text()


def test_callers_that_leave_in_the_middle_leave_one_line_each_and_no_traceback(server: Server) -> None:
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.tokens['all']}\r\n"
        f"Content-Type: {STRUCTURED}\r\nContent-Length: 100000\r\nX-Request-Id: %s\r\n\r\nhalf"
    )
    host, port = server.url.removeprefix("http://").split(":")
    ids = [f"left-{number}" for number in range(20)]
    for request_id in ids:
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall((head % request_id).encode())
    for request_id in ids:
        assert line_of(server, request_id)["status"] == 499
    assert "Traceback" not in (server.directory / "server.err").read_text()


def test_the_access_log_is_readable_by_its_owner_alone(server: Server) -> None:
    line_of(server, server.get("/healthz", by="nobody").headers["x-request-id"])
    assert (server.directory / "access.log").stat().st_mode & 0o777 == 0o600


def test_the_access_log_may_go_elsewhere_or_nowhere_and_stops_nothing(tmp_path: Path) -> None:
    tokens = None
    for number, target in enumerate(("-", "off", "/dev/full")):
        directory = tmp_path / "var"
        with log_server(directory, tokens=tokens, CHANGE_LEDGER_ACCESS_LOG=target) as own:
            tokens = own.tokens
            for _ in range(2):
                assert own.get("/healthz", headers={"X-Request-Id": f"sent-to-{number}"}).status_code == 200
            own.stop()
        errors = (directory / "server.err").read_text()
        assert errors.count(f'"request_id":"sent-to-{number}"') == (2 if target == "-" else 0)
        assert errors.count("cannot be written") == (1 if target == "/dev/full" else 0)
        assert not (directory / "access.log").exists()
