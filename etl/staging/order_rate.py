"""A rate that a shop writes on the first row of an order only: whether it is that of all lines, its tax decides.

Shops that tell tax by the order (Shopify's `Tax 1 Name`) have no rate of the line. Read as the first line's own it would be
wrong for a zero-rated one, and missing on the others.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from etl.staging.draft import Draft

_CENT = Decimal("0.01")
CODE = "tax.rate_assumed"


def spread_rate(draft: Draft) -> None:
    """Gives the rate of the first line to all lines, or to none, where it alone has one and the order states its tax.

    It is that of all where the stated tax is what it makes of the total, within a cent a line.
    """
    if len(draft.lines) < 2:
        return
    first, *rest = draft.lines
    tax, total = draft.values.get("taxTotal"), draft.values.get("orderTotal")
    if first.vat_percent is None or any(line.vat_percent is not None for line in rest) or tax is None or total is None:
        return
    rate = first.vat_percent
    is_of_all = abs(total * rate / (100 + rate) - tax) <= _CENT * len(draft.lines)
    draft.lines = [replace(line, vat_percent=rate if is_of_all else None) for line in draft.lines]
    stands = f"The rate {rate.normalize():f} stands on the order's first row only"
    text = f"{stands}; its tax {tax:f} proves that it holds for all lines." if is_of_all else (
        f"{stands}, and its tax {tax:f} is not what that makes of the total: no line was given it."
    )  # fmt: skip
    draft.tell(CODE, text, first.place.at("products.vatPercent"), f"{rate:f}")
