"""Where an audit reads from: the database, by pages in short transactions. Workers of other processes open it again.

A directory of files is `ledger.audit.of_files`. Nothing is judged here.
"""

from collections.abc import Iterator
from typing import Protocol

import sqlalchemy as sa

from ledger.audit.checkpoints import RawCheckpoint
from ledger.audit.ranges import Row
from ledger.audit.reading import PAGE, page, typed
from ledger.faults import Fault
from ledger.log import tables
from ledger.log.database import Database


class Source(Protocol):
    """Entries by position and the checkpoints kept for a range of sizes. It can be pickled."""

    def rows(self, start: int, count: int) -> Iterator[Row]: ...

    def checkpoints(self, start: int, count: int) -> list[RawCheckpoint]: ...

    def take_faults(self) -> list[Fault]:
        """Return what could not be read since the last time, once."""


class DatabaseSource:
    """A ledger's database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def __getstate__(self) -> Database:
        return self.database

    def __setstate__(self, database: Database) -> None:
        self.database = database
        self.database.read_any_text()

    def rows(self, start: int, count: int) -> Iterator[Row]:
        """Yield rows in pages, each page its own short transaction."""
        position, end = start - 1, start + count - 1
        while position < end:
            with self.database.engine.connect() as connection:
                rows = list(page(connection, position, min(position + PAGE, end)))
            yield from rows
            position += PAGE

    def take_faults(self) -> list[Fault]:
        return []  # What a database cannot read, it says by an error.

    def checkpoints(self, start: int, count: int) -> list[RawCheckpoint]:
        with self.database.engine.connect() as connection:
            return stored_checkpoints(connection, start, count)


def stored_checkpoints(connection: sa.Connection, start: int, count: int) -> list[RawCheckpoint]:
    """Return the checkpoints of sizes from `start` on, as they are kept."""
    c, w = typed(tables.checkpoints), typed(tables.cosignatures)
    lines: dict[int, list[tuple[str, str]]] = {}
    inside = sa.select(w.size, w.witness, w.line).where(w.size >= start, w.size < start + count).order_by(w.witness)
    for size, witness, line in connection.execute(inside):
        lines.setdefault(size, []).append((witness, line))
    sizes = sa.select(c.size, c.note).where(c.size >= start, c.size < start + count).order_by(c.size)
    found = [RawCheckpoint(size, note, tuple(lines.pop(size, ()))) for size, note in connection.execute(sizes)]
    # What is signed beneath no checkpoint is a checkpoint that cannot be read.
    return [*found, *(RawCheckpoint(size, "", tuple(of_size)) for size, of_size in lines.items())]
