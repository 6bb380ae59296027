"""What the scan adds up is exact, however large an order and however fine its tax."""

from __future__ import annotations

from decimal import Decimal

from etl.reconcile.notebook import Amounts, Notebook, Page


def test_sums_of_a_scan_are_exact() -> None:
    net, gross = Decimal("22093453044280.123456"), Decimal("26512143653136440763.53")
    with Notebook() as notebook:
        for _ in range(2):
            page = Page()
            page.add("1", 1, "order", "id", amounts=Amounts(net, gross), currency="GBP")
            page.add("1", 1, "order", "id", amounts=None, currency="GBP")
            notebook.see(page)
        (found,) = notebook.seen_of(["1"])["1"]
        assert (found.live, found.net, found.gross) == (2, 2 * net, 2 * gross)
        assert notebook.sightings(10).__next__() == {"1": [found]}
