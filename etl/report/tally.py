"""What the pages need beyond the `--json` document: counts and money by state, month and day.

Memory grows with neither orders nor problems.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Any

from etl.errors import InternalError
from etl.model.money import digits_of
from etl.model.status import OrderStatus, ReportState
from etl.report.tables import PlainOrder


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


_HOURS_KEPT = 10_000
GROUPS = {state: group_of(state) for state in ReportState}

Row = tuple[str, str]
"""Currency and basis: amounts of two of these are never added up."""
When = tuple[Row, str]
"""Then a month (`YYYY-MM`) or day (`YYYY-MM-DD`), "" where none is known."""
Signed = list[Decimal]
"""What was charged and, negative, what was refunded."""


def group_of_order(order: OrderStatus) -> Group:
    """The group of an order: what a person accepted by name needs no attention."""
    if not order.is_accepted:
        return GROUPS[order.state]
    return Group.IN_MEWS if order.state.is_in_mews else Group.LEFT_OUT


class Tally:
    """Counts order by order. `timezone`: whose days count; UTC where it is not known."""

    def __init__(self, timezone: tzinfo | None = None, precisions: Mapping[str, int] | None = None) -> None:
        self._precisions = precisions or {}
        self._timezone = timezone
        self._hours: dict[str, str] = {}
        self.states: Counter[ReportState] = Counter()
        self.rows: Counter[Row] = Counter()
        self._groups: Counter[Group] = Counter()
        self.amounts: dict[tuple[ReportState, str, str], list[Decimal]] = {}
        self.counts: Counter[tuple[ReportState, str, str]] = Counter()
        self.groups_money: dict[tuple[Group, Row], Signed] = {}
        self.months: dict[When, dict[Group, Signed]] = {}
        self.days: dict[When, dict[Group, Signed]] = {}

    def add(self, order: OrderStatus) -> None:
        """Counts one order."""
        row = (order.currency, order.basis.value)
        total = order.source_total or Decimal(0)
        moment = order.consumption
        day = self._day(moment.astimezone(UTC).isoformat()) if total and moment is not None else ""
        self._count(order.state, group_of_order(order), row, total, (order.month, day))
        if order.planned_total:
            planned = self._sums(order.state, order.planned_currency or order.currency, order.planned_basis)
            planned[1] += order.planned_total

    def add_plain(self, orders: Sequence[PlainOrder]) -> None:
        """Counts orders that are ready with their whole totals."""
        alike: dict[tuple[str, int, str, str, str, int], list[int]] = {}
        hours, day_of = self._hours, self._day
        for _, currency, precision, units, _, _, month, consumption, *_, basis in orders:
            day = hours.get(consumption[:13]) or day_of(consumption)
            key = (currency, precision, basis, month, day, (units > 0) - (units < 0))
            sums = alike.get(key)
            if sums is None:
                alike[key] = [1, units]
            else:
                sums[0] += 1
                sums[1] += units
        for (currency, precision, basis, month, day, _), (count, units) in alike.items():
            row, total = (currency, basis), Decimal(units).scaleb(-precision)
            self._count(ReportState.READY, Group.READY, row, total, (month, day), count)
            if units:
                self._sums(ReportState.READY, *row)[1] += total

    def _count(
        self, state: ReportState, group: Group, row: Row, total: Decimal, when: tuple[str, str], orders: int = 1
    ) -> None:
        """Counts so many orders of one sign with their `total`."""
        self.states[state] += orders
        self._groups[group] += orders
        self.rows[row] += orders
        self._sums(state, *row)[0] += total
        self.counts[state, *row] += orders
        if not total:
            return
        sign = total < 0
        self.groups_money.setdefault((group, row), [Decimal(0), Decimal(0)])[sign] += total
        for where, one in zip((self.months, self.days), when, strict=True):
            groups = where.setdefault((row, one), {})
            groups.setdefault(group, [Decimal(0), Decimal(0)])[sign] += total

    def _day(self, moment: str) -> str:
        """The day of a moment (ISO, UTC); an hour that begins and ends on one day is asked once."""
        hour = moment[:13]
        if hour not in self._hours:
            if len(self._hours) >= _HOURS_KEPT:
                self._hours.clear()
            first, last = (self._local_day(f"{hour}:{minute}+00:00") for minute in ("00:00", "59:59"))
            self._hours[hour] = first if first == last else ""
        return self._hours[hour] or self._local_day(moment)

    def _local_day(self, moment: str) -> str:
        found = datetime.fromisoformat(moment)
        return (found if self._timezone is None else found.astimezone(self._timezone)).date().isoformat()

    def decimals(self, currency: str) -> int:
        """The decimals of a currency; 2 where they are not known."""
        return digits_of(currency, self._precisions)

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

    def money(self, group: Group | None = None) -> dict[Row, Signed]:
        """Charges and refunds by currency and basis, of a group or of all; those of most orders first."""
        found: dict[Row, Signed] = {}
        for (one, row), (plus, minus) in self.groups_money.items():
            if group in (None, one):
                sums = found.setdefault(row, [Decimal(0), Decimal(0)])
                sums[0] += plus
                sums[1] += minus
        return dict(sorted(found.items(), key=lambda one: (-self.rows[one[0]], one[0])))

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
