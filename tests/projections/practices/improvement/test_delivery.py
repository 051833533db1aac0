"""8.4 Failure rate and lead time: the five metrics, what each is made of, and how what is recorded late restates them."""

from typing import Any

import pytest
from changes import found_by_any_process
from telling import Story, at

from projections.readings.delivery.commit_runs import commit_runs
from projections.readings.delivery.deliveries import deliveries
from projections.readings.delivery.metrics import Delivery, counted, delivery, figures_of

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
    assert row(story) is None


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
    # A count of nothing is no row.
    assert [found.deployments if found is not None else 0 for found in stood] == [0, 1, 0]
    assert stood[-1] == row(story)


def test_the_end_of_an_incident_that_names_nothing_else_stood_in_the_month_too() -> None:
    story = Story()
    deploy(story, "d-1")
    blame(story, "INC-1", "d-1")
    resolved = story.tell("incident.resolved", incident_id="INC-1")
    assert row(story).items[0].recovery_s is not None
    assert story.row_as_of(delivery, MONTH, resolved) == row(story)


FULL, SHORT = "9fceb02d0ae598e95dc970b74767f19372d61af8", "9fceb02"


def wait(story: Story, days: int) -> None:
    for _ in range(days * 24):
        story.tell("ledger.time_passed", until=at(0))


def restated(story: Story, key: str = MONTH) -> list[tuple[str, str, str]]:
    """Why the rate of failures was restated, from what, and to what."""
    return [
        (one.why, one.before[2].partition("=")[2], one.after[2].partition("=")[2])
        for one in row(story, key).restatements
    ]


@pytest.mark.parametrize(("merged", "deployed"), [(FULL, FULL), (FULL, SHORT), (SHORT, FULL)])
@pytest.mark.parametrize("comes_first", ["the merge", "the deployment"])
def test_a_merge_may_be_told_after_the_deployment_and_by_a_short_hash(
    merged: str, deployed: str, comes_first: str
) -> None:
    story = Story()
    wait(story, 1)
    merge = {"actor": "person:ann", "repository": "acme/api", "merge_sha": merged, "time": at(3)}
    if comes_first == "the merge":
        story.tell("code.merged", **merge)
    where = {"deployment_id": "d-1", "service": "api", "environment": "prod"}
    story.tell("deployment.finished", **where, commit=deployed, outcome="success", time=at(5))
    if comes_first == "the deployment":
        assert row(story).lead_time_s is None
        story.tell("code.merged", **merge)
    assert (row(story).lead_time_s, row(story).items[0].leads) == (7200, (7200,))


def test_a_short_hash_of_two_commits_is_told_and_not_guessed() -> None:
    story = Story()
    for last in "ab":
        story.tell("code.merged", actor="person:ann", repository="acme/api", merge_sha=f"{SHORT}{last}")
    deploy(story, "d-1", commit=SHORT)
    assert row(story).lead_time_s is None
    assert story.row(deliveries, "d-1").note == f"{SHORT} may be {SHORT}a or {SHORT}b"


def test_lead_time_is_counted_from_the_merge_and_from_the_first_commit() -> None:
    story = Story()
    pull = {"repository": "acme/api", "pull_request": 7}
    for head in ("a" * 40, FULL):
        story.tell("code.proposed", **pull, head_sha=head, authors=["person:ann"])
    story.tell("code.merged", actor="person:ann", **pull, head_sha=FULL)
    deploy(story, "d-1", commit=FULL)
    assert (row(story).lead_time_s, row(story).lead_time_first_s) == (2 * 3600, 4 * 3600)
    assert (row(story).lead_time_mean_s, row(story).lead_time_p90_s) == (2 * 3600, 2 * 3600)


def test_a_commit_that_ran_before_does_not_go_out_again() -> None:
    story = Story()
    story.tell("code.merged", actor="person:ann", repository="acme/api", merge_sha=FULL)
    deploy(story, "d-1", commit=FULL)
    deploy(story, "d-2", commit="b" * 40)
    deploy(story, "d-3", commit=FULL)
    assert (row(story).deployments, row(story).lead_time_s) == (3, 2 * 3600)
    assert story.row(deliveries, "d-3").is_repeated


def test_a_commit_ran_where_it_succeeded_first_and_no_more_once_that_failed_or_was_taken_back() -> None:
    story = Story()
    deploy(story, "d-1", commit=FULL)
    first = len(story.log)
    # The same commit by a short hash.
    deploy(story, "d-2", commit=FULL[:10])
    (runs,) = [row for text in story.store.texts(commit_runs) if (row := commit_runs.load(text)).service == "api"]
    assert [run.deployment_id for run in runs.runs] == ["d-1", "d-2"]
    assert story.row(deliveries, "d-2").is_repeated
    story.tell("statement.withdrawn", position=first, reason="entered_in_error")
    assert not story.row(deliveries, "d-2").is_repeated
    assert [run.deployment_id for run in story.row(commit_runs, runs.key).runs] == ["d-2"]


def test_what_goes_out_while_an_incident_of_the_service_is_open_is_rework() -> None:
    story = Story()
    deploy(story, "d-1")
    blame(story, "INC-1", "d-1")
    deploy(story, "d-2")
    story.tell("incident.resolved", incident_id="INC-1")
    deploy(story, "d-3")
    assert [item.deployment_id for item in row(story).items if item.is_unplanned] == ["d-2"]


def test_every_restatement_says_what_moved_the_figures() -> None:
    story = Story()
    deploy(story, "d-1", commit=FULL)
    deploy(story, "d-2")
    wait(story, 31)
    blame(story, "INC-1", "d-1")
    assert restated(story) == [("attribution", "0.0000", "0.5000")]
    # To a deployment of another service: both months say so.
    deploy(story, "d-3", service="web", time=at(50))
    second = story.tell("incident.attributed", incident_id="INC-1", method="m", method_version="1", deployment_id="d-3",
        confirmed=True)  # fmt: skip
    assert restated(story)[1:] == [("re-attribution", "0.5000", "0.0000")]
    third = story.tell("incident.attributed", incident_id="INC-1", method="m", method_version="1", deployment_id="d-2",
        confirmed=True)  # fmt: skip
    story.tell("statement.withdrawn", actor="service:desk", position=third, reason="x")
    assert restated(story)[3:] == [("withdrawal", "0.5000", "0.0000")]
    story.tell("statement.withdrawn", actor="service:desk", position=second, reason="x")
    story.tell("code.merged", actor="person:ann", repository="acme/api", merge_sha=FULL, time=at(0))
    last = row(story).restatements[-1]
    assert (last.why, last.before[1], last.after[1]) == ("late merge", "lead_time_s=None", f"lead_time_s={2 * 3600}")
    story.tell("change.opened", actor="person:ann", change_id="CHG-1", change_type="emergency", services=["api"],
        environment="prod", title={"sha256": "0" * 64})  # fmt: skip
    story.tell("change.linked", actor="person:ann", change_id="CHG-1", deployment_id="d-2")
    last = row(story).restatements[-1]
    assert (last.why, last.after[4]) == ("late ticket", "rework_rate=0.5000")
    for position in range(1, len(story.log) + 1):
        then = story.row_as_of(delivery, MONTH, position)
        if then is not None:
            assert all(one.position <= position for one in then.restatements)
    assert story.row_as_of(delivery, MONTH, len(story.log)) == row(story)
    found_by_any_process(story)


def test_the_figures_of_any_time_are_those_of_the_month_where_it_is_the_month() -> None:
    story = Story()
    for number in range(5):
        deploy(story, f"d-{number}")
    deploy(story, "d-9", service="web")
    blame(story, "INC-1", "d-1")
    rows = [story.row(deliveries, f"d-{number}") for number in range(5)]
    month = row(story)
    assert vars(figures_of(counted(rows))).items() <= vars(month).items()
    assert figures_of(counted([*rows, story.row(deliveries, "d-9")])).change_failure_rate == "0.1667"
    assert figures_of(counted([story.row(deliveries, "d-9")])).deployments == 1
