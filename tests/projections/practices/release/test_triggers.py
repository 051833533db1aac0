"""1.5 Rollback triggers and thresholds: given these facts, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, define_trigger
from changes import ARTIFACT, OTHER, approve, assess, deploy, finding, found, opened, pass_time, publish, ready, request
from people import enrol
from telling import Story, at
from year import HOUR, Change, Year, stamp

from projections.readings.delivery.measurements import measured_days, trigger_firings
from projections.readings.delivery.triggers import rollback_triggers

# Within how many minutes something is done about it: as long as five statements of a story take.
HOURS = ("rollback-within-minutes", "any", "300")
MINUTES = 1 / 60
UNHEARD = "sha256:" + "9" * 64


def unprepared(*settings: tuple[str, str, str]) -> Story:
    """A change of a service for which no trigger of a rollback is defined."""
    story = opened()
    publish(story, *settings)
    assess(story)
    request(story)
    approve(story)
    return story


def watched(*settings: tuple[str, str, str]) -> Story:
    """A service with a trigger, that was deployed."""
    story = ready()
    publish(story, *(settings or (HOURS,)))
    define_trigger(story)
    deploy(story, artifact=ARTIFACT)
    return story


def measure(story: Story, value: str = "0.05", samples: int = 20, length: float = 5, **more: Any) -> int:
    """Tell what was measured over the minutes before now."""
    now = len(story.log) + 1
    told = {
        "service": "api",
        "environment": "prod",
        "metric": "error_rate",
        "start": at(now - length * MINUTES),
        "end": at(now),
    }
    return story.tell("metric.measured", **told | more, value=value, samples=samples)


def undo(story: Story, event: str = "rollback.decided", **more: Any) -> None:
    said: dict[str, Any] = {"actor": "person:bob", "decision": "roll_back", "options": ["hold"]}
    if event == "rollback.completed":
        said = {"actor": "service:ci", "outcome": "success"}
    where = {"deployment_id": "d-1", "service": "api", "environment": "prod"}
    story.tell(event, rollback_id="R", **where | said | more)


def fire(story: Story, measured: str = "0.05", samples: int = 20, **more: Any) -> int:
    told = {"trigger_id": "T", "version": "1", "service": "api", "environment": "prod", "deployment_id": "d-1"} | more
    return story.tell("rollback.trigger_fired", **told, measured=measured, samples=samples)


def missed(story: Story) -> bool:
    return "rollback-trigger-missed" in found(story)


def test_what_goes_into_production_has_a_trigger_for_its_rollback() -> None:
    story = unprepared()
    assert against(ask(story)) == {"rollback-is-prepared": ("deny", "no-trigger")}
    define_trigger(story)
    assert ask(story).verdict == "allow"
    assert story.row(rollback_triggers, "T").service == "api"


def test_the_policy_says_how_many_triggers_a_service_has() -> None:
    assert ask(unprepared(("rollback-triggers", "prod", "0"))).verdict == "allow"
    story = unprepared(("rollback-triggers", "prod", "2"))
    define_trigger(story)
    assert against(ask(story)) == {"rollback-is-prepared": ("deny", "no-trigger")}


def test_a_rollback_that_was_due_and_that_nobody_decided_about_is_found_when_its_time_is_over() -> None:
    story = watched()
    measured_at = measure(story)
    pass_time(story, 4)
    assert not missed(story)
    pass_time(story, 1)
    assert missed(story)
    says = finding(story, "rollback-trigger-missed", "d-1").says
    assert says.startswith("T of d-1 was due at")
    assert ": error_rate was 0.05, and nobody" in says
    # What is decided, done, told or defined afterwards excuses nothing.
    undo(story, time=at(len(story.log) - 5))
    undo(story, "rollback.completed", time=at(len(story.log) - 6))
    measure(story, "0", 10**6, length=600)
    define_trigger(story)
    assert missed(story)
    assert story.row(measured_days, f"{at(measured_at)[:10]}/error_rate/api").measurements[0].value == "0.05"


@pytest.mark.parametrize("how", ["decided", "held", "completed", "an older artifact"])
def test_whoever_decides_or_rolls_back_in_time_has_missed_nothing(how: str) -> None:
    story = ready()
    publish(story, HOURS)
    define_trigger(story)
    deploy(story, "d-0", artifact=OTHER)
    deploy(story, artifact=ARTIFACT)
    measure(story)
    if how in ("decided", "held"):
        undo(story, decision="hold" if how == "held" else "roll_back")
    elif how == "completed":
        undo(story, "rollback.completed", to_artifact=OTHER)
    else:
        deploy(story, "d-2", artifact=OTHER)
    pass_time(story, 20)
    assert "d-1" not in found(story).get("rollback-trigger-missed", [])


@pytest.mark.parametrize(("by", "decision", "is_missed"), [
    ("person:paul", "hold", True), ("person:paul", "roll_back", False), ("person:bob", "hold", False),
])  # fmt: skip
def test_whoever_deployed_does_not_decide_that_it_stays(by: str, decision: str, is_missed: bool) -> None:
    story = ready()
    publish(story, HOURS)
    define_trigger(story)
    story.tell(
        "access.granted", actor="person:olga", grant_id="P", principal="person:paul", principal_kind="human", role="x"
    )
    deploy(story, artifact=ARTIFACT, actor="person:paul")
    measure(story)
    undo(story, actor=by, decision=decision)
    pass_time(story, 20)
    assert ("d-1" in found(story).get("rollback-trigger-missed", [])) is is_missed
    # Also where somebody decided before them.
    undo(story, actor="person:paul", decision="hold")
    assert ("d-1" in found(story).get("rollback-trigger-missed", [])) is is_missed


@pytest.mark.parametrize("more", [{"deployment_id": "d-9"}, {}, {"to_artifact": ARTIFACT}, {"to_artifact": UNHEARD}])
def test_a_rollback_that_is_told_and_that_nothing_shows_answers_nothing_unless_who_tells_it_has_the_power(
    more: dict[str, str],
) -> None:
    story = ready()
    enrol(story, "service:argo", types=("rollback.completed",))
    publish(story, HOURS)
    define_trigger(story)
    deploy(story, "d-0", artifact=OTHER)
    deploy(story, artifact=ARTIFACT)
    measure(story)
    undo(story, "rollback.completed", **more)
    answered = story.tell("rollback.completed", actor="service:argo", rollback_id="S", service="api", environment="prod",
        outcome="success")  # fmt: skip
    pass_time(story, 20)
    assert "d-1" not in found(story).get("rollback-trigger-missed", [])
    story.tell("statement.withdrawn", position=answered, reason="x")
    assert "d-1" in found(story)["rollback-trigger-missed"]


@pytest.mark.parametrize("how", ["by a machine", "elsewhere", "failed", "before", "the same artifact again"])
def test_what_is_no_decision_about_it_answers_nothing(how: str) -> None:
    story = watched()
    if how == "before":
        undo(story)
    measure(story)
    if how == "by a machine":
        undo(story, actor="service:ci")
    elif how == "elsewhere":
        undo(story, environment="staging")
    elif how == "failed":
        undo(story, "rollback.completed", outcome="failure")
    elif how == "the same artifact again":
        deploy(story, "d-2", artifact=ARTIFACT)
    pass_time(story, 20)
    assert missed(story), how


@pytest.mark.parametrize(
    ("more", "value", "samples", "length"),
    [({}, "0.01", 20, 5), ({}, "0.05", 9, 5), ({}, "0.05", 20, 4),
     ({"environment": "staging"}, "0.05", 20, 5),
     ({"service": "web"}, "0.05", 20, 5), ({"metric": "latency"}, "0.05", 20, 5),
     ({"by": "service:x", "actor": "service:m"}, "0.05", 20, 5)],
)  # fmt: skip
def test_no_data_is_no_verdict_and_what_does_not_meet_it_is_none(
    more: dict[str, Any], value: str, samples: int, length: float
) -> None:
    story = watched()
    measure(story, value, samples, length, **more)
    pass_time(story, 20)
    assert not missed(story)


def test_what_was_measured_before_or_long_after_is_no_sign_of_it() -> None:
    story = ready()
    publish(story, HOURS, ("rollback-watch-hours", "any", "4"))
    define_trigger(story)
    measure(story)
    deploy(story, artifact=ARTIFACT)
    pass_time(story, 5)
    measure(story)
    pass_time(story, 20)
    assert not missed(story)


@pytest.mark.parametrize("how", ["not met", "too few", "another version", "measured otherwise"])
def test_a_trigger_that_was_said_to_fire_and_was_not_due_is_found(how: str) -> None:
    story = watched()
    if how == "measured otherwise":
        measure(story, "0.001")
        fired = fire(story, time=at(len(story.log)))
    else:
        fired = fire(
            story, "0.02" if how == "not met" else "0.05", 9 if how == "too few" else 20,
            version="2" if how == "another version" else "1",
        )  # fmt: skip
    assert found(story) == {"rollback-trigger-unjustified": [str(fired)]}
    define_trigger(story)
    assert found(story) == {"rollback-trigger-unjustified": [str(fired)]}
    assert story.row(trigger_firings, str(fired)).trigger_id == "T"


def test_what_is_measured_afterwards_bears_out_no_trigger_that_was_said_to_fire() -> None:
    story = watched()
    now = len(story.log) + 1
    measure(story, "0.001")
    fired = fire(story, time=at(now))
    over = {"start": at(now - 5 * MINUTES), "end": at(now), "time": at(now)}
    measure(story, "0.05", by="service:mallory", **over)
    assert found(story) == {"rollback-trigger-unjustified": [str(fired)]}


def test_a_trigger_that_fires_by_what_it_measured_is_justified_unless_something_says_otherwise() -> None:
    story = watched()
    fire(story)
    assert found(story) == {}
    measure(story, "0.05", 20)
    fire(story, time=at(len(story.log)))
    undo(story)
    assert found(story) == {}


# -- planted in the year -------------------------------------------------------------------------------------------------


def measured(year: Year, change: Change) -> None:
    """Ten minutes after it was deployed a tenth of what it answers is an error."""
    begin = change.begins + HOUR / 6
    for number in range(2):
        start = begin + number * HOUR / 20
        year.say(start + HOUR / 20, "metric.measured", service=change.service, environment="prod", metric="error_rate",
            start=stamp(start), end=stamp(start + HOUR / 20), value="0.1", samples=400)  # fmt: skip


def plant_a_rollback_that_was_due_and_that_nobody_decided_about(year: Year, change: Change) -> set[str]:
    measured(year, change)
    return {f"rollback-trigger-missed/{change.deployment}"}


def plant_nothing_where_somebody_decided_to_hold(year: Year, change: Change) -> set[str]:
    """The honest neighbour."""
    measured(year, change)
    year.say(change.begins + HOUR / 2, "rollback.decided", actor=change.approver, rollback_id=f"RB-{change.id}",
        deployment_id=change.deployment, service=change.service, environment="prod", decision="hold", options=["hold"])  # fmt: skip
    return set()


def plant_a_trigger_that_was_said_to_fire_and_was_not_due(year: Year, change: Change) -> set[str]:
    told = year.say(change.begins + HOUR, "rollback.trigger_fired", trigger_id=f"{change.service}-errors", version="1",
        service=change.service, environment="prod", measured="0.001", samples=900)  # fmt: skip
    year.doubt("rollback-trigger-unjustified", told)
    return set()


@pytest.mark.parametrize("more", [{"threshold": "1000"}, {"service": "web"}, {"environment": "staging"}])
def test_nobody_moves_a_threshold_that_another_set(more: dict[str, Any]) -> None:
    story = ready()
    publish(story, HOURS)
    define_trigger(story)
    told = {
        "trigger_id": "T",
        "version": "2",
        "service": "api",
        "environment": "prod",
        "metric": "error_rate",
        "comparator": "gt",
    }
    told |= {"threshold": "0.02", "window_s": 300, "min_samples": 10, "mode": "manual"}
    story.tell("rollback.trigger_defined", actor="service:ci", **told | more)
    deploy(story, artifact=ARTIFACT)
    measure(story)
    pass_time(story, 8)
    assert missed(story)


@pytest.mark.parametrize("how", ["moved to another service", "in another name"])
def test_a_trigger_that_is_not_the_services_or_not_its_speakers_prepares_nothing(how: str) -> None:
    story = unprepared()
    told = {
        "trigger_id": "T",
        "version": "2",
        "service": "api",
        "environment": "prod",
        "metric": "error_rate",
        "comparator": "gt",
    }
    told |= {"threshold": "0.02", "window_s": 300, "min_samples": 10, "mode": "manual"}
    if how == "in another name":
        story.tell("rollback.trigger_defined", actor="person:bob", by="service:ci", **told)
    else:
        define_trigger(story)
        story.tell("rollback.trigger_defined", actor="person:bob", **told | {"service": "web"})
    assert against(ask(story)) == {"rollback-is-prepared": ("deny", "no-trigger")}
