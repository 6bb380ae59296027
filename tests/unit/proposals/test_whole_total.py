"""The order's total is what the customer paid: a sum of the goods foots by itself, and would leave shipping out."""

from __future__ import annotations

import csv
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest
from made_up import made_up_rows
from more_dumps import prestashop
from strange_dumps import Sale, sales

from etl.pipeline.init import Begun, init
from etl.pipeline.prepare import Export
from etl.settings import Settings

NAMES = {
    "total": ["Order value", "Auftragswert", "Merchandise total"],
    "paid": ["Charged", "Zahlung", "Q17"],
}


def begun(tmp_path: Path, *paths: Path) -> Begun:
    with ExitStack() as stack:
        settings = Settings(tmp_path / "mappings", "")
        return init(stack, settings, Export(paths), store="s", timezone="UTC", progress=lambda *_: None)


def fields(found: Begun) -> dict[str, tuple[str, str]]:
    return {one.header: (one.field, str(one.sure)) for one in found.proposed.proposals.columns}


def shop(orders: int = 60) -> list[Sale]:
    return sales(made_up_rows(orders))


def write(path: Path, header: list[str], orders: list[Sale], paid: bool) -> None:
    """Goods' total under a telling name; what was paid, if it is there, under one that tells nothing."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for order in orders:
            goods = sum((item.total for item in order.items), Decimal(0))
            sums = [goods, order.shipping, order.discount, *([order.total] if paid else [])]
            for item in order.items:
                line = [order.number, f"{order.when:%Y-%m-%d}", "GBP", "GB", item.sku, item.qty, item.price, item.rate]
                writer.writerow([*line, *sums])


@pytest.mark.parametrize("total", NAMES["total"])
@pytest.mark.parametrize("paid", NAMES["paid"])
def test_the_total_that_holds_shipping_and_vouchers_is_taken(tmp_path: Path, total: str, paid: str) -> None:
    """Though it is named like nothing, and the sum of the goods like a total."""
    own = ["Order no", "Date", "Currency", "Country", "SKU", "Quantity", "Price", "VAT %"]
    write(tmp_path / "orders.csv", [*own, total, "Postage", "Discount", paid], shop(), paid=True)
    found = fields(begun(tmp_path, tmp_path / "orders.csv"))
    assert found[paid] == ("orderTotal", "proved")
    assert (found["Postage"], found["Discount"]) == (("shippingValue", "proved"), ("voucherValue", "proved"))
    assert found[total] == ("-", "proved")


def test_money_beside_the_goods_is_never_needless(tmp_path: Path) -> None:
    """Where the dump holds no other total, shipping and voucher are for a person to look at."""
    own = ["Order no", "Date", "Currency", "Country", "SKU", "Quantity", "Price", "VAT %"]
    write(tmp_path / "orders.csv", [*own, "Order value", "Postage", "Discount"], shop(), paid=False)
    found = fields(begun(tmp_path, tmp_path / "orders.csv"))
    assert found["Order value"] == ("orderTotal", "proved")
    assert (found["Postage"], found["Discount"]) == (("", "None"), ("", "None"))


def test_prestashop_is_read_with_what_was_paid(tmp_path: Path) -> None:
    """Every amount twice, with and without tax, and three sums named total."""
    orders = shop()
    dump = prestashop(orders, tmp_path)
    found = begun(tmp_path, *dump.paths)
    taken = {name: header for header, (name, _) in fields(found).items()}
    assert taken["orderTotal"] == "total_paid_tax_incl"
    assert taken["shippingValue"] == "total_shipping_tax_incl"
    assert taken["voucherValue"] == "total_discounts_tax_incl"
    assert (taken["orderNumber"], taken["products.sku"]) == ("id_order", "product_reference")
    assert found.proved["prices_include_tax"] is True
    assert found.verdict.document()["money"]["read"] == [
        {"currency": "GBP", "amount": f"{sum(order.total for order in orders):.2f}"}
    ]
