"""The two tables of what judgements rest on: `reads_of_<view>` and `waits_of_<view>`. What they mean: `projections.engine.noted`.

They are a cache beside a view's rows, made, filled and taken over with them.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.log.database import Database
from ledger.log.sql import Bulk
from projections.engine.noted import Notes, Span, Wait
from projections.engine.view import LATEST, Moment

_Name: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


@cache
def reads_of(view: str, suffix: str = "", generation: int = 0) -> sa.Table:
    """Return the table of what judgements of a view looked at."""
    return sa.Table(
        f"reads_of_{view}{suffix}",
        sa.MetaData(),
        sa.Column("what", _Name, primary_key=True),
        sa.Column("at", _Name, primary_key=True),
        sa.Column("reader", _Name, primary_key=True),
        sa.Index(f"reads_of_{view}_{generation}_by_reader", "reader"),
        sqlite_with_rowid=False,
    )


@cache
def waits_of(view: str, suffix: str = "") -> sa.Table:
    """Return the table of how long judgements of a view hold."""
    return sa.Table(
        f"waits_of_{view}{suffix}",
        sa.MetaData(),
        sa.Column("reader", _Name, primary_key=True),
        sa.Column("due", _Name),
        sa.Column("came", _Name),
        sqlite_with_rowid=False,
    )


class SqlNotes:
    """Notes of one view in the tables of a database, as the store's connection sees them."""

    def __init__(self, database: Database, connection: Callable[[], Connection], view: str, suffix: str) -> None:
        self._database = database
        self._connection = connection
        reads, waits = reads_of(view, suffix), waits_of(view, suffix)
        self._reads, self._waits = reads.name, waits.name
        three, key = ("what", "at", "reader"), "(what, at, reader)"
        self._add = Bulk(
            database, reads, three, f"INSERT INTO {reads.name} {key} SELECT * FROM j WHERE true ON CONFLICT DO NOTHING"
        )
        self._drop = Bulk(database, reads, three, f"DELETE FROM {reads.name} WHERE {key} IN (SELECT * FROM j)")
        self._wait = Bulk(
            database,
            waits,
            ("reader", "due", "came"),
            f"INSERT INTO {waits.name} (reader, due, came) SELECT * FROM j WHERE true"
            " ON CONFLICT (reader) DO UPDATE SET due = excluded.due, came = excluded.came",
        )
        self._end = Bulk(
            database, waits, ("reader",), f"DELETE FROM {waits.name} WHERE reader IN (SELECT reader FROM j)"
        )

    def readers(self, whats: Collection[str], span: Span | None) -> list[tuple[str, str, Moment]]:
        low, high = span or (LATEST, "")
        asked = [(what, low, high) for what in whats]
        sql = f"""SELECT t.reader, t.what, t.at FROM {{j}} CROSS JOIN {self._reads} t WHERE t.what = j.a AND t.at = ''
            UNION ALL SELECT t.reader, t.what, t.at FROM {{j}} CROSS JOIN {self._reads} t
            WHERE t.what = j.a AND t.at > '' AND t.at BETWEEN j.b AND j.c"""
        return [(reader, what, at) for reader, what, at in self._ask(sql, asked)]

    def few_readers(self, whats: Collection[str], most: int) -> dict[str, list[tuple[str, Moment]]]:
        sql = f"""SELECT j.a FROM {{j}}
            WHERE (SELECT count(*) FROM (SELECT 1 FROM {self._reads} t WHERE t.what = j.a LIMIT {most + 1}) few) <= {most}"""
        found: dict[str, list[tuple[str, Moment]]] = {what: [] for (what,) in self._ask(sql, [(w,) for w in whats])}
        sql = f"SELECT t.what, t.reader, t.at FROM {{j}} CROSS JOIN {self._reads} t WHERE t.what = j.a"
        for what, reader, at in self._ask(sql, [(what,) for what in found]):
            found[what].append((reader, at))
        return found

    def reads_of(self, readers: Collection[str]) -> list[tuple[str, str, Moment]]:
        sql = f"SELECT t.reader, t.what, t.at FROM {{j}} CROSS JOIN {self._reads} t WHERE t.reader = j.a"
        return [(reader, what, at) for reader, what, at in self._ask(sql, [(reader,) for reader in readers])]

    def waits(self) -> list[tuple[str, Moment]]:
        sql = f"SELECT reader, due FROM {self._waits} WHERE due IS NOT NULL"
        return [(reader, due) for reader, due in self._connection().exec_driver_sql(sql)]

    def came_after(self, time: Moment) -> list[str]:
        t = sa.table(self._waits, sa.column("reader"), sa.column("came"))
        return list(self._connection().execute(sa.select(t.c.reader).where(t.c.came > time)).scalars())

    def waits_of(self, readers: Collection[str]) -> dict[str, Wait]:
        sql = f"SELECT t.reader, t.due, t.came FROM {{j}} CROSS JOIN {self._waits} t WHERE t.reader = j.a"
        return {reader: (due, came) for reader, due, came in self._ask(sql, [(reader,) for reader in readers])}

    def _ask(self, sql: str, asked: Sequence[tuple[str, ...]]) -> Iterable[Any]:
        """Run a query over some values `j`, of the columns a, b and c: one statement, however many they are."""
        if not asked:
            return ()
        width = len(asked[0])
        columns = "abc"[:width]
        if self._database.is_sqlite:
            # A statement takes its values once, and may name them twice.
            each = ", ".join(f"value ->> {place} AS {name}" for place, name in enumerate(columns))
            sql = f"WITH j AS (SELECT {each} FROM json_each(?)) {sql}"
            return self._connection().exec_driver_sql(sql.replace("{j}", "j"), (orjson.dumps(asked).decode(),))
        arrays = ", ".join("%s::text[]" for _ in columns)
        sql = f"WITH j AS (SELECT * FROM unnest({arrays}) AS v({', '.join(columns)})) {sql}"
        values = tuple(list(column) for column in zip(*asked, strict=True))
        return self._connection().exec_driver_sql(sql.replace("{j}", "j"), values)

    def save(self, connection: Connection, rows: Sequence[list[list[Any]]]) -> None:
        """Write what a batch noted, as `prepared` made it ready, within the connection's transaction."""
        for bulk, some in zip((self._add, self._drop, self._wait, self._end), rows, strict=True):
            if some:
                bulk.run(connection, some)


def prepared(notes: Notes) -> tuple[list[list[Any]], ...]:
    """Return the rows to write: reads that came, reads that went, waits, and waits that are over."""
    came = [[what, at, reader] for (reader, what, at), is_read in notes.reads.items() if is_read]
    went = [[what, at, reader] for (reader, what, at), is_read in notes.reads.items() if not is_read]
    waits = [[reader, *wait] for reader, wait in notes.waits.items() if wait is not None]
    over = [[reader] for reader, wait in notes.waits.items() if wait is None]
    return came, went, waits, over
