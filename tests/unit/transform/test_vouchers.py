"""Vouchers by policy: what they lower, and what they never turn over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import UK_TAXES, a_context, a_line, a_mapping, a_rate, a_reference, a_tax, an_order, entries

from etl.model.order import Line, Voucher
from etl.model.plan import PlannedOrder, plan_line
from etl.model.reference import Pricing
from etl.model.rules import VoucherRule
from etl.transform.order import plan_order

RULES = (VoucherRule("SP", "spread"), VoucherRule("RE", "rebate"), VoucherRule("GC", "payment"))


def plan(*lines: Line, policy: str = "spread", **order: Any) -> PlannedOrder:
    taxes = (*UK_TAXES, a_tax("shipping", "UK-20%"))
    ctx = a_context(a_mapping(taxes=taxes, tables={"vouchers": RULES}, vouchers={"policy": policy}))
    return plan_order(an_order(*lines, **order), ctx)


def amounts(result: PlannedOrder) -> list[str]:
    return [f"{line} {count}x{unit}" for line, count, unit, _ in entries(result)]


def test_shippings_part_lowers_the_shipping_beside_a_negative_line() -> None:
    """Goods of 40.00 - 30.00 may lose 10.00; the rest of 15.00 is the shipping's, whatever room a line has."""
    goods = (a_line("40.00"), a_line("30.00", -1, sku="TEA"))
    order = {"shipping": "20.00", "voucher_value": "15.00", "order_total": "15.00"}
    assert amounts(plan(*goods, **order)) == ["p1 1x30.00", "p2 1x-30.00", "s1 1x15.00"]
    assert amounts(plan(*goods, policy="rebate", **order)) == ["p1 1x40.00", "p2 1x-30.00", "s1 1x20.00", "v1 1x-15.00"]


def test_a_return_with_what_goes_out_in_exchange_has_nothing_new_below_zero() -> None:
    """Its voucher lowers the new goods; there is no item of -5.00."""
    result = plan(a_line("30.00"), is_return=True, voucher_value="5.00", order_total="25.00")
    assert amounts(result) == ["p1 1x25.00"]


def test_a_return_mirrors_its_sale_beside_a_line_sold() -> None:
    """-40.00 + 30.00 gives back goods of 10.00 net of the exchange; the voucher's rest is the shipping's."""
    goods = (a_line("40.00", -1), a_line("30.00", 1, sku="TEA"))
    result = plan(*goods, is_return=True, shipping="-20.00", voucher_value="-15.00", order_total="-15.00")
    assert amounts(result) == ["p1 1x-30.00", "p2 1x30.00", "s1 1x-15.00"]


@pytest.mark.parametrize("policy", ["spread", "rebate"])
def test_a_discount_in_a_return_goes_to_what_can_take_it(policy: str) -> None:
    """TEA at 5 % is sold for 2.00 and can't lose more; the rest is given back at the rate of the goods."""
    goods = (a_line("10.00", -1), a_line("2.00", 1, "5", sku="TEA"))
    result = plan(*goods, policy=policy, is_return=True, voucher_value="24.00", order_total="-32.00")
    if policy == "spread":
        assert amounts(result) == ["p1 1x-32.00", "p2 1x0.00"]
    else:
        assert entries(result, "v") == [("v1", 1, "-22.00", ("UK-20%",)), ("v2", 1, "-2.00", ("UK-5%",))]


def test_a_gift_card_beside_a_spread_voucher_takes_no_room() -> None:
    """Money pays for what the voucher leaves."""
    vouchers = (Voucher("GC", an_order(shipping="8.00").shipping), Voucher("SP", an_order(shipping="4.00").shipping))
    result = plan(a_line("12.00"), vouchers=vouchers, voucher_value="12.00", order_total="0.00")
    assert amounts(result) == ["p1 1x8.00"]
    assert [(payment.part, str(payment.amount)) for payment in result.payments] == [("gift1", "8.00")]


def test_tax_codes_in_another_order_are_one_set() -> None:
    """One share of shipping and voucher, one row of each report, one plan."""
    rates = (a_rate("A", "0.1"), a_rate("B", "0.05"))
    reference = a_reference(pricing=Pricing.NET, rates=rates)

    def planned(first: str, second: str) -> PlannedOrder:
        taxes = (a_tax("15", *first.split(), sku="CUP"), a_tax("15", *second.split()))
        mapping = a_mapping(taxes=taxes, source={"prices_include_tax": False}, shipping={"tax": "proportional"})
        goods = (a_line("10.00", 1, "15"), a_line("10.00", 1, "15", sku="TEA"))
        return plan_order(an_order(*goods, shipping="5.01", voucher_value="2.01"), a_context(mapping, reference))

    result = planned("A B", "B A")
    assert [(line, unit) for line, _, unit, _ in entries(result)] == [
        ("p1", "10.00"), ("p2", "10.00"), ("s1", "5.01"), ("v1", "-2.01"),
    ]  # fmt: skip
    assert {codes for _, _, _, codes in entries(result)} == {("A", "B")}
    assert plan_line(result, "uk") == plan_line(planned("B A", "A B"), "uk") == plan_line(planned("A B", "A B"), "uk")


def test_a_voucher_without_goods_takes_the_codes_of_shipping_without_goods() -> None:
    """In a return of nothing else, of either sign, and beside a fee."""
    order = an_order(is_return=True, voucher_value="-5.00", return_cost="2.00", order_total="7.00")
    ctx = a_context(a_mapping(taxes=(*UK_TAXES, a_tax("shipping", "UK-20%"))))
    result = plan_order(replace(order, lines=()), ctx)
    assert entries(result) == [("f1", 1, "2.00", ("UK-20%",)), ("v1", 1, "5.00", ("UK-20%",))]
