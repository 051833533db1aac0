"""Raw connections to a server, for callers that no client library would be: slow, endless, silent, or gone."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from servers import Server

TIMEOUT_S = 600


def connect(server: Server, source: str = "127.0.0.1") -> socket.socket:
    """Connect from an address of this machine."""
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=TIMEOUT_S, source_address=(source, 0))


@contextmanager
def many(server: Server, number: int, source: str = "127.0.0.1") -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(connect(server, source)) for _ in range(number)]


def head(method: str, path: str, **headers: Any) -> bytes:
    """Return the head of a request. `_` in a name stands for `-`."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in ({"Host": "ledger"} | headers).items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()


def rest(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes. Waits for as long as it stays open, TIMEOUT_S at most."""
    found = b""
    try:
        while chunk := connection.recv(65_536):
            found += chunk
    except ConnectionError:
        pass
    return found


def refusal(answer: bytes) -> dict[str, Any]:
    """Return the problem in an answer that ends its connection; nothing for no answer."""
    if not answer:
        return {}
    lines, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in lines
    assert b"connection: close" in lines
    problem: dict[str, Any] = json.loads(body)
    assert lines.startswith(b"HTTP/1.1 %d " % problem["status"])
    assert problem["request_id"].encode() in lines
    return problem


def is_open(connection: socket.socket) -> bool:
    """Say whether the server has neither answered nor closed, as far as it has come here."""
    connection.setblocking(False)
    try:
        connection.recv(1, socket.MSG_PEEK)
        return False
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    finally:
        connection.settimeout(TIMEOUT_S)
