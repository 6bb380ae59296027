"""What stands beside goods of several rates: the total foots with it shared over them, as the plan books it, or at the highest rate."""

from __future__ import annotations

import pytest
from builders import a_line, an_order

from etl.pipeline.readings import READINGS, foots
from etl.pipeline.verdict import Verdict

LINES = (a_line("10.00"), a_line("20.00", vat="5", sku="TEA"))
NET = "lines + shipping - voucher, with tax on top"


@pytest.mark.parametrize(("total", "is_right"), [("36.30", True), ("36.60", True), ("36.50", False)])
def test_shipping_is_shared_or_at_the_highest_rate(total: str, is_right: bool) -> None:
    """12 + 21, and 3.00 of shipping: 3.30 shared 1 to 2 over 20 % and 5 %, 3.60 at 20 %."""
    order = an_order(*LINES, shipping="3.00", order_total=total)
    assert foots(order, READINGS[NET](order)) is is_right


def test_inspect_counts_such_orders_as_the_dry_run_does() -> None:
    """Prices without tax, a voucher and shipping over two rates: 31.50 without tax, 34.65 with it."""
    verdict = Verdict(prices_include_tax=False)
    for number in range(25):
        more = {"shipping": "3.00", "voucher_code": "V", "voucher_value": "1.50", "order_total": "34.65"}
        verdict.add(an_order(*LINES, number=str(20000 + number), **more))
    assert (verdict.orders, verdict.good) == (25, 25)
    assert verdict.proved_basis() is False
