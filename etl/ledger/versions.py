"""Versions of orders and which corrects which, as rows. Each function works within the caller's connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, insert, select

from etl.ledger import schema
from etl.ledger.changes import kept
from etl.ledger.order_rows import ledger_order
from etl.ledger.records import Correction, LedgerOrder
from etl.model.plan import PlannedOrder

_ORDERS, _VERSIONS, _CORRECTIONS = schema.orders, schema.versions, schema.corrections

_SELECT = (
    select(_ORDERS, _VERSIONS.c.content, _VERSIONS.c.read_as)
    .select_from(
        _ORDERS.outerjoin(
            _VERSIONS,
            and_(_VERSIONS.c.number == _ORDERS.c.number, _VERSIONS.c.fingerprint == _ORDERS.c.posted_fingerprint),
        )
    )
    .where(_ORDERS.c.number.in_(bindparam("numbers", expanding=True)))
)
_SELECT_CORRECTIONS = select(_CORRECTIONS).where(_CORRECTIONS.c.number.in_(bindparam("numbers", expanding=True)))
_FORGET_VERSION = delete(_VERSIONS).where(
    _VERSIONS.c.number == bindparam("k_number"), _VERSIONS.c.fingerprint == bindparam("k_fingerprint")
)
_FORGET_CORRECTION = delete(_CORRECTIONS).where(
    _CORRECTIONS.c.number == bindparam("k_number"),
    _CORRECTIONS.c.original == bindparam("k_original"),
    _CORRECTIONS.c.corrected == bindparam("k_corrected"),
)


def read_orders(connection: Connection, numbers: Sequence[str]) -> dict[str, LedgerOrder]:
    """The orders of these numbers that the ledger knows, with what was posted and what was corrected."""
    corrections: dict[str, list[Correction]] = {}
    for row in connection.execute(_SELECT_CORRECTIONS, {"numbers": numbers}):
        one = Correction(row.original, row.corrected, bool(row.is_given), row.skip_fingerprint, row.given_at)
        corrections.setdefault(row.number, []).append(one)
    found = {}
    for row in connection.execute(_SELECT, {"numbers": numbers}):
        order = ledger_order(row, row.content or "", row.read_as or "")
        if order.number in corrections:
            order = replace(order, corrections=tuple(corrections[order.number]))
        found[order.number] = order
    return found


def version_rows(orders: Iterable[PlannedOrder]) -> list[dict[str, Any]]:
    """Rows of `versions` for the orders that can be read."""
    return [
        {
            "number": order.number,
            "fingerprint": order.fingerprint,
            "content": kept(order.content),
            "read_as": order.read_as,
        }
        for order in orders
        if order.content
    ]


def keep_versions(connection: Connection, rows: Sequence[Mapping[str, Any]], *, are_new: bool) -> None:
    """Stores the versions. `are_new`: none of them can be there yet."""
    if not rows:
        return
    if not are_new:
        keys = [{"k_number": row["number"], "k_fingerprint": row["fingerprint"]} for row in rows]
        connection.execute(_FORGET_VERSION, keys)
    connection.execute(insert(_VERSIONS), list(rows))


def keep_corrections(connection: Connection, found: Mapping[str, Sequence[Correction]], run_id: str) -> None:
    """Stores by order number which version took the place of which; what was known is told anew."""
    rows = [
        {
            "number": number,
            "original": one.original,
            "corrected": one.corrected,
            "is_given": one.is_given,
            "skip_fingerprint": one.skip_fingerprint,
            "run_id": run_id,
            "given_at": one.given_at,
        }
        for number, several in found.items()
        for one in several
    ]
    if not rows:
        return
    keys = [{f"k_{name}": row[name] for name in ("number", "original", "corrected")} for row in rows]
    connection.execute(_FORGET_CORRECTION, keys)
    connection.execute(insert(_CORRECTIONS), rows)
