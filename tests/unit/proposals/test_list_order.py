"""What is left of the lists of an order object comes in one order, whatever the process."""

from __future__ import annotations

from etl.proposals import lists
from etl.proposals.dump import Dump
from etl.proposals.sheet import Sheet

HEADS = [f"{word}_fees" for word in ("gift", "card", "paper", "late", "small", "cash", "rush", "night", "box", "ice")]


def test_amounts_left_of_lists_that_are_used_come_in_the_order_of_their_lists() -> None:
    """Equal exports give equal folders: the order of a set differs from one process to the next."""
    nested = {f"{head}.{name}": {0: ("1.50",)} for head in HEADS for name in ("total", "discount")}
    sheet = Sheet(Dump(("id", "total"), [("1", "2.50")], frozenset(), tuple(HEADS), (), nested))
    taken = {f"{head}.total": "handlingCost" for head in HEADS}
    found = [one.header for one in lists.proposed(sheet, taken, None, lacks_rates=False)]
    assert found == [f"{head}.discount" for head in HEADS]
