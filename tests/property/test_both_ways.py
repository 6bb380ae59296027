"""Planned by columns = planned by the rules: whatever stands in an export of rows."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from builders import CATEGORY, COMPANY, OPEN, PRODUCT, UK_TAXES, a_context, a_mapping, a_reference, a_tax
from hypothesis import event, given, settings
from hypothesis import strategies as st
from outlet_shop import OUTLET
from small_blocks import blocks
from two_ways import PLAIN, same, write_rows

from etl.model.money import round_money
from etl.model.reference import Pricing
from etl.model.rules import PaymentRule, VoucherRule
from etl.transform.consumption import Window
from etl.transform.context import Context, Footing
from etl.transform.footing import sum_with_tax

CELLS: dict[str, list[str]] = {
    "orderDate": ["2024-03-01 10:00:00", "2024-07-01", "2024-10-27 01:30:00", "2024-03-31 01:30:00", ""],
    "deliveryDate": ["2024-03-05 09:00:00", "2024-03-05", "2024-07-01 12:00:00", "2024-10-27 01:30:00", "", "soon"],
    "status": ["Completed", "Archived", "Cancelled", "", "COMPLETED"],
    "storeType": ["b2c", "b2b", "", "retail"],
    "taxAdded": ["", "0", "1"],
    "taxDeducted": ["", "0", "1", "yes?"],
    "currency": ["GBP", "JPY", "KWD", "gbp", "", "SEK"],
    "market": ["", "Nordic", "Trade"],
    "customerId": ["17", "18", "", "x"],
    "createdFromOrigin.type": ["", "return", "order"],
    "invoiceAddress.email": ["guest@example.com", "Trade@Example.com", "", "nobody"],
    "invoiceAddress.firstName": ["Ann", "", "Be\u0301a", "NULL"],
    "deliveryAddress.name": ["", 'Cy "C" Example', "Dee"],
    "invoiceAddress.tele": ["", "020 7946 0000"],
    "invoiceAddress.city": ["Leeds", "", "NULL", "K\u00f8ln"],
    "invoiceAddress.country": ["GB", "DE", "", "gb"],
    "deliveryAddress.country": ["GB", "DE", "", "United Kingdom"],
    "shippingValue": ["4.95", "0.00", "", "-4.95", "10", "0.005"],
    "voucherCode": ["", "LATE", "SPREAD", "GIFT", "BARE"],
    "voucherValue": ["0.00", "", "2.00", "-1.00"],
    "payment.method": ["card", "", "bank", "CARD ", "odd"],
    "payment.capture.status": ["1", "", "0", "2"],
    "orderTotal": ["sum", "sum", "sum", "sum", "28.95", "", "1.00"],
    "payment.capture.amount": ["sum", "sum", "", "3.00"],
}
LINES: dict[str, list[str]] = {
    "products.sku": ["A-1", "B-2", "C 3", "", "MUG"],
    "products.itemText.product": ["Cup", 'Mug "blue"', "C:\\x", "", "\u2028Vase"],
    "products.qty": ["1", "2", "3", "12", "-1", "-2", "0", "1000"],
    "products.unitPrice": ["12.00", "0.99", "0.00", "7.5", "1.005", "3", "-2.00"],
    "products.vatPercent": ["20", "0", "5", "0", "", "19", "20%"],
}


NOTES = [
    "{customerId} {orderNumber} {invoiceAddress.city}: {orderTotal} {currency}, {orderDate} / {deliveryDate}",
    "[cen{invoiceAddress.firstName}tra:{deliveryAddress.country}{invoiceAddress.country}] {shippingValue}{voucherValue} {status}",
    "{market}{orderNumber}{payment.capture.status} {deliveryAddress.name} {invoiceAddress.email} {createdFromOrigin.type}",
    "{storeType}{voucherCode} {comment}{products.comment}{handlingCost}",
]
KNOWN: list[dict[str, tuple[str, ...]]] = [{}, {"guest@example.com": (COMPANY,)}, {"guest@example.com": ("gone",)}]
ODD = {
    "orderTotal": ["1.00", "28.94"],
    "status": ["Cancelled"],
    "voucherValue": ["2.00", "0.01", "500"],
    "shippingValue": ["", "0.00"],
    "createdFromOrigin.type": ["return"],
    "voucherCode": ["GIFT", "SPREAD"],
    "payment.capture.amount": ["", "sum"],
}
OLDER = Window(datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 2, tzinfo=UTC))
BILLS = [
    {"payments": "balance"},
    {"payments": "balance", "account": "mapped"},
    {"payments": "captures"},
    {"payments": "captures", "account": "mapped"},
    {"payments": "none"},
]


@st.composite
def exports(draw: st.DrawFn) -> list[dict[str, str]]:
    """Rows of some orders, most of whose cells are plain."""
    rows: list[dict[str, str]] = []
    likely = draw(st.sampled_from([5, 60, 500, 500]))
    stores = draw(st.sampled_from([["b2c"], ["b2c", "b2b"]]))
    footing = draw(st.sampled_from([Footing.WITHOUT_TAX, *Footing]))

    def cell(name: str, choices: list[str]) -> str:
        return draw(st.sampled_from(choices)) if draw(st.integers(0, likely)) == 0 else PLAIN.get(name, choices[0])

    for number in range(1, draw(st.integers(1, 5)) + 1):
        head = {"orderNumber": str(number)} | {name: cell(name, choices) for name, choices in CELLS.items()}
        if odd := draw(st.sampled_from(["", *ODD])):
            head[odd] = draw(st.sampled_from(ODD[odd]))
        if odd == "voucherCode":
            head["voucherValue"] = "2.00"
        head["storeType"] = (
            head["storeType"] if head["storeType"] != PLAIN["storeType"] else draw(st.sampled_from(stores))
        )
        is_return = head["createdFromOrigin.type"] == "return"
        own = []
        for _ in range(draw(st.integers(1, 4))):
            line = {name: draw(st.sampled_from(choices[:3])) for name, choices in LINES.items()}
            line |= {name: draw(st.sampled_from(LINES[name])) for name in LINES if draw(st.integers(0, likely)) == 0}
            if is_return and not line["products.qty"].startswith("-"):
                line["products.qty"] = "-" + line["products.qty"]
            own.append(line)
        if is_return and head["shippingValue"] == "4.95":
            head["shippingValue"] = "-4.95"
        total = _total(head, own, footing)
        for name in ("orderTotal", "payment.capture.amount"):
            head[name] = total if head[name] in ("sum", PLAIN[name]) else head[name]
        rows += [PLAIN | head | line for line in own]
    return draw(st.permutations(rows)) if draw(st.booleans()) else rows


def _total(head: dict[str, str], lines: list[dict[str, str]], footing: Footing) -> str:
    """What the order adds up to; with tax on top by one of the footings, as far as lines of one rate bear shipping and voucher."""
    precision = {"JPY": 0, "KWD": 3}.get(head["currency"], 2)
    beside = Decimal(head["shippingValue"] or 0) - Decimal(head["voucherValue"] or 0)
    amounts = [
        (
            Decimal(one["products.vatPercent"].rstrip("%") or 20),
            Decimal(one["products.qty"]) * Decimal(one["products.unitPrice"]),
        )
        for one in lines
    ]
    amounts.append((amounts[0][0], beside))
    if footing is Footing.WITHOUT_TAX:
        amounts, footing = [(Decimal(0), amount) for _, amount in amounts], Footing.ONCE
    return str(round_money(sum_with_tax(amounts, footing, precision), precision))


@st.composite
def contexts(draw: st.DrawFn) -> Context:
    bill = draw(st.sampled_from([None, *BILLS]))
    category = draw(st.sampled_from([CATEGORY, CATEGORY, ""]))
    mapping = a_mapping(
        taxes=(*UK_TAXES, a_tax("20", "UK-20%", sku="MUG*"), a_tax("20", "UK-20%", store_type="b2b")),
        tables={
            "vouchers": (
                VoucherRule("SPREAD", "spread"),
                VoucherRule("GIFT", "payment", CATEGORY),
                VoucherRule("BARE", "payment"),
            ),
            "payments": draw(
                st.sampled_from([(), (PaymentRule("bank", "Invoice", CATEGORY), PaymentRule("odd", None))])
            ),
            "products": draw(st.sampled_from([{}, {("sku", "A-1"): PRODUCT}])),
            "accounts": draw(st.sampled_from([{}, {("email", "guest@example.com"): COMPANY}])),
        },
        source={
            "prices_include_tax": draw(st.sampled_from([True, "b2c", False, False])),
            "consumption": draw(st.sampled_from(["orderDate", "orderDate", "deliveryDate"])),
            "default_country": draw(st.sampled_from(["", "GB"])),
            "default_currency": draw(st.sampled_from(["", "GBP"])),
            "zero_orders": draw(st.sampled_from(["import", "skip"])),
            "total_tolerance": draw(st.sampled_from(["0.00", "0.02"])),
        },
        target={
            "rebates": draw(st.sampled_from(["allow", "allow", "block"])),
            "notes": draw(
                st.sampled_from(["Centra order {orderNumber}", 'Shop "x"  {orderNumber}\u00e9 [centra:', "", *NOTES])
            ),
            **({"route": "outlet", "service": ""} if bill else {}),
        },
        outlet={"outlet": OUTLET.name, "balance_category": category, **bill} if bill else {},
        accounts={"lookup_email": draw(st.booleans()), "create_customers": draw(st.sampled_from([False, False, True]))},
        vouchers={
            "policy": draw(st.sampled_from(["rebate", "rebate", "payment"])),
            "accounting_category": draw(st.sampled_from([CATEGORY, category])),
        },
        payments={
            "post": draw(st.booleans()),
            "type": draw(st.sampled_from(["Cash", "Cash", "Cheque"])),
            "refunds": draw(st.sampled_from(["none", "post"])),
            "accounting_category": category,
        },
        shipping={
            "accounting_category": CATEGORY,
            "tax": draw(st.sampled_from(["proportional"] * 8 + ["highest", "UK-5%"])),
        },
    )
    return a_context(
        mapping,
        a_reference(
            pricing=draw(st.sampled_from([Pricing.GROSS, Pricing.GROSS, Pricing.NET])),
            tax_precision=draw(st.sampled_from([None, None, None, 2, 2, 2, 4, 0])),
            accounts_by_email=draw(st.sampled_from(KNOWN)),
            outlet=OUTLET if bill else None,
        ),
        window=draw(st.sampled_from([OPEN, OLDER])),
    )


@settings(max_examples=150, deadline=None)
@given(exports(), contexts())
def test_columns_plan_what_the_rules_plan(rows: list[dict[str, str]], ctx: Context) -> None:
    """Plan id, verdicts, fingerprints, payloads, money, problems: the lane shows in nothing."""
    with tempfile.TemporaryDirectory() as folder:
        found = same([write_rows(Path(folder) / "a.csv", rows)], ctx, opened=2)
    event(f"{100 * found.admitted // max(1, len(found.orders)) // 25 * 25} % by columns")


@settings(max_examples=40, deadline=None)
@given(exports(), contexts(), st.sampled_from([301, 2000, 9999]))
def test_blocks_of_columns_plan_what_the_rules_plan(rows: list[dict[str, str]], ctx: Context, size: int) -> None:
    """The same of a file that is read in blocks."""
    with tempfile.TemporaryDirectory() as folder, blocks(size):
        found = same([write_rows(Path(folder) / "a.csv", rows)], ctx)
    event(f"{100 * found.admitted // max(1, len(found.orders)) // 25 * 25} % by columns")


GET_ORDERS = {
    "orderNumber": "orderId",
    "orderTotal": "grandTotalValue",
    "currency": "orderCurrency",
    "storeType": "orderStore",
    "invoiceAddress.email": "billingEmail",
    "invoiceAddress.country": "billingCountry",
    "deliveryAddress.country": "deliveryCountry",
    "products.unitPrice": "products.price",
    "products.vatPercent": "products.taxPercent",
    "products.itemText.product": "products.name",
}


@settings(max_examples=60, deadline=None)
@given(exports(), contexts())
def test_rows_of_get_orders_are_planned_as_by_the_rules(rows: list[dict[str, str]], ctx: Context) -> None:
    """The same under the names of Centra's other vocabulary."""
    named = [{GET_ORDERS.get(name, name): cell for name, cell in row.items()} for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        found = same([write_rows(Path(folder) / "a.csv", named)], ctx)
    event(f"{100 * found.admitted // max(1, len(found.orders)) // 25 * 25} % by columns")
