"""3.4 Versions of modules and providers: given these releases, upgrades and trials, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask
from changes import finding, found, publish
from telling import Story, at
from year import HOUR, START, Year

from projections.practices.infrastructure.versioning import LATEST
from projections.readings.infrastructure.releases import (
    compatibilities,
    module_releases,
    plan_providers,
    provider_steps,
    provider_upgrades,
)

VPC, AWS = "acme/vpc/aws", "hashicorp/aws"
PLAN = "sha256:" + "a" * 64
ASKED = ("provider-upgrades", "prod", "tested")
RULES = {"untested-upgrade-applied", "destroying-upgrade-applied", "upgrade-destroys"}


def release(story: Story, version: str, inputs: str = "", outputs: str = "", **more: Any) -> int:
    """A release with inputs, required ones with a star, and outputs."""
    told = [{"name": name.rstrip("*"), "required": name.endswith("*")} for name in inputs.split()]
    return story.tell("module.released", module=VPC, version=version, inputs=told, outputs=outputs.split(), **more)


# What the release before takes and gives, and this one; its version after 1.4.0; and what is found.
RELEASES: list[tuple[str, tuple[str, str], tuple[str, str], str, str | None]] = [
    ("the same", ("name*", "id"), ("name*", "id"), "1.4.1", None),
    ("more of both", ("name*", "id"), ("name* zone", "id arn"), "1.5.0", None),
    ("an input is required no longer", ("name*", ""), ("name", ""), "1.4.1", None),
    ("an input is gone", ("name zone", ""), ("name", ""), "1.5.0", "takes zone no longer"),
    ("an input is called otherwise", ("zone", ""), ("zones", ""), "1.5.0", "takes zone no longer"),
    ("an output is gone", ("", "id arn"), ("", "id"), "1.5.0", "gives arn no longer"),
    ("an output is called otherwise", ("", "id"), ("", "ids"), "1.4.1", "gives id no longer"),
    ("a new input is required", ("name", ""), ("name zone*", ""), "1.5.0", "has to be told zone"),
    ("an input is required now", ("name", ""), ("name*", ""), "1.5.0", "has to be told name"),
    ("all of it, under a major version", ("name zone", "id"), ("other*", ""), "2.0.0", None),
    ("no semantic version", ("", ""), ("", ""), "2026.11", "is no semantic version"),
]


@pytest.mark.parametrize(
    ("before", "after", "version", "says"), [pytest.param(*row[1:], id=row[0]) for row in RELEASES]
)
def test_what_breaks_whoever_uses_a_module_is_of_a_major_version(
    before: tuple[str, str], after: tuple[str, str], version: str, says: str | None
) -> None:
    story = Story()
    release(story, "1.4.0", *before)
    release(story, version, *after)
    key = f"{VPC}/{version}"
    assert found(story).get("semver-violated") == ([key] if says else None)
    if says:
        assert says in finding(story, "semver-violated", key).says
    assert story.row(module_releases, key).outputs == tuple(sorted(after[1].split()))


@pytest.mark.parametrize(("version", "is_found"), [("0.4.1", True), ("0.5.0", False), ("1.0.0", False)])
def test_before_one_the_minor_version_rises(version: str, is_found: bool) -> None:
    story = Story()
    release(story, "0.4.0", "name")
    release(story, version)
    assert ("semver-violated" in found(story)) is is_found


def test_a_release_is_held_against_the_version_before_whenever_that_is_told() -> None:
    story = Story()
    release(story, "1.1.0")
    release(story, "2.0.0", "name")
    assert "semver-violated" not in found(story)
    release(story, "1.0.0", "name")
    assert found(story)["semver-violated"] == [f"{VPC}/1.1.0"]


def test_a_version_is_released_once() -> None:
    story = Story()
    release(story, "1.0.0", "name", "id")
    release(story, "1.0.0", "name", "id")
    assert "semver-violated" not in found(story)
    release(story, "1.0.0", "name")
    assert "released twice" in finding(story, "semver-violated", f"{VPC}/1.0.0").says
    assert story.row(module_releases, f"{VPC}/1.0.0").outputs == ("id",)


# -- providers -----------------------------------------------------------------------------------------------------------


def asking() -> Story:
    story = Story()
    publish(story, ASKED)
    return story


def produce(story: Story, destroys: int = 0) -> int:
    made = {"plan": PLAN, "format_version": "1.2", "creates": 0, "updates": 1, "destroys": destroys, "complete": True}
    return story.tell("iac.plan_produced", **made, environment="prod", service="api")


def upgrade(story: Story, older: str = "4.67.0", newer: str = "5.31.0", **more: Any) -> int:
    data = {"provider": AWS, "from_version": older, "to_version": newer, "plan": PLAN} | more
    return story.tell("provider.upgraded", **data)


def attempt(story: Story, version: str = "5.31.0", *failed: str, **more: Any) -> int:
    checks = [{"name": name, "passed": name not in failed} for name in ("terraform-1.9", "terraform-1.14")]
    return story.tell("compatibility.tested", **{"provider": AWS, "version": version, "checks": checks} | more)


def apply(story: Story) -> int:
    data = {"actor": "service:ci", "plan": PLAN, "environment": "prod", "service": "api", "outcome": "success"}
    return story.tell("iac.applied", **data)


def waive(story: Story, **more: Any) -> int:
    said = {"subject": PLAN, "said": finding(story, "upgrade-destroys", PLAN).said}
    data = {"disposition": "accepted", "rule": "upgrade_destroys", "findings": [said], "reason": {"sha256": "0" * 64}}
    return story.tell("finding.disposed", **{"actor": "person:olga"} | data | more)


def answer(story: Story, **more: Any) -> Any:
    decision = ask(story, "apply", hours=90, **{"plan": PLAN} | more)
    return against(decision).get("provider-upgrades-are-tried")


def of_upgrades(story: Story) -> set[str]:
    return set(found(story)) & RULES


def test_a_major_step_is_tried_in_that_very_version() -> None:
    story = asking()
    produce(story)
    assert answer(story) is None
    position = upgrade(story)
    assert answer(story) == ("deny", "not-tried")
    attempt(story, "5.30.0")
    attempt(story, provider="hashicorp/google")
    assert answer(story) == ("deny", "not-tried")
    attempt(story, "5.31.0", "terraform-1.14")
    assert answer(story) == ("deny", "not-tried")
    attempt(story, "v5.31.0")
    assert answer(story) is None
    # The last trial counts.
    attempt(story, "5.31.0", "terraform-1.9")
    assert answer(story) == ("deny", "not-tried")
    assert story.row(provider_upgrades, str(position)).to_version == "5.31.0"
    assert [trial.is_compatible for trial in story.row(compatibilities, AWS).trials] == [True, False, True, False]


@pytest.mark.parametrize(
    ("older", "newer", "expected"),
    [
        ("5.1.0", "5.31.0", None),
        ("5.31.0", "4.67.0", None),
        ("0.3.0", "0.4.0", ("deny", "not-tried")),
        # Nobody can tell.
        ("4", "5", ("deny", "not-tried")),
    ],
)
def test_only_a_major_step_is_asked_for(older: str, newer: str, expected: Any) -> None:
    story = asking()
    produce(story, destroys=1)
    upgrade(story, older, newer)
    assert answer(story) == expected


def test_a_plan_that_takes_a_major_step_destroys_nothing_unless_somebody_else_lets_it() -> None:
    story = asking()
    upgrade(story)
    attempt(story)
    assert answer(story) == ("insufficient_evidence", "no-plan")
    produce(story, destroys=2)
    assert answer(story) == ("deny", "destroys")
    assert found(story)["upgrade-destroys"] == [PLAN]
    waive(story)
    assert answer(story) is None
    # Another step is another matter.
    upgrade(story, provider="hashicorp/google")
    attempt(story, provider="hashicorp/google")
    assert answer(story) == ("deny", "destroys")


def test_what_the_policy_does_not_ask_for_is_neither_asked_nor_found() -> None:
    story = Story()
    produce(story, destroys=1)
    upgrade(story)
    assert answer(story) is None
    apply(story)
    assert of_upgrades(story) == {"upgrade-destroys"}
    assert answer(story, plan=None) == ("insufficient_evidence", "not-said")


def test_what_was_applied_is_judged_by_what_was_tried_and_let_pass_by_then() -> None:
    story = asking()
    produce(story, destroys=1)
    upgrade(story)
    position = str(apply(story))
    # What is tried and let pass afterwards excuses nothing.
    attempt(story)
    waive(story)
    assert of_upgrades(story) == {"untested-upgrade-applied", "destroying-upgrade-applied"}
    assert "nobody had tried hashicorp/aws 5.31.0" in finding(story, "untested-upgrade-applied", position).says
    story = asking()
    produce(story, destroys=1)
    upgrade(story)
    attempt(story)
    waive(story, until=at(9.5))
    apply(story)
    assert of_upgrades(story) == set()
    # It stays so when the time of the waiver is over, and what is applied then is another matter.
    for _ in range(3):
        last = apply(story)
    assert found(story)["destroying-upgrade-applied"] == [str(last)]


def test_a_step_that_is_told_afterwards_accuses() -> None:
    story = asking()
    produce(story)
    apply(story)
    assert of_upgrades(story) == set()
    upgrade(story)
    assert of_upgrades(story) == {"untested-upgrade-applied"}


def test_a_major_step_is_seen_among_however_many_others() -> None:
    story = Story()
    publish(story, ASKED)
    upgrade: dict[str, Any] = {"plan": PLAN, "environment": "prod", "service": "api"}
    story.tell("provider.upgraded", provider=AWS, from_version="4.67.0", to_version="5.31.0", **upgrade)
    for _ in range(LATEST + 1):
        story.tell("provider.upgraded", provider="acme/x", from_version="1.0.0", to_version="1.0.1", **upgrade)
    story.tell("iac.applied", actor="service:ci", outcome="success", **upgrade)
    assert "untested-upgrade-applied" in found(story)
    asked = against(ask(story, "apply", hours=400, plan=PLAN))
    assert asked["provider-upgrades-are-tried"] == ("deny", "not-tried")


OTHER = "sha256:" + "b" * 64


def use(story: Story, constraint: str, plan: str = PLAN, **more: Any) -> int:
    """A plan whose configuration admits some versions of a provider."""
    data = {
        "plan": plan,
        "environment": "prod",
        "service": "api",
        "uses": [{"provider": AWS, "constraint": constraint}],
    }
    return story.tell("provider.used", **data | more)


def applied_before(story: Story, constraint: str, **more: Any) -> None:
    """Another plan of the same state, applied."""
    use(story, constraint, OTHER, **more)
    data = {"actor": "service:ci", "plan": OTHER, "environment": "prod", "service": "api", "outcome": "success"}
    story.tell("iac.applied", **data)


def test_a_step_that_nobody_told_is_seen_where_constraints_have_no_version_in_common() -> None:
    story = asking()
    applied_before(story, "~> 4.0")
    produce(story)
    use(story, "~> 5.0")
    assert story.row(provider_steps, PLAN).steps[0].before == "~> 4.0"
    assert story.row(plan_providers, PLAN).uses[0].constraint == "~> 5.0"
    assert answer(story) == ("deny", "not-tried")
    attempt(story, "4.67.0")
    assert answer(story) == ("deny", "not-tried")
    apply(story)
    assert of_upgrades(story) == {"untested-upgrade-applied"}
    # Any version that the plan admits will do: which one it takes, no plan says.
    attempt(story, "5.31.0")
    assert answer(story) is None


def test_a_step_is_against_the_plan_that_was_applied_and_of_the_same_state() -> None:
    story = asking()
    applied_before(story, "~> 4.0")
    # What was only planned takes no step away.
    use(story, "~> 5.0", "sha256:" + "c" * 64)
    use(story, "~> 5.0")
    assert story.row(provider_steps, PLAN).against == OTHER
    other = asking()
    applied_before(other, "~> 4.0", workspace="elsewhere")
    use(other, "~> 5.0")
    assert other.row(provider_steps, PLAN).against is None
    assert answer(other) is None


@pytest.mark.parametrize(
    ("before", "after", "is_step"),
    [("~> 4.0", "~> 5.0", True), ("4.67.0", "5.0.0", True), ("< 5.0, >= 4.1", ">= 5.0", True), ("~> 0.4.0", "~> 0.5.0", True),
     ("~> 4.0", "~> 4.60", False), (">= 4.0", "~> 5.0", False), ("4.1.0", "4.2.0", False), ("~> 5.0", "~> 4.0", False),
     ("~> 4", "~> 5", False)],
)  # fmt: skip
def test_constraints_show_a_major_step_where_they_are_apart(before: str, after: str, is_step: bool) -> None:
    story = asking()
    applied_before(story, before)
    use(story, after)
    assert bool(story.row(provider_steps, PLAN).steps) is is_step


def test_a_step_that_somebody_told_is_not_told_twice() -> None:
    story = asking()
    applied_before(story, "~> 4.0")
    produce(story)
    use(story, "~> 5.0")
    upgrade(story)
    attempt(story, "5.31.0")
    assert answer(story) is None


def test_a_step_that_somebody_told_hides_none_that_goes_further() -> None:
    story = asking()
    applied_before(story, "~> 4.0")
    produce(story)
    use(story, "~> 6.0")
    # It was tried, and it is not where the plan goes.
    attempt(story, "5.31.0")
    upgrade(story)
    assert answer(story) == ("deny", "not-tried")
    apply(story)
    assert of_upgrades(story) == {"untested-upgrade-applied"}


def test_of_which_service_a_plan_is_says_whoever_told_it_and_not_whoever_applies_it() -> None:
    story = Story()
    publish(story, ("provider-upgrades", "api", "tested"))
    produce(story)
    upgrade(story)
    data = {"actor": "service:ci", "plan": PLAN, "environment": "prod", "service": "web", "outcome": "success"}
    story.tell("iac.applied", **data)
    assert of_upgrades(story) == {"untested-upgrade-applied"}


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_versions(year: Year) -> set[str]:
    """A release that breaks what uses the one before, beside one by the book; and plans that take major steps, one of them as it should."""
    begun, where = START + 40 * HOUR, {"environment": "prod", "service": "terminal"}
    for version, outputs in (("1.0.0", ["id", "arn"]), ("1.1.0", ["id"]), ("2.0.0", [])):
        year.say(begun, "module.released", module="acme/net/aws", version=version, outputs=outputs)
    year.settings.append(("provider-upgrades", "terminal", "tested"))
    tried = {"version": "5.0.0", "checks": [{"name": "terraform-1.9", "passed": True}]}
    year.say(begun, "compatibility.tested", provider="hashicorp/aws", **tried)
    for number, (provider, destroys, rule) in enumerate(
        (("aws", 0, None), ("google", 0, "untested-upgrade-applied"), ("aws", 1, "destroying-upgrade-applied"))
    ):
        plan, made = f"sha256:{number:063x}b", {"format_version": "1.2", "creates": 0, "updates": 1, "complete": True}
        year.say(begun + HOUR, "iac.plan_produced", plan=plan, destroys=destroys, **made, **where)
        step = {"provider": f"hashicorp/{provider}", "from_version": "4.9.0", "to_version": "5.0.0", "plan": plan}
        year.say(begun + HOUR, "provider.upgraded", **step, **where)
        done = year.say(begun + 2 * HOUR, "iac.applied", actor="person:dan", plan=plan, outcome="success", **where)
        for found_too in ("unchecked-plan-applied", "unapproved-plan-applied", *((rule,) if rule else ())):
            year.doubt(found_too, done)
    return {"semver-violated/acme/net/aws/1.1.0", f"upgrade-destroys/sha256:{2:063x}b"}


def test_nobody_takes_back_that_a_version_failed_when_another_tried_it() -> None:
    story = asking()
    produce(story)
    upgrade(story)
    attempt(story, "5.31.0", "terraform-1.9", actor="service:tests")
    attempt(story, actor="service:ci")
    assert answer(story) == ("deny", "not-tried")
    attempt(story, actor="service:tests")
    assert answer(story) is None
