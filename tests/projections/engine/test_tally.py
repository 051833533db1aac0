"""Counts over the rows of another view: what is added, taken away, and how a count stood earlier."""

from typing import Any

import pytest
from telling import Story

from projections.readings.risk.outcomes import BaseRate, Day, base_rates, outcomes

ALL = "all"


def label(story: Story, change: str, verdict: str, **more: Any) -> int:
    return story.tell("risk.outcome_labelled", actor="person:ann", change_id=change, label=verdict, **more)


def counts(row: BaseRate | None) -> tuple[int, int]:
    assert row is not None
    return row.changes, row.failures


def test_a_corrected_label_takes_the_earlier_one_back_on_its_own_day() -> None:
    story = Story()
    label(story, "CHG-1", "failure", time="2026-03-01T10:00:00.000000Z")
    label(story, "CHG-2", "success", time="2026-03-01T11:00:00.000000Z")
    assert story.row(base_rates, ALL).days == (Day("2026-03-01", 2, 1),)
    label(story, "CHG-1", "success", time="2026-05-01T10:00:00.000000Z")
    assert story.row(base_rates, ALL).days == (Day("2026-03-01", 2, 0),)


def test_a_count_to_which_something_cannot_be_added_keeps_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story()
    label(story, "CHG-1", "failure")
    add, seen = base_rates.add, []

    def breaks(row: BaseRate, part: Any, count: int) -> BaseRate:
        seen.append(part)
        if len(seen) == 2:
            raise ValueError("this does not add up")
        return add(row, part, count)

    monkeypatch.setattr(base_rates, "add", breaks)
    label(story, "CHG-1", "success")
    assert (len(seen), next(iter(story.folder.failures))) == (2, "base_rates")
    assert story.store.parts(base_rates, ALL, 1) == story.store.parts(base_rates, ALL, 9)


def test_a_label_that_says_the_same_again_changes_nothing() -> None:
    story = Story()
    label(story, "CHG-1", "failure")
    label(story, "CHG-1", "failure")
    assert counts(story.row(base_rates, ALL)) == (1, 1)
    assert len(story.store.parts(base_rates, ALL, 9)) == 1


def test_a_count_stands_as_it_stood_whatever_was_corrected_or_taken_back_later() -> None:
    story = Story()
    told = [label(story, "CHG-1", "failure"), label(story, "CHG-2", "failure"), label(story, "CHG-2", "success")]
    story.tell("statement.withdrawn", actor="service:desk", position=told[0], reason="x")
    assert [counts(story.row_as_of(base_rates, ALL, position)) for position in (1, 2, 3, 4)] == [
        (1, 1), (2, 2), (2, 1), (1, 0),
    ]  # fmt: skip
    assert story.row_as_of(base_rates, ALL, 0) is None
    assert story.row(outcomes, "CHG-1") is None


def test_a_change_counts_in_the_scope_that_it_had_when_it_was_labelled_first() -> None:
    story = Story()
    # Whoever wrote it may not turn its failure into a success.
    where = {"actor": "person:paul", "change_id": "CHG-1", "change_type": "normal", "title": {"sha256": "0" * 64}}
    story.tell("change.opened", **where, services=["api"], environment="prod")
    label(story, "CHG-1", "failure")
    story.tell("change.opened", **where, services=["web"], environment="prod")
    label(story, "CHG-1", "success")
    assert counts(story.row(base_rates, "service:api")) == (1, 0)
    assert story.row(base_rates, "service:web") is None
