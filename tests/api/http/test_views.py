"""Views over HTTP: lists, rows, the past of a row, and reading one's own write."""

from typing import Any

import pytest
from servers import LONG_AGO, Server, check_problem, event

from projections import VIEWS


def told(server: Server, number: str, **more: Any) -> int:
    where = {"deployment_id": f"views-{number}", "service": f"views-{number}", "environment": "prod"}
    receipts = [
        server.record(event(kind, **where, **said, **more))
        for kind, said in (
            ("deployment.started", {"actor": "service:ci"}),
            ("deployment.finished", {"outcome": "success"}),
        )
    ]
    return int(receipts[-1]["position"])


def test_one_reads_ones_own_write(server: Server) -> None:
    for number in range(5):
        position = told(server, f"own-{number}", change_id="CHG-1")
        answer = server.get(f"/v1/views/deployments/views-own-{number}", params={"min_position": position})
        assert answer.status_code == 200, answer.text
        assert answer.json()["position"] >= position
        assert (answer.json()["row"]["outcome"], answer.json()["row"]["change_id"]) == ("success", "CHG-1")


def test_a_list_is_filtered_sorted_paged_and_had_as_csv(server: Server) -> None:
    position = max(told(server, f"list-{number}", change_id="CHG-list") for number in range(3))
    narrow = {"change_id": "CHG-list", "sort": "-started_position", "limit": "2", "min_position": str(position)}
    first = server.get("/v1/views/deployments", params=narrow).json()
    rest = server.get("/v1/views/deployments", params=narrow | {"after": first["next"]}).json()
    found = [row["service"] for row in first["items"] + rest["items"]]
    assert found == ["views-list-2", "views-list-1", "views-list-0"]
    assert "next" not in rest
    table = server.get("/v1/views/deployments", params=narrow | {"format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    lines = table.text.splitlines()
    assert lines[0].startswith("deployment_id,change_id,")
    assert (len(lines), table.headers["x-next"]) == (3, first["next"])


def test_a_row_is_had_as_it_stood_and_as_it_was_known(server: Server) -> None:
    last = told(server, "past")
    at = {"min_position": str(last)}
    path = "/v1/views/deployments/views-past"
    assert server.get(path, params=at | {"as_of": str(last - 1)}).json()["row"]["outcome"] is None
    assert server.get(path, params=at | {"as_of": "2100-01-01T00:00:00+01:00"}).json()["row"]["outcome"] == "success"
    check_problem(server.get(path, params=at | {"as_of": "2001-01-01T00:00:00Z"}), 404)
    known = {"as_of": "2100-01-01T00:00:00Z", "known_at": str(last - 1)}
    assert server.get(path, params=at | known).json()["row"]["outcome"] is None


def test_a_timeline_is_had_by_pages_up_and_down_and_as_it_stood(server: Server) -> None:
    last = max(told(server, f"line-{number}", change_id="CHG-lines") for number in range(2))
    asked = {"change_id": "CHG-lines", "min_position": str(last), "limit": "3"}
    first = server.get("/v1/views/change_timeline", params=asked).json()
    rest = server.get("/v1/views/change_timeline", params=asked | {"after": first["next"]}).json()
    lines = first["items"] + rest["items"]
    assert [line["type"] for line in lines] == ["deployment.started", "deployment.finished"] * 2
    down = server.get("/v1/views/change_timeline", params=asked | {"sort": "-line", "limit": "9"}).json()["items"]
    assert down == lines[::-1]
    then = server.get("/v1/views/change_timeline", params=asked | {"as_of": str(last - 1)}).json()
    assert (then["position"], then["items"]) == (last - 1, lines[:3])
    one = server.get(f"/v1/views/change_timeline/{lines[0]['line']}")
    assert one.json()["row"] == lines[0]
    check_problem(server.get("/v1/views/change_timeline", params=asked | {"as_of": "yesterday"}), 422, "/as_of")


def test_a_count_as_of_an_entry_that_was_just_recorded_knows_it(server: Server) -> None:
    for number in range(1, 6):
        said = {"actor": "service:all", "change_id": f"CHG-counted-{number}", "label": "failure"}
        position = server.record(event("risk.outcome_labelled", **said))["position"]
        answer = server.get("/v1/views/base_rates/all", params={"as_of": str(position)})
        assert answer.status_code == 200, answer.text
        before = server.get("/v1/views/base_rates/all", params={"as_of": str(position - 1)})
        earlier = before.json()["row"]["failures"] if before.status_code == 200 else 0
        assert answer.json()["row"]["failures"] == earlier + 1


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ({"colour": "red"}, "/colour"),
        ({"incidents": "INC-1"}, "/incidents"),
        ({"started_position": "x"}, "/started_position"),
        ({"sort": "colour"}, "/sort"),
        ({"after": "!"}, "/after"),
        ({"limit": "0"}, "limit"),
        ({"min_position": "999999999"}, "/min_position"),
        ({"format": "xml"}, "format"),
    ],
)
def test_a_list_that_cannot_be_made_is_refused_and_says_where(
    server: Server, query: dict[str, str], place: str
) -> None:
    told(server, "refused")
    check_problem(server.get("/v1/views/deployments", params=query), 422, place)


BEYOND_THE_CALENDAR = "9999-12-31T23:59:59-23:59"


@pytest.mark.parametrize(
    ("query", "place"),
    [({"as_of": "x"}, "/as_of"), ({"as_of": "2026-02-30T00:00:00Z"}, "/as_of"), ({"as_of": "1", "known_at": "1"}, "/as_of"),
     ({"as_of": BEYOND_THE_CALENDAR}, "/as_of"), ({"as_of": "\u00b2"}, "/as_of"),
     ({"as_of": LONG_AGO, "known_at": BEYOND_THE_CALENDAR}, "/known_at")],
)  # fmt: skip
def test_a_time_that_is_none_is_refused(server: Server, query: dict[str, str], place: str) -> None:
    check_problem(server.get("/v1/views/deployments/x", params=query), 422, place)


def test_a_row_that_there_is_not_is_not_found(server: Server) -> None:
    told(server, "known")
    check_problem(server.get("/v1/views/deployments/views-unknown"), 404)


@pytest.mark.parametrize("name", ["deployments", "findings"])
def test_a_slash_and_no_key_is_no_row(server: Server, name: str) -> None:
    words = check_problem(server.get(f"/v1/views/{name}/"), 404)["detail"]
    assert f"expected /v1/views/{name}, without the slash at the end" in words


def test_all_views_are_listed_served_and_described(server: Server) -> None:
    position = told(server, "described")
    server.get("/v1/views/deployments", params={"min_position": position})
    listed = server.get("/v1/views").json()["views"]
    assert [view["name"] for view in listed] == [view.name for view in VIEWS]
    assert all(view["position"] >= position and view["failure"] is None for view in listed)
    paths = server.get("/openapi.json", by="nobody").json()["paths"]
    for view in VIEWS:
        assert server.get(f"/v1/views/{view.name}").status_code == 200
        parameters = {p["name"] for p in paths[f"/v1/views/{view.name}"]["get"]["parameters"]}
        assert {"limit", view.key} <= parameters
    assert server.get("/readyz", by="nobody").json()["views"]["stopped"] == {}


def test_a_finding_is_read_with_its_age_as_of_when_it_is_asked(server: Server) -> None:
    where = {"deployment_id": "aged-1", "service": "api", "environment": "prod"}
    position = server.record(event("deployment.started", **where, actor="service:ci"))["position"]
    path = "/v1/views/findings/deployment-without-change%2Faged-1"
    row = server.get(path, params={"min_position": position}).json()["row"]
    assert (row["acted_position"], row["first_seen_position"], row["known_then"]) == (position, position, True)
    assert row["age_s"] < 3600
    assert server.get(path, params={"as_of": position}).json()["row"]["age_s"] == 0
    listed = server.get("/v1/views/findings", params={"subject": "aged-1", "format": "csv"}).text.splitlines()
    assert listed[0].endswith(",changes,rank,age_s")
    assert listed[1].rpartition(",")[2].isdigit()
    schema = server.get("/openapi.json", by="nobody").json()["components"]["schemas"]["FindingRead"]
    assert {"age_s", "acted_at", "justified_by"} <= schema["properties"].keys()


def test_whoever_asks_whether_views_are_ready_is_told_numbers_and_names(server: Server) -> None:
    position = told(server, "ready")
    server.get("/v1/views/deployments", params={"min_position": position})
    views = server.get("/readyz/views", by="nobody").json()["views"]
    assert views["position"] >= position
    assert (views["stopped"], views["unbuilt"], views["problem"]) == ({}, [], None)


def test_a_reporter_alone_reads_no_views(server: Server) -> None:
    check_problem(server.get("/v1/views/deployments", by="reporter"), 403)
    check_problem(server.get("/v1/views/deployments", by="nobody"), 401)
