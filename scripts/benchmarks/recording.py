"""What the ledger says to the driver, word for word, to be said again without the ledger.

Recorded below SQLAlchemy, by subclasses of the driver's own connection and cursor: so a statement is caught whichever way the program
sends it, and one that could not be said again (COPY, pipelines) is refused aloud instead of being left out of the floor.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import sqlalchemy as sa

from ledger.log.database import Database


@dataclass(frozen=True, slots=True)
class Said:
    """One call of a cursor."""

    sql: Any
    parameters: Any
    many: bool


@dataclass
class Recording:
    """The statements of a ledger's appends, group by group, and how its connection was opened."""

    said: list[Said] = field(default_factory=list)
    groups: list[list[Said]] = field(default_factory=list)
    settings: list[Said] = field(default_factory=list)
    arguments: tuple[Sequence[Any], dict[str, Any]] = ((), {})

    def listen(self, database: Database) -> None:
        """Record everything that connections opened from now on are told."""
        sa.event.listen(database.engine, "do_connect", self._connect)

    def begin(self) -> None:
        """Opening is over: what was set on the connection is kept, what was read is not part of an append."""
        self.settings = [s for s in self.said if str(s.sql).startswith(("PRAGMA", "SET "))]
        self.said = []

    def end_group(self) -> None:
        self.groups.append(self.said)
        self.said = []

    def _connect(self, dialect: sa.Dialect, _record: Any, args: Sequence[Any], more: dict[str, Any]) -> Any:
        self.arguments = (tuple(args), dict(more))
        if dialect.name == "sqlite":
            return sqlite3.connect(*args, **more, factory=_sqlite_connection(self.said_now))
        return _postgres_connection(self.said_now).connect(*args, **more)

    def said_now(self, sql: Any, parameters: Any = None, many: bool = False) -> None:
        self.said.append(Said(sql, list(parameters) if many else parameters, many))

    # -- saying it again -----------------------------------------------------------------------------------------

    def replay_sqlite(self, path: str) -> Callable[[int], int]:
        """Return a function that says group n again to the database at `path`, and returns how many statements it said."""
        _, more = self.arguments
        connection = sqlite3.connect(path, **{**more, "isolation_level": None})
        return self._replay(connection.cursor())

    def replay_postgres(self, url: str) -> Callable[[int], int]:
        _, more = self.arguments
        same = {name: value for name, value in more.items() if name == "prepare_threshold"}
        return self._replay(psycopg.connect(url, autocommit=True, **same).cursor())

    def _replay(self, cursor: Any) -> Callable[[int], int]:
        def say(said: list[Said]) -> int:
            for one in said:
                if one.many:
                    cursor.executemany(one.sql, one.parameters)
                elif one.parameters is None:
                    cursor.execute(one.sql)
                else:
                    cursor.execute(one.sql, one.parameters)
                if cursor.description is not None:
                    cursor.fetchall()
            return len(said)

        say(self.settings)
        return lambda number: say(self.groups[number])


def _refuse(what: str) -> Any:
    raise NotImplementedError(f"the ledger uses {what}, which the benchmark's floor cannot say again yet")


def _sqlite_connection(note: Callable[..., None]) -> type[sqlite3.Connection]:
    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, parameters: Any = (), /) -> "Cursor":
            note(sql, parameters or None)
            super().execute(sql, parameters)
            return self

        def executemany(self, sql: str, parameters: Any, /) -> "Cursor":
            parameters = list(parameters)
            note(sql, parameters, True)
            super().executemany(sql, parameters)
            return self

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = None) -> Any:
            return super().cursor(factory or Cursor)

        def execute(self, sql: str, parameters: Any = (), /) -> Any:
            return self.cursor().execute(sql, parameters)

        def executemany(self, sql: str, parameters: Any, /) -> Any:
            return self.cursor().executemany(sql, parameters)

        def commit(self) -> None:
            if self.in_transaction:
                note("COMMIT")
            super().commit()

    return Connection


def _postgres_connection(note: Callable[..., None]) -> type["psycopg.Connection[Any]"]:
    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **more: Any) -> "Cursor":
            note(query, params)
            super().execute(query, params, **more)
            return self

        def executemany(self, query: Any, params_seq: Any, **more: Any) -> None:
            rows = list(params_seq)
            note(query, rows, True)
            super().executemany(query, rows, **more)

        def copy(self, *args: Any, **more: Any) -> Any:
            return _refuse("COPY")

    class Connection(psycopg.Connection[Any]):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self.cursor_factory = Cursor

        def pipeline(self) -> Any:
            return _refuse("a pipeline")

        def commit(self) -> None:
            if self.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
                note("COMMIT")
            super().commit()

    return Connection
