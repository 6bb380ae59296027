"""What of this store was met on the other route, in a table of its own, and which orders of a run it concerns.

Rule: design section 9: an order posted as `orders/add` and as an outlet bill would count twice. What was met stays on
record, because a later plan may name it. What stands in another outlet or service of the same route is in the table too, with
its generation below 0: what is reversed in one place says nothing of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import case, func, insert, select

from etl.ledger import schema
from etl.ledger.ledger import Ledger
from etl.model.states import State

Posting = tuple[str, int, bool]
"""Number, generation, and whether it is what reverses that."""


def keep_met(ledger: Ledger, met: Mapping[Posting, str], *, is_same: bool = False) -> None:
    """Keeps the ids of what was met, by posting; of one that is on record, the first stays. Effects: needs the lock.

    `is_same`: on the ledger's own route, in another outlet or service.
    """
    if not met:
        return
    table = schema.other_route
    if is_same:
        met = {(number, -generation, is_undo): mews_id for (number, generation, is_undo), mews_id in met.items()}
    with ledger.transaction() as connection:
        ledger.verify_lock(connection)
        numbers = {number for number, _, _ in met}
        known = {
            (one.number, one.generation, bool(one.is_undo))
            for one in connection.execute(select(table).where(table.c.number.in_(numbers)))
        }
        fresh = [
            {"number": number, "generation": generation, "is_undo": is_undo, "mews_id": mews_id}
            for (number, generation, is_undo), mews_id in met.items()
            if (number, generation, is_undo) not in known
        ]
        if fresh:
            connection.execute(insert(table), fresh)


def days_of_unsent(ledger: Ledger, run_id: str) -> list[datetime]:
    """The days, as their first moment, on which an order was consumed that this run may send."""
    table = schema.orders
    when = case((table.c.true_consumption != "", table.c.true_consumption), else_=table.c.consumption)
    day = func.substr(when, 1, 10)
    unsent = (State.READY.value, State.REJECTED.value, State.UNKNOWN.value)
    query = select(day).where(table.c.plan_run_id == run_id, table.c.state.in_(unsent), when != "").distinct()
    return [datetime.fromisoformat(text).replace(tzinfo=UTC) for (text,) in ledger.select(query)]


def met_of(ledger: Ledger, run_id: str, *, is_same: bool = False) -> list[tuple[str, str]]:
    """Number and id of what was met there and not reversed, of this run's orders and those in Mews."""
    met, undo, orders = schema.other_route, schema.other_route.alias(), schema.orders
    is_reversed = (
        select(undo.c.number)
        .where(undo.c.number == met.c.number, undo.c.generation == met.c.generation, undo.c.is_undo)
        .exists()
    )
    in_mews = (State.POSTED.value, State.DIFFERENT.value, State.UNKNOWN.value, State.IN_FLIGHT.value)
    is_ours = ((orders.c.plan_run_id == run_id) & (orders.c.verdict == "ready")) | orders.c.state.in_(in_mews)
    query = (
        select(met.c.number, met.c.mews_id)
        .join(orders, orders.c.number == met.c.number)
        .where(~met.c.is_undo, ~is_reversed, is_ours)
        .where(met.c.generation < 0 if is_same else met.c.generation > 0)
        .order_by(met.c.number)
    )
    return [(str(number), str(mews_id)) for number, mews_id in ledger.select(query)]
