"""3.3 Drift detection: given these plans, this is found."""

from typing import Any

import pytest
from changes import CHG, approve, finding, found, opened, pass_time, publish
from telling import Story, at
from year import DAY, HOUR, START, Year

from ledger.authority import LEDGER_PRINCIPAL
from projections.readings.infrastructure.drifts import PLANS, drifts, plan_series

KEY = "prod/api"


def plan(story: Story, *drifted: str, **more: Any) -> int:
    """Tell a plan in which nothing is to be done, and some resources are not as they were applied."""
    number = len(story.log) + 1
    data = {
        "plan": f"sha256:{number:064x}", "format_version": "1.2", "environment": "prod", "service": "api", "complete": True,
        "errored": False, "creates": 0, "updates": 0, "destroys": 0, "drifted": len(drifted),
        "changes": [{"address": address, "drifted": True} for address in drifted],
    }  # fmt: skip
    return story.tell("iac.plan_produced", **{k: v for k, v in (data | more).items() if v is not None})


def test_drift_is_found_once_and_ends_when_a_whole_plan_shows_it_gone() -> None:
    story = Story()
    plan(story)
    first = plan(story, "db", "web")
    assert finding(story, "drifted", KEY).says == "api in prod is not as it was applied: db, web"
    for _ in range(3):
        plan(story, "web", "db")
    row = finding(story, "drifted", KEY)
    assert (row.first_seen_position, len(row.changes), row.positions) == (first, 1, (first,))
    plan(story, "db")
    assert finding(story, "drifted", KEY).says.endswith(": db")
    plan(story)
    assert "drifted" not in found(story)
    told = story.row(drifts, KEY)
    assert [(one.address, one.seconds) for one in told.gone] == [("web", 4 * 3600), ("db", 5 * 3600)]
    assert (told.mean_s, told.is_drifted) == (4 * 3600 + 1800, False)
    assert len(story.row(plan_series, KEY).seen) == 7


@pytest.mark.parametrize(
    "more",
    [
        {"errored": True},
        {"complete": False},
        {"parts": 2},
        {"drifted": 1},
        {"environment": "staging"},
        {"service": "web"},
        {"workspace": "network"},
    ],
)
def test_what_does_not_show_all_shows_nothing_gone(more: dict[str, Any]) -> None:
    story = Story()
    plan(story, "db")
    plan(story, **more)
    assert found(story)["drifted"] == [KEY]
    plan(story, complete=None, errored=None, environment="PROD")
    assert "drifted" not in found(story)


def test_each_workspace_has_a_drift_of_its_own() -> None:
    story = Story()
    plan(story, "db")
    plan(story, "vpc", workspace="network")
    network = "prod/api#network"
    assert found(story)["drifted"] == [KEY, network]
    assert finding(story, "drifted", network).says == "api in prod, workspace network, is not as it was applied: vpc"
    plan(story, workspace="default")
    assert found(story)["drifted"] == [network]


def test_drift_is_ended_by_whoever_told_it_or_by_who_has_the_power_to() -> None:
    story = Story()
    plan(story, "db", by="service:nightly")
    plan(story, by="service:mallory")
    assert found(story)["drifted"] == [KEY]
    # Whoever saw it, too, ends it as little alone.
    plan(story, "db", by="service:mallory")
    plan(story, by="service:mallory")
    assert found(story)["drifted"] == [KEY]
    # Nor does anybody in another's name.
    plan(story, by="service:mallory", actor="service:nightly")
    assert found(story)["drifted"] == [KEY]
    plan(story, by="service:nightly")
    assert "drifted" not in found(story)
    plan(story, "db", by="service:nightly")
    plan(story, by=LEDGER_PRINCIPAL, token="key:story")
    pass_time(story, 24)
    assert "drifted" not in found(story)


def test_a_strangers_plan_makes_no_plan_late() -> None:
    story = Story()
    plan(story, by="service:nightly")
    plan(story, by="service:mallory")
    plan(story, "db", by="service:nightly", time=at(1.5))
    assert found(story)["drifted-without-a-change"] == [KEY]
    assert story.row(drifts, KEY).open[0].after == at(1)


def test_a_plan_that_is_told_again_shows_nothing_new() -> None:
    story = Story()
    first = plan(story)
    plan(story, "db")
    plan(story, plan=f"sha256:{first:064x}")
    assert found(story)["drifted"] == [KEY]
    # Without a time in it, one of another environment may be the same to the byte.
    plan(story, environment="staging", plan=f"sha256:{first:064x}")
    assert story.row(plan_series, "staging/api").seen != ()


def test_who_says_that_it_had_drifted_before_makes_no_drift_older() -> None:
    for when in (-5000, 0.5, 1.5):
        story = Story()
        plan(story, by="service:nightly")
        plan(story, "db", by="service:nightly")
        assert found(story)["drifted-without-a-change"] == [KEY]
        plan(story, "db", by="service:mallory", time=at(when))
        assert found(story)["drifted-without-a-change"] == [KEY]
        assert at(1) in [one.after for one in story.row(drifts, KEY).open[0].beginnings]
        pass_time(story, 24)
        assert found(story)["drift-not-put-on-record"] == [KEY]
        # Nor does who sees it begin anew afterwards make it younger.
        plan(story, by="service:mallory")
        plan(story, "db", by="service:mallory")
        assert found(story)["drift-not-put-on-record"] == [KEY]


def test_nobody_hides_drift_by_telling_its_plan_first() -> None:
    for parts in (0, 2):
        story = Story()
        plan(story, by="service:nightly")
        name = {"plan": f"sha256:{7:064x}"}
        plan(story, by="service:mallory", **name, errored=True)
        plan(story, *(() if parts else ("db",)), by="service:nightly", **name, parts=parts, drifted=1)
        for part in range(parts):
            told = [{"address": "db", "drifted": True}] if part else []
            story.tell(
                "iac.plan_changes_reported", by="service:nightly", **name, part=part + 1, parts=parts, changes=told
            )
        assert found(story)["drifted"] == [KEY]
        assert [one.address for one in story.row(drifts, KEY).open] == ["db"]
        # Nor ends it, by telling that plan.
        plan(story, by="service:eve", **name)
        assert found(story)["drifted"] == [KEY]


def test_what_comes_and_goes_is_one_drift_until_it_has_been_gone_for_long() -> None:
    story = Story()
    publish(story, ("drift-flap-hours", "any", "5"))
    plan(story, "db")
    plan(story)
    assert "drifted" not in found(story)
    plan(story, "db")
    plan(story)
    # It came back before: who says that it is gone now?
    assert found(story)["drifted"] == [KEY]
    assert story.row(drifts, KEY).open[0].times == 2
    pass_time(story, 5)
    assert "drifted" not in found(story)
    pass_time(story, 5)
    plan(story, "db")
    assert story.row(drifts, KEY).open[0].times == 1


def test_drift_is_accepted_for_a_time_and_for_what_it_was() -> None:
    story = Story()
    plan(story, "db")
    said = finding(story, "drifted", KEY).said
    story.tell("finding.disposed", actor="person:olga", disposition="accepted", rule="drifted", reason={"sha256": "0" * 64},
        findings=[{"subject": KEY, "said": said}], until=at(6))  # fmt: skip
    plan(story, "db")
    assert "drifted" not in found(story)
    plan(story, "db", "web")
    assert "drifted" in found(story)
    plan(story, "db")
    assert "drifted" not in found(story)
    pass_time(story, 2)
    assert "drifted" in found(story)


def test_of_many_a_disposition_is_of_these() -> None:
    story = Story()
    plan(story, *(f"r{number:02}" for number in range(12)))
    before = finding(story, "drifted", KEY).said
    plan(story, *(f"r{number:02}" for number in (*range(11), 13)))
    assert finding(story, "drifted", KEY).said != before


def test_drift_is_remembered_however_many_plans_come_after_it() -> None:
    story = Story()
    plan(story)
    first = plan(story, "db", "web")
    plan(story, "db")
    for _ in range(PLANS + 30):
        plan(story, "db", complete=False)
    row = story.row(plan_series, KEY)
    assert len(row.seen) == PLANS
    assert [one.address for one in row.earlier.standing] == ["db"]
    told = story.row(drifts, KEY)
    assert [(one.address, one.position, one.after) for one in told.open] == [("db", first, at(1))]
    # What is gone for long is kept as well, and so is what nobody had a change for.
    assert [one.address for one in told.gone] == ["web"]
    assert found(story)["drifted-without-a-change"] == [KEY]
    plan(story)
    assert "drifted" not in found(story)
    # What is told very late shows what it shows, and nothing gone.
    plan(story, "old", time=at(1.5))
    assert [one.address for one in story.row(drifts, KEY).gone] == ["web", "db", "old"]


def test_drift_is_of_an_environment_under_all_its_names() -> None:
    story = Story()
    story.tell("environment.declared", actor="person:olga", environment="prod", tier="production", aliases=["blue"])
    plan(story, environment="blue")
    plan(story, "db")
    assert found(story)["drifted-without-a-change"] == [KEY]
    plan(story, environment="Blue")
    assert "drifted" not in found(story)


def test_what_is_applied_for_a_change_remediates() -> None:
    story = Story()
    plan(story, "db")
    story.tell("iac.applied", actor="service:ci", plan=f"sha256:{8:064x}", environment="prod", service="api", change_id="CHG-6",
        workspace="network", outcome="success")  # fmt: skip
    story.tell("iac.applied", actor="service:ci", plan=f"sha256:{9:064x}", environment="Prod", service="api", change_id="CHG-7",
        outcome="success")  # fmt: skip
    plan(story)
    assert story.row(drifts, KEY).gone[0].change_id == "CHG-7"


@pytest.mark.parametrize(
    ("how", "expected"),
    [("nobody", True), ("open", False), ("open, and not approved", True), ("planned for then", False),
     ("planned for later", True), ("of another service", True),
     ("opened afterwards", True), ("an emergency afterwards", False), ("no plan before", False), ("not production", False)],
)  # fmt: skip
def test_drift_that_nobody_had_a_change_for_is_a_change_without_one(how: str, expected: bool) -> None:
    story = Story()
    if how in ("open", "open, and not approved", "planned for then", "planned for later", "of another service"):
        story = opened(**({"services": ["web"]} if how == "of another service" else {}))
        if how != "open, and not approved":
            approve(story)
    now = len(story.log) + 1
    if how.startswith("planned"):
        start = now + (0 if how == "planned for then" else 50)
        story.tell("change.scheduled", actor="person:alice", **CHG, planned_start=at(start), planned_end=at(start + 9))
    where = {"environment": "staging"} if how == "not production" else {}
    if how != "no plan before":
        plan(story, **where)
    plan(story, "db", **where)
    if how.endswith("afterwards"):
        kind = "emergency" if how.startswith("an") else "normal"
        story.tell("change.opened", actor="person:alice", **CHG, change_type=kind, services=["api"], environment="prod",
            title={"sha256": "0" * 64})  # fmt: skip
    assert ("drifted-without-a-change" in found(story)) is expected
    plan(story, **where)
    # That it is gone again excuses nothing.
    assert ("drifted-without-a-change" in found(story)) is expected


def test_drift_without_a_change_is_put_on_record_as_an_unauthorized_one_that_somebody_reviews() -> None:
    story = Story()
    publish(story, ("drift-record-hours", "any", "5"))
    plan(story)
    plan(story, "db")
    assert "drift-not-put-on-record" not in found(story)
    pass_time(story, 5)
    assert found(story)["drift-not-put-on-record"] == [KEY]
    for kind, environment, is_found in (
        ("normal", "prod", True), ("unauthorized", "staging", True), ("unauthorized", "prod", False),
    ):  # fmt: skip
        story.tell("change.opened", actor="person:alice", change_id=f"CHG-{kind}-{environment}", change_type=kind, services=["api"],
            environment=environment, title={"sha256": "0" * 64})  # fmt: skip
        assert ("drift-not-put-on-record" in found(story)) is is_found
    # What was done without a change stays done without one.
    assert found(story)["drifted-without-a-change"] == [KEY]


# -- planted in the year -------------------------------------------------------------------------------------------------


def planned(year: Year, days: int, service: str, *drifted: str, environment: str = "prod") -> None:
    changes = [{"address": address, "drifted": True} for address in drifted]
    year.say(START + days * DAY + HOUR, "iac.plan_produced", plan=year.digest(), format_version="1.2", environment=environment,
        service=service, complete=True, errored=False, creates=0, updates=0, destroys=0, drifted=len(drifted),
        changes=changes)  # fmt: skip


def plant_drift_that_nobody_had_a_change_for(year: Year) -> set[str]:
    planned(year, 10, "adrift")
    planned(year, 11, "adrift", "db")
    return {f"{rule}/prod/adrift" for rule in ("drifted", "drifted-without-a-change", "drift-not-put-on-record")}


def plant_nothing_where_drift_is_gone_again(year: Year) -> set[str]:
    """The honest neighbour: of an environment that is not production; the finding is there, and over."""
    planned(year, 10, "moored", "db", environment="staging")
    planned(year, 11, "moored", environment="staging")
    return {"drifted/staging/moored"}
