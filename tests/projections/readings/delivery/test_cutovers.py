"""Cutovers: every time something began to run somewhere, one a line."""

from telling import Story

from projections.readings.delivery.cutovers import Cutover, cutovers

WHERE = {"service": "api", "environment": "Prod"}


def lines(story: Story) -> list[Cutover]:
    return [cutovers.load(text) for text in story.store.texts(cutovers)]


def test_a_deployment_that_ended_well_runs_from_its_end_where_its_beginning_said() -> None:
    story = Story()
    story.tell("deployment.started", deployment_id="d-1", **WHERE)
    assert lines(story) == []
    # Where it ran was said at its beginning.
    story.tell("deployment.finished", deployment_id="d-1", outcome="success", commit="c" * 40)
    [line] = lines(story)
    assert (line.place, line.environment, line.deployment_id) == ("api@prod", "Prod", "d-1")
    assert (line.artifact, line.commit) == (None, "c" * 40)
    assert line.place_and_time == f"api@prod {line.at}"


def test_what_failed_runs_nowhere_and_what_nobody_can_place_is_no_line() -> None:
    story = Story()
    story.tell("deployment.finished", deployment_id="d-1", **WHERE, outcome="failure")
    story.tell("deployment.finished", deployment_id="d-2", outcome="success")
    story.tell("rollback.completed", rollback_id="r-1", **WHERE, outcome="failure")
    assert lines(story) == []


def test_what_is_promoted_and_what_is_rolled_back_to_begins_to_run() -> None:
    story = Story()
    story.tell("deployment.finished", deployment_id="d-1", **WHERE, outcome="success")
    story.tell("deployment.promoted", deployment_id="d-1", **WHERE, to_environment="next", actor="person:ann")
    said = {"rollback_id": "r-1", "deployment_id": "d-1", "to_artifact": "sha256:" + "b" * 64}
    story.tell("rollback.completed", **said, **WHERE, outcome="success")
    found = sorted(lines(story), key=lambda line: line.position)
    assert [(line.place, line.rollback_id) for line in found] == [
        ("api@prod", None), ("api@next", None), ("api@prod", "r-1"),
    ]  # fmt: skip
    assert found[-1].artifact == "sha256:" + "b" * 64
