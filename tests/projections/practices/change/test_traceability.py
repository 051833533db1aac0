"""5.1 Deployments tied to change tickets, both ways: given these facts, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import (
    ARTIFACT,
    CHG,
    OTHER,
    SCOPE,
    approve,
    assess,
    deploy,
    finding,
    found,
    open_change,
    opened,
    pass_time,
    ready,
    request,
    review,
)
from telling import Story, at
from year import DAY, Change, Year

from projections.readings.changes.scopes import change_scopes


def test_a_change_by_the_book_is_no_finding() -> None:
    story = ready()
    deploy(story, artifact=ARTIFACT)
    review(story)
    pass_time(story, 50)
    assert found(story) == {}


def test_a_change_that_starts_before_its_approval_stays_found() -> None:
    story = opened()
    assess(story)
    request(story)
    deploy(story)
    assert found(story) == {"started-without-approval": ["CHG-7"]}
    approve(story)
    assert found(story) == {"started-without-approval": ["CHG-7"]}


def test_a_scope_that_is_amended_after_the_start_takes_no_approval_back() -> None:
    story = ready()
    deploy(story)
    story.tell("change.scope_amended", actor="person:alice", **CHG, scope_digest=OTHER, previous_digest=SCOPE)
    assert found(story) == {}


def test_an_unauthorized_change_is_found_until_it_is_reviewed() -> None:
    story = Story()
    open_change(story, "unauthorized")
    assert found(story) == {"unauthorized-change": ["CHG-7"]}
    review(story)
    assert found(story) == {}


def test_an_approved_change_that_nobody_deploys_is_found_when_its_window_ends() -> None:
    story = ready()
    story.tell("change.scheduled", actor="person:alice", **CHG, planned_start=at(20), planned_end=at(30))
    pass_time(story, 10)
    assert found(story) == {}
    pass_time(story, 20)
    assert found(story) == {"approved-and-not-deployed": ["CHG-7"]}


def test_a_deployment_without_a_change_is_found_until_it_is_linked() -> None:
    story = Story()
    deploy(story, change=None)
    assert found(story) == {"deployment-without-change": ["d-1"]}
    linked = story.tell("change.linked", actor="person:ann", change_id="CHG-7", deployment_id="d-1")
    row = finding(story, "deployment-without-change", "d-1")
    assert (row.is_open, row.first_seen_position, row.resolved_position) == (False, 1, linked)
    assert (row.severity, row.says) == ("high", "d-1 put api into prod without a change")
    assert [(change.position, change.is_open) for change in row.changes] == [(1, True), (2, True), (3, False)]


def test_a_finding_calls_a_service_as_others_do_and_stays_one_however_often_it_is_judged() -> None:
    story = Story()
    for outcome in ("failure", "success"):
        story.tell(
            "deployment.finished", deployment_id="d-1", service="pay%20api%2525", environment="prod", outcome=outcome
        )
    row = finding(story, "deployment-without-change", "d-1")
    assert row.says == "d-1 put pay api%25 into prod without a change"
    assert [change.position for change in row.changes] == [1, 2]


def test_another_artifact_than_the_approved_one_is_found() -> None:
    story = ready()
    assert story.row(change_scopes, "CHG-7").artifacts == (ARTIFACT,)
    deploy(story, artifact=OTHER)
    assert found(story) == {"artifact-not-approved": ["d-1"]}


@pytest.mark.parametrize(("start", "is_found"), [(40, True), (1, False)])
def test_a_deployment_outside_its_window_is_found_also_when_the_window_is_told_later(
    start: int, is_found: bool
) -> None:
    story = ready()
    deploy(story)
    story.tell("change.scheduled", actor="person:alice", **CHG, planned_start=at(start), planned_end=at(50))
    assert ("outside-window" in found(story)) is is_found


def test_an_amended_scope_voids_the_approval_at_the_gate() -> None:
    story = ready_to_deploy()
    story.tell("change.scope_amended", actor="person:alice", change_id="CHG-7", scope_digest="sha256:" + "2" * 64,
        previous_digest=SCOPE, artifacts=[ARTIFACT])  # fmt: skip
    found = against(ask(story))
    assert found["change-may-start"] == ("insufficient_evidence", "draft")
    assert found["change-is-approved"] == ("needs_approval", "quorum")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"artifact": "sha256:" + "b" * 64}, ("deny", "other-artifact")),
        ({"artifact": None}, ("insufficient_evidence", "not-said")),
        ({"service": "web"}, ("deny", "other-service")),
        ({"environment": "staging"}, ("deny", "other-environment")),
    ],
)
def test_only_what_was_approved_may_be_deployed(more: dict[str, Any], reason: tuple[str, str]) -> None:
    assert against(ask(ready_to_deploy(), **more))["deployed-is-approved"] == reason


@pytest.mark.parametrize(("hours", "verdict"), [(29.9, "deny"), (30, "allow"), (40, "allow"), (40.1, "deny")])
def test_the_window_is_kept(hours: float, verdict: str) -> None:
    story = ready_to_deploy()
    story.tell("change.scheduled", actor="person:alice", change_id="CHG-7", planned_start=at(30), planned_end=at(40))
    outside = {} if verdict == "allow" else {"window-is-open": ("deny", "outside-window")}
    assert against(ask(story, hours=hours)) == outside


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_a_deployment_without_a_change(year: Year, change: Change) -> set[str]:
    # Nothing is ever planned for it: in the window of another change it would be taken for that one's deployment.
    change.service, change.is_opened = "service-unplanned", False
    return {f"deployment-without-change/{change.deployment}"}


def plant_another_artifact(year: Year, change: Change) -> set[str]:
    change.deployed = year.digest()
    return {f"artifact-not-approved/{change.deployment}"}


def plant_a_deployment_after_its_window(year: Year, change: Change) -> set[str]:
    """Its time passes, and then it is deployed all the same."""
    change.early = 2 * DAY
    return {f"outside-window/{change.deployment}", f"approved-and-not-deployed/{change.id}"}


def plant_a_deployment_that_nobody_approved(year: Year, change: Change) -> set[str]:
    change.is_approved = False
    return {f"started-without-approval/{change.id}"}


def plant_a_change_that_is_never_deployed(year: Year, change: Change) -> set[str]:
    change.is_deployed = False
    return {f"approved-and-not-deployed/{change.id}"}


def plant_an_unauthorized_change(year: Year, change: Change) -> set[str]:
    change.kind = "unauthorized"
    return {f"unauthorized-change/{change.id}"}
