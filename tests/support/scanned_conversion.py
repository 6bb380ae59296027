"""Conversion by looking at every total in reach and every split of it, in decimals: what the search is held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache
from math import ceil

from etl.model.money import ZERO, ulp
from etl.model.plan import Basis
from etl.transform.arithmetic import Arithmetic

SPLITS_TRIED = 20_000
"""Equal splits of one line that are looked at; rounding patterns repeat long before."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to send a line in the other basis, for a positive source amount.

    `entries` are (count, unit). `rounding` is the source amount less what is predicted in its basis;
    `distance` is how far `total` is from the exact conversion.
    """

    entries: tuple[tuple[int, Decimal], ...]
    total: Decimal
    rounding: Decimal
    distance: Decimal


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An amount of `count` pieces in the other basis than the enterprise's, at the currency's `precision`."""

    amount: Decimal
    count: int
    codes: tuple[str, ...]
    precision: int


class ScannedConversion:
    """Amounts of the other basis into that of one enterprise; remembers what it has found."""

    def __init__(self, arithmetic: Arithmetic) -> None:
        self.arithmetic = arithmetic
        self._is_from_gross = arithmetic.basis is Basis.NET
        self._candidates = lru_cache(maxsize=65_536)(self._find_candidates)

    def best(
        self, amount: Decimal, count: int, codes: tuple[str, ...], precision: int, accumulated: Decimal
    ) -> Candidate:
        """The best way to send `amount` (of the other basis, never negative).

        Nearest predicted result; on a tie nearest to the exact conversion, then what brings `accumulated`
        (the order's rounding so far) nearer to zero, then fewer entries, then the lower.
        """
        candidates = self._candidates(_Wanted(amount, count, codes, precision))
        return min(candidates, key=lambda found: (abs(accumulated + found.rounding), len(found.entries), found.total))

    def _find_candidates(self, wanted: _Wanted) -> tuple[Candidate, ...]:
        """All that tie as nearest in the result and nearest to the exact conversion."""
        found: list[Candidate] = []
        solved: Decimal | None = None
        for distance, units in self._near_first(wanted):
            if solved is not None and distance > solved:
                break  # nothing farther off beats a way without rounding
            ways = list(self._ways(units, distance, wanted))
            found += ways
            if any(not way.rounding for way in ways):
                solved = distance
        best = min((abs(candidate.rounding), candidate.distance) for candidate in found)
        return tuple(candidate for candidate in found if (abs(candidate.rounding), candidate.distance) == best)

    def _near_first(self, wanted: _Wanted) -> list[tuple[Decimal, int]]:
        """Totals in units of the last digit that may turn out best, with their distance from the exact one."""
        rate = self.arithmetic.combined_rate(wanted.codes)
        constant = self.arithmetic.constant(wanted.codes, wanted.count)
        exact = (
            (wanted.amount - constant) / (1 + rate) if self._is_from_gross else wanted.amount * (1 + rate) + constant
        )
        step = ulp(wanted.precision)
        middle = max(0, int((exact / step).to_integral_value(rounding=ROUND_FLOOR)))
        # Two entries round each code's tax by at most half a digit each; tax digits may be coarser than amounts.
        coarser = max(0, wanted.precision - self.arithmetic.tax_digits(wanted.precision))
        reach = (2 * len(wanted.codes) + 3) * ceil(1 + rate) * 10**coarser
        totals = range(max(0, middle - reach), middle + reach + 1)
        return sorted((abs(units * step - exact), units) for units in totals)

    def _ways(self, units: int, distance: Decimal, wanted: _Wanted) -> Iterator[Candidate]:
        """A total as one entry, as two of neighbouring units where it does not divide, or as two of equal ones."""
        step, count = ulp(wanted.precision), wanted.count
        low, extra = divmod(units, count)
        if extra:
            yield self._way(((count - extra, low * step), (extra, (low + 1) * step)), distance, wanted)
            return
        whole = self._way(((count, low * step),), distance, wanted)
        yield whole
        if not whole.rounding:
            return
        # Equal units in two entries round their tax apart, which can reach what one entry can't.
        seen = {whole.rounding}
        for part in range(1, min(count // 2, SPLITS_TRIED) + 1):
            split = self._way(((part, low * step), (count - part, low * step)), distance, wanted)
            if split.rounding not in seen:
                seen.add(split.rounding)
                yield split
            if not split.rounding:
                return

    def _way(self, entries: tuple[tuple[int, Decimal], ...], distance: Decimal, wanted: _Wanted) -> Candidate:
        result = total = ZERO
        for number, unit in entries:
            booked = self.arithmetic.predict(number, unit, wanted.codes, wanted.precision)
            result += booked.gross if self._is_from_gross else booked.net
            total += number * unit
        return Candidate(entries, total, wanted.amount - result, distance)
