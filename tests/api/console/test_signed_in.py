"""The cookie of a session: where it may be set, and as what."""

import os
from types import SimpleNamespace

import pytest
from fastapi import Request
from fastapi.responses import Response

from api.console.sessions import Sessions
from api.console.signed_in import check_way, forget, remember, session_of
from ledger.errors import ForbiddenError, UnauthenticatedError

NOW = 1_795_435_200_000_000
SESSIONS = Sessions(b"s" * 32, os.urandom)


def request(scheme: str, host: str, client: str, **headers: str) -> Request:
    ledger = SimpleNamespace(clock=SimpleNamespace(now_us=lambda: NOW))
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in (headers | {"host": host}).items()]
    scope = {
        "type": "http", "method": "POST", "scheme": scheme, "path": "/console/sign-in", "query_string": b"",
        "headers": lines, "client": (client, 4711), "server": ("127.0.0.1", 8000),
        "app": SimpleNamespace(state=SimpleNamespace(sessions=SESSIONS, ledger=ledger)),
    }  # fmt: skip
    return Request(scope)


@pytest.mark.parametrize(
    ("host", "client"),
    [("127.0.0.1:8000", "127.0.0.1"), ("localhost", "127.0.0.1"), ("[::1]:8000", "::1"), ("127.9.9.9", "127.0.0.1")],
)
def test_on_the_machine_itself_plain_http_will_do(host: str, client: str) -> None:
    check_way(request("http", host, client))


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("ledger.example.com", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.7"),
        ("localhost.example.com", "127.0.0.1"),
        ("10.0.0.1", "10.0.0.2"),
    ],
)
def test_elsewhere_it_has_to_be_https(host: str, client: str) -> None:
    with pytest.raises(ForbiddenError, match="trusted_proxies"):
        check_way(request("http", host, client))
    check_way(request("https", host, client))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "x"])
def test_a_form_of_another_site_is_refused(site: str) -> None:
    with pytest.raises(ForbiddenError, match="another site"):
        check_way(request("https", "ledger.example.com", "192.0.2.7", sec_fetch_site=site))


def test_behind_tls_the_cookie_is_bound_to_the_host_and_read_under_that_name_alone() -> None:
    asked, answer = request("https", "ledger.example.com", "192.0.2.7"), Response()
    session = SESSIONS.begin("token", "t", NOW, 2 * NOW)
    remember(asked, answer, session, anew=True)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-change-ledger=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    kept = cookie.partition(";")[0]
    assert session_of(request("https", "ledger.example.com", "192.0.2.7", cookie=kept)) == session
    with pytest.raises(UnauthenticatedError):
        session_of(request("http", "localhost", "127.0.0.1", cookie=kept))
    gone = Response()
    forget(asked, gone)
    assert "Max-Age=0" in gone.headers["set-cookie"]
    assert "Secure" in gone.headers["set-cookie"]


def test_a_cookie_in_use_is_sent_anew_and_a_fresh_one_is_not() -> None:
    asked, session = request("http", "localhost", "127.0.0.1"), SESSIONS.begin("token", "t", NOW, 2 * NOW)
    fresh, used = Response(), Response()
    remember(asked, fresh, session)
    assert "set-cookie" not in fresh.headers
    remember(asked, used, SESSIONS.begin("token", "t", NOW - 120_000_000, 2 * NOW))
    assert "set-cookie" in used.headers
