"""Mews's arithmetic as the importer assumes it, or as a first order taught it, and the way between tax bases. Pure.

Rule: design section 6; the first order sent checks the assumption (section 7.6).
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from enum import StrEnum
from functools import lru_cache

from etl.model.money import ZERO, ulp
from etl.model.plan import Basis, Booked
from etl.model.reference import Reference, Strategy, TaxRate
from etl.model.taxes import by_dependency, combined_rate, taxes_on

_KEPT = 16_384
"""Bookings that are remembered."""


class TaxRounding(StrEnum):
    """The ways of rounding that are known, likeliest first. The first is what is assumed.

    In gross pricing the net is rounded and the tax is the rest; `tax`: the tax itself is rounded.
    `piece`: the tax of one piece is rounded and taken times the count.
    """

    HALF_UP = "half up"
    HALF_EVEN = "half even"
    HALF_DOWN = "half down"
    TAX_HALF_UP = "tax half up"
    TAX_HALF_EVEN = "tax half even"
    PIECE_HALF_UP = "piece half up"
    PIECE_HALF_EVEN = "piece half even"
    DOWN = "down"
    TAX_DOWN = "tax down"
    FLOOR = "floor"
    CEILING = "ceiling"


_MODES = {
    "half up": ROUND_HALF_UP,
    "half even": ROUND_HALF_EVEN,
    "half down": ROUND_HALF_DOWN,
    "down": ROUND_DOWN,
    "floor": ROUND_FLOOR,
    "ceiling": ROUND_CEILING,
}


class Arithmetic:
    """What Mews books, for one enterprise and one way of rounding. Amounts are in the enterprise's `basis`."""

    def __init__(self, reference: Reference, rounding: TaxRounding = TaxRounding.HALF_UP) -> None:
        what, _, mode = rounding.value.partition(" ")
        self._is_by_piece = what == "piece"
        self._rounds_tax = what == "tax"
        self._mode = _MODES[mode if what in ("piece", "tax") else rounding.value]
        self._rates = reference.tax_rates
        self._tax_precision = reference.tax_precision
        self.basis = Basis.GROSS if reference.pricing == "Gross" else Basis.NET
        # Each takes most of a KiB, and a history has any number of lines that differ.
        self.predict = lru_cache(maxsize=_KEPT)(self._predict)
        self.combined_rate = lru_cache(maxsize=4_096)(self._combined_rate)
        self.constant = lru_cache(maxsize=_KEPT)(self._constant)
        self.without_flat = lru_cache(maxsize=4_096)(self._without_flat)

    def knows(self, codes: tuple[str, ...]) -> bool:
        """Whether the enterprise has all of these codes; nothing else may be asked of others."""
        return all(code in self._rates for code in codes)

    def tax_digits(self, precision: int) -> int:
        """Decimals of a tax in a currency of that `precision`."""
        return precision if self._tax_precision is None else self._tax_precision

    def in_order(self, codes: tuple[str, ...]) -> list[TaxRate]:
        """The taxes of these codes, dependent ones after those that they depend on."""
        return by_dependency([self._rates[code] for code in codes])

    def _without_flat(self, codes: tuple[str, ...]) -> tuple[str, ...]:
        """`codes` less the flat ones: rebates, returns and shipping never carry those."""
        return tuple(code for code in codes if self._rates[code].strategy is not Strategy.FLAT)

    def _predict(self, count: int, unit: Decimal, codes: tuple[str, ...], precision: int) -> Booked:
        """What Mews books for `count` x `unit` in a currency of that `precision`."""
        value = count * unit
        if not codes:
            return Booked(value, ZERO, value)
        step = ulp(self.tax_digits(precision))
        if not self._is_by_piece:
            return self._booked(value, count, codes, step)
        one = self._booked(unit, 1, codes, step)
        taxes = tuple((code, count * amount) for code, amount in one.taxes)
        return Booked(count * one.net, count * one.tax, count * one.gross, taxes)

    def _booked(self, value: Decimal, count: int, codes: tuple[str, ...], step: Decimal) -> Booked:
        if self.basis is Basis.GROSS:
            net = self._net_of(value, count, codes, step)
            tax = value - net
            return Booked(net, tax, value, ((codes[0], tax),))
        taxes = taxes_on(self._rates, codes, value, count, lambda tax: self._rounded(tax, step))
        tax = sum(taxes.values(), ZERO)
        return Booked(value, tax, value + tax, tuple(taxes.items()))

    def _net_of(self, gross: Decimal, count: int, codes: tuple[str, ...], step: Decimal) -> Decimal:
        """The net of an entry in gross pricing; an amount a piece is never rounded."""
        rest = gross - self.constant(codes, count)
        if not self.without_flat(codes):
            return rest
        exact = rest / (1 + self.combined_rate(codes))
        net = rest - self._rounded(rest - exact, step) if self._rounds_tax else self._rounded(exact, step)
        return net or abs(net)

    def _rounded(self, amount: Decimal, step: Decimal) -> Decimal:
        rounded = amount.quantize(step, rounding=self._mode)
        return rounded or abs(rounded)

    def _combined_rate(self, codes: tuple[str, ...]) -> Decimal:
        """The rate of all codes together on the net, flat ones left out."""
        return combined_rate(self._rates, codes)

    def _constant(self, codes: tuple[str, ...], count: int) -> Decimal:
        """The exact taxes of `count` pieces at a net of zero: flat ones, and dependent ones on them.

        In the conversion they are added whatever the price, so a price with tax can't be less.
        """
        return sum(taxes_on(self._rates, codes, ZERO, count).values(), ZERO)
