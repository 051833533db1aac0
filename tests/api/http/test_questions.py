"""What a route is asked: every documented parameter is taken, and nothing else. The routes are read off the running server."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from servers import Server, check_problem, event


def test_a_list_may_be_given_several_times_where_it_is_one(server: Server) -> None:
    answer = server.get("/v1/risk/fit", params=[("feature", "churn"), ("feature", "size")])
    assert "twice" not in answer.text


def test_a_misspelt_parameter_is_answered_with_the_one_that_was_meant(server: Server) -> None:
    def said(path: str, **query: str) -> str:
        return str(check_problem(server.get(path, params=query), 422)["detail"])

    assert "did you mean limit?" in said("/v1/events", limt="5")
    assert "did you mean started_at__gte?" in said("/v1/views/deployments", started_at_gte="2026-01-01T00:00:00Z")
    assert "no parameter 'as_of'" in said("/v1/views/change_tickets", as_of="5")
    assert "no parameter 'known_at'" in said("/v1/views/change_tickets", known_at="5")
    assert "some also with an end: __gt, __gte, __in, __lt, __lte, __null" in said("/v1/views/deployments", serv1ce="x")
    assert "did you mean deployment.started?" in said("/v1/events", type="deployment.startet")
    assert "did you mean change?" in said("/v1/events", ref="chagne:CHG-7")
    assert "one of draft, assessing" in said("/v1/views/change_tickets", state="overdue")
    assert "one of low, medium, high" in said("/v1/views/findings", severity="critical")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/v1/view", "/v1/views"),
        ("/v1/view/deployments", "/v1/views/deployments"),
        ("/v1/views/change_ticket", "change_tickets"),
        ("/v1/views/change_ticket/CHG-7", "change_tickets"),
        ("/v1/event", "/v1/events"),
        ("/v1/catalogue/deployment.start", "deployment.started"),
        ("/openapi.yaml", "/openapi.json"),
    ],
)
def test_what_there_is_not_is_answered_with_what_was_meant_and_what_there_is(
    server: Server, path: str, meant: str
) -> None:
    assert f"did you mean {meant}?" in check_problem(server.get(path), 404)["detail"]


def test_a_view_that_there_is_not_is_answered_with_who_lists_those_that_there_are(server: Server) -> None:
    problem = check_problem(server.get("/v1/views/nothing-like-it"), 404)
    assert "GET /v1/views lists all" in problem["detail"]


def test_a_list_as_a_file_is_answered_with_how_it_is_had_as_csv(server: Server) -> None:
    assert "/v1/views/findings?format=csv" in check_problem(server.get("/v1/views/findings.csv"), 404)["detail"]


def test_a_browser_is_led_to_the_console_and_a_program_told_of_both(server: Server) -> None:
    led = server.get("/", by="nobody", headers={"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"})
    assert (led.status_code, led.headers["location"]) == (303, "/console/")
    said = check_problem(server.get("/", by="nobody"), 404)["detail"]
    assert "/console/" in said
    assert "/openapi.json" in said


def test_another_method_is_answered_with_those_that_there_are(server: Server) -> None:
    answer = server.client().put("/v1/ledger/sources")
    problem = check_problem(answer, 405)
    assert answer.headers["allow"] == "DELETE, GET, HEAD, POST"
    assert "expected DELETE or GET or HEAD or POST" in problem["detail"]


# -- lists of entries --------------------------------------------------------------------------------------------------


def recorded(server: Server, number: int) -> list[dict[str, Any]]:
    return [
        server.record(event(kind, deployment_id=f"asked-{number}", service="asked", environment="prod", **more))
        for kind, more in (
            ("deployment.started", {"actor": "service:ci"}),
            ("deployment.finished", {"outcome": "success"}),
        )
    ]


def test_entries_are_chosen_by_several_types_refs_and_by_when_they_were_recorded(server: Server) -> None:
    receipts = [receipt for number in range(3) for receipt in recorded(server, number)]
    positions = [receipt["position"] for receipt in receipts]

    def found(**query: Any) -> list[int]:
        # Of what is told here, and not of what others told of the same.
        answer = server.get("/v1/events", params={"after": positions[0] - 1} | query)
        assert answer.status_code == 200, answer.text
        document = answer.json()
        if "next" not in document and query.get("total"):
            assert document["total"] == len(document["items"])
        return [item["position"] for item in document["items"]]

    one, two = "deployment:asked-1", "deployment:asked-2"
    assert found(ref__in=f"{one},{two}", total="true") == positions[2:]
    assert found(ref__in=f"{one},{two}", type="deployment.finished", total="true") == [positions[3], positions[5]]
    assert found(ref="service:asked", type__in="deployment.started,change.opened", total="true") == positions[::2]
    since, until = receipts[2]["recorded_at"], receipts[4]["recorded_at"]
    asked = {"ref": "service:asked", "total": "true"}
    assert found(**asked, since=since) == positions[2:]
    assert found(**asked, until=until) == positions[:4]
    assert found(**asked, since=since, until=until) == positions[2:4]
    assert found(**asked, since="0001-01-01T00:00:00Z", until="9999-12-31T23:59:59Z") == positions
    assert found(since="9999-12-31T23:59:59Z", total="true") == []
    assert found(until="0001-01-01T00:00:00Z", total="true") == []


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ({"since": "2026-11-28"}, "/since"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "/until"),
        ({"since": "²"}, "/since"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "/until"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z"}, "/until"),
        ({"type": ""}, "/type"),
        ({"type": "deployment.started", "type__in": "deployment.started"}, "/type__in"),
        ({"type__in": "deployment.started,deployment.exploded"}, "/type__in"),
        ({"ref": "CHG-7"}, "/ref"),
        ({"ref": ""}, "/ref"),
        ({"ref": "change:"}, "/ref"),
        ({"ref__in": "change:CHG-7,colour:red"}, "/ref__in"),
        ({"ref__in": ",".join(f"change:{n}" for n in range(33))}, "/ref__in"),
        ({"total": "maybe"}, "/total"),
        ({"limit": "0"}, "/limit"),
    ],
)  # fmt: skip
def test_a_question_about_entries_that_cannot_be_answered_is_refused_and_says_where(
    server: Server, query: dict[str, str], place: str
) -> None:
    check_problem(server.get("/v1/events", params=query), 422, place)


def test_a_range_of_positions_that_ends_before_it_begins_is_refused(server: Server) -> None:
    for path, query in (("/v1/risk/backtest", {"model": "m/1"}), ("/v1/risk/fit", {"feature": "churn"})):
        check_problem(server.get(path, params=query | {"from": "10", "to": "5"}), 422, "/to")


@pytest.mark.parametrize("path", ["/v1/events", "/v1/views/deployments", "/v1/ledger/checkpoints"])
def test_every_page_links_to_the_next_one_with_all_that_was_asked(server: Server, path: str) -> None:
    position = max(receipt["position"] for number in range(3, 6) for receipt in recorded(server, number))
    server.wait_for_checkpoint(position)
    narrow = {
        "/v1/events": {"ref": "service:asked"},
        "/v1/views/deployments": {"service": "asked", "sort": "-started_at", "min_position": str(position)},
    }.get(path, {})
    whole = server.get(path, params=narrow | {"limit": "1000"})
    assert "link" not in whole.headers
    items, following = [], f"{path}?{httpx.QueryParams(narrow | {'limit': '1'})}"
    while following:
        answer = server.get(following)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        following = answer.links.get("next", {}).get("url", "")
        if following:
            assert following.startswith(path + "?")
            assert parse_qs(urlsplit(following).query)["after"] == [str(answer.json()["next"])]
    assert items == whole.json()["items"]


def test_totals_are_counted_when_they_are_asked_for(server: Server) -> None:
    position = max(receipt["position"] for number in range(6, 9) for receipt in recorded(server, number))
    asked = {"deployment_id__in": "asked-6,asked-7,asked-8", "limit": "1", "min_position": str(position)}
    assert "total" not in server.get("/v1/views/deployments", params=asked).json()
    first = server.get("/v1/views/deployments", params=asked | {"total": "true"}).json()
    assert (first["total"], len(first["items"])) == (3, 1)
    # Of all pages, whichever is asked for.
    second = server.get("/v1/views/deployments", params=asked | {"total": "true", "after": first["next"]}).json()
    assert second["total"] == 3
    table = server.get("/v1/views/deployments", params=asked | {"total": "true", "format": "csv"})
    assert (table.headers["x-total"], "next" in table.links) == ("3", True)
    everything = server.get("/v1/events", params={"total": "true", "limit": "1"}).json()
    assert everything["total"] == everything["size"]
