"""Orders as outlet bills: items with categories, payments of the bill, no window, and what they come to (design section 9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal as D
from typing import Any

import pytest
from builders import (
    ACCOUNT,
    CATEGORY,
    COMPANY,
    PRODUCT,
    SERVICE,
    a_context,
    a_line,
    a_mapping,
    an_order,
    as_return,
    money,
)
from hypothesis import given
from hypothesis import strategies as st
from outlet_shop import OUTLET, PAYMENTS, SHIPPING, outlet_context

from etl.model.identity import Identity
from etl.model.kinds import OLD, REBATES
from etl.model.order import Order, Payment, Voucher
from etl.model.place import Place
from etl.model.plan import EntryKind, PlannedOrder, Verdict, plan_line
from etl.model.reference import Named, Pricing, Product
from etl.model.route import Route
from etl.model.rules import CategoryRule, PaymentRule, VoucherRule
from etl.transform.consumption import Window
from etl.transform.order import plan_order

CUP = a_line("12.00", 2)
OLD_BOOKS = Window(datetime(2012, 1, 3, tzinfo=UTC), datetime(2012, 1, 5, tzinfo=UTC))


def bill(*lines: Any, order: dict[str, Any] | None = None, **more: Any) -> PlannedOrder:
    return plan_order(an_order(*lines, **(order or {})), outlet_context(**more))


def items(result: PlannedOrder) -> list[tuple[str, str, str, str, str]]:
    """Line, kind, name, unit, category."""
    assert result.verdict is Verdict.READY, result.problems
    return [(one.line, one.kind.value, one.name, str(one.unit), one.category_id) for one in result.entries]


def captured(amount: str, **more: Any) -> Payment:
    return Payment(**{"method": "card", "status": "success", "amount": money(amount)} | more)


def test_an_order_is_a_bill_of_the_outlet_without_an_account() -> None:
    """Nobody is charged: the bill names the outlet, and no account is asked for."""
    result = bill(CUP, order={"shipping": "3.00"})
    assert (result.route, result.service_id, result.account_id, result.enterprise_id) == (
        Route.OUTLET,
        OUTLET.id,
        "",
        "",
    )
    assert items(result) == [
        ("p1", "item", "Cup", "12.00", CATEGORY),
        ("s1", "item", "Shipping", "3.00", SHIPPING),
    ]
    assert result.payments == ()
    assert result.planned_total == money("27.00")


def test_lines_of_a_mapped_product_carry_its_name_and_category() -> None:
    """An outlet knows no products: the bill says what Mews would have said."""
    product = Product(PRODUCT, "Cup of the house", True, SERVICE, SHIPPING)
    result = bill(CUP, tables={"products": {("sku", "CUP"): PRODUCT}}, reference={"products": {PRODUCT: product}})
    assert items(result) == [("p1", "item", "Cup of the house", "12.00", SHIPPING)]
    assert result.entries[0].product_id == ""


def test_a_product_without_category_takes_that_of_the_mapping() -> None:
    """Its own in Mews comes first, else a row, else the default."""
    product = Product(PRODUCT, "", True, SERVICE)
    rule = CategoryRule("sku", "CUP", SHIPPING, Place("categories.csv", "", 2))
    tables = {"products": {("sku", "CUP"): PRODUCT}, "categories": (rule,)}
    assert items(bill(CUP, tables=tables, reference={"products": {PRODUCT: product}})) == [
        ("p1", "item", "Cup", "12.00", SHIPPING)
    ]


@pytest.mark.parametrize(
    ("sections", "order", "where"),
    [
        ({"products": {"accounting_category": ""}}, {}, "products.accounting_category"),
        ({"shipping": {"accounting_category": ""}}, {"shipping": "3.00"}, "shipping.accounting_category"),
        ({"vouchers": {"accounting_category": ""}}, {"voucher_value": "3.00"}, "vouchers.accounting_category"),
        (
            {"payments": {"accounting_category": ""}},
            {"payments": (captured("12.00"),)},
            "payments.accounting_category",
        ),
        (
            {"outlet": {"payments": "balance", "balance_category": ""}},
            {},
            "outlet.balance_category",
        ),
    ],
)
def test_every_item_needs_a_category(sections: dict[str, Any], order: dict[str, Any], where: str) -> None:
    """Without one Mews would book it under "None": the order waits, and the key to fill in is named."""
    result = bill(order=order, **sections)
    assert result.codes == ("category.missing",)
    assert any(where in problem.message and where in problem.hint for problem in result.problems)
    filled = {"vouchers": {"accounting_category": SHIPPING}}
    assert bill(order=order, **(filled if sections.keys() == filled.keys() else {})).verdict is Verdict.READY


def test_an_unusable_category_of_a_product_blocks() -> None:
    """It is not active any more: Mews may refuse the bill, or book it under it."""
    product = Product(PRODUCT, "Cup", True, SERVICE, "ca-old")
    reference = {"products": {PRODUCT: product}, "categories": {"ca-old": Named("ca-old", "Old", False)}}
    result = bill(CUP, tables={"products": {("sku", "CUP"): PRODUCT}}, reference=reference)
    assert result.codes == ("category.unknown",)


def test_captures_pay_the_bill() -> None:
    """Successful ones, with the opposite sign and no tax; a failed one is told and not sent."""
    payments = (captured("10.00"), captured("14.00", method="swish"), captured("14.00", status="failed"))
    rule = PaymentRule("swish", "Cash", SHIPPING, Place("payments.csv", "", 2))
    result = bill(CUP, order={"payments": payments, "order_total": "24.00"}, tables={"payments": (rule,)})
    assert items(result) == [
        ("p1", "item", "Cup", "12.00", CATEGORY),
        ("pay1", "payment", "card", "-10.00", PAYMENTS),
        ("pay2", "payment", "Cash", "-14.00", SHIPPING),
    ]
    paid = result.entries[1]
    assert (paid.count, paid.codes, paid.predicted.net, paid.predicted.tax) == (1, (), money("-10.00"), 0)
    assert (result.gross_balance, result.planned_total, result.rounding) == (0, money("24.00"), 0)
    assert [problem.code for problem in result.problems] == ["payment.differs"]


def test_a_payment_type_needs_no_permission_of_an_outlet_bill() -> None:
    """External payment types are another operation's: an undecided row is no hindrance, its category holds."""
    rule = PaymentRule("card", None, SHIPPING, Place("payments.csv", "", 2))
    result = bill(order={"payments": (captured("12.00"),)}, tables={"payments": (rule,)})
    assert items(result)[1:] == [("pay1", "payment", "card", "-12.00", SHIPPING)]
    assert result.unproved == ()


def test_a_bill_that_captures_do_not_pay_is_told_with_its_sum() -> None:
    """It is sent all the same, and the difference is nobody's secret."""
    result = bill(CUP, order={"payments": (captured("20.00"),)})
    assert result.gross_balance == money("4.00")
    told = [problem for problem in result.problems if problem.code == "bill.not_zero"]
    assert [problem.value for problem in told] == ["4.00"]
    assert result.verdict is Verdict.READY


def test_a_bill_that_is_not_sent_has_no_sum_to_be_told() -> None:
    """What blocks it is told, and how far captures pay it once it is not blocked any more."""
    result = bill(CUP, order={"payments": (captured("20.00"),)}, products={"unmapped": "block"})
    assert result.verdict is Verdict.BLOCKED
    assert "bill.not_zero" not in {problem.code for problem in result.problems}


def test_the_balance_brings_the_bill_to_zero() -> None:
    """One item for the rest, captures or not; its category is its own."""
    outlet = {"payments": "balance", "balance_category": SHIPPING, "balance_name": "Paid in the shop"}
    result = bill(CUP, order={"payments": (captured("20.00"),)}, outlet=outlet)
    assert items(result)[1:] == [("bal1", "payment", "Paid in the shop", "-24.00", SHIPPING)]
    assert (result.gross_balance, result.planned_total) == (0, money("24.00"))
    assert "bill.not_zero" not in {problem.code for problem in result.problems}


def test_a_bill_of_nothing_has_no_balance() -> None:
    """A payment of zero is refused by Mews."""
    assert [line for line, *_ in items(bill(a_line("0.00"), outlet={"payments": "balance"}))] == ["p1"]


def test_without_payments_the_bill_stays_open() -> None:
    """`none` sends none of them, and the sum is told all the same."""
    result = bill(order={"payments": (captured("12.00"),)}, outlet={"payments": "none"})
    assert ([line for line, *_ in items(result)], result.gross_balance) == (["p1"], money("12.00"))
    assert [(problem.code, problem.value) for problem in result.problems] == [("bill.not_zero", "12.00")]


def test_gift_cards_and_credit_are_always_payments_of_the_bill() -> None:
    """They lower what the order is worth, not its revenue; the balance takes the rest. No type has to be enabled."""
    vouchers = (Voucher("GC", money("5.00")), Voucher("CREDIT", money("7.00"), is_credit=True))
    for how, more in (("none", []), ("balance", [("bal1", "payment", "Webshop payment", "-12.00", PAYMENTS)])):
        result = bill(
            CUP,
            order={"vouchers": vouchers, "voucher_value": "12.00", "order_total": "12.00"},
            vouchers={"policy": "payment"},
            outlet={"payments": how},
        )
        assert items(result) == [
            ("p1", "item", "Cup", "12.00", CATEGORY),
            ("gift1", "payment", "Voucher CREDIT", "-7.00", PAYMENTS),
            ("gift2", "payment", "Voucher GC", "-5.00", PAYMENTS),
            *more,
        ]
        assert (result.planned_total, result.rounding, result.source_total) == (money("12.00"), 0, money("12.00"))


def test_the_category_of_a_gift_card_is_that_of_its_row() -> None:
    """Else that of payments, else that of vouchers, as on the other route."""
    rule = VoucherRule("GC", "payment", CATEGORY, Place("vouchers.csv", "", 2))
    order = {"voucher_code": "GC", "voucher_value": "5.00"}
    assert items(bill(CUP, order=order, tables={"vouchers": (rule,)}))[1][4] == CATEGORY
    only = {"vouchers": {"policy": "payment"}, "payments": {"accounting_category": ""}}
    assert items(bill(CUP, order=order, **only))[1][4] == SHIPPING


def test_payments_need_no_rebates_permission_and_vouchers_do() -> None:
    """A payment is negative by nature; a negative revenue item is what the property has to allow."""
    target = {"rebates": "block"}
    paid = bill(order={"payments": (captured("12.00"),)}, target=target)
    assert (paid.verdict, paid.unproved) == (Verdict.READY, ())
    assert bill(order={"voucher_value": "2.00"}, target=target).codes == ("rebate.not_allowed",)
    assert bill(order={"voucher_value": "2.00"}).unproved == (REBATES,)


def test_older_than_the_window_is_a_kind_and_no_reason_to_wait() -> None:
    """No editable window is documented for outlet bills: own date, never clamped, unproved."""
    for outside in ("block", "clamp"):
        result = bill(CUP, window=OLD_BOOKS, target={"outside_editable_window": outside})
        assert (result.verdict, result.unproved, result.is_clamped) == (Verdict.READY, (OLD,), False)
        assert result.consumption == result.true_consumption
    assert bill(CUP).unproved == ()
    assert plan_order(an_order(CUP), a_context(window=OLD_BOOKS)).codes == ("window.outside",)


def test_an_old_kind_enters_no_plan_id() -> None:
    """Whether Mews takes it is no part of what is sent; the window moves every day."""
    assert plan_line(bill(CUP, window=OLD_BOOKS), "uk") == plan_line(bill(CUP), "uk")


@pytest.mark.parametrize(
    "change",
    [
        {"outlet": {"payments": "balance"}},
        {"outlet": {"payments": "none"}},
        {"outlet": {"payments": "balance", "balance_name": "Other"}},
        {"payments": {"accounting_category": SHIPPING}},
        {"target": {"notes": "Other {orderNumber}"}},
        {"outlet": {"account": "mapped"}, "accounts": {"fallback": ACCOUNT}},
        {"reference": {"outlet": replace(OUTLET, id="ou-other")}},
    ],
)
def test_the_plan_id_covers_what_a_bill_says(change: dict[str, Any]) -> None:
    """A reviewed plan is what is sent: payments, names, categories, account, outlet."""
    order = {"payments": (captured("12.00"),)}
    assert plan_line(bill(order=order, **change), "uk") != plan_line(bill(order=order), "uk")


@pytest.mark.parametrize("change", [{"outlet": {"bills_per_request": 7}}, {"target": {"service": "eid:WEB-SHOP"}}])
def test_what_is_not_sent_enters_no_plan_id(change: dict[str, Any]) -> None:
    """How many bills share a request, and the service whose products lend their names."""
    assert plan_line(bill(**change), "uk") == plan_line(bill(), "uk")


def test_the_two_routes_are_two_plans() -> None:
    """The same order, never one plan id."""
    assert plan_line(bill(), "uk") != plan_line(plan_order(an_order(), a_context()), "uk")


def test_a_mapped_account_is_named_and_checked() -> None:
    """By accounts.csv, fallback and the rest of section 5; nothing says whom: blocked."""
    mapped = {"outlet": {"account": "mapped"}}
    assert bill(accounts={"fallback": ACCOUNT}, **mapped).account_id == ACCOUNT
    assert bill(accounts={"fallback": COMPANY}, **mapped).unproved == ("company",)
    assert bill(**mapped).codes == ("account.unmapped",)


def test_links_to_bills_and_reservations_are_of_the_other_route() -> None:
    """An outlet bill has neither; undecided rows are no hindrance."""
    tables = {"bills": {"10001": None}, "reservations": {"10001": None}}
    result = bill(tables=tables)
    assert (result.verdict, result.bill_id, result.reservation_id) == (Verdict.READY, "", "")


def test_a_return_is_a_bill_of_its_own_with_payments_the_other_way() -> None:
    """What was given back: negative revenue, positive payment."""
    order = as_return(an_order(a_line("12.00", -1)))
    result = plan_order(order, outlet_context(outlet={"payments": "balance"}))
    assert items(result) == [
        ("p1", "item", "Cup", "-12.00", CATEGORY),
        ("bal1", "payment", "Webshop payment", "12.00", PAYMENTS),
    ]
    refunded = replace(order, payments=(captured("-12.00"),))
    posted = plan_order(refunded, outlet_context(payments={"refunds": "post"}))
    assert items(posted)[1] == ("pay1", "payment", "card", "12.00", PAYMENTS)
    assert posted.gross_balance == 0


PRICES = st.decimals("0.01", "500.00", places=2)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """Lines, shipping, vouchers that are money or not, captures."""
    lines = [
        a_line(draw(PRICES), draw(st.integers(1, 4)), vat, sku=sku, product=sku)
        for sku, vat in draw(st.lists(st.sampled_from([("CUP", "20"), ("TEA", "5")]), min_size=1, max_size=3))
    ]
    goods = sum((line.total for line in lines), D(0))
    gift = draw(st.decimals("0.00", "50.00", places=2))
    vouchers = (Voucher("GC", min(gift, goods), is_credit=True),) if min(gift, goods) else ()
    value = sum((one.value for one in vouchers), D(0))
    payments = tuple(captured(str(amount)) for amount in draw(st.lists(PRICES, max_size=2)))
    return an_order(*lines, shipping=draw(PRICES), vouchers=vouchers, voucher_value=value, payments=payments)


@given(orders(), st.sampled_from(["captures", "balance", "none"]), st.sampled_from(list(Pricing)))
def test_both_routes_sell_the_same(order: Order, how: str, pricing: Pricing) -> None:
    """Revenue entry by entry, credit, totals and rounding are those of the other route, whoever pays and how."""
    target = outlet_context(outlet={"payments": how}, reference={"pricing": pricing})
    ledger = a_context(
        a_mapping(shipping={"accounting_category": SHIPPING}),
        replace(target.reference, outlet=None, payment_types=("GiftCard",)),
    )
    bills, orders_add = plan_order(order, target), plan_order(order, ledger)
    assert (bills.verdict, orders_add.verdict) == (Verdict.READY, Verdict.READY), (bills.problems, orders_add.problems)
    assert bills.revenue == orders_add.entries
    for name in ("planned_total", "source_total", "rounding", "rounding_causes", "consumption", "fingerprint", "notes"):
        assert getattr(bills, name) == getattr(orders_add, name), name
    gifts = [one for one in bills.paid if one[0].startswith("gift")]
    assert [(part, amount) for part, _, amount in gifts] == [(one.part, one.amount) for one in orders_add.payments]
    if how == "balance":
        assert bills.gross_balance == 0
    assert sum((one.predicted.gross for one in bills.entries), D(0)) == bills.gross_balance
    assert all(one.category_id for one in bills.entries)
    assert all(one.unit for one in bills.entries if one.kind is EntryKind.PAYMENT)


def test_identifiers_of_payments_are_lines_of_the_bill() -> None:
    """`:gift1`, `:pay1`, `:bal1`, as section 9 says."""
    result = bill(order={"payments": (captured("12.00"),)})
    assert [Identity("uk", "10001").line(one.line) for one in result.entries] == [
        "centra:uk:10001:p1",
        "centra:uk:10001:pay1",
    ]
