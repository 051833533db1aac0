"""The random histories hold what they promise: the whole catalogue, late and repeated facts, withdrawals, and parts that stay the same."""

import itertools
from collections import Counter

from histories import instants, random_history, smallest
from telling import retold

from ledger.events import CATALOGUE
from projections.judging.findings import findings

SOME = [random_history(seed, 60) for seed in range(240)]


def types(history: list[dict[str, object]]) -> list[str]:
    return [entry["statement"]["type"] for entry in history]  # type: ignore[index]


def test_every_event_type_is_told() -> None:
    assert set(CATALOGUE) == {name for history in SOME for name in types(history)}


def test_statements_are_late_repeated_withdrawn_and_grouped_and_time_passes() -> None:
    entries = [entry for history in SOME for entry in history]
    assert any(e["statement"]["time"] < e["recorded_at"] for e in entries)
    assert any(then["recorded_at"] < e["recorded_at"] for h in SOME for e, then in itertools.pairwise(h))
    assert any(len(instants(history)) < len(history) for history in SOME)
    assert any(
        count > 1 for history in SOME for count in Counter(str(e["statement"]["data"]) for e in history).values()
    )
    withdrawn = [
        history[e["statement"]["data"]["position"] - 1]["statement"]["type"]
        for history in SOME
        for e in history
        if e["statement"]["type"] == "statement.withdrawn"
    ]
    assert "statement.withdrawn" in withdrawn
    assert len(set(withdrawn)) > 30


def test_a_seed_is_one_history_and_a_shorter_one_is_its_beginning() -> None:
    whole = random_history(7, 60)
    assert random_history(7, 60) == whole
    assert random_history(7, 25) == whole[:25]
    part = random_history(7, 60, {3, 20, 40})
    assert [entry["recorded_at"] for entry in part] == [whole[draw]["recorded_at"] for draw in (3, 20, 40)]
    assert [entry["position"] for entry in part] == [1, 2, 3]


def test_the_smallest_part_that_fails_has_nothing_to_leave_out() -> None:
    def fails(history: list[dict[str, object]]) -> bool:
        told = types(history)
        return "deployment.started" in told and "statement.withdrawn" in told

    seed = next(seed for seed in range(100) if fails(random_history(seed, 60)))
    assert sorted(types(smallest(seed, 60, fails))) == ["deployment.started", "statement.withdrawn"]


def test_facts_meet() -> None:
    """Much of what rules look for happens in some of forty histories, and is undone in some of them."""
    found, resolved = set(), set()
    for seed in range(40):
        story = retold(random_history(seed, 60), batch=60)
        story.flush()
        assert not story.folder.failures
        rows = [findings.load(text) for text in story.store.texts(findings)]
        found |= {row.rule for row in rows}
        resolved |= {row.rule for row in rows if not row.is_open}
    assert len(found) > 15
    assert len(resolved) > 8
