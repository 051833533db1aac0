"""How much is read to answer: as much as the answer needs, however long the ledger is."""

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from year import Year, tell

from ledger.clock import to_text
from ledger.ledger import Ledger
from ledger.log import reading
from projections import VIEWS
from projections.engine.filters import kind_of
from projections.engine.runner import Runner
from projections.engine.serving import filterable, list_rows, read_row, row_as_of, state_of
from projections.engine.sql_store import SqlStore
from projections.gates.asking import ask
from projections.gates.rechecking import recheck
from projections.judging.gate_rule import Question
from projections.readings.changes.tickets import change_tickets
from projections.readings.risk.outcomes import base_rates

CHANGES = (30, 120)


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Ledger]]:
    """A ledger, and one of four times its length with the same services."""
    made = []
    for changes in CHANGES:
        url = f"sqlite:///{tmp_path_factory.mktemp('year') / 'ledger.db'}"
        made.append(tell(Year(services=20, changes=changes, planted=0), url))
        runner = Runner(made[-1].database, VIEWS, made[-1].watcher)
        assert runner.acquire()
        runner.catch_up()
        runner.close()
    yield made
    for ledger in made:
        ledger.close()


def change_of(ledger: Ledger, kind: str) -> str:
    """A change of the middle of the year that was deployed."""
    with ledger.database.read() as connection:
        rows = list_rows(connection, change_tickets, where={"change_type": kind}, limit=1000).rows
    deployed = [row["change_id"] for row in rows if row["deployments"]]
    return str(deployed[len(deployed) // 2])


def reached(connection: Connection) -> int:
    return state_of(connection, base_rates).position


def as_of(ledger: Ledger, change: str) -> None:
    with ledger.database.read() as connection:
        row_as_of(connection, SqlStore(ledger.database, VIEWS), change_tickets, change, reached(connection))


def as_it_stands(ledger: Ledger, change: str) -> None:
    with ledger.database.read() as connection:
        read_row(connection, change_tickets, change)


def gate(ledger: Ledger, change: str) -> None:
    now = to_text(ledger.clock.now_us())
    question = Question("deploy", now, "service:ci", change, None, "service-1", "prod", "sha256:" + "0" * 64)
    receipt = ask(ledger, VIEWS, question).receipt
    assert receipt is not None
    assert recheck(ledger, VIEWS, receipt.position).agrees


def count_as_of(ledger: Ledger, change: str) -> None:
    with ledger.database.read() as connection:
        row_as_of(connection, SqlStore(ledger.database, VIEWS), base_rates, "all", reached(connection))


@pytest.mark.parametrize("kind", ["normal", "standard"])
@pytest.mark.parametrize(("work", "at_most"), [(as_it_stands, 0), (as_of, 120), (gate, 250), (count_as_of, 0)])
def test_an_answer_reads_no_more_of_a_longer_ledger(
    ledgers: list[Ledger], work: Callable[[Ledger, str], None], at_most: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    inner = reading._stored
    for ledger in ledgers:
        change, read = change_of(ledger, kind), 0

        def stored(row: object) -> object:
            nonlocal read
            read += 1
            return inner(row)  # type: ignore[arg-type]

        monkeypatch.setattr(reading, "_stored", stored)
        work(ledger, change)
        counts.append(read)
    assert max(counts) <= at_most, counts
    # Not four times as many: what differs is what was told of the change itself.
    assert counts[1] <= counts[0] + 15, counts


def test_a_page_by_an_indexed_column_is_read_in_the_order_of_its_index(ledgers: list[Ledger]) -> None:
    said: list[tuple[str, object]] = []
    engine = ledgers[0].database.engine
    sa.event.listen(engine, "before_cursor_execute", lambda _, __, sql, values, *more: said.append((sql, values)))
    for view in VIEWS:
        for column in set(view.indexes) & set(filterable(view)):
            kind = kind_of(view, column)
            value = kind.values[0] if kind.values else kind.example
            with ledgers[0].database.read() as connection:
                list_rows(connection, view, where={column: value})
                sql, values = next(
                    asked for asked in reversed(said) if f" view_{view.name}" in asked[0].replace("\n", " ")
                )
                plan = [step[-1] for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
            assert [step for step in plan if "USING INDEX" not in step] == [], (view, column)
