"""Mews's arithmetic as the importer assumes it, and the conversion between tax bases. Pure.

Rule: design section 6; the first order sent checks the assumption (section 7.6).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache
from math import ceil

from etl.model.money import ZERO, round_money, ulp
from etl.model.plan import Basis, Booked
from etl.model.reference import Reference, Strategy, TaxRate

SPLITS_TRIED = 20_000
"""Equal splits of one line that are looked at; rounding patterns repeat long before."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to send a line in the other basis, for a positive source amount.

    `entries` are (count, unit). `rounding` is the source amount less what is predicted in its basis.
    """

    entries: tuple[tuple[int, Decimal], ...]
    total: Decimal
    rounding: Decimal
    distance: Decimal


class Arithmetic:
    """Predicts what Mews books, for one enterprise."""

    def __init__(self, reference: Reference) -> None:
        self._rates = reference.tax_rates
        self._tax_precision = reference.tax_precision
        self._basis = Basis.GROSS if reference.pricing == "Gross" else Basis.NET
        self.predict = lru_cache(maxsize=65_536)(self._predict)
        self._candidates = lru_cache(maxsize=65_536)(self._find_candidates)
        self.combined_rate = lru_cache(maxsize=4_096)(self._combined_rate)
        self.flat_amount = lru_cache(maxsize=4_096)(self._flat_amount)
        self.without_flat = lru_cache(maxsize=4_096)(self._without_flat)

    @property
    def basis(self) -> Basis:
        """The basis in which the enterprise takes amounts."""
        return self._basis

    def _without_flat(self, codes: tuple[str, ...]) -> tuple[str, ...]:
        """`codes` less the flat ones: rebates, returns and shipping never carry those."""
        return tuple(code for code in codes if self._rates[code].strategy is not Strategy.FLAT)

    def convert(
        self, amount: Decimal, count: int, codes: tuple[str, ...], source: Basis, precision: int, accumulated: Decimal
    ) -> Candidate:
        """The best way to send `amount` (in the source's basis, never negative) in the enterprise's basis.

        Nearest predicted result; on a tie nearest to the exact conversion, then what brings `accumulated`
        (the order's rounding so far) nearer to zero, then fewer entries, then the lower.
        """
        candidates = self._candidates(amount, count, codes, source, precision)
        return min(candidates, key=lambda found: (abs(accumulated + found.rounding), len(found.entries), found.total))

    def _find_candidates(
        self, amount: Decimal, count: int, codes: tuple[str, ...], source: Basis, precision: int
    ) -> tuple[Candidate, ...]:
        rate = self._combined_rate(codes)
        flat = self._flat_amount(codes) * count
        exact = (amount - flat) / (1 + rate) if source is Basis.GROSS else amount * (1 + rate) + flat
        step = ulp(precision)
        middle = max(0, int((exact / step).to_integral_value(rounding=ROUND_FLOOR)))
        # Two entries round each code's tax by at most half a digit each; tax digits may be coarser than amounts.
        coarser = max(0, precision - (precision if self._tax_precision is None else self._tax_precision))
        reach = (2 * len(codes) + 3) * ceil(1 + rate) * 10**coarser
        found: list[Candidate] = []
        solved: Decimal | None = None
        near_first = sorted(
            (abs(units * step - exact), units) for units in range(max(0, middle - reach), middle + reach + 1)
        )
        for distance, units in near_first:
            if solved is not None and distance > solved:
                break  # nothing farther off beats a way without rounding
            ways = self._ways(units, count, codes, amount, source, precision, distance)
            found += ways
            if any(not way.rounding for way in ways):
                solved = distance
        best = min((abs(candidate.rounding), candidate.distance) for candidate in found)
        return tuple(candidate for candidate in found if (abs(candidate.rounding), candidate.distance) == best)

    def _ways(
        self,
        units: int,
        count: int,
        codes: tuple[str, ...],
        amount: Decimal,
        source: Basis,
        precision: int,
        distance: Decimal,
    ) -> list[Candidate]:
        step = ulp(precision)
        low, extra = divmod(units, count)
        total = units * step

        def way(*entries: tuple[int, Decimal]) -> Candidate:
            result = ZERO
            for number, unit in entries:
                booked = self.predict(number, unit, codes, precision)
                result += booked.gross if source is Basis.GROSS else booked.net
            return Candidate(entries, total, amount - result, distance)

        if extra:
            return [way((count - extra, low * step), (extra, (low + 1) * step))]
        ways = [way((count, low * step))]
        if ways[0].rounding and count > 1:
            # Equal units in two entries round their tax apart, which can reach what one entry can't.
            seen = {ways[0].rounding}
            for part in range(1, min(count // 2, SPLITS_TRIED) + 1):
                split = way((part, low * step), (count - part, low * step))
                if split.rounding not in seen:
                    seen.add(split.rounding)
                    ways.append(split)
                if not split.rounding:
                    break
        return ways

    def _predict(self, count: int, unit: Decimal, codes: tuple[str, ...], precision: int) -> Booked:
        """What Mews books for `count` x `unit` (in the enterprise's basis)."""
        value = count * unit
        if not codes:
            return Booked(value, ZERO, value)
        digits = precision if self._tax_precision is None else self._tax_precision
        if self._basis is Basis.GROSS:
            net = round_money(self._net_of(value, count, codes), digits)
            return Booked(net, value - net, value, ((codes[0], value - net),))
        taxes = self._taxes_on(value, count, codes, digits)
        tax = sum(taxes.values(), ZERO)
        return Booked(value, tax, value + tax, tuple(taxes.items()))

    def _net_of(self, value: Decimal, count: int, codes: tuple[str, ...]) -> Decimal:
        return (value - self._flat_amount(codes) * count) / (1 + self._combined_rate(codes))

    def _taxes_on(self, net: Decimal, count: int, codes: tuple[str, ...], digits: int) -> dict[str, Decimal]:
        taxes: dict[str, Decimal] = {}
        for rate in _by_dependency([self._rates[code] for code in codes]):
            if rate.strategy is Strategy.FLAT:
                taxes[rate.code] = round_money(rate.value * count, digits)
                continue
            base = net
            if rate.strategy is Strategy.DEPENDENT:
                base += sum((taxes[code] for code in taxes if self._rates[code].taxation in rate.base), ZERO)
            taxes[rate.code] = round_money(base * rate.value, digits)
        return {code: taxes[code] for code in codes}

    def _combined_rate(self, codes: tuple[str, ...]) -> Decimal:
        """The rate of all codes together on the net, flat ones left out."""
        parts: dict[str, Decimal] = {}
        for rate in _by_dependency([self._rates[code] for code in codes]):
            if rate.strategy is Strategy.FLAT:
                continue
            base = Decimal(1)
            if rate.strategy is Strategy.DEPENDENT:
                base += sum((parts[code] for code in parts if self._rates[code].taxation in rate.base), ZERO)
            parts[rate.code] = rate.value * base
        return sum(parts.values(), ZERO)

    def _flat_amount(self, codes: tuple[str, ...]) -> Decimal:
        """The flat taxes of `codes` for one piece."""
        return sum((self._rates[code].value for code in codes if self._rates[code].strategy is Strategy.FLAT), ZERO)


def _by_dependency(rates: list[TaxRate]) -> list[TaxRate]:
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
