"""Risk: models that somebody else approved, assessments that come out again, and how well they predicted."""

from decimal import Decimal

from scoring import DIGEST, OTHER, approve, assess, label, open_change, publish, values
from telling import Story

from projections.readings.changes.tickets import change_tickets
from projections.readings.risk.assessments import risk_assessments
from projections.readings.risk.calibrations import calibrations
from projections.readings.risk.models import risk_models


def fault(story: Story, change: str = "CHG-1") -> str:
    found: str = story.row(risk_assessments, change).assessments[-1].fault
    return found


# -- models -------------------------------------------------------------------------------------------------------------


def test_a_model_counts_when_somebody_else_approved_the_very_text() -> None:
    story = Story()
    story.tell("identity.linked", actor="person:olga", identities=["person:dan", "github:4"], evidence="hr")
    publish(story)
    approve(story, by="github:4")
    assert story.row(risk_models, "m/1").approval_fault == "S8: github:4 is the model's author"
    approve(story, digest=OTHER)
    assert not story.row(risk_models, "m/1").is_approved
    approve(story)
    row = story.row(risk_models, "m/1")
    assert (row.is_approved, row.approved_by, row.approval_fault) == (True, "person:erin", None)


def test_a_published_version_is_never_edited() -> None:
    story = Story()
    publish(story)
    publish(story, parameters=values(criticality="9"), model_digest=OTHER)
    row = story.row(risk_models, "m/1")
    assert (row.model_digest, row.parameters[0].value) == (DIGEST, "1")


def test_who_fitted_a_model_does_not_approve_it() -> None:
    story = Story()
    story.tell(
        "risk.model_recalibrated", actor="person:erin", model_id="m", version="1", model_digest=DIGEST,
        from_version="0", metrics=values(brier="0.07"),
        trained_on={"from_position": 1, "to_position": 9, "query_digest": OTHER},
    )  # fmt: skip
    publish(story)
    approve(story, by="person:erin")
    row = story.row(risk_models, "m/1")
    assert (row.is_approved, row.recalibrated_from, row.trained_to) == (False, "0", 9)


# -- assessments --------------------------------------------------------------------------------------------------------


def test_a_score_that_comes_out_again_has_no_fault() -> None:
    story = Story()
    publish(story)
    approve(story)
    assess(story)
    row = story.row(risk_assessments, "CHG-1")
    assert (row.score, row.band, row.faults, row.assessments[0].probability) == ("3", "low", 0, "0.3")
    # What the features add is the score.
    added = {term.name: term.value for term in row.assessments[0].contributions}
    assert added == {"criticality": "3"}


def test_a_score_that_does_not_come_out_again_says_why() -> None:
    story = Story()
    assess(story)
    assert fault(story) == "model m 1 was not published"
    publish(story)
    approve(story)
    assess(story, model_digest=OTHER)
    assert fault(story) == "the model's digest is not the published one"
    assess(story, score="4", features=values(criticality="3"))
    assert fault(story) == "score 4, recomputed 3"
    assess(story, score="9", band="low")
    assert fault(story) == "band low, recomputed high"
    assess(story, features=values(dependents="3"))
    assert fault(story) == "expected the feature criticality; found dependents"
    assert story.row(risk_assessments, "CHG-1").faults == 5


def test_a_challenger_scores_without_effect() -> None:
    story = Story()
    open_change(story, "CHG-1")
    publish(story)
    approve(story)
    assess(story)
    publish(story, version="2", model_digest=OTHER)
    assess(story, score="9", band="high", version="2", model_digest=OTHER)
    row = story.row(risk_assessments, "CHG-1")
    assert (row.version_id, row.score, row.assessments[1].is_challenger) == ("m/1", "3", True)
    assert story.row(change_tickets, "CHG-1").risk_band == "low"


BETA = {
    "form": "beta_binomial",
    "parameters": values(prior_a="1", prior_b="19", tolerance="0.10", least="2"),
    "bands": values(low="0", high="0.3"),
}


def test_what_came_before_is_counted_by_the_ledger_itself() -> None:
    story = Story()
    publish(story, **BETA)
    approve(story)
    for number in (1, 2):
        open_change(story, f"CHG-{number}")
        label(story, "failure" if number == 1 else "success", f"CHG-{number}")
    open_change(story, "CHG-3")
    known = {"score": "0.364729963772", "band": "high"}
    assess(story, "CHG-3", **known, features=values(changes="2", failures="1"))
    assert fault(story, "CHG-3") == ""
    assess(story, "CHG-3", score="0.109419", features=values(changes="2", failures="0"))
    # Labels that come later do not change what was right before them.
    label(story, "failure", "CHG-2")
    assess(story, "CHG-3", **known, features=values(changes="2", failures="1"))
    assert fault(story, "CHG-3") == "feature failures is 1, counted 2"
    assert story.row(risk_assessments, "CHG-3").assessments[0].fault == ""


def test_a_service_with_little_history_is_judged_by_its_team_and_then_by_everything() -> None:
    story = Story()
    publish(story, **BETA)
    approve(story)
    for number, service in enumerate(("web", "web", "mail"), 1):
        open_change(story, f"CHG-{number}", service)
        label(story, "success", f"CHG-{number}")
    open_change(story, "CHG-9", "new")
    assess(story, "CHG-9", score="0.09847", features=values(changes="3", failures="0"))
    assert fault(story, "CHG-9").startswith("score")


# -- calibration --------------------------------------------------------------------------------------------------------


def predicted(story: Story, score: str, outcome: str, change: str) -> None:
    assess(story, change, score=score, band="high" if Decimal(score) >= 5 else "low")
    label(story, outcome, change)


def calibrated() -> Story:
    story = Story()
    publish(story)
    approve(story)
    predicted(story, "1", "success", "CHG-1")
    predicted(story, "9", "failure", "CHG-2")
    predicted(story, "5", "failure", "CHG-3")
    return story


def test_predictions_are_held_against_outcomes() -> None:
    row = calibrated().row(calibrations, "m/1")
    # (0.01 + 0.01 + 0.25) / 3 and (0.1 + 0.1 + 0.5) / 3
    assert (row.changes, row.failures, row.brier, row.reliability_error) == (3, 2, "0.09", "0.233333333333")
    assert [(b.lowest, b.changes, b.failures) for b in row.bins] == [("0.1", 1, 0), ("0.5", 1, 1), ("0.9", 1, 1)]
    assert [(m.month, m.changes, m.failures) for m in row.months] == [("2026-03", 3, 2)]


def test_a_corrected_label_takes_the_first_one_back() -> None:
    story = calibrated()
    label(story, "success", "CHG-3")
    row = story.row(calibrations, "m/1")
    assert (row.changes, row.failures, row.brier) == (3, 1, "0.09")
    story.tell("statement.withdrawn", actor="service:desk", position=len(story.log), reason="x")
    assert story.row(calibrations, "m/1") == calibrated().row(calibrations, "m/1")


def test_what_was_scored_after_the_outcome_is_no_prediction() -> None:
    story = calibrated()
    label(story, "failure", "CHG-4")
    assess(story, "CHG-4", score="9", band="high")
    label(story, "failure", "CHG-4")
    assert story.row(calibrations, "m/1").changes == 3
