"""Backtests over a made-up year in a real ledger: what was known then is all that a score rests on."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from year import Year, tell

from ledger.errors import NotFoundError, StatementError
from ledger.ledger import Ledger
from projections import VIEWS
from projections.engine.checking import check
from projections.engine.runner import Runner
from projections.engine.serving import list_rows, read_row
from projections.judging.findings import findings
from projections.readings.risk.backtest import backtest, fit, model_of, samples
from projections.readings.risk.calibrations import calibrations
from projections.rules.risk import Model, ModelError

BASE_RATE = Model(
    "beta_binomial", {"prior_a": "1", "prior_b": "19", "tolerance": "0.1", "decay": "0.9", "least": "5"}, [("any", "0")]
)


@pytest.fixture(scope="module")
def year() -> Year:
    return Year(services=20, changes=200, planted=1)


@pytest.fixture(scope="module")
def ledger(year: Year, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    made = tell(year, f"sqlite:///{tmp_path_factory.mktemp('year') / 'ledger.db'}")
    runner = Runner(made.database, VIEWS, made.watcher)
    assert runner.acquire()
    runner.catch_up()
    yield made
    runner.close()
    made.close()


def by_name(found: set[str]) -> set[str]:
    """Leave out what is named by a position: the ledger has entries of its own between."""
    return {finding for finding in found if not finding.rpartition("/")[2].isdigit()}


def test_what_a_version_predicted_comes_out_of_its_backtest(ledger: Ledger) -> None:
    with ledger.database.read() as connection:
        model = model_of(ledger.database, "change-risk/1")
        found = backtest(ledger.database, model)
        row = read_row(connection, calibrations, "change-risk/1").rows[0]
    assert (found.calibration.changes, found.calibration.brier) == (row["changes"], row["brier"])
    assert found.calibration.changes > 50
    assert (found.unscored, found.unlabelled > 0) == (0, True)


def test_no_later_label_leaks_into_an_earlier_score(ledger: Ledger) -> None:
    size = ledger.size()
    whole = {sample.change_id: sample.features for sample in samples(ledger.database, BASE_RATE, 1, size)}
    for end in (size // 3, 2 * size // 3):
        early = samples(ledger.database, BASE_RATE, 1, end)
        assert early
        for sample in early:
            assert sample.features == whole[sample.change_id]
    assert any(Decimal(features["changes"]) > 0 for features in whole.values())


def test_a_model_that_was_never_published_can_be_tried(ledger: Ledger) -> None:
    found = backtest(ledger.database, BASE_RATE)
    pointless = backtest(ledger.database, Model("weighted_points", {"criticality": "1"}, [("any", "0")]))
    assert found.calibration.changes > 50
    assert (pointless.calibration.changes, pointless.fault.startswith("the model gives points")) == (0, True)


def test_fitting_again_gives_the_same_parameters_and_the_digest_of_the_question(ledger: Ledger) -> None:
    found, again = (fit(ledger.database, ["criticality", "size"]) for _ in range(2))
    other = fit(ledger.database, ["criticality"])
    assert found == again
    assert found.query_digest != other.query_digest
    assert (found.changes > 50, found.failures > 0, list(found.parameters)) == (
        True,
        True,
        ["intercept", "criticality", "size"],
    )


def test_what_cannot_be_asked_says_why(ledger: Ledger) -> None:
    with pytest.raises(NotFoundError, match="no model"):
        model_of(ledger.database, "change-risk/9")
    with pytest.raises(StatementError, match="from ≤ to"):
        backtest(ledger.database, BASE_RATE, first=9, last=8)
    with pytest.raises(ModelError, match="both kinds"):
        fit(ledger.database, ["colour"])


def test_the_year_in_a_real_ledger_is_folded_as_it_was_planted(ledger: Ledger, year: Year) -> None:
    with ledger.database.read() as connection:
        rows = list_rows(connection, findings, where={}, limit=1000).rows
    found = {row["finding_id"] for row in rows} - {"access-review-overdue/late"}
    assert by_name(found) == by_name(year.expected) - {"access-review-overdue/late"}
    assert all(checked.is_equal for checked in check(ledger.database, VIEWS))


@pytest.mark.slow
def test_a_whole_year_of_two_hundred_services(tmp_path: Path) -> None:
    year = Year()
    assert len(year) > 200_000
    made = tell(year, f"sqlite:///{tmp_path / 'ledger.db'}")
    runner = Runner(made.database, VIEWS, made.watcher)
    assert runner.acquire()
    runner.catch_up()
    with made.database.read() as connection:
        rows = list_rows(connection, findings, where={}, limit=1000).rows
    found = {row["finding_id"] for row in rows} - {"access-review-overdue/late"}
    assert by_name(found) == by_name(year.expected) - {"access-review-overdue/late"}
    runner.close()
    made.close()
