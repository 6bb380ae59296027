"""The currency that an amount of an object says beside its value: the order's, or a contradiction that blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from staged import get_order, stage

PAID = {"status": "SUCCESS", "entryType": "CAPTURE"}


def money(value: float, code: str) -> dict[str, Any]:
    """An amount as the Integration API answers it."""
    return {"value": value, "currency": {"code": code}}


def order(**more: Any) -> dict[str, Any]:
    """An order of the Integration API: two mugs at 4.25 pounds."""
    line = {"id": 1, "quantity": 2, "taxPercent": 20, "unitPrice": money(4.25, "GBP"), "productNumber": "MUG"}
    return {
        "number": 77,
        "status": "COMPLETED",
        "orderDate": "2011-03-05T10:15:00",
        "grandTotal": money(8.5, "GBP"),
        "shippingAddress": {"country": {"code": "GB"}},
        "lines": [line],
    } | more


def back(amounts: dict[str, Any], **line: Any) -> dict[str, Any]:
    """A return of one mug."""
    lines = [{"quantity": 1, "orderLine": {"id": 1}, "unitPrice": {"value": 4.25}} | line]
    return {"id": 5, "status": "COMPLETED", "createdAt": "2011-03-20T10:00:00", "totals": amounts, "lines": lines}


@pytest.mark.parametrize(
    ("more", "column"),
    [
        ({"lines": [order()["lines"][0] | {"unitPrice": money(4.25, "EUR")}]}, "lines.unitPrice.currency.code"),
        ({"totals": {"shipping": money(0, "EUR")}}, "totals.shipping.currency.code"),
        ({"discountsApplied": [{"value": money(0, "SEK")}]}, "discountsApplied.value.currency.code"),
        ({"paymentHistory": [PAID | {"value": money(8.5, "USD")}]}, "paymentHistory.value.currency.code"),
    ],
)
def test_another_currency_within_an_order_contradicts_it(tmp_path: Path, more: dict[str, Any], column: str) -> None:
    """Ten euros are not ten pounds: the order is blocked at the amount that says so."""
    staged = stage(tmp_path, {"x.json": {"data": {"orders": [order(**more)]}}})
    assert [(one.code, one.place.column) for one in staged["77"].problems if one.is_error] == [
        ("order.conflict", column)
    ]


@pytest.mark.parametrize(
    "found", [back({"returnCost": money(1, "EUR")}), back({}, unitPrice=money(4.25, "EUR"))], ids=["cost", "line"]
)
def test_another_currency_within_a_return_blocks_the_return(tmp_path: Path, found: dict[str, Any]) -> None:
    """Its order stands."""
    staged = stage(tmp_path, {"x.json": {"data": {"orders": [order(returns=[found])]}}})
    assert (staged.codes("77"), staged.codes("77-R5")) == (set(), {"order.conflict"})


def test_the_same_currency_everywhere_is_said_again_and_nothing_unknown(tmp_path: Path) -> None:
    """In any case of its letters, on every level."""
    paid = [PAID | {"value": money(8.5, "gbp")}]
    found = order(
        paymentHistory=paid, totals={"shipping": money(0, "GBP")}, returns=[back({"returnCost": money(1, "GBP")})]
    )
    staged = stage(tmp_path, {"x.json": {"data": {"orders": [found]}}})
    assert not [one for order_ in staged.orders for one in order_.problems]
    assert staged.facts.files[0].columns.unknown == ()


def test_the_amounts_of_an_order_name_its_currency_where_nothing_else_does(tmp_path: Path) -> None:
    """A query may leave the total's currency out; what all amounts say is no guess. Two of them block."""
    bare = order(grandTotal={"value": 8.5})
    assert stage(tmp_path, {"x.json": {"data": {"orders": [bare]}}})["77"].currency == "GBP"
    two = bare | {"totals": {"shipping": money(0, "EUR")}}
    assert "order.conflict" in stage(tmp_path, {"y.json": {"data": {"orders": [two]}}}).codes("77")


def test_a_currency_beside_a_value_counts_in_any_vocabulary(tmp_path: Path) -> None:
    """Of get-orders, too, where a program made objects of amounts."""
    euros = get_order(shippingValue={"value": 3.5, "currency": "EUR"})
    assert "order.conflict" in stage(tmp_path, {"x.json": [euros]}).codes("77")
    pounds = get_order(shippingValue={"value": 3.5, "currency": "GBP"})
    assert not stage(tmp_path, {"y.json": [pounds]}).codes("77")


HEADER = "number,status,orderDate,grandTotal.value,lines.quantity,lines.unitPrice.value,lines.unitPrice.currency.code,x"


@pytest.mark.parametrize(
    ("header", "codes", "declared"),
    [
        (f"{HEADER},grandTotal.currency.code", {"order.conflict"}, {}),
        (f"{HEADER},grandTotal.currency.code", set(), {"lines.unitPrice.currency.code": "-"}),
        (HEADER.replace("currency.code", "currency") + ",currency", {"order.conflict"}, {}),
    ],
)
def test_a_table_of_flattened_answers_is_held_alike(
    tmp_path: Path, header: str, codes: set[str], declared: dict[str, str]
) -> None:
    """The second line is in euros; columns.csv may say that the column means nothing."""
    rows = [f"77,COMPLETED,2011-03-05 10:15:00,8.50,1,4.25,{code},,GBP" for code in ("GBP", "EUR")]
    staged = stage(tmp_path, {"x.csv": "\n".join([header, *rows, ""])}, declared)
    found = [one for one in staged["77"].problems if one.code == "order.conflict"]
    assert {one.code for one in found} == codes
    assert all(one.place.row == 3 for one in found)


def test_the_amounts_of_a_table_name_its_orders_currency(tmp_path: Path) -> None:
    """As those of an object do."""
    rows = [HEADER, "77,COMPLETED,2011-03-05 10:15:00,4.25,1,4.25,EUR,", ""]
    assert stage(tmp_path, {"x.csv": "\n".join(rows)})["77"].currency == "EUR"


def test_the_currency_of_an_unknown_amount_is_unknown(tmp_path: Path) -> None:
    """A misspelt grandTotal that holds the order's only currency: nothing says it again."""
    bare = order(lines=[], grandTotalx={"currency": {"code": "GBP"}}, grandTotal=None)
    staged = stage(tmp_path, {"x.json": {"data": {"orders": [bare]}}})
    assert "grandTotalx.currency.code" in {name for name, _ in staged.facts.files[0].columns.unknown}
