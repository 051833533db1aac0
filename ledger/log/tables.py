"""The tables of the log, and the triggers that make append-only a fact of the database.

What is in `entries.entry` is the ledger; every other column can be computed again from it, and audit does. Ids are not
drawn from sequences, which leave gaps that nobody can check: a source or type has the position that first used it, a
ref has `position * 64 + n`, n being its place in that entry.

    entries       position, what was hashed, its hash and signature        append-only
    nodes         nodes of the tree at heights 8, 16, …                     append-only
    statements    (source, id) -> position: one position per pair           append-only
    entry_refs    which entries carry a ref, for reading by ref             append-only
    sources, event_types   names, interned                                  append-only
    checkpoints   every signed tree head that left the signer               append-only
    cosignatures  what witnesses signed beneath them                        append-only
    refs          per ref: how often so far, and where last                 cache, moves with the head
    head          size, frontier, clock, who may sign and append next       cache, one row
    texts, submitted, evidence   beside the log; may be deleted, never altered
    secrets       what must not be in the log
"""

from collections.abc import Collection, Iterator
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from ledger.errors import SetupError

MAX_REFS_PER_ENTRY: Final = 64
# The row of `secrets` that keys the digests of submitted texts.
SECRET: Final = "pepper"
# On PostgreSQL. On SQLite, which has none, the tables of views stand beside the log.
VIEWS_SCHEMA: Final = "views"
# On SQLite an INTEGER PRIMARY KEY is the row id itself; BIGINT would cost a second tree.
_Id = BigInteger().with_variant(Integer, "sqlite")
# Names are compared as bytes: quicker than by the rules of a language, and the same everywhere.
_Name = Text().with_variant(Text(collation="C"), "postgresql")

metadata = MetaData()

entries = Table(
    "entries",
    metadata,
    Column("position", _Id, primary_key=True, autoincrement=False),
    Column("type_id", _Id, nullable=False),
    Column("key_number", SmallInteger, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Index("entries_by_type", "type_id", "position"),
)

nodes = Table(
    "nodes",
    metadata,
    Column("height", SmallInteger, nullable=False),
    Column("index", _Id, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("height", "index"),
    sqlite_with_rowid=False,
)

event_types = Table(
    "event_types",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("name", _Name, nullable=False),
    UniqueConstraint("name"),
)

sources = Table(
    "sources",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("name", _Name, nullable=False),
    UniqueConstraint("name"),
)

statements = Table(
    "statements",
    metadata,
    Column("source_id", _Id, nullable=False),
    Column("id", _Name, nullable=False),
    Column("position", _Id, nullable=False),
    PrimaryKeyConstraint("source_id", "id"),
    sqlite_with_rowid=False,
)

refs = Table(
    "refs",
    metadata,
    Column("ref", _Name, primary_key=True),
    Column("id", _Id, nullable=False),
    Column("count", _Id, nullable=False),
    Column("last_position", _Id, nullable=False),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": "80"},
)

entry_refs = Table(
    "entry_refs",
    metadata,
    Column("ref_id", _Id, nullable=False),
    Column("position", _Id, nullable=False),
    Column("type_id", _Id, nullable=False),
    PrimaryKeyConstraint("ref_id", "position"),
    sqlite_with_rowid=False,
)

head = Table(
    "head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("size", _Id, nullable=False),
    Column("last_leaf", LargeBinary, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    # Microseconds since 1970, UTC: the `recorded_at` of the last entry.
    Column("recorded_at", BigInteger, nullable=False),
    # The last position that changed keys, credentials or sources: a process that has folded less catches up before it appends.
    Column("authority_position", _Id, nullable=False),
    # Key ids, comma-separated, of the entry keys that may sign the next position.
    Column("entry_keys", Text, nullable=False),
    postgresql_with={"fillfactor": "10"},
)

texts = Table(
    "texts",
    metadata,
    Column("position", _Id, nullable=False),
    Column("field", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("text", Text, nullable=False),
    PrimaryKeyConstraint("position", "field"),
)

submitted = Table(
    "submitted",
    metadata,
    Column("position", _Id, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("position", _Id, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("position", "sha256"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", _Id, primary_key=True, autoincrement=False),
    # The signed note, with the log's own signature line.
    Column("note", Text, nullable=False),
)

cosignatures = Table(
    "cosignatures",
    metadata,
    Column("size", _Id, nullable=False),
    Column("witness", _Name, nullable=False),
    Column("line", Text, nullable=False),
    PrimaryKeyConstraint("size", "witness"),
    sqlite_with_rowid=False,
)

APPEND_ONLY: Final = (
    *("entries", "nodes", "event_types", "sources", "statements", "entry_refs"),
    *("checkpoints", "cosignatures"),
)
# Erasure and retention delete from these; nothing alters a row of them.
DELETABLE: Final = ("texts", "submitted", "evidence")
# Caches that move with the head: updated by every append, never deleted from.
MOVING: Final = ("head", "refs")
NAMED: Final = ("event_types", "sources")
_KEYS: Final = {table.name: tuple(table.primary_key.columns.keys()) for table in metadata.sorted_tables}


def guards(dialect: str, names: Collection[str] = tuple(_KEYS)) -> Iterator[str]:
    """Yield the DDL of the triggers of the tables `names` for a dialect ("sqlite" or "postgresql")."""
    append_only, deletable, moving = (
        tuple(name for name in of_kind if name in names) for of_kind in (APPEND_ONLY, DELETABLE, MOVING)
    )
    make = _sqlite_guards if dialect == "sqlite" else _postgresql_guards
    return make(append_only, deletable, moving)


def _refused(table: str, action: str) -> tuple[str, str]:
    return f"{table}_refuses_{action.lower()}", f"{table} is append-only: {action} is refused"


_Names = tuple[str, ...]


def _sqlite_guards(append_only: _Names, deletable: _Names, moving: _Names) -> Iterator[str]:
    for table in (*append_only, *deletable):
        name, message = _refused(table, "UPDATE")
        yield f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, '{message}'); END"
    for table in (*append_only, *moving):
        name, message = _refused(table, "DELETE")
        yield f"CREATE TRIGGER {name} BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, '{message}'); END"
    if "entries" in append_only:
        yield (
            "CREATE TRIGGER entries_follow_the_head BEFORE INSERT ON entries "
            "WHEN NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM entries) "
            "BEGIN SELECT RAISE(ABORT, 'entries is append-only: expected the position after the last one'); END"
        )
    for table in (*append_only, *deletable, *moving):
        if table == "entries":
            continue
        # INSERT OR REPLACE deletes without a DELETE trigger unless recursive_triggers is on, and that is each
        # connection's own choice.
        same = " AND ".join(f'"{key}" = NEW."{key}"' for key in _KEYS[table])
        if table in NAMED:
            # A name is unique too: replacing it under another id would delete the row that has it.
            same = f"{same} OR name = NEW.name"
        yield (
            f"CREATE TRIGGER {table}_refuses_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: the row is there already'); END"
        )
    if "refs" in moving:
        yield (
            "CREATE TRIGGER refs_refuses_rename BEFORE UPDATE OF ref, id ON refs "
            "WHEN NEW.ref IS NOT OLD.ref OR NEW.id IS NOT OLD.id "
            "BEGIN SELECT RAISE(ABORT, 'refs is append-only: a ref keeps its name and id'); END"
        )


def _postgresql_guards(append_only: _Names, deletable: _Names, moving: _Names) -> Iterator[str]:
    if "entries" in append_only:
        yield (
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP; END $$"
        )
        yield (
            # Per statement: the rows of one INSERT must follow the last position without a gap.
            "CREATE FUNCTION follow_the_head() RETURNS trigger LANGUAGE plpgsql AS $$ "
            "DECLARE low bigint; high bigint; n bigint; before bigint; BEGIN "
            "SELECT min(position), max(position), count(*) INTO low, high, n FROM added; "
            "IF n = 0 THEN RETURN NULL; END IF; "
            "SELECT coalesce(max(position), 0) INTO before FROM entries WHERE position < low; "
            "IF high - low + 1 <> n OR low <> before + 1 OR EXISTS (SELECT 1 FROM entries WHERE position > high) THEN "
            "RAISE EXCEPTION 'entries is append-only: expected the position after the last one'; END IF; RETURN NULL; END $$"
        )
    for table in (*append_only, *deletable):
        name, _ = _refused(table, "UPDATE")
        yield f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    for table in (*append_only, *moving):
        name, _ = _refused(table, "DELETE")
        yield f"CREATE TRIGGER {name} BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    for table in (*append_only, *deletable, *moving):
        name, _ = _refused(table, "TRUNCATE")
        yield f"CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    if "entries" in append_only:
        yield (
            "CREATE TRIGGER entries_follow_the_head AFTER INSERT ON entries REFERENCING NEW TABLE AS added "
            "FOR EACH STATEMENT EXECUTE FUNCTION follow_the_head()"
        )


def grant_to(connection: Connection, role: str) -> None:
    """Give a PostgreSQL role that owns nothing what appending needs. SetupError unless the owner gives it: PostgreSQL only warns."""
    owned = text("SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'entries'::regclass")
    if not connection.scalar(owned):
        raise SetupError("grants are for the owner of the tables to give: name that role in the URL of the database")
    quoted = connection.dialect.identifier_preparer.quote(role)
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {quoted}"))
    # It makes the tables of views itself. Beside the log it makes nothing.
    connection.execute(text(f"GRANT USAGE, CREATE ON SCHEMA {VIEWS_SCHEMA} TO {quoted}"))
    for table in (*APPEND_ONLY, "secrets", "alembic_version"):
        connection.execute(text(f"GRANT SELECT ON {table} TO {quoted}"))
    for table in (*APPEND_ONLY, *DELETABLE, *MOVING):
        connection.execute(text(f"GRANT SELECT, INSERT ON {table} TO {quoted}"))
    for table in MOVING:
        connection.execute(text(f"GRANT UPDATE ON {table} TO {quoted}"))
    for table in DELETABLE:
        connection.execute(text(f"GRANT DELETE ON {table} TO {quoted}"))
