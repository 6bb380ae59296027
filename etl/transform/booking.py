"""What Mews books of one entry, in whole numbers: the arithmetic of `etl.transform.arithmetic` for a search. Pure.

Rule: design section 6 as assumed (half away from zero). All amounts are whole multiples of 10**-scale, fine enough for
every amount and tax that occurs, so that a way which books exactly what is wanted is found by division, not by trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import ceil

from etl.model.money import decimals
from etl.model.plan import Basis
from etl.model.reference import Strategy
from etl.transform.arithmetic import Arithmetic
from etl.transform.remainders import first_within, half_up


class Booking:
    """One set of codes in a currency of `precision`, for source amounts of at most `finest` decimals.

    `unit`: the smallest amount of the currency, `step`: the smallest tax, both in 10**-scale. The exact conversion is
    off by `remainder(..)`; what is booked differs from it by at most `slack` an entry.
    """

    def __init__(self, arithmetic: Arithmetic, codes: tuple[str, ...], precision: int, finest: int) -> None:
        rates = arithmetic.in_order(codes)
        digits = arithmetic.tax_digits(precision)
        one_piece = arithmetic.constant(codes, 1)
        flats = [rate.value for rate in rates if rate.strategy is Strategy.FLAT]
        self.scale = max(precision, digits, finest, decimals(one_piece), *(decimals(value) for value in flats))
        self.unit = int(Decimal(10) ** (self.scale - precision))
        self.step = int(Decimal(10) ** (self.scale - digits))
        self.is_net = arithmetic.basis is Basis.NET
        self.is_rounded = bool(arithmetic.without_flat(codes))
        self.flat = sum(self.scaled(value) for value in flats)
        """The amounts a piece of one piece."""
        self._constant = self.scaled(one_piece)
        rate = Fraction(arithmetic.combined_rate(codes)) + 1
        self._over, self._under = rate.numerator, rate.denominator
        order = [rate.code for rate in rates]
        taxations = [rate.taxation for rate in rates]
        self._taxes: list[tuple[int, int, tuple[int, ...]]] = []
        """(numerator, denominator, earlier ones that it depends on), flat ones as (amount, 0, ())."""
        for at, one in enumerate(rates):
            base = tuple(n for n in range(at) if taxations[n] in one.base) if one.strategy is Strategy.DEPENDENT else ()
            share = Fraction(one.value)
            if one.strategy is Strategy.FLAT:
                self._taxes.append((self.scaled(one.value), 0, ()))
            else:
                self._taxes.append((share.numerator, share.denominator, base))
        self.slack = self._slack(len(order))

    def scaled(self, amount: Decimal) -> int:
        """`amount` in units of 10**-scale; it has no finer digits."""
        return int(amount.scaleb(self.scale))

    def _slack(self, size: int) -> int:
        """By how much the result of one entry may differ from the exact one."""
        if not self.is_net:
            return -(-self.step // 2) if self.is_rounded else 0
        errors = [Fraction(0)] * size
        for at, (number, divisor, base) in enumerate(self._taxes):
            if divisor:
                of_base = sum((errors[one] for one in base), Fraction(0))
                errors[at] = Fraction(self.step, 2) + abs(Fraction(number, divisor)) * of_base
        return ceil(sum(errors, Fraction(0)))

    def exact(self, amount: int, count: int) -> tuple[int, int]:
        """The exact conversion of `amount` as (numerator, denominator)."""
        if self.is_net:
            return (amount - count * self._constant) * self._under, self._over
        return amount * self._over + count * self._constant * self._under, self._under

    @property
    def weight(self) -> int:
        """What an amount of the source's basis is taken times, to compare with a remainder of `exact`."""
        return self._under if self.is_net else self._over

    @property
    def ratio(self) -> tuple[int, int]:
        """The exact net with all rates on top, to the net: 6 to 5 at 20 %."""
        return self._over, self._under

    def result(self, value: int, count: int) -> int:
        """What is booked of an entry of `value` and `count` pieces, in the source's basis."""
        if not self.is_net:
            rest = value - count * self._constant
            return half_up(rest * self._under, self._over * self.step) * self.step if self.is_rounded else rest
        if len(self._taxes) == 1:
            number, divisor, _ = self._taxes[0]
            tax = half_up(value * number, divisor * self.step) * self.step if divisor else count * number
            return value + tax
        return value + sum(self._taxes_on(value, count))

    def _taxes_on(self, net: int, count: int) -> Sequence[int]:
        taxes: list[int] = []
        for number, divisor, base in self._taxes:
            if divisor:
                on = net + sum([taxes[one] for one in base])
                taxes.append(half_up(on * number, divisor * self.step) * self.step)
            else:
                taxes.append(count * number)
        return taxes

    def first_part(self, unit: int, count: int, wanted: int, most: int) -> int:
        """The smallest part of `count` pieces at `unit` that, beside the rest, books `wanted`; 0 where none up to `most` does."""
        rounding = [tax for tax in self._taxes if tax[1]]
        if not self.is_rounded:
            return 0
        if len(rounding) == 1 and (self.is_net or unit >= self._constant):
            return self._first_of_one(unit, count, wanted, most, rounding[0])
        for part in range(1, most + 1):
            rest = count - part
            if self.result(part * unit, part) + self.result(rest * unit, rest) == wanted:
                return part
        return 0

    def _first_of_one(
        self, unit: int, count: int, wanted: int, most: int, tax: tuple[int, int, tuple[int, ...]]
    ) -> int:
        """The same with one rounded amount an entry, which grows evenly with the pieces.

        Of the exact sum s, two entries book floor(s) + 1 where the remainder of the first, half a step added, is no
        more than that of s; else floor(s).
        """
        if self.is_net:
            # Whatever else the tax rests on is a flat amount a piece, which grows with the pieces as well.
            growth, whole = (unit + sum(self._taxes[one][0] for one in tax[2])) * tax[0], tax[1] * self.step
            wanted -= count * (unit + self.flat)
        else:
            growth, whole = (unit - self._constant) * self._under, self._over * self.step
        steps, odd = divmod(wanted, self.step)
        floor, rest = divmod(count * growth, whole)
        if odd or growth < 0 or steps - floor not in (0, 1):
            return 0
        low, high = (0, 2 * rest) if steps > floor else (2 * rest + 1, 2 * whole - 1)
        if low > high:
            return 0
        part = first_within(2 * growth, 2 * growth + whole, 2 * whole, low, high)
        return part + 1 if part is not None and part < most else 0
