"""The way from the source's tax basis into the enterprise's, for one amount at a time. Pure.

Rule: design section 6 (where the bases differ, conversion is exact with all rates).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import ceil

from etl.model.money import ZERO, decimals, ulp
from etl.model.plan import Basis
from etl.transform.arithmetic import Arithmetic
from etl.transform.booking import Booking

SPLITS_TRIED = 20_000
"""Equal splits of one line that are looked at; rounding patterns repeat long before."""

Entries = tuple[tuple[int, int], ...]
"""(count, unit in smallest amounts of the currency) of one or two entries."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to send a line in the other basis, for a positive source amount.

    `entries` are (count, unit). `rounding` is the source amount less what is predicted in its basis.
    """

    entries: tuple[tuple[int, Decimal], ...]
    total: Decimal
    rounding: Decimal


class Conversion:
    """Amounts of the other basis into that of one enterprise; remembers what it has found."""

    def __init__(self, arithmetic: Arithmetic) -> None:
        self.arithmetic = arithmetic
        self._is_from_gross = arithmetic.basis is Basis.NET
        self._candidates = lru_cache(maxsize=65_536)(self._find_candidates)
        self._booking = lru_cache(maxsize=4_096)(self._make_booking)

    def best(
        self, amount: Decimal, count: int, codes: tuple[str, ...], precision: int, accumulated: Decimal
    ) -> Candidate:
        """The best way to send `amount` (of the other basis, never negative).

        Nearest predicted result; on a tie nearest to the exact conversion, then what brings `accumulated`
        (the order's rounding so far) nearer to zero, then fewer entries, then the lower.
        """
        candidates = self._candidates(amount, count, codes, precision)
        return min(candidates, key=lambda found: (abs(accumulated + found.rounding), len(found.entries), found.total))

    def settled(self, amount: Decimal, count: int, codes: tuple[str, ...], precision: int) -> Candidate | None:
        """As `best`, where the order's rounding so far decides nothing; None where it may."""
        if len({found.rounding for found in self._candidates(amount, count, codes, precision)}) > 1:
            return None
        return self.best(amount, count, codes, precision, ZERO)

    def exactly(
        self, amount: int, count: int, codes: tuple[str, ...], precision: int
    ) -> tuple[tuple[int, int, int], ...]:
        """As `settled`, in smallest amounts of the currency: (count, unit, booked in the source's basis) of one entry or two.

        Empty where the amount is not booked to the last digit by the total nearest to the exact conversion: then it takes a search.
        """
        booking = self._booking(codes, precision, precision)
        unit = booking.unit
        found = []
        for number, one in _at_once(booking, amount * unit, count):
            booked, finer = divmod(booking.result(number * one * unit, number), unit)
            if finer:
                return ()
            found.append((number, one, booked))
        return tuple(found)

    def _make_booking(self, codes: tuple[str, ...], precision: int, finest: int) -> Booking:
        return Booking(self.arithmetic, codes, precision, finest)

    def _find_candidates(
        self, amount: Decimal, count: int, codes: tuple[str, ...], precision: int
    ) -> tuple[Candidate, ...]:
        """All that tie as nearest in the result and nearest to the exact conversion."""
        booking = self._booking(codes, precision, decimals(amount))
        if found := _at_once(booking, booking.scaled(amount), count):
            return (self._candidate(found, amount, codes, precision),)
        rate = self.arithmetic.combined_rate(codes)
        # Two entries round each code's tax by at most half a digit each; tax digits may be coarser than amounts.
        coarser = max(0, precision - self.arithmetic.tax_digits(precision))
        reach = (2 * len(codes) + 3) * ceil(1 + rate) * 10**coarser
        ways = _Search(booking, booking.scaled(amount), count, reach).nearest()
        return tuple(self._candidate(entries, amount, codes, precision) for entries in ways)

    def _candidate(self, way: Entries, amount: Decimal, codes: tuple[str, ...], precision: int) -> Candidate:
        step = ulp(precision)
        entries = tuple((number, unit * step) for number, unit in way)
        result = total = ZERO
        for number, unit in entries:
            booked = self.arithmetic.predict(number, unit, codes, precision)
            result += booked.gross if self._is_from_gross else booked.net
            total += number * unit
        return Candidate(entries, total, amount - result)


def _at_once(booking: Booking, amount: int, count: int) -> Entries:
    """The total nearest to the exact conversion, where it books `amount` as one entry or as two of neighbouring units.

    Nothing is left over then, and no other total lies as near, so that it is what a search finds, alone. Empty where it doesn't.
    """
    exact, divisor = booking.exact(amount, count)
    each = booking.unit * divisor
    units, rest = divmod(exact, each)
    if exact < 0 or 2 * rest == each:
        return ()
    low, extra = divmod(units + (2 * rest > each), count)
    ways = ((count - extra, low), (extra, low + 1)) if extra else ((count, low),)
    booked = sum([booking.result(number * one * booking.unit, number) for number, one in ways])
    return ways if booked == amount else ()


class _Search:
    """The nearest ways to book one source amount, by what is left over (the rounding) instead of by total.

    Taxes are whole steps, so a total leaves only roundings over that differ by whole steps. Roundings are therefore
    gone through from 0 on, and for each only the totals that can leave it over: those with the right remainder
    that lie no farther from the exact conversion than the taxes can be rounded.
    """

    def __init__(self, booking: Booking, amount: int, count: int, reach: int) -> None:
        self._booking = booking
        self._amount = amount
        self._count = count
        self._exact, divisor = booking.exact(amount, count)
        self._each = booking.unit * divisor
        """What one smallest amount weighs against `_exact`."""
        self._middle = max(0, self._exact // self._each)
        self._lowest, self._highest = max(0, self._middle - reach), self._middle + reach
        self._slack = booking.slack * min(count, 2) * booking.weight
        farthest = max(self._distance(self._lowest), self._distance(self._highest))
        self._most = (farthest + self._slack) // booking.weight
        """No total within reach leaves more over."""

    def nearest(self) -> list[Entries]:
        """All ways that leave the least over and, of these, lie nearest to the exact conversion."""
        for roundings in self._roundings():
            totals = sorted((self._distance(units), units, one) for one in roundings for units in self._totals(one))
            found: list[Entries] = []
            solved = -1
            for distance, units, rounding in totals:
                if found and distance > solved:
                    break
                way = self._way(units, self._amount - rounding)
                if way:
                    solved = distance
                    found.append(way)
            if found:
                return found
        raise AssertionError("every total leaves something over")

    def _distance(self, units: int) -> int:
        return abs(self._exact - units * self._each)

    def _roundings(self) -> Iterator[tuple[int, ...]]:
        """What may be left over, least first, up to the most; both signs of one size together."""
        booking, grid = self._booking, self._grid
        rest = self._remainder % grid
        closest = min(self._distance(self._middle), self._distance(self._middle + 1))
        least = max(0, (closest - self._slack) // booking.weight)
        for round_ in range(max(0, least // grid - 1), self._most // grid + 1):
            over, under = rest + round_ * grid, (round_ + 1) * grid - rest
            if not rest:
                yield (over, -over) if over else (0,)
            elif over == under:
                yield (over, -under)
            else:
                yield from ((over,), (-under,)) if over < under else ((-under,), (over,))

    @property
    def _grid(self) -> int:
        """Roundings of all totals together are this far apart."""
        booking = self._booking
        return min(booking.step, booking.unit) if booking.is_net and booking.is_rounded else self._own_grid

    @property
    def _own_grid(self) -> int:
        return self._booking.step if self._booking.is_rounded else self._booking.unit

    @property
    def _remainder(self) -> int:
        """Any rounding that may be left over."""
        booking, count = self._booking, self._count
        if booking.is_net:
            return self._amount - count * booking.flat
        return self._amount if booking.is_rounded else self._amount - booking.result(0, count)

    def _totals(self, rounding: int) -> range:
        """Totals that may leave `rounding` over, in smallest amounts of the currency."""
        booking = self._booking
        middle = self._exact - rounding * booking.weight
        low = max(self._lowest, -(-(middle - self._slack) // self._each))
        high = min(self._highest, (middle + self._slack) // self._each)
        apart = booking.step // booking.unit if booking.is_net and booking.is_rounded else 1
        if apart > 1:
            right = (self._remainder - rounding) // booking.unit
            low += (right - low) % apart
        return range(low, high + 1, max(1, apart))

    def _way(self, units: int, wanted: int) -> Entries:
        """A total as one entry, as two of neighbouring units where it does not divide, or as two of equal ones.

        Empty where none of them books `wanted`.
        """
        booking, count = self._booking, self._count
        low, extra = divmod(units, count)
        one = low * booking.unit
        if extra:
            rest = count - extra
            result = booking.result(rest * one, rest) + booking.result(extra * (one + booking.unit), extra)
            return ((rest, low), (extra, low + 1)) if result == wanted else ()
        if booking.result(count * one, count) == wanted:
            return ((count, low),)
        # Equal units in two entries round their tax apart, which can reach what one entry can't.
        part = booking.first_part(one, count, wanted, min(count // 2, SPLITS_TRIED))
        return ((part, low), (count - part, low)) if part else ()
