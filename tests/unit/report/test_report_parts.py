from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from report_samples import PRECISIONS, order_statuses, report_facts, summary_of

from etl.model.status import ReportState
from etl.report.charts import month_chart, nice_step, state_bars
from etl.report.excel import Workbook
from etl.report.facts import Section
from etl.report.folder import private_bytes
from etl.report.grids import Kind, all_grids, free, grouped, month_groups
from etl.report.spool import OrderSpool
from etl.report.tally import Group, Tally


def test_long_tables_go_on_in_further_sheets(tmp_path: Path) -> None:
    """A sheet ends at 1,048,576 rows; the orders after it must not be lost."""
    orders = list(order_statuses(25))
    summary, tally = summary_of(iter(orders)), Tally()
    with private_bytes(tmp_path / "report.xlsx") as stream:
        book = Workbook(stream, tmp_path, PRECISIONS, sheet_rows=11)
        for order in orders:
            tally.add(order)
            book.add_order(order)
        facts = report_facts(summary)
        book.finish(facts, all_grids(summary.document("dry-run"), facts, tally, PRECISIONS), tally)
    read = openpyxl.load_workbook(tmp_path / "report.xlsx")
    names = [name for name in read.sheetnames if name.startswith("Orders")]
    assert names == ["Orders", "Orders 2", "Orders 3"]
    numbers = []
    for name in names:
        rows = list(read[name].iter_rows(values_only=True))
        assert rows[0][0] == "Order"
        numbers += [row[0] for row in rows[1:]]
    assert numbers == [order.number for order in orders]


@pytest.mark.parametrize("limit", [1, 7, 20, 200])
def test_the_pages_table_keeps_attention_before_all_else(tmp_path: Path, limit: int) -> None:
    """Where the table is full, it is the harmless orders that go, and the page says how many it shows."""
    orders = list(order_statuses(100))
    spool = OrderSpool(tmp_path, PRECISIONS, limit=limit)
    for order in orders:
        spool.add(order)
    spool.close()
    rows = json.loads("".join(spool.json_text()))["rows"]
    ranked = sorted(orders, key=lambda order: not order.state.needs_attention)
    assert [row[0] for row in rows] == [order.number for order in ranked[:limit]]
    assert spool.shown == len(rows)


def test_states_of_the_grid_add_up_to_the_orders_read() -> None:
    """Guarantee 7.10 on paper: the printed counts are all orders."""
    tally = Tally()
    for order in order_statuses(400):
        tally.add(order)
    facts = report_facts(summary_of(iter(())))
    rows = all_grids({}, facts, tally, PRECISIONS)["states"].rows
    assert sum(int(row[2]) for row in rows if row[2]) == tally.read == 400
    assert sum(tally.groups().values()) == 400


def test_the_chart_draws_every_order_once() -> None:
    """Columns must be as high as the orders that they stand for."""
    tally = Tally()
    for order in order_statuses(400):
        tally.add(order)
    months = month_groups(tally)
    chart = month_chart(months)
    assert chart is not None
    zero, top = chart.ticks[0], chart.ticks[-1]
    unit = (zero.at - top.at) / int(top.label.replace(",", ""))
    assert sum(part.height for part in chart.parts) / unit == pytest.approx(400, rel=0.01)
    assert all(0 <= part.x <= chart.width and 0 <= part.y <= chart.base for part in chart.parts)
    assert sum(bar.count for bar in state_bars(tally)) == 400


@pytest.mark.parametrize("count", [1, 12, 61, 400, 3000])
def test_the_chart_fits_any_count_of_months(count: int) -> None:
    """Twenty years of history must neither overflow nor divide by zero."""
    chart = month_chart([(f"{2000 + at // 12}-{at % 12 + 1:02}", dict.fromkeys(Group, at % 3)) for at in range(count)])
    assert chart is not None
    assert len(chart.labels) <= 20
    assert all(part.x + part.width <= chart.width + 0.2 for part in chart.parts)


@pytest.mark.parametrize(("largest", "step"), [(1, 1), (6, 1), (7, 2), (13, 5), (31, 10), (999_999, 200_000)])
def test_the_axis_has_round_steps(largest: int, step: int) -> None:
    """People read axes in ones, twos and fives."""
    assert nice_step(largest) == step


def test_a_free_section_is_shown_by_what_its_cells_are() -> None:
    """Control totals must be numbers in the workbook, identifiers must not."""
    section = Section(
        "T",
        ("Month", "Orders", "Total", "Text", "Id"),
        [("2010-01", 3, Decimal("1E+2"), "1.50", "12"), ("", 1, None, "", "")],
    )
    grid = free(section, 1)
    assert [column.kind for column in grid.columns] == [Kind.TEXT, Kind.COUNT, Kind.MONEY, Kind.MONEY, Kind.TEXT]
    assert grid.rows == (("2010-01", "3", "100", "1.50", "12"), ("", "1", "", "", ""))


@pytest.mark.parametrize(
    ("text", "shown"), [("1234567.50", "1,234,567.50"), ("-1234", "-1,234"), ("12", "12"), ("", ""), ("n/a", "n/a")]
)
def test_digits_stand_in_groups(text: str, shown: str) -> None:
    """Grouping is for reading only: no digit may change."""
    assert grouped(text) == shown


def test_every_state_has_a_colour_and_a_group() -> None:
    """A new state must not appear without a place in charts and table."""
    script = (Path(__file__).parents[3] / "etl/report/templates/table.js.j2").read_text(encoding="utf-8")
    assert not [state for state in ReportState if f"{state.value}: " not in script]
