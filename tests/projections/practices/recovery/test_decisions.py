"""7.5 The record of a rollback decision: given these facts, this is found, and this is answered."""

from asking import against, ask, ready_to_deploy
from changes import ARTIFACT, deploy
from telling import at

from projections.readings.delivery.rollbacks import rollbacks


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
