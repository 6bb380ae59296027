"""Workers with leases, and which of them has an order in hand."""

from __future__ import annotations

from alembic import op

from etl.ledger import schema
from etl.ledger.migrations import add_column

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """The table and the column."""
    schema.workers.create(op.get_bind(), checkfirst=True)
    add_column(op.get_bind(), schema.orders.c.claim)
