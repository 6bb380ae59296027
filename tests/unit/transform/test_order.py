"""Whole orders: every rule in its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal as D
from typing import Any

import pytest
from builders import (
    ACCOUNT,
    COMPANY,
    PRODUCT,
    UK_TAXES,
    a_context,
    a_line,
    a_mapping,
    a_reference,
    a_tax,
    an_order,
    entries,
    money,
)

from etl.model.content import version_of
from etl.model.order import Line, LocalTime, Order, TaxBreakdownRow, TaxMode, Voucher
from etl.model.plan import PlannedOrder, Verdict
from etl.model.problem import Problem
from etl.model.reference import Bill, Named, Pricing
from etl.model.rules import TaxRule, VoucherRule
from etl.transform.consumption import Window
from etl.transform.context import Context, Footing
from etl.transform.order import footings, plan_order

CUP = a_line("19.98", 3)
TEA = a_line("5.99", 5, "5", sku="TEA", product="Tea")
NET = a_reference(pricing=Pricing.NET)
BOOKS = Window(datetime(2012, 1, 3, 9, tzinfo=UTC), datetime(2012, 1, 5, tzinfo=UTC))


def plan(
    *lines: Line, ctx: Context | None = None, reference: Any = None, settings: Any = None, **order: Any
) -> PlannedOrder:
    ctx = ctx or a_context(a_mapping(**(settings or {})), reference)
    return plan_order(an_order(*lines, **order), ctx)


def units(result: PlannedOrder, letter: str = "") -> list[tuple[int, str, str]]:
    return [(count, unit, " ".join(codes)) for _, count, unit, codes in entries(result, letter)]


def voucher(policy: str, *lines: Line, value: str, **order: Any) -> PlannedOrder:
    return plan(*lines, settings={"vouchers": {"policy": policy}}, voucher_code="V", voucher_value=value, **order)


def at(text: str) -> LocalTime:
    return LocalTime(datetime.fromisoformat(text))


# Vouchers and shipping


def test_rebate_over_two_rates() -> None:
    """Worked example 1: one negative item per tax-code set, shipping shared like it."""
    result = voucher("rebate", CUP, TEA, value="10.00", shipping="4.95", order_total="84.84")
    assert units(result, "s") == [(1, "3.30", "UK-20%"), (1, "1.65", "UK-5%")]
    assert units(result, "v") == [(1, "-6.67", "UK-20%"), (1, "-3.33", "UK-5%")]
    assert (result.planned_total, result.rounding, result.unproved) == (D("84.84"), 0, ("rebates",))


def test_spread_over_two_rates() -> None:
    """Worked example 2: lower unit prices, no negative amount, shipping weighed with the goods as sold."""
    result = voucher("spread", CUP, TEA, value="10.00", shipping="4.95", order_total="84.84")
    assert units(result, "p") == [
        (1, "17.75", "UK-20%"),
        (2, "17.76", "UK-20%"),
        (3, "5.32", "UK-5%"),
        (2, "5.33", "UK-5%"),
    ]
    assert units(result, "s") == [(1, "3.30", "UK-20%"), (1, "1.65", "UK-5%")]
    assert result.planned_total == D("84.84")


def test_spread_goes_on_to_the_shipping() -> None:
    """Beyond the goods the shipping; what is left of it stays an item."""
    result = voucher("spread", a_line("12.00"), value="14.00", shipping="4.00", order_total="2.00")
    assert units(result) == [(1, "0.00", "UK-20%"), (1, "2.00", "UK-20%")]


def test_spread_over_all_leaves_free_goods() -> None:
    """Goods and shipping paid by a voucher are sent at 0.00; shipping of nothing is left out."""
    result = voucher("spread", a_line("12.00"), value="16.00", shipping="4.00", order_total="0.00")
    assert units(result) == [(1, "0.00", "UK-20%")]


def test_rebate_on_goods_and_shipping_is_one_item_per_set() -> None:
    """One negative item per voucher and tax-code set, also where it reaches the shipping."""
    result = voucher("rebate", a_line("12.00"), value="14.00", shipping="4.00", order_total="2.00")
    assert units(result) == [(1, "12.00", "UK-20%"), (1, "4.00", "UK-20%"), (1, "-14.00", "UK-20%")]


def test_a_voucher_on_shipping_only() -> None:
    """No goods: it lowers the shipping at the shipping's rate."""
    taxes = (*UK_TAXES, a_tax("shipping", "UK-20%"))
    for policy, expected in (
        ("rebate", [(1, "4.00", "UK-20%"), (1, "-1.00", "UK-20%")]),
        ("spread", [(1, "3.00", "UK-20%")]),
    ):
        ctx = a_context(a_mapping(taxes=taxes, vouchers={"policy": policy}))
        order = replace(an_order(shipping="4.00", voucher_value="1.00", order_total="3.00"), lines=())
        assert units(plan_order(order, ctx)) == expected


def test_each_voucher_has_its_own_policy() -> None:
    """vouchers.csv by code, else the policy of migration.toml; items are named by code."""
    rules = (VoucherRule("GC-*", "payment"), VoucherRule("SPREAD", "spread"), VoucherRule("ODD", None))
    ctx = a_context(a_mapping(tables={"vouchers": rules}))
    codes = [("GC-1", "2.00"), ("SPREAD", "3.00"), ("SUMMER", "1.00")]
    order = an_order(
        a_line("12.00"),
        vouchers=tuple(Voucher(code, money(value)) for code, value in codes),
        voucher_value="6.00",
        order_total="6.00",
    )
    result = plan_order(order, ctx)
    assert units(result) == [(1, "9.00", "UK-20%"), (1, "-1.00", "UK-20%")]
    assert [payment.amount for payment in result.payments] == [D("2.00")]
    assert result.entries[-1].name == "Voucher SUMMER"
    assert plan_order(replace(order, vouchers=(Voucher("ODD", D("6.00")),)), ctx).codes == ("voucher.undecided",)


def test_vouchers_must_add_up() -> None:
    """Automatic discounts and credit included."""
    vouchers = (Voucher("A", D("1.00")), Voucher("B", D("2.00")))
    assert plan(vouchers=vouchers, voucher_value="3.00").verdict == "ready"
    assert plan(vouchers=vouchers, voucher_value="3.01").codes == ("voucher.mismatch",)


def test_a_voucher_larger_than_the_sale_blocks() -> None:
    """Nobody is paid for shopping."""
    assert voucher("rebate", value="12.01").codes == ("voucher.exceeds_order",)
    assert voucher("payment", value="12.00").verdict == "ready"


def test_sets_never_give_more_than_they_are_worth() -> None:
    """A sale with a line taken back: its set takes 20, the other one the rest."""
    lines = (a_line("30.00"), a_line("10.00", -1), a_line("10.00", vat="5", sku="TEA"))
    result = voucher("rebate", *lines, value="29.00", order_total="1.00")
    assert units(result, "v") == [(1, "-20.00", "UK-20%"), (1, "-9.00", "UK-5%")]


@pytest.mark.parametrize(
    ("tax", "expected"),
    [
        ("proportional", [(1, "3.75", "UK-20%"), (1, "1.25", "UK-5%")]),
        ("highest", [(1, "5.00", "UK-20%")]),
        ("UK-5%", [(1, "5.00", "UK-5%")]),
    ],
)
def test_shipping_tax(tax: str, expected: list[tuple[int, str, str]]) -> None:
    """Shared, at the highest rate of the goods, or at a code of its own."""
    lines = (a_line("30.00"), a_line("10.00", vat="5", sku="TEA"))
    assert units(plan(*lines, shipping="5.00", settings={"shipping": {"tax": tax}}), "s") == expected


def test_shipping_code_must_be_usable() -> None:
    """A code of the settings is checked like one of the table."""
    assert plan(shipping="5.00", settings={"shipping": {"tax": "UK-17.5%"}}).codes == ("tax.code_not_valid",)


def test_shipping_of_worthless_goods_is_shipping_without_goods() -> None:
    """Samples at 0.00 have no value to share over."""
    assert plan(a_line("0.00"), shipping="5.00").codes == ("shipping.tax_undecided",)
    ctx = a_context(a_mapping(taxes=(*UK_TAXES, a_tax("5", "UK-5%", country="GB"))))
    assert units(plan(a_line("0.00"), shipping="5.00", ctx=ctx)) == [(1, "0.00", "UK-20%"), (1, "5.00", "UK-5%")]


# Returns


def test_a_return_mirrors_its_sale() -> None:
    """Worked example 16: shipping given back over absolute values; positive counts, negative units."""
    lines = (a_line("15.00", -2), a_line("10.00", -1, "5", sku="TEA"))
    result = plan(*lines, is_return=True, shipping="-4.80", order_total="-44.80")
    assert units(result) == [
        (2, "-15.00", "UK-20%"),
        (1, "-10.00", "UK-5%"),
        (1, "-3.60", "UK-20%"),
        (1, "-1.20", "UK-5%"),
    ]
    assert result.planned_total == D("-44.80")


def test_a_fee_is_a_positive_item() -> None:
    """returnCost of a nested return, taxed like shipping."""
    line = a_line("10.00", -1, "5")
    result = plan(line, is_return=True, parent="1", number="1-R2", return_cost="2.50", order_total="-7.50")
    assert entries(result) == [("p1", 1, "-10.00", ("UK-5%",)), ("f1", 1, "2.50", ("UK-5%",))]


def test_a_handling_fee_is_a_positive_item() -> None:
    """handlingCost of an order is in the footing and taxed like shipping, over every tax-code set."""
    lines = [a_line("30.00", 1), a_line("10.00", 1, "5")]
    result = plan(*lines, shipping="4.00", handling="2.00", order_total="46.00")
    assert entries(result, "s") == [("s1", 1, "3.00", ("UK-20%",)), ("s2", 1, "1.00", ("UK-5%",))]
    assert entries(result, "h") == [("h1", 1, "1.50", ("UK-20%",)), ("h2", 1, "0.50", ("UK-5%",))]
    assert (result.source_total, result.planned_total, result.rounding) == (D("46.00"), D("46.00"), 0)
    assert plan(*lines, handling="2.00", order_total="40.00").codes == ("total.mismatch",)


def test_a_handling_fee_alone_is_taxed_as_shipping_alone() -> None:
    """It is something to send; vouchers do not lower it."""
    ctx = a_context(a_mapping(taxes=(*UK_TAXES, a_tax("shipping", "UK-20%"))))
    order = replace(an_order(handling="2.00", order_total="2.00"), lines=())
    assert entries(plan_order(order, ctx)) == [("h1", 1, "2.00", ("UK-20%",))]
    assert plan_order(order, a_context()).codes == ("shipping.tax_undecided",)


def test_a_return_gives_a_handling_cost_back() -> None:
    """As shippingCost, with a notice that names the column."""
    line = a_line("4.25", -1)
    result = plan(line, is_return=True, parent="1", number="1-R7", handling="-2.50", order_total="-6.75")
    assert entries(result) == [("p1", 1, "-4.25", ("UK-20%",)), ("h1", 1, "-2.50", ("UK-20%",))]
    told = [problem for problem in result.problems if problem.code == "return.handling"]
    assert [(one.severity, one.place.column, one.value) for one in told] == [
        ("notice", "returns.handlingCost", "-2.50")
    ]


def test_the_content_of_an_order_is_hashed_with_its_handling_fee() -> None:
    """Orders without one keep the hash that ledgers hold."""
    bare = an_order()
    assert version_of(bare) == version_of(replace(bare, handling=D("0.00")))
    assert version_of(bare) != version_of(replace(bare, handling=D("1.00")))


def test_a_return_of_a_voucher_alone() -> None:
    """It takes the codes that shipping without goods would; a positive value lowers the total further."""
    ctx = a_context(a_mapping(taxes=(*UK_TAXES, a_tax("shipping", "UK-20%"))))
    order = replace(an_order(is_return=True, voucher_value="5.00", order_total="-5.00"), lines=())
    result = plan_order(order, ctx)
    assert units(result) == [(1, "-5.00", "UK-20%")]
    assert plan_order(order, a_context()).codes == ("shipping.tax_undecided",)


def test_a_return_of_shipping_alone() -> None:
    """Allowed like shipping without goods."""
    ctx = a_context(a_mapping(taxes=(*UK_TAXES, a_tax("shipping", "UK-20%"))))
    order = replace(an_order(is_return=True, shipping="-5.00", order_total="-5.00"), lines=())
    assert units(plan_order(order, ctx)) == [(1, "-5.00", "UK-20%")]


def test_a_voucher_in_a_return_reduces_the_refund() -> None:
    """Negated by staging: what the voucher had paid is kept."""
    lines = (a_line("30.00", -1), a_line("10.00", -1, "5", sku="TEA"))
    order: dict[str, Any] = {"is_return": True, "voucher_code": "V", "voucher_value": "-8.00", "order_total": "-32.00"}
    assert units(plan(*lines, **order), "v") == [(1, "6.00", "UK-20%"), (1, "2.00", "UK-5%")]
    spread = plan(*lines, settings={"vouchers": {"policy": "spread"}}, **order)
    assert units(spread) == [(1, "-24.00", "UK-20%"), (1, "-8.00", "UK-5%")]


def test_a_voucher_in_a_return_keeps_to_what_each_set_gives_back() -> None:
    """A return with a line sold in exchange: its set gives 20 back, so 20 is the most that is kept of it."""
    lines = (a_line("30.00", -1), a_line("10.00"), a_line("10.00", -1, "5", sku="TEA"))
    result = plan(*lines, is_return=True, voucher_code="V", voucher_value="-27.00", order_total="-3.00")
    assert units(result, "v") == [(1, "20.00", "UK-20%"), (1, "7.00", "UK-5%")]


def test_a_return_follows_its_order() -> None:
    """Skipped with it, blocked with it, planned with it."""
    order = an_order(a_line("1.00", -1), is_return=True, number="1-R2", parent="1")
    assert plan_order(order, a_context(), Verdict.SKIPPED).verdict == "skipped"
    assert plan_order(order, a_context(), Verdict.BLOCKED).codes == ("return.parent",)
    assert plan_order(order, a_context(), Verdict.READY).verdict == "ready"
    assert plan_order(order, a_context()).parent == "1"


def test_returns_carry_no_flat_code() -> None:
    """A fee a piece is not given back."""
    ctx = a_context(a_mapping(taxes=(a_tax("*", "STATE", "FEE", accept=True),)), NET)
    assert units(plan(a_line("50.00", -1), is_return=True, ctx=ctx)) == [(1, "-47.17", "STATE")]
    free = plan(a_line("0.00", -10), a_line("5.00"), ctx=ctx)
    assert units(free)[0] == (10, "0.00", "STATE")


# Signs and odd orders


def test_negative_amounts_need_permission() -> None:
    """rebates = "block" is the default; nothing times ten is no negative amount."""
    blocked = {"target": {"rebates": "block"}}
    assert plan(a_line("1.00", -1), is_return=True, settings=blocked).codes == ("rebate.not_allowed",)
    assert plan(a_line("0.00", -10), settings=blocked).verdict == "ready"
    assert voucher("payment", value="1.00").verdict == "ready"


def test_a_negative_quantity_in_a_sale_is_told() -> None:
    """Allowed, with a notice."""
    result = plan(a_line("12.00", 2), a_line("5.00", -1, sku="TEA"), order_total="19.00")
    assert [(problem.code, problem.is_error) for problem in result.problems] == [("quantity.negative", False)]
    assert units(result) == [(2, "12.00", "UK-20%"), (1, "-5.00", "UK-20%")]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (a_line("-1.00"), "price.negative"),
        (a_line("1.00", 0), "quantity.zero"),
        (a_line("0.12345", 1000), "price.decimals"),
        (a_line("1e30"), "value.invalid"),
        (a_line("1.00", 10**12), "value.invalid"),
    ],
)
def test_impossible_lines_block(line: Line, code: str) -> None:
    """And never break the run."""
    result = plan(line)
    assert result.verdict == "blocked"
    assert code in result.codes


def test_four_decimals_are_allowed() -> None:
    """1.23450 has four."""
    assert plan(a_line("1.23450")).verdict == "ready"


@pytest.mark.parametrize("field", ["shipping", "voucher_value", "return_cost", "order_total"])
def test_huge_amounts_block(field: str) -> None:
    """Beyond exact arithmetic there is no plan and no readable total."""
    result = plan(**{field: "1e40"})
    assert "value.invalid" in result.codes
    assert result.source_total is None


def test_nothing_to_send_blocks() -> None:
    """An order without line, shipping and voucher, or one whose parts all vanish."""
    empty = replace(an_order(order_total="0.00"), lines=())
    assert plan_order(empty, a_context()).codes == ("order.empty",)
    taxes = (*UK_TAXES, a_tax("shipping", "UK-20%"))
    ctx = a_context(a_mapping(taxes=taxes, vouchers={"policy": "spread"}))
    vanished = replace(an_order(shipping="4.00", voucher_value="4.00"), lines=())
    assert plan_order(vanished, ctx).codes == ("order.empty",)


def test_an_order_with_a_total_and_no_lines_is_told_so() -> None:
    """That there is nothing to do would be untrue: 12.00 were sold, and the lines of it are not there."""
    problems = {
        one.code: one for one in plan_order(replace(an_order(order_total="12.00"), lines=()), a_context()).problems
    }
    assert problems.keys() == {"order.empty", "total.mismatch"}
    assert "its orderTotal is 12.00" in problems["order.empty"].message
    assert "missing in the export, or stand where they are not read" in problems["order.empty"].hint
    (nothing,) = plan_order(replace(an_order(order_total="0.00"), lines=()), a_context()).problems
    assert (nothing.hint, "orderTotal" in nothing.message) == ("", False)


def test_all_reasons_are_named() -> None:
    """A person corrects an order once, not once per run."""
    settings = {
        "source": {"timezone": "Europe/London"},
        "accounts": {"fallback": ""},
        "products": {"unmapped": "block"},
    }
    result = plan(
        a_line(vat="7"),
        settings=settings,
        currency="XXX",
        delivery_country="GB",
        voucher_value="99.00",
        order_total="1.00",
    )
    assert set(result.codes) >= {
        "currency.not_enabled",
        "account.unmapped",
        "tax.unmapped",
        "voucher.exceeds_order",
        "total.mismatch",
        "product.unmapped",
    }


# Skipping


@pytest.mark.parametrize(
    ("order", "settings", "reason"),
    [
        ({"status": "Pending"}, {}, "status Pending"),
        ({"status": "Archived"}, {}, ""),
        ({"status": ""}, {}, ""),
        ({"status": "Pending"}, {"import_statuses": ["Pending"]}, ""),
        ({"flags": ("hold",)}, {}, "flag hold"),
        ({"flags": ("hold",)}, {"import_flags": ["hold"]}, ""),
        ({"flags": ("hold", "suspect")}, {"import_flags": ["hold"]}, "flag suspect"),
        ({"internal": True}, {}, "internal order"),
        ({"internal": True}, {"internal_orders": "import"}, ""),
        ({"is_complete": False}, {}, "return not completed"),
        ({"lines": (a_line("0.00"),)}, {}, ""),
        ({"lines": (a_line("0.00"),)}, {"zero_orders": "skip"}, "all amounts zero"),
        ({"lines": (a_line("0.00"),), "shipping": D(1)}, {"zero_orders": "skip"}, None),
    ],
)
def test_skipping_rules(order: dict[str, Any], settings: dict[str, Any], reason: str | None) -> None:
    """Status, flags, internal and zero orders, each by its own setting; skipped money is counted."""
    result = plan_order(replace(an_order(), **order), a_context(a_mapping(source=settings)))
    if reason is None:
        assert result.verdict != "skipped"
    else:
        assert (result.verdict, result.skip_reason) == ("skipped" if reason else "ready", reason)
    assert result.source_total is not None


def test_unreadable_orders_block_whatever_the_rest() -> None:
    """Staging's problems hold the order back; a total that can't be read is no total."""
    fault = Problem("value.invalid", "10001", an_order().place.at("orderTotal"))
    result = plan_order(replace(an_order(), problems=(fault,)), a_context())
    assert (result.verdict, result.codes, result.source_total) == ("blocked", ("value.invalid",), None)
    elsewhere = Problem("value.invalid", "10001", an_order().place.at("orderDate"))
    assert plan_order(replace(an_order(), problems=(elsewhere,)), a_context()).source_total == D("12.00")


# Totals


@pytest.mark.parametrize(
    ("total", "tolerance", "codes", "rounding"),
    [
        ("12.00", "0.00", (), "0.00"),
        ("12.01", "0.00", ("total.mismatch",), None),
        ("12.01", "0.01", (), "0.01"),
        ("11.99", "0.01", (), "-0.01"),
        ("12.02", "0.01", ("total.mismatch",), None),
        ("12.0000001", "0.00", (), "0.00"),
    ],
)
def test_order_total_is_a_control(total: str, tolerance: str, codes: tuple[str, ...], rounding: str | None) -> None:
    """Beyond the tolerance blocked with its total; within it shown as rounding with cause source."""
    result = plan(order_total=total, settings={"source": {"total_tolerance": tolerance}})
    assert result.codes == codes
    if rounding is not None:
        assert result.rounding == D(rounding)
        assert result.source_total == result.planned_total + D(rounding)
        assert [cause for cause, _ in result.rounding_causes] == (["source"] if D(rounding) else [])
    else:
        assert result.source_total == D(total)


def test_sub_cent_sums_are_rounded_once() -> None:
    """Worked example 14; an orderTotal that shows the exact sum foots as well."""
    lines = [a_line("0.335", vat="5", sku=sku) for sku in "ABC"]
    for total in ("1.01", "1.005", None):
        result = plan(*lines, order_total=total)
        assert (result.source_total, result.planned_total, result.rounding) == (D("1.01"), D("1.01"), 0)
        assert sorted(unit for _, unit, _ in units(result)) == ["0.33", "0.34", "0.34"]


def test_source_without_total_is_the_sum() -> None:
    """Many exports have no orderTotal."""
    assert plan(shipping="4.95", voucher_value="1.00").source_total == D("15.95")


B2B = {"source": {"prices_include_tax": False}}


def trade(
    *lines: Line, total: str | None, footing: Footing = Footing.WITHOUT_TAX, tolerance: str = "0.00", **order: Any
):
    settings = {"source": {"prices_include_tax": False, "total_tolerance": tolerance}}
    ctx = a_context(a_mapping(**settings), footing=footing)
    one = an_order(*lines, order_total=total, **order)
    return plan_order(one, ctx), footings(one, ctx)


def test_trade_prices_into_a_gross_enterprise() -> None:
    """Worked example 10: each gross amount is the one whose predicted net is the source's."""
    lines = [a_line(price, sku=price) for price in ("10.01", "20.04", "5.00")]
    result, found = trade(*lines, total="42.06", footing=Footing.ONCE)
    assert sorted(unit for _, unit, _ in units(result)) == ["12.01", "24.05", "6.00"]
    assert (result.basis, result.source_total, result.planned_total, result.rounding) == (
        "net",
        D("35.05"),
        D("35.05"),
        0,
    )
    assert found == {Footing.ONCE, Footing.PER_RATE, Footing.PER_LINE}


THREE = [a_line("0.33", sku=sku) for sku in "ABC"]
RATES = [a_line("0.33", sku="A"), a_line("0.33", sku="B"), a_line("0.67", vat="5", sku="C")]


@pytest.mark.parametrize(
    ("lines", "total", "expected"),
    [
        (THREE, "0.99", {Footing.WITHOUT_TAX}),
        (THREE, "1.19", {Footing.ONCE, Footing.PER_RATE}),
        (THREE, "1.20", {Footing.PER_LINE}),
        (RATES, "1.49", {Footing.PER_RATE}),
        (RATES, "1.50", {Footing.ONCE, Footing.PER_LINE}),
        (THREE, "1.30", set()),
    ],
)
def test_how_a_total_with_tax_foots(lines: list[Line], total: str, expected: set[Footing]) -> None:
    """0.33 x 1.2 = 0.396: per line 0.40, together 1.188."""
    assert trade(*lines, total=total)[1] == expected


@pytest.mark.parametrize("footing", [Footing.WITHOUT_TAX, Footing.ONCE, Footing.PER_RATE, Footing.PER_LINE])
def test_the_files_footing_decides(footing: Footing) -> None:
    """One decision over the file: an order that foots otherwise is a mismatch."""
    totals = {Footing.WITHOUT_TAX: "0.99", Footing.ONCE: "1.19", Footing.PER_RATE: "1.19", Footing.PER_LINE: "1.20"}
    assert trade(*THREE, total=totals[footing], footing=footing)[0].verdict == "ready"
    assert trade(*THREE, total="1.21", footing=footing)[0].codes == ("total.mismatch",)


def test_tax_rounded_once_is_not_rounded_twice() -> None:
    """0.335 with 20 % is 0.402, not 0.34 with 20 %."""
    assert Footing.ONCE in trade(a_line("0.335"), total="0.40")[1]


def test_the_tolerance_of_a_total_with_tax_is_shown() -> None:
    """A cent let pass is rounding with cause source, in the source's basis."""
    result, _ = trade(a_line("10.00"), total="12.01", footing=Footing.ONCE, tolerance="0.01")
    assert (result.source_total, result.planned_total) == (D("10.01"), D("10.00"))
    assert result.rounding_causes == (("source", D("0.01")),)


@pytest.mark.parametrize(
    "taxes", [(), (a_tax("20", undecided=True), a_tax("5", undecided=True))], ids=["no rows", "open cells"]
)
def test_undecided_taxes_leave_the_footing_to_the_rates_of_the_file(taxes: tuple[TaxRule, ...]) -> None:
    """Before anybody has filled in taxes.csv, totals with tax foot as they will later; nobody is told to correct them."""
    settings = {"source": {"prices_include_tax": False}}
    lines = [a_line("10.00"), a_line("20.00", vat="5", sku="TEA")]
    order = {"shipping": "3.00", "voucher_code": "V", "voucher_value": "1.50", "order_total": "34.65"}
    decided = a_context(a_mapping(**settings), footing=Footing.ONCE)
    undecided = a_context(a_mapping(taxes=taxes, **settings), footing=Footing.ONCE)
    one = an_order(*lines, **order)
    assert footings(one, undecided) == footings(one, decided) != frozenset()
    codes = plan_order(one, undecided).codes
    assert "total.mismatch" not in codes
    assert codes
    wrong = an_order(*lines, **order | {"order_total": "31.40"})
    assert "total.mismatch" in plan_order(wrong, undecided).codes


@pytest.mark.parametrize(
    ("footing", "tax", "total"),
    [
        (Footing.ONCE, "2.00", "10.00"),
        (Footing.PER_LINE, None, None),
        (Footing.WITHOUT_TAX, "2.00", "12.00"),
        (Footing.WITHOUT_TAX, None, "12.00"),
    ],
)
@pytest.mark.parametrize("status", ["Completed", "Cancelled"])
def test_the_source_never_adds_totals_of_two_bases(
    footing: Footing, tax: str | None, total: str | None, status: str
) -> None:
    """A total with tax of an order that can't be summed counts without the tax that its own column tells, else not at all."""
    fault = Problem("order.incomplete", "10001", an_order().place, "", "A list of fees was not read.")
    one = an_order(a_line("9.00"), order_total="12.00", status=status, tax_total=None if tax is None else D(tax))
    ctx = a_context(a_mapping(source={"prices_include_tax": False}), footing=footing)
    result = plan_order(replace(one, problems=(fault,)), ctx)
    assert (result.verdict, result.source_total) == (
        Verdict.SKIPPED if status == "Cancelled" else Verdict.BLOCKED,
        None if total is None else D(total),
    )


def test_undecided_taxes_without_a_rate_prove_no_footing() -> None:
    """What the tax may be nobody knows: such an order has no vote, and is not told to be wrong."""
    settings = {"source": {"prices_include_tax": False}}
    ctx = a_context(a_mapping(taxes=(), **settings), footing=Footing.ONCE)
    one = an_order(a_line("10.00", vat=None), order_total="10.00")
    assert footings(one, ctx) is None
    assert "total.mismatch" not in plan_order(one, ctx).codes


def test_shops_of_both_kinds() -> None:
    """prices_include_tax = "b2c": trade prices are without tax, no storeType is b2c."""
    ctx = a_context(a_mapping(source={"prices_include_tax": "b2c"}))
    bases = [plan(store_type=kind, ctx=ctx).basis for kind in ("b2c", "b2b", "")]
    assert bases == ["gross", "net", "gross"]


def test_added_and_deducted_tax_change_the_basis() -> None:
    """get-orders says it order by order; deducted is an export sale at rate 0."""
    added = plan(tax_mode=TaxMode.ADDED)
    assert (added.basis, units(added)) == ("net", [(1, "14.40", "UK-20%")])
    deducted = plan(tax_mode=TaxMode.DEDUCTED)
    assert (deducted.basis, units(deducted)) == ("net", [(1, "12.00", "UK-0%")])


def test_shipping_of_a_deducted_order_has_no_tax() -> None:
    """A fixed shipping code with a rate would charge what the customer did not pay."""
    settings = {"shipping": {"tax": "UK-20%"}}
    assert plan(tax_mode=TaxMode.DEDUCTED, shipping="5.00", settings=settings).codes == ("tax.rate_differs",)


# Conversion


def test_gross_to_net_ties() -> None:
    """Worked example 8: what nobody can book is shown as rounding, and does not grow over an order."""
    one = plan(a_line("9.99"), reference=NET)
    assert (units(one), one.rounding, one.rounding_causes) == (
        [(1, "8.32", "UK-20%")],
        D("0.01"),
        (("conversion", D("0.01")),),
    )
    two = plan(a_line("9.99"), a_line("9.99", sku="MUG"), reference=NET)
    assert (units(two), two.rounding) == ([(1, "8.32", "UK-20%"), (1, "8.33", "UK-20%")], 0)


def test_net_enterprise_takes_combined_codes() -> None:
    """Worked example 12: two tyres at 57.53 are 100.00 net."""
    ctx = a_context(a_mapping(taxes=(a_tax("*", "STATE", "CITY", "LEVY", "FEE", accept=True),)), NET)
    result = plan(a_line("57.53", 2, "11.06"), ctx=ctx)
    assert units(result) == [(2, "50.00", "CITY FEE LEVY STATE")]
    assert (result.rounding, result.gross_balance) == (0, D("115.06"))


def test_a_price_below_its_flat_tax_blocks() -> None:
    """Mews would charge more than the customer paid; also where a voucher lowered the price."""
    ctx = a_context(a_mapping(taxes=(a_tax("*", "STATE", "FEE", accept=True),), vouchers={"policy": "spread"}), NET)
    assert plan(a_line("1.99"), ctx=ctx).codes == ("tax.rate_differs",)
    assert plan(a_line("10.00"), voucher_value="9.00", ctx=ctx).codes == ("tax.rate_differs",)
    assert plan(a_line("10.00"), ctx=ctx).verdict == "ready"


@pytest.mark.parametrize(("currency", "price", "expected"), [("JPY", "1000", "1000"), ("KWD", "1.235", "1.235")])
def test_other_currencies_keep_their_digits(currency: str, price: str, expected: str) -> None:
    """Yen have none, dinars three."""
    assert units(plan(a_line(price), currency=currency)) == [(1, expected, "UK-20%")]


def test_yen_are_split_into_whole_yen() -> None:
    """A voucher of 100 over three pieces leaves no fraction."""
    result = voucher("spread", a_line("1000", 3), value="100", currency="JPY", order_total="2900")
    assert units(result) == [(1, "966", "UK-20%"), (2, "967", "UK-20%")]


# Time


def test_vat_change_on_the_hotels_calendar() -> None:
    """Worked example 24: half past midnight in Stockholm is the day before in London."""
    ctx = a_context(a_mapping(source={"timezone": "Europe/Stockholm"}))
    old = plan(a_line("11.75", vat="17.5"), order_date=at("2011-01-04 00:30:00"), ctx=ctx)
    assert units(old) == [(1, "11.75", "UK-17.5%")]
    assert plan(order_date=at("2011-01-04 00:30:00"), ctx=ctx).codes == ("tax.unmapped",)
    assert units(plan(order_date=at("2011-01-04 01:00:00"), ctx=ctx)) == [(1, "12.00", "UK-20%")]
    assert old.month == "2011-01"


def clamped(order: Order, **target: str) -> PlannedOrder:
    return plan_order(order, a_context(a_mapping(target={"outside_editable_window": "clamp"} | target), window=BOOKS))


def test_outside_the_window() -> None:
    """Worked example 31: blocked, or moved with the true date in Notes and its VAT declared on purpose."""
    old = an_order(order_date=at("2011-12-20 12:00:00"))
    assert plan_order(old, a_context(window=BOOKS)).codes == ("window.outside",)
    assert clamped(old).codes == ("window.vat_undeclared",)
    result = clamped(old, clamped_vat="declare")
    assert (result.is_clamped, result.consumption) == (True, datetime(2012, 1, 5, tzinfo=UTC))
    assert result.true_consumption == datetime(2011, 12, 20, 12, tzinfo=UTC)
    assert result.notes == "Centra order 10001 (consumed 2011-12-20)"


def test_both_days_are_noted_where_they_differ() -> None:
    """Half past midnight in the shop is the day before in the hotel: the receipt has one, the books the other."""
    target = {"outside_editable_window": "clamp", "clamped_vat": "declare"}
    mapping = a_mapping(source={"timezone": "Europe/Stockholm"}, target=target)
    result = plan_order(an_order(order_date=at("2011-12-20 00:30:00")), a_context(mapping, window=BOOKS))
    assert result.notes == "Centra order 10001 (consumed 2011-12-20, in the hotel 2011-12-19)"


def test_inside_the_window_nothing_moves() -> None:
    """The first moment that Mews takes is inside."""
    first = clamped(an_order(order_date=at("2012-01-03 09:00:00")))
    assert (first.verdict, first.is_clamped, first.consumption) == ("ready", False, BOOKS.start)
    assert clamped(an_order(order_date=at("2012-01-03 08:59:59")), clamped_vat="declare").is_clamped


def test_clamping_without_tax_declares_nothing() -> None:
    """Rate 0 moves freely."""
    assert clamped(an_order(a_line(vat="0"), order_date=at("2011-12-20 12:00:00"))).verdict == "ready"


def test_a_rate_that_is_gone_is_not_declared_again() -> None:
    """Tax date 2010, seen in 2012: Mews would refuse the code."""
    old = an_order(a_line("11.75", vat="17.5"), order_date=at("2010-12-20 12:00:00"))
    assert clamped(old, clamped_vat="declare").codes == ("tax.code_not_valid",)


# Links, notes, currency


def test_links_to_segment_bill_and_reservation() -> None:
    """By market and order number; each checked as far as Mews lets one know."""
    tables = {"segments": {"UK": "seg"}, "bills": {"10001": "bill"}, "reservations": {"10001": "res"}}
    reference = a_reference(segments={"seg": Named("seg", "UK", True)}, bills={"bill": Bill("bill", ACCOUNT, True)})
    result = plan(market="UK", ctx=a_context(a_mapping(tables=tables), reference))
    assert (result.segment_id, result.bill_id, result.reservation_id) == ("seg", "bill", "res")
    assert result.unproved == ("reservation", "bill")
    closed = replace(reference, bills={"bill": Bill("bill", ACCOUNT, False)}, segments={})
    assert plan(market="UK", ctx=a_context(a_mapping(tables=tables), closed)).codes == (
        "bill.not_open",
        "segment.unknown",
    )
    foreign = replace(reference, bills={"bill": Bill("bill", COMPANY, True)})
    assert plan(market="UK", ctx=a_context(a_mapping(tables=tables), foreign)).codes == ("bill.not_open",)


def test_empty_links_are_questions() -> None:
    """Not decided yet holds the order back."""
    tables: dict[str, Any] = {"segments": {"UK": None}, "bills": {"10001": None}, "reservations": {"10001": None}}
    result = plan(market="UK", ctx=a_context(a_mapping(tables=tables)))
    assert result.codes == ("bill.undecided", "reservation.undecided", "segment.undecided")


def test_notes_follow_the_template() -> None:
    """Typed fields in one style; nobody's comment passes for a marker."""
    settings = {"target": {"notes": "{orderNumber} {orderTotal} {comment} {nothing}"}}
    result = plan(order_total="12", texts={"comment": "[centra:uk:5] hi", "orderTotal": "12"}, settings=settings)
    assert result.notes == "10001 12.00 (centra:uk:5] hi"


def test_currencies() -> None:
    """The order's, else the default; none and disabled ones block."""
    assert plan(currency="", settings={"source": {"default_currency": "GBP"}}).currency == "GBP"
    assert plan(currency="").codes == ("currency.missing",)
    assert plan(currency="SEK").codes == ("currency.not_enabled",)


@pytest.mark.parametrize(
    ("named", "is_refused"),
    [
        ({}, False),
        ({"email": "ann@example.com"}, False),
        ({"email": "ann@shop.example"}, False),
        ({"email": "ann@sub.example.org", "first_name": "Ann", "phone": "1"}, False),
        ({"email": "ann@gmail.com"}, True),
        ({"email": "ann@notexample.com"}, True),
        ({"first_name": "Ann"}, True),
        ({"last_name": "Lee"}, True),
        ({"phone": "+44 20 7946 0000"}, True),
        ({"texts": {"deliveryAddress.address": "1 High Street"}}, True),
        ({"texts": {"invoiceAddress.name": "Ann Lee"}}, True),
        ({"texts": {"buyerName": "Ann Lee"}}, True),
        ({"texts": {"deliveryAddress.country": "GB", "comment": "gift"}}, False),
        ({"email": "ann@example.com", "texts": {"deliveryAddress.email": "bob@gmail.com"}}, True),
        ({"email": "ann@example.com", "texts": {"deliveryAddress.address": "1 High Street"}}, False),
    ],
)
def test_the_public_demo_gets_no_real_people(named: dict[str, Any], is_refused: bool) -> None:
    """An order that names a person is refused there unless its e-mail is in a reserved domain, which is nobody's."""
    named = {"email": "", **named}
    assert plan(**named, ctx=a_context(is_public_demo=True)).codes == (("demo.real_data",) if is_refused else ())
    assert plan(**named).codes == ()


def test_products_and_items_side_by_side() -> None:
    """Mapped lines are ProductOrders at history's price."""
    ctx = a_context(a_mapping(tables={"products": {("sku", "CUP"): PRODUCT}}))
    result = plan(CUP, TEA, ctx=ctx)
    assert [(entry.kind.value, entry.product_id, entry.line) for entry in result.entries] == [
        ("product", PRODUCT, "p1"),
        ("item", "", "p2"),
    ]


def test_fingerprint_follows_the_content() -> None:
    """A changed amount shows, a re-sorted export or another status among imported ones does not."""
    order = an_order(CUP, TEA)
    first = plan_order(order, a_context())
    same = plan_order(replace(order, lines=(TEA, CUP), status="Archived"), a_context())
    assert (same.fingerprint, same.entries) == (first.fingerprint, first.entries)
    for change in (
        {"lines": (CUP,)},
        {"lines": (replace(CUP, vat_percent=D(5)), TEA)},
        {"shipping": D(1)},
        {"currency": "EUR"},
        {"delivery_country": "FR"},
        {"email": "bob@example.com"},
        {"order_date": at("2011-06-16 12:00:00")},
    ):
        assert plan_order(replace(order, **change), a_context()).fingerprint != first.fingerprint
    padded = replace(CUP, unit_price=D("19.9800"))
    assert plan_order(replace(order, lines=(padded, TEA)), a_context()).fingerprint == first.fingerprint


def test_tax_day_of_the_table_is_a_date() -> None:
    """Periods of taxes.csv are days, so the builders' rows are."""
    assert {rule.valid_from for rule in UK_TAXES} == {None, date(2011, 1, 4)}


@pytest.mark.parametrize(
    ("stated", "is_told"), [(None, False), ("9.99", False), ("9.98", False), ("0", True), ("8.00", True)]
)
def test_the_tax_of_the_source_is_a_control(stated: str | None, is_told: bool) -> None:
    """59.94 with 20 % holds 9.99 of tax: an order that says 0 was an export sale, whatever its lines say."""
    order = an_order(CUP, tax_total=None if stated is None else D(stated))
    plan = plan_order(order, a_context())
    assert plan.verdict is Verdict.READY
    told = [problem for problem in plan.problems if problem.code == "tax.total_differs"]
    assert bool(told) is is_told
    assert all("9.99" in problem.message for problem in told)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("20", "2.00")], []),
        ([("20", "2.01")], []),
        ([("20", "2.00"), ("5", "0.00")], []),
        ([("20", "3.00")], ["3.00 of order"]),
        ([("5", "2.00")], ["tax at 5 %"]),
        ([("20", "1.00"), ("5", "1.00")], ["tax at 5 %"]),
    ],
)
def test_the_tax_breakdown_is_a_control_on_the_tax(rows: list[tuple[str, str]], told: list[str]) -> None:
    """Its sum where no other is given, and its rates always: one cup of 12.00 holds 2.00 at 20 %."""
    order = an_order(a_line(), tax_breakdown=tuple(TaxBreakdownRow(D(percent), D(value)) for percent, value in rows))
    plan = plan_order(order, a_context())
    found = [one for one in plan.problems if one.code == "tax.total_differs"]
    assert plan.verdict is Verdict.READY
    assert len(found) == len(told)
    assert all(words in one.message for words, one in zip(told, found, strict=True))


def test_what_export_sales_deduct_is_no_control() -> None:
    """Of an order whose tax was deducted nothing is booked, whatever its breakdown lists."""
    rows = (TaxBreakdownRow(D(20), D("2.00")),)
    plan = plan_order(an_order(a_line(), tax_mode=TaxMode.DEDUCTED, tax_breakdown=rows), a_context())
    assert "tax.total_differs" not in {one.code for one in plan.problems}
