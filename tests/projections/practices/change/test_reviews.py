"""5.5 Post-implementation reviews that feed the risk model: given these facts, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, deployed, ready_to_deploy
from changes import CHG, deploy, finding, found, pass_time, publish, ready, review
from people import issue
from telling import Story, at
from year import HOUR, Change, Year

from projections.readings.changes.reviews import reviews
from projections.readings.changes.tickets import change_tickets
from projections.readings.risk.outcomes import outcomes


def test_a_review_that_is_not_done_in_time_is_found_until_it_is_done() -> None:
    story = ready()
    deploy(story)
    story.tell("pir.opened", actor="person:frank", pir_id="PIR-7", **CHG, due_at=at(30), mandatory=True)
    pass_time(story, 30)
    assert found(story) == {"review-overdue": ["PIR-7"]}
    review(story)
    assert found(story) == {}


@pytest.mark.parametrize(("done_at", "is_late"), [(20, False), (31, True)])
def test_a_review_that_is_imported_is_late_by_its_own_time(done_at: float, is_late: bool) -> None:
    story = ready()
    deploy(story)
    pass_time(story, 100)
    pir: dict[str, Any] = {"actor": "person:frank", "pir_id": "PIR-7", **CHG}
    story.tell("pir.opened", **pir, due_at=at(30), mandatory=True, time=at(10))
    assert found(story) == {}
    story.tell("pir.completed", **pir, outcome="successful", rolled_back=False, time=at(done_at))
    row = story.row(reviews, "PIR-7")
    assert (row.is_late, row.recorded_late) == (is_late, True)
    assert found(story) == {}


def test_a_review_that_is_imported_and_not_said_to_be_done_is_found_after_a_day() -> None:
    story = ready()
    deploy(story)
    pass_time(story, 100)
    story.tell("pir.opened", actor="person:frank", pir_id="PIR-7", **CHG, due_at=at(30), mandatory=True, time=at(10))
    opened = len(story.log)
    pass_time(story, 125)
    assert found(story) == {"review-overdue": ["PIR-7"]}
    # It shows by which statement it was due.
    assert finding(story, "review-overdue", "PIR-7").positions == (opened,)


def test_another_date_takes_nothing_of_the_lateness_away() -> None:
    story = ready()
    deploy(story)
    pir: dict[str, Any] = {"actor": "person:frank", "pir_id": "PIR-7", **CHG, "mandatory": True}
    story.tell("pir.opened", **pir, due_at=at(30))
    # In time, a date may be moved.
    story.tell("pir.opened", **pir, due_at=at(40))
    pass_time(story, 30)
    assert found(story) == {"review-overdue": ["PIR-7"]}
    story.tell("pir.opened", **pir, due_at=at(900))
    assert finding(story, "review-overdue", "PIR-7").says == f"PIR-7 of CHG-7 was due at {at(40)}"
    review(story)
    row = story.row(reviews, "PIR-7")
    assert (row.is_late, row.recorded_late, row.missed_at) == (True, True, at(40))
    # And neither does a second completion, with another time.
    story.tell(
        "pir.completed",
        actor="person:carol",
        pir_id="PIR-7",
        **CHG,
        outcome="successful",
        rolled_back=False,
        time=at(20),
    )
    assert story.row(reviews, "PIR-7").is_late
    assert found(story) == {}


def test_the_order_of_an_opening_and_its_completion_makes_no_difference_to_what_is_late() -> None:
    for is_late, done_at in ((False, 20), (True, 35)):
        story = ready()
        deploy(story)
        pass_time(story, 40)
        review(story, time=at(done_at))
        story.tell(
            "pir.opened", actor="person:frank", pir_id="PIR-7", **CHG, due_at=at(30), mandatory=True, time=at(10)
        )
        assert story.row(reviews, "PIR-7").is_late == is_late
        assert found(story) == {}


OWED: dict[str, Any] = {
    "it is an emergency": lambda s: None,
    "it was rolled back": lambda s: roll_back(s),
    "it caused an incident": lambda s: blame(s),
    "its deployment failed": lambda s: s.tell(
        "deployment.finished", deployment_id="d-1", service="api", environment="prod", outcome="failure"
    ),
}


@pytest.mark.parametrize("why", OWED)
def test_a_review_is_due_without_anybody_asking_for_it(why: str) -> None:
    story = ready("emergency" if "emergency" in why else "normal")
    publish(story, ("review-by", "low", "somebody-else"))
    deploy(story, actor="person:dora")
    OWED[why](story)
    pass_time(story, 230)
    assert "review-owed" not in found(story)
    pass_time(story, 20)
    assert found(story)["review-owed"] == ["CHG-7"]
    # By whoever deployed it, it is no review; and it ends, late as it is, with another's.
    review(story, "person:dora")
    assert "does not review it" in finding(story, "review-owed", "CHG-7").says
    # Nor is one of another change, under whose id it is said to be of this one, too.
    for change in ("CHG-9", "CHG-7"):
        story.tell(
            "pir.completed",
            actor="person:frank",
            pir_id="PIR-9",
            change_id=change,
            outcome="successful",
            rolled_back=False,
        )
    assert "review-owed" in found(story)
    review(story, pir_id="PIR-8")
    assert "review-owed" not in found(story)
    assert finding(story, "review-owed", "CHG-7").resolved_at is not None


@pytest.mark.parametrize("named", ["service:ci", None])
def test_who_says_in_anothers_name_that_it_was_deployed_does_not_review_it(named: str | None) -> None:
    story = ready()
    publish(story, ("review-within-hours", "any", "24"), ("review-by", "any", "somebody-else"))
    for who, kind in (("person:dora", "human"), ("service:ci", "service")):
        issue(story, who, kind=kind)
    doras = {"by": "person:dora", "token": "token:person.dora"}
    act = {"deployment_id": "d-1", "service": "api", "environment": "prod"} | ({"actor": named} if named else {})
    story.tell("deployment.started", **doras, **CHG, **act)
    story.tell("deployment.finished", **doras, **act, outcome="success")
    review(story, "person:dora", token="token:person.dora")
    assert story.row(change_tickets, "CHG-7").state == "reviewing"
    pass_time(story, 40)
    assert "does not review it" in finding(story, "review-owed", "CHG-7").says
    review(story, "person:carol", pir_id="PIR-8")
    assert story.row(change_tickets, "CHG-7").state == "closed"


def test_what_is_reviewed_before_it_is_done_is_not_reviewed() -> None:
    story = ready()
    publish(story, ("review-within-hours", "any", "24"))
    review(story)
    deploy(story)
    assert story.row(change_tickets, "CHG-7").state == "reviewing"
    pass_time(story, 40)
    assert finding(story, "review-owed", "CHG-7").says.endswith("; person:carol reviewed it before it was done")
    review(story, pir_id="PIR-8")
    assert "review-owed" not in found(story)
    assert story.row(change_tickets, "CHG-7").state == "closed"


def test_a_deployment_of_which_nobody_tells_the_end_is_reviewed_as_of_its_beginning() -> None:
    story = ready()
    publish(story, ("review-within-hours", "any", "24"))
    story.tell("deployment.started", actor="service:ci", deployment_id="d-1", service="api", environment="prod", **CHG)
    pass_time(story, 20)
    assert "review-owed" not in found(story)
    pass_time(story, 6)
    assert "review-owed" in found(story)


def test_no_review_is_owed_of_what_went_well_unless_the_policy_says_so() -> None:
    for settings, is_owed in (((), False), ((("review-within-hours", "normal", "48"),), True),
                              ((("review-within-hours", "low", "48"),), True)):  # fmt: skip
        story = ready()
        publish(story, *settings)
        deploy(story)
        pass_time(story, 300)
        assert ("review-owed" in found(story)) == is_owed, settings


def roll_back(story: Story) -> int:
    return story.tell(
        "rollback.completed", rollback_id="R", deployment_id="d-1", service="api", environment="prod", outcome="success"
    )  # fmt: skip


def blame(story: Story, deployment: str = "d-1") -> int:
    return story.tell(
        "incident.attributed", incident_id="INC-1", method="m", method_version="1", deployment_id=deployment, confirmed=True
    )  # fmt: skip


@pytest.mark.parametrize("comes_first", ["the review", "the rollback"])
def test_what_was_observed_wins_over_what_was_written_and_the_contradiction_is_found(comes_first: str) -> None:
    story = ready()
    deploy(story)
    if comes_first == "the rollback":
        roll_back(story)
    review(story)
    story.tell("risk.outcome_labelled", actor="person:dan", **CHG, label="success")
    if comes_first == "the review":
        roll_back(story)
    row = story.row(outcomes, "CHG-7")
    assert (row.label, row.by) == ("failure", "observed")
    assert found(story)["review-contradicts-the-record"] == ["CHG-7"]
    says = finding(story, "review-contradicts-the-record", "CHG-7").says
    assert says.endswith("it was rolled back (d-1)" + (", known afterwards" if comes_first == "the review" else ""))


def test_an_honest_review_contradicts_nothing_and_a_failure_that_was_made_good_is_none() -> None:
    story = ready()
    deploy(story)
    roll_back(story)
    review(story, outcome="backed_out", rolled_back=True)
    assert "review-contradicts-the-record" not in found(story)
    story = ready()
    where = {"service": "api", "environment": "prod", **CHG}
    story.tell("deployment.finished", deployment_id="d-1", **where, outcome="failure")
    deploy(story, "d-2")
    review(story)
    assert story.row(outcomes, "CHG-7").label == "success"
    assert "review-contradicts-the-record" not in found(story)
    # Nor is what failed elsewhere than in production.
    story.tell("deployment.finished", deployment_id="d-0", **where | {"environment": "staging"}, outcome="failure")
    assert story.row(outcomes, "CHG-7").label == "success"


def test_an_incident_that_moves_away_gives_the_written_outcome_back() -> None:
    for is_withdrawn in (True, False):
        story = ready()
        deploy(story)
        review(story)
        position = blame(story)
        assert story.row(outcomes, "CHG-7").label == "failure"
        if is_withdrawn:
            story.tell("statement.withdrawn", actor="service:desk", position=position, reason="x")
        else:
            blame(story, "d-other")
        row = story.row(outcomes, "CHG-7")
        assert (row.label, row.by) == ("success", "review")
        assert "review-contradicts-the-record" not in found(story)


def test_a_change_is_closed_when_its_review_is_done_and_its_time_is_over() -> None:
    story = deployed(ready_to_deploy("normal", ("observation-hours", "any", "24")))
    story.tell("pir.opened", actor="person:frank", pir_id="PIR-7", change_id="CHG-7", due_at=at(90), mandatory=True)
    assert against(ask(story, "close", hours=30)) == {
        "change-waits-for-its-end": ("insufficient_evidence", "being-watched"),
        "review-is-done": ("insufficient_evidence", "review-open"),
    }
    review(story)
    assert ask(story, "close", hours=60).verdict == "allow"


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_a_review_that_is_not_done(year: Year, change: Change) -> set[str]:
    change.is_reviewed = False
    return {f"review-overdue/PIR-{change.id}"}


def undo(year: Year, change: Change) -> None:
    """Somebody decides to roll a change back, and it is done."""
    about: dict[str, Any] = {"rollback_id": f"RB-{change.id}", "deployment_id": change.deployment, "change_id": change.id,
        "service": change.service, "environment": "prod"}  # fmt: skip
    year.say(change.begins + HOUR, "rollback.decided", actor=change.approver, **about, decision="roll_back",
        options=["roll_back"])  # fmt: skip
    year.say(change.begins + 2 * HOUR, "rollback.completed", actor=change.deployer, **about, outcome="success")


def plant_a_review_that_says_it_went_well(year: Year, change: Change) -> set[str]:
    undo(year, change)
    return {f"review-contradicts-the-record/{change.id}"}


def plant_a_rollback_that_nobody_reviewed(year: Year, change: Change) -> set[str]:
    change.is_reviewed = False
    undo(year, change)
    return {f"review-overdue/PIR-{change.id}", f"review-owed/{change.id}"}
