"""Environments: what they were declared as, and what is asked of their names."""

from typing import Any

import pytest
from telling import Story, at

from projections.readings.environments.environments import (
    canonical,
    environments,
    is_called,
    is_production,
    names_for,
    regions_of,
    same_environment,
    tier_of,
)
from projections.readings.environments.named import named_environments
from projections.readings.people.policies import InForce, Setting


def declare(story: Story, name: str, tier: str, actor: str = "person:olga", **more: Any) -> int:
    return story.tell("environment.declared", actor=actor, environment=name, tier=tier, **more)


def test_a_row_has_what_was_declared_of_a_name_however_it_is_written() -> None:
    story = Story()
    declare(story, "Blue", "staging")
    declare(story, "%42LUE", "production", aliases=["Live%20EU"], regions=["eu-west-1"])
    row = story.row(environments, "blue")
    assert (row.tier, row.aliases, row.regions, row.alias_of) == ("production", ("live%20eu",), ("eu-west-1",), None)
    assert [said.tier for said in row.declarations] == ["staging", "production"]
    assert story.row(environments, "live%20eu").alias_of == "blue"
    assert story.row_as_of(environments, "blue", 1).tier == "staging"


def test_an_environment_is_what_it_was_declared_as_when_somebody_acts_there() -> None:
    story = Story()
    declare(story, "prod", "testing")
    declare(story, "prod", "production")
    look = story.folder.rows
    assert [tier_of(look, "PROD", at(hours)) for hours in (0.5, 1.5, 2.5)] == ["production", "testing", "production"]


def test_a_declaration_that_is_recorded_within_the_lag_counts_and_a_backdated_one_does_not() -> None:
    story = Story()
    # Recorded an hour after the beginning.
    declare(story, "staging", "production", time=at(0.9))
    look = story.folder.rows
    assert not is_production(look, "staging", at(0.7))
    assert is_production(look, "staging", at(0.95))
    declare(story, "staging", "testing", time=at(0))
    assert is_production(look, "staging", at(1.5))


def test_nobody_knows_is_production_until_somebody_else_declares_it() -> None:
    story = Story()
    look = story.folder.rows
    assert is_production(look, "blue", at(0))
    declare(story, "blue", "testing")
    assert not is_production(look, "blue", at(0))
    assert not is_production(look, "blue", at(0), by="person:dan")
    # Whoever acted there judges nobody's past by declaring, and least of all their own.
    assert is_production(look, "blue", at(0), by="person:olga")
    assert not is_production(look, "blue", at(2), by="person:olga")
    story.tell("identity.linked", actor="person:hr", identities=["person:olga", "github:7"], evidence="hr")
    assert is_production(look, "blue", at(0), by="github:7")


def test_no_name_is_production_and_is_the_same_as_no_other() -> None:
    look = Story().folder.rows
    assert is_production(look, None, at(0))
    assert not same_environment(look, None, None, at(0))


def test_an_alias_is_one_as_long_as_its_environment_says_so() -> None:
    story = Story()
    declare(story, "prod", "production", aliases=["blue"], regions=["eu-west-1"])
    look = story.folder.rows
    assert not same_environment(look, "blue", "PROD", at(0))
    assert same_environment(look, "Blue", "PROD", at(1.5))
    assert (canonical(look, "blue", at(1.5)), regions_of(look, "blue", at(1.5))) == ("prod", ("eu-west-1",))
    declare(story, "prod", "production")
    assert not same_environment(look, "blue", "prod", at(2.5))
    assert same_environment(look, "blue", "prod", at(1.5))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Prod-EU", ("PROD-eu", "prod-*", "*", "production")),
        ("prod-us", ("prod-*", "*", "production")),
        ("live", ("*", "production")),
        ("qa", ("*", "testing")),
        (None, ()),
    ],
)
def test_a_policy_calls_an_environment_by_name_by_pattern_and_by_tier(name: str | None, found: tuple[str, ...]) -> None:
    told = ("any", "*", "prod-*", "PROD-eu", "high", "eu")
    policy = InForce("p", settings=tuple(Setting("x", whom, "1") for whom in told))
    assert names_for(Story().folder.rows, policy, name, at(0)) == found


def test_what_somebody_names_means_an_environment_by_name_by_pattern_or_by_tier() -> None:
    story = Story()
    declare(story, "prod", "production", aliases=["blue"])
    look = story.folder.rows
    called = [
        whom for whom in ("PROD", "bl*", "production", "staging", "pro", "qa-*") if is_called(look, "blue", whom, at(2))
    ]
    assert called == ["PROD", "bl*", "production"]


def test_names_that_were_deployed_to_are_counted_by_spelling() -> None:
    story = Story()
    for number, name in enumerate(("Blue", "blue", "blue", "prod")):
        story.tell(
            "deployment.started", actor="service:ci", deployment_id=f"d{number}", service="api", environment=name
        )
    row = story.row(named_environments, "blue")
    assert (row.deployments, [(s.name, s.deployments) for s in row.spellings]) == (3, [("Blue", 1), ("blue", 2)])
    story.tell("statement.withdrawn", actor="service:desk", position=1, reason="x")
    assert [s.name for s in story.row(named_environments, "blue").spellings] == ["blue"]
