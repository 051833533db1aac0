"""The calendar and risk on pages: what is when, in the way of what; and what was predicted, beside what came of it."""

import re
from typing import Any

import pytest
from browsing import look, person, read_page, signed_in, tell, wait_for_views
from servers import Server, event

from api.console.charts import Lane, Point, lanes, reliability

JUNE = "/console/calendar?at=2031-06-10"


@pytest.fixture(scope="module")
def told(server: Server) -> None:
    """In June 2031: two plans of one service at one time, a freeze with an override, meetings each week, and a window to watch."""
    for number, hours in ((1, (8, 10)), (2, (9, 11)), (3, (11, 12))):
        of: dict[str, Any] = {"change_id": f"CHG-6{number}", "actor": "person:alice"}
        tell(server, "change.opened", **of, services=["api"], environment="prod")
        start, end = (f"2031-06-10T{hour:02}:00:00Z" for hour in hours)
        tell(server, "change.scheduled", **of, planned_start=start, planned_end=end)
    of = {"change_id": "CHG-64", "actor": "person:alice"}
    tell(server, "change.opened", **of, services=["other"], environment="prod")
    first = {"planned_start": "2031-06-03T08:00:00Z", "planned_end": "2031-06-03T09:00:00Z"}
    tell(server, "change.scheduled", **of, **first, time_zone="UTC", recurs="FREQ=WEEKLY;COUNT=5")
    about = {"actor": "person:olga", "time_zone": "UTC"}
    days = {"start": "2031-06-12T00:00:00Z", "end": "2031-06-14T00:00:00Z"}
    weekly = {"start": "2031-06-02T12:00:00Z", "end": "2031-06-02T13:00:00Z", "recurs": "FREQ=WEEKLY"}
    yearly = {
        "start": "2031-06-01T12:00:00Z",
        "end": "2031-06-01T13:00:00Z",
        "recurs": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    }
    through = {"change_id": "CHG-69", "requester": "person:alice", "expires_at": "2031-06-13T00:00:00Z", "reason": "x"}
    with person(server, "olga", "operator", "reporter") as olga:
        for said in (
            event("freeze.declared", **about, freeze_id="F-6", environments=["prod"], **days, reason="x"),
            event("freeze.override_granted", actor="person:olga", freeze_id="F-6", **through),
            event("cab.meeting_scheduled", **about, meeting_id="CAB-6", **weekly),
            event(
                "compliance_window.declared", **about, window_id="W-6", framework="sox", environments=["prod"], **yearly
            ),
        ):
            answer = olga.post("/v1/events", json=said)
            assert answer.status_code == 201, answer.text
    wait_for_views(server, answer.json()["position"])


def days_of(page: str, name: str) -> list[str]:
    """Return the days of a month on which a page has something."""
    cells = re.findall(r'aria-label="\w+ (\d+ \w+) 2031">\d+</a></p>(.*?)</td>', page, re.S)
    return [day for day, cell in cells if f"<bdi>{name}</bdi>" in cell]


def test_a_month_has_each_thing_on_each_of_its_days(server: Server, told: None) -> None:
    with signed_in(server, "auditor") as client:
        page = look(client, JUNE)
        assert days_of(page, "CHG-61") == ["10 Jun"]
        # What ends as a day begins is not on it.
        assert days_of(page, "F-6") == ["12 Jun", "13 Jun"]
        assert days_of(page, "CAB-6") == ["2 Jun", "9 Jun", "16 Jun", "23 Jun", "30 Jun"]
        assert days_of(page, "CHG-64") == ["3 Jun", "10 Jun", "17 Jun", "24 Jun"]
        assert days_of(page, "CHG-69")[-1] == "12 Jun"
        assert "at the time of CHG-62" in page
        assert "at the time of CHG-63" not in page
        assert page.count("<title>meeting CAB-6") == 5
        assert "/v1/calendar.ics" in page
        july = look(client, "/console/calendar?at=2031-07-01")
        assert days_of(july, "CHG-61") == []
        assert days_of(july, "CAB-6")[0] == "7 Jul"
        assert days_of(july, "CHG-64") == ["1 Jul"]


def test_a_day_and_a_week_say_from_when_to_when(server: Server, told: None) -> None:
    with signed_in(server, "auditor") as client:
        text = re.sub(r"\s+", " ", read_page(look(client, f"{JUNE}&scale=day")).text)
        assert "08:00–10:00 change CHG-61" in text
        assert "api in prod" in text
        week = re.sub(r"\s+", " ", read_page(look(client, f"{JUNE}&scale=week")).text)
        assert "Mon 9 Jun 2031 to Sun 15 Jun 2031" in week
        assert "all day freeze F-6" in week
        assert "F-6" not in text
        for wrong in ("at=tomorrow", "at=0001-01-01", "scale=year"):
            assert client.get(f"/console/calendar?{wrong}").status_code == 422
        assert "today" in look(client, "/console/calendar")


def test_a_version_is_shown_with_what_it_predicted_and_what_came_of_it(server: Server) -> None:
    parameters = [{"name": "churn", "value": "1"}, {"name": "scale", "value": "10"}]
    for version in ("1.0.0", "2.0.0"):
        of = {"actor": "person:dan", "model_id": "m", "version": version, "model_digest": "sha256:" + "0" * 64}
        bands = [{"name": "low", "value": "0"}, {"name": "high", "value": "5"}]
        tell(
            server, "risk.model_published", **of, form="weighted_points", features_version="1", parameters=parameters,
            bands=bands,
        )  # fmt: skip
    with signed_in(server, "analyst") as client:
        page = look(client, "/console/risk")
        assert "m/1.0.0" in page
        assert "a challenger: without effect" in page
        assert "No change that it scored has an outcome yet" in page
        tried = look(client, "/console/risk?version=m%2F1.0.0&against=m%2F2.0.0")
        assert "Nothing was recorded" in tried
        assert client.get("/console/risk?version=none").status_code == 404
        assert client.get("/console/risk?version=m%2F1.0.0&against=none").status_code == 404


def test_the_version_that_counts_is_told_from_the_others(server: Server) -> None:
    of = {"model_id": "counted", "version": "1", "model_digest": "sha256:" + "1" * 64}
    form = {"form": "weighted_points", "features_version": "1"}
    one = [{"name": "x", "value": "1"}]
    published = event("risk.model_published", actor="service:reporter", **of, **form, parameters=one, bands=one)
    assert server.post(published, by="reporter").status_code == 201
    tell(server, "risk.model_approved", actor="service:all", **of)
    with signed_in(server, "analyst") as client:
        assert "counts, provisionally" in look(client, "/console/risk")


def test_bars_in_time_are_links_as_long_as_what_they_stand_for() -> None:
    hostile = '"><script>'
    marks = [
        Lane(hostile, "freeze", 0.25, 0.75, hostile, "/console/a"),
        Lane("n" * 90, "change", 1, 1, "x", "/console/b"),
    ]
    read = read_page(str(lanes(marks, title="t", ticks=[(0, "Mon")])))
    assert [a["href"] for tag, a in read.tags if tag == "a"] == ["/console/a", "/console/b"]
    bars = [a for tag, a in read.tags if tag == "rect" and (a["class"] or "").startswith("whole")]
    assert [(float(a["x"] or 0), float(a["width"] or 0)) for a in bars] == [(380.5, 381.0), (952.0, 3.0)]
    assert hostile in read.text


def test_a_point_on_the_diagonal_came_as_predicted() -> None:
    read = read_page(
        str(reliability([Point(0.5, 0.5, 1, "says", "/console/a"), Point(0, 1, 0, "x", "/console/b")], title="t"))
    )
    points = [a for tag, a in read.tags if tag == "circle" and a["class"] == "whole"]
    assert [(a["cx"], a["cy"]) for a in points] == [("171.0", "149.0"), ("40.0", "18.0")]
