"""The console over HTTP: who comes in, how they leave, what every page carries, and what a page says of what goes wrong."""

import itertools
import re
from typing import Any

import httpx
import pytest
from browsing import form_token, read_page, signed_in, wait_for_views
from servers import PARTS, ROLES, Server, check_problem, event
from waiting import settle

from api.console.words import address
from api.http import auth
from projections import VIEWS

PAGES = {route: roles for route, roles in auth.ROUTES.items() if route[1].startswith("/console")}
# The stream goes on: test_live.py reads it.
WITH_SESSION = {
    route: roles for route, roles in PAGES.items() if roles != auth.PUBLIC and route != ("GET", "/console/stream")
}
HERE = {
    "change_id": "CHG-7",
    "finding_id": "rule/none",
    "review_id": "none",
    "meeting_id": "none",
    "ref": "change:CHG-7",
    "view": "findings",
    "name": "none.css",
    "path": "nowhere",
}


@pytest.fixture(scope="module")
def told(server: Server) -> dict[str, Any]:
    """An entry with a text that means harm, and the views at it."""
    receipt = server.record(event("change.opened", change_id="CHG-7", title='<script>alert("x")</script> {{7*7}}'))
    wait_for_views(server, receipt["position"])
    return receipt


def look(client: httpx.Client, path: str, status: int = 200, **more: Any) -> str:
    """Return a page as text, after looking whether it is whole, and carries what every page does."""
    answer = client.get(path, **more)
    assert answer.status_code == status, (path, answer.status_code, answer.text[:300])
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    read_page(answer.text)
    assert "cannot be shown" not in answer.text
    return answer.text


# -- in and out ----------------------------------------------------------------------------------------------------------


def test_a_token_signs_in_and_its_cookie_is_for_this_server_alone(server: Server, told: dict[str, Any]) -> None:
    with server.client_with(None) as client:
        answer = client.get("/console/views/findings?rule=gate-bypassed")
        assert answer.status_code == 303
        page = look(client, answer.headers["location"])
        after = re.search(r'name="next" value="([^"]*)"', page)
        assert after is not None
        answer = client.post("/console/sign-in", data={"token": server.tokens["auditor"], "next": after[1]})
        assert answer.status_code == 303
        assert answer.headers["location"] == "/console/views/findings?rule=gate-bypassed"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert server.tokens["auditor"].lower() not in cookie
        look(client, answer.headers["location"])


@pytest.mark.parametrize(
    "after", ["https://evil.example/", "//evil.example", "/console/\\evil", "/v1/events", "/console/\n"]
)
def test_the_sign_in_sends_nobody_elsewhere(server: Server, after: str) -> None:
    answer = httpx.post(
        f"{server.url}/console/sign-in", data={"token": server.tokens["auditor"], "next": after}, timeout=600
    )
    assert answer.headers["location"] == "/console/"


def test_a_token_that_is_none_is_said_to_be_none_and_counted(server: Server) -> None:
    for token in ("", "guessed", "x" * 1000, "ä"):
        answer = httpx.post(f"{server.url}/console/sign-in", data={"token": token}, timeout=600)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        read_page(answer.text)


def test_over_plain_http_from_another_name_nobody_signs_in_and_is_told_why(server: Server) -> None:
    headers = {"Host": "ledger.example.com"}
    page = server.get("/console/sign-in", by="nobody", headers=headers).text
    assert "expected https" in page
    assert "<form" not in page
    answer = httpx.post(
        f"{server.url}/console/sign-in", data={"token": server.tokens["all"]}, headers=headers, timeout=600
    )
    assert answer.status_code == 403
    assert "trusted_proxies" in answer.text


def test_who_signs_out_is_out_with_every_copy_of_the_cookie(server: Server) -> None:
    with signed_in(server, "auditor") as client:
        page = look(client, "/console/views")
        copy = dict(client.cookies)
        assert client.post("/console/sign-out").status_code == 415
        answer = client.post("/console/sign-out", data={"form_token": form_token(page)})
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in")
        assert client.get("/console/views").status_code == 303
        answer = httpx.get(f"{server.url}/console/views", cookies=copy, timeout=600)
        assert answer.status_code == 303
        assert "ended=1" in answer.headers["location"]
        assert client.post("/console/sign-out", data={"form_token": "0"}).status_code == 303


@pytest.mark.parametrize(
    "elsewhere",
    [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://["}],
    ids=str,
)
def test_a_form_of_another_session_or_site_is_refused(server: Server, elsewhere: dict[str, str]) -> None:
    with signed_in(server, "auditor") as one, signed_in(server, "auditor") as other:
        stolen = form_token(look(other, "/console/views"))
        assert one.post("/console/sign-out", data={"form_token": stolen}).status_code == 403
        own = form_token(look(one, "/console/views"))
        assert one.post("/console/sign-out", data={"form_token": own}, headers=elsewhere).status_code == 403
        answer = one.post("/console/sign-in", data={"token": server.tokens["all"]}, headers=elsewhere)
        assert answer.status_code == 403
        look(one, "/console/views")
        own_origin = {"Origin": server.url}
        assert one.post("/console/sign-in", data={"token": server.tokens["all"]}, headers=own_origin).status_code == 303


def test_a_revoked_token_ends_its_sessions(server: Server) -> None:
    wanted = {"principal": "person:eve", "kind": "human", "roles": ["auditor"]}
    issued = server.client().post("/v1/ledger/credentials", json=wanted).json()
    with server.client_with(None) as client:
        assert client.post("/console/sign-in", data={"token": issued["token"]}).status_code == 303
        look(client, "/console/views")
        revoked = server.client().delete(f"/v1/ledger/credentials/{issued['credential']}", params={"reason": "left"})
        assert revoked.status_code == 200
        assert client.get("/console/views").status_code == 303


def test_a_forged_cookie_signs_nobody_in(server: Server) -> None:
    for forged in ("x", "A" * 300, "%00", "A" * 5000):
        with httpx.Client(base_url=server.url, cookies={"change-ledger": forged}, timeout=600) as client:
            assert client.get("/console/views").status_code == 303
            check_problem(client.get("/console/views/findings.json"), 401)


# -- who may look ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [*ROLES, "all"])
def test_a_role_may_look_at_the_pages_of_its_row_and_no_other(server: Server, by: str) -> None:
    with signed_in(server, by) as client:
        for (method, path), roles in WITH_SESSION.items():
            answer = client.request(method, path.format(**PARTS | HERE), data=None if method == "GET" else {})
            # Before anything else is looked at, the form among it.
            is_refused = answer.status_code == 403 and f"{method} {path} needs the role" in answer.text
            assert is_refused != (by == "all" or by in roles), (by, method, path, answer.status_code, answer.text[:200])
            assert answer.status_code < 500


def test_nobody_looks_at_a_page_without_a_session(server: Server) -> None:
    # A token in a header is for programs, and signs nobody in.
    for (method, path), by in itertools.product(WITH_SESSION, ("nobody", "all")):
        asked = path.format(**PARTS | HERE)
        answer = server.client(by).request(method, asked, data={} if method == "POST" else None)
        if asked.endswith((".json", ".csv")):
            check_problem(answer, 401)
        elif method == "GET":
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/console/sign-in")
        else:
            assert answer.status_code == 401


# -- what is shown ---------------------------------------------------------------------------------------------------------


def test_every_view_has_its_list_beside_it_as_json_and_csv(server: Server, told: dict[str, Any]) -> None:
    # Each list says how far it is: two are alike once all that was told is folded.
    settle(server)
    with signed_in(server, "auditor") as client:
        for view in VIEWS:
            page = look(client, f"/console/views/{view.name}?limit=2")
            assert re.search(r"As of position <a [^>]*>", page)
            rows = client.get(f"/console/views/{view.name}.json", params={"limit": 2})
            assert rows.json() == server.get(f"/v1/views/{view.name}", params={"limit": 2}).json()
            for row in rows.json()["items"]:
                look(client, address("views", view.name, row[view.key]))
        table = client.get("/console/views/change_facts.csv")
        assert table.headers["content-type"].startswith("text/csv")
        assert table.text == server.get("/v1/views/change_facts", params={"limit": 50, "format": "csv"}).text


def test_a_list_is_narrowed_sorted_and_paged_by_its_address(server: Server, told: dict[str, Any]) -> None:
    with signed_in(server, "analyst") as client:
        answer = client.get("/console/views/credentials?principal=service%3Aall&sort=&kind=")
        assert answer.headers["location"] == "/console/views/credentials?principal=service%3Aall"
        assert "service:reporter" not in look(client, answer.headers["location"])
        page = look(client, "/console/views/credentials?limit=2&sort=-principal")
        following = re.search(r'rel="next" href="([^"]*)"', page)
        assert following is not None
        look(client, following[1].replace("&amp;", "&"))
        # A digit that is no number.
        look(client, "/console/views/credentials?limit=%C2%B2")
        for wrong in ("bogus=1", "sort=bogus", "issued_at__gte=yesterday", "after=x", "limit=2&limit=3"):
            look(client, f"/console/views/credentials?{wrong}", 422)
        assert "Nothing" not in look(client, "/console/views/no_such_view", 404)
        look(client, "/console/views/change_facts/no-such-change", 404)


def test_a_row_is_shown_as_it_stood_and_says_so(server: Server, told: dict[str, Any]) -> None:
    settle(server)
    with signed_in(server, "auditor") as client:
        page = look(client, f"/console/views/change_facts/CHG-7?as_of={told['position']}")
        assert "As it stood" in page
        look(client, "/console/views/change_facts/CHG-7?known_at=3", 422)
        assert client.get("/console/views/change_facts/CHG-7?as_of=&known_at=").status_code == 303
        same = client.get("/console/views/change_facts.json/CHG-7").json()
        assert same == server.get("/v1/views/change_facts/CHG-7").json()


def test_an_entry_is_shown_in_words_with_its_hashes_and_hostile_texts_are_texts(
    server: Server, told: dict[str, Any]
) -> None:
    with signed_in(server, "auditor") as client:
        page = look(client, f"/console/entries/{told['position']}")
        assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; {{7*7}}" in page
        assert told["entry_hash"] in page
        assert client.get(f"/console/entries/{told['position']}.json").json()["receipt"] == told
        # Others told of changes before, and a page has fifty rows.
        for asked in ("", "&type=change.opened", "&ref=change:CHG-7"):
            path = f"/console/entries?after={told['position'] - 1}{asked}"
            assert f"/console/entries/{told['position']}" in look(client, path)
        look(client, "/console/entries?type=bogus", 422)
        assert told["position"] in [i["position"] for i in client.get("/console/entries.json").json()["items"]]
        for nothing in ("99999999", "0", "x", "9" * 20, "1.xml"):
            look(client, f"/console/entries/{nothing}", 404)
        assert "CHG-7" in look(client, "/console/about/change:CHG-7", follow_redirects=True)


def test_what_producers_call_things_has_no_power_over_a_page(server: Server) -> None:
    # Of what identifiers allow, the worst.
    artifact, change = "pkg:oci/<img/src=x/onerror=alert(1)>\"'{{7*7}}?q=#%2e%2e", "a/../b.json"
    server.record(event("change.opened", change_id=change, environment="prod", team="hostile"))
    said = {"deployment_id": "views/..", "change_id": change, "service": "hostile-api", "environment": "prod"}
    position = server.record(event(**said, artifact=artifact, outcome="success"))["position"]
    wait_for_views(server, position)
    with signed_in(server, "auditor") as client:
        for path in (
            "/console/running",
            # Others deploy to this server, too, and a page has fifty rows.
            "/console/views/deployments?columns=all&service=hostile-api",
            address("views", "deployments", "views/.."),
        ):
            assert artifact in read_page(look(client, path)).text + str(read_page(look(client, path)).tags), path
        page = look(client, address("changes", change))
        assert 'href="/console/views/deployments/views%2F.."' in page
        # The form that looks back leads to the same change.
        assert f'action="{address("changes", change)}"' in page
        assert change in look(client, "/console/changes?team=hostile")
        answer = client.get("/console/go", params={"q": change})
        assert answer.headers["location"] == "/console/changes/a%2F..%2Fb.json"


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ("1", "/console/entries/1"),
        ("person:ada", "/console/about/identity%3Aperson%3Aada"),
        ("service:none-yet", "/console/about/service%3Anone-yet"),
        ("CHG-7", "/console/changes/CHG-7"),
        ("environment:nowhere", "/console/about/environment%3Anowhere"),
    ],
)
def test_a_name_leads_to_its_page(server: Server, told: dict[str, Any], asked: str, where: str) -> None:
    with signed_in(server, "auditor") as client:
        answer = client.get("/console/go", params={"q": asked})
        assert (answer.status_code, answer.headers["location"]) == (303, where)


def test_a_name_of_nothing_is_said_to_be_none(server: Server) -> None:
    with signed_in(server, "auditor") as client:
        for asked in ("", "no-such-thing", "<b>x</b>", "../../etc/passwd", "x" * 300, "\u202e", "change:"):
            look(client, "/console/go", params={"q": asked})
        look(client, "/console/go?q=a%00", 422)
        look(client, "/console/nowhere", 404)


def test_the_stylesheet_is_kept_for_ever_under_a_name_that_changes_with_it(server: Server) -> None:
    page = server.get("/console/sign-in", by="nobody").text
    found = re.search(r'rel="stylesheet" href="([^"]*)"', page)
    assert found is not None
    answer = server.get(found[1], by="nobody")
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert "url(" not in answer.text
    assert "@import" not in answer.text
    assert server.get("/console/static/other.css", by="nobody").status_code == 404


def test_a_producer_that_counts_is_shown_with_the_numbers_that_are_missing(server: Server) -> None:
    counted = {1: 0, 2: 0, 5: 0, 7: 0}
    for number in counted:
        said = event("incident.opened", incident_id=f"INC-{number}", severity="sev1") | {"sequence": str(number)}
        counted[number] = server.record(said | {"source": "https://counts.example.com/a"})["position"]
    wait_for_views(server, counted[7])
    with signed_in(server, "auditor") as client:
        text = re.sub(r"\s+", " ", read_page(look(client, "/console/ledger")).text)
        assert "https://counts.example.com/a1 to 733 to 4, between" in text
        assert f"3 to 4, between {counted[2]} and {counted[5]}" in text
        assert f"6, between {counted[5]} and {counted[7]}" in text
