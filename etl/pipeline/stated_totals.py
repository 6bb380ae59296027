"""From the source's sum without tax to the totals with tax that the shop's own reports show, per currency. Pure.

Rule: design section 6: the source total of prices without tax is the sum without it; orderTotal with tax is a control. What
leads from one to the other is told beside the totals, and stands in no sum.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from etl.model.money import money_text

ZERO = Decimal(0)


@dataclass(slots=True)
class StatedTotals:
    """Sums over the orders without tax whose orderTotal and sum are both known. Shape: currency -> [orders, sum, total]."""

    sums: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, currency: str, source: Decimal | None, stated: Decimal | None, orders: int = 1) -> None:
        """Counts an order, or so many together: its sum without tax, and its orderTotal."""
        if source is None or stated is None:
            return
        row = self.sums.setdefault(currency, [0, ZERO, ZERO])
        row[0] += orders
        row[1] += source
        row[2] += stated

    def document(self) -> list[dict[str, Any]]:
        """A row for each currency in which totals hold more, or less, than the source."""
        return [
            {
                "currency": currency,
                "basis": "net",
                "orders": orders,
                "source": f"{source:f}",
                "tax": _text(stated - source, source),
                "order_total": _text(stated, source),
            }
            for currency, (orders, source, stated) in sorted(self.sums.items())
            if source != stated
        ]


def _text(amount: Decimal, source: Decimal) -> str:
    """The amount with the decimals of the source, or as many more as it needs: not as many as somebody wrote zeros."""
    exponent = source.as_tuple().exponent
    return money_text(amount, -exponent if isinstance(exponent, int) and exponent < 0 else 0)


def in_words(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Each row in a sentence."""
    return [
        f"The shop's own totals: {Decimal(row['order_total']):,} {row['currency']} with tax in {row['orders']:,} orders, of which "
        f"{Decimal(row['source']):,} are the source, without tax, and {Decimal(row['tax']):,} tax."
        for row in rows
    ]
