"""Checkpoints, and what witnesses signed beneath them."""

import sqlalchemy as sa
from alembic import op

from ledger.log.tables import guards

revision = "0002"
down_revision = "0001"

TABLES = ("checkpoints", "cosignatures")
_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_Name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("size", _Id, primary_key=True, autoincrement=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "cosignatures",
        sa.Column("size", _Id, nullable=False),
        sa.Column("witness", _Name, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("size", "witness"),
        sqlite_with_rowid=False,
    )
    for statement in guards(op.get_bind().dialect.name, TABLES):
        op.execute(statement)
