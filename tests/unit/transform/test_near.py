"""Keys that look like a row's but are not: exact keys go their own way, and the row that was probably meant is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import CATEGORY, a_context, a_line, a_mapping, a_reference, an_order
from outlet_shop import outlet_context

from etl.model.order import Order, Payment, Voucher
from etl.model.place import Place
from etl.model.reference import Named
from etl.model.rules import CategoryRule, PaymentRule, VoucherRule
from etl.transform.order import plan_order

D_ACCOUNT = "ac-house"
PAID = (Payment("Klarna", "success", a_line().total),)


def a_table(name: str, key: Any) -> dict[str, Any]:
    """One row of a table."""
    rows = {
        "categories": lambda: (CategoryRule("sku", key, CATEGORY),),
        "vouchers": lambda: (VoucherRule(key, "spread"),),
        "payments": lambda: (PaymentRule(key, "Cash"),),
        "segments": lambda: {key: "bs-web"},
        "accounts": lambda: {key: D_ACCOUNT},
    }
    return {name: rows[name]()}


def told(order: Order, table: str, key: Any, **sections: dict[str, Any]) -> list[str]:
    """What is told of the order's keys with one row in a table."""
    reference = a_reference(segments={"bs-web": Named("bs-web", "Web", True)}, payment_types=("Cash", "Invoice"))
    ctx = a_context(a_mapping(tables=a_table(table, key), **sections), reference)
    planned = plan_order(order, ctx)
    assert not [one for one in planned.problems if one.is_error]
    return [one.message for one in planned.problems if one.code == "key.near"]


LINE = a_line(sku="CUP-1")
ORDER = an_order(
    LINE,
    email="Ann@Example.com",
    customer_id="007",
    market="se",
    voucher_value="2.00",
    voucher_code="gc-17",
    vouchers=(Voucher("gc-17", LINE.unit_price / 6),),
    order_total="10.00",
    payments=(replace(PAID[0], amount=LINE.unit_price - 2),),
)
POSTED = {"payments": {"post": True, "type": "Invoice"}}


@pytest.mark.parametrize(
    ("table", "near", "own", "other"),
    [
        ("accounts", ("email", "ann@example.com"), ("email", "Ann@Example.com"), ("email", "bob@example.com")),
        ("accounts", ("customerId", "7"), ("customerId", "007"), ("customerId", "70")),
        ("segments", "SE", "se", "DK"),
        ("vouchers", "GC\u201117", "gc-17", "GC-1"),
        ("vouchers", "GC-*", "gc-*", "SALE-*"),
        ("payments", "klarna", "Klarna", "card"),
        ("categories", "cup-1", "CUP-1", "cup"),
        ("categories", "cup-*", "CUP-*", "mug-*"),
    ],
)
def test_a_key_that_looks_like_a_row_of_any_table_is_told(table: str, near: Any, own: Any, other: Any) -> None:
    """Its own row and another one say nothing: most keys of a history have none."""
    shown = near[1] if isinstance(near, tuple) else near
    (message,) = told(ORDER, table, near, **POSTED)
    assert f"{table}.csv" in message
    assert shown in message
    assert told(ORDER, table, own, **POSTED) == []
    assert told(ORDER, table, other, **POSTED) == []


def test_a_key_tried_first_is_told_though_a_later_one_has_a_row() -> None:
    """The address was meant to decide; the market decides."""
    ctx = a_context(
        a_mapping(tables={"accounts": {("email", "ann@example.com"): D_ACCOUNT, ("market", "se"): D_ACCOUNT}})
    )
    planned = plan_order(ORDER, ctx)
    assert [one.value for one in planned.problems if one.code == "key.near"] == ["Ann@Example.com"]


def test_addresses_are_alike_by_case_alone() -> None:
    """Two mailboxes that differ in a dash or a zero are two people's."""
    for address in ("ann_1@example.com", "0ann-1@example.com"):
        assert told(replace(ORDER, email=address), "accounts", ("email", "ann-1@example.com")) == []


def test_a_method_of_a_bill_is_told_alike() -> None:
    """On the outlet route its row gives the name of the payment."""
    ctx = outlet_context(
        tables={"payments": (PaymentRule("klarna", "Cash"),)}, outlet={"outlet": "Web shop", "payments": "captures"}
    )
    planned = plan_order(an_order(LINE, payments=PAID, place=Place("orders.csv", "", 2)), ctx)
    assert [one.value for one in planned.problems if one.code == "key.near"] == ["Klarna"]
