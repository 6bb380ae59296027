"""Which orders the fast lane takes, why not the others, and what happens where it and the rules differ."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pytest
from builders import ACCOUNT, CATEGORY, COMPANY, a_context, a_mapping, a_reference, a_tax
from hypothesis import given
from hypothesis import strategies as st
from outlet_shop import outlet_context
from two_ways import PLAIN, planned, same, write_rows

from etl.columns import known
from etl.columns.bulk import BulkLane, Found
from etl.columns.bulk_numbers import plain_units
from etl.columns.cells import Units
from etl.columns.hours import Hours
from etl.columns.moments import Moments
from etl.errors import ExitCode, InternalError
from etl.model.mapping import Settings
from etl.model.money import units_text
from etl.model.plan import Verdict
from etl.model.reference import Pricing
from etl.model.rules import CategoryRule, PaymentRule, VoucherRule
from etl.pipeline import both_ways, planning
from etl.pipeline.both_ways import BOTH, RULES, SWITCH, is_switched_off
from etl.pipeline.order_details import planned_details
from etl.pipeline.plan_store import PlanStore
from etl.pipeline.planning import Span, plan_batch
from etl.reading.grid import pieces
from etl.reading.identify import open_export
from etl.reading.kinds import Kind
from etl.reading.names import KINDS, LINE
from etl.reading.options import ReadOptions
from etl.reading.parse import Readers
from etl.reading.style import NumberStyle, Style
from etl.reading.texts import are_plain_emails
from etl.report.bills import BillSums
from etl.staging import build
from etl.staging.batch import Batch
from etl.transform.consumption import Window

SPREAD = {"vouchers": (VoucherRule("SPREAD", "spread"),)}
CTX = a_context(a_mapping(shipping={"accounting_category": CATEGORY}, tables=SPREAD))


def row(number: int = 1001, **cells: str) -> dict[str, str]:
    """A row of a plain order; names of cells with `__` for the dot."""
    return PLAIN | {"orderNumber": str(number)} | {name.replace("__", "."): cell for name, cell in cells.items()}


def test_plain_orders_are_taken(tmp_path):
    """Sales, returns, exempt and zero-priced lines, shipping over two rates, orders of rows that stand apart."""
    sale = {"orderTotal": "47.94", "payment__capture__amount": "47.94"}
    back = {"createdFromOrigin__type": "return", "payment__capture__amount": ""}
    rows = [
        row(),
        row(1002, **sale),
        row(1003, shippingValue="-4.95", products__qty="-2", orderTotal="-28.95", **back),
        row(1004, products__vatPercent="0"),
        row(1005, products__unitPrice="0.00", products__qty="7", orderTotal="4.95", payment__capture__amount=""),
        row(
            1002, products__sku="B-2", products__vatPercent="5", products__qty="1", products__unitPrice="18.99", **sale
        ),
        row(1006, products__unitPrice="0.00", products__qty="-7", shippingValue="0", orderTotal="0", **back),
        row(1007, status="", market="Nordic", voucherCode="LATE"),
    ]
    rows[4]["shippingValue"] = "0.00"
    rows[4]["orderTotal"] = "0.00"
    found = same([write_rows(tmp_path / "a.csv", rows)], CTX)
    assert found.reasons == {}
    assert found.admitted == 7
    assert len(found.ready) == 7


ODD = {
    "order-level cells that differ": [row(), row(customerId="18")],
    "a voucher": [row(voucherCode="LATE", voucherValue="26.00", orderTotal="2.95", payment__capture__amount="2.95")],
    "a currency that is not enabled": [row(currency="SEK")],
    "no country": [row(deliveryAddress__country="", invoiceAddress__country="")],
    "the field storeType with a remark": [row(storeType="B2C?")],
    "an order number with blanks or zeros": [row(orderNumber="\u200b1001")],
    "a text with a remark": [row(invoiceAddress__city="Le\x00eds")],
    "a date that is not plain, or outside the window": [row(orderDate="2024-03-31 01:30:00")],
    "shipping of the other sign or not plain": [row(shippingValue="-4.95")],
    "a capture that is not plain": [row(payment__capture__amount="28.90")],
    "a line whose texts are not plain": [row(products__sku="", products__itemText__product="")],
    "a line with a quantity, price or rate that is not plain": [row(products__unitPrice="12.005")],
    "a tax that is not plain": [row(products__vatPercent="19")],
    "shipping without goods of value, or taxed in a way of its own": [
        row(products__unitPrice="0.00", orderTotal="4.95", payment__capture__amount="4.95")
    ],
}


LESS = {"voucherCode": "LATE", "voucherValue": "5.00", "orderTotal": "23.95", "payment__capture__amount": "23.95"}
BACK = {"createdFromOrigin__type": "return", "products__qty": "-2", "shippingValue": "-4.95", "orderTotal": "-28.95"}
TAKEN = {
    "a status that is not imported": [row(status="Cancelled")],
    "a skipped order without a total": [row(status="Cancelled", orderTotal="", payment__capture__amount="")],
    "a skipped order that does not foot": [row(status="Cancelled", orderTotal="1", payment__capture__amount="1.00")],
    "a voucher": [row(**LESS)],
    "a voucher over two rates": [
        row(**LESS | {"orderTotal": "35.94", "payment__capture__amount": "35.94"}),
        row(
            **LESS | {"orderTotal": "35.94", "payment__capture__amount": "35.94"},
            products__vatPercent="5",
            products__qty="1",
            products__unitPrice="11.99",
        ),
    ],
    "an orderTotal that differs": [row(orderTotal="28.94", payment__capture__amount="28.94")],
    "a nameless line, taken back, that does not foot": [
        row(products__itemText__product="", products__qty="-2", payment__capture__amount=""),
        row(payment__capture__amount=""),
    ],
    "a return": [row(**BACK, payment__capture__amount="")],
    "a return that does not foot": [row(**BACK | {"orderTotal": "-1"}, payment__capture__amount="")],
    "a line taken back": [
        row(orderTotal="16.95", payment__capture__amount=""),
        row(orderTotal="16.95", payment__capture__amount="", products__qty="-1"),
    ],
    "no amount of shipping": [row(shippingValue="", orderTotal="24.00", payment__capture__amount="")],
    "a line without a name": [row(products__itemText__product="")],
    "a day without a time": [row(orderDate="2024-03-01")],
}


@pytest.mark.parametrize("policy", ["allow", "block"])
def test_odd_orders_are_taken_at_once(policy, tmp_path, monkeypatch):
    """Whatever they are, among plain ones and in a file with them alone; but where what is negative may not be sent."""
    alone: list[str] = []
    real = both_ways.FastLane._one
    monkeypatch.setattr(
        both_ways.FastLane, "_one", lambda self, *given: (alone.append(given[0]), real(self, *given))[1]
    )
    monkeypatch.setenv(SWITCH, BOTH)
    rows = [one | {"orderNumber": str(at)} for at, some in enumerate(TAKEN.values(), 1) for one in some]
    rows += [row(number) for number in (2001, 2002)]
    ctx = a_context(a_mapping(target={"rebates": policy}, shipping={"accounting_category": CATEGORY}, tables=SPREAD))
    found = same([write_rows(tmp_path / "a.csv", rows)], ctx)
    negative = [
        str(at) for at, name in enumerate(TAKEN, 1) if set(name.split()) & {"return", "back", "back,", "voucher"}
    ]
    assert alone == (negative if policy == "block" else [])
    assert found.admitted == len(TAKEN) + 2 - len(alone)
    for at, some in enumerate(TAKEN.values(), 1):
        mine = [one | {"orderNumber": str(at)} for one in some]
        same([write_rows(tmp_path / f"{at}.csv", mine)], ctx)


@pytest.mark.parametrize("reason", ODD)
def test_what_is_not_plain_goes_the_way_of_the_rules(reason, tmp_path):
    """Each rule that the lane does not know is a reason of its own, and the plan is the rules'."""
    rows = [*ODD[reason], *[row(number) for number in (2001, 2002)]]
    found = same([write_rows(tmp_path / "a.csv", rows)], CTX)
    assert found.reasons == {reason: 1}
    assert found.admitted == 2


def test_an_order_in_two_files_is_joined_by_the_rules(tmp_path):
    paths = [write_rows(tmp_path / name, [row(), row(1001 + at)]) for at, name in enumerate(("a.csv", "b.csv"), 1)]
    found = same(paths, CTX)
    assert found.reasons == {"a row with a fault, or several files": 1}


def test_what_is_only_told_of_a_line_goes_along(tmp_path):
    """Lines without a name, in canonical order, each where it stands; told once, as by the rules."""
    more = {"products__itemText__product": "", "orderTotal": "52.95", "payment__capture__amount": "52.95"}
    rows = [row(products__sku="B-2", **more), row(2001), row(products__sku="A-1", **more)]
    found = same([write_rows(tmp_path / "a.csv", rows)], CTX)
    assert (found.admitted, found.reasons) == (2, {})
    assert [(one.code, one.place.row) for one in found.orders[0].problems] == [("name.missing", 4), ("name.missing", 2)]
    assert found.statuses[0].count("name.missing") == 2


@pytest.mark.parametrize("is_sent", [False, True])
def test_two_lines_of_an_order_may_be_no_article(is_sent, tmp_path):
    """Whatever other orders hold: lines without a key, as of fees, that nothing tells apart."""
    fees = [row(products__sku=""), row(products__sku="")]
    path = write_rows(tmp_path / "a.csv", [*fees, row(2001)])
    found = planned([path], CTX, is_fast=True, is_sent=is_sent)
    assert [order.verdict for order in found.orders] == [Verdict.BLOCKED, Verdict.READY]
    same([path], CTX)


def test_orders_that_are_all_told_of_stand_beside_others_of_another_currency(tmp_path):
    """The first bulk has none that are added up; the second is read back all the same."""
    yen = {"currency": "JPY", "shippingValue": "5", "products__unitPrice": "12", "orderTotal": "29"}
    rows = [row(1, products__itemText__product=""), row(2, **yen, payment__capture__amount="29")]
    found = same([write_rows(tmp_path / "a.csv", rows)], CTX)
    assert (found.admitted, len(found.statuses)) == (2, 2)


def test_an_empty_amount_of_shipping_goes_along_and_is_told(tmp_path):
    more = {"shippingValue": "", "orderTotal": "24.00", "payment__capture__amount": "24.00"}
    found = same([write_rows(tmp_path / "a.csv", [row(), row(1002, **more), row(1002, **more)][:2])], CTX)
    assert (found.admitted, found.reasons) == (2, {})
    assert [(one.code, one.place.row, one.place.column) for one in found.orders[1].problems] == [
        ("shipping.empty", 3, "shippingValue")
    ]


def test_what_is_taken_back_in_a_sale_goes_along_and_is_told(tmp_path):
    """It carries none of the shipping; in a return, what goes out in exchange does."""
    more = {"orderTotal": "16.95", "payment__capture__amount": ""}
    back = {**more, "createdFromOrigin__type": "return", "shippingValue": "-4.95", "orderTotal": "-16.95"}
    rows = [
        row(**more),
        row(products__sku="B-2", products__qty="-1", products__unitPrice="12.00", products__vatPercent="5", **more),
        row(2001, **back, products__qty="-2"),
        row(2001, **back, products__qty="1", products__vatPercent="5"),
    ]
    found = same([write_rows(tmp_path / "a.csv", rows)], CTX)
    assert (found.admitted, found.reasons) == (2, {})
    assert [[problem.code for problem in order.problems] for order in found.orders] == [["quantity.negative"], []]
    assert [len(order.entries) for order in found.orders] == [3, 4]


def test_shipping_without_goods_takes_the_row_that_taxes_csv_has_for_it(tmp_path):
    rules = (a_tax("20", "UK-20%"), a_tax("5", "UK-5%"), a_tax("shipping", "UK-20%"))
    ctx = a_context(a_mapping(taxes=rules, shipping={"accounting_category": CATEGORY}))
    nothing = {"products__unitPrice": "0.00", "orderTotal": "4.95", "payment__capture__amount": "4.95"}
    found = same([write_rows(tmp_path / "a.csv", [row(**nothing), row(1002)])], ctx)
    assert (found.admitted, found.reasons) == (2, {})
    assert found.orders[0].entries[1].codes == ("UK-20%",)


STATED = {"agrees": ("24.00", 3), "differs": ("28.80", 2), "is empty": ("", 3)}


@pytest.mark.parametrize("what", STATED)
def test_a_line_total_that_the_file_states_is_held_against_the_line(what, tmp_path):
    """With tax on top it is no fault; the lane has no opinion of that, and leaves it to the rules."""
    stated, admitted = STATED[what]
    rows = [row(number) | {"totalPrice": stated if number == 1001 else "24.00"} for number in (1001, 1002, 1003)]
    found = same([write_rows(tmp_path / "a.csv", rows)], CTX)
    assert found.admitted == admitted


def test_an_order_that_contradicts_its_own_line_total_is_blocked_both_ways(tmp_path):
    rows = [row(number) | {"totalPrice": "99.00", "orderTotal": ""} for number in (1001, 1002)]
    for one in rows:
        one["payment.capture.amount"] = ""
    found = same([write_rows(tmp_path / "a.csv", rows)], CTX)
    assert (found.admitted, [order.codes for order in found.orders]) == (0, [("order.conflict",)] * 2)


def test_what_staging_comes_to_hold_against_an_order_closes_the_lane(tmp_path, monkeypatch):
    """A check that nobody has written down in `columns/known` is one that the lane can't answer for."""
    real = build.Builder._order_checks
    monkeypatch.setattr(
        build.Builder, "_order_checks", lambda self: [*real(self), build.Check("the moon", lambda _: None)]
    )
    found = same([write_rows(tmp_path / "a.csv", [row()])], CTX)
    assert (found.admitted, found.closed) == (0, "the moon")


def test_a_setting_or_table_that_the_lane_knows_nothing_of_closes_it(tmp_path, monkeypatch):
    path = write_rows(tmp_path / "a.csv", [row()])
    ctx = a_context(a_mapping(shipping={"accounting_category": CATEGORY}, target={"rebates": "allow"}))
    monkeypatch.setitem(known.SETTINGS, "target", tuple(one for one in known.SETTINGS["target"] if one != "rebates"))
    assert same([path], ctx).closed == "the setting target.rebates"
    assert same([path], a_context(a_mapping(target={"rebates": "block"}))).admitted == 1
    monkeypatch.setattr(known, "TABLES", known.TABLES - {"taxes"})
    assert same([path], CTX).closed == "the table taxes"


def test_every_name_that_the_lane_knows_is_one():
    """What is not among them (a route, say) closes the lane where it is set to anything but its default."""
    for name, keys in known.SETTINGS.items():
        assert set(keys) <= set(Settings.model_fields[name].annotation.model_fields)


GIFT = {"voucherCode": "GIFT", "voucherValue": "5.00", "orderTotal": "23.95", "payment__capture__amount": "23.95"}
EMPTY = {"products__unitPrice": "0.00", "shippingValue": "0.00", "orderTotal": "0.00"}
BILLS = {
    "balance": ["bal1", "bal1", "gift1 bal1", "", "bal1", "bal1", ""],
    "captures": ["pay1", "pay1", "gift1 pay1", "", "", "", ""],
    "none": ["", "", "gift1", "", "", "", ""],
}


@pytest.mark.parametrize("how", BILLS)
def test_bills_are_taken_at_once_with_what_pays_them(how, tmp_path, monkeypatch):
    """Sales, a gift card, an order of nothing, a return; older than the window, too. Told is what nothing pays."""
    monkeypatch.setenv(SWITCH, BOTH)
    gifts = {"vouchers": (VoucherRule("GIFT", "payment"),)}
    late = Window(datetime(2024, 3, 1, 9, tzinfo=UTC), datetime(2024, 3, 2, tzinfo=UTC))
    ctx = outlet_context(outlet={"payments": how}, tables=gifts, window=late)
    back = BACK | {"payment__capture__amount": "", "payment__capture__status": ""}
    rows = [
        row(1),
        row(2, orderDate="2024-02-01 10:00:00", products__vatPercent="5"),
        row(3, **GIFT),
        row(4, **EMPTY, payment__capture__amount="0.00"),
        row(5, **back),
        row(6, payment__capture__amount="", payment__capture__status=""),
        row(7, payment__capture__amount="", payment__capture__status="", orderTotal="1.00"),
    ]
    found = same([write_rows(tmp_path / "a.csv", rows)], ctx, opened=9)
    assert (found.admitted, found.reasons) == (7, {})
    paid = [" ".join(one.line for one in order.entries if not one.codes) for order in found.orders]
    assert paid == BILLS[how]
    assert (found.facts.inside_window, found.facts.outside_window) == (6, 1)
    assert found.orders[1].unproved == ("old",)
    told = [order.number for order in found.orders[:-1] if order.problems]
    assert told == {"balance": [], "captures": ["5", "6"], "none": ["1", "2", "3", "5", "6"]}[how]


@pytest.mark.parametrize("how", BILLS)
def test_each_bill_that_is_added_up_counts_as_one(how, tmp_path):
    """Those that nothing tells apart are one sum; how many they are, and that payments are no revenue, shows all the same."""
    ctx = outlet_context(outlet={"payments": how}, tables={"vouchers": (VoucherRule("GIFT", "payment"),)})
    rows = [row(1), row(2), row(3, **GIFT), row(4, **EMPTY, payment__capture__amount="0.00")]
    path = write_rows(tmp_path / "a.csv", rows)
    told = [bills_told(path, ctx, is_fast=is_fast) for is_fast in (True, False)]
    assert told[0] == told[1]
    assert told[0]["count"] == 4


def bills_told(path, ctx, *, is_fast):
    """What a summary says of the bills; by columns of the sums."""
    with ExitStack() as stack:
        batch = stack.enter_context(Batch([path], open_export=open_export))
        batch.load()
        store = stack.enter_context(PlanStore())
        how = {"span": Span(), "has_tax_modes": False, "expected": 2, "progress": lambda *_: None}
        plan_batch(batch, ctx, store, **how, is_fast=is_fast)
        sums = BillSums()
        for status, orders in store.alike.statuses():
            sums.add(status, orders)
        for status in store.statuses():
            sums.add(status)
        assert (store.alike.orders > 0) == is_fast
        return sums.document(lambda amount, _: f"{amount:.2f}")


ODD_BILLS = {
    "captures that failed": {"payment__capture__status": "2"},
    "a refund that is not posted": BACK | {"payment__capture__amount": "-28.95"},
    "a capture of no amount": {"payment__capture__amount": ""},
    "a method that nobody decided": {"payment__method": "odd"},
}


@pytest.mark.parametrize("what", ODD_BILLS)
def test_captures_that_something_is_to_be_said_of_are_the_rules_business(what, tmp_path):
    methods = {"payments": (PaymentRule("odd", "Cash", "ca-gone"),)}
    ctx = outlet_context(outlet={"payments": "captures"}, tables=methods)
    found = same([write_rows(tmp_path / "a.csv", [row(1, **ODD_BILLS[what]), row(2)])], ctx)
    assert (found.admitted, found.reasons) == (1, {"a payment that is not plain": 1})


NET = a_reference(pricing=Pricing.NET)


def test_prices_with_tax_are_sent_without_where_the_enterprise_wants_them_so(tmp_path, monkeypatch):
    """A line that no net books exactly, one that has to be split, shipping over two rates, a voucher, a return, exempt goods.

    2.01 and 2.07 at 20 % lie in the middle of two nets: which it is, the order's rounding so far decides.
    """
    monkeypatch.setenv(SWITCH, BOTH)
    ctx = a_context(a_mapping(shipping={"accounting_category": CATEGORY}), NET)
    more = {"orderTotal": "", "payment__capture__amount": ""}
    rows = [
        row(1),
        *(row(2, products__sku=f"S-{at}", products__qty="1", products__unitPrice=price, **more)
          for at, price in enumerate(["2.01", "2.07", "2.13", "0.03"])),
        row(3, products__qty="7", products__unitPrice="0.99", **more),
        row(3, products__sku="B-2", products__qty="3", products__unitPrice="1.99", products__vatPercent="5", **more),
        row(4, **LESS),
        row(5, **BACK | {"products__unitPrice": "12.00", "payment__capture__amount": ""}),
        row(6, products__vatPercent="0"),
    ]  # fmt: skip
    found = same([write_rows(tmp_path / "a.csv", rows)], ctx)
    assert (found.admitted, found.reasons) == (6, {})
    assert all(entry.basis == "net" for order in found.orders for entry in order.entries)
    roundings = [entry.rounding for entry in found.orders[1].entries if entry.rounding]
    assert len(roundings) >= 4
    assert abs(sum(roundings)) < len(roundings) * Decimal("0.01")
    assert any(entry.line.endswith(".2") for entry in found.orders[2].entries)


def test_a_tax_that_is_coarser_than_the_currency_is_the_rules_business(tmp_path):
    ctx = a_context(
        a_mapping(shipping={"accounting_category": CATEGORY}), a_reference(pricing=Pricing.NET, tax_precision=0)
    )
    found = same([write_rows(tmp_path / "a.csv", [row(1)])], ctx)
    assert found.reasons == {"a tax that is not plain": 1}


def test_what_is_not_taken_at_once_is_the_rules_business_where_prices_are_sent_without_tax(tmp_path):
    """Shipping that no goods of value carry, say; what is odd about an order is named first."""
    ctx = a_context(a_mapping(shipping={"accounting_category": CATEGORY}), NET)
    nothing = {"products__unitPrice": "0.00", "orderTotal": "4.95", "payment__capture__amount": "4.95"}
    found = same([write_rows(tmp_path / "a.csv", [row(1, **nothing), row(2, products__vatPercent="19")])], ctx)
    assert found.reasons == {"taken at once only, in an enterprise with net pricing": 1, "a tax that is not plain": 1}


def test_bills_of_prices_without_tax_are_paid_by_what_mews_books(tmp_path, monkeypatch):
    """The rest is that of the bill; what was captured may be off by the rounding, and that is told."""
    monkeypatch.setenv(SWITCH, BOTH)
    odd = {"shippingValue": "0.00", "products__qty": "1", "products__unitPrice": "2.01"}
    for how, paid, told in (("balance", "-2.02", []), ("captures", "-2.01", ["bill.rounding"])):
        ctx = outlet_context(reference={"pricing": Pricing.NET}, outlet={"payments": how})
        total = {"orderTotal": "2.01", "payment__capture__amount": "2.01"}
        found = same([write_rows(tmp_path / "a.csv", [row(1, **odd, **total)])], ctx)
        assert found.admitted == 1
        assert [problem.code for problem in found.orders[0].problems] == told
        assert str(found.orders[0].entries[-1].unit) in (paid, "-2.00")


@pytest.mark.parametrize("pricing", Pricing)
def test_vouchers_that_lower_prices_go_along(pricing, tmp_path, monkeypatch):
    """Off the lines of each rate in proportion, split where a price is none of whole cents; as a person is shown them, too."""
    monkeypatch.setenv(SWITCH, BOTH)
    ctx = a_context(a_mapping(shipping={"accounting_category": CATEGORY}, tables=SPREAD), a_reference(pricing=pricing))
    less = LESS | {"voucherCode": "SPREAD", "orderTotal": "", "payment__capture__amount": ""}
    rows = [
        row(1, **less | {"products__qty": "7"}),
        row(2, **less),
        row(2, **less, products__sku="B-2", products__vatPercent="5"),
        row(2, **less | {"products__sku": "C-3", "products__qty": "3"}, products__unitPrice="0.99"),
        row(3, **less | {"voucherValue": "24.00"}),
        row(4),
    ]
    found = same([write_rows(tmp_path / "a.csv", rows)], ctx, opened=9)
    assert (found.admitted, found.reasons) == (4, {})
    lines = [[entry.line for entry in order.entries] for order in found.orders]
    assert lines[0] == ["p1.1", "p1.2", "s1"]
    assert all(entry.unit >= 0 for order in found.orders for entry in order.entries)


def test_payments_that_are_posted_go_along(tmp_path, monkeypatch):
    """Captures by the type that Mews has of them, gift cards as such; both are kinds of their own."""
    monkeypatch.setenv(SWITCH, BOTH)
    tables = {"vouchers": (VoucherRule("GIFT", "payment"),), "payments": (PaymentRule("bank", "Invoice"),)}
    ctx = a_context(
        a_mapping(payments={"post": True, "type": "Cash"}, shipping={"accounting_category": CATEGORY}, tables=tables)
    )
    rows = [row(1), row(2, payment__method="bank"), row(3, **GIFT), row(4, payment__capture__status="2")]
    found = same([write_rows(tmp_path / "a.csv", rows)], ctx, opened=9)
    assert (found.admitted, found.reasons) == (3, {"a payment that is not plain": 1})
    assert [[one.part for one in order.payments] for order in found.orders] == [
        ["pay1"],
        ["pay1"],
        ["gift1", "pay1"],
        [],
    ]
    assert found.orders[2].unproved == ("payment:Cash", "payment:GiftCard")


def test_every_field_of_an_order_is_known_to_the_lane_or_asked_of_the_rules():
    """A field that comes to be is in none of the lists, so that an order which has it goes the way of the rules."""
    lists = [set(known.KEYED), set(known.SINGLE), set(known.PASSIVE), set(known.WEIGHED)]
    named = set().union(*lists)
    assert sum(map(len, lists)) == len(named)
    assert named == {name for name in KINDS if not name.startswith(LINE)}


NEVER = {
    "the public demo": a_context(is_public_demo=True),
}


@pytest.mark.parametrize("reason", NEVER)
def test_some_mappings_and_enterprises_have_no_plain_orders(reason, tmp_path):
    ctx = NEVER[reason]
    found = same([write_rows(tmp_path / "a.csv", [row()])], ctx)
    assert found.admitted == 0
    with Batch([tmp_path / "a.csv"], open_export=open_export) as batch:
        batch.load()
        lane = both_ways.FastLane(batch, ctx)
        assert not lane.is_open
        assert lane.why_closed == reason


def test_the_date_of_delivery_may_decide_when_an_order_is_booked(tmp_path, monkeypatch):
    """Its day, month and taxes; what is odd about either date is the rules' to say, and so is none."""
    monkeypatch.setenv(SWITCH, BOTH)
    ctx = a_context(a_mapping(source={"consumption": "deliveryDate"}, shipping={"accounting_category": CATEGORY}))
    dates = [
        ("2024-03-01 10:00:00", "2024-04-02 08:00:00"),
        ("2024-03-01 10:00:00", ""),
        ("", "2024-04-03"),
        ("2024-03-01 10:00:00", "2024-03-31 01:30:00"),
        ("31.02.2024", "2024-04-05"),
        ("2024-03-31 01:30:00", "2024-04-06"),
        ("2024-03-01", "2024-04-07"),
    ]
    rows = [
        row(at, orderDate=ordered, deliveryDate=delivered, status="Cancelled" if at == len(dates) else "Completed")
        for at, (ordered, delivered) in enumerate(dates, 1)
    ]
    found = same([write_rows(tmp_path / "a.csv", rows)], ctx)
    assert [order.month for order in found.orders] == [
        "2024-04",
        "",
        "2024-04",
        "2024-03",
        "2024-04",
        "2024-04",
        "2024-04",
    ]
    assert found.reasons == {"a date that is not plain, or outside the window": 2, "a text with a remark": 1}


def test_notes_may_name_any_cell_of_an_order(tmp_path, monkeypatch):
    """Its texts, typed ones as the rules write them; nothing where the file has no such column; nobody's text is a marker."""
    monkeypatch.setenv(SWITCH, BOTH)
    notes = "{orderNumber}: [cen{invoiceAddress.city}tra:] {orderTotal} {orderDate} {comment} {deliveryAddress.country} {orderNumber}"
    ctx = a_context(a_mapping(target={"notes": notes}, shipping={"accounting_category": CATEGORY}))
    rows = [
        row(1),
        row(2, invoiceAddress__city=""),
        row(3, invoiceAddress__city=' "K\u00f8ln" '),
        row(4, orderTotal="28.950", payment__capture__amount="28.95"),
    ]
    rows += [row(5, products__unitPrice="0.00", orderTotal="4.95", payment__capture__amount="4.95")]
    found = same([write_rows(tmp_path / "a.csv", rows)], ctx, opened=9)
    assert [one.notes for one in found.orders] == [
        "1: [cenLeedstra:] 28.95 2024-03-01 10:00:00 GB 1",
        "2: (centra:] 28.95 2024-03-01 10:00:00 GB 2",
        '3: [cen"K\u00f8ln"tra:] 28.95 2024-03-01 10:00:00 GB 3',
        "4: [cenLeedstra:] 28.95 2024-03-01 10:00:00 GB 4",
        "",
    ]
    assert found.admitted == 4


@pytest.mark.parametrize("lines", [["12.00"], ["0.00"]], ids=["at once", "one by one"])
def test_notes_of_orders_that_are_taken_one_by_one(lines, tmp_path):
    rules = (a_tax("20", "UK-20%"), a_tax("shipping", "UK-20%"))
    ctx = a_context(
        a_mapping(
            taxes=rules, target={"notes": "{customerId} for {orderNumber}"}, shipping={"accounting_category": CATEGORY}
        )
    )
    total = {"orderTotal": "", "payment__capture__amount": ""}
    rows = [row(at, products__unitPrice=price, customerId=str(at), **total) for price in lines for at in (17, 18)]
    found = same([write_rows(tmp_path / "a.csv", rows)], ctx, opened=9)
    assert (found.admitted, [one.notes for one in found.orders]) == (2, ["17 for 17", "18 for 18"])


def test_an_export_without_dates_of_delivery_is_the_rules_business(tmp_path):
    ctx = a_context(a_mapping(source={"consumption": "deliveryDate"}, shipping={"accounting_category": CATEGORY}))
    found = same([write_rows(tmp_path / "a.csv", [row()])], ctx)
    assert found.reasons == {"a date that is not plain, or outside the window": 1}
    assert found.orders[0].codes == ("date.missing",)


def test_accounts_are_looked_up_by_address(tmp_path, monkeypatch):
    """One customer is charged, nobody known goes to the fallback, and what is to be said of two is the rules' to say."""
    monkeypatch.setenv(SWITCH, BOTH)
    known = {"guest@example.com": (COMPANY,), "two@example.com": (COMPANY, ACCOUNT)}
    mapping = a_mapping(accounts={"lookup_email": True}, shipping={"accounting_category": CATEGORY})
    ctx = a_context(mapping, a_reference(accounts_by_email=known))
    emails = ["Guest@Example.com", "nobody@example.com", "two@example.com", ""]
    rows = [row(at, invoiceAddress__email=email) for at, email in enumerate(emails, 1)]
    found = same([write_rows(tmp_path / "a.csv", rows)], ctx)
    assert [order.account_id for order in found.orders] == [COMPANY, ACCOUNT, "", ACCOUNT]
    assert found.reasons == {"an account with a remark": 1}


def test_customers_that_are_made_go_along_with_all_that_they_are_made_of(tmp_path, monkeypatch):
    """Known or not; by the names of either address; who has no address of e-mail goes to the fallback."""
    monkeypatch.setenv(SWITCH, BOTH)
    ctx = a_context(
        a_mapping(accounts={"create_customers": True}, shipping={"accounting_category": CATEGORY}),
        a_reference(accounts_by_email={"guest@example.com": (COMPANY,), "two@example.com": (COMPANY, ACCOUNT)}),
    )
    people = [
        {},
        {"invoiceAddress.email": "new@example.com", "invoiceAddress.firstName": "Ann", "deliveryAddress.tele": "1"},
        {
            "invoiceAddress.email": "new@example.com",
            "deliveryAddress.name": 'Ben "B" Example',
            "invoiceAddress.cell": "2",
        },
        {"invoiceAddress.email": ""},
        {"invoiceAddress.email": "two@example.com"},
    ]
    names = dict.fromkeys([name for one in people for name in one], "")
    rows = [row(at) | names | {"invoiceAddress.email": "Guest@Example.com"} | one for at, one in enumerate(people, 1)]
    found = same([write_rows(tmp_path / "a.csv", rows)], ctx, opened=9)
    assert (found.admitted, found.reasons) == (4, {"an account with a remark": 1})
    assert [order.account_id for order in found.orders] == [COMPANY, "", "", ACCOUNT, ""]
    assert dict(found.orders[2].create_customer)["LastName"] == "Example"


def test_codes_that_mews_takes_until_the_afternoon_are_asked_by_the_hour(tmp_path):
    """Two orders of one day, before and after a code ends: the second is blocked, by both ways."""
    ends = datetime(2024, 3, 1, 12, tzinfo=UTC)
    from dataclasses import replace

    from etl.model.reference import Validity

    reference = a_reference()
    rates = {
        code: replace(rate, validity=(Validity(None, ends),)) if code == "UK-20%" else rate
        for code, rate in reference.tax_rates.items()
    }
    ctx = a_context(a_mapping(shipping={"accounting_category": CATEGORY}), replace(reference, tax_rates=rates))
    rows = [row(), row(1002, orderDate="2024-03-01 13:00:00"), row(1003, orderDate="2024-03-01 12:00:00")]
    found = same([write_rows(tmp_path / "a.csv", rows)], ctx)
    assert [order.verdict.value for order in found.orders] == ["ready", "blocked", "blocked"]
    assert found.admitted == 1


def test_rows_of_taxes_for_one_article_are_asked_for_that_article(tmp_path):
    rules = (a_tax("20", "UK-20%"), a_tax("20", "UK-5%", sku="B-*", accept=True))
    ctx = a_context(a_mapping(taxes=rules, shipping={"accounting_category": CATEGORY}))
    found = same([write_rows(tmp_path / "a.csv", [row(), row(1002, products__sku="B-2")])], ctx)
    assert found.admitted == 2
    assert [order.entries[0].codes for order in found.orders] == [("UK-20%",), ("UK-5%",)]


def test_orders_outside_the_window_are_the_rules_business(tmp_path):
    late = Window(datetime(2024, 3, 1, 10, 0, 1, tzinfo=UTC), datetime(2024, 3, 2, tzinfo=UTC))
    ctx = a_context(a_mapping(shipping={"accounting_category": CATEGORY}), window=late)
    found = same([write_rows(tmp_path / "a.csv", [row(), row(1002, orderDate="2024-03-01 10:00:01")])], ctx)
    assert (found.admitted, found.facts.inside_window, found.facts.outside_window) == (1, 1, 1)


def test_every_signature_and_every_thousandth_order_is_planned_both_ways(tmp_path, monkeypatch):
    checked: list[str] = []
    real = both_ways.FastLane._check

    def watched(self, quick, *given):
        checked.append(quick.report.number)
        real(self, quick, *given)

    monkeypatch.setattr(both_ways.FastLane, "_check", watched)
    monkeypatch.setattr(both_ways, "CHECK_EVERY", 4)
    rows = [row(number) for number in range(1, 10)]
    rows[1] |= {"products.vatPercent": "5"}
    planned([write_rows(tmp_path / "a.csv", rows)], CTX, is_fast=True)
    assert checked == ["1", "2", "4", "8"]


@pytest.mark.parametrize("what", ["line", "status", "shown"])
def test_a_difference_ends_the_command_with_exit_code_1(what, tmp_path, monkeypatch):
    """A plan that nobody can vouch for is none; the variable that helps is named."""
    real = both_ways.FastLane._take

    def wrong(self, number, parts, **how):
        quick = real(self, number, parts, **how)
        if what == "shown":
            return quick._replace(beside=quick.beside and quick.beside._replace(rows=[9, *quick.beside.rows[1:]]))
        if what == "line":
            return quick._replace(line=quick.line.replace(b"12.00", b"12.01"))
        return quick._replace(report=quick.report._replace(total=quick.report.total + 1))

    monkeypatch.setattr(both_ways.FastLane, "_take", wrong)
    monkeypatch.setattr(BulkLane, "take", lambda *_, **__: Found([], []))
    with pytest.raises(InternalError) as caught:
        planned([write_rows(tmp_path / "a.csv", [row()])], CTX, is_fast=True)
    assert (caught.value.code, caught.value.exit_code) == ("internal.both_ways", ExitCode.INTERNAL)
    assert f"{SWITCH}={RULES}" in caught.value.hint


def test_whoever_asks_for_the_whole_order_gets_what_entered_the_plan_id(tmp_path, monkeypatch):
    """Nothing is handed out that the rules plan otherwise than the plan id says, sampled or not."""
    path = write_rows(tmp_path / "a.csv", [row(number) for number in (1, 2)])
    real = both_ways.FastLane._take

    def wrong_second(self, number, parts, **how):
        quick = real(self, number, parts, **how)
        return quick if number == "1" else quick._replace(line=quick.line + b" ")

    monkeypatch.setattr(both_ways.FastLane, "_take", wrong_second)
    monkeypatch.setattr(BulkLane, "take", lambda *_, **__: Found([], []))
    with ExitStack() as stack:
        batch = stack.enter_context(Batch([path], open_export=open_export))
        batch.load()
        store = stack.enter_context(PlanStore())
        plan_batch(
            batch, CTX, store, span=Span(), has_tax_modes=False, expected=2, progress=lambda *_: None, is_fast=True
        )
        assert [order.number for order in store.named(["1"])] == ["1"]
        with pytest.raises(InternalError):
            list(store.ready())


def test_orders_taken_at_once_are_held_against_the_rules_when_they_are_asked_for(tmp_path, monkeypatch):
    """They are kept as columns until then; the second is no sample, so that nothing is said of it before."""
    path = write_rows(tmp_path / "a.csv", [row(number) for number in (1, 2, 3)])
    real = BulkLane.take

    def wrong_second(self, block, **how):
        bulks, held = real(self, block, **how)
        lines = [
            line.replace(b"12.00", b"12.01") if at == 1 else line for at, line in enumerate(bulks[0].lines.each(0, 3))
        ]
        assert len(set(map(len, lines))) == 1
        return Found([bulks[0]._replace(lines=bulks[0].lines._replace(data=b"".join(lines)))], held)

    monkeypatch.setattr(BulkLane, "take", wrong_second)
    with ExitStack() as stack:
        batch = stack.enter_context(Batch([path], open_export=open_export))
        batch.load()
        store = stack.enter_context(PlanStore())
        plan_batch(
            batch, CTX, store, span=Span(), has_tax_modes=False, expected=3, progress=lambda *_: None, is_fast=True
        )
        (found,) = store.batches()
        assert store.ready_count == len(found.statuses) == 3
        assert list(found.planned({"1", "3"})) == ["1", "3"]
        assert store.ready_count == 3
        assert [order.number for order in store.named(["3"])] == ["3"]
        with pytest.raises(InternalError):
            list(store.named(["2"]))
        with pytest.raises(InternalError):
            list(store.by_number())


def test_who_asks_for_an_order_by_its_number_gets_it_wherever_it_lies(tmp_path):
    """Those taken at once get rows of their own only where one of them is asked for."""
    rows = [row(number) for number in (1, 2, 3)] + [{**row(4), "status": "Pending"}]
    with ExitStack() as stack:
        batch = stack.enter_context(Batch([write_rows(tmp_path / "a.csv", rows)], open_export=open_export))
        batch.load()
        store = stack.enter_context(PlanStore())
        plan_batch(
            batch, CTX, store, span=Span(), has_tax_modes=False, expected=4, progress=lambda *_: None, is_fast=True
        )
        packed = "SELECT coalesce(sum(size), 0) FROM run"
        taken = store._spill.scalar(packed)
        own = {number for (number,) in store._spill.rows("SELECT number FROM plan")}
        assert taken == 4 - len(own)
        assert {"2", "3"}.isdisjoint(own)
        assert [order.number for order in store.named(sorted(own))] == sorted(own)
        assert store._spill.scalar(packed) == taken
        assert [order.number for order in store.named([*own, "3"])] == sorted({*own, "3"})
        assert [order.number for order in store.named(["2"])] == ["2"]


def test_the_lane_is_open_unless_it_is_switched_off(monkeypatch):
    monkeypatch.delenv(SWITCH, raising=False)
    assert not is_switched_off()
    monkeypatch.setenv(SWITCH, RULES)
    assert is_switched_off()


def test_every_order_is_planned_both_ways_where_a_person_asks_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv(SWITCH, BOTH)
    checked: list[str] = []
    monkeypatch.setattr(both_ways.FastLane, "_check", lambda _, quick, *__: checked.append(quick.report.number))
    planned([write_rows(tmp_path / "a.csv", [row(number) for number in (1, 2, 3)])], CTX, is_fast=True)
    assert checked == ["1", "2", "3"]


def test_a_command_that_does_not_ask_for_it_plans_by_the_rules(tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "FastLane", lambda *_: pytest.fail("the lane was asked"))
    assert len(planned([write_rows(tmp_path / "a.csv", [row()])], CTX, is_fast=False).orders) == 1


def test_cells_are_read_once_to_whole_units():
    amounts = Units(Readers(Style(NumberStyle.POINT)).amount, 2, below=100)
    assert [amounts[cell] for cell in ("1.20", "0.5", "7", "-3.10")] == [120, 50, 700, -310]
    assert [amounts[cell] for cell in ("", "1.205", "abc", "100", "\u00a31.00")] == [None] * 5


@pytest.mark.parametrize("units", [0, 5, 120, -5, -120])
@pytest.mark.parametrize("digits", [0, 2, 3])
def test_amounts_are_written_as_the_rules_write_them(units, digits):
    assert units_text(units, digits) == str(Decimal(units).scaleb(-digits))


@pytest.mark.parametrize("what", ["line", "status", "shown"])
def test_a_difference_of_orders_taken_at_once_ends_the_command(what, tmp_path, monkeypatch):
    real = BulkLane.take

    def wrong(self, block, **how):
        bulks, held = real(self, block, **how)
        for at, bulk in enumerate(bulks):
            lines = bulk.lines
            if what == "line":
                lines = lines._replace(data=lines.data.replace(b"12.00", b"12.01"))
            totals = bulk.sums.totals + (what == "status")
            entries = bulk.entries._replace(booked=bulk.entries.booked + (what == "shown"))
            bulks[at] = bulk._replace(lines=lines, sums=bulk.sums._replace(totals=totals), entries=entries)
        return Found(bulks, held)

    monkeypatch.setattr(BulkLane, "take", wrong)
    with pytest.raises(InternalError) as caught:
        planned([write_rows(tmp_path / "a.csv", [row()])], CTX, is_fast=True, opened=1)
    assert caught.value.code == "internal.both_ways"


def test_plain_sales_are_taken_at_once(tmp_path, monkeypatch):
    """Not one of them is looked at by itself, but for what a person is shown of the samples."""
    alone: list[str] = []
    real = both_ways.FastLane._one
    monkeypatch.setattr(
        both_ways.FastLane, "_one", lambda self, *given: (alone.append(given[0]), real(self, *given))[1]
    )
    rows = [row(number, **more) for number, more in enumerate([{}, {"products__vatPercent": "5"}, {"currency": "JPY"}])]
    rows[2] |= {"shippingValue": "5", "products.unitPrice": "12", "orderTotal": "29", "payment.capture.amount": "29"}
    odd = row(9, products__qty="-1", shippingValue="0.00", orderTotal="-12.00", payment__capture__amount="-12.00")
    found = same([write_rows(tmp_path / "a.csv", [*rows[1:], row(7), odd])], CTX)
    assert (found.admitted, alone) == (4, [])


def test_a_word_for_nothing_that_is_an_amount_closes_the_quick_ways(tmp_path):
    nothing = frozenset({"1.25"})
    readers = Readers(Style(NumberStyle.POINT), ReadOptions(empty_words=nothing))
    assert Units(readers.amount, 2, below=100, nothing=nothing)["1.25"] is None


@given(st.from_regex(r"\A-?[0-9]{0,11}[.,]?[0-9]{0,3}\Z"), st.sampled_from(NumberStyle), st.sampled_from([0, 2, 3]))
def test_amounts_are_whole_units_as_the_reader_has_them(cell, style, digits):
    """With the short way for plain amounts, and without it."""
    reader = Readers(Style(style)).amount
    short, long = (Units(reader, digits, below=10**11, nothing=nothing) for nothing in (frozenset(), frozenset("0")))
    assert short[cell] == long[cell]


@given(
    st.datetimes(*map(datetime.fromisoformat, ("2023-01-01", "2024-12-31"))),
    st.sampled_from(["UTC", "Europe/London", "Asia/Kolkata"]),
)
def test_an_hour_says_of_its_moments_what_each_of_them_says(wall, zone):
    ctx = a_context(a_mapping(source={"timezone": zone}))
    dates, moments = Readers(Style(NumberStyle.POINT)).date, Moments(ctx)
    cell = f"{wall:%Y-%m-%d %H:%M:%S}"
    hours, when = Hours(dates, moments, lambda _: None), moments.when(dates[cell])
    (text,), (month,), (at,), _ = hours.of([cell])
    if text:
        assert when is not None
        assert (text, month) == (when.text, when.month)
        assert (hours.days[at].day, hours.days[at].period) == (when.day, when.period)
    else:
        assert when is None or when.utc.minute != wall.minute or zone == "Europe/London"


@given(
    st.lists(
        st.one_of(
            st.from_regex(r"[0-9]{0,11}[.,]?[0-9]{0,3}", fullmatch=True), st.text("0159.,-+ \0\u0661", max_size=5)
        ),
        min_size=1,
    ),
    st.sampled_from([NumberStyle.POINT, NumberStyle.COMMA]),
    st.sampled_from([0, 2, 3]),
)
def test_amounts_read_at_once_are_those_read_one_by_one(texts, style, digits):
    units = Units(Readers(Style(style)).amount, digits, below=10**11)
    numbers, is_plain = plain_units(texts, units.mark, digits)
    for text, number, plain in zip(texts, numbers.tolist(), is_plain.tolist(), strict=True):
        if plain:
            assert units[text] == number
        else:
            assert not re.fullmatch(
                rf"(0|[1-9][0-9]{{0,8}})([{units.mark}][0-9]{{1,{min(digits, 2) or 1}}})?", text
            ) or (len(max(texts, key=len)) > 12 or (not digits and units.mark in text))


def test_a_file_of_many_amounts_is_planned_as_one_of_few(tmp_path):
    """More than are looked up one by one, odd ones among them."""
    prices = [f"{at}.{at % 100:02d}" for at in range(1, 90)] + ["1.5", "7", "1.005", "-3.00", "0.00", ""]
    rows = [
        row(at, products__unitPrice=price, orderTotal="", payment__capture__amount="")
        for at, price in enumerate(prices, 1)
    ]
    found = same([write_rows(tmp_path / "a.csv", rows)], CTX)
    assert found.admitted == len(rows) - 4


@given(
    st.lists(st.from_regex(r"[0-9]{0,11}[.,]?[0-9]{0,3}|-?[0-9.,+ ]{0,14}", fullmatch=True), min_size=1),
    st.sampled_from([NumberStyle.POINT, NumberStyle.COMMA]),
    st.sampled_from([0, 2, 3]),
)
def test_amounts_read_from_bytes_are_those_read_from_texts(texts, style, digits):
    units = Units(Readers(Style(style)).amount, digits, below=10**11)
    data = "".join(f"x;{text}\n" for text in texts).encode()
    (piece,) = pieces(data, ";", 2, "utf-8", least=1)
    assert piece.grid is not None
    numbers, is_plain = piece.grid.amounts(1, np.arange(len(texts)), units.mark, digits)
    by_text = plain_units(texts, units.mark, digits)
    for text, number, plain, other, is_other in zip(texts, numbers, is_plain, *by_text, strict=True):
        assert not plain or units[text] == number
        assert not is_other or (plain and number == other)


@given(
    st.lists(st.from_regex(r"[a-z0-9._-]{1,5}@[a-z0-9.-]{1,6}|[ a-z\n@.]{0,4}|redacted", fullmatch=True), max_size=4)
)
def test_plain_addresses_are_those_that_there_is_nothing_to_say_of(cells):
    reader = Readers(Style(NumberStyle.POINT)).by_kind[Kind.EMAIL]
    if are_plain_emails(cells):
        assert all(reader[cell] == cell for cell in cells)


def a_page_of(stack: ExitStack, tmp_path, rows: list[dict[str, str]]):
    """Orders planned by columns as for a report, and what asks for what they open to."""
    batch = stack.enter_context(Batch([write_rows(tmp_path / "a.csv", rows)], open_export=open_export))
    batch.load()
    store = stack.enter_context(PlanStore())
    store.keep_entries(10)
    plan_batch(batch, CTX, store, span=Span(), has_tax_modes=False, expected=2, progress=lambda *_: None, is_fast=True)
    prepared = SimpleNamespace(reference=CTX.reference, store=store, batch=batch)
    return store, planned_details(prepared, None)


def test_what_is_not_sent_opens_to_its_rows_without_being_planned_again(tmp_path, monkeypatch):
    """An order that is skipped or does not foot has no entries; planning it anew to learn that made reports slow."""
    rows = [row(1), row(2, status="Cancelled"), row(3, orderTotal="99.99", payment__capture__amount="")]
    with ExitStack() as stack:
        store, details = a_page_of(stack, tmp_path, rows)
        by_rules = store.by_rules
        store.by_rules = lambda numbers: pytest.fail(f"planned again: {numbers}")
        found = {one.number: one.whole for one in details(["3", "2"])}
        store.by_rules = by_rules
        assert store.unsent(["9", "3", "2", "1"]) == ["3", "2"]
        assert [one.verdict for one in store.named(["2", "3"])] == [Verdict.SKIPPED, Verdict.BLOCKED]
    assert all(one.joined.endswith(f"the order number {number}.") for number, one in found.items())
    assert [list(one.entries) for one in found.values()] == [[], []]
    assert "Cancelled" in found["2"].sources[0].groups[0][0]
    assert "99.99" in found["3"].sources[0].groups[0][0]


def test_an_order_that_the_rules_would_send_is_never_shown_without_entries(tmp_path, monkeypatch):
    """That what is held back has no entries is proved with the samples that are planned both ways."""
    real = both_ways.alike_by_rules

    def with_entries(*given):
        planned = real(*given)
        return planned and replace(planned, entries=(object(),))

    monkeypatch.setattr(both_ways, "alike_by_rules", with_entries)
    with ExitStack() as stack, pytest.raises(InternalError):
        a_page_of(stack, tmp_path, [row(2, status="Cancelled")])


def test_what_is_told_of_every_order_of_one_file_moves_no_other(tmp_path):
    """The sums of a batch are those of orders that nothing is said of: a file without any has none among them."""
    odd = {"shippingValue": "0.00", "products__qty": "1", "products__unitPrice": "2.01", "orderTotal": "2.01"}
    ctx = outlet_context(reference={"pricing": Pricing.NET}, outlet={"payments": "captures"})
    even = {"shippingValue": "0.00", "products__qty": "1", "products__unitPrice": "12.00"}
    plain = [row(at, payment__capture__amount="12.00", orderTotal="12.00", **even) for at in (2, 3)]
    told = [row(1, payment__capture__amount="2.01", **odd)]
    found = same([write_rows(tmp_path / "a.csv", told), write_rows(tmp_path / "b.csv", plain)], ctx)
    assert (found.admitted, found.reasons) == (3, {})
    assert [[problem.code for problem in order.problems] for order in found.orders] == [["bill.rounding"], [], []]


@pytest.mark.parametrize(
    "tables",
    [
        {"accounts": {("email", PLAIN["invoiceAddress.email"].upper()): ACCOUNT}},
        {"segments": {"NORDIC": "bs-web"}},
        {"vouchers": (VoucherRule("LATE", "spread"),)},
        {"vouchers": (VoucherRule("LA*", "rebate"),)},
        {"categories": (CategoryRule("sku", PLAIN["products.sku"].lower(), CATEGORY),)},
    ],
    ids=lambda tables: next(iter(tables)),
)
def test_what_is_near_a_row_of_the_mapping_is_told_both_ways(tables, tmp_path):
    """Lane and rules give one plan; where a row was probably meant the order says so, whoever planned it."""
    ctx = a_context(a_mapping(shipping={"accounting_category": CATEGORY}, tables=tables))
    less = LESS | {"voucherCode": "late", "market": "nordic"}
    found = same([write_rows(tmp_path / "a.csv", [row(), row(1002, **less)])], ctx)
    assert "key.near" in "".join(found.statuses)
