"""Before anybody is known: how long a head and a body may take, how long a head may be, and who goes when there are too many."""

import asyncio
import contextlib
import json
import re
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import bodies
import pytest
from servers import STRUCTURED, Server, event, log_server
from sockets import connect, head, is_open, many, refusal, rest
from waiting import lines_of, wait_for

from api.http.connections import Bounds, Connections

STRANGER = "127.0.7.7"
SIGNED = {"X_Hub_Signature_256": f"sha256={'0' * 64}", "X_GitHub_Event": "deployment"}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits for a second, holds 50 connections and half a MiB of strangers."""
    more = {
        "CHANGE_LEDGER_HEADER_TIMEOUT_S": "1",
        "CHANGE_LEDGER_BODY_TIMEOUT_S": "1",
        "CHANGE_LEDGER_MAX_CONNECTIONS": "50",
        "CHANGE_LEDGER_MAX_UNAUTHENTICATED_BYTES": "524288",
    }
    with log_server(tmp_path_factory.mktemp("strict") / "var", **more) as running:
        wanted = {"source": "https://github.com/acme/*", "door": "github", "principal": "service:github"}
        assert running.client().post("/v1/ledger/sources", json=wanted).status_code == 201
        yield running
        assert "Traceback" not in (running.directory / "server.err").read_text()


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that holds few connections and few bytes, and waits for an hour: what goes, goes for others."""
    more = {
        "CHANGE_LEDGER_HEADER_TIMEOUT_S": "3600",
        "CHANGE_LEDGER_BODY_TIMEOUT_S": "3600",
        "CHANGE_LEDGER_MAX_CONNECTIONS": "50",
        "CHANGE_LEDGER_MAX_UNAUTHENTICATED_BYTES": "1048576",
        "CHANGE_LEDGER_MAX_AUTHENTICATED_BYTES": "4194304",
    }
    with log_server(tmp_path_factory.mktemp("patient") / "var", **more) as running:
        wanted = {"source": "https://github.com/acme/*", "door": "github", "principal": "service:github"}
        assert running.client().post("/v1/ledger/sources", json=wanted).status_code == 201
        yield running
        assert "Traceback" not in (running.directory / "server.err").read_text()


def webhook(server: Server, number: int) -> int:
    body = bodies.encoded(bodies.deployment(number))
    return server.post(
        body, to="/v1/intake/github", by="nobody", kind="application/json", headers=bodies.webhook(body, "deployment")
    ).status_code


# -- time and size -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent", [b"G", b"POST /v1/events HTTP/1.1\r\nHost: x\r\nX-Slow: "], ids=["one byte", "half a head"]
)
def test_a_head_that_does_not_come_is_not_waited_for(strict: Server, sent: bytes) -> None:
    with connect(strict) as connection:
        connection.sendall(sent)
        problem = refusal(rest(connection))
    assert problem["status"] == 408
    assert "headers did not come within 1 s" in problem["detail"]


def test_a_connection_on_which_nothing_is_said_is_closed_without_a_word(strict: Server) -> None:
    with connect(strict) as connection:
        assert rest(connection) == b""


def test_a_second_head_on_a_connection_has_its_own_time(strict: Server) -> None:
    with connect(strict) as connection:
        connection.sendall(head("GET", "/healthz"))
        answer = b""
        while not answer.endswith(b"}"):
            answer += connection.recv(4096)
        connection.sendall(b"GET /healthz HT")
        assert refusal(rest(connection))["status"] == 408


@pytest.mark.parametrize("by", ["known", "a signed webhook"])
@pytest.mark.parametrize("sent", [b"", b"{"], ids=["nothing", "a beginning"])
def test_a_body_that_does_not_come_is_not_waited_for(strict: Server, by: str, sent: bytes) -> None:
    known = head(
        "POST", "/v1/events", Authorization=f"Bearer {strict.tokens['all']}", Content_Type=STRUCTURED, Content_Length=99
    )
    with connect(strict) as connection:
        connection.sendall(
            (known if by == "known" else head("POST", "/v1/intake/github", Content_Length=99, **SIGNED)) + sent
        )
        problem = refusal(rest(connection))
    assert problem["status"] == 408
    assert "body did not come within 1 s" in problem["detail"]


def test_a_body_that_is_no_more_wanted_is_not_waited_for_either(strict: Server) -> None:
    with connect(strict) as connection:
        connection.sendall(head("POST", "/v1/events", Content_Length=10_000_000) + b"x" * 1000)
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 401")


def endless(connection: socket.socket, beginning: bytes, more: bytes) -> tuple[int, bytes]:
    """Send without end; return how much was taken, and what was said."""
    taken = 0
    try:
        connection.sendall(beginning)
        while taken < 64 * 1024 * 1024:
            connection.sendall(more)
            taken += len(more)
    except ConnectionError:
        pass
    return taken, rest(connection)


@pytest.mark.parametrize(
    ("beginning", "more"),
    [
        (b"GET /healthz HTTP/1.1\r\nX-Endless: ", b"x" * 8192),
        (b"GET /healthz HTTP/1.1\r\n", b"X-Many: x\r\n" * 512),
        (b"GET /", b"x" * 8192),
        (b"GET /healthz HTTP/1.1\r\nX-", b"n" * 8192),
    ],
    ids=["a value", "lines", "a URL", "a name"],
)
def test_an_endless_head_is_refused(patient: Server, beginning: bytes, more: bytes) -> None:
    with connect(patient) as connection:
        taken, answer = endless(connection, beginning, more)
    assert taken < 16 * 1024 * 1024
    # Where bytes were still under way the network may lose the answer.
    assert refusal(answer).get("status", 431) == 431


@pytest.mark.parametrize("size", [40_000, 200_000, 4_000_000])
def test_a_long_head_in_one_piece_is_refused(patient: Server, size: int) -> None:
    with connect(patient) as connection:
        try:
            connection.sendall(head("GET", "/healthz", X_Long="x" * size))
        except ConnectionError:
            return
        answer = rest(connection)
    assert refusal(answer).get("status", 431) == 431
    assert b"200 OK" not in answer


def test_a_head_just_under_the_limit_passes(patient: Server) -> None:
    with connect(patient) as connection:
        connection.sendall(head("GET", "/healthz", X_Long="x" * 32_600, Connection="close"))
        assert rest(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("more", [b"X-Trailer: x\r\n" * 400, b"x" * 8192], ids=["lines", "a value"])
def test_endless_trailers_are_refused(patient: Server, more: bytes) -> None:
    beginning = head("POST", "/v1/intake/github", Transfer_Encoding="chunked", **SIGNED) + b"1\r\n{\r\n0\r\nX-T: "
    with connect(patient) as connection:
        taken, _ = endless(connection, beginning, more)
    assert taken < 16 * 1024 * 1024


def test_a_trailer_is_no_header(patient: Server) -> None:
    """What comes after the body cannot say whose it is."""
    body = bodies.encoded(bodies.deployment(1))
    signature = bodies.sign(body)
    with connect(patient) as connection:
        connection.sendall(
            head(
                "POST",
                "/v1/intake/github",
                Transfer_Encoding="chunked",
                Connection="close",
                X_GitHub_Event="deployment",
            )
            + b"%x\r\n%b\r\n0\r\nX-Hub-Signature-256: %b\r\n\r\n" % (len(body), body, signature.encode())
        )
        assert rest(connection).startswith(b"HTTP/1.1 401")


def test_requests_that_wait_on_one_connection_are_few(patient: Server) -> None:
    with connect(patient) as connection:
        try:
            connection.sendall(head("GET", "/readyz") * 5000)
        except ConnectionError:
            return
        assert rest(connection).count(b"HTTP/1.1 200") < 100


def test_some_requests_sent_at_once_are_answered_in_order(patient: Server) -> None:
    with connect(patient) as connection:
        paths = ["/healthz", "/v1/ledger", "/nowhere", "/healthz"]
        connection.sendall(
            b"".join(head("GET", path, Connection="close" if n == 3 else "keep-alive") for n, path in enumerate(paths))
        )
        answer = rest(connection)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"200", b"404", b"200"]


def told_of_requests(server: Server) -> list[str]:
    """Return the lines of a server's log but one that comes each minute: how many others, before, did not authenticate."""
    lines = (server.directory / "server.err").read_text().splitlines()
    return [line for line in lines if not line.startswith("authentications failed: ")]


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\x00", b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_no_http_is_refused_and_fills_no_log(strict: Server, sent: bytes) -> None:
    before = told_of_requests(strict)
    for _ in range(10):
        with connect(strict) as connection:
            connection.sendall(sent)
            assert refusal(rest(connection))["status"] == 400
    assert told_of_requests(strict) == before


def test_an_answer_that_nobody_reads_is_given_up(strict: Server) -> None:
    with connect(strict) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # Far more than the buffers between hold; not a byte is read before the server has given up.
        connection.sendall(head("GET", "/openapi.json", X_Request_Id="unread") * 16)
        wait_for(lambda: any(line["status"] == 499 for line in lines_of(strict.directory, "unread")))


# -- the signature before the body ------------------------------------------------------------------------------------


@pytest.mark.parametrize("signature", [None, "", "sha1=0", "sha256=zz", f"sha256={'0' * 63}"])
def test_a_webhook_that_is_not_signed_is_refused_before_its_body_comes(patient: Server, signature: str | None) -> None:
    headers = {} if signature is None else {"X_Hub_Signature_256": signature}
    with connect(patient) as connection:
        connection.sendall(head("POST", "/v1/intake/github", Content_Length=8_388_600, **headers))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 401")


# -- too many ---------------------------------------------------------------------------------------------------------


def hold_bodies(server: Server, connections: list[socket.socket], size: int) -> None:
    for connection in connections:
        try:
            connection.sendall(head("POST", "/v1/intake/github", Content_Length=8_388_600, **SIGNED) + b"x" * size)
        except ConnectionError:
            continue


@pytest.mark.parametrize("source", [STRANGER, "127.0.0.1"], ids=["elsewhere", "beside them"])
@pytest.mark.parametrize("sent", [b"", b"POST /v1/intake/github HTTP/1.1\r\nX: "], ids=["silent", "in the head"])
def test_two_hundred_strangers_keep_nobody_out(patient: Server, source: str, sent: bytes) -> None:
    with many(patient, 200, source) as strangers:
        for stranger in strangers:
            try:
                stranger.sendall(sent)
            except ConnectionError:
                continue
        base = 1000 * (1 + len(sent)) + (source == STRANGER) * 500
        assert [webhook(patient, base + number) for number in range(20)] == [201] * 20
        assert patient.post(event()).status_code == 201
        assert sum(is_open(stranger) for stranger in strangers) <= 50


@pytest.mark.parametrize("source", [STRANGER, "127.0.0.1"], ids=["elsewhere", "beside them"])
def test_two_hundred_bodies_of_strangers_take_no_more_than_their_share(patient: Server, source: str) -> None:
    with many(patient, 200, source) as strangers:
        hold_bodies(patient, strangers, 200_000)
        assert [webhook(patient, 7000 + number + 50 * (source == STRANGER)) for number in range(20)] == [201] * 20
        assert patient.post(event()).status_code == 201
    status = Path(f"/proc/{patient.process.pid}/status").read_text()
    peak_kib = int(status.split("VmHWM:")[1].split()[0])
    assert peak_kib < 600 * 1024


def test_strangers_who_read_no_answer_keep_nobody_out(patient: Server) -> None:
    with many(patient, 80, STRANGER) as strangers:
        for stranger in strangers:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with contextlib.suppress(ConnectionError):
                stranger.sendall(head("GET", "/openapi.json") * 16)
        assert [webhook(patient, 9000 + number) for number in range(20)] == [201] * 20
        assert patient.post(event()).status_code == 201


def test_a_known_caller_is_not_dropped_for_strangers(patient: Server) -> None:
    body = b'{"specversion": "1.0"'
    with connect(patient) as known:
        known.sendall(
            head(
                "POST",
                "/v1/events",
                Authorization=f"Bearer {patient.tokens['all']}",
                Content_Type=STRUCTURED,
                Content_Length=len(body) + 1,
                Connection="close",
            )
            + body
        )
        # It is known as soon as its head is read: when another request is answered, that is long ago.
        assert patient.get("/healthz", by="nobody").status_code == 200
        with many(patient, 200):
            assert patient.get("/healthz", by="nobody").status_code == 200
            known.sendall(b"}")
            assert rest(known).startswith(b"HTTP/1.1 422")


def test_who_is_dropped_is_told_so(patient: Server) -> None:
    with many(patient, 45, STRANGER) as strangers:
        hold_bodies(patient, strangers, 10)
        assert patient.get("/healthz", by="nobody").status_code == 200
        with many(patient, 10, STRANGER):
            answered, _, _ = select.select(strangers, [], [], 60)
            problem = refusal(rest(answered[0]))
    assert problem["status"] == 503
    assert "more connections are open" in problem["detail"]


# -- one token -----------------------------------------------------------------------------------------------------------


def by(server: Server, role: str, method: str, path: str, **headers: object) -> bytes:
    return head(method, path, Authorization=f"Bearer {server.tokens[role]}", **headers)


STREAM, NEVER_WHOLE, IDLE = "a stream", "a body that is never whole", "an answer, and silence"


@pytest.mark.parametrize("what", [STREAM, NEVER_WHOLE, IDLE])
def test_one_token_keeps_nobody_out(patient: Server, what: str) -> None:
    """Whatever it opens, more of it than the server holds connections: others are served, and it loses its own."""
    sent = {
        STREAM: by(patient, "auditor", "GET", "/v1/events/stream"),
        NEVER_WHOLE: by(patient, "all", "POST", "/v1/events", Content_Type=STRUCTURED, Content_Length=99) + b"{",
        IDLE: by(patient, "auditor", "GET", "/v1/views"),
    }[what]
    with many(patient, 80) as opened:
        for connection in opened:
            with contextlib.suppress(ConnectionError):
                connection.sendall(sent)
                if what != NEVER_WHOLE:
                    connection.recv(12)
        for _ in range(20):
            # By a connection of its own: one that is open already had its place.
            with patient.client_with(patient.tokens["all"]) as other:
                answer = other.post("/v1/events", json=event(), headers={"Content-Type": STRUCTURED})
            assert answer.status_code == 201
        assert sum(not is_open(connection) for connection in opened) >= 30


def test_bodies_of_known_callers_take_no_more_than_their_share(patient: Server) -> None:
    """Forty bodies of a MiB and a half where four MiB are held: the slowest go, are told to send again, and others' pass."""
    with many(patient, 40) as opened:
        for connection in opened:
            begun = by(
                patient, "all", "POST", "/v1/intake/junit", Content_Type="application/xml", Content_Length=8_000_000
            )
            with contextlib.suppress(ConnectionError):
                connection.sendall(begun + b" " * 1_500_000)
        wait_for(lambda: sum(not is_open(connection) for connection in opened) >= 36)
        assert patient.post(event()).status_code == 201
        answers = [refusal(rest(connection)) for connection in opened if not is_open(connection)]
    assert {answer["status"] for answer in answers if answer} == {503}


@pytest.mark.parametrize("by_whom", ["known", "a stranger"])
def test_a_body_of_a_million_pieces_is_refused(patient: Server, by_whom: str) -> None:
    begun = (
        by(patient, "all", "POST", "/v1/events", Content_Type=STRUCTURED, Transfer_Encoding="chunked")
        if by_whom == "known"
        else head("POST", "/v1/intake/github", Transfer_Encoding="chunked", **SIGNED)
    )
    with connect(patient) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(begun + b"1\r\n \r\n" * 1_000_000)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while not answer.endswith(b"}") and (more := connection.recv(4096)):
                answer += more
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"pieces of 64 bytes and more" in answer


def test_a_body_in_some_thousand_pieces_is_read(patient: Server) -> None:
    body = json.dumps(event()).encode().ljust(5000)
    with connect(patient) as connection:
        begun = by(
            patient,
            "all",
            "POST",
            "/v1/events",
            Content_Type=STRUCTURED,
            Transfer_Encoding="chunked",
            Connection="close",
        )
        connection.sendall(begun + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 201 ")


# -- the law ---------------------------------------------------------------------------------------------------------


class Fake:
    def __init__(self, network: str, pace: float) -> None:
        self.network, self.pace, self.held, self.holder, self.body_size, self.dropped = network, pace, 0, "", 0, False
        self.began = float("-inf")

    droppable = is_begun = True
    goes_on = False

    def drop(self, why: str) -> None:
        self.dropped = True

    def sweep(self, now: float) -> None:
        pass


async def two_networks() -> None:
    shared = Connections(Bounds(max_unauthenticated_bytes=100))
    few, slow, quick = Fake("192.0.2.0/24", 1), Fake("203.0.113.0/24", 5), Fake("203.0.113.0/24", 50)
    with shared.holding(few) as hold_few, shared.holding(slow) as hold_slow, shared.holding(quick) as hold_quick:
        assert hold_few(40)
        assert hold_slow(30)
        assert hold_quick(30)
        assert hold_few(10)
        assert (few.dropped, slow.dropped, quick.dropped) == (False, True, False)
        assert hold_quick(20)
        # Both hold 50: one byte more, and whoever holds most goes, though it is the one that sends.
        assert not hold_few(1)
        assert few.dropped


def test_the_network_that_holds_most_loses_its_slowest() -> None:
    asyncio.run(two_networks())
