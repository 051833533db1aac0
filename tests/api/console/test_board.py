"""A meeting of the board on a page: the agenda as it was fixed, votes and decisions in one's own name, and what would not count is said."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from browsing import fields, look, person, read_page, wait_for_views
from servers import Server, event, running_server
from views_processes import wait_for_views as wait_until_views_are_there

NOW = datetime.now(UTC).replace(microsecond=0)
BEGIN, END = ((NOW + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (-1, 2))
PATH = "/console/board/CAB-9"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A ledger of its own: policies of others would say who sits on the board."""
    with running_server(tmp_path_factory.mktemp("board") / "var") as running:
        wait_until_views_are_there(running)
        yield running


def post(client: httpx.Client, event_type: str, **data: Any) -> int:
    answer = client.post("/v1/events", json=event(event_type, **data))
    assert answer.status_code == 201, answer.text
    position: int = answer.json()["position"]
    return position


@pytest.fixture(scope="module")
def told(server: Server) -> int:
    """A meeting that is on, one change on its agenda, and another that came later."""
    with person(server, "root", "operator", "reporter") as root:
        for member in ("mia", "max"):
            said = {"actor": "person:root", "principal": f"person:{member}", "principal_kind": "human", "role": "cab"}
            post(root, "access.granted", grant_id=f"cab-{member}", **said)
    for number in (1, 2):
        of = {"change_id": f"CHG-9{number}", "actor": "person:alice", "services": ["api"], "environments": ["prod"]}
        server.record(event("change.submitted", **of, artifacts=["sha256:" + str(number) * 64]))
    with person(server, "mia", "operator", "reporter") as mia:
        about = {"actor": "person:mia", "meeting_id": "CAB-9"}
        post(mia, "cab.meeting_scheduled", **about, start=BEGIN, end=END)
        fixed = post(mia, "cab.agenda_fixed", **about, slot=BEGIN, changes=["CHG-91"])
        wait_for_views(server, post(mia, "cab.agenda_fixed", **about, slot=BEGIN, changes=["CHG-92"]))
    return fixed


def form_of(page: str, change: str) -> dict[str, str]:
    """Return the hidden fields of a form about a change."""
    paper = page[page.index(f'id="paper-{change}"') :]
    return fields('class="stack"' + paper[: paper.index("</article>")])


def recorded(server: Server, answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 303, answer.text[:500]
    found = re.search(r"recorded=(\d+)", answer.headers["location"])
    assert found is not None
    entry: dict[str, Any] = server.get(f"/v1/events/{found[1]}").json()["entry"]
    return entry


def test_the_agenda_is_as_it_was_fixed_and_later_papers_stand_apart(server: Server, told: int) -> None:
    with person(server, "carol", "auditor") as carol:
        assert "CAB-9" in look(carol, "/console/board")
        text = read_page(look(carol, PATH)).text
        assert f"fixed at position {told}" in re.sub(r"\s+", " ", text)
        agenda, later, minutes = (text.index(name) for name in ("Agenda\n", "Later papers\n", "Minutes"))
        assert agenda < text.index("CHG-91", agenda) < later < text.index("CHG-92", later) < minutes
        assert "You cannot vote here" in text
        assert "<button name" not in look(carol, PATH)
        assert carol.get(f"{PATH}?slot=2020-01-01T00:00:00Z").status_code == 404
        assert carol.get(f"{PATH}?slot=tomorrow").status_code == 422
        assert carol.get("/console/board/none").status_code == 404


def test_votes_and_decisions_are_of_the_scope_that_was_shown(server: Server, told: int) -> None:
    with person(server, "mia", "operator", "reporter") as mia, person(server, "max", "analyst", "reporter") as max_:
        shown = look(mia, PATH)
        assert "0 of 1 vote needed" in shown
        assert "0 members of the board voted; expected 1" in shown
        entry = recorded(server, max_.post(PATH, data=form_of(look(max_, PATH), "CHG-91") | {"vote": "for"}))
        assert entry["recorded_by"]["principal"] == "person:max"
        assert entry["statement"]["data"] == {
            "actor": "person:max", "meeting_id": "CAB-9", "change_id": "CHG-91", "vote": "for"
        }  # fmt: skip
        # She saw none of it: her decision was about other votes.
        stale = mia.post(PATH, data=form_of(shown, "CHG-91") | {"verdict": "approved"})
        assert stale.status_code == 412
        assert "somebody voted or decided meanwhile" in stale.text
        shown = look(mia, f"{PATH}?recorded={server.size()}")
        assert "Approved now, it would count" in shown
        answer = mia.post(
            PATH, data=form_of(shown, "CHG-91") | {"verdict": "approved", "conditions": "rollback rehearsed, on-call"}
        )
        assert recorded(server, answer)["statement"]["data"]["conditions"] == ["rollback-rehearsed", "on-call"]
        shown = look(mia, answer.headers["location"].partition("#")[0])
        assert shown.count("not met") >= 2
        recorded(server, mia.post(PATH, data=form_of(shown, "CHG-91") | {"met": "on-call"}))
        # What was amended since is another paper, and no vote is about it.
        wait_for_views(server, server.size())
        before = look(mia, PATH)
        of = {"change_id": "CHG-92", "actor": "person:alice", "services": ["api"], "environments": ["prod"]}
        amended = server.record(event("change.scope_amended", **of, artifacts=["sha256:" + "3" * 64]))
        assert mia.post(PATH, data=form_of(before, "CHG-92") | {"vote": "for"}).status_code == 412
        wait_for_views(server, amended["position"])
        assert "amended since" in look(mia, PATH)


def test_whose_vote_would_not_count_is_told_why(server: Server, told: int) -> None:
    with person(server, "alice", "analyst", "reporter") as alice:
        page = look(alice, PATH)
        assert "is an author of the change" in page
        assert 'name="vote"' not in page
        good = form_of(page, "CHG-92")
        for wrong in ({}, {"vote": "perhaps"}, {"vote": "for", "verdict": "approved"}, {"met": "two words"}):
            assert alice.post(PATH, data=good | wrong).status_code == 422, wrong
    with person(server, "paul", "analyst", "reporter") as paul:
        assert "does not hold the role cab" in look(paul, PATH)
