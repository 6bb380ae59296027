"""The money of made-up orders, as plan and ledger would have given it."""

from __future__ import annotations

from dataclasses import replace

from etl.model.shares import Amounts, BridgeLine, Fate, Line, OrderMoney, SourceReading
from etl.model.status import OrderStatus, ReportState

_WHOLE = {
    ReportState.BLOCKED: Fate.BLOCKED,
    ReportState.SKIPPED: Fate.SKIPPED,
    ReportState.REJECTED: Fate.REJECTED,
    ReportState.UNDONE: Fate.UNDONE,
}
_FATES = {ReportState.READY: Fate.READY, ReportState.UNKNOWN: Fate.UNKNOWN}


def with_money(order: OrderStatus) -> OrderStatus:
    """The order with what it adds to the totals: what its source is more than planned is rounding, unless it changed."""
    reading = SourceReading(order.currency, order.basis, order.source_total)
    if order.state in _WHOLE:
        money = OrderMoney(reading, _WHOLE[order.state])
        return replace(order, planned_total=money.planned, money=tuple(money.shares()), bridge=_bridge(money))
    planned = order.planned_total
    rests_on = planned if order.state is ReportState.CHANGED else reading.amount
    rounding = (("conversion", rests_on - planned),) if rests_on != planned else ()
    amounts = Amounts(order.planned_currency, order.planned_basis, rests_on, planned, (), rounding)
    money = OrderMoney(reading, _FATES.get(order.state, Fate.POSTED), amounts)
    return replace(order, money=tuple(money.shares()), bridge=_bridge(money))


def _bridge(money: OrderMoney) -> tuple[Line, ...]:
    lines = list(money.bridge())
    if money.items is Fate.POSTED and money.amounts is not None:
        lines.append((BridgeLine.IN_MEWS, money.amounts.currency, money.amounts.basis, money.expected_items))
    return tuple(lines)
