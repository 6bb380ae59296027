"""Which cancelled items the ledger knows of: those it cancelled itself, and those it has taken in.

Any other cancelled item of a posted order is a sign that somebody else worked on it (design section 7.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import select

from etl.ledger import schema
from etl.ledger.ledger import Ledger
from etl.ledger.records import PartKind, loads
from etl.ledger.unit_of_work import chunks
from etl.model.rows import OrderItemRow
from etl.model.states import PLANNED


def unknown(ledger: Ledger, items: Mapping[str, str]) -> dict[str, str]:
    """Those of the cancelled items that the ledger does not know. Shape: order numbers by item id, given and returned."""
    left = dict(items)
    table = schema.cancelled
    for chunk in chunks(items):
        for row in ledger.select(select(table.c.item_id).where(table.c.item_id.in_(chunk))):
            left.pop(row.item_id, None)
    for item_id in _cancelled_by(ledger, set(left.values())):
        left.pop(item_id, None)
    return left


def cancelled_of(number: str, rows: Iterable[OrderItemRow]) -> dict[str, str]:
    """The cancelled ones of an order's items, as `Steps.take_in_cancelled` wants them."""
    return {row.id: number for row in rows if row.is_canceled}


def _cancelled_by(ledger: Ledger, numbers: Iterable[str]) -> Iterable[str]:
    """The items that requests of this ledger named which may have been carried out: their intent was on disk before.

    What was refused, or proved absent, cancelled nothing.
    """
    attempts, parts = schema.attempts, schema.parts
    same = (
        (parts.c.number == attempts.c.number)
        & (parts.c.generation == attempts.c.generation)
        & (parts.c.part == attempts.c.part)
    )
    query = select(attempts.c.payload).join(parts, same & (parts.c.seq == attempts.c.seq))
    query = query.where(parts.c.kind == PartKind.UNDO.value, parts.c.state.not_in([state.value for state in PLANNED]))
    for chunk in chunks(numbers):
        for row in ledger.select(query.where(attempts.c.number.in_(chunk))):
            yield from loads(row.payload, {}).get("OrderItemIds", ())
