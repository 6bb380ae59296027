"""A dependent tax on a flat one: part of the price in every conversion, and of what a price must hold."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from builders import a_context, a_line, a_mapping, a_rate, a_reference, a_tax, an_order, entries

from etl.model.plan import PlannedOrder
from etl.model.reference import Pricing, Strategy
from etl.transform.arithmetic import Arithmetic, TaxRounding
from etl.transform.conversion import Conversion
from etl.transform.order import plan_order

CODES = ("SALES", "FEE", "ON-SALES")
RATES = (
    a_rate("FEE", "5.00", strategy=Strategy.FLAT, currency="GBP"),
    a_rate("SALES", "0.1", strategy=Strategy.DEPENDENT, base=("FEE",)),
    a_rate("ON-SALES", "0.5", strategy=Strategy.DEPENDENT, base=("SALES",)),
    a_rate("SMALL", "0.055", strategy=Strategy.FLAT, currency="GBP"),
)
REFERENCE = a_reference(pricing=Pricing.NET, rates=RATES)
NET = Arithmetic(REFERENCE)


def plan(price: str, qty: int = 1) -> PlannedOrder:
    mapping = a_mapping(taxes=[a_tax("10", "SALES", "FEE")], source={"prices_include_tax": True})
    return plan_order(an_order(a_line(price, qty, "10")), a_context(mapping, REFERENCE))


def test_a_tax_on_the_fee_is_part_of_the_price() -> None:
    """4 x 66.00: fee 20.00, 10 % of net and fee; 264.00 is 220.00 + 20.00 + 24.00."""
    found = plan("66.00", 4)
    assert entries(found) == [("p1", 4, "55.00", ("FEE", "SALES"))]
    assert (found.planned_total, found.rounding) == (D("264.00"), 0)


def test_a_price_of_fee_and_tax_alone_is_kept() -> None:
    """5.50 is the fee and its tax; a net of nothing."""
    assert [(one[2], plan("5.50").rounding) for one in entries(plan("5.50"))] == [("0.00", 0)]


@pytest.mark.parametrize(("price", "qty"), [("5.20", 1), ("5.49", 1), ("5.49", 2), ("0", 1)])
def test_a_price_below_its_constant_taxes_blocks(price: str, qty: int) -> None:
    """Whoever sends it charges more than the receipt."""
    assert plan(price, qty).codes == ("tax.rate_differs",)


def test_taxes_on_taxes_on_a_fee_are_followed_to_the_end() -> None:
    """5.00, 10 % of net and fee, half of that again: a net of nothing costs 5.75, one of 100.00 costs 170.75."""
    assert NET.constant(CODES, 2) == D("11.50")
    best = Conversion(NET).best(D("170.75"), 1, CODES, 2, D(0))
    assert (best.entries, best.rounding) == (((1, D("100.00")),), 0)


def test_a_flat_tax_is_value_times_count_unrounded() -> None:
    """TaxPrecision rounds rates, never an amount a piece; in gross pricing the net is what the fee leaves."""
    assert NET.predict(1, D("1.00"), ("SMALL",), 2).taxes == (("SMALL", D("0.055")),)
    coarse = Arithmetic(a_reference(pricing=Pricing.NET, rates=RATES, tax_precision=0))
    assert coarse.predict(3, D("1.00"), ("SMALL",), 2).gross == D("3.165")
    gross = Arithmetic(a_reference(rates=RATES, tax_precision=1)).predict(3, D("1.00"), ("SMALL",), 2)
    assert (gross.net, gross.tax, gross.gross) == (D("2.835"), D("0.165"), D("3.00"))


@pytest.mark.parametrize("rounding", TaxRounding)
def test_no_way_of_rounding_touches_a_flat_tax(rounding: TaxRounding) -> None:
    """Only taxes that are a share of something are rounded."""
    assert Arithmetic(REFERENCE, rounding).predict(3, D("1.00"), ("SMALL",), 2).tax == D("0.165")
