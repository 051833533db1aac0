"""The hot statements of appending and reading, compiled once for a database's dialect."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from ledger.conditions import Match
from ledger.log import tables
from ledger.log.database import NOTIFY_CHANNEL, Database

_POSTGRESQL: Final = postgresql.dialect()  # type: ignore[no-untyped-call]


class Bulk:
    """One statement over many rows, which it finds as a table `j` with the columns `names`.

    PostgreSQL gets the rows as arrays of columns. SQLite gets them as VALUES, in pieces of powers of two so that few statements are
    ever prepared. Not row by row: the driver gives up the interpreter's lock for every step, and beside a busy event loop taking it
    back costs more than the step.
    """

    LARGEST = 256

    def __init__(self, database: Database, table: sa.Table, names: Sequence[str], body: str) -> None:
        self._width = len(names)
        columns = ", ".join(f'"{name}"' for name in names)
        if database.is_sqlite:
            row = f"({', '.join('?' * self._width)})"
            sizes = [1 << power for power in range(self.LARGEST.bit_length() - 1, -1, -1)]
            self._by_size = [(n, f"WITH j({columns}) AS (VALUES {', '.join([row] * n)}) {body}") for n in sizes]
            self.run = self._run_values
        else:
            types = [table.c[name].type.compile(_POSTGRESQL).partition(" COLLATE")[0].lower() for name in names]
            arrays = ", ".join(f"%b::{kind}[]" for kind in types)
            self.sql = f"WITH j({columns}) AS (SELECT * FROM unnest({arrays})) {body}"
            self.run = self._run_arrays

    def _run_values(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        start = 0
        for size, sql in self._by_size:
            while len(rows) - start >= size:
                connection.exec_driver_sql(sql, tuple(chain.from_iterable(rows[start : start + size])))
                start += size

    def _run_arrays(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        connection.exec_driver_sql(self.sql, arrays_of(rows))


def arrays_of(rows: Sequence[Sequence[Any]]) -> tuple[list[Any], ...]:
    """Return rows as arrays of columns."""
    return tuple(list(column) for column in zip(*rows, strict=True))


@dataclass(slots=True)
class Ref:
    """A row of `refs`: how often a ref has occurred, and where last."""

    id: int
    count: int = 0
    last: int = 0
    is_new: bool = False


class Statements:
    """The hot statements of appending, compiled once for the database's dialect."""

    def __init__(self, database: Database) -> None:
        def insert(table: sa.Table, *names: str) -> Bulk:
            columns = ", ".join(f'"{name}"' for name in names)
            return Bulk(database, table, names, f"INSERT INTO {table.name} ({columns}) SELECT * FROM j")

        t = tables
        self.insert_entry = insert(t.entries, "position", "type_id", "key_number", "leaf_hash", "signature", "entry")
        self.insert_statement = insert(t.statements, "source_id", "id", "position")
        self.insert_entry_ref = insert(t.entry_refs, "ref_id", "position", "type_id")
        self.insert_ref = insert(t.refs, "ref", "id", "count", "last_position")
        self.insert_type = insert(t.event_types, "id", "name")
        self.insert_source = insert(t.sources, "id", "name")
        self.insert_node = insert(t.nodes, "height", "index", "hash")
        self.insert_text = insert(t.texts, "position", "field", "salt", "text")
        self.insert_submitted = insert(t.submitted, "position", "digest")
        self.insert_evidence = insert(t.evidence, "position", "sha256", "body")
        self.move_ref = Bulk(
            database,
            t.refs,
            ("count", "last_position", "ref"),
            "UPDATE refs SET count = j.count, last_position = j.last_position FROM j WHERE refs.ref = j.ref",
        )
        columns = ("size", "last_leaf", "frontier", "recorded_at", "authority_position", "entry_keys")
        moved = ", ".join(f"{name} = j.{name}" for name in columns)
        self.move_head = Bulk(
            database, t.head, ("id", *columns), f"UPDATE head SET {moved} FROM j WHERE head.id = j.id"
        )
        self.insert_head = insert(t.head, "id", *columns)
        self.head = f"SELECT {', '.join(columns)} FROM head" + ("" if database.is_sqlite else " FOR UPDATE")
        self.leaf = database.hot(
            sa.select(tables.entries.c.leaf_hash).where(tables.entries.c.position == sa.bindparam("position")),
            "position",
        )
        e = tables.entries.c
        self.first = database.hot(
            sa.select(e.leaf_hash, e.signature, e.key_number, e.entry, t.submitted.c.digest)
            .select_from(tables.entries.outerjoin(t.submitted, t.submitted.c.position == e.position))
            .where(e.position == sa.bindparam("position")),
            "position",
        )
        # Looking up an array of values is where the two dialects have no common Core expression.
        self.find_refs = _lookup("SELECT r.ref, r.id, r.count, r.last_position FROM", "refs r", "r.ref")
        self.find_sources = _lookup("SELECT s.name, s.id FROM", "sources s", "s.name")
        self.find_types = _lookup("SELECT s.name, s.id FROM", "event_types s", "s.name")
        self.find_statements = {
            "sqlite": "SELECT s.source_id, s.id, s.position FROM json_each(?) j CROSS JOIN statements s "
            "ON s.source_id = json_extract(j.value, '$[0]') AND s.id = json_extract(j.value, '$[1]')",
            "postgresql": "SELECT s.source_id, s.id, s.position FROM unnest(%s::bigint[], %s::text[]) AS j(source_id, id) "
            "JOIN statements s ON s.source_id = j.source_id AND s.id = j.id",
        }

        self._is_sqlite = database.is_sqlite

    def run(self, connection: Connection, work: Iterable[tuple[Bulk, Sequence[Sequence[Any]]]], *, tell: bool) -> None:
        """Write rows of several tables, of no row twice. On PostgreSQL in one round trip, which may also `tell` who follows the log."""
        work = [(bulk, rows) for bulk, rows in work if rows]
        if self._is_sqlite:
            for bulk, rows in work:
                bulk.run(connection, rows)
            return
        parts = ", ".join(f"w{number} AS ({bulk.sql})" for number, (bulk, _) in enumerate(work))
        # Delivered to subscribers in other processes when the transaction commits, and not before.
        last = f"pg_notify('{NOTIFY_CHANNEL}', '')" if tell else "1"
        values = tuple(chain.from_iterable(arrays_of(rows) for _, rows in work))
        connection.exec_driver_sql(f"WITH {parts} SELECT {last}", values).close()


def match_of_parameters(types: int, refs: int, number: int = 0) -> Any:
    """Return a match of so many types and refs that are parameters: a query of it is made once for all values.

    `number` tells several matches of one query apart.
    """
    return Match(
        tuple(sa.bindparam(f"type_{number}_{n}") for n in range(types)),  # type: ignore[misc]
        tuple(sa.bindparam(f"ref_{number}_{n}") for n in range(refs)),  # type: ignore[misc]
    )


def match_values(match: Match, number: int = 0) -> dict[str, Any]:
    """Return the values of those parameters."""
    types = {f"type_{number}_{n}": value for n, value in enumerate(match.types)}
    return types | {f"ref_{number}_{n}": value for n, value in enumerate(match.refs)}


def _lookup(select: str, table: str, column: str) -> dict[str, str]:
    return {
        "sqlite": f"{select} json_each(?) j CROSS JOIN {table} ON {column} = j.value",
        "postgresql": f"{select} {table} WHERE {column} = ANY(%s::text[])",
    }


def matching_positions(
    match: Match, after: Any, limit: Any, *, last_first: bool = False, up_to: Any = None
) -> sa.Select[int]:
    """Return a query for the first positions after `after` whose entries match: by ref, because refs are the narrower index."""
    e, er = tables.entries.c, tables.entry_refs
    position, type_id = e.position, e.type_id
    query = sa.select(position)
    if match.refs:
        first, *others = (er.alias(f"r{number}") for number in range(len(match.refs)))
        position, type_id = first.c.position, first.c.type_id
        query = sa.select(position).where(first.c.ref_id == _ref_id(match.refs[0]))
        for other, ref in zip(others, match.refs[1:], strict=True):
            query = query.join(other, sa.and_(other.c.position == position, other.c.ref_id == _ref_id(ref)))
    if match.types:
        types = sa.select(tables.event_types.c.id).where(tables.event_types.c.name.in_(match.types))
        query = query.where(type_id.in_(types))
    if up_to is not None:
        query = query.where(position <= up_to)
    return query.where(position > after).order_by(position.desc() if last_first else position).limit(limit)


def positions_by_type(match: Match, after: Any, limit: Any) -> sa.Select[int]:
    """Return the same as `matching_positions`, found by type: of a match with types."""
    position = tables.entries.c.position
    return sa.select(position).where(*carries(match), position > after).order_by(position).limit(limit)


def carries(match: Match) -> list[sa.ColumnElement[bool]]:
    """Return the conditions under which an entry, found by its type, matches. A subquery for each ref keeps the type in the lead."""
    e, er = tables.entries.c, tables.entry_refs
    types = sa.select(tables.event_types.c.id).where(tables.event_types.c.name.in_(match.types))
    found: list[sa.ColumnElement[bool]] = [e.type_id.in_(types)]
    for ref in match.refs:
        r = er.alias()
        found.append(sa.exists().where(r.c.ref_id == _ref_id(ref), r.c.position == e.position))
    return found


def _ref_id(ref: str) -> sa.ScalarSelect[int]:
    return sa.select(tables.refs.c.id).where(tables.refs.c.ref == ref).scalar_subquery()
