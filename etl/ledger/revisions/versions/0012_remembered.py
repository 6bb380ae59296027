"""Orders as they were read and planned last, so that a rerun need not plan what is posted and has not changed."""

from __future__ import annotations

from alembic import op

from etl.ledger import schema

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """The table."""
    schema.remembered.create(op.get_bind(), checkfirst=True)
