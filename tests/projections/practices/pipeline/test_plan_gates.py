"""2.1 Stage gates with validation of infrastructure as code: given these plans, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import ARTIFACT, approve, assess, deploy, finding, found, open_change, publish, request
from telling import Story, at
from year import HOUR, START, Year

from projections.readings.infrastructure.plans import KEPT, part_id, plan_applications, plan_changes, plans

PLAN, OTHER = "sha256:" + "7" * 64, "sha256:" + "8" * 64
COMMIT = "9fceb02d0ae598e95dc970b74767f19372d61af8"
RULES = {"unfit-plan-applied", "unchecked-plan-applied", "unapproved-plan-applied", "plan-of-a-part"}


def produce(story: Story, name: str = PLAN, **more: Any) -> int:
    counts = {"creates": 1, "updates": 0, "destroys": 0}
    data = {
        "plan": name,
        "format_version": "1.2",
        "environment": "prod",
        "commit": COMMIT,
        "complete": True,
        "errored": False,
    }
    return story.tell("iac.plan_produced", **{k: v for k, v in (data | counts | more).items() if v is not None})


def check(story: Story, verdict: str = "passed", name: str = PLAN, tool: str = "conftest", **more: Any) -> int:
    return story.tell("iac.validated", plan=name, tool=tool, verdict=verdict, **more)


def apply(story: Story, name: str = PLAN, **more: Any) -> int:
    data = {"actor": "service:ci", "plan": name, "environment": "prod", "outcome": "success", "change_id": "CHG-7"}
    return story.tell("iac.applied", **{k: v for k, v in (data | more).items() if v is not None})


def amend(story: Story, *named: str) -> int:
    return story.tell("change.scope_amended", actor="person:alice", change_id="CHG-7", plans=list(named))


def approved(*named: str) -> Story:
    """A change whose scope names plans, and that is approved."""
    story = ready_to_deploy()
    if named:
        amend(story, *named)
        assess(story)
        request(story)
        approve(story)
    return story


def whole() -> Story:
    """A plan that was made, checked and approved."""
    story = approved(PLAN)
    produce(story)
    check(story)
    return story


def answer(story: Story, **more: Any) -> dict[str, tuple[str, str]]:
    return against(ask(story, "apply", hours=40, **{"plan": PLAN} | more))


def of_plans(story: Story) -> set[str]:
    return set(found(story)) & RULES


def test_a_plan_that_is_told_twice_and_not_as_doing_the_same_is_not_applied() -> None:
    story = whole()
    produce(story)
    assert against(ask(story, "apply", plan=PLAN)) == {}
    # Whoever is first need not be right.
    produce(story, destroys=3)
    assert against(ask(story, "apply", plan=PLAN))["plan-may-be-applied"] == ("deny", "told-twice")
    apply(story)
    assert "not as doing the same" in finding(story, "unfit-plan-applied", str(len(story.log))).says


def test_the_very_plan_that_was_made_checked_and_approved_may_be_applied() -> None:
    story = whole()
    assert answer(story) == {}
    assert answer(story, plan=OTHER) == {
        "question-is-of-one-thing": ("deny", "of-several"),
        "plan-may-be-applied": ("insufficient_evidence", "no-plan"),
        "plan-is-validated": ("insufficient_evidence", "not-validated"),
        "plan-is-approved": ("deny", "other-plan"),
    }
    apply(story)
    assert of_plans(story) == set()
    # Once.
    assert answer(story) == {"plan-may-be-applied": ("deny", "applied")}
    row = story.row(plans, PLAN)
    assert (row.creates, row.checks[0].tool) == (1, "conftest")
    assert story.row(plan_applications, str(row.applied_position)).actor == "service:ci"


@pytest.mark.parametrize(
    ("more", "asked", "expected"),
    [
        ({"errored": True}, {}, ("deny", "errored")),
        ({"errored": None}, {}, None),
        ({"complete": False}, {}, ("deny", "of-a-part")),
        ({"complete": None}, {}, None),
        ({"format_version": "2.0"}, {}, ("deny", "unknown-format")),
        ({"format_version": "0.1"}, {}, None),
        ({"format_version": "10.0"}, {}, ("deny", "unknown-format")),
        ({"parts": 1}, {}, ("insufficient_evidence", "incomplete")),
        ({}, {"commit": COMMIT[:9]}, None),
        ({}, {"commit": "1" * 40}, ("deny", "other-commit")),
        ({"environment": None}, {}, None),
        ({"environment": "staging"}, {}, ("deny", "other-environment")),
        ({}, {"plan": None}, ("insufficient_evidence", "not-said")),
    ],
)
def test_a_plan_that_is_not_fit_is_not_applied(more: dict[str, Any], asked: dict[str, Any], expected: Any) -> None:
    story = approved(PLAN)
    produce(story, **more)
    check(story)
    assert answer(story, **asked).get("plan-may-be-applied") == expected


def test_a_plan_comes_in_parts_and_each_is_needed() -> None:
    story = approved(PLAN)
    produce(story, parts=2)
    for part, expected in ((1, ("insufficient_evidence", "incomplete")), (2, None)):
        changes = [{"address": f"a.b{part}", "action": "create"}]
        story.tell("iac.plan_changes_reported", plan=PLAN, part=part, parts=2, changes=changes)
        assert answer(story).get("plan-may-be-applied") == expected
    assert story.row(plan_changes, part_id(PLAN, 2, "service:desk")).changes[0].address == "a.b2"


def test_somebody_else_may_let_a_plan_of_a_part_pass() -> None:
    story = approved(PLAN)
    produce(story, complete=False)
    check(story)
    assert found(story)["plan-of-a-part"] == [PLAN]
    said = {"subject": PLAN, "said": finding(story, "plan-of-a-part", PLAN).said}
    data = {"disposition": "accepted", "rule": "plan_of_a_part", "findings": [said], "reason": {"sha256": "0" * 64}}
    story.tell("finding.disposed", actor="person:olga", until=at(30), **data)
    assert answer(story)["plan-may-be-applied"] == ("deny", "of-a-part")
    story.tell("finding.disposed", actor="person:olga", **data)
    assert answer(story) == {}


@pytest.mark.parametrize(("more", "word"), [({"complete": False}, "of-a-part"), ({"errored": True}, "told-twice")])
def test_what_is_wrong_with_a_plan_nobody_hides_by_telling_it_first(more: dict[str, Any], word: str) -> None:
    story = approved(PLAN)
    produce(story, by="service:mallory")
    check(story)
    assert answer(story) == {}
    produce(story, by="service:scanner", **more)
    assert answer(story) == {"plan-may-be-applied": ("deny", word)}
    produce(story, by="service:mallory", time=at(0))
    assert answer(story) == {"plan-may-be-applied": ("deny", word)}


def test_a_check_is_of_this_very_plan_and_the_last_of_each_tool_counts() -> None:
    story = approved(PLAN)
    produce(story)
    check(story, name=OTHER)
    assert answer(story) == {"plan-is-validated": ("insufficient_evidence", "not-validated")}
    check(story, "failed")
    check(story, tool="tfsec")
    assert answer(story) == {"plan-is-validated": ("deny", "failed")}
    check(story)
    assert answer(story) == {}


def test_an_approval_is_of_a_scope_that_names_the_plan() -> None:
    story = approved()
    produce(story)
    check(story)
    assert answer(story)["plan-is-approved"] == ("deny", "other-plan")
    assert answer(story, change_id=None)["plan-is-approved"] == ("insufficient_evidence", "no-scope")
    amend(story, PLAN)
    assess(story)
    # The approval was of another scope.
    assert answer(story) == {"plan-is-approved": ("needs_approval", "quorum")}
    request(story)
    approve(story)
    assert answer(story) == {}


def test_a_policy_may_ask_for_less_and_outside_of_production_nothing_is_asked_unless_it_does() -> None:
    story = whole()
    other: dict[str, Any] = {"plan": OTHER, "change_id": None}
    assert answer(story, environment="staging", **other).keys() == {"plan-may-be-applied"}
    publish(story, ("plan-validation", "prod", "optional"), ("plan-approval", "prod", "optional"),
        ("plan-validation", "staging", "required"), version="2")  # fmt: skip
    assert answer(story, **other).keys() == {"plan-may-be-applied"}
    assert answer(story, environment="staging", **other).keys() == {"plan-may-be-applied", "plan-is-validated"}


@pytest.mark.parametrize(
    "asked", [{"service": "web"}, {"environment": "staging"}, {"change_id": "CHG-8"}, {"to_environment": "prod"}]
)
def test_whoever_names_with_a_plan_what_is_not_its_own_is_let_do_nothing(asked: dict[str, Any]) -> None:
    story = whole()
    produce(story, OTHER, service="api")
    amend(story, PLAN, OTHER)
    # An exempt type, or a change that was let through, would lift a freeze for what is of another change.
    open_change(story, "security", "CHG-8")
    for gate in ("apply", "deploy"):
        known = against(ask(story, gate, hours=40, plan=OTHER))
        assert "question-is-of-one-thing" not in known
        found_so = against(ask(story, gate, hours=40, **{"plan": OTHER} | asked))
        assert found_so["question-is-of-one-thing"] == ("deny", "of-several")


@pytest.mark.parametrize(
    ("asked", "is_of_it"),
    [
        ({}, True),
        ({"environment": None}, True),
        ({"service": "web"}, False),
        ({"environment": "dev"}, False),
        ({"artifact": OTHER}, False),
        ({"commit": "1" * 40}, False),
        ({"change_id": "CHG-8"}, False),
        ({"change_id": None}, True),
    ],
)
def test_what_is_promoted_is_what_was_deployed(asked: dict[str, Any], is_of_it: bool) -> None:
    story = ready_to_deploy()
    deploy(story, environment="staging", artifact=ARTIFACT, commit=COMMIT)
    open_change(story, "security", "CHG-8", services=["web"])
    promoted = {"deployment_id": "d-1", "environment": "staging", "to_environment": "prod"}
    answered = against(ask(story, "promote", hours=40, **promoted | asked))
    assert ("question-is-of-one-thing" not in answered) is is_of_it
    # What to go back to is another artifact; where, is the same.
    back = against(ask(story, "rollback", hours=40, **{**promoted, "to_environment": None, "artifact": OTHER} | asked))
    assert ("question-is-of-one-thing" not in back) is (is_of_it or asked.keys() <= {"artifact", "commit"})


# -- what was applied ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{"errored": True}, {"format_version": "2.0"}])
def test_an_unfit_plan_that_was_applied_is_found(more: dict[str, Any]) -> None:
    story = approved(PLAN)
    produce(story, **more)
    check(story)
    apply(story)
    assert of_plans(story) == {"unfit-plan-applied"}


def test_a_plan_that_nobody_told_of_is_found_and_telling_it_afterwards_excuses_nothing() -> None:
    story = approved(PLAN)
    check(story)
    apply(story)
    assert of_plans(story) == {"unfit-plan-applied"}
    produce(story)
    assert of_plans(story) == {"unfit-plan-applied"}
    # Nor does it tie what was applied to a change.
    story = approved()
    check(story)
    apply(story, change_id=None)
    produce(story, change_id="CHG-7")
    assert of_plans(story) == {"unfit-plan-applied", "unapproved-plan-applied"}
    amend(story, PLAN)
    assert of_plans(story) == {"unfit-plan-applied", "unapproved-plan-applied"}


def test_a_plan_that_is_applied_without_naming_a_change_is_of_the_one_whose_approved_scope_names_it() -> None:
    story = whole()
    apply(story, change_id=None)
    assert of_plans(story) == set()
    # A scope that names it, and is not approved, lets nothing through.
    story = ready_to_deploy()
    produce(story)
    check(story)
    amend(story, PLAN)
    position = apply(story, change_id=None)
    assert "1 approval missing" in finding(story, "unapproved-plan-applied", str(position)).says


def test_a_plan_that_was_not_checked_by_then_is_found() -> None:
    story = approved(PLAN)
    produce(story)
    position = apply(story)
    check(story)
    assert of_plans(story) == {"unchecked-plan-applied"}
    assert "nothing had checked it" in finding(story, "unchecked-plan-applied", str(position)).says
    story = approved(PLAN)
    produce(story)
    check(story, "failed")
    position = apply(story)
    assert "conftest had found against it" in finding(story, "unchecked-plan-applied", str(position)).says


def test_a_plan_of_no_approved_change_is_found() -> None:
    for change, named, why in (
        ("CHG-7", (), "the scope of CHG-7 did not name it"), ("CHG-8", (PLAN,), "CHG-8 was never opened"),
    ):  # fmt: skip
        story = approved(*named)
        produce(story)
        check(story)
        position = apply(story, change_id=change)
        assert of_plans(story) == {"unapproved-plan-applied"}
        row = finding(story, "unapproved-plan-applied", str(position))
        assert why in row.says
        assert (row.acted_position, row.known_then) == (position, True)
    story = ready_to_deploy()
    produce(story)
    check(story)
    amend(story, PLAN)
    position = apply(story)
    approve(story)
    assert of_plans(story) == {"unapproved-plan-applied"}
    assert "1 approval missing" in finding(story, "unapproved-plan-applied", str(position)).says


def test_outside_of_production_nothing_is_found_but_an_unfit_plan() -> None:
    story = ready_to_deploy()
    produce(story, environment="staging", errored=True)
    apply(story, environment="staging", change_id="CHG-9")
    assert of_plans(story) == {"unfit-plan-applied"}


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_plans(year: Year) -> set[str]:
    at = START + 9 * HOUR
    made: dict[str, Any] = {"plan": PLAN, "environment": "prod", "creates": 1, "updates": 0, "destroys": 0}
    year.say(at, "iac.plan_produced", **made, format_version="1.2", errored=True)
    done = year.say(at + HOUR, "iac.applied", actor="person:dan", plan=PLAN, environment="prod", outcome="success")
    year.say(at, "iac.plan_produced", **made | {"plan": OTHER}, format_version="1.2", complete=False)
    for rule in ("unfit-plan-applied", "unchecked-plan-applied", "unapproved-plan-applied"):
        year.doubt(rule, done)
    return {f"plan-of-a-part/{OTHER}"}


def test_nobody_passes_a_plan_that_anothers_check_failed_nor_pushes_that_out() -> None:
    story = approved(PLAN)
    produce(story)
    check(story, "failed", actor="service:scanner")
    for _ in range(KEPT + 1):
        check(story, actor="service:ci")
    assert answer(story) == {"plan-is-validated": ("deny", "failed")}
    check(story, actor="service:scanner")
    assert answer(story) == {}
