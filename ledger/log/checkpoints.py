"""Checkpoints as they are kept: every signed tree head that left the signer, and what witnesses signed beneath it.

It signs none (`ledger.published.signer`) and does not say whether they are right (the audit): a store.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.errors import NotFoundError
from ledger.log import tables
from signing.checkpoint import Checkpoint, parse_checkpoint
from signing.notes import Note, SignatureLine, parse_note, parse_signature_line

_c, _w = tables.checkpoints.c, tables.cosignatures.c
# What the publisher keeps for the next start, beside the log as views do: nothing in the ledger follows from it. One row.
_policies = sa.Table(
    "publishing_policy",
    sa.MetaData(),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
)
_p = _policies.c


@dataclass(frozen=True)
class Policy:
    """What lets a checkpoint out: cosignatures of so many of these witnesses. `size` was published before, and stands until then."""

    required: int = 0
    witnesses: tuple[str, ...] = ()
    size: int = 0

    @property
    def words(self) -> str:
        return " ".join((str(self.required), *self.witnesses))


@dataclass(frozen=True)
class StoredCheckpoint:
    """A signed note with the log's own line, and the cosignatures that came for it."""

    size: int
    signed: Note
    cosignatures: tuple[SignatureLine, ...] = ()

    @property
    def checkpoint(self) -> Checkpoint:
        return parse_checkpoint(self.signed.text)

    @property
    def note(self) -> Note:
        """The note as it is published: the log's line first."""
        return self.signed.with_lines(self.cosignatures)


def store_checkpoint(connection: Connection, note: Note) -> None:
    """Keep a signed checkpoint."""
    connection.execute(sa.insert(tables.checkpoints).values(size=parse_checkpoint(note.text).size, note=str(note)))


def store_cosignature(connection: Connection, size: int, line: SignatureLine) -> None:
    """Keep a witness's line over the checkpoint of a size; the first stays."""
    if connection.execute(sa.select(_w.size).where(_w.size == size, _w.witness == line.name)).scalar() is None:
        connection.execute(
            sa.insert(tables.cosignatures).values(size=size, witness=line.name, line=str(line).removesuffix("\n"))
        )


def last_size(connection: Connection) -> int:
    """Return the size of the last checkpoint that is kept, 0 when there is none."""
    return connection.execute(sa.select(sa.func.max(_c.size))).scalar() or 0


def last_cosigned(connection: Connection, witness: str) -> int:
    """Return the size of the last checkpoint that a witness cosigned, 0 when there is none."""
    return connection.execute(sa.select(sa.func.max(_w.size)).where(_w.witness == witness)).scalar() or 0


def read_checkpoint(
    connection: Connection, size: int | None = None, *, witnesses: Collection[str] = (), at_least: int = 0
) -> StoredCheckpoint:
    """Return the checkpoint of a size, or the last one that at least so many of `witnesses` cosigned. Raises NotFoundError."""
    query = sa.select(_c.size, _c.note).order_by(_c.size.desc()).limit(1)
    if size is not None:
        query = query.where(_c.size == size)
    if at_least:
        enough = (
            sa.select(_w.size)
            .where(_w.witness.in_(sorted(witnesses)))
            .group_by(_w.size)
            .having(sa.func.count() >= at_least)
        )
        # The last one by itself: over all sizes, the query would count every cosignature that ever was.
        enough = enough.where(_w.size == size) if size is not None else enough.order_by(_w.size.desc()).limit(1)
        query = query.where(_c.size.in_(enough))
    row = connection.execute(query).one_or_none()
    if row is None:
        which = "no checkpoint" if size is None else f"no checkpoint of size {size}"
        raise NotFoundError(f"{which} was signed{f' and cosigned by {at_least} witnesses' if at_least else ''} yet")
    return _stored(connection, [row])[0]


def read_published(connection: Connection, policy: Policy) -> StoredCheckpoint:
    """Return the last checkpoint that a policy lets out, or the one that stood before it. Raises NotFoundError before the first."""
    try:
        found = read_checkpoint(connection, witnesses=policy.witnesses, at_least=policy.required)
        if found.size >= policy.size:
            return found
    except NotFoundError:
        if not policy.size:
            raise
    return read_checkpoint(connection, policy.size)


def begin_policy(connection: Connection, required: int, witnesses: Collection[str]) -> Policy:
    """Bring a policy into force, unless it is: what was published under the one before stands until the new one is met."""
    wanted = Policy(required, tuple(sorted(witnesses)) if required else ())
    # On PostgreSQL the head row is the lock: two servers may start at once.
    connection.execute(sa.select(tables.head.c.id).with_for_update())
    schema = f"{tables.VIEWS_SCHEMA}." if connection.dialect.name == "postgresql" else ""
    connection.exec_driver_sql(
        f"CREATE TABLE IF NOT EXISTS {schema}publishing_policy (policy TEXT NOT NULL, size BIGINT NOT NULL)"
    )
    row = connection.execute(sa.select(_p.policy, _p.size)).first()
    # Where none was in force, commands alone gave checkpoints out, each as it was signed.
    before = _policy_of(row.policy, row.size) if row is not None else Policy()
    if row is not None and before.words == wanted.words:
        return before
    try:
        size = read_published(connection, before).size
    except NotFoundError:
        size = 0
    if row is None:
        connection.execute(sa.insert(_policies).values(policy=wanted.words, size=size))
    else:
        connection.execute(sa.update(_policies).values(policy=wanted.words, size=size))
    return Policy(wanted.required, wanted.witnesses, size)


def _policy_of(words: str, size: int) -> Policy:
    required, *witnesses = words.split(" ")
    return Policy(int(required), tuple(witnesses), size)


def read_checkpoints(connection: Connection, *, after: int = 0, limit: int | None = None) -> Iterator[StoredCheckpoint]:
    """Yield checkpoints of sizes over `after`, smallest first, at most `limit`."""
    while limit is None or limit > 0:
        page = min(limit or 500, 500)
        rows = connection.execute(
            sa.select(_c.size, _c.note).where(_c.size > after).order_by(_c.size).limit(page)
        ).all()
        yield from _stored(connection, rows)
        if len(rows) < page:
            return
        after, limit = rows[-1][0], None if limit is None else limit - page


def _stored(connection: Connection, rows: Sequence[Sequence[Any]]) -> list[StoredCheckpoint]:
    lines: dict[int, list[SignatureLine]] = {}
    if rows:
        query = sa.select(_w.size, _w.line).where(_w.size >= rows[0][0], _w.size <= rows[-1][0]).order_by(_w.witness)
        for size, line in connection.execute(query):
            lines.setdefault(size, []).append(parse_signature_line(line))
    return [StoredCheckpoint(size, parse_note(note.encode()), tuple(lines.get(size, ()))) for size, note in rows]
