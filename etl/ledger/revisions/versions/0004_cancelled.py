"""Items that others cancelled and that the ledger knows of."""

from __future__ import annotations

from alembic import op

from etl.ledger import schema

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """The table."""
    schema.cancelled.create(op.get_bind(), checkfirst=True)
