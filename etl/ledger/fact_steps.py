"""What a transaction keeps beside states: what plans say of orders, their versions, and what others cancelled.

See `steps.py`; no state is in it, but for orders that the ledger meets first: those start with the plan's verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, delete, insert, literal_column, update

from etl.ledger import remembered, schema, versions
from etl.ledger.plan_rows import plan_facts
from etl.ledger.prepared import Prepared
from etl.ledger.records import ORDER_PART, Correction, LedgerOrder
from etl.ledger.unit_of_work import PartKey, UnitOfWork, chunks
from etl.model.plan import PlannedOrder
from etl.model.states import State

_FACT_COLUMNS = (
    "verdict",
    "plan_run_id",
    "currency",
    "basis",
    "source_total",
    "planned_total",
    "rounding",
    "month",
    "consumption",
    "true_consumption",
    "is_clamped",
    "account_id",
    "account_key",
    "parent",
    "line_count",
    "fingerprint",
    "version",
    "skip_fingerprint",
    "skip_reason",
    "codes",
    "problems",
    "facts",
)
_UPDATE_FACTS = (
    update(schema.orders)
    .where(schema.orders.c.number == bindparam("k_number"))
    .values({name: bindparam(name) for name in (*_FACT_COLUMNS, "changed", "reading")})
)
_UPDATE_CHANGED = (
    update(schema.orders)
    .where(schema.orders.c.number == bindparam("k_number"))
    .values({name: bindparam(name) for name in ("changed", "plan_run_id", "facts", "reading")})
)


_NOTHING: ColumnElement[str] = literal_column("''")


class _Adopted(NamedTuple):
    """A part whose id in Mews was read."""

    k_number: str
    k_generation: int
    k_part: str
    mews_id: str


_ADOPT_ORDER = Prepared(
    update(schema.orders)
    .where(schema.orders.c.number == bindparam("k_number"), schema.orders.c.generation == bindparam("k_generation"))
    .where(schema.orders.c.mews_order_id == _NOTHING)
    .values(mews_order_id=bindparam("mews_id"))
)
_ADOPT_PART = Prepared(
    update(schema.parts)
    .where(schema.parts.c.number == bindparam("k_number"), schema.parts.c.generation == bindparam("k_generation"))
    .where(schema.parts.c.part == bindparam("k_part"), schema.parts.c.mews_id == _NOTHING)
    .values(mews_id=bindparam("mews_id"))
)


class FactSteps(UnitOfWork):
    """Facts of orders, within the transaction that records their states."""

    def adopt_ids(self, ids: Mapping[PartKey, str]) -> None:
        """Mews's ids of posted parts whose answer did not tell them. States stay.

        To be the only step of its transaction: what others have read of these orders would be old.
        """
        rows = [_Adopted(*key, mews_id) for key, mews_id in ids.items()]
        _ADOPT_PART.run(self._connection, rows)
        _ADOPT_ORDER.run(self._connection, [row for row in rows if row.k_part == ORDER_PART])

    def stored_orders(self, numbers: Iterable[str]) -> dict[str, LedgerOrder]:
        """The orders of these numbers, as this transaction sees them; they are read for steps, too."""
        found: dict[str, LedgerOrder] = {}
        # Their rows first: on a server nobody else changes them from here on.
        wanted = list(numbers)
        self.load(wanted)
        for chunk in chunks(wanted):
            found.update(versions.read_orders(self._connection, chunk))
        return found

    def meet(self, run_id: str, orders: Sequence[PlannedOrder]) -> None:
        """Not on record -> BLOCKED, SKIPPED or READY: orders that the ledger meets first, as the plan says."""
        rows = [
            {
                "number": order.number,
                "state": State(order.verdict.value).value,
                "updated_at": self._now,
                **plan_facts(order, run_id),
            }
            for order in orders
        ]
        if rows:
            self._connection.execute(insert(schema.orders), rows)

    def keep_plans(self, run_id: str, orders: Sequence[PlannedOrder]) -> None:
        """The facts of orders of which nothing is in Mews, or whose plan equals what is: those of today's plan."""
        rows = [
            {"k_number": order.number, "changed": "", "reading": "", **plan_facts(order, run_id)} for order in orders
        ]
        if rows:
            self._connection.execute(_UPDATE_FACTS, rows)

    def keep_readings(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """What the source says now of orders whose facts are frozen. `rows`: k_number, changed, plan_run_id, facts, reading."""
        if rows:
            self._connection.execute(_UPDATE_CHANGED, list(rows))

    def keep_versions(self, new: list[dict[str, Any]], met: list[dict[str, Any]]) -> None:
        """The contents of orders that are `new` to the ledger, and of those that were `met` before."""
        versions.keep_versions(self._connection, new, are_new=True)
        versions.keep_versions(self._connection, met, are_new=False)

    def remember(self, key: str, rows: Sequence[tuple[str, str, str, bytes]]) -> None:
        """What orders were planned as, so that they need not be planned again (`remembered.py`)."""
        remembered.remember(self._connection, key, rows)

    def meet_again(self, run_id: str, numbers: Sequence[str]) -> None:
        """Posted orders that the plan of a run holds unchanged: states and facts stay."""
        remembered.meet_again(self._connection, run_id, numbers)

    def keep_corrections(self, found: Mapping[str, Sequence[Correction]], run_id: str) -> None:
        """Which version of an order took the place of which."""
        versions.keep_corrections(self._connection, found, run_id)

    def take_in_cancelled(self, items: Mapping[str, str]) -> None:
        """Items that others cancelled become known: order numbers by item id."""
        table = schema.cancelled
        for chunk in chunks(items):
            self._connection.execute(delete(table).where(table.c.item_id.in_(chunk)))
            self._connection.execute(
                insert(table), [{"item_id": item_id, "number": items[item_id]} for item_id in chunk]
            )
