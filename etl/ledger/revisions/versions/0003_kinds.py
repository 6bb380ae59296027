"""Kinds, and what each part needs of them: what an earlier program posted has proved its own."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Connection, insert, select

from etl.ledger import schema
from etl.ledger.migrations import add_column
from etl.ledger.records import loads
from etl.model.kinds import payment_kind

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Table, column, and the kinds that orders in Mews prove."""
    connection = op.get_bind()
    schema.kinds.create(connection, checkfirst=True)
    add_column(connection, schema.parts.c.needs)
    found = _kinds_in_mews(connection)
    if found:
        rows = [{"kind": kind, "state": "proved", "number": number} for kind, number in sorted(found.items())]
        connection.execute(insert(schema.kinds), rows)


def _kinds_in_mews(connection: Connection) -> dict[str, str]:
    """The kinds that orders in Mews prove, each with one of them."""
    orders, parts, attempts = schema.orders, schema.parts, schema.attempts
    found: dict[str, str] = {}
    posted = select(orders.c.number, orders.c.facts).where(orders.c.mews_order_id != "")
    for row in connection.execute(posted.where(orders.c.facts.like('%"unproved"%'))):
        # "payments" named no type then.
        found.update((kind, row.number) for kind in loads(row.facts, {}).get("unproved", ()) if kind != "payments")
    is_same = (attempts.c.number == parts.c.number) & (attempts.c.part == parts.c.part)
    is_same &= (attempts.c.generation == parts.c.generation) & (attempts.c.seq == parts.c.seq)
    paid = select(parts.c.number, attempts.c.payload).join(attempts, is_same)
    for row in connection.execute(paid.where(parts.c.kind == "payment", parts.c.mews_id != "")):
        found[payment_kind(loads(row.payload, {}).get("Type", ""))] = row.number
    return found
