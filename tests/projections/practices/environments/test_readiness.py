"""4.6 Environments are ready before a release begins: given these facts, this is found, and this is answered."""

from typing import Any

import pytest
from asking import ask
from changes import ARTIFACT, deploy, finding, found, open_change, opened, pass_time, publish
from telling import Story, at
from year import DAY, HOUR, START, TITLE, Year, stamp

from projections.readings.environments.readiness import readiness, release_schedules, release_slack

GATE = ("readiness-gate", "production", "required")


def promise(story: Story, by: float, environment: str = "staging", **more: Any) -> int:
    return story.tell("environment.readiness_promised", **{"actor": "person:pia", "environment": environment, "release_id": "R-1",
        "ready_by": at(by)} | more)  # fmt: skip


def attest(story: Story, environment: str = "staging", *, passed: bool = True, **more: Any) -> int:
    checks = [{"name": "probe", "passed": True}, {"name": "data", "passed": passed}]
    return story.tell("environment.ready_attested", **{"actor": "service:probe", "environment": environment, "release_id": "R-1",
        "checks": checks} | more)  # fmt: skip


def schedule(story: Story, start: float, *environments: str, **more: Any) -> int:
    return story.tell("release.scheduled", **{"actor": "person:rae", "release_id": "R-1", "start": at(start),
        "environments": list(environments or ("staging",))} | more)  # fmt: skip


def test_an_environment_is_late_from_when_it_was_promised_until_it_is_attested() -> None:
    story = Story()
    promise(story, 5)
    pass_time(story, 3)
    attest(story, "Staging", passed=False)
    assert found(story) == {"readiness-late": ["R-1#staging"]}
    assert finding(story, "readiness-late", "R-1#staging").says == f"staging was promised for release R-1 by {at(5)}"
    promise(story, 50)
    assert found(story) == {"readiness-late": ["R-1#staging"]}
    attest(story)
    assert found(story) == {}


def test_another_promise_in_time_is_a_slip_and_no_lateness() -> None:
    story = Story()
    promise(story, 5)
    promise(story, 15, cause="capacity")
    promise(story, 12, "STAGING")
    pass_time(story, 6)
    assert found(story) == {}
    row = story.row(readiness, "R-1#staging")
    assert (row.slips, row.slipped_minutes, row.ready_by) == (1, 600, at(12))
    pass_time(story, 3)
    assert found(story) == {"readiness-late": ["R-1#staging"]}


@pytest.mark.parametrize(
    "more", [{"by": "service:ci"}, {"passed": False}, {"environment": "qa"}, {"release_id": "R-2"}]
)
def test_what_attests_nothing_of_it_makes_nothing_ready(more: dict[str, Any]) -> None:
    story = Story()
    promise(story, 5)
    attest(story, **more)
    pass_time(story, 5)
    assert found(story)["readiness-late"] == ["R-1#staging"]


def test_an_attestation_counts_from_when_it_is_told_and_a_later_one_takes_it_back() -> None:
    story = Story()
    promise(story, 5)
    pass_time(story, 5)
    attest(story, time=at(2))
    assert found(story) == {}
    attest(story, passed=False)
    assert found(story) == {"readiness-late": ["R-1#staging"]}


def test_the_environment_with_the_least_slack_is_critical() -> None:
    story = Story()
    schedule(story, 40, "staging", "prod", "dev")
    promise(story, 10)
    promise(story, 38, "prod")
    row = story.row(release_slack, "R-1")
    assert (row.slack_minutes, row.critical) == (120, "prod")
    assert [one.slack_minutes for one in row.environments] == [1800, 120, None]
    attest(story, "PROD")
    promise(story, 20, cause="data")
    row = story.row(release_slack, "R-1")
    assert (row.slack_minutes, row.critical) == (1200, "staging")
    assert [(one.is_ready, one.slips, one.causes) for one in row.environments] == [
        (False, 1, ("data",)),
        (True, 0, ()),
        (False, 0, ()),
    ]


def test_a_release_does_not_begin_before_its_environments_are_ready() -> None:
    story = Story()
    schedule(story, 9)
    promise(story, 8)
    assert found(story) == {}
    promise(story, 10)
    assert found(story) == {"release-before-ready": ["R-1"]}
    assert finding(story, "release-before-ready", "R-1").says == (
        f"release R-1 begins at {at(9)}, and staging is promised by {at(10)}"
    )
    schedule(story, 7, "dev")
    assert found(story) == {}
    pass_time(story, 3)
    assert (
        finding(story, "release-before-ready", "R-1").says
        == f"release R-1 begins at {at(7)}, and dev is not attested as ready"
    )
    attest(story, "dev")
    assert "release-before-ready" not in found(story)
    assert len(story.row(release_schedules, "R-1").schedules) == 2


def test_two_names_are_one_environment() -> None:
    story = Story()
    story.tell("environment.declared", actor="person:olga", environment="uat", tier="staging", aliases=["blue"])
    promise(story, 5, "blue")
    promise(story, 6, "uat")
    pass_time(story, 5)
    assert found(story) == {"readiness-late": ["R-1#uat"]}
    attest(story, "blue")
    assert found(story) == {}


# -- releases and gates ----------------------------------------------------------------------------------------------------


def released(*settings: tuple[str, str, str]) -> Story:
    """A change of a release."""
    story = opened(change="CHG-1")
    publish(story, *(settings or (GATE,)))
    open_change(story, release_id="R-1")
    return story


def test_what_is_of_a_release_is_put_only_where_all_is_attested_as_ready() -> None:
    for more in (None, {}, {"passed": False}, {"environment": "staging"}, {"by": "service:ci"}):
        story = released()
        if more is not None:
            attest(story, **{"environment": "Prod"} | more)
        deploy(story, artifact=ARTIFACT)
        assert ("started-unready" in found(story)) is (more != {}), more


def test_what_is_attested_afterwards_excuses_nothing() -> None:
    story = released()
    deploy(story, artifact=ARTIFACT)
    attest(story, "prod", time=at(1))
    assert "started-unready" in found(story)
    assert finding(story, "started-unready", "d-1").says.endswith(
        "nobody had attested that prod is ready for release R-1"
    )


def test_where_the_policy_does_not_ask_or_there_is_no_release_nothing_is_found() -> None:
    story = released(("quorum", "any", "1"))
    deploy(story, artifact=ARTIFACT)
    assert "started-unready" not in found(story)
    story = opened()
    publish(story, GATE)
    deploy(story, artifact=ARTIFACT)
    assert "started-unready" not in found(story)


def test_the_gate_asks_for_readiness_where_the_policy_does() -> None:
    def answer(story: Story, **more: Any) -> tuple[str, str]:
        said = next(a for a in ask(story, **more).answers if a.rule == "environment-is-ready")
        return said.verdict, said.reason

    assert answer(released(("quorum", "any", "1"))) == ("allow", "not-asked-for")
    story = released()
    assert answer(story) == ("insufficient_evidence", "not-ready")
    assert answer(story, environment=None) == ("insufficient_evidence", "not-said")
    assert answer(story, change_id="CHG-9") == ("insufficient_evidence", "no-change")
    assert answer(story, change_id="CHG-1") == ("allow", "of-no-release")
    attest(story, "prod", passed=False)
    assert answer(story) == ("deny", "not-ready")
    attest(story, "PROD")
    assert answer(story) == ("allow", "ready")


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_an_environment_that_is_late_for_a_release(year: Year) -> set[str]:
    """And another that slips, and is ready in time."""
    for name, ready in (("REL-1", None), ("REL-2", 19)):
        about = {"release_id": name, "environment": "qa-2"}
        year.say(START + DAY, "release.scheduled", actor="person:frank", release_id=name, environments=["qa-2"],
            start=stamp(START + 20 * DAY))  # fmt: skip
        for day, by in ((1, 10), (9, 19)):
            year.say(START + day * DAY, "environment.readiness_promised", actor="person:frank", **about,
                ready_by=stamp(START + by * DAY), cause="capacity")  # fmt: skip
        if ready is not None:
            year.say(START + ready * DAY - HOUR, "environment.ready_attested", actor="service:platform", **about,
                checks=[{"name": "probe", "passed": True}])  # fmt: skip
    return {"readiness-late/REL-1#qa-2", "release-before-ready/REL-1"}


def plant_a_deployment_where_nothing_was_attested(year: Year) -> set[str]:
    """Of two for which the policy asks for that: the other's environment is ready."""
    year.settings.append(("readiness-gate", "qa-3", "required"))
    for number, name in enumerate(("REL-3", "REL-4")):
        at, change = START + (30 + number) * DAY, f"CHG-{name}"
        year.say(at, "change.opened", actor="person:dan", change_id=change, change_type="standard", services=["service-1"],
            environment="qa-3", title=TITLE, template_id="routine", release_id=name)  # fmt: skip
        if name == "REL-4":
            year.say(at, "environment.ready_attested", actor="service:platform", release_id=name, environment="qa-3",
                checks=[{"name": "probe", "passed": True}])  # fmt: skip
        year.say(at + HOUR, "deployment.started", actor="service:platform", deployment_id=f"d-{name}", service="service-1",
            environment="qa-3", change_id=change)  # fmt: skip
    return {"started-unready/d-REL-3"}


def test_nobody_attests_away_that_another_saw_what_is_not_ready() -> None:
    story = Story()
    promise(story, 5)
    attest(story, passed=False)
    attest(story, actor="service:ci")
    pass_time(story, 5)
    assert found(story) == {"readiness-late": ["R-1#staging"]}
    attest(story)
    assert found(story) == {}
