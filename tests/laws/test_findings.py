"""A finding is what its rule says of the rows, the views and the time at an entry, no more and no less.

The oracle (`judged_otherwise`) judges every subject of every rule anew, and knows nothing of what was looked at before.
"""

import itertools
import random
from typing import Any

import pytest
from changes import deploy
from histories import instants, random_history
from telling import Story
from year import Year, told

from projections.engine.checking import judged_otherwise
from projections.engine.finding import Breach
from projections.engine.judging import Judge
from projections.engine.rows_now import RowsNow
from projections.engine.view import Around, Limit
from projections.judging.findings import findings

HISTORIES = 30
ALL_HISTORIES = 20_000
LENGTH = 60


def otherwise(story: Story) -> tuple[str, ...]:
    """Return the findings that are not what their rules say after the last entry."""
    now = story.log.entry(len(story.log)).recorded_at
    return judged_otherwise(findings, story.folder.rows, story.store, now)


def standing(story: Story) -> dict[str, Breach]:
    """Return the findings that are open."""
    rows = (findings.load(text) for text in story.store.texts(findings))
    return {row.finding_id: Breach(row.says, row.positions) for row in rows if row.is_open}


def standing_as_of(story: Story, position: int) -> dict[str, Breach]:
    """Return the findings that were open at a position, as their rows tell it."""
    rows = (findings.as_of(findings.load(text), position) for text in story.store.texts(findings))
    return {row.finding_id: Breach(row.says, row.positions) for row in rows if row is not None and row.is_open}


def check(seed: int) -> None:
    """After every entry of a history, folded in batches of any size by processes that begin anywhere: what stands is what is so.

    In every third, rules look at one entry on each side of an act: among sixty entries few others have enough around them.
    """
    found = RowsNow.found

    def narrowly(rows: RowsNow, view: Any, event: Any, about: str | None = None, limit: Limit = None) -> Any:
        return found(rows, view, event, about, Around(limit.position, 1) if isinstance(limit, Around) else limit)

    with pytest.MonkeyPatch.context() as patched:
        if seed % 3 == 0:
            patched.setattr(RowsNow, "found", narrowly)
        _check(seed)


def _check(seed: int) -> None:
    documents, chance = random_history(seed, LENGTH), random.Random(seed)
    ends = set(instants(documents))
    story = Story(batch=len(documents) + 1)
    stood: dict[int, dict[str, Breach]] = {}
    for document in documents:
        story.add(document)
        if document["position"] not in ends or chance.random() < 0.3:
            continue
        story.flush()
        assert not story.folder.failures, f"seed {seed}, position {document['position']}"
        if chance.random() < 0.15:
            story.begin()
            continue
        stood[document["position"]] = standing(story)
        assert not otherwise(story), f"seed {seed}, position {document['position']}"
    story.flush()
    for position, then in stood.items():
        assert standing_as_of(story, position) == then, f"seed {seed}, as of position {position}"


@pytest.mark.parametrize("part", range(4))
def test_what_stands_is_what_judging_everything_anew_gives(part: int, request: pytest.FixtureRequest) -> None:
    many = ALL_HISTORIES if request.config.getoption("--all") else HISTORIES
    for seed in range(part, many, 4):
        check(seed)


def test_a_year_stands_as_judging_it_anew_gives_it() -> None:
    story = told(Year(services=20, changes=150, planted=2), 100)
    assert not otherwise(story)


def test_when_an_operator_sets_the_clock_back_what_had_come_due_is_not_due_any_more() -> None:
    story = Story()
    entries: list[dict[str, Any]] = []
    for seed in itertools.count():
        entries = random_history(seed, 40)
        times = [document["recorded_at"] for document in entries]
        if any(later < earlier for earlier, later in itertools.pairwise(times)):
            break
    for document in entries:
        story.add(document)
    story.flush()
    assert not otherwise(story)


def test_the_oracle_notices_a_judgement_that_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Judge, "woken", lambda judge, entry, originals, changed: [])
    story = Story()
    deploy(story, change=None)
    story.flush()
    assert otherwise(story) == ("deployment-without-change/d-1",)
