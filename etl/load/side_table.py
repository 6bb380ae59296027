"""What `recover` has read so far, in a table beside the ledger's own: millions of items stay off the heap."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import delete, insert, select

from etl.load import schema
from etl.load.ledger import Ledger
from etl.load.records import dumps, loads
from etl.load.reversal import target_of
from etl.load.steps import CHUNK
from etl.model.identity import Identity
from etl.model.rows import OrderItemRow


def sighting(row: OrderItemRow, identity: Identity) -> dict[str, Any]:
    """The row of the side table for one item of ours. `undo`: what it reverses, None for items of orders."""
    return {
        "item_id": row.id,
        "number": identity.number,
        "generation": identity.generation,
        "order_id": row.order_id,
        "row": dumps({**_item(row), "undo": target_of(row.notes) if identity.is_undo else None}),
    }


def _item(row: OrderItemRow) -> dict[str, Any]:
    """What is compared with the plan later. Cancelled items count as first booked."""
    net, gross = row.first_booked
    return {
        "id": row.id,
        "identifier": row.external_identifier,
        "count": row.count,
        "unit_net": row.unit_net,
        "unit_gross": row.unit_gross,
        "net": net,
        "gross": gross,
        "currency": row.currency,
        "codes": [code for code, _ in row.taxes],
        "taxed": [code for code, amount in row.taxes if amount],
        "account": row.account_id,
        "consumed": "" if row.consumed is None else row.consumed.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "canceled": row.is_canceled,
    }


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


def sightings(ledger: Ledger) -> Iterator[tuple[str, int, dict[str, list[dict[str, Any]]]]]:
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
                orders: dict[str, list[dict[str, Any]]] = {}
                for row in group:
                    orders.setdefault(row.order_id, []).append(loads(row.row, {}))
                yield (*key, orders)
        after = keys[-1]
