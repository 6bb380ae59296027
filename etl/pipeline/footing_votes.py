"""How orderTotals of prices without tax foot: what each order proves, and the one way that most of them do.

Rule: design section 6: decided over the whole file, and shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from etl.model.order import Order
from etl.transform.context import Context, Footing
from etl.transform.order import footings

Ways = tuple[frozenset[Footing] | None, int]
"""The ways in which so many orders foot, each of them in all; None where their taxes are still undecided."""


@dataclass(frozen=True, slots=True)
class Decided:
    """`footing` is None where no order proves one; `is_open`: because taxes are still undecided."""

    footing: Footing | None
    votes: dict[str, int]
    is_open: bool


def ways_by_rules(orders: Iterable[Order], ctx: Context) -> Iterator[Ways]:
    """Those of each order."""
    return ((footings(order, ctx), 1) for order in orders)


def decide(ways: Iterable[Ways]) -> Decided:
    """The footing that most orders prove."""
    votes: Counter[Footing] = Counter()
    undecided = 0
    for found, orders in ways:
        undecided += orders if found is None else 0
        for footing in found or ():
            votes[footing] += orders
    ranking = list(Footing)
    # At a rate of 0 every way foots: that proves none of them for the orders whose taxes are still open.
    is_open = undecided > 0 and len({votes[footing] for footing in ranking}) == 1
    if is_open or not votes:
        return Decided(None, {}, is_open=is_open)
    best = max(votes, key=lambda footing: (votes[footing], -ranking.index(footing)))
    return Decided(best, {footing.value: votes[footing] for footing in ranking}, is_open=False)
