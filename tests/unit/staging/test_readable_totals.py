"""Which totals count as readable: what an amount is called in the file makes no difference (design section 2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import a_context, a_mapping
from staged import stage

from etl.transform.order import plan_order

RENAMED = {
    "No": "orderNumber",
    "Placed": "orderDate",
    "Ccy": "currency",
    "Land": "deliveryAddress.country",
    "Freight": "shippingValue",
    "Fee": "handlingCost",
    "Off": "voucherValue",
    "Item": "products.sku",
    "Pieces": "products.qty",
    "Each": "products.unitPrice",
    "Rate": "products.vatPercent",
    "Remark": "comment",
}
PLAIN = {
    "No": "1",
    "Placed": "2024-05-01 10:00:00",
    "Ccy": "GBP",
    "Land": "GB",
    "Freight": "4.00",
    "Fee": "1.00",
    "Off": "2.00",
    "Item": "CUP",
    "Pieces": "1",
    "Each": "10.00",
    "Rate": "20",
    "Remark": "as ordered",
}


def total_of(tmp_path: Path, files: dict[str, Any], columns: dict[str, str], number: str = "1") -> Any:
    order = stage(tmp_path, files, columns)[number]
    assert not order.is_readable
    return plan_order(order, a_context(a_mapping())).source_total


@pytest.mark.parametrize("header", ["Freight", "Fee", "Off", "Pieces", "Each"])
@pytest.mark.parametrize("bad", ["abc", "#REF!"])
def test_a_bad_amount_under_a_shops_own_header_leaves_no_total(tmp_path: Path, header: str, bad: str) -> None:
    rows = [PLAIN | {header: bad}, PLAIN | {"No": "2"}]
    text = "\n".join([",".join(PLAIN), *(",".join(row.values()) for row in rows)])
    assert total_of(tmp_path, {"x.csv": text}, RENAMED) is None


@pytest.mark.parametrize("header", ["Pieces", "Each"])
def test_nor_does_a_missing_one(tmp_path: Path, header: str) -> None:
    rows = [PLAIN, dict.fromkeys(PLAIN, "") | {"No": "1", "Item": "TEA", "Pieces": "1", "Each": "3.00", header: ""}]
    text = "\n".join([",".join(PLAIN), *(",".join(row.values()) for row in rows)])
    assert total_of(tmp_path, {"x.csv": text}, RENAMED) is None


def test_a_bad_date_under_a_shops_own_header_leaves_the_total(tmp_path: Path) -> None:
    rows = [PLAIN | {"Placed": "soon"}, PLAIN | {"No": "2"}]
    text = "\n".join([",".join(PLAIN), *(",".join(row.values()) for row in rows)])
    assert str(total_of(tmp_path, {"x.csv": text}, RENAMED)) == "13.00"


def test_nor_does_a_currency_that_nobody_can_read(tmp_path: Path) -> None:
    """Money of an unknown currency is none of the default one, also where the total itself is plain."""
    rows = [{**PLAIN, "Ccy": "GPB", "Sum": "13.00"}, {**PLAIN, "No": "2", "Sum": "13.00"}]
    text = "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)])
    assert total_of(tmp_path, {"x.csv": text}, RENAMED | {"Sum": "orderTotal"}) is None


@pytest.mark.parametrize(("header", "others"), [("Sum", ("13.00", "14.00")), ("Ccy", ("GBP", "EUR"))])
def test_nor_do_two_totals_or_currencies(tmp_path: Path, header: str, others: tuple[str, str]) -> None:
    rows = [{**PLAIN, "Sum": "13.00", header: other} for other in others]
    text = "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)])
    assert total_of(tmp_path, {"x.csv": text}, RENAMED | {"Sum": "orderTotal"}) is None


@pytest.mark.parametrize("setting", [True, "b2c"])
def test_a_store_type_matters_where_it_tells_the_basis(tmp_path: Path, setting: bool | str) -> None:
    rows = [{**PLAIN, "storeType": "mall", "Sum": "13.00"}]
    text = "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)])
    order = stage(tmp_path, {"x.csv": text}, RENAMED | {"Sum": "orderTotal"})["1"]
    plan = plan_order(order, a_context(a_mapping(source={"prices_include_tax": setting})))
    assert plan.verdict == "blocked"
    assert (plan.source_total is None) is (setting == "b2c")


ORDER: dict[str, Any] = {
    "orderId": "1",
    "orderDate": "2024-05-01 10:00:00",
    "orderCurrency": "GBP",
    "deliveryCountry": "GB",
    "products": [{"sku": "CUP", "quantity": 1, "price": "10.00", "taxPercent": "20"}],
}


@pytest.mark.parametrize(
    "more",
    [
        {"discounts": {"vouchers": [{"voucher": "X", "priceOffAsANumber": "much"}]}},
        {"discounts": {"vouchers": ["X"]}},
        {"products": [*ORDER["products"], "TEA"]},
    ],
)
def test_nor_a_nested_part_that_is_left_out(tmp_path: Path, more: dict[str, Any]) -> None:
    assert total_of(tmp_path, {"x.json": [ORDER | more]}, {}) is None


def test_nor_one_under_another_name(tmp_path: Path) -> None:
    order = {name: value for name, value in ORDER.items() if name != "products"} | {"rows": [*ORDER["products"], "TEA"]}
    assert total_of(tmp_path, {"x.json": [order]}, {"rows": "products"}) is None
