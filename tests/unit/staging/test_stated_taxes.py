"""Orders of shops that tell amounts of tax, and rates of the order: each line has the rate that these prove, or none."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from staged import Staged, stage

SHOPIFY = {
    "Name": "orderNumber",
    "Taxes": "taxTotal",
    "Total": "orderTotal",
    "Shipping": "shippingValue",
    "Discount Amount": "voucherValue",
    "Tax 1 Name": "taxRate1",
    "Tax 2 Name": "taxRate2",
    "Lineitem quantity": "products.qty",
    "Lineitem price": "products.unitPrice",
    "Lineitem sku": "products.sku",
    "Lineitem taxable": "products.taxable",
}
HEADER = (
    "Name,Currency,Taxes,Total,Shipping,Discount Amount,Tax 1 Name,Tax 2 Name,"
    "Lineitem quantity,Lineitem price,Lineitem sku,Lineitem taxable\n"
)
WOO = {
    "number": "orderNumber",
    "total": "orderTotal",
    "total_tax": "taxTotal",
    "shipping_total": "shippingValue",
    "shipping_tax": "shippingTax",
    "line_items.quantity": "products.qty",
    "line_items.price": "products.unitPrice",
    "line_items.sku": "products.sku",
    "line_items.total_tax": "products.taxTotal",
    "tax_lines.rate_percent": "taxBreakdown.taxPercent",
    "tax_lines.tax_total": "taxBreakdown.value",
}


def shopify(tmp_path: Path, rows: str) -> Staged:
    return stage(tmp_path, {"x.csv": HEADER + rows}, SHOPIFY)


def rates(staged: Staged, number: str = "1") -> list[Decimal | None]:
    return [line.vat_percent for line in staged[number].lines]


def woo(tmp_path: Path, **more: Any) -> Staged:
    """A cup at 10.00 and a book at 20.00, 19 and 7 %, and shipping of 5.00 at 19 %; all without tax."""
    order = {
        "number": "1", "currency": "EUR", "total": "39.25", "total_tax": "4.25",
        "shipping_total": "5.00", "shipping_tax": "0.95",
        "line_items": [
            {"quantity": 1, "price": 10.00, "sku": "CUP", "total_tax": "1.90"},
            {"quantity": 2, "price": 10.00, "sku": "BOOK", "total_tax": "1.40"},
        ],
        "tax_lines": [{"rate_percent": 19, "tax_total": "2.85"}, {"rate_percent": 7, "tax_total": "1.40"}],
    }  # fmt: skip
    return stage(tmp_path, {"x.json": [order | more]}, WOO)


@pytest.mark.parametrize(
    ("tax", "expected"),
    [
        ("13.17", [Decimal(20), Decimal(0)]),
        ("13.99", [Decimal(20), Decimal(0)]),
        ("17.32", [Decimal(20), Decimal(20)]),
        ("16.00", [None, None]),
    ],
)
def test_taxable_lines_have_the_order_s_rate_where_its_tax_says_so(
    tmp_path: Path, tax: str, expected: list[Decimal | None]
) -> None:
    """79.00 at 20 % hold 13.17, with shipping of 4.95 at 20 % 13.99; with 17.32 the book was taxed too."""
    rows = f"1,GBP,{tax},103.95,4.95,0,GB VAT 20%,,1,79.00,ROBE,true\n1,,,,,,,,1,20.00,BOOK,false\n"
    staged = shopify(tmp_path, rows)
    assert rates(staged) == expected
    assert "tax.rate_assumed" in staged.codes("1")


@pytest.mark.parametrize(("tax", "percent"), [("13.17", Decimal(0)), ("13.99", Decimal(20)), ("13.83", None)])
def test_what_the_goods_leave_of_the_tax_is_that_of_the_shipping(
    tmp_path: Path, tax: str, percent: Decimal | None
) -> None:
    """Shipping of 4.95 holds nothing, 0.83 at 20 %, or 0.66 shared as the goods are, for which no rate of its own is told."""
    rows = f"1,GBP,{tax},103.95,4.95,0,GB VAT 20%,,1,79.00,ROBE,true\n1,,,,,,,,1,20.00,BOOK,false\n"
    staged = shopify(tmp_path, rows)
    assert staged["1"].shipping_percent == percent


def test_a_discount_takes_its_share_of_the_tax(tmp_path: Path) -> None:
    """9.90 off 99.00: nine tenths of 13.17."""
    rows = "1,GBP,11.85,89.10,0,9.90,GB VAT 20%,,1,79.00,ROBE,true\n1,,,,,,,,1,20.00,BOOK,false\n"
    assert rates(shopify(tmp_path, rows)) == [Decimal(20), Decimal(0)]


def test_an_order_without_tax_has_lines_without(tmp_path: Path) -> None:
    """A stated tax of 0.00 and no rate at all."""
    assert rates(shopify(tmp_path, "1,GBP,0.00,79.00,0,0,,,1,79.00,ROBE,true\n")) == [Decimal(0)]


def test_of_two_rates_nobody_knows_whose_they_are(tmp_path: Path) -> None:
    """The tax of 79.00 at 20 % and 20.00 at 5 % is not what either makes of all lines."""
    rows = "1,GBP,14.12,99.00,0,0,VAT 20%,VAT 5%,1,79.00,ROBE,true\n1,,,,,,,,1,20.00,SEAT,true\n"
    assert rates(shopify(tmp_path, rows)) == [None, None]


def test_the_tax_of_a_line_is_that_of_one_rate_of_its_order(tmp_path: Path) -> None:
    """WooCommerce: no line has a rate, and the order has two."""
    staged = woo(tmp_path)
    assert rates(staged) == [Decimal(19), Decimal(7)]
    assert staged["1"].shipping_percent == 19
    assert staged["1"].is_readable
    assert "tax.rate_assumed" not in staged.codes("1")


def test_a_line_without_tax_has_rate_zero(tmp_path: Path) -> None:
    """An order abroad has no rates and no tax."""
    lines = [{"quantity": 1, "price": 35, "sku": "CUP", "total_tax": "0.00"}]
    staged = woo(
        tmp_path, total="40.00", total_tax="0.00", shipping_tax="0.00", line_items=lines, tax_lines=[]
    )  # fmt: skip
    assert rates(staged) == [Decimal(0)]
    assert staged["1"].shipping_percent == 0


def test_a_tax_that_no_stated_rate_makes_proves_nothing(tmp_path: Path) -> None:
    """3.00 of 10.00 is neither 19 nor 7 %."""
    lines = [{"quantity": 1, "price": 30, "sku": "CUP", "total_tax": "3.00"}]
    assert rates(woo(tmp_path, line_items=lines)) == [None]


def test_a_gift_has_the_rate_of_the_dearest_line(tmp_path: Path) -> None:
    """Nothing is taxed of a line that costs nothing."""
    lines = [
        {"quantity": 1, "price": 0, "sku": "GIFT", "total_tax": "0.00"},
        {"quantity": 1, "price": 10, "sku": "CUP", "total_tax": "1.90"},
        {"quantity": 2, "price": 10, "sku": "BOOK", "total_tax": "1.40"},
    ]
    assert rates(woo(tmp_path, line_items=lines)) == [Decimal(7), Decimal(19), Decimal(7)]


def test_cents_that_two_rates_make_prove_neither(tmp_path: Path) -> None:
    """Of 0.02 every rate makes less than half a cent."""
    lines = [{"quantity": 1, "price": "0.02", "sku": "CUP", "total_tax": "0.00"}]
    assert rates(woo(tmp_path, line_items=lines, total_tax="0.00", shipping_total="0", total="0.02")) == [None]
