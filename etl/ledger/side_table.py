"""What `recover` has read so far, in a table beside the ledger's own: millions of items stay off the heap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import delete, exists, insert, select

from etl.ledger import schema
from etl.ledger.ledger import Ledger
from etl.ledger.records import ORDER_PART, dumps, loads
from etl.ledger.steps import CHUNK
from etl.model.identity import Identity
from etl.model.rows import OrderItemRow
from etl.model.states import State

_TIMES = frozenset({"created", "updated", "consumed", "canceled", "closed"})
_MONEY = frozenset({"unit_net", "unit_gross", "net", "gross", "original_net", "original_gross"})
_FIELDS = tuple(one.name for one in fields(OrderItemRow))


def sighting(row: OrderItemRow, identity: Identity) -> dict[str, Any]:
    """The row of the side table for one item of ours."""
    values = [_stored(name, getattr(row, name)) for name in _FIELDS]
    return {
        "item_id": row.id,
        "number": identity.number,
        "generation": identity.generation,
        "order_id": row.order_id,
        "row": dumps(values),
    }


def _stored(name: str, value: Any) -> Any:
    return value.isoformat() if name in _TIMES and value is not None else value


def _row(text: str) -> OrderItemRow:
    """What `sighting` stored."""
    values = dict(zip(_FIELDS, loads(text, ()), strict=True))
    for name in _TIMES:
        values[name] = None if values[name] is None else datetime.fromisoformat(values[name])
    for name in _MONEY:
        values[name] = Decimal(values[name])
    values["taxes"] = tuple((code, Decimal(amount)) for code, amount in values["taxes"])
    return OrderItemRow(**values)


def keep(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    """Keeps sightings; an item met again replaces what was kept of it."""
    if not rows:
        return
    table = schema.sightings
    unique = {row["item_id"]: row for row in rows}
    with ledger.transaction() as connection:
        ledger.verify_lock(connection)
        ids = list(unique)
        for start in range(0, len(ids), CHUNK):
            connection.execute(delete(table).where(table.c.item_id.in_(ids[start : start + CHUNK])))
        connection.execute(insert(table), list(unique.values()))


def empty(ledger: Ledger) -> None:
    """Nothing has been read."""
    with ledger.transaction() as connection:
        ledger.verify_lock(connection)
        connection.execute(delete(schema.sightings))


def sightings(ledger: Ledger) -> Iterator[tuple[str, int, dict[str, list[OrderItemRow]]]]:
    """Shape: (number, generation, items by OrderId), older generations first; read in slices, not held open."""
    table = schema.sightings
    after = ("", 0)
    while True:
        with ledger.transaction() as connection:
            newer = (table.c.number > after[0]) | ((table.c.number == after[0]) & (table.c.generation > after[1]))
            query = (
                select(table.c.number, table.c.generation)
                .where(newer)
                .distinct()
                .order_by(table.c.number, table.c.generation)
                .limit(200)
            )
            keys = [(row.number, row.generation) for row in connection.execute(query)]
            numbers = sorted({number for number, _ in keys})
            rows = connection.execute(
                select(table)
                .where(table.c.number.in_(numbers))
                .order_by(table.c.number, table.c.generation, table.c.order_id, table.c.item_id)
            ).all()
        if not keys:
            return
        wanted = set(keys)
        for key, group in groupby(rows, lambda row: (row.number, row.generation)):
            if key in wanted:
                orders: dict[str, list[OrderItemRow]] = {}
                for row in group:
                    orders.setdefault(row.order_id, []).append(_row(row.row))
                yield (*key, orders)
        after = keys[-1]


def met_elsewhere(ledger: Ledger) -> dict[tuple[str, int], str]:
    """Orders that the ledger has in Mews and of which something was met, but nothing under the ledger's OrderId.

    Shape: that OrderId by number and generation.
    """
    parts, seen, same = schema.parts, schema.sightings, schema.sightings.alias()
    there = (State.POSTED.value, State.DIFFERENT.value)
    query = (
        select(parts.c.number, parts.c.generation, parts.c.mews_id)
        .join(seen, (seen.c.number == parts.c.number) & (seen.c.generation == parts.c.generation))
        .where(
            parts.c.part == ORDER_PART,
            parts.c.state.in_(there),
            # One of many bills of one request, whose answer did not say which is which, has no id yet.
            parts.c.mews_id != "",
            ~exists().where(
                same.c.number == parts.c.number,
                same.c.generation == parts.c.generation,
                same.c.order_id == parts.c.mews_id,
            ),
        )
        .distinct()
    )
    return {(row.number, row.generation): row.mews_id for row in ledger.select(query)}
