"""The tables of views: `view_<name>` made from the row model, for analysts and for the engine.

Every field is a column of its own type; lists and nested parts are JSON. The engine itself reads and writes `row_json`,
the canonical text of the row: what it digests is the same on every database. Tables of views are caches. They are no
part of the log's schema, and nothing is lost with them.
"""

import types
import typing
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from ledger.log.tables import VIEWS_SCHEMA
from projections.engine import lists
from projections.engine.derived import Ruled
from projections.engine.noted_tables import reads_of, waits_of
from projections.engine.tally import Tally
from projections.engine.view import Moment, Number, View

_Name: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_Moment: Final = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
JSON: Final = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
ROW: Final = "row_json"
# A table that is being filled beside the one that is served, and one that was served and is being emptied.
FILLING: Final = "__filling"
LEAVING: Final = "__leaving"

LOCK_WAIT_MS: Final = 500

metadata = sa.MetaData()


def _states(name: str) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("name", _Name, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        # How often the table was made: names of indexes must differ while two of a view exist.
        sa.Column("generation", sa.Integer, nullable=False),
        # Of columns and indexes: what changed without a new version is noticed.
        sa.Column("shape", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("failed_at", sa.BigInteger),
        sa.Column("failure", sa.Text),
    )


# How far each view has come, and why it stopped, if it did: of the tables that are served, and of those that are filled.
states: Final = _states("view_states")
fillings: Final = _states("view_fillings")


def column_type(annotation: Any) -> sa.types.TypeEngine[Any]:
    """Return the type of the column for a field of a row model."""
    if annotation is Moment:
        return _Moment
    if annotation is Number:
        return sa.Text().with_variant(sa.Numeric(), "postgresql")
    origin = typing.get_origin(annotation)
    if origin in (types.UnionType, typing.Union):
        some = [part for part in typing.get_args(annotation) if part is not type(None)]
        return column_type(some[0]) if len(some) == 1 else JSON
    if annotation is bool:
        return sa.Boolean()
    if annotation is int:
        return sa.BigInteger()
    if annotation is str or origin is typing.Literal:
        return _Name
    return JSON


@cache
def table_of(view: View[Any], suffix: str = "", generation: int = 0) -> sa.Table:
    """Return the table of a view. Its name is `view_` and the view's, and `suffix` while it is being filled."""
    hints = typing.get_type_hints(view.row, include_extras=True)
    return sa.Table(
        f"view_{view.name}{suffix}",
        sa.MetaData(),
        *(
            sa.Column(field.name, column_type(hints[field.name]), primary_key=field.name == view.key)
            for field in fields(view.row)
        ),
        sa.Column(ROW, sa.Text, nullable=False),
        # With the key: a page of one value is read in its order, however many rows have that value.
        *(sa.Index(f"view_{view.name}_{generation}_by_{column}", column, view.key) for column in view.indexes),
    )


@cache
def parts_of(view: Tally[Any], suffix: str = "") -> sa.Table:
    """Return the table of what a view that counts is the sum of. A part is JSON."""
    return sa.Table(
        f"parts_of_{view.name}{suffix}",
        sa.MetaData(),
        sa.Column("key", _Name, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("part", _Name, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


@cache
def items_of(view: View[Any], suffix: str = "") -> sa.Table:
    """Return the table of the long lists of a view's rows: `projections.engine.lists`."""
    return sa.Table(
        f"items_of_{view.name}{suffix}",
        sa.MetaData(),
        sa.Column("key", _Name, primary_key=True),
        sa.Column("field", _Name, primary_key=True),
        sa.Column("place", sa.BigInteger, primary_key=True, autoincrement=False),
        # Its text, and not JSONB: that would order its fields anew.
        sa.Column("item", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def tables_of(view: View[Any], suffix: str = "", generation: int = 0) -> list[sa.Table]:
    return [
        table_of(view, suffix, generation),
        *([reads_of(view.name, suffix, generation), waits_of(view.name, suffix)] if isinstance(view, Ruled) else []),
        *([items_of(view, suffix)] if lists.list_columns(view) else []),
        *([parts_of(view, suffix)] if isinstance(view, Tally) else []),
    ]


@cache
def shape_of(view: View[Any]) -> str:
    """Return what the columns of a view's tables are, by which it is indexed, and by which rules its rows are made, as one text."""
    tables = ";".join(
        ",".join(f"{column.name}:{column.type.compile()}" for column in table.columns) for table in tables_of(view)
    )
    # Rows that rules make are made anew when there is another rule, or another version of one.
    rules = [f"{rule.name} {rule.version}" for rule in view.rules.values()] if isinstance(view, Ruled) else []
    return f"{tables};{','.join(view.indexes)} with {view.key};{','.join(sorted(rules))}"


def has_columns_of(view: View[Any], shape: str) -> bool:
    """Say whether tables of a shape have a view's columns and indexes, whichever rules made the rows."""
    return shape.rpartition(";")[0] == shape_of(view).rpartition(";")[0]


def wait_briefly(connection: Connection) -> None:
    """Let this transaction wait briefly for tables that others read: whoever reads one next stands behind it for as long.

    Shorter than PostgreSQL takes to look for deadlocks (1 s): of two that wait for each other it is this one that lets go.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout TO '{LOCK_WAIT_MS}ms'")


def make_here(connection: Connection) -> None:
    """Let tables that this transaction makes stand where those of views do, and `view_states` among them."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL search_path TO {VIEWS_SCHEMA}, public")
    metadata.create_all(connection)


def abandoned(
    connection: Connection, unserved: Iterable[View[Any]] = (), filled: Iterable[View[Any]] = (), suffix: str = ""
) -> list[str]:
    """Return the names of tables that are served no more, or of which the filling ended before they were; `unserved` never were.

    Those of views that are being `filled` are not among them.
    """
    begun = {table.name for view in unserved for table in tables_of(view)}
    kept = {table.name for view in filled for table in tables_of(view, suffix)}
    return [
        name for name in _names(connection) if name not in kept and (name.endswith((FILLING, LEAVING)) or name in begun)
    ]


def lacking(connection: Connection, views: Iterable[View[Any]], suffix: str = "") -> list[View[Any]]:
    """Return the views of which a table is not there: somebody dropped it, or restored only some of them."""
    there = set(_names(connection))
    return [view for view in views if not there.issuperset(table.name for table in tables_of(view, suffix))]


def _names(connection: Connection) -> list[str]:
    return sa.inspect(connection).get_table_names(None if connection.dialect.name == "sqlite" else VIEWS_SCHEMA)


def empty(connection: Connection, name: str, rows: int) -> bool:
    """Take so many rows out of a table, within the connection's transaction. False when it was empty, and is dropped.

    SQLite would visit every page of a long table to drop it, and appends would wait for that.
    """
    if connection.dialect.name == "sqlite":
        keys = {
            "parts": "key, position, part",
            "items": "key, field, place",
            "reads": "what, at, reader",
            "waits": "reader",
        }
        key = keys.get(name.partition("_of_")[0], "rowid")
        some = f"DELETE FROM {name} WHERE ({key}) IN (SELECT {key} FROM {name} LIMIT {rows})"
        if connection.exec_driver_sql(some).rowcount:
            return True
    connection.exec_driver_sql(f"DROP TABLE {name}")
    return False
