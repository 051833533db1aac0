"""The calendar as a file: what was declared is read back by the reader of calendars, at the times that it means."""

from collections.abc import Iterator

import pytest
from servers import Server, check_problem, event, running_server
from views_processes import wait_for_views as wait_until_views_are_there

from api.intake.content_lines import read_components

JUNE = {"since": "2031-06-01T00:00:00Z", "until": "2031-07-01T00:00:00Z"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A ledger of its own: what others declared and met for would be in its calendar."""
    with running_server(tmp_path_factory.mktemp("calendar") / "var") as running:
        wait_until_views_are_there(running)
        yield running


def test_what_is_frozen_is_an_event_for_each_time_and_a_lifted_freeze_is_cancelled(server: Server) -> None:
    about = {"actor": "service:all", "tiers": ["production"], "environments": ["prod"]}
    weekly = {
        "start": "2031-05-30T15:00:00Z",
        "end": "2031-06-02T04:00:00Z",
        "time_zone": "Europe/Berlin",
        "recurs": "FREQ=WEEKLY;BYDAY=FR",
    }
    once = {"start": "2031-06-11T00:00:00Z", "end": "2031-06-12T00:00:00Z"}
    server.record(event("freeze.declared", **about, freeze_id="ics-weekly", **weekly))
    server.record(event("freeze.declared", **about, freeze_id="ics-once", **once))
    position = server.record(event("freeze.lifted", actor="service:all", freeze_id="ics-once"))["position"]
    answer = server.get("/v1/calendar.ics", params=JUNE | {"min_position": str(position)})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    [calendar] = read_components(answer.content)
    events = [(one.text("SUMMARY"), one.text("DTSTART"), one.text("STATUS")) for one in calendar.parts]
    fridays = ["20310530", "20310606", "20310613", "20310620", "20310627"]
    assert [found for found in events if "weekly" in found[0]] == [
        ("Freeze ics-weekly", f"{day}T150000Z", "CONFIRMED") for day in fridays
    ]
    assert [found for found in events if "once" in found[0]] == [("Freeze ics-once", "20310611T000000Z", "CANCELLED")]
    assert calendar.text("X-CHANGE-LEDGER-COMPLETE") == "TRUE"
    assert int(calendar.text("X-CHANGE-LEDGER-POSITION")) >= position
    # Posted back, it is what it was.
    said = {"as": "freeze", "actor": "service:all", "tier": "production"}
    headers = {"to": "/v1/intake/icalendar", "by": "all", "kind": "text/calendar"}
    assert server.post(answer.content, params=said, **headers).status_code == 201
    assert server.get("/v1/calendar.ics", params=JUNE | {"kinds": "meeting"}).content.count(b"BEGIN:VEVENT") == 0


def test_what_cannot_be_asked_is_told_with_its_place(server: Server) -> None:
    for wrong, place in (
        ({"since": "yesterday"}, "/since"),
        ({"since": "2031-01-01T00:00:00Z", "until": "2033-01-01T00:00:00Z"}, "/until"),
        (JUNE | {"until": "2031-05-01T00:00:00Z"}, "/until"),
        ({"kinds": "freeze,party"}, "/kinds"),
    ):
        check_problem(server.get("/v1/calendar.ics", params=wrong), 422, place)
    assert server.get("/v1/calendar.ics").status_code == 200
    assert server.get("/v1/calendar.ics", by="reporter").status_code == 403
