"""Every cell of role × route, tried over HTTP; and every mounted route is in the table."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from servers import PARTS, ROLES, Server, check_problem

from api.app import MODULES, create_app
from api.http import auth
from api.settings import Settings
from ledger.errors import SetupError

QUERY = {
    ("DELETE", "/v1/events/{position}/texts"): {"reason": "a-test"},
    ("DELETE", "/v1/events/{position}/evidence/{sha256}"): {"reason": "a-test"},
    ("GET", "/v1/ledger/consistency"): {"from": 1, "to": 1},
    ("DELETE", "/v1/ledger/sources"): {"source": "https://nobody.example", "door": "events"},
}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/v1/ledger/verify"): {"last": 1},
    # Inadmissible, so that nothing comes of it; whether one may is asked first.
    ("POST", "/v1/ledger/credentials"): {"principal": "service:x", "roles": ["reporter"], "expires_at": "2025-02-30"},
    ("POST", "/v1/ledger/keys"): {"role": "entry", "name": "a b", "public_key": "0" * 64},
    ("POST", "/v1/ledger/trust-rules"): {"issuer": "nobody"},
    ("POST", "/v1/ledger/imports"): {"import_id": "a b"},
    ("POST", "/v1/ledger/tools"): {"tool": "a b"},
    ("POST", "/v1/ledger/sources"): {"source": "a b", "door": "events", "principal": "service:x"},
    ("POST", "/v1/views/check"): {"views": ["none"]},
    ("POST", "/v1/views/rebuild"): {"views": ["none"]},
    ("POST", "/v1/views/skip"): {"view": "none"},
}
# Pages are looked at by a session: tests/api/console tries theirs.
OF_PROGRAMS = {route: roles for route, roles in auth.ROUTES.items() if not route[1].startswith("/console")}
BY_TOKEN = {route: roles for route, roles in OF_PROGRAMS.items() if roles not in (auth.PUBLIC, auth.BY_SIGNATURE)}
PUBLIC = [route for route, roles in OF_PROGRAMS.items() if roles == auth.PUBLIC]


def ask(server: Server, route: tuple[str, str], by: str) -> Any:
    """Send a request of a route by a role; return the answer, of a stream no more than its head."""
    method, path = route
    request: dict[str, Any] = {"params": QUERY.get(route)}
    if route in BODIES:
        request["json"] = BODIES[route]
    elif method == "POST":
        request |= {"content": b"{}", "headers": {"Content-Type": "application/json"}}
    with server.client(by).stream(method, path.format(**PARTS), **request) as answer:
        if not answer.headers["content-type"].startswith("text/event-stream"):
            answer.read()
        return answer


@pytest.mark.parametrize("by", ROLES)
@pytest.mark.parametrize("route", BY_TOKEN, ids=" ".join)
def test_a_role_may_use_the_routes_of_its_row_and_no_other(server: Server, route: tuple[str, str], by: str) -> None:
    answer = ask(server, route, by)
    if by in BY_TOKEN[route]:
        assert answer.status_code not in (401, 403), answer.status_code
    else:
        problem = check_problem(answer, 403)
        assert by in problem["detail"]


@pytest.mark.parametrize("route", BY_TOKEN, ids=" ".join)
def test_nobody_uses_a_route_without_a_token(server: Server, route: tuple[str, str]) -> None:
    answer = ask(server, route, "nobody")
    check_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("route", PUBLIC, ids=" ".join)
@pytest.mark.parametrize("by", ["nobody", *ROLES])
def test_anybody_uses_a_public_route(server: Server, route: tuple[str, str], by: str) -> None:
    server.wait_for_checkpoint()
    assert ask(server, route, by).status_code == 200


@pytest.mark.parametrize("by", ["nobody", *ROLES, "all"])
def test_no_token_takes_the_place_of_a_signature(server: Server, by: str) -> None:
    check_problem(ask(server, ("POST", "/v1/intake/github"), by), 401)


def test_who_may_not_is_told_so_before_what_is_sent_is_looked_at(server: Server) -> None:
    before = server.size()
    for path in (
        "/v1/events",
        "/v1/intake/cdevents",
        "/v1/ledger/credentials",
        "/v1/ledger/trust-rules",
        "/v1/ledger/tools",
    ):
        for by, status in (("nobody", 401), ("analyst", 403)):
            check_problem(server.post(b"{not JSON", to=path, by=by, kind="application/json"), status)
    assert server.size() == before


def test_no_role_reaches_beyond_another_but_by_the_table() -> None:
    for route, roles in BY_TOKEN.items():
        assert roles, route
        assert set(roles) <= set(ROLES), route
    # What these are asked is too long for a query.
    reading = {
        ("POST", path) for path in ("/v1/ledger/verify", "/v1/views/check", "/v1/policies/check", "/v1/policies/try")
    }
    writing = {route for route in BY_TOKEN if route[0] != "GET"} - reading
    for route in writing:
        assert not {"auditor", "analyst"} & set(BY_TOKEN[route]), f"who reads must not write: {route}"


def mounted() -> set[tuple[str, str]]:
    routes = [route for module in MODULES for route in module.router.routes if isinstance(route, APIRoute)]
    return {(method, route.path_format) for route in routes for method in route.methods or ()}


def test_the_table_names_every_mounted_route_and_no_other() -> None:
    assert mounted() == set(auth.ROUTES)


@pytest.mark.parametrize("route", [("POST", "/v1/events"), ("GET", "/v1/catalogue/{type}"), ("GET", "/healthz")])
def test_a_route_that_is_not_in_the_table_cannot_be_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, route: tuple[str, str]
) -> None:
    # A copy: put back into the table, the route would stand at its end.
    monkeypatch.setattr(auth, "ROUTES", {kept: roles for kept, roles in auth.ROUTES.items() if kept != route})
    with pytest.raises(SetupError, match="table of roles"):
        create_app(Settings(directory=tmp_path))
