"""What lies beside the log: the ledger's secret, erasable texts, pieces of evidence. Texts and evidence can be removed again.

Not part of the chain: an entry commits to texts and evidence by their digests, and to the secret at position 1.
"""

import contextlib
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.errors import NotFoundError
from ledger.log import tables
from ledger.log.database import Database


def keep_secret(database: Database, value: bytes) -> None:
    """Keep the secret from which salts are made, unless one is kept: of several that open at once, the first brings it."""
    with contextlib.suppress(sa.exc.IntegrityError), database.write() as connection:
        connection.execute(sa.insert(tables.secrets).values(name=tables.SECRET, value=value))


def read_secret(connection: Connection) -> bytes:
    """Return the secret from which salts are made."""
    query = sa.select(tables.secrets.c.value).where(tables.secrets.c.name == tables.SECRET)
    return bytes(connection.execute(query).scalar_one())


def read_texts(connection: Connection, position: int) -> list[dict[str, str]]:
    """Return the texts of an entry that were not erased: field, text, and the salt that proves it is the one committed to."""
    t = tables.texts.c
    rows = connection.execute(sa.select(t.field, t.text, t.salt).where(t.position == position).order_by(t.field))
    return [{"field": name, "text": text, "salt": bytes(salt).hex()} for name, text, salt in rows]


def delete_texts(connection: Connection, position: int) -> None:
    """Delete the texts of an entry, and the digest of what was submitted, by which a guess could be confirmed."""
    for table in (tables.texts, tables.submitted):
        connection.execute(sa.delete(table).where(table.c.position == position))


def read_evidence(connection: Connection, position: int, sha256: bytes) -> bytes:
    """Return the bytes of a piece of evidence that the entry at `position` witnesses. Raises NotFoundError."""
    body: Any = connection.execute(sa.select(tables.evidence.c.body).where(*_evidence(position, sha256))).scalar()
    if body is None:
        raise NotFoundError(
            f"no evidence with the digest {sha256.hex()} is kept for position {position}: it never was, or retention removed it"
        )
    return bytes(body)


def delete_evidence(connection: Connection, position: int, sha256: bytes) -> None:
    """Delete a piece of evidence."""
    connection.execute(sa.delete(tables.evidence).where(*_evidence(position, sha256)))


def _evidence(position: int, sha256: bytes) -> tuple[sa.ColumnElement[bool], ...]:
    return tables.evidence.c.position == position, tables.evidence.c.sha256 == sha256
