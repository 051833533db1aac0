"""Whoever asks or folds leaves nothing behind that only the collector of garbage ends: it stops every thread of a process for what it
looks at, and what was asked of a large ledger is much.
"""

import gc
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from histories import random_history
from telling import Story
from year import Year, tell

from ledger.clock import to_text
from ledger.ledger import Ledger
from projections import VIEWS
from projections.engine.runner import Runner
from projections.engine.serving import list_rows, row_as_of
from projections.engine.sql_store import SqlStore
from projections.engine.view import View
from projections.gates.asking import ask
from projections.gates.composition import GATES
from projections.judging.gate_rule import Question


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ledger, int]:
    """A ledger, and up to where its views are folded."""
    path: Path = tmp_path_factory.mktemp("garbage") / "ledger.db"
    told = tell(Year(services=3, changes=12), str(path))
    runner = Runner(told.database, VIEWS, told.watcher)
    assert runner.acquire()
    position = runner.catch_up()
    runner.close()
    return told, position


def left_behind(work: Callable[[], object]) -> Counter[str]:
    """Return what is in cycles after some work that nobody holds any more: our own things, by type."""
    # What is made once for all who ask, is made before.
    work()
    gc.collect()
    gc.disable()
    try:
        work()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        rooms = ("ledger.", "projections.", "api.")
        return Counter(type(one).__name__ for one in gc.garbage if type(one).__module__.startswith(rooms))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("gate", GATES)
def test_who_asks_a_gate_leaves_nothing_behind(folded: tuple[Ledger, int], gate: str) -> None:
    ledger, _ = folded
    question = Question(gate, to_text(ledger.clock.now_us()), "service:ci", "CHG-6", "d-6", "svc-1", "prod")
    assert not left_behind(lambda: ask(ledger, VIEWS, question))


def test_who_asks_about_the_past_leaves_nothing_behind(folded: tuple[Ledger, int]) -> None:
    ledger, position = folded
    store = SqlStore(ledger.database, VIEWS)

    def asked(view: View[Any]) -> None:
        with ledger.database.read() as connection:
            for row in list_rows(connection, view, where={}, limit=3).rows:
                row_as_of(connection, store, view, row[view.key], position)

    # All at once: to collect looks at everything there is.
    assert not left_behind(lambda: [asked(view) for view in VIEWS])


def test_folding_and_judging_leave_nothing_behind() -> None:
    story, documents = Story(), iter(random_history(7, 120))

    def more() -> None:
        for document in islice(documents, 60):
            story.add(document)
        story.flush()

    assert not left_behind(more)
    assert next(documents, None) is None
