"""Rollback decisions: what was decided on what, and what was known then."""

from typing import Any

import pytest
from telling import Story, at

from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.rollbacks import Rollback, rollbacks
from projections.readings.delivery.triggers import rollback_triggers

WHERE = {"service": "api", "environment": "prod"}
D = {"deployment_id": "d-1", **WHERE}
UNDO = {"rollback_id": "R", **D}


def decide(story: Story, **more: Any) -> int:
    data = {"decision": "roll_back", "options": ["roll_back", "hold"]} | more
    return story.tell("rollback.decided", actor="person:bob", **UNDO, **data)


def deployed() -> Story:
    story = Story()
    story.tell("deployment.started", actor="service:ci", **D, change_id="CHG-7")
    story.tell("deployment.finished", **D, outcome="success")
    return story


def fire(story: Story, **more: Any) -> int:
    told = {"trigger_id": "T", "version": "1", **D, "measured": "1", "samples": 9} | more
    return story.tell("rollback.trigger_fired", **told)


def row(story: Story) -> Rollback:
    found: Rollback = story.row(rollbacks, "R")
    return found


def test_a_decision_tells_how_soon_it_came_and_how_long_the_way_back_was() -> None:
    story = deployed()
    fire(story)
    fire(story)
    decide(story)
    story.tell("rollback.completed", **UNDO, outcome="success", to_artifact="sha256:" + "a" * 64)
    found = row(story)
    assert (found.first_sign_at, found.decision_latency_s, found.recovery_s) == (at(3), 2 * 3600, 3600)
    assert (found.change_id, found.decided_by, found.options) == ("CHG-7", "person:bob", ("roll_back", "hold"))


def test_what_had_happened_and_was_recorded_only_afterwards_is_marked() -> None:
    story = deployed()
    decided = decide(story)
    late = fire(story, time=at(2.5))
    fire(story)
    assert row(story).late_evidence == (late,)
    then = story.row_as_of(rollbacks, "R", decided)
    assert (then.late_evidence, then.decided_at) == ((), at(3))


@pytest.mark.parametrize(("measured", "samples"), [("0.001", 3), ("0.001", 500), ("0.05", 3)])
def test_what_does_not_meet_its_trigger_is_no_sign_of_anything(measured: str, samples: int) -> None:
    story = deployed()
    wording = story.tell("rollback.trigger_defined", actor="person:bob", trigger_id="T", version="1", **WHERE, metric="error_rate",
        comparator="gt", threshold="0.02", window_s=300, min_samples=500, mode="manual")  # fmt: skip
    fire(story, measured=measured, samples=samples)
    decide(story)
    fire(story, measured=measured, samples=samples, time=at(4.5))
    found = row(story)
    assert (found.first_sign_at, found.decision_latency_s, found.late_evidence) == (None, None, ())
    assert (story.row(deployments, "d-1").first_sign_at, story.row(rollback_triggers, "T").fired) == (None, 0)
    met = fire(story, measured="0.05", samples=500)
    assert story.row(deployments, "d-1").first_sign_at == at(met)
    assert (story.row(rollback_triggers, "T").fired, story.row(rollback_triggers, "T").last_fired_position) == (1, met)
    # Of a trigger that nobody has worded, its word is all there is.
    story.tell("statement.withdrawn", position=wording, reason="x")
    assert (story.row(deployments, "d-1").first_sign_at, story.row(rollback_triggers, "T").fired) == (at(4), 3)


def test_a_decision_about_nothing_that_is_known_has_no_latency() -> None:
    story = Story()
    decide(story)
    assert (row(story).decision_latency_s, row(story).first_sign_at) == (None, None)
