"""controls.csv against the export."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal as D

from builders import a_context, a_line, an_order

from etl.model.mapping import ControlRow
from etl.model.order import LocalTime
from etl.model.plan import Verdict
from etl.pipeline.planning import ControlSum, PlanFacts, compare_controls
from etl.transform.order import plan_order


def facts(**sums: object) -> PlanFacts:
    return PlanFacts(controls={("2011-06", "GBP"): ControlSum(**sums)})  # type: ignore[arg-type]


def test_each_given_figure_is_compared() -> None:
    """An export that lacks an order must be seen before anything is signed."""
    row = ControlRow("2011-06", "GBP", 3, D("30.00"), D("5.00"))
    rows = compare_controls([row], facts(orders=2, total=D("30.00"), tax=D("5.01")))
    assert [(one["figure"], one["difference"]) for one in rows] == [
        ("orders", "-1"),
        ("total", "0.00"),
        ("tax", "0.01"),
    ]


def test_a_month_that_the_export_does_not_hold_differs() -> None:
    """A missing month is the largest gap there is."""
    (row,) = compare_controls([ControlRow("2011-07", "GBP", 3, None, None)], facts())
    assert row["difference"] == "-3"


def test_the_tax_of_blocked_orders_is_not_guessed() -> None:
    """A sum without the blocked orders would be compared with one that has them."""
    row = ControlRow("2011-06", "GBP", None, None, D("5.00"))
    assert compare_controls([row], facts(orders=2, untaxed=1)) == []


def test_an_order_at_an_hour_that_was_skipped_counts_in_its_month() -> None:
    """It has no moment, and plainly a month: the shop's own report counts it there."""
    order = plan_order(
        an_order(a_line("10.00"), order_date=LocalTime(datetime.fromisoformat("2011-03-27 01:30:00"))), a_context()
    )
    assert (order.verdict, order.true_consumption, order.month) == (Verdict.BLOCKED, None, "2011-03")
