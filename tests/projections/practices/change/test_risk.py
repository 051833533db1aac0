"""5.2 Risk scores that can be computed again: given these facts, this is found, and this is answered."""

from typing import Any

import scoring
from asking import against, ask, ready_to_deploy
from changes import CHG, OTHER, assess, finding, found, opened, publish, value
from telling import Story
from year import DAY, HOUR, MODEL, START, Change, Year

from projections.readings.risk.models import risk_models


def test_a_score_that_does_not_come_out_again_is_found() -> None:
    story = opened()
    assess(story)
    story.tell("risk.assessed", **CHG, model_id="m", version="1", model_digest=OTHER, score="2", band="low",
        features=[{"name": "criticality", "value": "1"}])  # fmt: skip
    assert finding(story, "assessment-not-reproducible", "CHG-7").says == "CHG-7: score 2, recomputed 1"


def test_a_feature_that_is_stated_otherwise_than_the_ledger_computes_it_is_found_with_both_numbers() -> None:
    story = opened()
    assess(story)
    model = {"model_id": "m", "version": "1", "model_digest": OTHER, "score": "1", "band": "low"}
    stated = [value("criticality", 1), value("scope_services", 1), value("scope_artifacts", 4), value("colour", 9)]
    story.tell("risk.assessed", **CHG, **model, features=stated)
    assert found(story) == {"risk-feature-differs": ["CHG-7"]}
    row = finding(story, "risk-feature-differs", "CHG-7")
    assert (row.says, row.positions) == ("CHG-7: scope_artifacts stated 4, computed 1", (len(story.log),))
    # Of what nothing on record tells, there is no verdict; and a better statement afterwards takes nothing back.
    story.tell("risk.assessed", **CHG, **model, features=[value("criticality", 1), value("team_failures_90d", 3)])
    assert finding(story, "risk-feature-differs", "CHG-7").says == row.says


def test_a_feature_that_somebody_else_states_otherwise_is_found_and_that_who_stated_it_states_it_anew_is_not() -> None:
    story = opened()
    assess(story, "high")
    assess(story)
    assert found(story) == {}
    model = {"model_id": "m", "version": "1", "model_digest": OTHER}
    story.tell(
        "risk.assessed", **CHG, **model, score="9", band="high", features=[value("criticality", 9)], by="service:ci"
    )
    assert found(story) == {"risk-feature-differs": ["CHG-7"]}
    says = finding(story, "risk-feature-differs", "CHG-7").says
    assert says == "CHG-7: criticality stated 9 by service:ci, and 1 by service:desk"
    # The same number by another is no contradiction, and takes none back.
    assess(story, "high")
    assert finding(story, "risk-feature-differs", "CHG-7").says == says


def test_a_model_that_its_author_approved_is_found() -> None:
    story = opened()
    assess(story)
    model = {"actor": "person:zoe", "model_id": "m", "version": "2", "model_digest": OTHER}
    one = [{"name": "x", "value": "1"}]
    story.tell("risk.model_published", **model, form="weighted_points", features_version="1", parameters=one, bands=one)
    story.tell("risk.model_approved", **model)
    assert found(story) == {"model-approval-does-not-count": ["m/2"]}


def test_an_author_who_approved_under_another_login_or_published_in_another_name_is_found_whenever_that_is_known() -> (
    None
):
    one = [{"name": "x", "value": "1"}]
    form = {"form": "weighted_points", "features_version": "1", "parameters": one, "bands": one}
    model = {"model_id": "m", "version": "1", "model_digest": OTHER}
    story = Story()
    story.tell("risk.model_published", actor="person:dan", **model, **form)
    story.tell("risk.model_approved", actor="github:44", **model)
    assert found(story) == {}
    story.tell("identity.linked", actor="person:hr", identities=["person:dan", "github:44"], evidence="hr")
    assert found(story) == {"model-approval-does-not-count": ["m/1"]}
    assert finding(story, "model-approval-does-not-count", "m/1").says == "m/1: S8: github:44 is the model's author"
    # Erin publishes it as if it were dan's.
    story = Story()
    story.tell("risk.model_published", by="person:erin", actor="person:dan", **model, **form)
    story.tell("risk.model_approved", actor="person:erin", **model)
    assert found(story) == {"model-approval-does-not-count": ["m/1"], "spoken-for-another": ["1"]}


def test_a_model_that_was_approved_by_who_may_not_is_found() -> None:
    one = [{"name": "x", "value": "1"}]
    model = {"model_id": "m", "version": "1", "model_digest": OTHER}
    story = Story()
    story.tell(
        "risk.model_published",
        actor="person:dan",
        **model,
        form="weighted_points",
        features_version="1",
        parameters=one,
        bands=one,
    )
    story.tell("risk.model_approved", by="person:paul", actor="person:paul", **model)
    assert found(story) == {"model-approval-does-not-count": ["m/1"], "without-power": ["2"]}
    assert not story.row(risk_models, "m/1").is_approved


def test_a_score_that_does_not_come_out_again_is_no_evidence() -> None:
    story = ready_to_deploy()
    story.tell("risk.assessed", change_id="CHG-7", model_id="m", version="1", model_digest="sha256:" + "2" * 64,
        score="0.5", band="low", features=[{"name": "criticality", "value": "1"}])  # fmt: skip
    assert against(ask(story)) == {"risk-comes-out-again": ("insufficient_evidence", "not-reproducible")}


def test_the_gate_says_that_a_model_counts_provisionally() -> None:
    rule = next(answer for answer in ask(ready_to_deploy()).answers if answer.rule == "risk-comes-out-again")
    assert rule.words == "1 (low) by m/1, which counts provisionally: 0 outcomes; expected at least 50"


def test_a_model_that_was_approved_and_does_not_pass_is_found() -> None:
    story = Story()
    publish(story, ("model-outcomes", "any", "1"))
    scoring.publish(story)
    scoring.approve(story)
    scoring.assess(story, score="9", band="high")
    scoring.label(story, "failure")
    scoring.publish(story, "2", parameters=scoring.values(criticality="0", scale="10"))
    scoring.approve(story, version="2")
    assert found(story) == {"approved-model-does-not-pass": ["m"]}
    assert finding(story, "approved-model-does-not-pass", "m").says.startswith(
        "m/2 was approved and does not take the place of m/1: reliability error 1; expected at most 0.05; Brier"
    )


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_a_wrong_score(year: Year, change: Change) -> set[str]:
    change.score_is_off_by = 1
    return {f"assessment-not-reproducible/{change.id}"}


def plant_a_feature_that_is_not_so(year: Year, change: Change) -> set[str]:
    change.services_stated = 2
    return {f"risk-feature-differs/{change.id}"}


def plant_a_model_that_its_author_approved(year: Year) -> set[str]:
    model: dict[str, Any] = {
        "actor": "person:erin",
        "model_id": "own-model",
        "version": "1",
        "model_digest": year.digest(),
    }
    one = [value("x", 1)]
    form = {"form": "weighted_points", "features_version": "1"}
    year.say(START, "risk.model_published", **model, **form, parameters=one, bands=one)
    year.say(START + 3 * HOUR, "risk.model_approved", **model)
    return {"model-approval-does-not-count/own-model/1"}


def plant_a_version_that_predicts_worse(year: Year) -> set[str]:
    """When enough has come of the year's changes, a second version is approved that holds all of them for lost."""
    model: dict[str, Any] = {**MODEL, "version": "2", "model_digest": year.digest()}
    form = {"form": "weighted_points", "features_version": "1", "bands": [value("low", 0)]}
    at = START + 300 * DAY
    year.say(at, "risk.model_published", actor="person:dan", **model, **form,
        parameters=[value("criticality", 1), value("scale", 0.001)])  # fmt: skip
    year.say(at + HOUR, "risk.model_approved", actor="person:erin", **model)
    return {"approved-model-does-not-pass/change-risk"}
