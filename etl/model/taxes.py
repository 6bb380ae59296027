"""Taxes on a net amount: relative ones on the net, dependent ones on other taxes too, flat ones a piece. Pure.

Rule: Mews `taxations/getAll` (Strategy) and design section 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from etl.model.money import ZERO
from etl.model.reference import Strategy, TaxRate


def taxes_on(
    rates: Mapping[str, TaxRate],
    codes: Sequence[str],
    net: Decimal,
    count: int,
    rounded: Callable[[Decimal], Decimal] | None = None,
) -> dict[str, Decimal]:
    """Tax by code on a `net` of `count` pieces, dependent ones on the `rounded` taxes; exact where that is None."""
    taxes: dict[str, Decimal] = {}
    for rate in by_dependency([rates[code] for code in codes]):
        if rate.strategy is Strategy.FLAT:
            taxes[rate.code] = rate.value * count
            continue
        base = net
        if rate.strategy is Strategy.DEPENDENT:
            base += sum((taxes[code] for code in taxes if rates[code].taxation in rate.base), ZERO)
        tax = base * rate.value
        taxes[rate.code] = tax if rounded is None else rounded(tax)
    return {code: taxes[code] for code in codes}


def combined_rate(rates: Mapping[str, TaxRate], codes: Sequence[str]) -> Decimal:
    """The rate of all codes together on the net, flat ones left out."""
    return sum(taxes_on(rates, codes, Decimal(1), 0).values(), ZERO)


def by_dependency(rates: list[TaxRate]) -> list[TaxRate]:
    """`rates` so that a dependent one comes after the taxations that it names."""
    ordered: list[TaxRate] = []
    waiting = list(rates)
    while waiting:
        taxations = {rate.taxation for rate in waiting}
        free = [rate for rate in waiting if not (taxations - {rate.taxation}).intersection(rate.base)]
        if not free:  # a circle: Mews would not define one; the given order is as good as any
            free = waiting
        ordered += free
        waiting = [rate for rate in waiting if rate not in free]
    return ordered
