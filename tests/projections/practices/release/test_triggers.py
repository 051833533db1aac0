"""1.5 Rollback triggers and thresholds: given these facts, this is found, and this is answered."""

from asking import against, ask, define_trigger
from changes import approve, assess, opened, publish, request
from telling import Story

from projections.readings.delivery.triggers import rollback_triggers


def unprepared(*settings: tuple[str, str, str]) -> Story:
    """A change of a service for which no trigger of a rollback is defined."""
    story = opened()
    publish(story, *settings)
    assess(story)
    request(story)
    approve(story)
    return story


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
