"""5.2 Risk scores that can be computed again: given these facts, this is found, and this is answered."""

from typing import Any

import scoring
from asking import against, ask, ready_to_deploy
from changes import ARTIFACT, CHG, OTHER, approve, assess, deploy, finding, found, opened, publish, review, value
from people import enrol, issue
from telling import Story
from year import DAY, HOUR, MODEL, START, Change, Year

from projections.readings.changes.tickets import change_tickets
from projections.readings.people.powers import ROLE_FOR
from projections.readings.risk.assessments import risk_assessments
from projections.readings.risk.models import risk_models
from projections.readings.risk.outcomes import outcomes


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
    assess(story)
    assess(story, "high")
    assert found(story) == {}
    story = opened()
    assess(story)
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


def _scored(story: Story, score: int, band: str, by: str = "service:ci", **more: Any) -> None:
    told = {"model_id": "m", "version": "1", "model_digest": OTHER, "features": [value("criticality", score)]} | more
    story.tell("risk.assessed", by=by, **CHG, **told, score=str(score), band=band)


def test_a_score_that_asks_for_less_by_another_stated_number_takes_the_place_of_none_and_is_found() -> None:
    story = opened()
    publish(story, ("quorum", "high", "2"))
    assess(story, "high")
    approve(story)
    _scored(story, 1, "low")
    ticket = story.row(change_tickets, "CHG-7")
    assert (ticket.risk_band, ticket.quorum, ticket.missing_approvals) == ("high", 2, 1)
    assert sorted(found(story)) == ["risk-feature-differs", "score-lowered-without-power"]
    row = finding(story, "score-lowered-without-power", "CHG-7")
    assert row.says == ("CHG-7: 1 (low) by service:ci does not take the place of 9 (high) by service:desk")
    # Nor does the same number by another band, or one that does not come out again; and whoever asks for more is heard.
    _scored(story, 9, "low")
    assert story.row(change_tickets, "CHG-7").risk_band == "high"
    _scored(story, 12, "high")
    assert story.row(change_tickets, "CHG-7").risk_score == "12"


def test_whoever_has_the_power_to_score_lowers_a_score() -> None:
    # An operator; by a role that the policy names; a source that is enrolled for it.
    story = opened()
    assess(story, "high")
    issue(story, "person:olga", "operator")
    _scored(story, 1, "low", by="person:olga", token="token:person.olga")
    assert story.row(change_tickets, "CHG-7").risk_band == "low"
    for actor in ("service:desk", "service:ci"):
        story = opened()
        publish(story, (ROLE_FOR.name, "risk.assessed", "scorer"))
        for number, who in enumerate(("service:desk", "service:other")):
            story.tell(
                "access.granted", actor="person:olga", grant_id=f"S{number}", principal=who, principal_kind="service",
                role="scorer",
            )  # fmt: skip
        assess(story, "high")
        _scored(story, 1, "low", by=actor)
        counts = actor == "service:desk"
        assert story.row(change_tickets, "CHG-7").risk_band == ("low" if counts else "high")
        assert ("without-power" in found(story)) is not counts
    story = opened()
    assess(story, "high")
    enrol(story, "service:risk-desk", types=("risk.assessed",))
    _scored(story, 1, "low", by="service:risk-desk")
    assert story.row(change_tickets, "CHG-7").risk_band == "low"


def test_a_score_that_the_ledgers_own_numbers_make_lower_takes_the_place_of_another() -> None:
    story = Story()
    publish(story)
    scoring.open_change(story, "CHG-1")
    scoring.publish(story, parameters=scoring.values(scope_artifacts="1", criticality="1"))
    scoring.approve(story)
    for artifacts, band in ((6, "high"), (1, "low")):
        story.tell(
            "change.submitted",
            actor="person:alice",
            change_id="CHG-1",
            artifacts=["sha256:" + f"{number:064x}" for number in range(artifacts)],
        )
        stated = scoring.values(criticality="2")
        scoring.assess(story, score=str(artifacts + 2), band=band, features=stated)
        assert story.row(change_tickets, "CHG-1").risk_band == band
    assert "score-lowered-without-power" not in found(story)


def test_a_score_in_anothers_name_counts_neither_now_nor_against_the_outcomes() -> None:
    story = opened()
    assess(story)
    story.tell("risk.assessed", **CHG, actor="service:desk", by="service:ci", model_id="m", version="1",
        model_digest=OTHER, score="9", band="high", features=[value("criticality", 9)])  # fmt: skip
    assert story.row(change_tickets, "CHG-7").risk_band == "low"
    assert story.row(risk_assessments, "CHG-7").band == "low"
    assert sorted(found(story)) == ["risk-feature-differs", "spoken-for-another"]


def test_what_was_observed_wins_over_what_was_written_against_the_predictions_too() -> None:
    story = opened()
    publish(story)
    assess(story)
    approve(story)
    deploy(story)
    review(story)
    assert story.row(risk_assessments, "CHG-7").label == "success"
    told = len(story.log) + 1
    story.tell("rollback.completed", actor="service:ci", rollback_id="R", deployment_id="d-1", service="api",
        environment="prod", from_artifact=ARTIFACT, to_artifact=OTHER, outcome="success")  # fmt: skip
    for view in (outcomes, risk_assessments):
        assert story.row(view, "CHG-7").label == "failure"
    story.tell("statement.withdrawn", position=told, actor="service:ci", reason="mistaken")
    for view in (outcomes, risk_assessments):
        assert story.row(view, "CHG-7").label == "success"


def test_who_wrote_or_deployed_a_change_labels_it_as_a_success_only_where_nobody_else_said_otherwise() -> None:
    story = opened()
    publish(story)
    assess(story)
    approve(story)
    deploy(story)
    told = {"change_id": "CHG-7", "label": "success"}
    story.tell("risk.outcome_labelled", **told, actor="service:ci")
    assert story.row(outcomes, "CHG-7").label == "success"
    review(story, outcome="unsuccessful")
    for who in ("service:ci", "person:alice"):
        story.tell("risk.outcome_labelled", **told, actor=who)
        assert story.row(outcomes, "CHG-7").label == "failure"
    # Nor does anybody else take back what a reviewer found, without the power to.
    story.tell("risk.outcome_labelled", **told, actor="person:eve")
    assert story.row(outcomes, "CHG-7").label == "failure"
    enrol(story, "service:desk", types=("risk.outcome_labelled",))
    story.tell("risk.outcome_labelled", **told, actor="service:desk")
    assert story.row(outcomes, "CHG-7").label == "success"
    # That it failed, they may say of themselves.
    story.tell("risk.outcome_labelled", **told | {"label": "failure"}, actor="service:ci")
    assert story.row(outcomes, "CHG-7").label == "failure"


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


def plant_a_score_that_asks_for_less(year: Year, change: Change) -> set[str]:
    change.is_scored_down = True
    return {f"score-lowered-without-power/{change.id}"}


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
