"""Which orders are left out by rule, before anything else is asked of them. Pure.

Rule: design section 4 (`source`): statuses, flags, internal orders, zero orders; section 5: nested returns.
"""

from __future__ import annotations

from etl.model.money import ZERO
from etl.model.order import Order
from etl.model.plan import Verdict
from etl.transform.context import Context


def skip_reason(order: Order, ctx: Context, parent: Verdict | None) -> str:
    """Why the order is skipped, "" where it is not. `parent`: the verdict on a nested return's own order."""
    source = ctx.mapping.settings.source
    if parent is Verdict.SKIPPED:
        return f"order {order.parent} is skipped"
    if not order.is_complete:
        return "return not completed"
    if order.status and order.status not in source.import_statuses and "status" not in _unread(order):
        return f"status {order.status}"
    if flags := [flag for flag in order.flags if flag not in source.import_flags]:
        return f"flag {', '.join(flags)}"
    if order.internal and source.internal_orders == "skip":
        return "internal order"
    if source.zero_orders == "skip" and order.is_readable and _is_zero(order):
        return "all amounts zero"
    return ""


def _unread(order: Order) -> set[str]:
    return {problem.place.column for problem in order.problems if problem.is_error}


def _is_zero(order: Order) -> bool:
    amounts = [line.total for line in order.lines]
    amounts += [order.shipping, order.handling, order.return_cost, order.voucher_value, order.order_total or ZERO]
    return bool(order.lines) and not any(amounts)
