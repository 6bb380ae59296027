from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from money_samples import with_money
from report_samples import PRECISIONS, order_statuses, report_facts, summary_of

from etl.errors import InternalError
from etl.model.problem import Problem
from etl.model.status import OrderStatus, ReportState
from etl.report.charts import money_charts, nice_step, waterfalls
from etl.report.excel import Workbook
from etl.report.facts import Section
from etl.report.folder import private_bytes
from etl.report.grids import Kind, free, grouped
from etl.report.parts import all_grids
from etl.report.spool import OrderSpool
from etl.report.tables import order_row
from etl.report.tally import Tally


def test_long_tables_go_on_in_further_sheets(tmp_path: Path) -> None:
    """A sheet ends at 1,048,576 rows; the orders after it must not be lost."""
    orders = list(order_statuses(25))
    summary, tally = summary_of(iter(orders)), Tally()
    with private_bytes(tmp_path / "report.xlsx") as stream:
        book = Workbook(stream, tmp_path, PRECISIONS, sheet_rows=11)
        for order in orders:
            tally.add(order)
            book.add_order(order, order_row(order, PRECISIONS))
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
        spool.add(order, order_row(order, PRECISIONS))
    spool.close()
    rows = json.loads("".join(spool.json_text({})))["rows"]
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


def tally_of(orders: Iterable[OrderStatus]) -> Tally:
    tally = Tally(precisions=PRECISIONS)
    for order in orders:
        tally.add(order)
    return tally


def test_the_money_charts_draw_every_amount_once() -> None:
    """Columns must be as high as the money that they stand for, charges above the line and refunds below."""
    tally = tally_of(order_statuses(400))
    for chart in money_charts(tally, PRECISIONS):
        plus, minus = tally.money()[chart.currency, "gross"]
        ticks = sorted(chart.ticks, key=lambda tick: tick.at)
        step = Decimal(ticks[0].label.replace("k", "000")) - Decimal(ticks[1].label.replace("k", "000"))
        unit = (ticks[1].at - ticks[0].at) / float(step)
        above = sum(bar.height for bar in chart.bars if bar.y < chart.zero - 0.01)
        # The smallest bar is half a pixel high, so that it is seen.
        assert above / unit == pytest.approx(float(plus), rel=0.02)
        below = [bar for bar in chart.bars if bar.y >= chart.zero - 0.01]
        assert bool(below) == bool(minus)
        assert all(bar.y >= 0 and bar.y + bar.height <= chart.height for bar in chart.bars), chart.currency


def test_no_column_stands_out_of_its_chart() -> None:
    """The highest column, whatever its height, stays below the top of the axis."""
    for cents in (1, 99, 100, 12_345, 158_000_01, 999_999_99):
        orders = [_sold(Decimal(cents).scaleb(-2), f"2010-0{month}") for month in (1, 2, 3)]
        (chart,) = money_charts(tally_of(orders), PRECISIONS)
        assert min(bar.y for bar in chart.bars) >= min(tick.at for tick in chart.ticks) - 0.1, cents


@pytest.mark.parametrize("count", [3, 12, 61, 400, 3000])
def test_the_chart_fits_any_count_of_months(count: int) -> None:
    """Twenty years of history must neither overflow nor divide by zero."""
    orders = [_sold(Decimal(at % 5), f"{2000 + at // 12}-{at % 12 + 1:02}") for at in range(count)]
    (chart,) = money_charts(tally_of(orders), PRECISIONS)
    assert len(chart.labels) <= 6
    assert all(bar.x + bar.width <= 100.1 for bar in chart.bars)


def test_a_short_history_is_drawn_by_day() -> None:
    """One lonely bar is no chart of a month."""
    orders = [
        replace(_sold(Decimal(day), "2010-12"), consumption=datetime(2010, 12, day, 23, 30, tzinfo=UTC))
        for day in range(1, 29)
    ]
    (chart,) = money_charts(tally_of(orders), PRECISIONS)
    assert (chart.title, len(chart.bars)) == ("Money by day", 28)


def _sold(amount: Decimal, month: str) -> OrderStatus:
    when = datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC)
    return OrderStatus("1", ReportState.READY, "GBP", source_total=amount, month=month, consumption=when)


def test_the_waterfall_arrives_where_the_bridge_does() -> None:
    """Each bar hangs where the one before ends, and the last one stands on the ground."""
    document = summary_of(order_statuses(400)).document("run")
    for chart in waterfalls(document, [("GBP", "gross")]):
        first, last = chart.rows[0], chart.rows[-1]
        assert first.is_end
        assert last.is_end
        assert sum(Decimal(row.amount) for row in chart.rows[:-1]) == Decimal(last.amount)
        assert all(bar.x >= -0.1 and bar.x + bar.width <= 100.4 for row in chart.rows for bar in row.bars)
    assert waterfalls(document, [("GBP", "gross")])[0].currency.startswith("GBP")


@pytest.mark.parametrize(
    ("largest", "step"), [("1", "0.5"), ("4", "1"), ("5", "2"), ("13", "5"), ("31", "10"), ("799999", "200000")]
)
def test_the_axis_has_round_steps(largest: str, step: str) -> None:
    """People read axes in ones, twos and fives."""
    assert nice_step(Decimal(largest)) == Decimal(step)


def test_totals_rows_are_the_sums_of_their_columns() -> None:
    """The accountant adds the column up; the row of totals must be what comes out, by currency and basis."""
    document = summary_of(order_statuses(400)).document("run")
    grids = all_grids(document, report_facts(summary_of(iter(()))), tally_of(order_statuses(400)), PRECISIONS)
    for key, keys in (("months", (1, 2)), ("states", (3, 4))):
        grid = grids[key]
        assert len(grid.foot) == 3
        for foot in grid.foot:
            mine = [row for row in grid.rows if all(row[at] == foot[at] for at in keys)]
            for at, column in enumerate(grid.columns):
                if column.kind is Kind.MONEY:
                    assert Decimal(foot[at]) == sum(Decimal(row[at]) for row in mine), (key, column)


def test_problems_keep_charges_and_refunds_apart() -> None:
    """A refund of 100 and a charge of 100 are 200 at stake, not nothing."""
    orders = [
        OrderStatus(str(at), ReportState.BLOCKED, "GBP", source_total=total, problems=(Problem(code, str(at)),))
        for at, (total, code) in enumerate(
            [
                (Decimal(100), "tax.unmapped"),
                (Decimal(-100), "tax.unmapped"),
                (Decimal(150), "value.invalid"),
                (Decimal(1), "value.invalid"),
                (Decimal(2), "value.invalid"),
            ]
        )
    ]
    document = summary_of(iter(orders)).document("run")
    facts = report_facts(summary_of(iter(())))
    rows = all_grids(document, facts, tally_of(orders), PRECISIONS)["problems"].rows
    assert [(row[0], row[3], row[5], row[6]) for row in rows] == [
        ("tax.unmapped", "2", "100.00", "-100.00"),
        ("value.invalid", "3", "153.00", ""),
    ]


def test_equal_refusals_stand_together_in_mewss_own_words() -> None:
    """Which words Mews used is what a person asks support about; numbers and ids make no other refusal, and one stands whole."""
    orders = [
        OrderStatus(
            str(at),
            ReportState.REJECTED,
            "GBP",
            source_total=Decimal(1),
            problems=(Problem("mews.refused", str(at), message=f"orders/add: 403 Tax code T{at} is not valid"),),
        )
        for at in range(3)
    ]
    document = summary_of(iter(orders)).document("run")
    facts = report_facts(summary_of(iter(())))
    (row,) = all_grids(document, facts, tally_of(orders), PRECISIONS)["words"].rows
    assert row == ("mews.refused", "orders/add: 403 Tax code T0 is not valid", "3")
    assert document["problems"][0]["words"] == [
        {"message": "orders/add: .. Tax code T.. is not valid", "orders": 3, "example": row[1]}
    ]


def test_a_bridge_that_leads_elsewhere_fails_the_command() -> None:
    """Guarantee 7.10 for the bridge: its lines and what the orders hold are counted apart."""
    order = with_money(
        OrderStatus(
            "1", ReportState.POSTED, "GBP", source_total=Decimal(9), planned_total=Decimal(9), planned_currency="GBP"
        )
    )
    summary_of(iter([order])).check(1)
    broken = replace(order, bridge=(*order.bridge, ("blocked", "GBP", "gross", Decimal(-1))))
    with pytest.raises(InternalError) as caught:
        summary_of(iter([broken])).check(1)
    assert caught.value.code == "internal.bridge"


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
    assert not [state for state in ReportState if f"{state.value.replace('_', ' ')}".strip() not in script]
