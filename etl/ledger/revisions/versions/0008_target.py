"""What an undo part reverses, out of the column that other parts keep their fingerprint in."""

from __future__ import annotations

from alembic import op
from sqlalchemy import update

from etl.ledger import schema
from etl.ledger.migrations import add_column
from etl.ledger.records import PartKind

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """The column and what belongs in it."""
    connection, parts, attempts = op.get_bind(), schema.parts, schema.attempts
    add_column(connection, parts.c.target)
    undo = PartKind.UNDO.value
    connection.execute(
        update(parts)
        .where(parts.c.kind == undo, parts.c.target == "")
        .values(target=parts.c.fingerprint, fingerprint="")
    )
    # Names of undo parts alone begin so.
    connection.execute(update(attempts).where(attempts.c.part.like("undo%")).values(fingerprint=""))
