"""Reviewing access on a page: one's own grants are not offered, each decision is recorded once, of the population that was shown."""

from collections.abc import Iterator

import httpx
import pytest
from browsing import fields, look, person, signed_in, tell, tell_as
from servers import Server, running_server
from views_processes import wait_for_views as wait_until_views_are_there

from projections.rules.digests import list_digest

REVIEW = "2026-Q4"
PATH = f"/console/access/{REVIEW}"
GRANTS = {"GR-1": "person:dora", "GR-2": "person:olga", "GR-3": "service:ci"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A ledger of its own: of another, all grants would be in the population."""
    with running_server(tmp_path_factory.mktemp("access") / "var") as running:
        wait_until_views_are_there(running)
        yield running


@pytest.fixture(scope="module")
def told(server: Server) -> None:
    """A review that is overdue, over three grants: one of whoever looks, and one of a service that nobody owns."""
    for grant, principal in GRANTS.items():
        kind = "service" if principal.startswith("service") else "human"
        tell(
            server, "access.granted", actor="service:all", grant_id=grant, principal=principal, principal_kind=kind,
            role="deployer", environment="prod",
        )  # fmt: skip
    digest = list_digest(GRANTS)
    tell_as(
        server, "root", "access_review.opened", review_id=REVIEW, population_digest=digest, population_count=3,
        due_at="2025-06-30T00:00:00Z",
    )  # fmt: skip


def press(client: httpx.Client, page: str, **pressed: str) -> httpx.Response:
    """Press a button of the form with the grants."""
    form = page[page.index('<form method="post" action="/console/access') :]
    return client.post(PATH, data=fields('class="stack"' + form) | pressed)


def test_a_review_is_done_grant_by_grant_and_recorded_in_the_name_of_who_looks(server: Server, told: None) -> None:
    with person(server, "olga", "operator", "reporter") as olga:
        assert "overdue" in look(olga, "/console/access")
        page = look(olga, PATH)
        assert "overdue" in page
        assert list_digest(GRANTS) in page
        # Her own is there, and cannot be pressed.
        assert page.count(" disabled ") == 2
        assert "S7 (nobody reviews their own access): person:olga" in page.replace("</a>", "").replace(
            '<a href="/console/about/identity%3Aperson%3Aolga">', ""
        )
        assert ">ownerless</a>" in page
        before = server.size()
        answer = press(olga, page, keep="GR-1")
        assert answer.status_code == 303, answer.text[:500]
        assert answer.headers["location"] == f"{PATH}?recorded={before + 1}#grants"
        recorded = server.get(f"/v1/events/{before + 1}").json()["entry"]
        assert recorded["recorded_by"]["principal"] == "person:olga"
        said = {
            "actor": "person:olga",
            "review_id": REVIEW,
            "grant_id": "GR-1",
            "principal": "person:dora",
            "decision": "keep",
        }
        assert recorded["statement"]["data"] == said
        # Pressed again, from the page as it was: the same; the other button of the same page: another decision.
        assert press(olga, page, keep="GR-1").headers["location"] == answer.headers["location"]
        assert press(olga, page, revoke="GR-1").status_code == 409
        after = look(olga, answer.headers["location"].partition("#")[0])
        assert "in your name" in after
        assert "GR-1 of" not in after
        assert "Call the review done" not in after
        # From a page that knows of it, somebody changes their mind.
        whole = look(olga, f"{PATH}?show=all")
        assert press(olga, whole, revoke="GR-1").status_code == 303
        assert press(olga, look(olga, PATH), revoke="GR-3").status_code == 303
    with person(server, "omar", "operator", "reporter") as omar:
        assert press(omar, look(omar, PATH), keep="GR-2").status_code == 303
        done = look(omar, f"{PATH}?recorded={server.size()}")
        assert "Call the review done" in done
        answer = press(omar, done, complete="yes")
        assert answer.status_code == 303, answer.text[:500]
        data = server.get(f"/v1/events/{server.size()}").json()["entry"]["statement"]["data"]
        assert (data["kept"], data["revoked"]) == (1, 2)
        assert "<button name=" not in look(omar, answer.headers["location"].partition("#")[0])


@pytest.fixture(scope="module")
def stale(server: Server, told: None) -> str:
    """The page of another review of the same grants, which is due in a long while."""
    tell_as(
        server, "root", "access_review.opened", review_id="R-stale", population_digest=list_digest(GRANTS),
        population_count=3, due_at="2099-01-01T00:00:00Z",
    )  # fmt: skip
    return "/console/access/R-stale"


def test_what_is_not_about_the_population_that_was_shown_is_refused(server: Server, stale: str) -> None:
    with person(server, "otto", "operator", "reporter") as otto:
        page = look(otto, stale)
        form = fields('class="stack"' + page[page.index('<form method="post" action="/console/access') :])
        with person(server, "ines", "operator", "reporter") as ines:
            theirs = look(ines, stale)
            assert ines.post(
                stale, data=fields('class="stack"' + theirs[theirs.index(f'action="{stale}"') :]) | {"keep": "GR-3"}
            ).is_redirect
        before = server.size()
        for wrong, status in (
            ({"keep": "GR-1", "population": list_digest(["GR-1"])}, 412),
            # Somebody else decided since the page was made.
            ({"keep": "GR-3"}, 412),
            ({"keep": "GR-9"}, 422),
            ({}, 422),
            ({"keep": "GR-1", "revoke": "GR-1"}, 422),
            ({"complete": "perhaps"}, 422),
        ):
            answer = otto.post(stale, data=form | wrong)
            assert answer.status_code == status, (wrong, answer.text[:800])
        assert server.size() == before


def test_whoever_may_not_decide_is_told_why(server: Server, stale: str) -> None:
    with person(server, "carol", "auditor") as carol:
        assert "needs the role reporter" in look(carol, stale)
    with signed_in(server, "all") as machine:
        page = look(machine, stale)
        assert "without power" in page
        assert "<button name=" not in page
    with person(server, "olga", "operator", "reporter") as olga:
        assert olga.get("/console/access/none").status_code == 404
