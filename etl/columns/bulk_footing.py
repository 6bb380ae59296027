"""What orderTotal of many orders without tax comes to with tax on top, from arrays of numbers. Pure.

As `transform.footing.sum_with_tax` has it of one order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from etl.columns.block import Ints
from etl.columns.bulk_goods import Goods, Portions
from etl.columns.decided import DIGITS
from etl.columns.sums import added_up
from etl.reading.distinct import distinct, first_of
from etl.transform.context import Footing

_WHOLE = 100 * 10**DIGITS
"""A rate of 100 percent."""


class Rated(NamedTuple):
    """All that so many orders (`size`) add up to: of which order, at which rate, how much; what credit pays left out."""

    size: int
    order: Ints
    rate: Ints
    amount: Ints

    def total(self, footing: Footing) -> Ints:
        """What each order adds up to, in one of the ways."""
        if footing is Footing.WITHOUT_TAX:
            return added_up(self.order, self.amount, self.size)
        order, exact = self.order, self.amount * (_WHOLE + self.rate)
        if footing is Footing.ONCE:
            return _rounded(added_up(order, exact, self.size))
        if footing is Footing.PER_RATE:
            width = int(self.rate.max(initial=0)) + 1
            found, which = distinct(order * width + self.rate)
            order, exact = found // width, added_up(which, exact, len(found))
        return added_up(order, _rounded(exact), self.size)


def rated(size: int, goods: Goods, shipping: Portions, vouchers: Portions) -> Rated:
    """The parts of so many orders; shares have the rate of the first line of their tax-code set."""
    width = int(max(goods.sets.max(initial=0), shipping.sets.max(initial=0), vouchers.sets.max(initial=0))) + 1
    found, which = distinct(goods.order * width + goods.sets)
    first = first_of(which)
    rates = [goods.rate[first[np.searchsorted(found, one.order * width + one.sets)]] for one in (shipping, vouchers)]
    return Rated(
        size,
        np.concatenate((goods.order, shipping.order, vouchers.order)),
        np.concatenate((goods.rate, *rates)),
        np.concatenate((goods.amount, shipping.amount, -vouchers.amount)),
    )


def footings_of(parts: Rated, credit: Ints, stated: Ints, tolerance: int) -> Ints:
    """Which of all footings hold of each order, as bits in their order."""
    found = np.zeros(parts.size, np.int64)
    for at, footing in enumerate(Footing):
        found |= (np.abs(stated - (parts.total(footing) - credit)) <= tolerance).astype(np.int64) << at
    return found


def _rounded(exact: Ints) -> Ints:
    """Half away from zero."""
    whole = (2 * np.abs(exact) + _WHOLE) // (2 * _WHOLE)
    found: Ints = np.where(exact < 0, -whole, whole)
    return found
