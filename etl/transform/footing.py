"""How orderTotal of an order without tax comes to carry tax: amounts by rate, rounded in one of three ways. Pure.

Rule: design section 6.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from etl.model.money import ZERO, round_money
from etl.transform.context import Footing

RatedAmount = tuple[Decimal, Decimal]
"""Percent, and an exact amount without tax."""


def sum_with_tax(amounts: Iterable[RatedAmount], footing: Footing, precision: int) -> Decimal:
    """The amounts with their tax, rounded as `footing` says (one with tax), at `precision`."""
    if footing is Footing.PER_LINE:
        return sum((round_money(_with(percent, amount), precision) for percent, amount in amounts), ZERO)
    rates: dict[Decimal, Decimal] = defaultdict(lambda: ZERO)
    for percent, amount in amounts:
        rates[percent] += amount
    if footing is Footing.PER_RATE:
        return sum((round_money(_with(percent, amount), precision) for percent, amount in rates.items()), ZERO)
    return round_money(sum((_with(percent, amount) for percent, amount in rates.items()), ZERO), precision)


def _with(percent: Decimal, amount: Decimal) -> Decimal:
    return amount * (100 + percent) / 100
