"""Orders with more lines in one row than one: said as what they are, once an order, and never read in part."""

from __future__ import annotations

from pathlib import Path

import pytest
from staged import stage

from etl.staging.further_lines import is_packed

WIDE = {
    "Order": "orderNumber",
    "Item 1 SKU": "products.sku",
    "Item 1 Qty": "products.qty",
    "Item 1 Price": "products.unitPrice",
    "VAT": "products.vatPercent",
}
HEADER = "Order,currency,Item 1 SKU,Item 1 Qty,Item 1 Price,Item 2 SKU,Item 2 Qty,Item 2 Price,VAT"


@pytest.mark.parametrize("total", ["", ",orderTotal"])
def test_columns_of_a_second_item_make_the_order_incomplete(tmp_path: Path, total: str) -> None:
    """Also without a total that would not foot: the first item is not the order."""
    end = ",5.00" if total else ""
    rows = f"1,GBP,MUG,1,5.00,CAP,1,7.00,20{end}\n2,GBP,MUG,1,5.00,,,,20{end}\n3,GBP,MUG,1,5.00,,0,0.00,20{end}\n"
    staged = stage(tmp_path, {"x.csv": f"{HEADER}{total}\n{rows}"}, WIDE)
    assert [problem.code for problem in staged["1"].problems if problem.is_error] == ["order.incomplete"]
    assert "Item 2 SKU: The row holds further lines of the order" in staged.says("1")
    assert staged["2"].is_readable
    assert staged["3"].is_readable


def test_a_list_of_prices_is_no_second_item(tmp_path: Path) -> None:
    """Price 2 alone is a price for somebody else."""
    columns = {"Order": "orderNumber", "SKU": "products.sku", "Qty": "products.qty", "Price 1": "products.unitPrice"}
    staged = stage(tmp_path, {"x.csv": "Order,currency,SKU,Qty,Price 1,Price 2\n1,GBP,MUG,1,5.00,4.00\n"}, columns)
    assert staged["1"].is_readable


def test_columns_that_are_left_out_on_purpose_are_nobody_s_lines(tmp_path: Path) -> None:
    left = {f"Item 2 {name}": "-" for name in ("SKU", "Qty", "Price")}
    staged = stage(tmp_path, {"x.csv": f"{HEADER}\n1,GBP,MUG,1,5.00,CAP,1,7.00,20\n"}, WIDE | left)
    assert staged["1"].is_readable


def test_all_lines_in_one_cell_are_told_as_that(tmp_path: Path) -> None:
    """Not as a missing quantity, a missing price and a missing key."""
    columns = {"Order": "orderNumber", "VAT": "products.vatPercent"}
    row = '1,GBP,"1 x Mug (MUG-1) @ 14.00; 2 x Cap (CAP) @ 19.50",20%,53.00\n'
    staged = stage(tmp_path, {"x.csv": f"Order,currency,Items,VAT,orderTotal\n{row}"}, columns)
    assert [problem.code for problem in staged["1"].problems if problem.is_error] == ["order.incomplete"]
    assert "Items seems to hold all lines of the order in one cell" in staged.says("1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 x Mug (MUG-1) @ 14.00; 2 x Cap", True),
        ("2 × Tasse blau", True),
        ("3* Mug | 1* Cap", True),
        ("Mug, blue", False),
        ("2 x 4m hose, green", False),
        ("", False),
        ("20%", False),
    ],
)
def test_a_list_of_goods_has_counts(text: str, expected: bool) -> None:
    assert is_packed(text) is expected


def test_a_totals_row_is_one_whatever_is_read(tmp_path: Path) -> None:
    """Its own total stands in a column that nobody mapped."""
    columns = {"Order": "orderNumber", "Net": "orderTotal", "SKU": "products.sku", "Price": "products.unitPrice"}
    table = "Order,currency,products.qty,SKU,Price,Net,Gross\n1,GBP,1,MUG,5.00,5.00,6.00\nTotal,,,,,,6.00\n"
    staged = stage(tmp_path, {"x.csv": table}, columns)
    assert staged.facts.unassigned_count == 0
    assert staged.facts.files[0].totals_rows == 1
    assert any(
        "a totals row, of columns that are not read: Total | 6.00" in one for one in staged.facts.files[0].notices
    )
