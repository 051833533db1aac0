"""A made-up year: every breach that was planted is found, and nothing else is."""

from collections.abc import Callable
from pathlib import Path

import pytest
from year import Year, tell, told

from projections import VIEWS
from projections.engine.checking import check
from projections.engine.runner import Runner
from projections.judging.findings import findings
from signing.keys import SigningKey

# The first three say a position, the next rest on what a gate answered: only a ledger gives these. The last is of what senders count.
NOT_PLANTED = {
    "statement-contradicted",
    "withdrawal-of-anothers",
    "withdrawn-by-who-acted",
    "deployed-against-the-gate",
    "deployed-by-another-artifact",
    "sequence-gap",
}


def test_every_finding_is_planted_by_the_tests_of_its_practice() -> None:
    planted = {finding.partition("/")[0] for finding in Year(services=20, changes=120, planted=1).expected}
    assert planted == set(findings.rules) - NOT_PLANTED


@pytest.mark.parametrize("seed", [7, pytest.param(8, marks=pytest.mark.slow)])
def test_every_planted_breach_is_found_and_nothing_else(seed: int) -> None:
    year = Year(seed=seed, services=20, changes=300, planted=2)
    found = {findings.load(text).finding_id for text in told(year, 300).store.texts(findings)}
    assert (sorted(year.expected - found), sorted(found - year.expected)) == ([], [])
    assert len(found) > 30


def test_sqlite_and_postgresql_fold_a_year_to_the_same_digests(new_postgres: Callable[[], str], tmp_path: Path) -> None:
    found, key = [], SigningKey.generate()
    for url in (f"sqlite:///{tmp_path / 'ledger.db'}", new_postgres()):
        ledger = tell(Year(services=20, changes=40, planted=1), url, key)
        runner = Runner(ledger.database, VIEWS, ledger.watcher)
        assert runner.acquire()
        runner.catch_up()
        runner.close()
        checked = check(ledger.database, VIEWS)
        assert all(view.is_equal for view in checked)
        found.append({view.name: view.served for view in checked})
        ledger.close()
    assert found[0] == found[1]
    # Nearly all views have something to say of that year.
    assert len(set(found[0].values())) > 18
