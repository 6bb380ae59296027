"""The first schema. Its ledgers were written without Alembic and are marked as standing here when they are opened."""

from __future__ import annotations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing: the tables are there."""
