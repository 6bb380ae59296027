"""What a report says must be true in every state: bases apart, reasons named, a halted run called so, figures in one style."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from money_samples import with_money
from report_samples import PRECISIONS, order_statuses, report_facts, summary_of

from etl.model.plan import Basis
from etl.model.problem import Problem
from etl.model.status import OrderStatus, ReportState
from etl.pipeline.reporting import halted, next_steps
from etl.report.charts import money_charts
from etl.report.facts import Section
from etl.report.grids import free, key_words
from etl.report.parts import problems, states
from etl.report.tally import Tally
from etl.report.writer import ReportWriter


def blocked(number: str, total: str, basis: Basis, currency: str = "GBP") -> OrderStatus:
    """An order that no row of taxes.csv fits."""
    fault = Problem("tax.unmapped", number, hint="Add a row, or type `centra-mews init orders.csv`.")
    order = OrderStatus(
        number, ReportState.BLOCKED, currency, basis, Decimal(total), planned_currency=currency, planned_basis=basis,
        problems=(fault,), month="2024-05", consumption=datetime(2024, 5, 1, 9, tzinfo=UTC),
    )  # fmt: skip
    return with_money(order)


def page(folder: Path, orders: Sequence[OrderStatus], command: str = "run", **more: Any) -> str:
    """The report's page of these orders."""
    summary = summary_of(iter(orders))
    facts = report_facts(summary, command=command, exit_code=more.pop("exit_code", 0))
    writer = ReportWriter(folder, currency_precisions=PRECISIONS)
    for order in orders:
        writer.add(order)
    writer.close({**summary.document(command), **more}, facts)
    return (folder / "report.html").read_text("utf-8")


def verdict_of(html: str) -> tuple[str, str]:
    """Class and text of the verdict."""
    found = re.search(r'<div class="verdict (\w+)">(.*?)</div>', html, re.DOTALL)
    assert found
    return found[1], " ".join(re.sub(r"<[^>]+>", "", found[2]).split())


def test_problems_never_add_up_amounts_of_two_bases() -> None:
    """100.00 with tax and 40.00 without are not 140.00 of anything."""
    orders = [blocked("1", "100.00", Basis.GROSS), blocked("2", "40.00", Basis.NET), blocked("3", "-7.00", Basis.NET)]
    (row,) = summary_of(iter(orders)).document("run")["problems"]
    assert row["amounts"] == {"GBP": "100.00", "GBP net": "33.00"}
    assert row["plus"] == {"GBP": "100.00", "GBP net": "40.00"}
    assert row["minus"] == {"GBP net": "-7.00"}
    shown = [cells[4:7] for cells in problems({"problems": [row]}).rows]
    assert shown == [("GBP", "100.00", ""), ("GBP without tax", "40.00", "-7.00")]


def test_amounts_without_tax_keep_their_currencys_decimals() -> None:
    """The key says more than the currency; a yen still has no cents."""
    (row,) = summary_of(iter([blocked("1", "1200", Basis.NET, "JPY")])).document("run")["problems"]
    assert row["amounts"] == {"JPY net": "1200"}
    assert key_words("JPY net") == "JPY without tax"


@pytest.mark.parametrize(
    ("stopped", "code", "words"),
    [
        ({"message": "Mews refuses the credentials.", "hint": ""}, 4, "stopped before its end: Mews refuses the credentials."),
        (None, 130, "was interrupted before its end"),
        (None, None, "has not come to its end"),
    ],
)  # fmt: skip
def test_a_run_that_did_not_come_to_its_end_says_so_first(
    tmp_path: Path, stopped: dict[str, str] | None, code: int | None, words: str
) -> None:
    """Who opens the page at night must not read that none needs attention, and leave it at that."""
    posted = with_money(OrderStatus("1", ReportState.POSTED, "GBP", Basis.GROSS, Decimal(5), Decimal(5), "GBP"))
    ready = with_money(OrderStatus("2", ReportState.READY, "GBP", Basis.GROSS, Decimal(7), Decimal(7), "GBP"))
    css, text = verdict_of(page(tmp_path, [posted, ready], exit_code=code or 0, halted=halted(stopped, code)))
    assert css == "bad"
    assert text.startswith("The run ")
    assert words in text
    assert "1 order (GBP 7.00 charged) is ready and not sent yet" in text
    assert ".." not in text
    assert "accounted for" not in text


def test_a_run_that_came_to_its_end_is_not_called_stopped(tmp_path: Path) -> None:
    """Orders left by --limit are no alarm."""
    assert halted(None, 0) == halted(None, 3) == ""
    posted = with_money(OrderStatus("1", ReportState.POSTED, "GBP", Basis.GROSS, Decimal(5), Decimal(5), "GBP"))
    css, text = verdict_of(page(tmp_path, [posted], halted=""))
    assert (css, "before its end" in text) == ("open", False)


def test_an_order_that_stands_in_mews_twice_is_the_first_thing_on_the_page(tmp_path: Path) -> None:
    """No state tells it: every order is posted, and a guest is charged twice all the same."""
    posted = with_money(OrderStatus("1", ReportState.POSTED, "GBP", Basis.GROSS, Decimal(5), Decimal(5), "GBP"))
    twice = {"1": ["a", "b"]}
    css, text = verdict_of(page(tmp_path, [posted], exit_code=3, halted=halted(None, 3, twice), duplicated=twice))
    assert (css, text) == ("bad", "1 order stands in Mews more than once: 1.")
    many = halted({"message": "No.", "hint": ""}, 2, {str(number): ["a", "b"] for number in range(12)})
    assert many.startswith("The run stopped before its end: No. 12 orders stand in Mews more than once: 0, 1, ")
    assert many.endswith("9, ...")
    document = {"command": "run", "plan": "", "orders": {"unknown": 0, "ready": 0}, "duplicated": twice}
    first, *others = next_steps(document, has_attention=False)
    assert "`centra-mews undo --order-id ID`" in first
    assert not any(
        "undo" in step for step in (*others, *next_steps({**document, "duplicated": {}}, has_attention=False))
    )


def test_the_cause_of_a_stop_is_the_first_thing_to_do() -> None:
    """Starting the run again with the same refused token helps nobody."""
    document = {
        "command": "run",
        "plan": "sha256:1",
        "orders": {"unknown": 0, "ready": 3},
        "stopped": {"message": "Mews refuses the credentials.", "hint": "Check MEWS_ACCESS_TOKEN."},
    }
    assert next_steps(document, has_attention=False)[0] == "Check MEWS_ACCESS_TOKEN."


def test_the_plan_that_is_posted_is_the_one_with_its_corrections():
    """Without them the plan id is another one, of orders that nobody reviewed."""
    orders = dict.fromkeys(("unknown", "ready"), 1)
    document = {"command": "dry-run", "orders": orders, "plan": "sha256:1", "corrections": ["fixed.csv"]}
    assert (
        "`centra-mews run EXPORT... --corrections fixed.csv --expect sha256:1`"
        in next_steps(document, has_attention=False)[-1]
    )


def test_nothing_calls_an_order_unposted_that_is_in_mews(tmp_path: Path) -> None:
    """A changed order is an error of the source's, and stands in Mews."""
    changed = OrderStatus(
        "1", ReportState.CHANGED, "GBP", Basis.GROSS, Decimal(5), Decimal(4), "GBP", problems=(Problem("changed", "1"),)
    )
    assert "are not posted" not in page(tmp_path, [with_money(changed)])


def test_a_count_stands_beside_the_money_of_its_own_orders() -> None:
    """`posted 291 EUR 6,179.24` over 245 orders in pounds says that 291 orders were sold in euros."""
    orders = [
        blocked("1", "5.00", Basis.GROSS),
        blocked("2", "7.00", Basis.GROSS, "EUR"),
        blocked("3", "9.00", Basis.GROSS),
    ]
    tally = Tally(precisions=PRECISIONS)
    for order in orders:
        tally.add(order)
    assert [(row[2], row[3]) for row in states(tally, PRECISIONS).rows] == [("1", "EUR"), ("2", "GBP")]
    (row,) = summary_of(iter(orders)).document("run")["problems"]
    assert (row["orders"], row["counts"]) == (3, {"EUR": 1, "GBP": 2})


def test_what_is_to_be_typed_is_no_prose(tmp_path: Path) -> None:
    """Backquotes are for those who write messages."""
    html = page(tmp_path, [blocked("1", "5.00", Basis.GROSS)])
    section = html[html.index('<section id="problems"') : html.index('<section id="orders"')]
    assert "<code>centra-mews init orders.csv</code>" in section
    assert "`" not in section


def test_the_bridges_table_stands_in_the_order_of_its_pictures(tmp_path: Path) -> None:
    """GBP above and EUR first below is a figure looked up in the wrong currency."""
    orders = [blocked(str(at), "5.00", Basis.GROSS) for at in range(3)] + [blocked("9", "5.00", Basis.GROSS, "EUR")]
    html = page(tmp_path, orders)
    section = html[html.index('<section id="bridge"') : html.index('<section id="totals"')]
    assert re.findall(r"<figcaption>(\w{3}, with tax)", section) == ["GBP, with tax", "EUR, with tax"]
    assert re.findall(r'<th scope="rowgroup" colspan="3">([^<]+)', section) == ["GBP, with tax", "EUR, with tax"]


def test_every_line_of_the_bridge_that_is_not_zero_leads_to_its_orders(tmp_path: Path) -> None:
    """First and last line too: what the shop sold is a question like any other."""
    html = page(tmp_path, list(order_statuses(60, ugly=False)))
    section = html[html.index('id="table-bridge"') : html.index('<section id="totals"')]
    for row in re.findall(r'<tr(?: class="end")?>.*?</tr>', section, re.DOTALL):
        amount = re.search(r'<td class="money[^"]*">([^<]*)</td>', row)
        if amount and Decimal(amount[1].replace(",", "")):
            assert "data-line=" in row, row


def test_a_basis_met_in_one_month_is_drawn_by_day() -> None:
    """One bar as wide as the page tells nothing, whatever the other currencies have."""
    tally = Tally()
    for month in range(1, 8):
        when = datetime(2024, month, 3, 9, tzinfo=UTC)
        order = replace(blocked(str(month), "5.00", Basis.GROSS), month=f"2024-{month:02d}", consumption=when)
        tally.add(order)
    for day in (1, 2, 9):
        tally.add(replace(blocked(f"9{day}", "5.00", Basis.NET), consumption=datetime(2024, 5, day, 9, tzinfo=UTC)))
    by_month, by_day = money_charts(tally, PRECISIONS)
    assert (by_month.title, by_day.title) == ("Money by month", "Money by day")
    assert [label.label for label in by_day.labels] == ["2024-05-01", "2024-05-02", "2024-05-09"]


def test_the_amounts_of_a_row_have_one_count_of_decimals() -> None:
    """0 beside 8.37 looks like a fault of the report."""
    section = Section("Control totals", ("Month", "Ledger", "Mews"), [("2024-05", Decimal("8.37"), Decimal(0))])
    assert free(section, 1).rows == (("2024-05", "8.37", "0.00"),)
    assert free(replace(section, rows=[("2024-05", Decimal(1200), Decimal(0))]), 1).rows == (("2024-05", "1200", "0"),)


def test_a_filter_of_the_workbook_finds_every_currency_of_a_code(tmp_path: Path) -> None:
    """A code stands in each of its rows, with the orders of that row: sums of a filtered column stay right."""
    orders = [
        blocked("1", "5.00", Basis.GROSS),
        blocked("2", "7.00", Basis.GROSS, "EUR"),
        blocked("3", "9.00", Basis.NET),
    ]
    page(tmp_path, orders)
    sheet = openpyxl.load_workbook(tmp_path / "report.xlsx")["Problems"]
    rows = [row[:7] for row in sheet.iter_rows(min_row=2, max_row=4, values_only=True)]
    assert [row[0] for row in rows] == ["tax.unmapped"] * 3
    assert {row[3:6] for row in rows} == {(1, "GBP", 5), (1, "GBP without tax", 9), (1, "EUR", 7)}
    assert "`" not in "".join(str(cell.value) for row in sheet.iter_rows() for cell in row)


def test_the_workbook_names_the_currency_of_every_amount(tmp_path: Path) -> None:
    """Yen without decimals, dinars with three, and the code in the cell: a column is copied without its neighbour."""
    page(tmp_path, list(order_statuses(300, ugly=False)), "dry-run")
    book = openpyxl.load_workbook(tmp_path / "report.xlsx")
    for name in ("Totals", "Months", "Taxes", "Orders", "Bridge", "Open balances"):
        sheet = book[name]
        heads = [cell.value for cell in sheet[1]]
        at = heads.index("Currency")
        seen = set()
        for row in sheet.iter_rows(min_row=2):
            code = str(row[at].value or "")[:3]
            if code not in PRECISIONS:
                continue
            formats = {cell.number_format for cell in row if cell.data_type == "n" and cell.value is not None}
            digits = {"GBP": ".00", "EUR": ".00", "JPY": "", "KWD": ".000"}[code]
            seen.add(code)
            assert formats <= {f"#,##0{digits}\\ [${code}]", "#,##0"}, (name, code)
            assert f"#,##0{digits}\\ [${code}]" in formats or name == "Orders", name
        assert seen == {"GBP", "EUR", "JPY"}, name
