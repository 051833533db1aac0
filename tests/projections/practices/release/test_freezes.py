"""1.3 Release freezes: given these facts, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import ARTIFACT, approve, assess, deploy, finding, found, pass_time, ready
from telling import Story, at
from year import DAY, START, TITLE, Change, Year, stamp

from projections.judging.ends import finding_ends
from projections.readings.delivery.freezes import freeze_calendar, freezes

PLAN = "sha256:" + "7" * 64


def freeze(story: Story, **more: Any) -> int:
    data = {"environments": ["prod"], "start": at(1), "end": at(50), "time_zone": "UTC"} | more
    return story.tell("freeze.declared", actor="person:frank", freeze_id="F", **data)


def let_through(story: Story, requester: str = "person:alice", until: float = 40) -> None:
    story.tell(
        "freeze.override_granted", actor="person:frank", freeze_id="F", change_id="CHG-7", requester=requester,
        expires_at=at(until), reason={"sha256": "0" * 64},
    )  # fmt: skip


def test_a_freeze_that_is_recorded_after_the_fact_finds_what_was_deployed_in_it() -> None:
    story = ready()
    deploy(story)
    assert found(story) == {}
    declared = freeze(story)
    assert found(story) == {"deployed-in-freeze": ["d-1"]}
    row = finding(story, "deployed-in-freeze", "d-1")
    assert (row.first_seen_position, row.says.endswith(", in freeze F, declared afterwards")) == (declared, True)
    assert declared in row.positions
    assert (row.known_then, row.acted_position) == (False, row.positions[0])
    assert story.row(finding_ends, "deployed-in-freeze").known_later == 1
    freeze(story, services=["web"])
    assert found(story) == {}


def test_what_was_let_through_a_freeze_in_time_is_none() -> None:
    story = ready()
    freeze(story)
    let_through(story, until=60)
    deploy(story)
    assert found(story) == {}
    let_through(story, requester="person:frank", until=60)
    assert found(story) == {"override-of-ones-own": ["F"]}


def test_what_was_done_in_a_freeze_stays_though_it_is_moved_or_lifted_afterwards() -> None:
    for how in ("taken back", "moved", "of another environment", "lifted"):
        story = ready()
        declared = freeze(story, start=at(0), end=at(100))
        deploy(story, artifact=ARTIFACT)
        assert found(story) == {"deployed-in-freeze": ["d-1"]}
        # What was on record when somebody acted is not talked away.
        if how == "moved":
            freeze(story, start=at(200), end=at(300))
        elif how == "of another environment":
            freeze(story, environments=["test"], start=at(0), end=at(100))
        elif how == "lifted":
            story.tell("freeze.lifted", actor="person:frank", freeze_id="F", time=at(2))
        else:
            story.tell("statement.withdrawn", actor="service:desk", position=declared, reason="x")
        assert found(story) == ({} if how == "taken back" else {"deployed-in-freeze": ["d-1"]}), how


def test_a_freeze_holds_unless_somebody_else_let_this_change_through() -> None:
    story = ready_to_deploy()
    freeze(story)
    assert against(ask(story)) == {"no-freeze-holds": ("deny", "frozen")}
    let_through(story, requester="person:frank")
    assert against(ask(story)) == {"no-freeze-holds": ("deny", "frozen")}
    let_through(story, until=30)
    assert ask(story).verdict == "allow"
    assert against(ask(story, hours=31)) == {"no-freeze-holds": ("deny", "frozen")}
    story.tell("freeze.lifted", actor="person:frank", freeze_id="F")
    assert ask(story, hours=31).verdict == "allow"


@pytest.mark.parametrize(
    "more",
    [{"exempt_types": ["normal"]}, {"services": ["web"]}, {"environments": ["staging"]}, {"end": at(15)}],
)
def test_a_freeze_of_something_else_does_not_hold(more: dict[str, Any]) -> None:
    story = ready_to_deploy()
    freeze(story, **more)
    assert ask(story).verdict == "allow"


def lift(story: Story, **more: Any) -> int:
    return story.tell("freeze.lifted", **{"actor": "person:frank", "freeze_id": "F"} | more)


def apply(story: Story, **more: Any) -> int:
    data = {"actor": "service:ci", "plan": PLAN, "environment": "prod", "service": "api", "outcome": "success"}
    return story.tell("iac.applied", **data | {"change_id": "CHG-7"} | more)


@pytest.mark.parametrize(
    ("how", "more", "is_found"),
    [
        ("held", {}, True),
        ("of another service", {"services": ["web"]}, False),
        ("as told of another service", {"services": ["db"]}, True),
        ("exempt", {"exempt_types": ["normal"]}, False),
        ("exempt, and of another plan", {"exempt_types": ["normal"]}, True),
        ("let through", {}, False),
        ("let through for themselves", {}, True),
    ],
)
def test_a_plan_that_is_applied_in_a_freeze_is_found(how: str, more: dict[str, Any], is_found: bool) -> None:
    story = ready()
    freeze(story, end=at(99), **more)
    if how.startswith("let through"):
        let_through(story, "person:frank" if how.endswith("themselves") else "person:dan", until=90)
    made = {"plan": PLAN, "format_version": "1.2", "environment": "prod", "creates": 0, "updates": 1, "destroys": 0}
    story.tell("iac.plan_produced", **made, service="db" if how.startswith("as told") else "api")
    if how.endswith("another plan"):
        story.tell("change.scope_amended", actor="person:alice", change_id="CHG-7", plans=[ARTIFACT])
    position = apply(story)
    assert found(story).get("applied-in-freeze") == ([str(position)] if is_found else None)
    # What is let through afterwards excuses nothing.
    let_through(story, "person:dan", until=90)
    lift(story)
    assert ("applied-in-freeze" in found(story)) is is_found


def test_a_freeze_that_is_declared_afterwards_finds_what_was_applied_in_it() -> None:
    story = ready()
    position = apply(story)
    freeze(story)
    assert finding(story, "applied-in-freeze", str(position)).says.endswith(", in freeze F, declared afterwards")


def test_a_freeze_that_is_declared_again_after_its_lift_holds_again() -> None:
    story = ready()
    freeze(story, end=at(99))
    lift(story)
    deploy(story, name="d-0")
    freeze(story, end=at(99))
    deploy(story)
    assert found(story) == {"deployed-in-freeze": ["d-1"]}
    assert story.row(freezes, "F").lifted_at is None


def test_a_deployment_of_which_only_the_end_is_known_is_in_a_freeze_too() -> None:
    story = ready()
    freeze(story)
    where = {"deployment_id": "d-1", "service": "api", "environment": "prod", "change_id": "CHG-7"}
    story.tell("deployment.finished", actor="service:ci", **where, outcome="success")
    assert found(story)["deployed-in-freeze"] == ["d-1"]


def test_each_act_of_a_deployment_is_judged_where_and_when_it_was_done() -> None:
    for how in ("promoted", "another environment", "another service", "tried again"):
        story = ready()
        deploy(story, environment="prod" if how == "tried again" else "staging")
        service = "web" if how == "another service" else "api"
        freeze(story, environments=["prod", "staging"], services=[service], end=at(99))
        if how == "promoted":
            story.tell(
                "deployment.promoted", actor="service:ci", deployment_id="d-1", service="api",
                environment="staging", to_environment="prod", change_id="CHG-7",
            )  # fmt: skip
        else:
            deploy(story, service=service, environment="staging" if how == "another service" else "prod")
        assert found(story)["deployed-in-freeze"] == ["d-1"], how


def test_what_is_reported_late_is_judged_as_of_its_report_too() -> None:
    story = ready()
    freeze(story, start=at(20), end=at(30))
    pass_time(story, 15)
    deploy(story, time=at(12))
    assert found(story)["deployed-in-freeze"] == ["d-1"]
    assert "at 2026-03-02T21:00:00.000000Z and reported at" in finding(story, "deployed-in-freeze", "d-1").says


def test_a_deployment_that_is_tied_afterwards_to_a_change_that_was_let_through_is_found() -> None:
    for how in ("linked", "named at its end"):
        story = ready()
        freeze(story, end=at(99))
        let_through(story, requester="person:dan", until=90)
        where = {"deployment_id": "d-1", "service": "api", "environment": "prod"}
        story.tell("deployment.started", actor="service:ci", **where)
        if how == "linked":
            story.tell("change.linked", actor="person:bob", change_id="CHG-7", deployment_id="d-1")
        else:
            story.tell("deployment.finished", **where, change_id="CHG-7", outcome="success")
        assert set(found(story)) >= {"deployed-in-freeze", "deployment-without-change"}, how


def test_a_change_of_an_exempt_type_has_to_be_open_before() -> None:
    story = ready()
    freeze(story, exempt_types=["standard"], end=at(99))
    deploy(story, change="CHG-8")
    story.tell(
        "change.opened", actor="person:bob", change_id="CHG-8", change_type="standard", services=["api"],
        environment="prod", title={"sha256": "0" * 64},
    )  # fmt: skip
    assert "deployed-in-freeze" in found(story)


def test_a_plan_that_recurs_is_in_a_freeze_by_each_of_its_times() -> None:
    for first, expected in ((at(100), ["CHG-7"]), (at(108), None)):
        story = ready()
        freeze(story, start=first, end=at(110))
        story.tell(
            "change.scheduled", actor="person:alice", change_id="CHG-7", planned_start=at(30), planned_end=at(34),
            recurs="FREQ=DAILY",
        )  # fmt: skip
        assert found(story).get("planned-in-freeze") == expected


def test_what_is_said_of_a_freeze_counts_from_who_has_the_power() -> None:
    other = {"by": "person:mallory", "token": "token:mallory"}
    story = ready()
    story.tell(
        "freeze.declared", actor="person:mallory", freeze_id="M", tiers=["production"], start=at(0), end=at(99), **other
    )
    deploy(story)
    assert "deployed-in-freeze" not in found(story)
    freeze(story, end=at(99))
    lift(story, actor="person:mallory", **other)
    story.tell(
        "freeze.override_granted", actor="person:mallory", freeze_id="F", change_id="CHG-7", requester="person:dan",
        expires_at=at(90), reason={"sha256": "0" * 64}, **other,
    )  # fmt: skip
    deploy(story, "d-2")
    assert "d-2" in found(story)["deployed-in-freeze"]


def test_an_override_counts_when_it_was_on_record_and_by_nobody_of_the_change() -> None:
    for how in ("afterwards", "by the author", "by another login of the author", "for another", "expired"):
        story = ready()
        freeze(story, end=at(99))
        story.tell("identity.linked", actor="person:hr", identities=["person:alice", "github:7"], evidence="hr")
        by = {"by the author": "person:alice", "by another login of the author": "github:7"}.get(how, "person:frank")
        told: dict[str, Any] = {
            "actor": by, "freeze_id": "F", "change_id": "CHG-8" if how == "for another" else "CHG-7", "requester": "person:dan",
            "expires_at": at(12 if how == "expired" else 90), "reason": {"sha256": "0" * 64},
        }  # fmt: skip
        if how != "afterwards":
            story.tell("freeze.override_granted", **told)
        deploy(story)
        if how == "afterwards":
            story.tell("freeze.override_granted", **told, time=at(2))
        expected = {"deployed-in-freeze": ["d-1"]} | ({"override-of-ones-own": ["F"]} if "author" in how else {})
        assert found(story) == expected, how


@pytest.mark.parametrize(
    "selected",
    [
        {"environments": ["PROD"]}, {"environments": ["%70rod"]}, {"environments": [], "patterns": ["pro*"]},
        {"environments": [], "patterns": ["*"]}, {"environments": [], "tiers": ["production"]},
        {"environments": ["blue"], "tiers": ["production"]}, {"regions": ["eu-west-1"]}, {"tenants": ["acme"]}, {"services": ["API"]},
    ],
)  # fmt: skip
def test_a_freeze_means_environments_by_name_by_pattern_and_by_tier(selected: dict[str, Any]) -> None:
    story = ready_to_deploy()
    freeze(story, **selected)
    assert against(ask(story)) == {"no-freeze-holds": ("deny", "frozen")}
    deploy(story)
    assert found(story) == {"deployed-in-freeze": ["d-1"]}


@pytest.mark.parametrize(
    "selected",
    [{"environments": ["prod-eu"]}, {"environments": [], "patterns": ["prod-*"]}, {"environments": [], "tiers": ["staging"]},
     {"regions": ["us"]}],
)  # fmt: skip
def test_a_freeze_of_others_does_not_hold(selected: dict[str, Any]) -> None:
    story = ready_to_deploy()
    story.tell(
        "environment.declared", actor="person:olga", environment="prod", tier="production", regions=["eu-west-1"]
    )
    freeze(story, **selected)
    assert ask(story).verdict == "allow"
    deploy(story)
    assert found(story) == {}


def submit(story: Story, **more: Any) -> None:
    """Fix the scope of CHG-7 anew, for these tenants and regions, and have it approved."""
    story.tell("change.submitted", actor="person:alice", change_id="CHG-7", artifacts=[ARTIFACT], **more)
    assess(story)
    approve(story)


@pytest.mark.parametrize(
    ("scope", "frozen", "holds"),
    [
        ({"tenants": ["globex"]}, {"tenants": ["acme"]}, False),
        ({"tenants": ["globex", "acme"]}, {"tenants": ["acme", "initech"]}, True),
        ({"tenants": ["globex"]}, {}, True),
        ({}, {"tenants": ["acme"]}, True),
        ({"regions": ["us-east-1"]}, {"regions": ["eu-west-1"]}, False),
        ({"regions": ["eu-west-1"]}, {"regions": ["eu-west-1"]}, True),
        # It lies nowhere near there: that says nothing.
        ({"regions": ["mars"]}, {"regions": ["eu-west-1"]}, True),
        ({"tenants": ["globex"], "regions": ["us-east-1"]}, {"tenants": ["acme"], "regions": ["us-east-1"]}, False),
    ],
)
def test_a_freeze_of_some_tenants_or_regions_holds_what_is_for_these(
    scope: dict[str, Any], frozen: dict[str, Any], holds: bool
) -> None:
    story = ready_to_deploy()
    story.tell(
        "environment.declared", actor="person:olga", environment="prod", tier="production",
        regions=["eu-west-1", "us-east-1"],
    )  # fmt: skip
    freeze(story, **frozen, end=at(60))
    submit(story, **scope)
    story.tell("change.scheduled", actor="person:alice", change_id="CHG-7", planned_start=at(19), planned_end=at(49))
    assert against(ask(story)) == ({"no-freeze-holds": ("deny", "frozen")} if holds else {})
    deploy(story, artifact=ARTIFACT)
    assert ("deployed-in-freeze" in found(story), "planned-in-freeze" in found(story)) == (holds, holds)


def test_a_scope_that_is_narrowed_down_afterwards_takes_nothing_out_of_a_freeze() -> None:
    story = ready_to_deploy()
    freeze(story, tenants=["acme"])
    deploy(story, artifact=ARTIFACT)
    assert found(story) == {"deployed-in-freeze": ["d-1"]}
    story.tell(
        "change.scope_amended", actor="person:alice", change_id="CHG-7", artifacts=[ARTIFACT], tenants=["globex"]
    )
    assert "deployed-in-freeze" in found(story)


def test_a_freeze_holds_the_environment_by_its_other_names() -> None:
    story = ready_to_deploy()
    story.tell("environment.declared", actor="person:olga", environment="prod", tier="production", aliases=["blue"])
    freeze(story, environments=["Blue"])
    assert against(ask(story)) == {"no-freeze-holds": ("deny", "frozen")}


def test_a_freeze_that_recurs_holds_each_time_and_not_between() -> None:
    for hours, expected in ((24 * 5 + 2, {"deployed-in-freeze": ["d-1"]}), (24 * 5 + 20, {}), (24 * 7 + 2, {})):
        story = ready()
        # Four hours each day from Tuesday on, but not a week after the first.
        freeze(story, start=at(24), end=at(28), recurs="FREQ=DAILY", except_at=[at(24 * 7)], time_zone="Europe/Berlin")
        where = {"deployment_id": "d-1", "service": "api", "environment": "prod", "change_id": "CHG-7"}
        for _ in range(hours - len(story.log)):
            story.tell("ledger.time_passed", until=at(0))
        story.tell("deployment.started", actor="service:ci", **where)
        story.tell("deployment.finished", **where, outcome="success")
        assert found(story).get("deployed-in-freeze", []) == expected.get("deployed-in-freeze", []), hours


def test_what_cannot_be_computed_is_no_evidence_and_is_found() -> None:
    story = ready_to_deploy()
    freeze(story, recurs="FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=9999", end=at(2))
    assert ask(story, hours=24 * 365 * 60).verdict == "insufficient_evidence"
    assert "freeze-holds-nothing" in found(story)
    assert finding(story, "freeze-holds-nothing", "F").says.endswith("its rule takes more than 20000 days to look at")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"start": at(50), "end": at(1)}, "before it begins"),
        ({"time_zone": "Mars/Phobos"}, "no time zone is called Mars/Phobos"),
        ({"environments": []}, "it names no environment, pattern or tier"),
    ],
)
def test_an_old_freeze_that_can_hold_nothing_is_found(more: dict[str, Any], words: str) -> None:
    story = Story()
    freeze(story, **more)
    assert (
        finding(story, "freeze-holds-nothing", "F").says.endswith(words)
        or words in finding(story, "freeze-holds-nothing", "F").says
    )
    freeze(story)
    assert found(story) == {}


def test_a_plan_that_lies_in_a_freeze_is_told_until_it_is_let_through_moved_or_over() -> None:
    for how in ("let through", "moved", "lifted", "over"):
        story = ready()
        # The freeze is there first, and recurs; the plan holds one of its times.
        freeze(story, start=at(10), end=at(11), recurs="FREQ=DAILY")
        story.tell(
            "change.scheduled", actor="person:alice", change_id="CHG-7", planned_start=at(56), planned_end=at(60)
        )
        assert found(story) == {"planned-in-freeze": ["CHG-7"]}
        if how == "let through":
            let_through(story, requester="person:dan", until=70)
        elif how == "moved":
            story.tell(
                "change.scheduled", actor="person:alice", change_id="CHG-7", planned_start=at(61), planned_end=at(70)
            )
        elif how == "lifted":
            lift(story)
        else:
            pass_time(story, 60)
        assert "planned-in-freeze" not in found(story), how


def test_many_freezes_over_many_deployments_cost_what_they_are() -> None:
    story = Story(batch=1000)
    for number in range(60):
        where = {"deployment_id": f"d-{number}", "service": "api", "environment": "prod"}
        story.tell("deployment.started", actor="service:ci", **where)
    for number in range(60):
        story.tell(
            "freeze.declared",
            actor="person:frank",
            freeze_id=f"F{number}",
            tiers=["production"],
            start=at(0),
            end=at(1000),
        )
    assert len(found(story)["deployed-in-freeze"]) == 60
    assert finding(story, "deployed-in-freeze", "d-7").says.endswith("in freeze F0, declared afterwards")
    assert len(story.row(freeze_calendar, "all").spans) == 60


@pytest.mark.parametrize(("by", "actor"), [("service:ci", "person:ceo"), ("person:paul", "person:paul")])
def test_a_freeze_is_lifted_and_let_through_by_nobody_without_the_power(by: str, actor: str) -> None:
    story = ready_to_deploy()
    freeze(story)
    story.tell("freeze.lifted", by=by, actor=actor, freeze_id="F")
    story.tell("freeze.override_granted", by=by, actor=actor, freeze_id="F", change_id="CHG-7", requester="person:zoe",
        expires_at=at(40), reason={"sha256": "0" * 64})  # fmt: skip
    assert against(ask(story)) == {"no-freeze-holds": ("deny", "frozen")}
    deploy(story, artifact=ARTIFACT)
    assert "deployed-in-freeze" in found(story)


def test_nobody_without_the_power_declares_a_freeze() -> None:
    story = ready_to_deploy()
    story.tell("freeze.declared", by="service:ci", actor="person:frank", freeze_id="F", environments=["prod"], start=at(1),
        end=at(50), time_zone="UTC")  # fmt: skip
    assert ask(story).verdict == "allow"


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_a_deployment_in_a_freeze(year: Year, change: Change) -> set[str]:
    change.begins = START + 202 * DAY
    return {f"deployed-in-freeze/{change.deployment}", f"planned-in-freeze/{change.id}"}


def plant_a_promotion_in_a_freeze(year: Year, change: Change) -> set[str]:
    """It is deployed the day before the freeze, and promoted in it."""
    change.begins = START + 199 * DAY
    year.say(START + 202 * DAY, "deployment.promoted", actor=change.deployer, deployment_id=change.deployment,
        service=change.service, change_id=change.id, environment="staging", to_environment="PROD")  # fmt: skip
    return {f"deployed-in-freeze/{change.deployment}", f"outside-window/{change.deployment}"}


def plant_a_deployment_in_a_freeze_that_is_written_down_when_it_is_over(year: Year, change: Change) -> set[str]:
    change.begins = START + 343 * DAY
    return {f"deployed-in-freeze/{change.deployment}"}


def plant_somebody_who_lets_themselves_through(year: Year) -> set[str]:
    at = START + 94 * DAY
    year.say(at, "freeze.override_granted", actor="person:frank", freeze_id="spring", change_id="CHG-0", requester="person:frank",
        expires_at=stamp(at + 5 * DAY), reason=TITLE)  # fmt: skip
    return {"override-of-ones-own/spring"}


def plant_a_freeze_by_a_rule_that_nobody_can_compute(year: Year) -> set[str]:
    year.say(START + 94 * DAY, "freeze.declared", actor="person:frank", freeze_id="never", tiers=["staging"], start=stamp(START),
        end=stamp(START + DAY), recurs="FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=9999")  # fmt: skip
    return {"freeze-holds-nothing/never"}


def plant_a_plan_applied_in_a_freeze(year: Year) -> set[str]:
    done = year.say(START + 97 * DAY, "iac.applied", actor="person:dan", plan="sha256:" + "f" * 64, environment="prod",
        service="platform", outcome="success")  # fmt: skip
    for rule in ("applied-in-freeze", "unfit-plan-applied", "unchecked-plan-applied", "unapproved-plan-applied"):
        year.doubt(rule, done)
    return set()
