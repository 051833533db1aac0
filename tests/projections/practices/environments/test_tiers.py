"""4.2 What each environment is for: given these facts, this is found."""

from changes import deploy, finding, found, publish
from telling import Story
from year import Change, Year

from projections.readings.environments.environments import environments


def test_an_environment_that_nobody_knows_is_found_once_a_name_and_judged_as_production() -> None:
    story = Story()
    deploy(story, change=None, environment="Blue")
    deploy(story, name="d-2", change=None, environment="blue")
    assert found(story) == {"environment-not-declared": ["blue"], "deployment-without-change": ["d-1", "d-2"]}
    assert finding(story, "environment-not-declared", "blue").says.startswith(
        "nobody declared what the environment Blue, blue is for"
    )
    story.tell("environment.declared", actor="person:olga", environment="BLUE", tier="testing")
    assert found(story) == {}
    assert story.row(environments, "blue").tier == "testing"


def test_whoever_deployed_there_does_not_declare_their_own_deployments_away() -> None:
    story = Story()
    deploy(story, change=None, environment="blue", actor="person:dave")
    story.tell("environment.declared", actor="person:dave", environment="blue", tier="testing")
    assert found(story) == {"deployment-without-change": ["d-1"]}
    deploy(story, name="d-2", change=None, environment="blue", actor="person:dave")
    assert found(story) == {"deployment-without-change": ["d-1"]}


def test_a_tier_that_changes_counts_for_later_acts_only() -> None:
    for before, after in (("prod", "testing"), ("qa", "production")):
        story = Story()
        deploy(story, change=None, environment=before)
        was = found(story)
        story.tell("environment.declared", actor="person:olga", environment=before, tier=after)
        assert found(story) == was
        deploy(story, name="d-2", change=None, environment=before)
        assert found(story) == {"deployment-without-change": ["d-1"] if before == "prod" else ["d-2"]}


def test_the_policy_says_which_names_say_what() -> None:
    story = Story()
    publish(story, ("production-names", "any", "blue"), ("not-production-names", "any", "prod*"))
    deploy(story, change=None, environment="prod")
    deploy(story, name="d-2", change=None, environment="eu-blue-1")
    assert found(story) == {"deployment-without-change": ["d-2"]}


def test_nobody_without_the_power_says_what_an_environment_is_for() -> None:
    story = Story()
    story.tell("environment.declared", by="service:ci", actor="person:olga", environment="live-eu", tier="testing")
    deploy(story, change=None, environment="live-eu")
    assert "deployment-without-change" in found(story)


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_a_deployment_to_a_name_that_nobody_declared(year: Year, change: Change) -> set[str]:
    """It is judged as production: by nobody's leave."""
    change.environment, change.is_opened = f"green-{change.deployment}", False
    return {f"environment-not-declared/green-{change.deployment}", *_without_leave(change)}


def plant_production_under_another_name(year: Year, change: Change) -> set[str]:
    change.environment, change.is_opened = "PRD", False
    return _without_leave(change)


def _without_leave(change: Change) -> set[str]:
    return {f"{rule}/{change.deployment}" for rule in ("deployment-without-change", "deployer-without-grant")}
