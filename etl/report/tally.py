"""What the pages need beyond the `--json` document: counts by state and month. Memory grows with neither orders nor problems."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from enum import StrEnum
from typing import Any

from etl.errors import InternalError
from etl.model.status import OrderStatus, ReportState


class Group(StrEnum):
    """States as an accountant reads them."""

    IN_MEWS = "in Mews"
    READY = "ready to post"
    ATTENTION = "needs attention"
    LEFT_OUT = "left out"


def group_of(state: ReportState) -> Group:
    """The group of a state; `changed` needs attention although it is in Mews."""
    if state.needs_attention:
        return Group.ATTENTION
    if state.is_in_mews:
        return Group.IN_MEWS
    return Group.READY if state is ReportState.READY else Group.LEFT_OUT


GROUPS = {state: group_of(state) for state in ReportState}


def group_of_order(order: OrderStatus) -> Group:
    """The group of an order: what a person accepted by name needs no attention."""
    if not order.is_accepted:
        return GROUPS[order.state]
    return Group.IN_MEWS if order.state.is_in_mews else Group.LEFT_OUT


class Tally:
    """Counts order by order."""

    def __init__(self) -> None:
        self.states: Counter[ReportState] = Counter()
        self.months: dict[str, Counter[Group]] = defaultdict(Counter)
        self._groups: Counter[Group] = Counter()
        self.amounts: dict[tuple[ReportState, str, str], list[Decimal]] = {}

    def add(self, order: OrderStatus) -> None:
        """Counts one order."""
        state = order.state
        self.states[state] += 1
        group = group_of_order(order)
        self._groups[group] += 1
        self.months[order.month][group] += 1
        self._sums(state, order.currency, order.basis)[0] += order.source_total or Decimal(0)
        if order.planned_total:
            planned = self._sums(state, order.planned_currency or order.currency, order.planned_basis)
            planned[1] += order.planned_total

    @property
    def read(self) -> int:
        """Orders counted."""
        return sum(self.states.values())

    def groups(self) -> Counter[Group]:
        """Orders by group."""
        return self._groups

    @property
    def attention(self) -> int:
        """Orders that need a person."""
        return self.groups()[Group.ATTENTION]

    def check(self, orders: Any) -> None:
        """Fails unless the document counts the same orders. Raises InternalError, `internal.count`."""
        if not isinstance(orders, dict) or "read" not in orders:
            return
        if orders["read"] != self.read or any(
            orders.get(state.value, 0) != self.states[state] for state in ReportState
        ):
            raise InternalError(
                f"the report holds {self.read} orders ({dict(self.states)}), the summary says {orders}",
                code="internal.count",
            )

    def _sums(self, state: ReportState, currency: str, basis: str) -> list[Decimal]:
        key = (state, currency, str(basis))
        sums = self.amounts.get(key)
        if sums is None:
            sums = self.amounts[key] = [Decimal(0), Decimal(0)]
        return sums
