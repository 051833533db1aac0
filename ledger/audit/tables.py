"""The end of an audit: what is left to walk, and the tables beside the entries, held against what the entries say. In one snapshot."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.audit import rows as audit_rows
from ledger.audit.checkpoints import revocations
from ledger.audit.fingerprints import PRIME, Fingerprints
from ledger.audit.ranges import RANGE
from ledger.audit.reading import PAGE, fold_authority, last_position, page, read_commitments, stream, typed
from ledger.audit.sources import DatabaseSource, Source, stored_checkpoints
from ledger.audit.summary import Summary, expected_nodes
from ledger.audit.texts_and_evidence import check_envelopes, check_evidence, check_texts, deletions
from ledger.audit.walk import Job
from ledger.faults import Fault, Kind
from ledger.log import tables
from ledger.log.database import Database
from ledger.log.reading import blob
from ledger.words import number_of

# Over any position that can be.
_FAR = 1 << 62


@dataclass(frozen=True)
class Beside:
    """The fingerprints of rows that never change, of positions up to one: what many processes can read is not left to the last one."""

    up_to: int | None = None
    # None where rows of `entry_refs` belong to no ref.
    entry_refs: int | None = 1
    statements: int = 1

    def others(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """Return the condition for all other rows of a table."""
        return sa.true() if self.up_to is None else typed(table).position > self.up_to


def tables_beside(secrets: Fingerprints, up_to: int) -> tuple[Callable[[Source], Any], ...]:
    """Return what makes the fingerprints of a `Beside`, each to be done by itself, in another process. Their source is a database."""
    return partial(_entry_refs_of, secrets, up_to), partial(_statements_of, secrets, up_to)


def _entry_refs_of(secrets: Fingerprints, up_to: int, source: DatabaseSource) -> int | None:
    with source.database.read() as connection:
        return _fold_refs(connection, secrets, typed(tables.entry_refs).position <= up_to)[0]


def _statements_of(secrets: Fingerprints, up_to: int, source: DatabaseSource) -> int:
    with source.database.read() as connection:
        return _fold_statements(connection, secrets, typed(tables.statements).position <= up_to)


def finish(connection: Connection, database: Database, job: Job, summary: Summary, beside: Beside) -> list[str]:
    """Walk what is left in one snapshot, and hold head, caches and tables beside the log against what the entries say."""
    heads = connection.execute(sa.select(*typed(tables.head).values())).mappings().all()
    e = tables.entries.c.position
    size = last_position(connection)
    # Who may do what may have changed since the walk began: what was appended meanwhile is judged by how it is now.
    authority, _ = fold_authority(connection)
    current = replace(job, authority=authority)
    summary.anchors = dict.fromkeys(revocations(authority), 0) | summary.anchors
    while summary.size < size:
        start, count = summary.size + 1, min(RANGE, size - summary.size)
        end = start + count - 1
        rows = (row for after in range(start - 1, end, PAGE) for row in page(connection, after, min(after + PAGE, end)))
        summary.add(current.walk(rows, start, count, stored_checkpoints(connection, start, count)))
    if len(heads) == 1:
        _check_head(heads[0], current, summary)
    else:
        summary.faults.append(Fault(summary.size, Kind.HEAD_MISSING, f"expected one head row, found {len(heads)}"))
    said = heads[0]["size"] if heads else size
    for position in connection.execute(sa.select(e).where((e > said) | (e < 1)).order_by(e).limit(1000)).scalars():
        summary.faults.append(Fault(position, Kind.BEYOND_HEAD, f"the head says the ledger ends at {said}"))
    if said > size:
        summary.faults.append(Fault(size + 1, Kind.MISSING, f"positions {size + 1} to {said} are not there"))
    if current.authority.position != max(summary.authority, default=0):
        detail = "the entries that decide who may do what are not all found by their type"
        summary.faults.append(Fault(current.authority.position, Kind.AUTHORITY_HIDDEN, detail))
    outside = [*stored_checkpoints(connection, -_FAR, _FAR + 1), *stored_checkpoints(connection, size + 1, _FAR)]
    for raw in outside:
        detail = f"a checkpoint of size {raw.size} is kept, and the ledger ends at {size}"
        summary.faults.append(Fault(size, Kind.CHECKPOINT_BEYOND_HEAD, detail))
    _check_names(connection, summary)
    _check_nodes(connection, summary)
    _check_refs(connection, job, summary, beside)
    _check_statements(connection, job, summary, beside)
    if database.is_sqlite:
        _check_storage(connection, summary)
    later = [c.position for c in read_commitments(connection) if c not in job.commitments]
    gone = deletions(connection)
    check_texts(connection, job, summary, gone)
    check_evidence(connection, job, summary, gone)
    envelopes = check_envelopes(connection, job, summary)
    made_later = [
        f"the heads committed to at position {p} came while this audit ran: the next one checks them" for p in later
    ]
    checked = (
        [f"the signatures of {number_of(envelopes, 'file')} of envelopes that are kept whole were checked again"]
        if envelopes
        else []
    )
    return [*_missing_guards(connection, database), *made_later, *checked]


def _check_storage(connection: Connection, summary: Summary) -> None:
    """On SQLite any column can hold any kind of value: say where one is not of the kind that its column is declared to be."""
    for table in tables.metadata.sorted_tables:
        wrong = sa.or_(*(sa.func.typeof(column) != _storage_class(column) for column in table.columns))
        place = next((table.c[name] for name in ("position", "last_position", "size", "id") if name in table.c), None)
        where = typed(table)[place.name] if place is not None else sa.literal(1)
        for position in connection.execute(sa.select(where).where(wrong).limit(1000)).scalars():
            detail = f"a row of {table.name} has a value of another kind than its column"
            summary.faults.append(Fault(position if isinstance(position, int) else 1, Kind.STORAGE_CLASS_WRONG, detail))


def _storage_class(column: sa.Column[Any]) -> str:
    if isinstance(column.type, sa.LargeBinary):
        return "blob"
    return "text" if isinstance(column.type, sa.Text) else "integer"


def _check_head(head: Any, job: Job, summary: Summary) -> None:
    keys = job.authority.keyring.valid_at("entry", summary.size + 1)
    expected = {
        "id": 1,
        "size": summary.size,
        "last_leaf": summary.last_leaf,
        "frontier": summary.frontier(),
        "recorded_at": summary.last_recorded_at,
        "authority_position": max(summary.authority, default=0),
        "entry_keys": ",".join(record.key_id for record in keys),
    }
    for name, value in expected.items():
        found = blob(head[name]) if isinstance(value, bytes) else head[name]
        if found != value:
            shown: tuple[Any, ...] = (found, value)
            if isinstance(value, bytes):
                shown = tuple(_from_difference(v, found, value) for v in (found, value))
            detail = f"found {shown[0]}, the entries make it {shown[1]}"
            summary.faults.append(Fault(summary.size, Kind(f"head-{name.replace('_', '-')}"), detail))


def _from_difference(shown: bytes, one: bytes, other: bytes) -> str:
    start = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    return f"{'…' if start else ''}{shown[start : start + 16].hex()}…"


def _check_names(connection: Connection, summary: Summary) -> None:
    for table, expected in ((tables.event_types, summary.type_ids), (tables.sources, summary.source_ids)):
        found = {name: number for number, name in connection.execute(sa.select(typed(table).id, typed(table).name))}
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name):
                position = expected.get(name) or found[name]
                detail = f"{name} has the id {found.get(name)}, first used at position {expected.get(name)}"
                summary.faults.append(Fault(position, Kind(f"{table.name.replace('_', '-')}-wrong"), detail))


def _check_nodes(connection: Connection, summary: Summary) -> None:
    n = typed(tables.nodes)
    stored = connection.execute(sa.select(n.height, n.index, n.hash).order_by(n.height, n.index))
    expected = {(height, index): node for height, index, node in expected_nodes(summary)}
    for height, index, node in stored:
        if expected.pop((height, index), None) != blob(node):
            detail = f"node {index} at height {height} is not what the leaves make"
            summary.faults.append(Fault(_first_below(summary, height, index), Kind.NODE_WRONG, detail))
    for height, index in sorted(expected):
        detail = f"node {index} at height {height} is not stored"
        summary.faults.append(Fault(_first_below(summary, height, index), Kind.NODE_WRONG, detail))


def _first_below(summary: Summary, height: int, index: int) -> int:
    """Return where a node that is wrong sends the reader: to the first fault among its leaves, else to its first leaf."""
    if not (0 <= height < 64 and 0 <= index < summary.size):
        return summary.size
    first, last = (index << height) + 1, (index + 1) << height
    return min((f.position for f in summary.faults if first <= f.position <= last), default=min(first, summary.size))


def _check_refs(connection: Connection, job: Job, summary: Summary, beside: Beside) -> None:
    """Hold `refs` and `entry_refs` against the entries."""
    products = summary.products
    product, heads, ids = _fold_refs(connection, job.secrets, beside.others(tables.entry_refs))
    if products.pointed_from != products.pointed_to * heads % PRIME or products.ref_ids != ids:
        audit_rows.name_ref_faults(connection, summary)
    if product is None or beside.entry_refs is None or products.entry_refs != product * beside.entry_refs % PRIME:
        audit_rows.name_entry_ref_faults(connection, summary)


def _fold_refs(
    connection: Connection, secrets: Fingerprints, which: sa.ColumnElement[bool]
) -> tuple[int | None, int, int]:
    """Return the fingerprints of some rows of `entry_refs`, of what `refs` says came last, and of its ids.

    A merge of two streams sorted by id, so that every ref is encoded once. The first is None where a row belongs to no ref.
    """
    r, er, t = typed(tables.refs), typed(tables.entry_refs), typed(tables.event_types)
    types = {number: secrets.name(name) for number, name in connection.execute(sa.select(t.id, t.name))}
    unknown = secrets.name("?")
    x, a, b = secrets.x, secrets.a, secrets.b
    heads = ids = product = 1
    # In the order of the index, and so of the columns themselves: by what they are cast to, SQLite would sort all of them.
    columns = tables.entry_refs.c
    query = sa.select(er.ref_id, er.position, er.type_id).where(which).order_by(columns.ref_id, columns.position)
    rows = stream(connection, query)
    end = (1 << 63, 0, 0)
    ref_id, position, type_id = next(rows, end)
    for ref, number, count, last in stream(connection, sa.select(r.ref, r.id, r.count, r.last_position).order_by(r.id)):
        name = secrets.name(ref)
        heads = heads * (x + name + count * a + last * b) % PRIME
        ids = ids * (x + name + number * a) % PRIME
        while ref_id <= number:
            encoded = name if ref_id == number else unknown
            product = product * (x + encoded + position * a + types.get(type_id, unknown) * b) % PRIME
            ref_id, position, type_id = next(rows, end)
    return (product if ref_id == end[0] else None), heads, ids


def _check_statements(connection: Connection, job: Job, summary: Summary, beside: Beside) -> None:
    rows = _fold_statements(connection, job.secrets, beside.others(tables.statements))
    if rows * beside.statements % PRIME != summary.products.statements:
        audit_rows.name_statement_faults(connection, summary)


def _fold_statements(connection: Connection, secrets: Fingerprints, which: sa.ColumnElement[bool]) -> int:
    s, src = typed(tables.statements), typed(tables.sources)
    product, name, x, a = 1, secrets.name, secrets.x, secrets.a
    query = (
        sa.select(sa.func.coalesce(src.name, "?"), s.id, s.position)
        .select_from(tables.statements.outerjoin(tables.sources, src.id == s.source_id))
        .where(which)
    )
    for source, identifier, position in stream(connection, query):
        product = product * (x + name(f"{source} {identifier}") + position * a) % PRIME
    return product


def _missing_guards(connection: Connection, database: Database) -> list[str]:
    """Say which triggers of the schema are not there, not as they were, or switched off: whoever does that means to write."""
    wanted = {ddl.split()[2]: ddl for ddl in tables.guards(connection.dialect.name) if ddl.startswith("CREATE TRIGGER")}
    if database.is_sqlite:
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
        found: dict[str, str] = {row.name: row.sql for row in rows}
        whole = {name for name, ddl in wanted.items() if found.get(name) == ddl}
    else:
        enabled = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
        whole = set(connection.exec_driver_sql(enabled).scalars())
    return [
        f"the trigger {name} is missing or altered: the database no longer refuses changes by itself"
        for name in sorted(wanted.keys() - whole)
    ]
