"""Customers that a run makes."""

from __future__ import annotations

from alembic import op

from etl.ledger import schema

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """The table."""
    schema.customers.create(op.get_bind(), checkfirst=True)
