"""The version of an order that was met last, the contents of versions, and which corrects which."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from etl.ledger import schema
from etl.ledger.migrations import add_column

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Column and tables."""
    connection = op.get_bind()
    add_column(connection, schema.orders.c.version)
    connection.execute(text("UPDATE orders SET version = fingerprint"))
    schema.versions.create(connection, checkfirst=True)
    schema.corrections.create(connection, checkfirst=True)
