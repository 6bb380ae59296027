"""The newest reading of orders whose facts are frozen."""

from __future__ import annotations

from alembic import op

from etl.ledger import schema
from etl.ledger.migrations import add_column

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """The column."""
    add_column(op.get_bind(), schema.orders.c.reading)
