"""Counts and sums that an accountant signs."""

from __future__ import annotations

import dataclasses
from decimal import Decimal as D
from typing import Any

import pytest
from money_samples import with_money

from etl.errors import ExitCode, InternalError
from etl.model.money import money_text
from etl.model.place import Place
from etl.model.plan import Basis
from etl.model.problem import Problem, Severity, notice
from etl.model.status import OrderStatus, ReportState, TaxSum
from etl.report.summary import Summary


def an_order(
    number: str = "1", state: ReportState = ReportState.READY, total: str | None = "12.00", **more: Any
) -> OrderStatus:
    source = None if total is None else D(total)
    sent = state not in (ReportState.BLOCKED, ReportState.SKIPPED)
    values: dict[str, Any] = {
        "currency": "GBP",
        "source_total": source,
        "planned_total": source if sent and source is not None else D(0),
        "planned_currency": "GBP",
        "line_count": 2,
        "month": "2011-06",
        "account_id": "ac",
        "balance": source or D(0),
    } | more
    return with_money(OrderStatus(number, state, **values))


def summed(*orders: OrderStatus) -> Summary:
    summary = Summary()
    for order in orders:
        summary.add(order)
    summary.check(len(orders))
    return summary


def row(summary: Summary, index: int = 0) -> dict[str, str]:
    result: dict[str, str] = summary.document("run")["totals"][index]
    return result


def test_every_state_is_named_and_counted() -> None:
    """The document's keys are fixed; the counts add up to the orders read."""
    summary = summed(*(an_order(str(index), state) for index, state in enumerate(ReportState)))
    assert summary.document("run")["orders"] == {
        "read": 10,
        "ready": 1,
        "posted": 1,
        "recovered": 1,
        "already_posted": 1,
        "rejected": 1,
        "unknown": 1,
        "blocked": 1,
        "skipped": 1,
        "changed": 1,
        "undone": 1,
    }
    assert summary.document("run")["lines"] == {"read": 20, "unassigned": 0}


def test_source_is_the_sum_of_its_columns() -> None:
    """The equation of the contract, column by column."""
    summary = summed(
        an_order("1", total="10.00", planned_total=D("9.99")),
        an_order("2", ReportState.POSTED, "20.00"),
        an_order("3", ReportState.BLOCKED, "30.00"),
        an_order("4", ReportState.SKIPPED, "40.00"),
        an_order("5", ReportState.CHANGED, "55.00", planned_total=D("50.00")),
        an_order("6", ReportState.ALREADY_POSTED, "60.00"),
        an_order("7", ReportState.REJECTED, "70.00"),
        an_order("8", ReportState.UNDONE, "80.00"),
    )
    assert row(summary) == {
        "currency": "GBP",
        "basis": "gross",
        "source": "365.00",
        "planned": "139.99",
        "rounding": "0.01",
        "rejected": "70.00",
        "blocked": "30.00",
        "skipped": "40.00",
        "changed": "5.00",
        "undone": "80.00",
        "posted": "130.00",
    }


def test_currencies_and_bases_are_never_added_together() -> None:
    """Pounds with tax, pounds without and yen are three rows."""
    summary = Summary()
    summary.precisions["JPY"] = 0
    for order in (
        an_order("1"),
        an_order("2", basis=Basis.NET, planned_basis=Basis.NET),
        an_order("3", total="1000", currency="JPY", planned_currency="JPY"),
    ):
        summary.add(order)
    summary.check(3)
    rows = [row(summary, index) for index in range(3)]
    assert [(one["currency"], one["basis"], one["source"]) for one in rows] == [
        ("GBP", "gross", "12.00"),
        ("GBP", "net", "12.00"),
        ("JPY", "gross", "1000"),
    ]


def test_a_changed_currency_balances_both_rows() -> None:
    """Mews holds pounds, the source says dinars now: neither row may be off."""
    summary = summed(an_order("1", ReportState.CHANGED, "9.000", currency="KWD", planned_total=D("12.00")))
    gbp, kwd = row(summary, 0), row(summary, 1)
    assert (gbp["source"], gbp["planned"], gbp["changed"], gbp["posted"]) == ("0.00", "12.00", "-12.00", "12.00")
    assert (kwd["source"], kwd["planned"], kwd["changed"]) == ("9.000", "0.000", "9.000")


def test_unreadable_totals_are_counted_apart() -> None:
    """Nobody can add what nobody can read."""
    document = summed(an_order("1", ReportState.BLOCKED, None), an_order("2")).document("run")
    assert (document["unreadable_totals"], document["totals"][0]["source"]) == (1, "12.00")


def test_a_lost_order_fails_the_command() -> None:
    """Counts that do not add up are never printed."""
    summary = summed(an_order())
    with pytest.raises(InternalError):
        summary.check(2)


def test_a_lost_cent_fails_the_command() -> None:
    """Nor are sums."""
    summary = summed(an_order())
    summary.totals["GBP", "gross"]["planned"] -= D("0.01")
    with pytest.raises(InternalError):
        summary.check(1)


@pytest.mark.parametrize("state", list(ReportState))
def test_exit_code_follows_attention(state: ReportState) -> None:
    """3 where a person has to act, else 0."""
    needs = {ReportState.REJECTED, ReportState.UNKNOWN, ReportState.BLOCKED, ReportState.CHANGED}
    assert summed(an_order("1", state)).exit_code == (ExitCode.ATTENTION if state in needs else ExitCode.DONE)


@pytest.mark.parametrize("code", ["order.number_missing", "value.invalid"])
def test_unassigned_rows_need_attention(code: str) -> None:
    """Whatever is wrong with the number, the rows are counted and the code is named."""
    summary = Summary()
    summary.add_unassigned([Problem(code, message="?")], 3)
    document = summary.document("run")
    assert (document["lines"]["unassigned"], summary.exit_code) == (3, ExitCode.ATTENTION)
    assert code in {problem["code"] for problem in document["problems"]}


def test_more_unassigned_rows_than_kept_problems() -> None:
    """Only the first problems are kept; the count is exact."""
    summary = Summary()
    summary.add_unassigned([Problem("order.number_missing")], 1000)
    (problem,) = summary.document("run")["problems"]
    assert problem["orders"] == 1000


def test_problems_count_orders_not_occurrences() -> None:
    """Twelve lines of one order with one fault are one order to look at; errors come before notices."""
    fault = Problem("tax.unmapped", "1")
    told = notice("country.default", "..", order="1")
    summary = summed(
        an_order("1", ReportState.BLOCKED, problems=(fault, Problem("tax.unmapped", "1", value="x"), told)),
        an_order("2", ReportState.BLOCKED, "5.00", problems=(fault,)),
        an_order("3", problems=(told,)),
        an_order("4", problems=(told,)),
    )
    first, second = summary.document("run")["problems"]
    assert (first["code"], first["orders"], first["examples"], first["amounts"]) == (
        "tax.unmapped",
        2,
        ["1", "2"],
        {"GBP": "17.00"},
    )
    assert first["hint"]
    assert (second["code"], second["orders"], second["severity"]) == ("country.default", 3, Severity.NOTICE.value)


def test_an_accepted_problem_is_not_counted_among_the_errors() -> None:
    """What waivers.csv accepts by name is told, and its money never stands with that of the orders which are kept out."""
    fault, accepted = (Problem("total.mismatch", number, Place("a.csv", row=2)) for number in "12")
    told = dataclasses.replace(accepted, severity=Severity.NOTICE)
    summary = summed(
        an_order("2", total="20.01", problems=(told,)),
        an_order("1", ReportState.BLOCKED, "25.00", problems=(fault,)),
        an_order("3", ReportState.BLOCKED, "4.00", problems=(told, fault)),
    )
    rows = summary.document("run")["problems"]
    assert [(row["code"], row["severity"], row["orders"], row["amounts"], row["examples"]) for row in rows] == [
        ("total.mismatch", "error", 2, {"GBP": "29.00"}, ["1", "3"]),
        ("total.mismatch", "notice", 1, {"GBP": "20.01"}, ["2"]),
    ]


def test_what_to_do_is_told_of_each_column() -> None:
    """A quantity is not mended like a date; one way for all columns is told once."""
    when = Problem("value.invalid", "1", Place("a.csv", row=2, column="orderDate"), hint="Write YYYY-MM-DD.")
    much = Problem("value.invalid", "1", Place("a.csv", row=2, column="qty"), hint="Write digits.")
    later = Problem("value.invalid", "2", Place("a.csv", row=9, column="orderDate"), hint="Write YYYY-MM-DD!")
    summary = summed(
        an_order("1", ReportState.BLOCKED, problems=(when, much)), an_order("2", ReportState.BLOCKED, problems=(later,))
    )
    (row,) = summary.document("run")["problems"]
    assert (row["orders"], row["hint"]) == (2, "In orderDate: Write YYYY-MM-DD. In qty: Write digits.")
    summary.problems["value.invalid", Severity.ERROR].first_hint = "Set shipping.tax."
    (row,) = summary.document("run")["problems"]
    assert row["hint"].startswith("Set shipping.tax. In orderDate: ")
    plain = [Problem("tax.unmapped", "1", Place("a.csv", row=2, column=column)) for column in ("a", "b")]
    (row,) = summed(an_order("1", ReportState.BLOCKED, problems=tuple(plain))).document("run")["problems"]
    assert not row["hint"].startswith("In ")


def test_examples_are_few() -> None:
    """A page of numbers helps nobody."""
    orders = [an_order(str(n), ReportState.BLOCKED, problems=(Problem("tax.unmapped", str(n)),)) for n in range(50)]
    (problem,) = summed(*orders).document("run")["problems"]
    assert (problem["orders"], problem["examples"]) == (50, ["0", "1", "2", "3", "4"])


def test_taxes_months_and_balances() -> None:
    """What is or will be in Mews, by tax code, month and account; blocked orders are in none of them but the month."""
    taxes = (TaxSum(("UK-20%",), D("10.00"), D("2.00"), D("12.00")), TaxSum((), D("1.00"), D(0), D("1.00")))
    summary = summed(
        an_order("1", taxes=taxes),
        an_order("2", taxes=taxes, account_id="b", balance=D("-3.00")),
        an_order("3", ReportState.BLOCKED, "7.00", taxes=taxes),
    )
    document = summary.document("run")
    assert document["taxes"] == [
        {"currency": "GBP", "tax_codes": "exempt", "net": "2.00", "tax": "0.00", "gross": "2.00"},
        {"currency": "GBP", "tax_codes": "UK-20%", "net": "20.00", "tax": "4.00", "gross": "24.00"},
    ]
    assert document["months"] == [
        {"month": "2011-06", "currency": "GBP", "basis": "gross", "orders": 3, "source": "31.00", "planned": "24.00"}
    ]
    assert summary.balances() == [
        {"account_id": "ac", "currency": "GBP", "balance": "12.00"},
        {"account_id": "b", "currency": "GBP", "balance": "-3.00"},
    ]


def test_what_only_mews_can_tell_is_listed_with_its_money() -> None:
    """Rebates, say: ready, but unproved until the first one is accepted."""
    summary = summed(an_order("1", unproved=("rebates",)), an_order("2", ReportState.POSTED, unproved=("rebates",)))
    assert summary.document("dry-run")["unproved"] == [
        {"what": "rebates", "orders": 1, "counts": {"GBP": 1}, "amounts": {"GBP": "12.00"}}
    ]


@pytest.mark.parametrize(
    ("amount", "precision", "text"),
    [("1E+3", 2, "1000.00"), ("-0.00", 2, "0.00"), ("1.2300", 2, "1.23"), ("1.235", 2, "1.235"), ("12", 0, "12")],
)
def test_amounts_are_plain_text(amount: str, precision: int, text: str) -> None:
    """No exponent, no sign on nothing, no digit lost."""
    assert money_text(D(amount), precision) == text
