"""`SqlStore`: rows of views, and what judgements rest on, in the tables of a database. How the tables look: `projections.engine.tables`."""

import typing
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.errors import LedgerError
from ledger.log.database import WRITING_ERRORS, Database, is_outage
from ledger.log.sql import Bulk
from projections.engine import lists
from projections.engine.noted import NO_NOTES, Notes
from projections.engine.noted_tables import SqlNotes, prepared
from projections.engine.store import Parts, Rows
from projections.engine.tables import (
    JSON,
    LEAVING,
    ROW,
    column_type,
    items_of,
    parts_of,
    table_of,
    tables_of,
)
from projections.engine.tally import Part, Tally
from projections.engine.view import View

# So many rows are read at once where all are.
PAGE: Final = 1000


class RowRefusedError(LedgerError):
    """A row of a view cannot be written: the database, or JSON, has no place for a value of it."""

    def __init__(self, view: str, reason: str) -> None:
        super().__init__(f"a row of {view} cannot be written: {reason}")
        self.view = view
        self.reason = reason


@contextmanager
def _refusing(view: View[Any]) -> Iterator[None]:
    """Tell what is about the values of a view's rows from an outage."""
    try:
        yield
    except WRITING_ERRORS as error:
        if is_outage(error):
            raise
        # What a driver says may quote the row: the kind of error is what can be told, the rest is its cause.
        kind = type(getattr(error, "orig", None) or error).__name__
        raise RowRefusedError(view.name, f"the database cannot hold the row ({kind})") from error


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows of a view as their table has them, and keys of rows that are gone."""

    view: View[Any]
    written: list[list[Any]]
    gone: list[str]
    parts: list[list[Any]]
    # Of long lists: (key, column, place, item), and (key, column, length) of those that are shorter now.
    items: list[list[Any]]
    shorter: list[tuple[str, str, int]]
    # Of what rules find: what it rests on, as `noted_tables.prepared` has it.
    notes: tuple[list[list[Any]], ...]


def whole(connection: Connection, view: View[Any], texts: Mapping[str, str], suffix: str = "") -> dict[str, str]:
    """Return the canonical texts of rows from those in their table, by key: with their long lists."""
    cut = [key for key, text in texts.items() if lists.is_cut(text)]
    if not cut:
        return dict(texts)
    items: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    i = items_of(view, suffix).c
    query = sa.select(i.key, i.field, i.item).where(i.key.in_(cut)).order_by(i.key, i.field, i.place)
    for key, field, item in connection.execute(query):
        items[key][field].append(item)
    return {**texts, **{key: lists.whole(view, texts[key], items[key]) for key in cut}}


class SqlStore:
    """Rows of views in the tables of a database, as one connection sees them."""

    def __init__(self, database: Database, views: Sequence[View[Any]], suffix: str = "") -> None:
        self.database = database
        self._suffix = suffix
        self._tables = {view.name: table_of(view, suffix) for view in views}
        # Of the tables that were written to: a reader makes none.
        self._writes: dict[str, Bulk] = {}
        self._notes: dict[str, SqlNotes] = {}
        self._connection: Connection | None = None

    def table(self, view: View[Any]) -> sa.Table:
        return self._tables[view.name]

    def on(self, connection: Connection) -> "SqlStore":
        """Read through a connection from now on."""
        self._connection = connection
        return self

    def create(self, connection: Connection, view: View[Any], generation: int) -> None:
        """Make the table of a view anew, empty."""
        for table in tables_of(view, self._suffix, generation):
            table.drop(connection, checkfirst=True)
            table.create(connection)

    def take_over(self, connection: Connection, view: View[Any], generation: int) -> None:
        """Put the table that was filled in the place of the one that is served, which is left to `empty`; unless it stands there."""
        if not self._suffix:
            return
        known = sa.inspect(connection)
        for table, filled in zip(
            tables_of(view, "", generation), tables_of(view, self._suffix, generation), strict=True
        ):
            if known.has_table(table.name):
                connection.exec_driver_sql(f"ALTER TABLE {table.name} RENAME TO {table.name}{LEAVING}")
            connection.exec_driver_sql(f"ALTER TABLE {filled.name} RENAME TO {table.name}")

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            raise RuntimeError("the store was asked before it was given a connection")
        return self._connection

    def load(self, view: View[Any], keys: Collection[str]) -> dict[str, Any]:
        table = self._tables[view.name].name
        sql = {
            "sqlite": f'SELECT t."{view.key}", t.{ROW} FROM json_each(?) j CROSS JOIN {table} t ON t."{view.key}" = j.value',
            "postgresql": f'SELECT t."{view.key}", t.{ROW} FROM {table} t WHERE t."{view.key}" = ANY(%s::text[])',
        }
        if not keys:
            return {}
        found = self.database.lookup(self.connection, sql, list(keys))
        texts = whole(self.connection, view, {row[0]: row[1] for row in found}, self._suffix)
        return {key: view.load(text) for key, text in texts.items()}

    def find(self, view: View[Any], column: str, value: str | bool) -> list[str]:
        place = "?" if self.database.is_sqlite else "%s"
        sql = f'SELECT "{view.key}" FROM {self._tables[view.name].name} WHERE "{column}" = {place}'
        return [key for (key,) in self.connection.exec_driver_sql(sql, (value,))]

    def notes(self, view: View[Any]) -> SqlNotes:
        if view.name not in self._notes:
            self._notes[view.name] = SqlNotes(self.database, lambda: self.connection, view.name, self._suffix)
        return self._notes[view.name]

    def parts(self, view: Tally[Any], key: str, up_to: int) -> list[tuple[Part, int]]:
        sql = f"SELECT part, sum(count) FROM {parts_of(view, self._suffix).name} WHERE key = ? AND position <= ? GROUP BY part"
        if not self.database.is_sqlite:
            sql = sql.replace("?", "%s")
        found = self.connection.exec_driver_sql(sql, (key, up_to))
        return [(tuple(orjson.loads(part)), int(count)) for part, count in found]

    def prepare(self, view: View[Any], rows: Rows, parts: Parts, before: Rows, notes: Notes = NO_NOTES) -> "Prepared":
        """Make rows ready to be written: their texts take longer than the writing, and nobody has to wait for them.

        `before` are the same rows as the table has them. Raises RowRefusedError for one that cannot be written.
        """
        gone = [key for key, row in rows.items() if row is None]
        counted = [[key, at, orjson.dumps(part).decode(), count] for (key, at, part), count in parts.items()]
        items: list[list[Any]] = []
        shorter: list[tuple[str, str, int]] = []
        with _refusing(view):
            written = [_values(view, row) for row in rows.values() if row is not None]
            if lists.list_columns(view):
                for key, row in rows.items():
                    some, cut = lists.moved(view, key, before.get(key), row)
                    items += some
                    shorter += cut
        return Prepared(view, written, gone, counted, items, shorter, prepared(notes))

    def save(self, connection: Connection, ready: "Prepared") -> None:
        """Write and take away rows, within the connection's transaction. Raises RowRefusedError where the database refuses one."""
        view, table = ready.view, self._tables[ready.view.name]
        with _refusing(view):
            if ready.gone:
                connection.execute(sa.delete(table).where(table.c[view.key].in_(ready.gone)))
            if ready.shorter:
                i = items_of(view, self._suffix).c
                for key, field, length in ready.shorter:
                    tail = sa.delete(items_of(view, self._suffix))
                    connection.execute(tail.where(i.key == key, i.field == field, i.place >= length))
            self._write(connection, table, ready.written, _upsert)
            if ready.items:
                self._write(connection, items_of(view, self._suffix), ready.items, _upsert)
            if ready.parts and isinstance(view, Tally):
                self._write(connection, parts_of(view, self._suffix), ready.parts, _insert)
            if any(ready.notes):
                self.notes(view).save(connection, ready.notes)

    def _write(
        self, connection: Connection, table: sa.Table, rows: list[list[Any]], made: Callable[[Database, sa.Table], Bulk]
    ) -> None:
        if not rows:
            return
        if table.name not in self._writes:
            self._writes[table.name] = made(self.database, table)
        self._writes[table.name].run(connection, rows)

    def texts(self, view: View[Any]) -> Iterator[str]:
        t = self._tables[view.name].c
        query = sa.select(t[view.key], t[ROW]).order_by(t[view.key])
        for page in self.connection.execution_options(yield_per=PAGE).execute(query).partitions():
            yield from whole(self.connection, view, {row[0]: row[1] for row in page}, self._suffix).values()

    def part_texts(self, view: Tally[Any]) -> Iterator[str]:
        t = parts_of(view, self._suffix).c
        query = sa.select(t.key, t.position, t.part, t.count).order_by(t.key, t.position, t.part)
        for line in self.connection.execution_options(yield_per=PAGE).execute(query):
            yield orjson.dumps(tuple(line)).decode()


@cache
def _nested(view: View[Any]) -> tuple[int, ...]:
    """Return the places of the columns that are held as JSON."""
    hints = typing.get_type_hints(view.row, include_extras=True)
    return tuple(place for place, name in enumerate(view.columns) if column_type(hints[name]) is JSON)


def _values(view: View[Any], row: Any) -> list[Any]:
    held = row.__dict__
    values = [held[name] for name in view.columns]
    for place in _nested(view):
        if values[place] is not None:
            value = values[place]
            values[place] = orjson.dumps(lists.shown(value) if isinstance(value, tuple) else value).decode()
    values.append(lists.text_of(view, row))
    return values


def _insert(database: Database, table: sa.Table) -> Bulk:
    names = [column.name for column in table.columns]
    columns = ", ".join(f'"{name}"' for name in names)
    return Bulk(database, table, names, f"INSERT INTO {table.name} ({columns}) SELECT * FROM j")


def _upsert(database: Database, table: sa.Table) -> Bulk:
    names = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key.columns]
    columns, key = (", ".join(f'"{name}"' for name in some) for some in (names, keys))
    moved = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in keys)
    body = f"INSERT INTO {table.name} ({columns}) SELECT * FROM j WHERE true ON CONFLICT ({key}) DO UPDATE SET {moved}"
    return Bulk(database, table, names, body)
