"""What the bills of the outlet come to: told whole, revenue and payments apart, nothing assumed in silence."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D
from pathlib import Path

import pytest
from builders import a_line, an_order
from hypothesis import given
from hypothesis import strategies as st
from outlet_shop import outlet_context

from etl.ledger.changes import kept
from etl.ledger.ledger import Ledger
from etl.ledger.records import LedgerOrder
from etl.ledger.standing import change
from etl.model.codes import hint_for
from etl.model.order import Payment, Voucher
from etl.model.plan import PlannedOrder
from etl.model.reference import Pricing
from etl.model.route import Route
from etl.model.states import State
from etl.model.status import OrderStatus
from etl.pipeline.classify import planned_status, status_of
from etl.report.bills import bill_section
from etl.report.summary import Summary
from etl.transform.order import plan_order


def planned(
    number: str,
    price: str,
    *captured: str,
    gift: str = "0",
    how: str = "captures",
    status: str = "success",
    refunds: str = "none",
) -> PlannedOrder:
    """A bill of one line, paid by captures (of `status`) and perhaps by a gift card."""
    vouchers = (Voucher("GC", D(gift), is_credit=True),) if D(gift) else ()
    order = an_order(
        a_line(price),
        number=number,
        vouchers=vouchers,
        voucher_value=gift,
        payments=tuple(Payment(method="card", status=status, amount=D(one)) for one in captured),
    )
    return plan_order(order, outlet_context(outlet={"payments": how}, payments={"refunds": refunds}))


def summed(*orders: PlannedOrder | OrderStatus) -> Summary:
    """The summary of their statuses, checked as every command checks it."""
    summary = Summary()
    for order in orders:
        summary.add(planned_status(order) if isinstance(order, PlannedOrder) else order)
    summary.check(len(orders))
    return summary


BILLS = (
    planned("1", "12.00", "12.00"),
    planned("2", "20.00", "12.00", gift="5.00"),
    planned("3", "10.00", "15.00"),
    planned("4", "7.00", how="balance"),
)


def test_every_bills_sum_is_told() -> None:
    """Revenue, payments by kind, what is assumed, and bills that do not add up, more and less not netted."""
    document = summed(*BILLS).document("dry-run")
    assert (document["bills"]["count"], document["bills"]["to_zero"], document["bills"]["not_to_zero"]) == (4, 2, 2)
    assert [(row["what"], row["bills"], row["amount"]) for row in document["bills"]["rows"]] == [
        ("Revenue", 4, "49.00"),
        ("Paid: gift cards and credit", 1, "-5.00"),
        ("Paid: captures", 3, "-39.00"),
        ("Paid: balance, assumed and not recorded", 1, "-7.00"),
        ("Sum of the bills", 4, "-2.00"),
        ("Bills whose payments are less than their revenue", 1, "3.00"),
        ("Bills whose payments are more than their revenue", 1, "-5.00"),
    ]


def test_payments_stand_beside_the_bridge_and_credits_in_it() -> None:
    """Source to items in Mews is exact: gift cards lower what the shop sold, captures are no sale."""
    summary = summed(*BILLS)
    document = summary.document("dry-run")
    lines = {row["line"]: row["amount"] for row in document["bridge"] if row["amount"] != "0.00"}
    assert lines == {"source": "44.00", "ready": "-44.00"}
    assert [(row["kind"], row["amount"]) for row in document["payments"]] == [
        ("gift cards and credit", "5.00"),
        ("captures", "39.00"),
        ("balance, assumed and not recorded", "7.00"),
    ]
    (row,) = document["totals"]
    assert (row["source"], row["planned"], row["rounding"]) == ("44.00", "44.00", "0.00")


def test_no_account_keeps_a_balance() -> None:
    """A bill charges nobody, whatever it comes to; the other route still forecasts its balances."""
    assert summed(*BILLS).balances() == []


def test_taxes_and_categories_are_of_what_was_sold() -> None:
    """A payment is no exempt revenue, and lowers no category."""
    document = summed(*BILLS).document("dry-run")
    assert [(row["tax_codes"], row["gross"]) for row in document["taxes"]] == [("UK-20%", "49.00")]
    assert [(row["category_id"], row["gross"]) for row in document["categories"]] == [("ca-shop", "49.00")]


def test_the_other_route_has_no_bills() -> None:
    """Nothing is added to its documents."""
    document = summed(replace(planned_status(BILLS[0]), is_bill=False, paid=())).document("dry-run")
    assert "bills" not in document
    assert bill_section(document) is None


def held(order: PlannedOrder, folder: Path) -> LedgerOrder:
    """The order as a ledger keeps it that has posted it."""
    with Ledger.open(str(folder / "ledger.sqlite")) as ledger:
        ledger.take_lock("run")
        ledger.record_plan("run1", [order])
        known = ledger.lookup([order.number])[order.number]
        ledger.release_lock()
    return replace(
        known, state=State.POSTED, mews_order_id="bi-1", posted_run_id="run1", posted_fingerprint=order.fingerprint
    )


@pytest.mark.parametrize("with_plan", [True, False])
def test_a_posted_bill_is_told_as_it_was_frozen(with_plan: bool, tmp_path: Path) -> None:
    """From the ledger alone, and beside a plan of today whose mapping was edited: what Mews holds counts."""
    sent, today = BILLS[1], planned("2", "20.00", "12.00", gift="5.00", how="balance")
    status = status_of(today if with_plan else None, held(sent, tmp_path), "shop")
    assert (status.is_bill, status.balance) == (True, D("3.00"))
    assert [(line, amount) for line, _, amount in status.paid] == [("gift1", D("5.00")), ("pay1", D("12.00"))]
    document = summed(status).document("report")
    lines = {row["line"]: row["amount"] for row in document["bridge"] if row["amount"] != "0.00"}
    assert lines == {"source": "15.00", "credits booked as payments": "5.00", "items in Mews": "20.00"}
    assert document["bills"]["not_to_zero"] == 1


def test_the_table_of_the_report_says_how_many_add_up() -> None:
    """It stands below the bridge."""
    section = bill_section(summed(*BILLS).document("dry-run"))
    assert section is not None
    assert section.part == "bridge"
    assert section.text.startswith("2 of 4 bills add up to zero.")
    assert [type(cell).__name__ for cell in section.rows[0]] == ["str", "int", "str", "Decimal"]


@pytest.mark.parametrize(
    ("today", "said"),
    [
        (planned("2", "20.00", "12.00", gift="5.00"), ""),
        (planned("2", "20.00", "7.00", "5.00", gift="5.00"), ""),
        (planned("2", "20.00", "15.00", gift="5.00"), "what was captured was 12.00, is 15.00"),
        (planned("2", "20.00", gift="5.00"), ""),
        (planned("2", "20.00", "12.00", gift="5.00", status="failed"), "what was captured was 12.00, is 0"),
        (planned("2", "20.00", "12.00", gift="5.00", how="balance"), ""),
        (planned("2", "20.00", "15.00", gift="5.00", how="balance"), "what was captured was 12.00, is 15.00"),
        (planned("2", "20.00", "12.00", gift="5.00", status="failed", how="none"), "was 12.00, is 0"),
        (planned("2", "20.00", gift="5.00", how="balance"), ""),
        (planned("2", "20.00", "12.00", "-3.00", gift="5.00", refunds="post"), ""),
        (planned("2", "21.00", "12.00", gift="5.00"), "21"),
    ],
)
def test_a_posted_bill_is_changed_where_other_money_was_captured(
    today: PlannedOrder, said: str, tmp_path: Path
) -> None:
    """What was captured is content of the bill; a capture that an export leaves out, and another way to pay in the mapping, are not."""
    sent = BILLS[1]
    row = replace(held(sent, tmp_path), posted_content=kept(sent.content), posted_as=sent.read_as)
    found = change(row, today, "shop")
    assert (said in found) if said else found == ""


@pytest.mark.parametrize(
    ("sent", "today", "said"),
    [
        (planned("2", "20.00"), planned("2", "20.00", "20.00"), "what was captured was empty, is 20.00"),
        (planned("2", "20.00", "20.00", status="failed"), planned("2", "20.00", "20.00"), "was 0, is 20.00"),
        (planned("2", "20.00", "20.00", status="failed"), planned("2", "20.00"), ""),
        (planned("2", "20.00", "20.00", how="none"), planned("2", "20.00", "15.00"), ""),
        (planned("2", "20.00", "20.00", how="balance"), planned("2", "20.00", "20.00", status="failed"), ""),
        (planned("2", "20.00"), planned("2", "20.00", "20.00", status="failed"), ""),
        (planned("2", "20.00"), planned("2", "20.00", "20.00", status="pending"), ""),
        (planned("2", "20.00"), planned("2", "20.00", "0.00"), ""),
        (planned("2", "20.00"), planned("2", "20.00", "-20.00"), ""),
        (planned("2", "20.00", "-20.00"), planned("2", "20.00", "-20.00", refunds="post"), ""),
        (
            planned("2", "20.00", "20.00", refunds="post"),
            planned("2", "20.00", "20.00", "-5.00"),
            "was 20.00, is 15.00",
        ),
    ],
)
def test_money_that_came_after_a_bill_was_posted_without_it_is_told(
    sent: PlannedOrder, today: PlannedOrder, said: str, tmp_path: Path
) -> None:
    """A capture where none was, or where it had failed, is money that the bill lacks."""
    row = replace(held(sent, tmp_path), posted_content=kept(sent.content), posted_as=sent.read_as)
    found = change(row, today, "shop")
    assert (said in found) if said else found == ""


@pytest.mark.parametrize(
    ("kept_as", "today", "said"),
    [
        ("12.00", planned("2", "20.00", "12.00", how="balance"), ""),
        ("12.00", planned("2", "20.00", "12.00", status="failed", how="balance"), "was 12.00, is 0"),
        ("7.00", planned("2", "20.00", "12.00", "-5.00", refunds="post"), ""),
        ("", planned("2", "20.00", "0.00"), ""),
    ],
)
def test_a_ledger_of_an_earlier_version_kept_no_rule(
    kept_as: str, today: PlannedOrder, said: str, tmp_path: Path
) -> None:
    """What was captured stands there alone: today's word on refunds counts then."""
    sent = planned("2", "20.00")
    said_then = "|".join([*sent.read_as.split("|")[:4], kept_as])
    row = replace(held(sent, tmp_path), posted_content=kept(sent.content), posted_as=said_then)
    found = change(row, today, "shop")
    assert (said in found) if said else found == ""


def test_what_to_do_about_a_changed_bill_can_be_done(tmp_path: Path) -> None:
    """Mews changes no bill: its opposite goes, then the new one; an order of a service can be corrected, too."""
    sent, today = BILLS[1], planned("2", "20.00", "15.00", gift="5.00")
    row = replace(held(sent, tmp_path), posted_content=kept(sent.content), posted_as=sent.read_as)
    (problem,) = (one for one in status_of(today, row, "shop").problems if one.code == "changed")
    assert "by hand" not in problem.hint
    assert "`centra-mews undo --only ORDER`, then run with --repost-undone" in problem.hint
    (told,) = (
        one for one in summed(status_of(today, row, "shop")).document("run")["problems"] if one["code"] == "changed"
    )
    assert told["hint"] == problem.hint
    assert "--repost-undone" in hint_for("changed")
    found = status_of(replace(today, route=Route.ORDERS), replace(row, facts={}), "shop").problems
    assert [one.hint for one in found if one.code == "changed"] == [""]


def net_bill(number: str, price: str, *captured: str, how: str = "captures") -> PlannedOrder:
    """A bill of one line at 20 %, its price with tax, of a hotel that sells without."""
    order = an_order(
        a_line(price),
        number=number,
        payments=tuple(Payment(method="card", status="success", amount=D(one)) for one in captured),
    )
    return plan_order(order, outlet_context(outlet={"payments": how}, reference={"pricing": Pricing.NET}))


OFF = next(f"{at / 100:.2f}" for at in range(1, 400) if net_bill("1", f"{at / 100:.2f}").rounding)
"""A price that no net price comes to."""


def test_what_the_conversion_rounded_is_no_fault_of_the_captures() -> None:
    """A capture of the export's total is right to the cent; what is really unpaid stands alone, and no cent is left out."""
    rounding = net_bill("1", OFF).rounding
    short = str(D(OFF) + D("15.00"))
    orders = (
        net_bill("1", OFF, OFF),
        net_bill("2", OFF, short),
        net_bill("3", OFF, how="none"),
        net_bill("4", "12.00", "12.00"),
    )
    told = [[(one.code, one.value) for one in order.problems if one.code.startswith("bill.")] for order in orders]
    assert told == [
        [("bill.rounding", str(-rounding))],
        [("bill.not_zero", str(-rounding - D("15.00")))],
        [("bill.not_zero", str(D(OFF) - rounding))],
        [],
    ]
    assert f"{-rounding} of it" in next(one.message for one in orders[1].problems if one.code == "bill.not_zero")
    assert "captures are right" in hint_for("bill.rounding")
    bills = summed(*orders).document("dry-run")["bills"]
    rows = {row["what"]: (row["bills"], D(row["amount"])) for row in bills["rows"]}
    assert (bills["count"], bills["to_zero"], bills["not_to_zero"], bills["by_rounding"]) == (4, 1, 3, 1)
    assert rows["Bills whose payments are less than their revenue"] == (1, D(OFF))
    assert rows["Bills whose payments are more than their revenue"] == (1, D("-15.00"))
    assert rows["Rounding by the conversion into net prices"] == (3, -3 * rounding)
    assert rows["Sum of the bills"][1] == sum((amount for what, (_, amount) in rows.items() if what in REST_ROWS), D(0))
    section = bill_section(summed(*orders).document("dry-run"))
    assert section is not None
    assert section.text.startswith("1 of 4 bills add up to zero, 1 more but for rounding.")


REST_ROWS = (
    "Bills whose payments are less than their revenue",
    "Bills whose payments are more than their revenue",
    "Rounding by the conversion into net prices",
)


def test_a_posted_bill_keeps_the_cause_of_its_cent(tmp_path: Path) -> None:
    """From the ledger alone, where no plan tells of conversion any more."""
    status = status_of(None, held(net_bill("1", OFF, OFF), tmp_path), "shop")
    bills = summed(status).document("report")["bills"]
    assert (bills["not_to_zero"], bills["by_rounding"]) == (1, 1)
    assert {row["what"] for row in bills["rows"]} & {*REST_ROWS} == {REST_ROWS[2]}


@given(
    st.lists(
        st.tuples(st.decimals("0.01", "80.00", places=2), st.decimals("0.00", "90.00", places=2)),
        min_size=1,
        max_size=6,
    )
)
def test_the_parts_of_the_rest_are_the_rest(bills: list[tuple[D, D]]) -> None:
    """Whatever is captured of whatever was sold; rounding is all of a bill's rest exactly where the capture is the total."""
    orders = [net_bill(str(at), str(price), str(paid)) for at, (price, paid) in enumerate(bills)]
    document = summed(*orders).document("dry-run")["bills"]
    amounts = {row["what"]: D(row["amount"]) for row in document["rows"]}
    assert amounts["Sum of the bills"] == sum((amounts.get(what, D(0)) for what in REST_ROWS), D(0))
    exact = [order for order, (price, paid) in zip(orders, bills, strict=True) if price == paid and order.rounding]
    assert document["by_rounding"] == len(exact)
    assert [order for order in orders if any(one.code == "bill.rounding" for one in order.problems)] == exact
