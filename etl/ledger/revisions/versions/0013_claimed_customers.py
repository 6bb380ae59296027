"""Which worker makes a customer, so that several may make them."""

from __future__ import annotations

from alembic import op

from etl.ledger import schema
from etl.ledger.migrations import add_column

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """The column, and the index by which workers look for what the dead left."""
    add_column(op.get_bind(), schema.customers.c.claim)
    schema.customers_in_doubt.create(op.get_bind(), checkfirst=True)
