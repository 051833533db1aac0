"""Reading the log: entries by position, type and ref, in pages. Following it is `ledger.log.following`.

Only what was committed is seen, in order and without gaps, because positions are assigned under one lock.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.conditions import Match
from ledger.entry import statement_bytes
from ledger.errors import NotFoundError
from ledger.log import tables
from ledger.log.sql import carries, match_of_parameters, match_values, matching_positions, positions_by_type

PAGE: Final = 500
# How many entries may carry a ref that is looked through for a type, and how many entries of types are counted at most.
FREQUENT: Final = 1000
MAX_COUNTED: Final = 50_000


@dataclass(frozen=True)
class StoredEntry:
    """One row of `entries`. Everything but the bytes can be computed from the bytes."""

    position: int
    key_number: int
    leaf_hash: bytes
    signature: bytes
    entry: bytes

    @cached_property
    def document(self) -> dict[str, Any]:
        """The parsed entry."""
        document: dict[str, Any] = orjson.loads(self.entry)
        return document

    @property
    def statement(self) -> dict[str, Any]:
        statement: dict[str, Any] = self.document["statement"]
        return statement

    @property
    def statement_bytes(self) -> bytes:
        return statement_bytes(self.entry)

    @property
    def type(self) -> str:
        event_type: str = self.statement["type"]
        return event_type

    @property
    def refs(self) -> tuple[str, ...]:
        return tuple(self.document["refs"])


_COLUMNS: Final = tuple(
    tables.entries.c[name] for name in ("position", "key_number", "leaf_hash", "signature", "entry")
)


def blob(value: Any) -> bytes:
    """Return the bytes of a column. SQLite lets whoever edits a row put a text or a number there; that must be found, not crash."""
    return value if isinstance(value, bytes) else b"not bytes: " + str(value).encode(errors="replace")


def _stored(row: Sequence[Any]) -> StoredEntry:
    position, key_number, leaf_hash, signature, entry = row
    return StoredEntry(position, key_number, blob(leaf_hash), blob(signature), blob(entry))


def read_size(connection: Connection) -> int:
    """Return how many entries are committed."""
    return connection.execute(sa.select(tables.head.c.size)).scalar() or 0


@dataclass(frozen=True)
class Head:
    """The head row: how far the log has come, when, and which keys may sign what is next."""

    size: int
    recorded_at: int  # microseconds since 1970
    authority_position: int
    entry_keys: tuple[str, ...]


def read_head(connection: Connection) -> Head:
    """Return the head of a ledger that was opened."""
    size, recorded_at, authority_position, entry_keys = connection.execute(_HEAD).one()
    return Head(size, recorded_at, authority_position, tuple(entry_keys.split(",")))


_HEAD: Final = sa.select(*(tables.head.c[name] for name in ("size", "recorded_at", "authority_position", "entry_keys")))


def has_signed(connection: Connection, key_number: int) -> bool:
    """Say whether an entry key, by its number, has signed an entry."""
    query = sa.select(tables.entries.c.position).where(tables.entries.c.key_number == key_number)
    return connection.execute(query.limit(1)).first() is not None


def read_entry(connection: Connection, position: int) -> StoredEntry:
    row = connection.execute(sa.select(*_COLUMNS).where(tables.entries.c.position == position)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no entry at position {position}; the ledger has {read_size(connection)}")
    return _stored(row)


def read_entries_at(connection: Connection, positions: Collection[int]) -> Iterator[StoredEntry]:
    """Yield the entries at some positions, in order: those there are. Some hundreds are asked for at once, and no more."""
    if positions:
        query = sa.select(*_COLUMNS).where(tables.entries.c.position.in_(positions)).order_by(tables.entries.c.position)
        for row in connection.execute(query):
            yield _stored(row)


def read_entries(
    connection: Connection,
    matches: Sequence[Match] = (),
    *,
    after: int = 0,
    up_to: int | None = None,
    limit: int | None = PAGE,
) -> Iterator[StoredEntry]:
    """Yield the entries after `after` that match any of `matches` (all, when empty), in order, at most `limit`."""
    values: dict[str, Any] = {"after": after}
    for number, match in enumerate(matches):
        values |= match_values(match, number)
    values |= {} if up_to is None else {"up_to": up_to}
    values |= {} if limit is None else {"limit": limit}
    shapes = tuple((len(match.types), len(match.refs), _is_led_by_type(connection, match)) for match in matches)
    for row in connection.execute(_entries(shapes, up_to is not None, limit is not None), values):
        yield _stored(row)


def count_entries(connection: Connection, matches: Sequence[Match], *, after: int = 0, up_to: int) -> int:
    """Return how many entries after `after`, up to a position, match any of `matches` (all, when empty). Looks at each of them."""
    if not matches:
        return max(up_to - after, 0)
    values: dict[str, Any] = {"after": after, "up_to": up_to}
    for number, match in enumerate(matches):
        values |= match_values(match, number)
    found: int = connection.execute(_count(tuple((len(m.types), len(m.refs)) for m in matches)), values).scalar_one()
    return found


@lru_cache(maxsize=256)
def _count(shapes: tuple[tuple[int, int], ...]) -> sa.Select[int]:
    bounds = {name: sa.bindparam(name, type_=sa.BigInteger) for name in ("after", "up_to")}
    found = [
        sa.select(
            matching_positions(match_of_parameters(types, refs, number), bounds["after"], None, up_to=bounds["up_to"])
            .subquery()
            .c.position
        )
        for number, (types, refs) in enumerate(shapes)
    ]
    # A union holds each position once.
    return sa.select(sa.func.count()).select_from(sa.union(*found).subquery())


def read_types(connection: Connection) -> list[str]:
    """Return the event types that there are entries of."""
    return list(connection.execute(sa.select(tables.event_types.c.name)).scalars())


# Bounded: whoever asks over HTTP says how many matches there are.
@lru_cache(maxsize=256)
def _entries(shapes: tuple[tuple[int, int, bool], ...], bounded: bool, limited: bool) -> sa.Select[Any]:
    position = tables.entries.c.position
    after = sa.bindparam("after", type_=sa.BigInteger)
    limit = sa.bindparam("limit", type_=sa.BigInteger) if limited else None
    query = sa.select(*_COLUMNS).where(position > after).order_by(position).limit(limit)
    if bounded:
        query = query.where(position <= sa.bindparam("up_to", type_=sa.BigInteger))
    # Each match finds at most `limit` positions through its own index, so a page costs no more than it returns.
    wanted = []
    for number, (types, refs, by_type) in enumerate(shapes):
        match = match_of_parameters(types, refs, number)
        found = positions_by_type(match, after, limit) if by_type else matching_positions(match, after, limit)
        wanted.append(sa.select(found.subquery().c.position))
    if wanted:
        query = query.where(position.in_(sa.union(*wanted) if len(wanted) > 1 else wanted[0]))
    return query


def _is_led_by_type(connection: Connection, match: Match) -> bool:
    """Say whether entries of a match are found by their type: a rare one with a frequent ref.

    By its ref, all that happened in production would be looked through for one freeze.
    """
    if not match.types or not match.refs:
        return False
    count = connection.execute(_COUNT, {"ref": match.refs[0]}).scalar() or 0
    if count <= FREQUENT:
        return False
    at_most = min(count // 4, MAX_COUNTED)
    values = match_values(match) | {"at_most": at_most}
    found: int = connection.execute(_count_of_types(len(match.types)), values).scalar_one()
    return found < at_most


_COUNT: Final = sa.select(tables.refs.c.count).where(tables.refs.c.ref == sa.bindparam("ref"))


@cache
def _count_of_types(types: int) -> sa.Select[int]:
    at_most = sa.bindparam("at_most", type_=sa.BigInteger)
    some = sa.select(tables.entries.c.position).where(*carries(match_of_parameters(types, 0))).limit(at_most)
    return sa.select(sa.func.count()).select_from(some.subquery())


def position_at(connection: Connection, recorded_at: str, *, before: bool = False) -> int:
    """Return the last position that was recorded at a time or before it; 0 for a time before the ledger. Reads O(log n) entries.

    With `before`, the last one that was recorded before that time.
    """
    low, high = 0, read_size(connection)
    while low < high:
        middle = (low + high + 1) // 2
        found = read_entry(connection, middle).document["recorded_at"]
        if found < recorded_at or (found == recorded_at and not before):
            low = middle
        else:
            high = middle - 1
    return low


def read_latest(connection: Connection, match: Match, *, up_to: int, limit: int | None = None) -> Iterator[StoredEntry]:
    """Yield the entries up to a position that match, the last first."""
    values = match_values(match) | {"up_to": up_to} | ({} if limit is None else {"limit": limit})
    by_type = _is_led_by_type(connection, match)
    for row in connection.execute(_latest(len(match.types), len(match.refs), limit is not None, by_type), values):
        yield _stored(row)


@cache
def _latest(types: int, refs: int, limited: bool, by_type: bool) -> sa.Select[Any]:
    limit = sa.bindparam("limit", type_=sa.BigInteger) if limited else None
    up_to = sa.bindparam("up_to", type_=sa.BigInteger)
    match = match_of_parameters(types, refs)
    if by_type:
        query = sa.select(*_COLUMNS).where(*carries(match)).where(tables.entries.c.position <= up_to).limit(limit)
    else:
        found = matching_positions(match, 0, limit, last_first=True, up_to=up_to).subquery()
        query = sa.select(*_COLUMNS).join(found, found.c.position == tables.entries.c.position)
    return query.order_by(tables.entries.c.position.desc())


def read_last(connection: Connection, event_type: str, *, up_to: int | None = None) -> StoredEntry | None:
    """Return the last entry of a type, at `up_to` or before, or None."""
    e = tables.entries.c
    types = sa.select(tables.event_types.c.id).where(tables.event_types.c.name == event_type).scalar_subquery()
    query = sa.select(*_COLUMNS).where(e.type_id == types).order_by(e.position.desc()).limit(1)
    row = connection.execute(query if up_to is None else query.where(e.position <= up_to)).one_or_none()
    return _stored(row) if row is not None else None


def read_said(connection: Connection, source: str, identifier: str) -> StoredEntry | None:
    """Return the entry of what a source said under an id, or None."""
    e, said = tables.entries.c, tables.statements.c
    sources = sa.select(tables.sources.c.id).where(tables.sources.c.name == source).scalar_subquery()
    query = sa.select(*_COLUMNS).join(tables.statements, said.position == e.position)
    row = connection.execute(query.where(said.source_id == sources, said.id == identifier)).one_or_none()
    return _stored(row) if row is not None else None


def read_heads(connection: Connection, as_of: int) -> Iterator[tuple[str, int, int]]:
    """Yield (ref, count, last position) of every ref as of a position, sorted by ref."""
    r, er = tables.refs.c, tables.entry_refs.c
    later = sa.select(sa.func.count()).where(er.ref_id == r.id, er.position > as_of).scalar_subquery()
    before = sa.select(sa.func.max(er.position)).where(er.ref_id == r.id, er.position <= as_of).scalar_subquery()
    query = (
        sa.select(
            r.ref,
            sa.case((r.last_position <= as_of, r.count), else_=r.count - later),
            sa.case((r.last_position <= as_of, r.last_position), else_=before),
        )
        # A ref's id says where it was first used.
        .where(r.id < (as_of + 1) * tables.MAX_REFS_PER_ENTRY)
        .order_by(r.ref)
    )
    yield from connection.execution_options(yield_per=5000).execute(query)
