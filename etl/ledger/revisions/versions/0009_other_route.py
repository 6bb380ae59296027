"""What stands on the route that a ledger does not use."""

from __future__ import annotations

from alembic import op

from etl.ledger import schema

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """The table."""
    schema.other_route.create(op.get_bind(), checkfirst=True)
