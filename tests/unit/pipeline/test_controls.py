"""controls.csv against the export."""

from __future__ import annotations

from decimal import Decimal as D

from etl.model.mapping import ControlRow
from etl.pipeline.planning import ControlSum, PlanFacts, compare_controls


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
