"""Findings about deployments: given these facts, this rule is broken; and when that was recorded, and what resolved it."""

from typing import Any

import pytest
from changes import ARTIFACT, CHG, OTHER, deploy, finding, found, pass_time, publish, ready
from telling import Story, at


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


def freeze(story: Story, **more: Any) -> int:
    data = {"environments": ["prod"], "start": at(1), "end": at(50), "time_zone": "UTC"} | more
    return story.tell("freeze.declared", actor="person:frank", freeze_id="F", **data)


def test_a_freeze_that_is_recorded_after_the_fact_finds_what_was_deployed_in_it() -> None:
    story = ready()
    deploy(story)
    assert found(story) == {}
    declared = freeze(story)
    assert found(story) == {"deployed-in-freeze": ["d-1"]}
    row = finding(story, "deployed-in-freeze", "d-1")
    assert (row.first_seen_position, row.says.endswith(", in freeze F, declared afterwards")) == (declared, True)
    assert declared in row.positions
    freeze(story, services=["web"])
    assert found(story) == {}


def test_what_was_let_through_a_freeze_in_time_is_none() -> None:
    story = ready()
    freeze(story)
    override: dict[str, Any] = {
        "actor": "person:frank",
        "freeze_id": "F",
        "expires_at": at(60),
        "reason": {"sha256": "0" * 64},
    }
    story.tell("freeze.override_granted", **override, **CHG, requester="person:alice")
    deploy(story)
    assert found(story) == {}
    story.tell("freeze.override_granted", **override, **CHG, requester="person:frank")
    assert found(story) == {"override-of-ones-own": ["F"]}


def test_a_deployer_without_the_role_that_the_policy_asks_for_is_found() -> None:
    story = ready()
    publish(story, ("deployer-role", "prod", "deployer"))
    deploy(story)
    assert found(story) == {"deployer-without-grant": ["d-1"]}
    # It turns out that there was one: the grant was recorded late.
    story.tell("access.granted", actor="person:olga", grant_id="G", principal="service:ci", principal_kind="service", owner="person:olga",
        role="deployer", environment="prod", time=at(0))  # fmt: skip
    assert found(story) == {}


def test_the_policy_asks_nothing_of_what_was_deployed_before_it_unless_it_was_recorded_late() -> None:
    story = ready()
    deploy(story)
    publish(story, ("deployer-role", "prod", "deployer"))
    pass_time(story, 1)
    assert found(story) == {}
    digest = {"policy_id": "change-approval", "version": "2", "policy_digest": "sha256:" + "9" * 64}
    settings = [{"name": "deployer-role", "applies_to": "prod", "value": "deployer"}]
    story.tell("policy.published", actor="person:olga", **digest, settings=settings)
    approved = story.tell("policy.approved", actor="person:oscar", **digest, time=at(0))
    assert found(story) == {"deployer-without-grant": ["d-1"]}
    story.tell("statement.withdrawn", actor="service:desk", position=approved, reason="x")
    assert found(story) == {}


def test_a_policy_that_is_approved_again_was_in_force_all_the_while() -> None:
    story = ready()
    publish(story, ("deployer-role", "prod", "deployer"))
    deploy(story)
    assert found(story) == {"deployer-without-grant": ["d-1"]}
    digest = {"policy_id": "change-approval", "version": "1", "policy_digest": "sha256:" + "9" * 64}
    story.tell("policy.approved", actor="person:oscar", **digest)
    assert found(story) == {"deployer-without-grant": ["d-1"]}


def test_a_grant_to_another_login_of_the_deployer_is_theirs_too() -> None:
    story = ready()
    publish(story, ("deployer-role", "prod", "deployer"))
    story.tell("access.granted", actor="person:olga", grant_id="G", principal="person:dora", principal_kind="human",
        role="deployer", environment="prod")  # fmt: skip
    deploy(story, actor="gitlab:7")
    assert found(story) == {"deployer-without-grant": ["d-1"]}
    story.tell("identity.linked", actor="person:olga", identities=["gitlab:7", "person:dora"], evidence="hr")
    assert found(story) == {}


def test_a_freeze_that_is_taken_back_or_moved_holds_nothing_any_more() -> None:
    for how in ("taken back", "moved", "of another environment"):
        story = ready()
        declared = freeze(story, start=at(0), end=at(100))
        deploy(story, artifact=ARTIFACT)
        assert found(story) == {"deployed-in-freeze": ["d-1"]}
        if how == "taken back":
            story.tell("statement.withdrawn", actor="service:desk", position=declared, reason="x")
        elif how == "moved":
            freeze(story, start=at(200), end=at(300))
        else:
            freeze(story, environments=["test"], start=at(0), end=at(100))
        assert found(story) == {}, how
