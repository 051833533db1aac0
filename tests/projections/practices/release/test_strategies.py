"""1.1 Strategies of releases: given these facts, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import ARTIFACT, deploy, finding, found
from telling import Story, at
from year import HOUR, START, Change, Year

from projections.readings.delivery.strategies import (
    rollouts,
    service_profiles,
    strategy_choices,
    strategy_conformance,
    strategy_matrices,
)

ASKED = ("release-strategy", "production", "required")
STATEFUL_IS_CANARY = (
    {"criticalities": ["high"], "stateful": True, "strategies": ["canary"]},
    {"strategies": ["canary", "rolling"]},
)


def in_a_matrix(*settings: tuple[str, str, str]) -> Story:
    """A change that may be deployed, of a service that is of high criticality and holds state, with a matrix for it."""
    story = ready_to_deploy("normal", *(settings or (ASKED,)))
    publish_matrix(story)
    profile(story)
    return story


def publish_matrix(story: Story, *cells: dict[str, Any], **more: Any) -> None:
    told = {"actor": "person:olga", "matrix_id": "release-strategies", "version": "1"} | more
    story.tell("strategy.matrix_published", **told, cells=cells or STATEFUL_IS_CANARY)


def profile(story: Story, **more: Any) -> None:
    told = {
        "actor": "person:olga",
        "service": "api",
        "criticality": "high",
        "max_rollback_s": 60,
        "stateful": True,
    } | more
    story.tell("strategy.service_profiled", **told)


def choose(story: Story, strategy: str = "canary", **more: Any) -> int:
    return story.tell("strategy.selected", **{"actor": "person:alice", "service": "api"} | more, strategy=strategy)


def see(story: Story, *weights: int, **more: Any) -> None:
    where = {"deployment_id": "d-1", "service": "api", "environment": "prod"}
    for weight in weights:
        story.tell("rollout.observed", **where | more, weight=weight)


def answer(story: Story, **more: Any) -> tuple[str, str] | None:
    return against(ask(story, hours=30, **more)).get("strategy-is-allowed")


def found_of_strategies(story: Story) -> dict[str, list[str]]:
    return {rule: subjects for rule, subjects in found(story).items() if rule.startswith("strategy-")}


def test_what_the_matrix_allows_goes_out_as_it_was_chosen() -> None:
    story = in_a_matrix()
    assert answer(story) == ("insufficient_evidence", "not-chosen")
    choose(story)
    assert ask(story, hours=30).verdict == "allow"
    deploy(story, artifact=ARTIFACT)
    see(story, 5, 50, 100)
    assert found(story) == {}
    row = story.row(strategy_conformance, "d-1")
    assert (row.chosen, row.weights, row.is_as_chosen) == ("canary", (5, 50, 100), True)
    assert story.row(strategy_matrices, "release-strategies").version == "1"
    assert story.row(service_profiles, "api").stateful
    assert len(story.row(strategy_choices, "service:api").choices) == 1
    assert len(story.row(rollouts, "d-1").seen) == 3


def test_what_the_matrix_does_not_allow_is_denied_and_found_and_no_later_matrix_excuses_it() -> None:
    story = in_a_matrix()
    choose(story, "rolling")
    assert answer(story) == ("deny", "not-allowed")
    deploy(story, artifact=ARTIFACT)
    assert found_of_strategies(story) == {"strategy-not-allowed": ["d-1"]}
    publish_matrix(story, {"strategies": ["rolling"]}, time=at(1))
    profile(story, stateful=False, time=at(1))
    choose(story, "canary", time=at(1))
    assert found_of_strategies(story) == {"strategy-not-allowed": ["d-1"]}
    deploy(story, "d-2", artifact=ARTIFACT)
    assert found_of_strategies(story) == {"strategy-not-allowed": ["d-1", "d-2"]}


@pytest.mark.parametrize("how", ["less critical", "more patient", "by the service", "nothing chosen"])
def test_whoever_chooses_does_not_say_what_the_service_is(how: str) -> None:
    story = in_a_matrix()
    if how == "less critical":
        choose(story, criticality="low")
    elif how == "more patient":
        choose(story, max_rollback_s=600)
    elif how == "by the service":
        profile(story, actor="service:ci", by="service:ci", criticality="low")
        choose(story, "rolling")
    assert answer(story) is not None
    deploy(story, artifact=ARTIFACT)
    assert found_of_strategies(story) == {"strategy-not-allowed": ["d-1"]}


def test_no_data_is_no_verdict() -> None:
    story = ready_to_deploy("normal", ASKED)
    assert answer(story) == ("insufficient_evidence", "not-known")
    publish_matrix(story)
    choose(story, "recreate")
    assert answer(story) == ("insufficient_evidence", "not-known")
    deploy(story, artifact=ARTIFACT)
    assert found_of_strategies(story) == {}
    story = in_a_matrix(("quorum", "any", "1"))
    assert answer(story) is None
    deploy(story, artifact=ARTIFACT)
    see(story, 100)
    assert found_of_strategies(story) == {}


def test_a_canary_that_everybody_had_at_once_is_none() -> None:
    story = in_a_matrix()
    choose(story)
    deploy(story, artifact=ARTIFACT)
    see(story, 100)
    assert found_of_strategies(story) == {"strategy-not-kept": ["d-1"]}
    assert (
        finding(story, "strategy-not-kept", "d-1").says == "d-1 of api was to be canary, and it had 100 percent at once"
    )
    # What is said of the time before makes it none, and neither does what is said for somebody.
    see(story, 5, time=at(1))
    see(story, 5, actor="service:mesh", by="service:ci")
    assert found_of_strategies(story) == {"strategy-not-kept": ["d-1"]}


def test_what_is_dated_back_makes_no_canary_of_what_everybody_had_at_once() -> None:
    story = in_a_matrix()
    choose(story)
    deploy(story, artifact=ARTIFACT)
    ended = len(story.log)
    see(story, 100)
    see(story, 5, time=at(ended - 0.5), by="service:mallory")
    assert found_of_strategies(story) == {"strategy-not-kept": ["d-1"]}
    # When nothing was chosen yet.
    told = {"deployment_id": "d-1", "service": "api", "environment": "prod", "artifact": ARTIFACT}
    story.tell("deployment.started", actor="person:mallory", time=at(1), **told)
    assert "strategy-not-kept" in found_of_strategies(story)


def test_what_was_chosen_for_the_change_goes_before_what_was_for_the_service_and_the_start_says_the_rest() -> None:
    story = in_a_matrix(("quorum", "any", "1"))
    choose(story, "rolling")
    choose(story, "canary", change_id="CHG-7")
    assert answer(story) is None
    deploy(story, artifact=ARTIFACT)
    see(story, 5, 100)
    assert found_of_strategies(story) == {}
    story = in_a_matrix(("quorum", "any", "1"))
    deploy(story, artifact=ARTIFACT, strategy="blue_green")
    see(story, 50)
    assert found_of_strategies(story) == {"strategy-not-allowed": ["d-1"], "strategy-not-kept": ["d-1"]}


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_a_matrix_for_services_that_hold_state(year: Year) -> set[str]:
    year.say(START, "strategy.matrix_published", actor="person:olga", matrix_id="release-strategies", version="1",
        cells=STATEFUL_IS_CANARY)  # fmt: skip
    year.say(START, "strategy.service_profiled", actor="person:olga", service="service-0", criticality="high", max_rollback_s=60,
        stateful=True)  # fmt: skip
    return set()


def chosen(year: Year, change: Change, strategy: str, *weights: int) -> None:
    change.service = "service-0"
    year.say(change.begins - HOUR, "strategy.selected", actor=change.author, service=change.service, change_id=change.id,
        strategy=strategy)  # fmt: skip
    where = {"deployment_id": change.deployment, "service": change.service, "environment": "prod"}
    for number, weight in enumerate(weights, 1):
        year.say(change.begins + number * HOUR / 30, "rollout.observed", **where, weight=weight)


def plant_a_strategy_that_the_matrix_does_not_allow(year: Year, change: Change) -> set[str]:
    chosen(year, change, "rolling", 50, 100)
    return {f"strategy-not-allowed/{change.deployment}"}


def plant_a_canary_that_everybody_had_at_once(year: Year, change: Change) -> set[str]:
    chosen(year, change, "canary", 100)
    return {f"strategy-not-kept/{change.deployment}"}


def plant_nothing_where_a_canary_went_out_as_one(year: Year, change: Change) -> set[str]:
    """The honest neighbour."""
    chosen(year, change, "canary", 10, 100)
    return set()
