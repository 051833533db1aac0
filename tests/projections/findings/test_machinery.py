"""Findings as such: given these facts, this rule is broken; and when that was recorded, and what resolved it."""

from changes import deploy, emergency, found, found_by_any_process, pass_time
from telling import Story

from projections.findings import findings


def test_a_statement_that_is_taken_back_resolves_what_it_showed() -> None:
    story = Story()
    deploy(story, change=None)
    for position in (1, 2):
        story.tell("statement.withdrawn", actor="service:desk", position=position, reason="x")
    assert found(story) == {}


def test_a_finding_is_had_as_it_stood() -> None:
    story = Story()
    deploy(story, change=None)
    story.tell("change.linked", actor="person:ann", change_id="CHG-7", deployment_id="d-1")
    key = "deployment-without-change/d-1"
    assert story.row_as_of(findings, key, 2).is_open
    assert not story.row_as_of(findings, key, 3).is_open
    assert story.row_as_of(findings, key, 3) == story.row(findings, key)
    assert Story().row_as_of(findings, key, 0) is None


def test_what_falls_due_is_found_whoever_folds_and_from_wherever() -> None:
    story = emergency()
    pass_time(story, 30)
    found_by_any_process(story)
