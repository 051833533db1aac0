"""What the benchmark says of its own figures: two runs held against each other, and a machine that is too busy to judge."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.busy import MAX_OTHERS, Busy
from benchmarks.comparing import Change, compare, read
from benchmarks.measure import Rates, Row, beside, limit


def ratio(*ratios: float) -> Row:
    rates = Rates({"ours": list(ratios), "bare": [1.0] * len(ratios)})
    return beside("P1", "append", rates, "ours", "bare", at_least=0.85)


def latency(spread: tuple[float, float] | None) -> Row:
    return limit("P9", "p99", 10, "ms", at_most=5, spread=spread)


@pytest.mark.parametrize(
    ("then", "now", "verdict"),
    [
        (ratio(0.5, 0.5, 0.6, 0.6), ratio(0.8, 0.8, 0.9, 0.9), "better"),
        (ratio(0.8, 0.8, 0.9, 0.9), ratio(0.5, 0.5, 0.6, 0.6), "worse"),
        (ratio(0.5, 0.6, 0.7, 0.8), ratio(0.6, 0.7, 0.8, 0.9), "noise"),
        (latency((20, 30)), latency((5, 10)), "better"),
        (latency((5, 10)), latency((20, 30)), "worse"),
        # What is counted has no spread: the same again is the same.
        (limit("P10", "bytes", 928, "bytes/entry", at_most=850, spread=(928, 928)),) * 2 + ("same",),
        # One figure a run is better or worse by chance.
        (latency(None), latency((5, 10)), "one round"),
        (ratio(0.5), ratio(0.9), "one round"),
    ],
)
def test_a_bar_is_better_or_worse_where_the_quartiles_of_two_runs_do_not_overlap(
    then: Row, now: Row, verdict: str
) -> None:
    assert Change(then, now).verdict == verdict


def test_what_both_runs_did_is_compared_and_nothing_else() -> None:
    one, other = ratio(0.5, 0.6), replace(ratio(0.5, 0.6), work="append, groups of 10")
    assert compare([one], [one, other]) == [Change(one, one)]


def test_a_run_is_read_as_it_was_kept_and_nothing_else_is(tmp_path: Path) -> None:
    row = replace(ratio(0.5, 0.6), busy=True)
    kept = tmp_path / "run.json"
    kept.write_text(json.dumps({"machine": {"cores": 2}, "rows": [row.to_json()]}))
    document, [found] = read(kept)
    assert (document, found) == ({"machine": {"cores": 2}}, row)
    # A run of before there was a spread.
    older = {name: value for name, value in row.to_json().items() if name != "spread"}
    kept.write_text(json.dumps({"machine": {}, "rows": [older]}))
    with pytest.raises(ValueError, match="expected the JSON of a run"):
        read(kept)


def test_what_others_use_or_take_of_the_machine_is_too_much_above_a_share() -> None:
    assert not Busy(others=MAX_OTHERS, stolen=0.0, load=9.0).is_much
    assert Busy(others=MAX_OTHERS + 0.01, stolen=0.0, load=0.0).is_much
    assert Busy(others=0.0, stolen=0.06, load=0.0).is_much
