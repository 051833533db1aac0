"""The log: its tables, and the triggers that refuse to alter it.

Written out rather than taken from `ledger.log.tables`: what a released migration did must not change when the tables do.
Only the triggers come from there: whoever changes them replaces them in a migration of their own.
There is no downgrade: a ledger does not lose columns.
"""

import sqlalchemy as sa
from alembic import op

from ledger.log.tables import guards

revision = "0001"
down_revision = None

_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TABLES = (
    *("entries", "nodes", "event_types", "sources", "statements", "entry_refs"),
    *("texts", "submitted", "evidence", "head", "refs"),
)
_Name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "entries",
        sa.Column("position", _Id, primary_key=True, autoincrement=False),
        sa.Column("type_id", _Id, nullable=False),
        sa.Column("key_number", sa.SmallInteger, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
    )
    op.create_index("entries_by_type", "entries", ["type_id", "position"])
    op.create_table(
        "nodes",
        sa.Column("height", sa.SmallInteger, nullable=False),
        sa.Column("index", _Id, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("height", "index"),
        sqlite_with_rowid=False,
    )
    for name in ("event_types", "sources"):
        op.create_table(
            name,
            sa.Column("id", _Id, primary_key=True, autoincrement=False),
            sa.Column("name", _Name, nullable=False),
            sa.UniqueConstraint("name"),
        )
    op.create_table(
        "statements",
        sa.Column("source_id", _Id, nullable=False),
        sa.Column("id", _Name, nullable=False),
        sa.Column("position", _Id, nullable=False),
        sa.PrimaryKeyConstraint("source_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "refs",
        sa.Column("ref", _Name, primary_key=True),
        sa.Column("id", _Id, nullable=False),
        sa.Column("count", _Id, nullable=False),
        sa.Column("last_position", _Id, nullable=False),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": "80"},
    )
    op.create_table(
        "entry_refs",
        sa.Column("ref_id", _Id, nullable=False),
        sa.Column("position", _Id, nullable=False),
        sa.Column("type_id", _Id, nullable=False),
        sa.PrimaryKeyConstraint("ref_id", "position"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "head",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("size", _Id, nullable=False),
        sa.Column("last_leaf", sa.LargeBinary, nullable=False),
        sa.Column("frontier", sa.LargeBinary, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("authority_position", _Id, nullable=False),
        sa.Column("entry_keys", sa.Text, nullable=False),
        postgresql_with={"fillfactor": "10"},
    )
    op.create_table(
        "texts",
        sa.Column("position", _Id, nullable=False),
        sa.Column("field", sa.Text, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("position", "field"),
    )
    op.create_table(
        "submitted",
        sa.Column("position", _Id, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "evidence",
        sa.Column("position", _Id, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("position", "sha256"),
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    for statement in guards(op.get_bind().dialect.name, TABLES):
        op.execute(statement)
