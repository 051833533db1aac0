"""8.4 Failure rate and lead time: the five metrics, what each is made of, and how what is recorded late restates them."""

from typing import Any

from telling import Story, at

from projections.readings.delivery.metrics import Delivery, delivery, merges

DIGEST = "sha256:" + "a" * 64
MONTH = "api/2026-03"


def deploy(story: Story, name: str, **more: Any) -> None:
    where = {"deployment_id": name, "service": "api", "environment": "prod"} | more
    story.tell("deployment.started", actor="service:ci", **where, artifact=DIGEST)
    story.tell("deployment.finished", **where, outcome="success")


def blame(story: Story, incident: str, deployment: str) -> None:
    story.tell("incident.detected", incident_id=incident, service="api")
    story.tell(
        "incident.attributed", incident_id=incident, method="m", method_version="1", deployment_id=deployment,
        confirmed=True,
    )  # fmt: skip


def row(story: Story, key: str = MONTH) -> Delivery:
    found: Delivery = story.row(delivery, key)
    return found


def test_six_incidents_on_four_of_twenty_three_deployments_are_a_rate_of_four() -> None:
    story = Story()
    for number in range(23):
        deploy(story, f"d-{number}")
    for number, deployment in enumerate(("d-1", "d-1", "d-1", "d-2", "d-3", "d-4")):
        blame(story, f"INC-{number}", deployment)
    found = row(story)
    assert (found.deployments, found.failed, found.change_failure_rate) == (23, 4, "0.1739")
    failed = [item for item in found.items if item.is_failed]
    assert [item.deployment_id for item in failed] == ["d-1", "d-2", "d-3", "d-4"]
    # The entries of the deployment and of its three incidents.
    assert len(failed[0].positions) == 2 + 3 * 2


def test_times_are_medians_of_what_is_known() -> None:
    story = Story()
    commit = "9fceb02d0ae598e95dc970b74767f19372d61af8"
    story.tell("code.merged", actor="person:ann", repository="acme/api", merge_sha=commit)
    assert story.row(merges, commit).position == 1
    deploy(story, "d-1", commit=commit)
    deploy(story, "d-2")
    assert (row(story).lead_time_s, row(story).recovery_time_s) == (2 * 3600, None)
    undo = {"rollback_id": "R", "deployment_id": "d-2", "service": "api", "environment": "prod"}
    story.tell("rollback.completed", **undo, outcome="success")
    assert (row(story).change_failure_rate, row(story).recovery_time_s) == ("0.5000", 3600)


def test_an_incident_ends_the_recovery_when_nothing_was_rolled_back() -> None:
    story = Story()
    deploy(story, "d-1")
    blame(story, "INC-1", "d-1")
    assert row(story).recovery_time_s is None
    story.tell("incident.resolved", incident_id="INC-1")
    assert row(story).recovery_time_s == 3 * 3600


def test_what_nobody_had_planned_is_rework() -> None:
    story = Story()
    story.tell("change.opened", actor="person:ann", change_id="CHG-1", change_type="emergency", services=["api"],
        environment="prod", title={"sha256": "0" * 64})  # fmt: skip
    deploy(story, "d-1", change_id="CHG-1")
    deploy(story, "d-2")
    assert row(story).rework_rate == "0.5000"


def test_only_what_succeeded_in_production_counts() -> None:
    story = Story()
    deploy(story, "d-1", environment="staging")
    where = {"deployment_id": "d-2", "service": "api", "environment": "prod"}
    story.tell("deployment.finished", **where, outcome="failure")
    assert row(story).deployments == 0


def test_what_is_recorded_after_the_month_restates_it_and_says_so() -> None:
    story = Story()
    deploy(story, "d-1")
    deploy(
        story,
        "d-2",
    )
    for _ in range(31 * 24):
        story.tell("ledger.time_passed", until=at(0))
    before = row(story)
    blame(story, "INC-1", "d-2")
    found = row(story)
    assert before.restatements == ()
    (restated,) = found.restatements
    assert restated.position == len(story.log)
    assert restated.before[2] == "change_failure_rate=0.0000"
    assert restated.after[2] == "change_failure_rate=0.5000"
    assert story.row_as_of(delivery, MONTH, restated.position - 1) == before


def test_a_month_stood_as_it_stood_also_when_its_deployment_is_counted_no_more() -> None:
    story = Story()
    about = {"deployment_id": "d-1", "environment": "prod"}
    story.tell("deployment.finished", **about, service="api", outcome="error")
    # Of these, nothing but the deployment says which month it is of.
    story.tell("deployment.finished", **about, service="web", outcome="success")
    story.tell("deployment.finished", **about, outcome="cancelled")
    stood = [story.row_as_of(delivery, MONTH, position) for position in (1, 2, 3)]
    assert [found.deployments for found in stood] == [0, 1, 0]
    assert stood[-1] == row(story)


def test_the_end_of_an_incident_that_names_nothing_else_stood_in_the_month_too() -> None:
    story = Story()
    deploy(story, "d-1")
    blame(story, "INC-1", "d-1")
    resolved = story.tell("incident.resolved", incident_id="INC-1")
    assert row(story).items[0].recovery_s is not None
    assert story.row_as_of(delivery, MONTH, resolved) == row(story)
