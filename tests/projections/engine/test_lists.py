"""Long lists of rows: kept item by item, and given back whole, on both databases."""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.log.database import Database
from projections.engine.lists import LONG, shown
from projections.engine.sql_store import SqlStore
from projections.engine.tables import items_of, make_here, table_of
from projections.engine.view import View


@dataclass(frozen=True)
class Item:
    """One line of a list."""

    word: str
    number: int


@dataclass(frozen=True)
class Row:
    """A row with two lists."""

    key: str
    words: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()


view = View("listed", version=1, row=Row, kind="change", doc="Rows with lists.")
_LENGTHS = st.sampled_from([0, 1, LONG - 1, LONG, LONG + 1, 3 * LONG])
_WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=3)


@st.composite
def rows(draw: st.DrawFn) -> Row | None:
    if draw(st.integers(0, 9)) == 0:
        return None
    words = draw(st.lists(_WORDS, min_size=1, max_size=4))
    longer, length = draw(_LENGTHS), draw(_LENGTHS)
    many = tuple(words[number % len(words)] for number in range(longer))
    return Row("k", many, tuple(Item(words[0], number) for number in range(length)))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    made.migrate()
    yield made
    made.close()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows(), min_size=1, max_size=6))
def test_a_row_comes_back_as_it_was_written_whatever_became_of_its_lists(
    database: Database, told: list[Row | None]
) -> None:
    store = SqlStore(database, [view])
    with database.write() as connection:
        make_here(connection)
        store.create(connection, view, 1)
    before: Row | None = None
    for row in told:
        with database.write() as connection:
            store.save(connection, store.prepare(view, {"k": row}, {}, {"k": before}))
        with database.read() as connection:
            found = store.on(connection).load(view, ("k",))
            texts = list(store.texts(view))
            kept = connection.execute(sa.select(sa.func.count()).select_from(items_of(view))).scalar_one()
        assert found == ({"k": row} if row is not None else {})
        assert texts == ([view.dump(row)] if row is not None else [])
        long = [items for items in (row.words, row.items) if len(items) > LONG] if row is not None else []
        assert kept == sum(len(items) for items in long)
        before = row


def test_the_column_of_a_long_list_shows_its_ends_and_how_many_are_between(database: Database) -> None:
    store = SqlStore(database, [view])
    row = Row("k", tuple(str(number) for number in range(100)))
    with database.write() as connection:
        make_here(connection)
        store.create(connection, view, 1)
        store.save(connection, store.prepare(view, {"k": row}, {}, {}))
    with database.read() as connection:
        held = connection.execute(sa.select(table_of(view).c.words)).scalar_one()
    held = orjson.loads(held) if isinstance(held, str) else held
    assert held == shown(row.words) == [*map(str, range(8)), {"left_out": 84}, *map(str, range(92, 100))]


def test_one_more_item_of_a_thousand_writes_one_item(database: Database) -> None:
    store = SqlStore(database, [view])
    row = Row("k", tuple(str(number) for number in range(1000)))
    more = Row("k", (*row.words, "one more"))
    assert store.prepare(view, {"k": more}, {}, {"k": row}).items == [["k", "words", 1000, '"one more"']]
