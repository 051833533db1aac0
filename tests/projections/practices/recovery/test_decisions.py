"""7.5 The record of a rollback decision: given these facts, this is found, and this is answered."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import ARTIFACT, deploy, found, pass_time, review
from telling import Story, at
from year import START, Year

from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deliveries import deliveries
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.placements import placements
from projections.readings.delivery.rollbacks import rollbacks
from projections.readings.risk.outcomes import outcomes


def test_a_rollback_needs_a_decision_and_a_place_to_go_back_to() -> None:
    old, new = "sha256:" + "c" * 64, ARTIFACT
    story = ready_to_deploy()
    deploy(story, "d-0", change=None, artifact=old)
    deploy(story, artifact=new)
    q = {"deployment_id": "d-1"}
    assert against(ask(story, "rollback", **q, artifact="sha256:" + "f" * 64)) == {
        "rollback-is-decided": ("needs_approval", "not-decided"),
        "target-was-deployed-before": ("insufficient_evidence", "unknown-artifact"),
    }
    undo = {"rollback_id": "R", "deployment_id": "d-1", "service": "api", "environment": "prod"}
    story.tell("rollback.decided", actor="person:bob", **undo, decision="roll_back", options=["roll_back"])
    assert against(ask(story, "rollback", **q)) == {"target-was-deployed-before": ("deny", "same-artifact")}
    assert ask(story, "rollback", **q, artifact=old).verdict == "allow"
    placed = story.row(placements, "api@prod").placed
    assert [(one.name, one.artifact) for one in placed] == [("deployment:d-0", old), ("deployment:d-1", new)]
    # Whoever says afterwards that something ran there before makes no place to go back to.
    deploy(story, "d-00", change=None, artifact="sha256:" + "f" * 64, time=at(1))
    refused = against(ask(story, "rollback", **q, artifact="sha256:" + "f" * 64))
    assert refused["target-was-deployed-before"] == ("insufficient_evidence", "unknown-artifact")
    story.tell("rollback.completed", **undo, outcome="success")
    assert against(ask(story, "rollback", **q, artifact=old)) == {"deployment-can-be-undone": ("deny", "rolled-back")}


def test_what_was_decided_last_counts_and_a_decision_to_hold_is_none_to_roll_back() -> None:
    story = ready_to_deploy()
    deploy(story)
    undo = {"deployment_id": "d-1", "service": "api", "environment": "prod", "actor": "person:bob", "options": ["hold"]}

    def says() -> tuple[str, str]:
        return against(ask(story, "rollback", deployment_id="d-1")).get("rollback-is-decided", ("allow", ""))

    for decision, verdict in (("hold", "needs_approval"), ("roll_back", "allow"), ("roll_forward", "needs_approval")):
        story.tell("rollback.decided", rollback_id=f"R-{decision}", **undo, decision=decision)
        assert says()[0] == verdict, decision
    # Told later, of an earlier time, it takes nothing back.
    story.tell("rollback.decided", rollback_id="R-roll_forward", **undo, decision="roll_back", time=at(0))
    assert says() == ("needs_approval", "not-decided")
    assert story.row(rollbacks, "R-roll_forward").decision == "roll_forward"


A, B, C = ("sha256:" + letter * 64 for letter in "abc")
API = {"service": "api", "environment": "prod"}


def decide(story: Story, name: str = "R", decision: str = "roll_back", **more: Any) -> int:
    said = {"actor": "person:bob", "rollback_id": name, **API, "decision": decision, "options": ["roll_back"]}
    return story.tell("rollback.decided", **said | more)


def roll_back(story: Story, name: str = "R", **more: Any) -> int:
    return story.tell("rollback.completed", **{"rollback_id": name, **API, "outcome": "success"} | more)


def ran(*artifacts: str, **more: Any) -> Story:
    """Artifacts that were deployed one after the other, as d-0, d-1, …"""
    story = Story()
    for number, artifact in enumerate(artifacts):
        deploy(story, f"d-{number}", change=None, artifact=artifact, **more)
    return story


D1 = {"deployment_id": "d-1"}
DECIDED: dict[str, tuple[Callable[[Story], Any], bool]] = {
    "nobody did": (lambda s: None, False),
    "it was, of the deployment": (lambda s: decide(s, **D1), True),
    "it was, under another id": (lambda s: decide(s, "R-1", **D1), True),
    "it was, of the service there": (lambda s: decide(s, "R-1"), True),
    "of another deployment": (lambda s: decide(s, "R-1", deployment_id="d-0"), False),
    "of another environment": (lambda s: decide(s, "R-1", environment="prod-eu"), False),
    "to hold": (lambda s: decide(s, decision="hold", **D1), False),
    "and then to hold": (lambda s: (decide(s, **D1), decide(s, "R-1", "hold", **D1)), False),
    "in another's name": (lambda s: decide(s, by="service:ci", token="token:ci", **D1), False),
    "by a trigger that rolls back by itself": (lambda s: fire(s, "automatic"), True),
    "by a trigger that asks somebody": (lambda s: fire(s, "manual"), False),
}


def fire(story: Story, mode: str) -> None:
    about = {"trigger_id": "T", "version": "1", "service": "api"}
    story.tell("rollback.trigger_defined", actor="person:dan", **about, metric="errors", comparator="gt", threshold="1",
        window_s=60, min_samples=1, mode=mode)  # fmt: skip
    story.tell("rollback.trigger_fired", **about, **D1, measured="2", samples=9)


@pytest.mark.parametrize("why", DECIDED)
def test_what_is_rolled_back_was_decided_before(why: str) -> None:
    tell, is_decided = DECIDED[why]
    for rule, undo, about in (
        ("rollback-not-decided", lambda s: roll_back(s, **D1), "R"),
        ("rollback-not-decided", lambda s: roll_back(s, to_artifact=A), "R"),
        ("older-deployed-undecided", lambda s: deploy(s, "d-2", change=None, artifact=A), "d-1"),
    ):
        story = ran(A, B)
        tell(story)
        undo(story)
        assert story.row(deployments, "d-1").rolled_back_at is not None
        assert found(story).get(rule, []) == ([] if is_decided else [about]), rule
        # What is decided afterwards is no decision.
        decide(story, "R-late", **D1)
        assert found(story).get(rule, []) == ([] if is_decided else [about]), rule


def test_what_fails_or_is_rolled_back_elsewhere_than_in_production_needs_no_decision() -> None:
    story = ran(A, B, environment="staging")
    deploy(story, "d-2", change=None, artifact=A, environment="staging")
    roll_back(story, environment="staging")
    roll_back(story, "R-2", outcome="failure")
    assert not {"rollback-not-decided", "older-deployed-undecided"} & set(found(story))


def test_an_older_artifact_in_the_place_of_a_newer_one_is_a_rollback_in_ticket_outcome_and_metrics() -> None:
    story = ready_to_deploy()
    deploy(story, "d-0", change=None, artifact=C)
    deploy(story, artifact=ARTIFACT)
    review(story)
    assert story.row(outcomes, "CHG-7").label == "success"
    undoing = story.tell("deployment.finished", deployment_id="d-2", **API, artifact=C, outcome="success")
    undone = story.row(deployments, "d-1")
    assert (undone.rolled_back_to, undone.undone_by) == (C, ("deployment:d-2",))
    assert story.row(change_tickets, "CHG-7").is_rolled_back
    assert story.row(outcomes, "CHG-7").label == "failure"
    assert story.row(deliveries, "d-1").is_failed
    story.tell("statement.withdrawn", position=undoing, reason="x")
    assert story.row(deployments, "d-1").rolled_back_at is None
    assert not story.row(change_tickets, "CHG-7").is_rolled_back
    assert story.row(outcomes, "CHG-7").label == "success"
    assert not story.row(deliveries, "d-1").is_failed


def test_what_is_new_or_the_same_or_goes_forward_again_is_no_rollback() -> None:
    story = ran(A, B, B, C)
    assert [story.row(deployments, f"d-{n}").rolled_back_at for n in range(4)] == [None] * 4
    deploy(story, "d-4", change=None, artifact=B)
    assert [bool(story.row(deployments, f"d-{n}").rolled_back_at) for n in range(5)] == [
        False,
        False,
        False,
        True,
        False,
    ]
    deploy(story, "d-5", change=None, artifact=C)
    assert [bool(story.row(deployments, f"d-{n}").rolled_back_at) for n in range(6)] == [
        False,
        False,
        False,
        True,
        False,
        False,
    ]
    # Where no artifact is named, by commits; and what failed never ran.
    story = Story()
    for number, commit in enumerate(("a" * 40, "b" * 40, "a" * 7)):
        deploy(story, f"d-{number}", change=None, commit=commit)
    assert story.row(deployments, "d-1").undone_by == ("deployment:d-2",)
    story = ran(A)
    story.tell("deployment.finished", deployment_id="d-1", **API, artifact=B, outcome="failure")
    deploy(story, "d-2", change=None, artifact=A)
    assert story.row(deployments, "d-1").rolled_back_at is None


def test_a_rollback_that_names_no_deployment_is_of_what_ran_there() -> None:
    story = ran(A, B)
    roll_back(story, "R-other", from_artifact=C, to_artifact=A)
    roll_back(story, "R-same", to_artifact=B)
    assert story.row(deployments, "d-1").rolled_back_at is None
    story = ran(A, B)
    told = roll_back(story, to_artifact=A)
    assert story.row(rollbacks, "R").deployment_id == "d-1"
    assert story.row(deployments, "d-1").undone_by == ("rollback:R",)
    # Then it runs again: to deploy it once more undoes nothing.
    deploy(story, "d-2", change=None, artifact=A)
    assert story.row(deployments, "d-0").rolled_back_at is None
    story.tell("statement.withdrawn", position=told, reason="x")
    assert story.row(deployments, "d-1").rolled_back_to is None


CARRIED_OUT: dict[str, tuple[Callable[[Story], Any], bool]] = {
    "nobody did it": (lambda s: None, False),
    "it failed": (lambda s: roll_back(s, outcome="failure"), False),
    "it was rolled back": (lambda s: roll_back(s), True),
    "a stranger says so": (lambda s: roll_back(s, by="service:mallory", **D1), False),
    "in part": (lambda s: roll_back(s, outcome="partial"), True),
    "under another id": (lambda s: roll_back(s, "R-2", **D1), True),
    "by deploying what is older": (lambda s: deploy(s, "d-2", change=None, artifact=A), True),
    "somebody decided otherwise": (lambda s: decide(s, decision="roll_forward", **D1), True),
    "under another id, otherwise": (lambda s: decide(s, "R-2", "hold", **D1), True),
    "a stranger decided otherwise": (
        lambda s: decide(s, decision="hold", by="service:ci", token="token:ci", **D1),
        False,
    ),
}


@pytest.mark.parametrize("why", CARRIED_OUT)
def test_what_is_decided_is_carried_out_in_time(why: str) -> None:
    tell, is_done = CARRIED_OUT[why]
    for about in (D1, {}):
        if not about and "otherwise" in why:
            continue
        story = ran(A, B)
        decide(story, **about)
        pass_time(story, 23)
        assert "rollback-not-carried-out" not in found(story)
        pass_time(story, 2)
        assert found(story)["rollback-not-carried-out"] == ["R"]
        tell(story)
        assert ("rollback-not-carried-out" not in found(story)) is is_done


@pytest.mark.parametrize("to", ["old", "new", "known by nobody"])
def test_what_is_rolled_back_to_something_that_never_ran_there_is_found(to: str) -> None:
    story = ready_to_deploy()
    deploy(story, "d-0", change=None, artifact=A)
    if to != "known by nobody":
        deploy(story, "d-1", change=None, artifact=B)
    undo: dict[str, Any] = {"rollback_id": "R", "service": "api", "environment": "prod", "actor": "person:bob"}
    story.tell("rollback.decided", **undo, decision="roll_back", options=["roll_back"])
    story.tell("rollback.completed", **undo, to_artifact=A if to == "old" else C, outcome="success")
    assert found(story).get("rolled-back-to-something-new") == (["R"] if to == "new" else None)


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_rollbacks_that_nobody_decided_and_a_decision_that_nobody_carried_out(year: Year) -> set[str]:
    at, where = START + timedelta(days=3), {"service": "legacy", "environment": "prod"}
    year.say(at, "rollback.completed", rollback_id="RB-undecided", **where, outcome="success")
    year.say(at, "rollback.decided", actor="person:t0-lead-0", rollback_id="RB-left", service="legacy-2", environment="prod",
        decision="roll_back", options=["roll_back"])  # fmt: skip
    found_in = {"rollback-not-decided/RB-undecided", "rollback-not-carried-out/RB-left"}
    for number, artifact in enumerate((A, B, A)):
        began, name = at + timedelta(days=1, hours=number), f"d-legacy-{number}"
        about = {"actor": "service:team-0-ci", "deployment_id": name, **where, "artifact": artifact}
        year.say(began, "deployment.started", **about)
        year.say(began + timedelta(minutes=5), "deployment.finished", **about, outcome="success")
        found_in.add(f"deployment-without-change/{name}")
    undo = {"rollback_id": "RB-new", **where, "actor": "person:t0-lead-0"}
    year.say(at + timedelta(days=2), "rollback.decided", **undo, decision="roll_back", options=["roll_back"])
    year.say(at + timedelta(days=2, hours=1), "rollback.completed", **undo, to_artifact=C, outcome="success")
    return found_in | {"older-deployed-undecided/d-legacy-1", "rolled-back-to-something-new/RB-new"}
