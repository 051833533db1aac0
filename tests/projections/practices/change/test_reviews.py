"""5.5 Post-implementation reviews that feed the risk model: given these facts, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, deployed, ready_to_deploy
from changes import CHG, deploy, found, pass_time, ready, review
from telling import at
from year import Change, Year

from projections.readings.changes.reviews import reviews


def test_a_review_that_is_not_done_in_time_is_found_until_it_is_done() -> None:
    story = ready()
    deploy(story)
    story.tell("pir.opened", actor="person:frank", pir_id="PIR-7", **CHG, due_at=at(30), mandatory=True)
    pass_time(story, 30)
    assert found(story) == {"review-overdue": ["PIR-7"]}
    review(story)
    assert found(story) == {}


@pytest.mark.parametrize(("done_at", "is_late"), [(20, False), (31, True)])
def test_a_review_that_is_imported_is_late_by_its_own_time(done_at: float, is_late: bool) -> None:
    story = ready()
    deploy(story)
    pass_time(story, 100)
    pir: dict[str, Any] = {"actor": "person:frank", "pir_id": "PIR-7", **CHG}
    story.tell("pir.opened", **pir, due_at=at(30), mandatory=True, time=at(10))
    assert found(story) == {}
    story.tell("pir.completed", **pir, outcome="successful", rolled_back=False, time=at(done_at))
    row = story.row(reviews, "PIR-7")
    assert (row.is_late, row.recorded_late) == (is_late, True)
    assert found(story) == {}


def test_a_review_that_is_imported_and_not_said_to_be_done_is_found_after_a_day() -> None:
    story = ready()
    deploy(story)
    pass_time(story, 100)
    story.tell("pir.opened", actor="person:frank", pir_id="PIR-7", **CHG, due_at=at(30), mandatory=True, time=at(10))
    pass_time(story, 125)
    assert found(story) == {"review-overdue": ["PIR-7"]}


def test_a_change_is_closed_when_its_review_is_done_and_its_time_is_over() -> None:
    story = deployed(ready_to_deploy("normal", ("observation-hours", "any", "24")))
    story.tell("pir.opened", actor="person:frank", pir_id="PIR-7", change_id="CHG-7", due_at=at(90), mandatory=True)
    assert against(ask(story, "close", hours=30)) == {
        "change-waits-for-its-end": ("insufficient_evidence", "being-watched"),
        "review-is-done": ("insufficient_evidence", "review-open"),
    }
    review(story)
    assert ask(story, "close", hours=60).verdict == "allow"


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_a_review_that_is_not_done(year: Year, change: Change) -> set[str]:
    change.is_reviewed = False
    return {f"review-overdue/PIR-{change.id}"}
