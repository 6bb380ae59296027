"""Orders that stay columns on the page: what is packed is what was meant, to the cent, and exact at any size."""

from __future__ import annotations

from plain_orders import packed_plain_orders, plain_orders
from unpacked import unpacked

from etl.report.details import packed
from etl.report.facts import PackedOrders


def test_they_hold_what_each_order_opens_to() -> None:
    """Amounts of either sign and beyond what a browser's number holds, products, two rules, shipping, other decimals."""
    found = {number: detail for one in packed_plain_orders() for number, detail in unpacked(one.data()).items()}
    assert found == {one.number: one.whole for one in plain_orders()}


def test_only_lots_with_an_order_on_the_page_are_written() -> None:
    """Their numbers come first, so that an order's row can name its lot."""
    lots = [PackedOrders(["1"], lambda: b"one"), PackedOrders(["2"], lambda: b"two")]
    elements = "".join(packed(lambda _numbers: iter(()), [["3"]], lots))
    assert elements.count("<script") == 2
    assert elements.index('id="details-0">b25l<') < elements.index('id="details-1">dHdv<')
