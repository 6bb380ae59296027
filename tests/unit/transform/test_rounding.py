"""Rounding by its cause: no cause is what another left over, and more than rounding explains is told."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from builders import a_context, a_line, a_mapping, an_order

from etl.model.plan import PlannedOrder, Verdict
from etl.transform.order import plan_order


def plan(total: str, tolerance: str = "5.00", *prices: str) -> PlannedOrder:
    mapping = a_mapping(source={"total_tolerance": tolerance})
    lines = [a_line(price) for price in prices or ("12.00",)]
    return plan_order(an_order(*lines, order_total=D(total)), a_context(mapping))


@pytest.mark.parametrize(("total", "prices", "is_told"), [
    ("12.00", ("12.00",), False),
    ("12.01", ("12.00",), False),
    ("12.02", ("12.00",), True),
    ("11.98", ("12.00",), True),
    ("24.02", ("12.00", "12.00"), False),
    ("24.03", ("12.00", "12.00"), True),
])  # fmt: skip
def test_more_than_a_minor_unit_an_entry_is_told(total: str, prices: tuple[str, ...], is_told: bool) -> None:
    """A tolerance of 5.00 lets it pass; nobody may take it for rounding unsaid."""
    order = plan(total, "5.00", *prices)
    assert order.verdict is Verdict.READY
    assert ("rounding.large" in {problem.code for problem in order.problems}) is is_told
    told = [problem for problem in order.problems if problem.code == "rounding.large"]
    assert all(not problem.is_error for problem in told)


def test_causes_add_up_to_the_difference() -> None:
    """What came from where is summed by itself; only then does it have to be the difference."""
    order = plan("12.03")
    assert order.rounding_causes == (("source", D("0.03")),)
    assert order.source_total == order.planned_total + order.rounding
