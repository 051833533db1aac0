"""3.2 Module registries: given what is approved and what plans use, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import finding, found, publish
from telling import Story, at
from year import HOUR, START, Year

from projections.readings.infrastructure.module_users import module_series, module_users, module_uses
from projections.readings.infrastructure.modules import modules
from projections.readings.infrastructure.plan_modules import plan_modules

VPC, DNS = "terraform-aws-modules/vpc/aws", "acme/dns/aws"
PLAN, OTHER = "sha256:" + "7" * 64, "sha256:" + "8" * 64
DIGEST = "sha256:" + "d" * 64
ASKED = ("module-approval", "prod", "apply")
GIT, COMMIT, NEXT = "git:github.com/acme/vpc", "c" * 40, "e" * 40
RULES = {"module-not-approved", "deprecated-module-used"}


def asking(*settings: tuple[str, str, str]) -> Story:
    story = Story()
    publish(story, *(settings or (ASKED,)))
    return story


def approve(story: Story, versions: str | None = "~> 5.0", module: str = VPC, **more: Any) -> int:
    said = {"actor": "person:olga", "module": module, "versions": versions} | more
    return story.tell("module.approved", **{name: value for name, value in said.items() if value is not None})


def deprecate(story: Story, versions: str | None = None, module: str = VPC, **more: Any) -> int:
    said = {"actor": "person:olga", "module": module, "versions": versions} | more
    return story.tell("module.deprecated", **{name: value for name, value in said.items() if value is not None})


def use(story: Story, *uses: dict[str, Any], plan: str = PLAN, **more: Any) -> int:
    """A plan that uses modules; of one of which nothing else is said, VPC in `~> 5.1`."""
    told = list(uses) or [{"module": VPC, "constraint": "~> 5.1"}]
    return story.tell("module.used", **{"plan": plan, "environment": "prod", "service": "api", "uses": told} | more)


def apply(story: Story, plan: str = PLAN, **more: Any) -> int:
    data = {"actor": "service:ci", "plan": plan, "environment": "prod", "service": "api", "outcome": "success"}
    return story.tell("iac.applied", **data | more)


def answer(story: Story, gate: str = "apply", **more: Any) -> Any:
    return against(ask(story, gate, hours=90, **{"plan": PLAN} | more)).get("modules-are-approved")


def of_modules(story: Story) -> set[str]:
    return set(found(story)) & RULES


def test_each_module_of_a_plan_is_approved_in_the_versions_that_it_admits() -> None:
    story = asking()
    assert answer(story) == ("insufficient_evidence", "no-modules")
    use(story, {"module": VPC, "constraint": "~> 5.1"}, {"module": DNS, "version": "1.0.0"})
    assert answer(story) == ("deny", "not-approved")
    approve(story)
    assert answer(story) == ("deny", "not-approved")
    approve(story, None, DNS)
    assert answer(story) is None
    assert [word.versions for word in story.row(modules, VPC).words] == ["~> 5.0"]
    assert [one.module for one in story.row(plan_modules, f"{PLAN}/1").uses] == [VPC, DNS]


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ({"commit": COMMIT}, None),
        ({"commit": NEXT}, ("deny", "not-approved")),
        # A branch or a tag may lead elsewhere tomorrow.
        ({}, ("deny", "not-approved")),
        ({"version": "1.2.0"}, ("deny", "not-approved")),
    ],
)
def test_a_module_is_approved_at_one_commit_and_no_other(used: dict[str, Any], expected: Any) -> None:
    story = asking()
    approve(story, None, GIT, commit=COMMIT)
    use(story, {"module": GIT} | used)
    assert answer(story) == expected
    apply(story)
    assert of_modules(story) == ({"module-not-approved"} if expected else set())
    # The approval of another commit takes none away, and that of every version lets all be used.
    approve(story, None, GIT, commit=NEXT)
    assert answer(story) == (None if "commit" in used else expected)
    approve(story, None, GIT)
    assert answer(story) is None


def test_who_uses_a_commit_is_told_with_it() -> None:
    story = asking()
    approve(story, "= 1.2.0", GIT, commit=COMMIT)
    use(story, {"module": GIT, "commit": COMMIT})
    row = story.row(module_users, f"{GIT}#prod/api")
    assert (row.versions, row.standing) == ((f"at {COMMIT}",), "approved")


@pytest.mark.parametrize(
    ("used", "versions", "expected"),
    [
        ({"constraint": "~> 5.1"}, "~> 5.0", None),
        ({"version": "5.1.0"}, "~> 5.0", None),
        # What is known of it counts, and not what might have been chosen.
        ({"version": "5.1.0", "constraint": ">= 1.0"}, "~> 5.0", None),
        ({"constraint": ">= 5.0"}, "~> 5.0", ("deny", "not-approved")),
        ({"constraint": "~> 4.0"}, "~> 5.0", ("deny", "not-approved")),
        ({}, "~> 5.0", ("deny", "not-approved")),
        ({}, None, None),
        ({"constraint": "~> 5"}, "~> 5.0", ("insufficient_evidence", "not-known")),
    ],
)
def test_which_versions_a_configuration_admits_is_within_what_was_approved(
    used: dict[str, Any], versions: str | None, expected: Any
) -> None:
    story = asking()
    approve(story, versions)
    use(story, {"module": VPC} | used)
    assert answer(story) == expected


def test_two_approvals_stand_beside_each_other() -> None:
    story = asking()
    approve(story, "~> 4.0")
    approve(story, "~> 5.0")
    use(story, {"module": VPC, "constraint": "~> 4.2"})
    assert answer(story) is None


def test_an_approval_is_over_when_its_time_has_come() -> None:
    story = asking()
    approve(story, expires_at=at(50))
    use(story)
    assert against(ask(story, "apply", hours=49, plan=PLAN)).get("modules-are-approved") is None
    assert answer(story) == ("deny", "expired")
    approve(story)
    assert answer(story) is None


def test_what_is_deprecated_may_be_used_no_longer_until_it_is_approved_again() -> None:
    story = asking()
    approve(story)
    use(story)
    deprecate(story, "< 5.0")
    assert answer(story) is None
    # It may be a version that is.
    deprecate(story, "< 5.2")
    assert answer(story) == ("insufficient_evidence", "not-known")
    deprecate(story, replaced_by=DNS)
    assert answer(story) == ("deny", "deprecated")
    approve(story)
    assert answer(story) is None


def test_exactly_what_was_approved_has_the_digest_that_was_approved() -> None:
    story = asking()
    approve(story, digest=DIGEST)
    for named, expected in (({}, ("insufficient_evidence", "not-known")), ({"digest": "sha256:" + "e" * 64}, ("deny", "not-approved")),
                            ({"digest": DIGEST}, None)):  # fmt: skip
        plan = f"sha256:{len(story.log):064x}"
        use(story, {"module": VPC, "version": "5.1.0"} | named, plan=plan)
        assert answer(story, plan=plan) == expected


def test_an_approval_by_who_has_no_power_counts_for_nothing() -> None:
    story = asking()
    approve(story, actor="person:dan", by="person:dan")
    use(story)
    assert answer(story) == ("deny", "not-approved")
    assert "without-power" in found(story)


def test_a_part_that_is_missing_is_no_evidence_and_what_is_told_again_changes_nothing() -> None:
    story = asking()
    approve(story)
    use(story, parts=2)
    assert answer(story) == ("insufficient_evidence", "no-modules")
    use(story, {"module": DNS}, part=2, parts=2)
    assert answer(story) == ("deny", "not-approved")
    use(story, part=2, parts=2)
    assert answer(story) == ("deny", "not-approved")


def test_a_plan_whose_modules_are_told_twice_and_not_the_same_has_no_approved_ones() -> None:
    story = asking()
    approve(story)
    use(story)
    use(story)
    assert answer(story) is None
    # Whoever is first need not be right.
    use(story, {"module": DNS, "version": "1.0.0"})
    assert answer(story) == ("insufficient_evidence", "told-twice")
    apply(story)
    assert "told twice" in finding(story, "module-not-approved", str(len(story.log))).says
    # A part that its first telling left out, too.
    use(story, plan=OTHER)
    use(story, plan=OTHER, parts=2)
    assert answer(story, plan=OTHER) == ("insufficient_evidence", "told-twice")


def test_which_gates_ask_is_said_by_the_policy() -> None:
    story = ready_to_deploy()
    use(story)
    assert (answer(story), answer(story, "deploy")) == (None, None)
    publish(story, ASKED, ("module-approval", "prod", "deploy"), ("quorum", "any", "1"), version="2")
    assert (answer(story), answer(story, "deploy")) == (("deny", "not-approved"),) * 2
    assert answer(story, environment=None) == ("insufficient_evidence", "not-said")
    # Without a plan in the question it is the one that was applied there last, or those of the change.
    assert answer(story, "deploy", plan=None) == ("insufficient_evidence", "no-modules")
    apply(story)
    assert answer(story, "deploy", plan=None) == ("deny", "not-approved")
    story.tell("change.scope_amended", actor="person:alice", change_id="CHG-7", plans=[OTHER])
    assert answer(story, "deploy", plan=None) == ("insufficient_evidence", "no-modules")
    assert [one.plan for one in story.row(module_series, "prod/api").applied] == [PLAN]


# -- what was applied ----------------------------------------------------------------------------------------------------


def test_what_was_applied_is_judged_by_what_was_approved_then() -> None:
    story = asking()
    use(story)
    position = apply(story)
    # What is approved afterwards excuses nothing.
    approve(story)
    assert found(story)["module-not-approved"] == [str(position)]
    assert f"nobody approved {VPC} ~> 5.1" in finding(story, "module-not-approved", str(position)).says
    story = asking()
    use(story)
    approve(story, expires_at=at(7))
    apply(story)
    assert of_modules(story) == set()
    for _ in range(4):
        apply(story)
    assert "was until" in finding(story, "module-not-approved", found(story)["module-not-approved"][0]).says


def test_what_was_deprecated_by_then_is_found_whatever_the_policy_asks() -> None:
    story = Story()
    use(story)
    apply(story)
    deprecate(story, actor="person:olga")
    assert of_modules(story) == set()
    position = apply(story)
    assert found(story)["deprecated-module-used"] == [str(position)]
    assert of_modules(story) == {"deprecated-module-used"}


def test_history_is_no_act_and_a_plan_of_which_no_modules_are_told_is_no_verdict() -> None:
    story = asking()
    apply(story)
    assert of_modules(story) == set()


def test_who_still_uses_what_is_deprecated_is_told_by_the_plan_that_was_applied_last() -> None:
    story = Story()
    use(story)
    apply(story)
    key = f"{VPC}#prod/api"
    assert (story.row(module_uses, key).module, story.row(module_users, key).standing) == (VPC, "not-approved")
    deprecate(story)
    row = story.row(module_users, key)
    assert (row.is_used, row.is_deprecated, row.service, row.versions, row.plan) == (
        True,
        True,
        "api",
        ("~> 5.1",),
        PLAN,
    )
    # A plan that nobody applied changes nothing.
    use(story, {"module": DNS}, plan=OTHER)
    assert story.row(module_users, key).is_deprecated
    apply(story, OTHER, environment="PROD")
    row = story.row(module_users, key)
    assert (row.is_used, row.is_deprecated, row.versions) == (False, False, ())
    assert story.row(module_users, f"{DNS}#prod/api").is_used
    # Nor does another name of the environment make another user of it.
    story.tell("environment.declared", actor="person:olga", environment="prod", tier="production", aliases=["blue"])
    third = "sha256:" + "9" * 64
    use(story, {"module": DNS}, plan=third, environment="blue")
    apply(story, third, environment="blue")
    assert not story.row(module_users, f"{DNS}#blue/api").is_used
    row = story.row(module_users, f"{DNS}#prod/api")
    assert (row.is_used, row.plan) == (True, third)


def test_of_each_workspace_the_plan_that_was_applied_last_tells_what_is_used() -> None:
    story = ready_to_deploy()
    publish(story, ("module-approval", "prod", "deploy"), ("quorum", "any", "1"), version="2")
    for name, plan, module in (("eu", PLAN, VPC), ("us", OTHER, DNS)):
        made = {"plan": plan, "format_version": "1.2", "creates": 0, "updates": 1, "destroys": 0, "complete": True}
        story.tell("iac.plan_produced", **made, environment="prod", service="api", workspace=name)
        use(story, {"module": module}, plan=plan)
        apply(story, plan, workspace=name)
    for module, plan in ((VPC, PLAN), (DNS, OTHER)):
        row = story.row(module_users, f"{module}#prod/api")
        assert (row.is_used, row.plan) == (True, plan)
    approve(story, versions=None, module=DNS)
    # What the other workspace uses is asked for, too.
    assert answer(story, "deploy", plan=None) == ("deny", "not-approved")
    approve(story, versions=None)
    assert answer(story, "deploy", plan=None) is None


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_modules(year: Year) -> set[str]:
    """A module that nobody approved and one that is deprecated, beside one by the book."""
    year.settings.append(("module-approval", "platform", "apply"))
    at, where = START + 30 * HOUR, {"environment": "prod", "service": "platform"}
    for name in (VPC, "acme/old/aws"):
        year.say(at, "module.approved", actor="person:olga", module=name, versions="~> 5.0")
    year.say(at + HOUR, "module.deprecated", actor="person:olga", module="acme/old/aws", replaced_by=VPC)
    rules = {VPC: None, "acme/old/aws": "deprecated-module-used", "acme/new/aws": "module-not-approved"}
    for number, (name, rule) in enumerate(rules.items(), 4):
        plan = f"sha256:{str(number) * 64}"
        made = {"plan": plan, "format_version": "1.2", "creates": 0, "updates": 1, "destroys": 0, "complete": True}
        year.say(at + 2 * HOUR, "iac.plan_produced", **made, **where)
        year.say(at + 2 * HOUR, "module.used", plan=plan, uses=[{"module": name, "constraint": "~> 5.1"}], **where)
        done = year.say(at + 3 * HOUR, "iac.applied", actor="person:dan", plan=plan, outcome="success", **where)
        for found_too in ("unchecked-plan-applied", "unapproved-plan-applied"):
            year.doubt(found_too, done)
        if rule is not None:
            year.doubt(rule, done)
    return set()
