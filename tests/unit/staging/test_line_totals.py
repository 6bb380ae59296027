"""What an export says that a line comes to is a control: a contradiction is told, or blocks where nothing else decides."""

from __future__ import annotations

from pathlib import Path

import pytest
from staged import stage

HEADER = "orderNumber,orderDate,currency,orderTotal,products.sku,products.qty,products.unitPrice,products.vatPercent,products.totalPrice"


def codes(tmp_path: Path, total: str, line: str) -> set[str]:
    return stage(tmp_path, {"x.csv": f"{HEADER}\n1,2011-03-05,GBP,{total},A-1,{line}\n"}).codes("1")


@pytest.mark.parametrize("stated", ["12.00", "14.40", "10.00", "12", "12.01", "", "free", "-12.00"])
def test_a_line_total_that_fits_says_nothing(tmp_path: Path, stated: str) -> None:
    """With tax, without it, off by a rounded cent, empty, no number at all, as a return."""
    assert codes(tmp_path, "12.00", f"2,6.00,20,{stated}") == set()


def test_a_line_total_that_does_not_fit_is_told_where_the_order_foots(tmp_path: Path) -> None:
    """orderTotal decides."""
    assert codes(tmp_path, "12.00", "2,6.00,20,9.00") == {"line.total_differs"}


def test_and_blocks_where_nothing_else_decides(tmp_path: Path) -> None:
    """No orderTotal: 2 x 6.00 or 9.00?"""
    staged = stage(tmp_path, {"x.csv": f"{HEADER}\n1,2011-03-05,GBP,,A-1,2,6.00,20,9.00\n"})
    assert staged.codes("1") == {"order.conflict"}
    assert "comes to 9.00; 2 x 6.00 is 12.00" in staged.says("1")


def test_lines_of_an_object_are_compared(tmp_path: Path) -> None:
    """get-orders has totalPrice on every line."""
    line = {"sku": "A", "qty": 2, "unitPrice": "6.00", "vatPercent": 20}
    order = {"orderNumber": 1, "orderDate": "2011-03-05", "currency": "GBP"}
    fits = stage(tmp_path, {"x.json": {**order, "products": [{**line, "totalPrice": 12}]}})
    assert fits.codes("1") == set()
    differs = stage(tmp_path, {"x.json": {**order, "products": [{**line, "totalPrice": 9}, line]}})
    assert differs.codes("1") == {"order.conflict"}
