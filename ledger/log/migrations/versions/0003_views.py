"""On PostgreSQL, a schema for the tables of views: a role that makes those need not be able to make tables beside the log."""

from alembic import op

from ledger.log.tables import VIEWS_SCHEMA

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"CREATE SCHEMA IF NOT EXISTS {VIEWS_SCHEMA}")
