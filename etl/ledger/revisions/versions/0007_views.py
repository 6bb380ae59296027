"""Views with plain names for people."""

from __future__ import annotations

from alembic import op

from etl.ledger.views import create_views

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """The views."""
    create_views(op.get_bind())
