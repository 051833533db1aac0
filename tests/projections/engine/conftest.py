"""What the tests of the engine share: the views, folded by a runner in small batches."""

from collections.abc import Iterator

import pytest

from ledger.ledger import Ledger
from projections import VIEWS
from projections.engine.runner import Runner


@pytest.fixture
def runner(ledger: Ledger) -> Iterator[Runner]:
    made = Runner(ledger.database, VIEWS, ledger.watcher, batch=7)
    assert made.acquire()
    yield made
    made.close()
