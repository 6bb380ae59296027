"""What Mews books for an entry: net, gross and tax by code. Pure, Decimal throughout.

Rule: the contract's reading of Mews's arithmetic, per entry on count x unit amount. Gross pricing: net =
value / (1 + rate) rounded, tax the rest. Net pricing: tax per code, dependent ones on the rounded taxes they
depend on, flat ones value x count. Rounding is half away from zero, at TaxPrecision, else at the currency's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal

from etl.sandbox.world import Rate

# Wide enough that a quotient is never rounded onto a tie before it is rounded to the cent.
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
_UNITS = tuple(Decimal(1).scaleb(-digits) for digits in range(9))


@dataclass(frozen=True, slots=True)
class Booked:
    """An amount as Mews holds it; `taxes` by code, in the order sent, each with the net it is taken from."""

    net: Decimal
    gross: Decimal
    taxes: tuple[tuple[str, Decimal], ...]

    def negated(self) -> Booked:
        """The same with the other sign."""
        return Booked(-self.net, -self.gross, tuple((code, -value) for code, value in self.taxes))


def round_to(value: Decimal, digits: int) -> Decimal:
    """`value` at that many decimals, half away from zero."""
    return value.quantize(_UNITS[digits], ROUND_HALF_UP, _EXACT)


def is_finer(value: Decimal, digits: int) -> bool:
    """Whether `value` has more decimals than `digits`."""
    return value != round_to(value, digits)


def book_gross(value: Decimal, count: int, rate: Rate | None, digits: int) -> Booked:
    """An entry of `value` (gross, of all `count` pieces) with at most one code."""
    if rate is None:
        return Booked(value, value, ())
    if rate.kind == "Flat":
        net = _EXACT.subtract(value, _EXACT.multiply(rate.value, Decimal(count)))
    else:
        net = round_to(_EXACT.divide(value, 1 + rate.value), digits)
    return Booked(net, value, ((rate.code, value - net),))


def book_net(value: Decimal, count: int, rates: Sequence[Rate], digits: int) -> Booked:
    """An entry of `value` (net, of all `count` pieces) with any number of codes."""
    amounts: dict[str, Decimal] = {}
    by_taxation: dict[str, Decimal] = {}
    for rate in _in_order(rates):
        if rate.kind == "Flat":
            amount = _EXACT.multiply(rate.value, Decimal(count))
        else:
            base = value + sum((by_taxation.get(taxation, Decimal(0)) for taxation in rate.base), Decimal(0))
            amount = round_to(_EXACT.multiply(base, rate.value), digits)
        amounts[rate.code] = amount
        by_taxation[rate.taxation] = by_taxation.get(rate.taxation, Decimal(0)) + amount
    taxes = tuple((rate.code, amounts[rate.code]) for rate in rates)
    return Booked(value, value + sum(amounts.values(), Decimal(0)), taxes)


def _in_order(rates: Sequence[Rate]) -> list[Rate]:
    """Every rate after those that it depends on; circles are refused when the world is read."""
    waiting = list(rates)
    ordered: list[Rate] = []
    while waiting:
        pending = {rate.taxation for rate in waiting}
        ready = [rate for rate in waiting if not pending.intersection(rate.base)] or waiting[:1]
        ordered += ready
        waiting = [rate for rate in waiting if rate not in ready]
    return ordered
