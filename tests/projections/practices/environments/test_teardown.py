"""4.1 Environments live as long as they may: given these facts, this is found."""

import pytest
from changes import deploy, finding, found, pass_time, publish
from telling import Story, at
from year import DAY, HOUR, START, TITLE, Year, stamp

from projections.readings.environments.lifetimes import environment_lifetimes

TEXT = {"sha256": "0" * 64}


def create(story: Story, name: str = "pr-7", until: float | None = 10, **more: object) -> int:
    said = {"expires_at": at(until)} if until is not None else {}
    return story.tell("environment.created", **{"actor": "person:dave", "environment": name} | said | more)


def extend(story: Story, until: float, who: str = "person:olga", asked: str = "person:dave", **more: object) -> int:
    return story.tell("environment.ttl_extended", **{"actor": who, "environment": "pr-7", "requester": asked,
        "expires_at": at(until), "reason": TEXT} | more)  # fmt: skip


def tear_down(story: Story, name: str = "pr-7", **more: object) -> int:
    return story.tell("environment.deleted", **{"actor": "person:dave", "environment": name} | more)


def test_an_environment_is_overdue_from_its_end_until_it_is_torn_down() -> None:
    story = Story()
    create(story)
    pass_time(story, 8)
    assert found(story) == {}
    pass_time(story, 1)
    assert found(story) == {"environment-overdue": ["pr-7"]}
    assert finding(story, "environment-overdue", "pr-7").says == f"pr-7 was to be torn down at {at(10)}"
    tear_down(story, "PR-7")
    assert found(story) == {}
    row = story.row(environment_lifetimes, "pr-7")
    assert (row.is_there, row.created_by, row.deleted_at) == (False, "person:dave", at(11))


def test_without_an_end_in_creation_or_policy_there_is_none_and_the_policy_says_at_most_how_long() -> None:
    story = Story()
    create(story, until=None)
    create(story, "pr-8", until=1000)
    pass_time(story, 100)
    assert found(story) == {}
    publish(story, ("environment-lifetime-hours", "development", "50"))
    assert found(story) == {"environment-overdue": ["pr-7", "pr-8"]}


@pytest.mark.parametrize(
    ("who", "asked", "counts"),
    [
        ("person:olga", "person:dave", True),
        ("person:dave", "person:olga", False),
        ("person:olga", "person:olga", False),
        ("person:owen", "person:dave", False),
        ("service:ci", "person:dave", False),
    ],
)
def test_somebody_else_than_asked_owns_or_set_up_an_environment_lets_it_live_longer(
    who: str, asked: str, counts: bool
) -> None:
    story = Story()
    create(story, owner="person:owen")
    extend(story, 40, who, asked)
    pass_time(story, 15)
    assert ("environment-overdue" in found(story)) is not counts
    # Of a machine it is found that it had not the power.
    assert ("extension-does-not-count" in found(story)) is (not counts and who != "service:ci")


def test_an_extension_in_anothers_name_counts_for_nothing() -> None:
    story = Story()
    create(story)
    extend(story, 40, by="service:ci")
    pass_time(story, 15)
    assert found(story) == {"environment-overdue": ["pr-7"], "spoken-for-another": ["2"]}


def test_extensions_are_as_many_and_as_long_as_the_policy_says() -> None:
    story = Story()
    publish(story, ("environment-extensions", "pr-*", "2"), ("environment-extension-hours", "any", "10"))
    create(story)
    extend(story, 15)
    # From then on to 25 at most.
    extend(story, 1000)
    assert found(story) == {}
    extend(story, 60)
    assert found(story) == {"extension-does-not-count": ["pr-7"]}
    assert finding(story, "extension-does-not-count", "pr-7").says == (
        f"pr-7 is not let live longer until {at(60)}: the policy lets it live longer 2 times"
    )
    pass_time(story, 20)
    assert finding(story, "environment-overdue", "pr-7").says == f"pr-7 was to be torn down at {at(25)}"


def test_a_creation_while_it_is_there_begins_nothing_anew_also_where_it_is_dated_back() -> None:
    for time in (None, at(0)):
        story = Story()
        create(story)
        create(story)
        assert found(story) == {}
        create(story, "Pr-7", 1000, time=time)
        pass_time(story, 15)
        assert found(story) == {"environment-overdue": ["pr-7"], "environment-created-twice": ["pr-7"]}


def test_what_goes_by_two_names_lives_once() -> None:
    story = Story()
    story.tell("environment.declared", actor="person:olga", environment="pr-7", tier="testing", aliases=["blue"])
    create(story, "blue")
    pass_time(story, 15)
    assert found(story) == {"environment-overdue": ["blue"]}
    create(story, "pr-7", 1000)
    assert found(story)["environment-overdue"] == ["blue"]
    tear_down(story, "pr-7")
    assert "environment-overdue" not in found(story)
    deploy(story, change=None, environment="blue")
    assert found(story)["used-after-teardown"] == ["d-1"]


def test_what_is_put_into_an_environment_that_is_gone_is_found_unless_it_was_set_up_again_by_then() -> None:
    story = Story()
    create(story, until=100)
    deploy(story, "d-1", None, environment="pr-7")
    tear_down(story)
    deploy(story, "d-2", None, environment="Pr-7")
    create(story, until=100)
    deploy(story, "d-3", None, environment="pr-7")
    assert found(story) == {"used-after-teardown": ["d-2"]}
    assert finding(story, "used-after-teardown", "d-2").positions == (4, 5)


def test_what_is_said_afterwards_excuses_no_use_and_a_teardown_that_is_told_late_accuses() -> None:
    story = Story()
    create(story, until=100)
    deploy(story, "d-1", None, environment="pr-7")
    tear_down(story, time=at(1.5))
    assert found(story) == {"used-after-teardown": ["d-1"]}
    create(story, until=100, time=at(1.7))
    assert found(story) == {"used-after-teardown": ["d-1"]}


def test_a_stranger_who_says_that_it_is_gone_is_not_believed() -> None:
    story = Story()
    create(story)
    tear_down(story, by="service:ci")
    deploy(story, change=None, environment="pr-7")
    pass_time(story, 10)
    assert found(story) == {"spoken-for-another": ["2"], "environment-overdue": ["pr-7"]}


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_an_environment_that_outlives_its_time(year: Year) -> set[str]:
    """And neighbours that are torn down in time, or that somebody else let live longer."""
    for number, (name, ends) in enumerate({"pr-1": 90, "pr-2": 20, "pr-3": 30}.items()):
        at = START + number * DAY
        year.say(at, "environment.created", actor="service:platform", environment=name, expires_at=stamp(at + 21 * DAY),
            owner="person:dan")  # fmt: skip
        if name == "pr-3":
            year.say(at + 20 * DAY, "environment.ttl_extended", actor="person:frank", environment=name, requester="person:dan",
                expires_at=stamp(at + 40 * DAY), reason=TITLE)  # fmt: skip
        year.say(at + ends * DAY, "environment.deleted", actor="service:platform", environment=name)
    return {"environment-overdue/pr-1"}


def plant_somebody_who_lets_their_own_environment_live_longer(year: Year) -> set[str]:
    about = {"actor": "person:dan", "environment": "pr-4"}
    year.say(START, "environment.created", **about, expires_at=stamp(START + 20 * DAY))
    year.say(START + DAY, "environment.created", **about, expires_at=stamp(START + 30 * DAY))
    year.say(START + 2 * DAY, "environment.ttl_extended", **about, requester="person:erin", expires_at=stamp(START + 50 * DAY),
        reason=TITLE)  # fmt: skip
    year.say(START + 10 * DAY, "environment.deleted", **about)
    return {"extension-does-not-count/pr-4", "environment-created-twice/pr-4"}


def plant_a_deployment_to_what_was_torn_down(year: Year) -> set[str]:
    year.say(START, "environment.created", actor="service:platform", environment="pr-5")
    for number, begins in enumerate((START + DAY, START + 3 * DAY)):
        year.say(begins, "deployment.started", actor="service:platform", deployment_id=f"pr-5-{number}", service="service-1",
            environment="PR-5")  # fmt: skip
    year.say(START + 3 * DAY - HOUR, "environment.deleted", actor="service:platform", environment="pr-5")
    return {"used-after-teardown/pr-5-1"}
