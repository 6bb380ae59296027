"""Orders of shops that tell tax by the order, and lines without a key: read as what they are, never as something else."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from staged import Staged, stage

COLUMNS = {
    "Name": "orderNumber",
    "Taxes": "taxTotal",
    "Total": "orderTotal",
    "Tax 1 Name": "products.vatPercent",
    "Lineitem quantity": "products.qty",
    "Lineitem price": "products.unitPrice",
    "Lineitem sku": "products.sku",
    "Lineitem name": "products.itemText.product",
}
HEADER = "Name,Currency,Taxes,Total,Tax 1 Name,Lineitem quantity,Lineitem price,Lineitem sku,Lineitem name\n"


def read(tmp_path: Path, rows: str) -> Staged:
    """An order of one robe at 79.00 and one book at 20.00."""
    return stage(tmp_path, {"x.csv": HEADER + rows}, COLUMNS)


@pytest.mark.parametrize(
    ("tax", "rates"),
    [
        ("16.50", [Decimal(20), Decimal(20)]),
        ("16.51", [Decimal(20), Decimal(20)]),
        ("13.17", [None, None]),
        ("", [Decimal(20), None]),
    ],
)
def test_a_rate_of_the_order_is_that_of_all_lines_where_its_tax_says_so(
    tmp_path: Path, tax: str, rates: list[Decimal | None]
) -> None:
    """99.00 at 20 % hold 16.50 of tax; with 13.17 one of the two is zero-rated, and nobody knows which."""
    rows = f"1,GBP,{tax},99.00,VAT 20%,1,79.00,ROBE,Robe\n1,,,,,1,20.00,BOOK,Book\n"
    staged = read(tmp_path, rows)
    assert [line.vat_percent for line in staged["1"].lines] == rates
    assert ("tax.rate_assumed" in staged.codes("1")) == bool(tax)
    assert staged["1"].is_readable


def test_rates_of_lines_stay_what_they_are(tmp_path: Path) -> None:
    """Two rates are those of their lines, and one line has its own."""
    rows = "1,GBP,16.50,99.00,VAT 20%,1,79.00,ROBE,Robe\n1,,,,VAT 0%,1,20.00,BOOK,Book\n2,GBP,1.00,20.00,VAT 0%,1,20.00,BOOK,Book\n"
    staged = read(tmp_path, rows)
    assert [line.vat_percent for order in staged.orders for line in order.lines] == [20, 0, 0]


def test_a_line_of_another_shop_may_have_a_name_only(tmp_path: Path) -> None:
    """Gift wrapping has no SKU in Shopify; without a name too it is no line."""
    staged = read(tmp_path, "1,GBP,,3.00,VAT 20%,1,3.00,,Gift wrapping\n2,GBP,,3.00,VAT 20%,1,3.00,,\n")
    assert staged["1"].is_readable
    assert staged["1"].lines[0].product == "Gift wrapping"
    assert not staged["2"].is_readable
