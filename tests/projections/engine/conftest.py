"""What the tests of the engine share: the views, folded by a runner in small batches."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from ledger.ledger import Ledger
from projections import VIEWS
from projections.engine.progress import with_inputs
from projections.engine.runner import Runner
from projections.engine.view import View
from projections.readings.changes.timeline import change_timeline
from projections.readings.delivery.deployments import deployments


@pytest.fixture
def runner(ledger: Ledger) -> Iterator[Runner]:
    """All views."""
    yield from _running(ledger, VIEWS)


@pytest.fixture
def few() -> list[View[Any]]:
    """Two views and what they read: a dozen instead of a hundred and more, where it does not matter which."""
    return with_inputs(VIEWS, [deployments, change_timeline])


@pytest.fixture
def runner_of_few(ledger: Ledger, few: list[View[Any]]) -> Iterator[Runner]:
    yield from _running(ledger, few)


def _running(ledger: Ledger, views: Sequence[View[Any]]) -> Iterator[Runner]:
    made = Runner(ledger.database, views, ledger.watcher, batch=7)
    assert made.acquire()
    yield made
    made.close()
