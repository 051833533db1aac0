"""How the audit reads a database: rows by pages, whole tables by streams, columns cast to what they should be. It judges nothing."""

import secrets as random_source
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.audit.checkpoints import Commitment, read_commitment
from ledger.audit.ranges import Row
from ledger.authority import AUTHORITY_TYPES, Authority
from ledger.conditions import Match
from ledger.errors import LedgerError
from ledger.faults import Fault, Kind
from ledger.log import tables
from ledger.log.reading import blob, read_entries
from ledger.published.dossier import COMMITTED
from signing.errors import SigningError

PAGE: Final = 1000
BATCH: Final = 5000


class Columns(dict[str, sa.ColumnElement[Any]]):
    """Columns by attribute, as `Table.c` has them."""

    __getattr__ = dict.__getitem__


@cache
def typed(table: sa.Table) -> Any:
    """Return a table's columns, cast to what they are declared to be.

    SQLite lets whoever edits a row put a text where a number belongs. Cast, it is another number: a fault like any
    other.
    """
    return Columns(
        (
            column.name,
            column if isinstance(column.type, sa.LargeBinary) else sa.cast(column, column.type).label(column.name),
        )
        for column in table.columns
    )


def stream(connection: Connection, query: sa.Select[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a large query by the driver itself, in batches: whole tables go through here."""
    compiled = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    driver: Any = connection.connection.dbapi_connection
    is_sqlite = connection.dialect.name == "sqlite"
    # On PostgreSQL a named cursor lives in the server; an ordinary one would fetch the whole table into this process.
    cursor = driver.cursor() if is_sqlite else driver.cursor(name=f"audit_{random_source.token_hex(4)}")
    try:
        cursor.execute(str(compiled))
        while rows := cursor.fetchmany(BATCH):
            yield from rows
    finally:
        cursor.close()


_PAGE: Final = (
    "SELECT e.position, e.key_number, e.leaf_hash, e.signature, e.entry, coalesce(t.name, '?') "
    "FROM entries e LEFT JOIN event_types t ON t.id = e.type_id "
    "WHERE e.position > {:d} AND e.position <= {:d} ORDER BY e.position"
)


def page(connection: Connection, after: int, up_to: int) -> Iterator[Row]:
    # By the driver: an audit of a million entries is a thousand of these.
    rows = connection.exec_driver_sql(_PAGE.format(after, up_to)).all()
    for position, key_number, leaf, signature, entry, type_name in rows:
        number = key_number if isinstance(key_number, int) else -1
        yield Row(position, number, blob(leaf), blob(signature), blob(entry), type_name)


def read_commitments(connection: Connection) -> tuple[Commitment, ...]:
    """Return every commitment to the heads of refs, as it stands there."""
    found = []
    for stored in read_entries(connection, [Match(types=(COMMITTED,))], limit=None):
        try:
            found.append(read_commitment(stored.position, stored.statement["data"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # Reported by the walk.
    return tuple(found)


def last_position(connection: Connection) -> int:
    """Return up to where entries are to be looked for: the last position, unless somebody put it absurdly far away."""
    e = tables.entries.c.position
    top, count = connection.execute(sa.select(sa.func.max(e), sa.func.count())).one()
    return int(min(top or 0, 2 * count + PAGE))


def fold_authority(connection: Connection) -> tuple[Authority, list[Fault]]:
    """Fold who may do what from the entries. Nothing is believed yet: the walk checks these entries as it does all others."""
    authority, faults = Authority(), []
    for stored in read_entries(connection, [Match(types=tuple(sorted(AUTHORITY_TYPES)))], limit=None):
        try:
            statement = stored.statement
            authority.fold(stored.position, statement["type"], statement["data"])
        except (ValueError, KeyError, TypeError, AttributeError, LedgerError, SigningError) as error:
            faults.append(Fault(stored.position, Kind.AUTHORITY_UNREADABLE, f"{type(error).__name__}: {error}"[:200]))
    if not authority.origin:
        faults.append(Fault(1, Kind.GENESIS_MISSING, "position 1 is not a ledger.opened that can be read"))
    return authority, faults
