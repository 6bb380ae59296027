"""Every name of the Centra contract, line by line: used, or not migrated with a reason; none of them is unknown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from staged import get_order, stage

CONTRACT = Path(__file__).parents[4] / "shared" / "centra-contract.md"
pytestmark = pytest.mark.skipif(not CONTRACT.exists(), reason="the contract is not at hand")


def table_after(heading: str) -> Iterator[str]:
    """The first cells of the table's rows below a heading."""
    lines = CONTRACT.read_text().splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(heading))
    for line in lines[start + 1 :]:
        if line.startswith("## "):
            return
        if line.startswith("| ") and not line.startswith(("| ---", "| parameter", "| get-orders |", "| GraphQL |")):
            yield line.split("|")[1].strip()


def create_order_names() -> Iterator[str]:
    """Flat names, in full: `.brand` after `products.itemText.sku` is products.itemText.brand."""
    for cell in table_after("# Centra: the shape of the source"):
        head = ""
        for name in re.findall(r"`([^`]+)`", cell):
            if name.startswith("."):
                yield f"{head}{name}"
            elif name.endswith(".*"):
                yield from _starred(cell, name)
            elif "Address" in head and "." not in name and name in _ADDRESS:
                yield f"{head}.{name}"
            else:
                yield name
            head = (name if name.endswith("Address.*") else name.rpartition(".")[0]).removesuffix(".*") or head


_ADDRESS = (
    "email",
    "firstName",
    "lastName",
    "tele",
    "cell",
    "attn",
    "address",
    "coaddress",
    "city",
    "zipcode",
    "state",
    "country",
)
_PAYMENT = ("status", "amount", "method", "transaction", "response", "external_url")


def _starred(cell: str, name: str) -> Iterator[str]:
    stem = name.removesuffix(".*")
    yield from (f"{stem}.{one}" for one in (_ADDRESS if "ddress" in stem else _PAYMENT))


def names_of_lines(cell: str) -> list[str]:
    return [name for name in re.findall(r"`([^`]+)`", cell) if re.fullmatch(r"[A-Za-z.\[\]]+", name)]


def test_create_order_names_are_known(tmp_path: Path) -> None:
    """As columns of a flat file."""
    names = list(dict.fromkeys(create_order_names()))
    assert len(names) > 70
    text = ",".join(names) + "\n" + "," * (len(names) - 1) + "\n"
    columns = stage(tmp_path, {"x.csv": text}).facts.files[0].columns
    assert [name for name, _ in columns.unknown] == []
    met = {name for name, _ in (*columns.used, *columns.not_migrated)}
    assert met == set(names)


ORDERS = [
    "hold", "waitingForPayment", "suspect", "internalOrder", "orderDate", "cancelDate", "preferredDeliveryDate",
    "estimatedDeliveryDate", "handlingCost", "shippingValue", "voucherValue", "grandTotalValue", "grandTotalTaxValue",
    "taxAdded", "taxDeducted", "totalItemsPrice", "totalItemsWithoutTax", "totalItemsDiscount", "paymentPlugin",
    "paymentType", "paymentMethod", "paymentReference", "paymentDescription", "poNumber", "internalComment",
    "otherComment", "ipAddress", "weight", "harmCode", "warehouses", "shipments", "selectionId",
    *(f"{side}{name}" for side in ("billing", "delivery") for name in
      ("Name", "Company", "Email", "Tele", "Address", "Coaddress", "Zipcode", "City", "State", "Country", "VAT")),
]  # fmt: skip
LINES = [
    "lineId", "qty", "price", "originalPrice", "taxPercent", "sku", "variantSku", "sizeSku", "ean", "upc", "name", "variant",
    "brand", "size", "totalPrice", "totalPriceWithTax", "totalPriceWithoutTax", "taxValue", "totalTaxValue", "isBundle",
    "isPartOfBundle",
]  # fmt: skip
VOUCHER = ["voucher", "name", "priceOff", "priceOffAsANumber", "priceOffAsNumber", "isCredit"]
RETURN = [
    "returnId", "completed", "date", "returnCost", "shippingCost", "handlingCost", "voucherValue", "taxValue", "taxDeduction",
    "currency", "baseCurrency", "baseCurrencyRate", "comment",
]  # fmt: skip
GET_RETURN = ["selectionId", "customerId", "marketId", "pricelistId", "shipment", "createdFrom"]
RETURN_LINE = [
    "returnLineId", "orderLineId", "quantity", "price", "productName", "productBrand", "variantName", "size", "sku",
    "variantSku", "sizeSku", "ean", "upc", "shipmentLineId",
]  # fmt: skip


def filled(names: list[str], **more: Any) -> dict[str, Any]:
    """An object with every name; no value is read where it could not be."""
    return dict.fromkeys(names) | more


def test_get_orders_names_are_known(tmp_path: Path) -> None:
    """On every level of an order object, and each of them is a name of the contract."""
    text = CONTRACT.read_text()
    for name in (*ORDERS, *LINES, *VOUCHER, *RETURN, *GET_RETURN, *RETURN_LINE):
        short = re.sub(r"^(billing|delivery)(?=[A-Z])", "", name)
        assert re.search(rf"\b{short}\b", text), name
    line = filled(LINES, lineId=1, qty=1, price=1, sku="A", bundle=[filled(LINES, lineId=2, qty=1, price=1, sku="B")])
    back = filled(RETURN, returnId=1, products=[filled(RETURN_LINE, orderLineId=1, quantity=1)])
    order = get_order() | filled(ORDERS, orderDate="2011-03-05", products=[line], returns=[back])
    order["discounts"] = {
        "vouchers": [filled(VOUCHER, priceOff=0)],
        "automaticDiscounts": [filled(VOUCHER, priceOff=0)],
    }
    order["taxBreakdown"] = [{"description": "VAT", "taxPercent": 20, "value": 1}]
    columns = stage(tmp_path, {"x.json": {"status": "ok", "orders": [order]}}).facts.files[0].columns
    assert columns.unknown == ()
    met = {name for name, _ in (*columns.used, *columns.not_migrated)}
    wanted = {*ORDERS, *(f"products.{name}" for name in LINES), *(f"products.bundle.{name}" for name in LINES),
              *(f"returns.{name}" for name in RETURN), *(f"returns.products.{name}" for name in RETURN_LINE),
              *(f"discounts.vouchers.{name}" for name in VOUCHER)}  # fmt: skip
    assert wanted - met == set()


def test_get_returns_names_are_known(tmp_path: Path) -> None:
    """The fields of an endpoint of its own."""
    back = filled(
        [*RETURN, *GET_RETURN], returnId=1, orderId=77, products=[filled(RETURN_LINE, orderLineId=1, quantity=1)]
    )
    columns = stage(tmp_path, {"x.json": {"status": "ok", "returns": [back]}}).facts.files[0].columns
    assert columns.unknown == ()
    met = {name for name, _ in (*columns.used, *columns.not_migrated)}
    assert {*RETURN, *GET_RETURN, "orderId", *(f"products.{name}" for name in RETURN_LINE)} <= met


@pytest.mark.parametrize("number", range(7))
def test_order_statuses_by_number(tmp_path: Path, number: int) -> None:
    """0 to 6, as the contract lists them."""
    listed = re.search(r"`orderStatus` 0\.\.6 \| `status` \| ([^|]+)\|", CONTRACT.read_text())
    assert listed
    word = dict(part.strip().split(" ") for part in listed[1].split(","))[str(number)]
    assert stage(tmp_path, {"x.json": [get_order(orderStatus=number)]})["77"].status == word


@pytest.mark.parametrize("word", ["PENDING", "CONFIRMED", "PROCESSING", "COMPLETED", "ARCHIVED", "CANCELLED"])
def test_statuses_of_the_integration_api(tmp_path: Path, word: str) -> None:
    """In capitals; a time with an offset is read in the shop's timezone, with the amounts as the contract nests them."""
    order = {"number": 5, "status": word, "orderDate": "2011-07-05T10:15:00+00:00", "lines": [],
             "grandTotal": {"value": 12, "currency": {"code": "GBP"}}}  # fmt: skip
    found = stage(tmp_path, {"x.json": {"data": {"orders": [order]}}}, None, timezone="Europe/London")["5"]
    assert found.status == word.capitalize()
    assert str(found.order_date) == "2011-07-05 11:15:00"
    assert not [problem for problem in found.problems if problem.is_error]


def test_amounts_as_text_with_their_currency(tmp_path: Path) -> None:
    """`"0.00 USD"`: the sign has to be the order's currency."""
    order = get_order(shippingValue="3.50 GBP")
    assert stage(tmp_path, {"x.json": [order]})["77"].shipping == 3.5
    assert "value.invalid" in stage(tmp_path, {"y.json": [get_order(shippingValue="3.50 USD")]}).codes("77")


def test_numbers_of_many_digits_are_read_at_fifteen(tmp_path: Path) -> None:
    """A binary fraction in full is what was meant, with a notice; a key keeps all of its digits."""
    text = ('[{"orderId": 12345678901234567890, "grandTotalValue": 9.949999999999999289457264239899814128875732421875, '
            '"orderCurrency": "GBP", "shippingValue": 9.95, "orderDate": "2011-03-05"}]')  # fmt: skip
    staged = stage(tmp_path, {"x.json": text})
    (order,) = staged.orders
    assert (order.number, str(order.order_total)) == ("12345678901234567890", "9.95")
    assert any(problem.place.column == "grandTotalValue" for problem in order.problems)
    assert not any(problem.is_error for problem in order.problems)


@pytest.mark.parametrize(("word", "is_near"), [("Erledigt", True), ("ERLEDIGT", True), ("fertig", False)])
def test_a_word_that_differs_from_a_row_in_case_is_led_to_it(tmp_path: Path, word: str, is_near: bool) -> None:
    """Words of values.csv are exact; a near miss is suggested, and blocks all the same."""
    staged = stage(
        tmp_path, {"x.json": [get_order(orderStatus=None, status=word)]}, values={"status": {"erledigt": "Completed"}}
    )
    (problem,) = [one for one in staged["77"].problems if one.is_error]
    assert (problem.code, "'erledigt'" in problem.hint) == ("status.unknown", is_near)
