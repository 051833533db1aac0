"""5.2 Risk scores that can be computed again: given these facts, this is found, and this is answered."""

from typing import Any

from asking import against, ask, ready_to_deploy
from changes import CHG, OTHER, assess, finding, found, opened
from year import HOUR, START, Change, Year, value


def test_a_score_that_does_not_come_out_again_is_found() -> None:
    story = opened()
    assess(story)
    story.tell("risk.assessed", **CHG, model_id="m", version="1", model_digest=OTHER, score="2", band="low",
        features=[{"name": "criticality", "value": "1"}])  # fmt: skip
    assert finding(story, "assessment-not-reproducible", "CHG-7").says == "CHG-7: score 2, recomputed 1"


def test_a_model_that_its_author_approved_is_found() -> None:
    story = opened()
    assess(story)
    model = {"actor": "person:zoe", "model_id": "m", "version": "2", "model_digest": OTHER}
    one = [{"name": "x", "value": "1"}]
    story.tell("risk.model_published", **model, form="weighted_points", features_version="1", parameters=one, bands=one)
    story.tell("risk.model_approved", **model)
    assert found(story) == {"model-approval-does-not-count": ["m/2"]}


def test_a_score_that_does_not_come_out_again_is_no_evidence() -> None:
    story = ready_to_deploy()
    story.tell("risk.assessed", change_id="CHG-7", model_id="m", version="1", model_digest="sha256:" + "2" * 64,
        score="0.5", band="low", features=[{"name": "criticality", "value": "1"}])  # fmt: skip
    assert against(ask(story)) == {"risk-comes-out-again": ("insufficient_evidence", "not-reproducible")}


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_a_wrong_score(year: Year, change: Change) -> set[str]:
    change.score_is_off_by = 1
    return {f"assessment-not-reproducible/{change.id}"}


def plant_a_model_that_its_author_approved(year: Year) -> set[str]:
    model: dict[str, Any] = {
        "actor": "person:dan",
        "model_id": "own-model",
        "version": "1",
        "model_digest": year.digest(),
    }
    one = [value("x", 1)]
    form = {"form": "weighted_points", "features_version": "1"}
    year.say(START, "risk.model_published", **model, **form, parameters=one, bands=one)
    year.say(START + HOUR, "risk.model_approved", **model)
    return {"model-approval-does-not-count/own-model/1"}
