"""4.5 Resources carry their tags: given these facts, this is found."""

from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import finding, found, publish
from people import enrol
from telling import Story, at
from year import DAY, START, Year

from ledger.events.iac import fingerprint_of_tag
from projections.readings.environments.tags import tag_coverage, tagged_resources

ASKED = (
    ("required-tag", "production", "owner"),
    ("required-tag", "production", "cost%20center"),
    ("tag-value", "owner", "payments"),
    ("tag-value", "owner", "Team%20A"),
)
WHOLE = {"owner": "payments", "cost center": "7"}


def tag(
    story: Story, name: str = "db", environment: str = "prod", tags: dict[str, str] | None = None, **more: Any
) -> int:
    seen = [{"key": key, "value": value} for key, value in (WHOLE if tags is None else tags).items()]
    return story.tell("resource.tagged", **{"actor": "service:inventory", "resource": name, "environment": environment,
        "tags": seen} | more)  # fmt: skip


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        (WHOLE, None),
        (WHOLE | {"owner": "Team A", "more": "x"}, None),
        ({}, "no owner, no cost center"),
        (WHOLE | {"cost center": " "}, "no cost center"),
        (WHOLE | {"owner": "nobody"}, "owner as nobody"),
        ({"Owner": "payments", "cost center": "7"}, "no owner"),
    ],
)
def test_a_resource_has_the_tags_that_the_policy_asks_for(tags: dict[str, str], says: str | None) -> None:
    story = Story()
    publish(story, *ASKED)
    tag(story, tags=tags)
    tag(story, environment="dev", tags={})
    assert found(story) == ({"tags-missing": ["db#prod"]} if says else {})
    if says:
        assert finding(story, "tags-missing", "db#prod").says == f"db in prod has {says}"
        tag(story, environment="PROD")
        assert found(story) == {}
        assert story.row(tagged_resources, "db#prod").seen_at == at(5)


def test_what_is_there_no_more_and_what_nobody_asks_for_is_not_found() -> None:
    story = Story()
    tag(story, tags={})
    assert found(story) == {}
    publish(story, *ASKED)
    assert found(story) == {"tags-missing": ["db#prod"]}
    tag(story, tags={}, is_there=False)
    assert found(story) == {}
    tag(story, tags={})
    story.tell("environment.created", environment="prod")
    story.tell("environment.deleted", environment="prod")
    assert found(story) == {"tags-missing": ["db#prod"]}
    story.tell("environment.deleted", actor="service:inventory", environment="prod")
    assert found(story) == {}
    # What is seen afterwards is there.
    tag(story, tags={})
    assert found(story) == {"tags-missing": ["db#prod"]}


def test_nobody_says_that_what_another_saw_is_mended_unless_they_have_the_power() -> None:
    story = Story()
    publish(story, *ASKED)
    tag(story, tags={})
    tag(story, actor="service:ci")
    tag(story, actor="service:ci", environment="PROD")
    tag(story, actor="service:ci", is_there=False)
    assert found(story) == {"tags-missing": ["db#prod"]}
    enrol(story, "service:cloud", types=("resource.tagged",))
    tag(story, actor="service:cloud")
    assert found(story) == {}
    # Whoever sees less is heard, and takes it back themselves.
    tag(story, actor="service:ci", tags={})
    assert found(story) == {"tags-missing": ["db#prod"]}
    tag(story, actor="service:ci")
    assert found(story) == {}


@pytest.mark.parametrize("more", [{"time": at(0)}, {"by": "service:ci"}])
def test_an_older_or_a_strangers_sight_takes_no_newer_ones_place(more: dict[str, Any]) -> None:
    story = Story()
    publish(story, *ASKED)
    tag(story, tags={})
    tag(story, **more)
    assert found(story)["tags-missing"] == ["db#prod"]


def test_a_resource_is_one_under_all_names_of_its_environment() -> None:
    story = Story()
    story.tell("environment.declared", actor="person:olga", environment="prod", tier="production", aliases=["blue"])
    publish(story, *ASKED)
    tag(story, tags={})
    tag(story, environment="blue")
    assert found(story) == {}


def test_coverage_is_of_what_there_is_and_stands_as_of_every_date() -> None:
    story = Story()
    tag(story)
    tag(story, "queue", tags={"owner": "payments", "cost center": ""})
    last = tag(story, "cache", "Prod", tags={})
    tag(story, "cache", is_there=False)
    row = story.row(tag_coverage, "prod")
    assert (row.resources, [(one.key, one.resources, one.percent) for one in row.tags]) == (
        2, [("cost center", 1, 50), ("owner", 2, 100)],
    )  # fmt: skip
    then = story.row_as_of(tag_coverage, "prod", last)
    assert (then.resources, [(one.key, one.percent) for one in then.tags]) == (3, [("cost center", 33), ("owner", 66)])


# -- the gate --------------------------------------------------------------------------------------------------------------

PLAN = "sha256:" + "7" * 64


def produce(story: Story, *changes: dict[str, Any], **more: Any) -> int:
    return story.tell("iac.plan_produced", **{"plan": PLAN, "format_version": "1.2", "environment": "prod", "creates": len(changes),
        "updates": 0, "destroys": 0, "changes": list(changes)} | more)  # fmt: skip


def create(
    address: str, *tags: str, owner: str | None = "payments", tagged: str | None = "all", action: str = "create"
) -> dict[str, Any]:
    """Return what creates a resource. Of its tags the value of the first is known, an owner."""
    made: dict[str, Any] = {"address": address, "action": action, "tags": list(tags)}
    if tags and owner is not None:
        made["values"] = [fingerprint_of_tag(tags[0], owner)]
    return made | ({"tagged": tagged} if tagged else {})


def test_tags_that_one_teller_of_a_plan_does_not_see_another_does_not_make_up() -> None:
    story = ready_to_deploy("normal", *ASKED)
    produce(story, create("db", "owner", "cost center"), by="service:mallory")
    assert "tags-are-planned" not in against(ask(story, "apply", plan=PLAN))
    produce(story, create("db", "owner"), by="service:scanner")
    assert against(ask(story, "apply", plan=PLAN))["tags-are-planned"] == ("deny", "tags-missing")


@pytest.mark.parametrize(
    ("changes", "more", "expected"),
    [
        ([create("db", "owner", "cost center", "more")], {}, None),
        ([create("db", "owner")], {}, ("deny", "tags-missing")),
        ([create("db", "owner", action="replace")], {}, ("deny", "tags-missing")),
        ([create("db", "owner", action="update")], {}, None),
        ([create("db", "owner", "cost center", owner="Team%20A")], {}, None),
        ([create("db", "owner", "cost center", owner="nobody")], {}, ("deny", "value-not-allowed")),
        ([create("db", "owner", owner="nobody", tagged="some")], {}, ("deny", "value-not-allowed")),
        ([create("db", "owner", owner="nobody")], {}, ("deny", "tags-missing")),
        # Known when it is applied, or sensitive.
        ([create("db", "owner", "cost center", owner=None)], {}, ("insufficient_evidence", "not-known")),
        ([create("db", "cost center", "owner", owner="7")], {}, ("insufficient_evidence", "not-known")),
        ([create("db", "owner", tagged="some")], {}, ("insufficient_evidence", "not-known")),
        ([create("db", tagged=None)], {}, ("insufficient_evidence", "not-known")),
        ([create("rule", tagged="none")], {}, None),
        ([], {"parts": 2}, ("insufficient_evidence", "no-plan")),
    ],
)
def test_what_a_plan_creates_is_tagged_as_the_policy_asks(
    changes: list[dict[str, Any]], more: dict[str, Any], expected: Any
) -> None:
    story = ready_to_deploy("normal", *ASKED)
    assert against(ask(story, "apply", plan=PLAN))["tags-are-planned"] == ("insufficient_evidence", "no-plan")
    produce(story, *changes, **more)
    assert against(ask(story, "apply", plan=PLAN)).get("tags-are-planned") == expected
    # Where nobody asks for tags, nothing is asked of the plan but what those have that it names; and where nobody asks for that, nothing.
    assert against(ask(story, "apply", plan=PLAN, environment="staging")).get("tags-are-planned") != (
        "deny",
        "tags-missing",
    )
    story = ready_to_deploy("normal", ("quorum", "any", "1"))
    assert "tags-are-planned" not in against(ask(story, "apply", plan=PLAN))


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_a_resource_that_nobody_owns(year: Year) -> set[str]:
    """Beside one that has all its tags, and one that had none and is gone."""
    year.settings += [("required-tag", "prod", "owner"), ("tag-value", "owner", "payments")]
    for name, owner in (("bucket-1", "somebody"), ("bucket-2", "payments"), ("bucket-3", "payments")):
        about = {"actor": "service:inventory", "resource": name, "environment": "prod"}
        year.say(START + 5 * DAY, "resource.tagged", **about, tags=[{"key": "owner", "value": owner}])
        if name == "bucket-3":
            year.say(START + 6 * DAY, "resource.tagged", **about, tags=[], is_there=False)
    return {"tags-missing/bucket-1#prod"}
