"""What the bills of the outlet route come to: revenue and payments apart, what is assumed, and what does not add up. Pure.

Rule: design section 9: every bill's sum is told, balance items as assumed and not recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from etl.model.plan import BALANCE, CAPTURE, Basis, RoundingCause, letters_of
from etl.model.shares import CREDIT, Column
from etl.model.status import OrderStatus
from etl.report.facts import PagePart, Section

ZERO = Decimal(0)
_BY_CONVERSION = frozenset({RoundingCause.CONVERSION, RoundingCause.MEWS})
"""Causes of a rounding that is none of the export: the payments are as they were."""
KINDS = {CREDIT: "gift cards and credit", CAPTURE: "captures", BALANCE: "balance, assumed and not recorded"}
"""Beginnings of a payment's line, in words."""
_UNPAID = "Bills whose payments are less than their revenue"
_OVERPAID = "Bills whose payments are more than their revenue"
_ROUNDED = "Rounding by the conversion into net prices"
_TEXT = (
    "Amounts with tax, by Mews's own arithmetic. Revenue and payments are booked in the outlet part of the accounting report; "
    "no guest is charged, and no account keeps a balance."
)


_Sums = dict[str, tuple[int, Decimal]]
"""Currency to bills and amount."""
Text = Callable[[Decimal, str], str]
"""An amount in a currency as text."""


class BillSums:
    """Adds up bill by bill."""

    def __init__(self) -> None:
        self._revenue: _Sums = {}
        self._paid: dict[str, _Sums] = {kind: {} for kind in KINDS}
        self._open: dict[str, _Sums] = {_UNPAID: {}, _OVERPAID: {}, _ROUNDED: {}}
        self._not_to_zero = self._rounded_only = 0

    @property
    def count(self) -> int:
        """Bills that Mews holds or will hold."""
        return sum(bills for bills, _ in self._revenue.values())

    @property
    def not_to_zero(self) -> int:
        """Those whose payments are not their revenue."""
        return self._not_to_zero

    def add(self, order: OrderStatus, orders: int = 1) -> None:
        """Counts an order if it is a bill that Mews holds or will hold; or so many `orders` as one that is as large as all."""
        if not (order.is_bill and order.is_planned):
            return
        currency = order.planned_currency or order.currency
        by_kind: dict[str, Decimal] = {}
        for line, _, amount in order.paid:
            kind = letters_of(line)
            by_kind[kind] = by_kind.get(kind, ZERO) + amount
        _add(self._revenue, currency, order.balance + sum(by_kind.values(), ZERO), orders)
        for kind, amount in by_kind.items():
            _add(self._paid[kind], currency, amount, orders)
        if order.balance:
            self._add_open(currency, order.balance, _rounded(order, currency), orders)

    def _add_open(self, currency: str, rest: Decimal, rounded: Decimal, orders: int) -> None:
        """A bill's rest, apart by what made it: nothing of it is counted twice, and nothing is left out."""
        unpaid = rest - rounded
        self._not_to_zero += orders
        self._rounded_only += 0 if unpaid else orders
        if unpaid:
            _add(self._open[_UNPAID if unpaid > 0 else _OVERPAID], currency, unpaid, orders)
        if rounded:
            _add(self._open[_ROUNDED], currency, rounded, orders)

    def payments(self, text: Text) -> list[dict[str, str]]:
        """What was paid, by kind and currency: beside the bridge, not in its sum."""
        return [
            {"currency": currency, "kind": KINDS[kind], "amount": text(amount, currency)}
            for kind, sums in self._paid.items()
            for currency, (_, amount) in sorted(sums.items())
        ]

    def document(self, text: Text) -> dict[str, Any]:
        """`bills` of the `--json` document: counts, and sums by currency."""
        rows = [
            {"what": what, "bills": bills, "currency": currency, "amount": text(amount, currency)}
            for currency in sorted(self._revenue)
            for what, bills, amount in self._rows(currency)
        ]
        return {
            "count": self.count,
            "to_zero": self.count - self.not_to_zero,
            "not_to_zero": self.not_to_zero,
            "by_rounding": self._rounded_only,
            "rows": rows,
        }

    def _rows(self, currency: str) -> Iterator[tuple[str, int, Decimal]]:
        bills, revenue = self._revenue[currency]
        yield ("Revenue", bills, revenue)
        left = revenue
        for kind, sums in self._paid.items():
            if currency in sums:
                left -= sums[currency][1]
                yield (f"Paid: {KINDS[kind]}", sums[currency][0], -sums[currency][1])
        yield ("Sum of the bills", bills, left)
        for what, sums in self._open.items():
            if currency in sums:
                yield (what, *sums[currency])


def bill_section(document: Mapping[str, Any]) -> Section | None:
    """The table of the report, from the `--json` document; None where it holds no bill."""
    found = document.get("bills")
    if not found or not found["count"]:
        return None
    rows = [(row["what"], row["bills"], row["currency"], Decimal(row["amount"])) for row in found["rows"]]
    told = f"{zero_words(found)}. {_TEXT}"
    if document.get("command") == "reconcile":
        told += " As the ledger holds them; what Mews showed stands in the bridge."
    return Section("Bills of the outlet", ("What", "Bills", "Currency", "Amount"), rows, told, PagePart.BRIDGE)


def zero_words(found: Mapping[str, Any]) -> str:
    """How many bills add up to zero, and how many do but for the rounding. `found`: `bills` of the document."""
    told = f"{found['to_zero']:,} of {found['count']:,} bills add up to zero"
    return f"{told}, {one:,} more but for rounding" if (one := found.get("by_rounding", 0)) else told


def _rounded(order: OrderStatus, currency: str) -> Decimal:
    """What the conversion, or Mews's own rounding, made of the revenue of an order with tax: booked less the export's."""
    return -sum(
        (
            amount
            for column, cause, row, basis, amount in order.money
            if column == Column.ROUNDING and cause in _BY_CONVERSION and (row, basis) == (currency, Basis.GROSS)
        ),
        ZERO,
    )


def _add(sums: _Sums, currency: str, amount: Decimal, orders: int) -> None:
    bills, before = sums.get(currency, (0, ZERO))
    sums[currency] = (bills + orders, before + amount)
