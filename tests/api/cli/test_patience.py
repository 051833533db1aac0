"""Commands that send what may be sent again, while connections get lost and servers are busy."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from servers import Server, event, log_server

from api.cli import remote_door as doors
from api.cli.remote_door import WAITS_S, RemoteDoor, patiently


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let nobody wait; the waits that were asked for."""
    found: list[float] = []
    monkeypatch.setattr(doors, "pause", found.append)
    return found


def answers(*each: Any) -> Callable[[], httpx.Response]:
    left = list(each)

    def send() -> httpx.Response:
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return httpx.Response(one[0], headers=one[1]) if isinstance(one, tuple) else httpx.Response(one)

    return send


LOST = httpx.RemoteProtocolError("Server disconnected without sending a response.")
NOBODY = httpx.ConnectError("Connection refused")


def test_a_lost_connection_is_tried_again_and_the_waits_grow(waited: list[float]) -> None:
    assert patiently(answers(LOST, NOBODY, httpx.ReadTimeout("slow"), 201)).status_code == 201
    for wait, at_least in zip(waited, WAITS_S, strict=False):
        assert at_least <= wait <= 2 * at_least
    assert len(waited) == 3


def test_whoever_never_answers_is_given_up(waited: list[float]) -> None:
    with pytest.raises(httpx.ConnectError):
        patiently(answers(*[NOBODY] * (len(WAITS_S) + 1)))
    assert len(waited) == len(WAITS_S)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_says_how_long(status: int, waited: list[float]) -> None:
    assert patiently(answers((status, {"Retry-After": "20"}), 201)).status_code == 201
    assert 20 <= waited[0] <= 40
    # Nobody waits for an hour, nor where trying again does not help.
    assert patiently(answers((status, {"Retry-After": "3600"}))).status_code == status
    assert patiently(answers((status, {}))).status_code == status
    assert len(waited) == 1


@pytest.mark.parametrize("status", [200, 207, 400, 401, 403, 409, 412, 422, 500])
def test_an_answer_is_an_answer(status: int, waited: list[float]) -> None:
    assert patiently(answers(status)).status_code == status
    assert not waited


class Losing(httpx.HTTPTransport):
    """A network that brings the first requests to the server, and loses the answers."""

    lost = 2

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        if self.lost:
            self.lost -= 1
            answer.close()
            raise LOST
        return answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with log_server(tmp_path_factory.mktemp("patience") / "var") as running:
        yield running


def test_what_was_recorded_before_its_answer_got_lost_is_recorded_once(server: Server, waited: list[float]) -> None:
    door = RemoteDoor(server.url, server.tokens["all"])
    door._client = httpx.Client(base_url=server.url, headers=door._client.headers, transport=Losing(), timeout=600)
    before = server.size()
    [answer] = door.append([event()])
    assert (answer["status"], answer["receipt"]["position"]) == (200, before + 1)
    assert server.size() == before + 1
    assert len(waited) == 2
    door.close()
