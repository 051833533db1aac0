"""HTTP/1.1 as RFC 9110 and RFC 9112 have it: offers, hosts, versions, HEAD, and what is said of a request that is none."""

import json
import re
import socket

import pytest
from servers import STRUCTURED, Server, event
from sockets import connect, head, refusal, rest
from waiting import settle

OFFERS = {
    "h2c": {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA"},
    "websocket": {"Connection": "keep-alive, Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"},
    "TLS": {"Connection": "upgrade", "Upgrade": "TLS/1.3"},
}


def posted(server: Server, body: bytes, **headers: str) -> tuple[bytes, bytes]:
    """Return head and body of a POST of a structured event."""
    known = {"Authorization": f"Bearer {server.tokens['all']}", "Content_Type": STRUCTURED}
    return head("POST", "/v1/events", **known, **headers), body


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1.1 (\d{3}) [A-Z]", answer)]


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def send_in(connection: socket.socket, pieces: list[bytes]) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces:
        connection.sendall(piece)


# -- offers of another protocol ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("pieces", ["one", "two", "bytes"])
@pytest.mark.parametrize("offer", OFFERS)
def test_a_post_that_offers_another_protocol_is_read_whole(
    server: Server, offer: str, pieces: str, framing: str
) -> None:
    body = json.dumps(event(id=f"{offer}-{pieces}-{framing}")).encode()
    framed = {"Content-Length": str(len(body))} if framing == "length" else {"Transfer-Encoding": "chunked"}
    begun, after = posted(server, body if framing == "length" else chunked(body), **OFFERS[offer], **framed)
    whole = begun + after
    sent = {"one": [whole], "two": [begun, after], "bytes": [whole[n : n + 1] for n in range(len(whole))]}[pieces]
    with connect(server) as connection:
        send_in(connection, [*sent, head("GET", "/healthz", Connection="close")])
        assert statuses(rest(connection)) == [201, 200]


def test_requests_behind_an_offer_are_answered_each_in_its_turn(server: Server) -> None:
    with connect(server) as connection:
        offering = head("GET", "/healthz", **OFFERS["h2c"])
        connection.sendall(offering + head("GET", "/nowhere") + offering + head("GET", "/healthz", Connection="close"))
        assert statuses(rest(connection)) == [200, 404, 200, 200]


def test_what_a_body_behind_an_offer_holds_is_no_request(server: Server) -> None:
    inner = head("GET", "/healthz", Connection="close")
    begun, body = posted(server, inner, **OFFERS["h2c"], Content_Length=str(len(inner)))
    with connect(server) as connection:
        connection.sendall(begun + body + head("GET", "/nowhere", Connection="close"))
        assert statuses(rest(connection)) == [422, 404]


@pytest.mark.parametrize(
    "framing",
    [
        {"Content-Length": "4", "Transfer-Encoding": "chunked"},
        {"Transfer-Encoding": "gzip"},
        {"Content-Length": "+4"},
    ],
    ids=str,
)
def test_an_offer_makes_no_wrong_framing_right(server: Server, framing: dict[str, str]) -> None:
    begun, body = posted(server, b"{}\r\n", **OFFERS["h2c"], **framing)
    with connect(server) as connection:
        connection.sendall(begun + body)
        assert refusal(rest(connection))["status"] == 400


def test_an_old_request_with_an_offer_is_answered_and_closed(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(head("GET", "/healthz", **OFFERS["h2c"]).replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert statuses(rest(connection)) == [200]


# -- heads -------------------------------------------------------------------------------------------------------------


def refused(server: Server, sent: bytes) -> dict[str, object]:
    with connect(server) as connection:
        connection.sendall(sent)
        return refusal(rest(connection))


@pytest.mark.parametrize(
    "hosts",
    ["", "Host: a\r\nHost: b\r\n", "Host: a\r\nHost: a\r\n", "Host: a/b\r\n", "Host: me@a\r\n", "Host: a b\r\n"],
    ids=["none", "two", "the same twice", "a path", "a user", "a space"],
)
def test_a_request_names_one_host(server: Server, hosts: str) -> None:
    problem = refused(server, f"GET /healthz HTTP/1.1\r\n{hosts}\r\n".encode())
    assert problem["status"] == 400
    assert "Host" in str(problem["detail"])


@pytest.mark.parametrize("host", ["", "ledger", "ledger:8000", "192.0.2.1:80", "[2001:db8::1]:80"])
def test_a_host_may_be_any_name_or_address(server: Server, host: str) -> None:
    with connect(server) as connection:
        connection.sendall(head("GET", "/healthz", Host=host, Connection="close"))
        assert statuses(rest(connection)) == [200]


def test_a_request_of_http_1_0_needs_no_host(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert statuses(rest(connection)) == [200]


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        (b"GET /healthz\r\n\r\n", 505, "found HTTP/0.9"),
        (b"GET /healthz HTTP/0.9\r\nHost: x\r\n\r\n", 505, "found HTTP/0.9"),
        (b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", 505, "found HTTP/2.0"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "the preface of HTTP/2"),
        (b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", 400, "another version"),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501, "CONNECT"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "found both"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400, "found both"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "twice"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "digits"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "chunked"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "size of a chunk"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", 400, "folded"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n", 400, "the name of a header"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", 400, "control characters"),
        (b"GET / HTTP/1.1\nHost: x\r\n\r\n", 400, "CRLF"),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "a path of ASCII"),
        (b"nonsense\r\n\r\n", 400, "no method"),
    ],
)
def test_a_refusal_says_what_was_wrong(server: Server, sent: bytes, status: int, words: str) -> None:
    problem = refused(server, sent)
    assert problem["status"] == status
    assert words in str(problem["detail"])


@pytest.mark.parametrize("requests", [1, 3])
@pytest.mark.parametrize("junk", [b"nonsense\r\n\r\n", b"GET /healthz HTTP/1.1\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n"])
def test_whole_requests_before_a_broken_one_are_answered(server: Server, junk: bytes, requests: int) -> None:
    with connect(server) as connection:
        connection.sendall(head("GET", "/v1/ledger") * requests + junk)
        found = statuses(rest(connection))
    assert found[:-1] == [200] * requests
    assert found[-1] in (400, 505)


# -- HEAD --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["all", "nobody"])
@pytest.mark.parametrize(
    "path", ["/healthz", "/v1/ledger", "/openapi.json", "/v1/events", "/v1/catalogue", "/v1/views", "/nowhere"]
)
def test_head_is_get_without_the_body(server: Server, path: str, by: str) -> None:
    # Some of them say how far views and checkpoints are, which is as many digits longer as they come further.
    settle(server)
    got, asked = server.get(path, by=by), server.client(by).head(path)
    assert asked.status_code == got.status_code
    own = {"date", "x-request-id"}
    # A problem quotes the id of its request, which may be a digit longer.
    own |= {"content-length"} if got.is_error else set()
    assert {k: v for k, v in asked.headers.items() if k not in own} == {
        k: v for k, v in got.headers.items() if k not in own
    }
    assert asked.content == b""


def test_head_of_a_stream_ends(server: Server) -> None:
    answer = server.client().head("/v1/events/stream")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_head_of_what_is_only_posted_to_is_refused(server: Server) -> None:
    assert server.client().head("/v1/intake/github").status_code == 405


def test_where_get_is_allowed_so_is_head(server: Server) -> None:
    answer = server.client().put("/v1/events", content=b"")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
