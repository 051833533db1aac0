"""Which version of a risk model counts: the first provisionally, and the next when it predicted the outcomes no worse."""

from typing import Any

import pytest
from changes import publish as publish_policy
from scoring import approve, assess, label, open_change, publish, values
from telling import Story

from projections.readings.changes.tickets import change_tickets
from projections.readings.risk import promotions
from projections.readings.risk.promotions import ModelPromotions, model_promotions

# Each outcome is predicted by the feature: 0 or 10 of 10.
SHARP = {"parameters": values(criticality="1", scale="10")}
DULL = {"parameters": values(criticality="0", scale="10")}


def tried(*settings: tuple[str, str, str], outcomes: int = 4) -> Story:
    """A first version that counts, and some changes that it scored, each labelled as it had predicted."""
    story = Story()
    publish_policy(story, ("model-outcomes", "any", "4"), *settings)
    publish(story, **SHARP)
    approve(story)
    for number in range(outcomes):
        outcome(story, f"CHG-{number}", failed=number % 2 == 0)
    return story


def outcome(story: Story, change: str, *, failed: bool, **more: Any) -> None:
    open_change(story, change, **more)
    assess(story, change, "10" if failed else "0", "high" if failed else "low")
    label(story, "failure" if failed else "success", change)


def challenge(story: Story, version: str = "2", **more: Any) -> ModelPromotions:
    publish(story, version, **more)
    approve(story, version=version)
    found: ModelPromotions = story.row(model_promotions, "m")
    return found


def test_the_first_version_counts_provisionally_until_it_is_approved_with_enough_outcomes() -> None:
    story = tried(outcomes=3)
    approve(story)
    row = story.row(model_promotions, "m")
    assert (row.champion, row.is_provisional, len(row.promotions)) == ("m/1", True, 1)
    assert row.promotions[0].why == "3 outcomes; expected at least 4"
    outcome(story, "CHG-3", failed=True)
    approve(story)
    row = story.row(model_promotions, "m")
    assert (row.champion, row.is_provisional, row.promotions[-1].brier) == ("m/1", False, "0")


def test_a_version_that_predicted_the_outcomes_worse_takes_no_place() -> None:
    story = tried()
    row = challenge(story, **DULL)
    assert (row.champion, row.promotions[-1].counts, row.promotions[-1].champion) == ("m/1", False, "m/1")
    assert row.promotions[-1].why == (
        "reliability error 0.5; expected at most 0.05; Brier score 0.5; expected at most the champion's 0"
    )
    # What it says of a change counts neither before nor after the one that does.
    open_change(story, "CHG-9")
    assess(story, "CHG-9", "0", version="2")
    assert story.row(change_tickets, "CHG-9").risk_band is None
    assess(story, "CHG-9", "10", "high")
    assess(story, "CHG-9", "0", version="2")
    ticket = story.row(change_tickets, "CHG-9")
    assert (ticket.risk_model, ticket.risk_band, ticket.risk_is_provisional) == ("m/1", "high", True)


def test_a_version_that_is_no_worse_takes_the_place_and_what_was_scored_before_stays() -> None:
    story = tried()
    row = challenge(story, **SHARP)
    assert (row.champion, row.is_provisional, row.promotions[-1].champion_brier) == ("m/2", False, "0")
    assert story.row(change_tickets, "CHG-0").risk_model == "m/1"
    open_change(story, "CHG-9")
    assess(story, "CHG-9", "10", "high")
    assert story.row(change_tickets, "CHG-9").risk_model is None
    assess(story, "CHG-9", "0", version="2")
    assert story.row(change_tickets, "CHG-9").risk_model == "m/2"


def test_what_a_version_was_fitted_on_is_no_test_of_it() -> None:
    story = tried()
    fitted = {"from_position": 1, "to_position": len(story.log), "query_digest": "sha256:" + "e" * 64}
    row = challenge(story, **SHARP, trained_on=fitted)
    assert (row.champion, row.promotions[-1].outcomes) == ("m/1", 0)
    for number in range(10, 14):
        outcome(story, f"CHG-{number}", failed=number % 2 == 0)
    approve(story, version="2")
    row = story.row(model_promotions, "m")
    # The test that it did not pass is told no more.
    assert (row.champion, [one.version_id for one in row.promotions]) == ("m/2", ["m/1", "m/2"])


def test_while_too_little_is_known_of_the_one_that_counts_there_is_nothing_to_hold_another_against() -> None:
    row = challenge(tried(outcomes=3), **DULL)
    assert (row.champion, row.is_provisional) == ("m/2", True)


def test_a_version_that_counts_provisionally_takes_the_place_of_none_that_passed() -> None:
    story = tried()
    approve(story)
    publish(story, model_id="other", **SHARP)
    approve(story, model_id="other")
    open_change(story, "CHG-9")
    assess(story, "CHG-9", "10", "high")
    assess(story, "CHG-9", "0", model_id="other")
    assert story.row(change_tickets, "CHG-9").risk_model == "m/1"
    open_change(story, "CHG-10")
    assess(story, "CHG-10", "0", model_id="other")
    ticket = story.row(change_tickets, "CHG-10")
    assert (ticket.risk_model, ticket.risk_is_provisional) == ("other/1", True)


def test_a_team_whose_changes_are_predicted_much_worse_keeps_a_version_back() -> None:
    story = tried(("model-group-outcomes", "any", "2"), ("model-reliability-thousandths", "any", "1000"), outcomes=0)
    for number in range(6):
        open_change(story, f"CHG-{number}")
        assess(story, f"CHG-{number}", "5", "high", features=values(criticality="5", large="1", small="0"))
        label(story, "failure", f"CHG-{number}")
    for number in range(6, 8):
        open_change(story, f"CHG-{number}", team="web")
        assess(story, f"CHG-{number}", "0", features=values(criticality="0", large="0", small="1"))
        label(story, "success", f"CHG-{number}")
    # Better by far on the whole, and worse for one team.
    row = challenge(story, parameters=values(criticality="1", large="5", small="3", scale="10"))
    assert (row.champion, row.promotions[-1].brier, row.promotions[-1].champion_brier) == ("m/1", "0.0225", "0.1875")
    assert row.promotions[-1].why == "Brier score of web 0.09; expected at most 0.02 above 0"


def test_an_approval_that_is_taken_back_leaves_what_was_before() -> None:
    story = tried()
    challenge(story, **SHARP)
    story.tell("statement.withdrawn", position=len(story.log), reason="mistake")
    assert story.row(model_promotions, "m").champion == "m/1"


def test_an_approval_by_who_may_not_tries_nothing() -> None:
    story = tried()
    publish(story, "2", **SHARP)
    approve(story, by="person:dan", version="2")
    assert [one.version_id for one in story.row(model_promotions, "m").promotions] == ["m/1"]


# -- as of an earlier position ---------------------------------------------------------------------------------------------


def test_a_test_is_not_made_again_for_whoever_looks_back(monkeypatch: pytest.MonkeyPatch) -> None:
    story = tried()
    approved = len(story.log)
    first = story.row(model_promotions, "m")
    challenge(story, **DULL)
    second = story.row(model_promotions, "m")
    later = len(story.log)
    publish(story, "3", **SHARP)
    approve(story, version="3")

    def nobody(*_: Any) -> None:
        raise AssertionError("a test was made again")

    monkeypatch.setattr(promotions, "_tried", nobody)
    assert story.row_as_of(model_promotions, "m", approved) == first
    assert story.row_as_of(model_promotions, "m", later) == second


def test_what_was_taken_back_since_is_not_recalled() -> None:
    story = tried()
    alone = story.row(model_promotions, "m")
    challenge(story, **SHARP)
    both, looked = story.row(model_promotions, "m"), len(story.log)
    # The approval of the second version.
    story.tell("statement.withdrawn", position=looked, reason="mistake")
    assert story.row(model_promotions, "m").promotions == alone.promotions
    assert story.row_as_of(model_promotions, "m", looked) == both
    assert story.row_as_of(model_promotions, "m", len(story.log)) == story.row(model_promotions, "m")
