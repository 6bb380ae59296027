"""Which of a bundle and its contents is charged."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest
from builders import a_context, a_line, a_mapping, an_order

from etl.model.order import Line, TaxBreakdownRow
from etl.model.plan import Basis
from etl.transform.bundles import charged_lines
from etl.transform.context import Context, Findings, Footing


def bundle(price: str, vat: str = "20") -> Line:
    return a_line(price, vat=vat, sku="SET", is_bundle=True, line_id="1")


def part(price: str, vat: str = "20", sku: str = "CUP") -> Line:
    return a_line(price, vat=vat, sku=sku, bundle="1", line_id=sku)


def charged(*lines: Line, setting: str = "auto", ctx: Context | None = None, basis: Basis = Basis.GROSS, **order: Any):
    found = Findings("10001")
    ctx = ctx or a_context(a_mapping(products={"bundles": setting}))
    result = charged_lines(an_order(*lines, **order), ctx, basis, 2, found)
    return [line.sku for line in result], [problem.code for problem in found.problems]


CHEAP = (bundle("20.00"), part("0.00"), part("0.00", sku="POT"))
FULL = (bundle("20.00"), part("12.00"), part("9.00", sku="POT"))
EQUAL = (bundle("20.00"), part("12.00"), part("8.00", sku="POT"))
MIXED = (bundle("20.00"), part("12.00"), part("8.00", vat="5", sku="TEA"))


def test_orders_without_bundles_are_left_alone() -> None:
    """Most orders."""
    assert charged(a_line(), a_line(sku="TEA"), order_total="99") == (["CUP", "TEA"], [])


def test_a_bundle_without_contents_is_a_line() -> None:
    """Nothing is charged twice, so nothing is to be decided."""
    assert charged(bundle("20.00"), a_line()) == (["SET", "CUP"], [])


def test_contents_without_their_bundle_are_lines() -> None:
    """An export that lists only the contents charges these."""
    assert charged(part("12.00"), part("8.00", sku="POT")) == (["CUP", "POT"], [])


@pytest.mark.parametrize(("setting", "expected"), [("bundle", ["SET"]), ("contents", ["CUP", "POT"])])
def test_the_setting_decides_where_given(setting: str, expected: list[str]) -> None:
    """The user knows the shop."""
    assert charged(*FULL, setting=setting, order_total="999.00") == (expected, [])


@pytest.mark.parametrize(("total", "expected"), [("20.00", ["SET"]), ("21.00", ["CUP", "POT"])])
def test_the_reading_that_foots_is_charged(total: str, expected: list[str]) -> None:
    """The order's total is the proof."""
    assert charged(*FULL, order_total=total) == (expected, [])


def test_shipping_and_voucher_count_for_footing() -> None:
    """The total is over the whole order."""
    assert charged(*FULL, shipping="4.00", voucher_value="2.00", order_total="23.00") == (["CUP", "POT"], [])


def test_both_footing_with_one_sum_per_rate_is_the_bundle() -> None:
    """No tax depends on it."""
    assert charged(*EQUAL, order_total="20.00") == (["SET"], [])
    assert charged(*CHEAP, order_total="20.00") == (["SET"], [])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ({"20": "3.33"}, ["SET"]),
        ({"20": "2.00", "5": "0.38"}, ["CUP", "TEA"]),
    ],
)
def test_tax_breakdown_decides_between_two_that_foot(rows: dict[str, str], expected: list[str]) -> None:
    """Same money, other tax."""
    breakdown = tuple(TaxBreakdownRow(D(percent), D(value)) for percent, value in rows.items())
    assert charged(*MIXED, order_total="20.00", tax_breakdown=breakdown) == (expected, [])


def test_tax_breakdown_counts_shipping_and_voucher() -> None:
    """Its rows are over the whole order: 6.00 of shipping carries tax as well."""
    breakdown = (TaxBreakdownRow(D(20), D("4.33")),)
    assert charged(*MIXED, shipping="6.00", order_total="26.00", tax_breakdown=breakdown) == (["SET"], [])


def test_prices_without_tax_have_another_breakdown() -> None:
    """20 % of 20.00 is 4.00 where the price is without tax."""
    breakdown = (TaxBreakdownRow(D(20), D("4.00")),)
    assert charged(*MIXED, basis=Basis.NET, order_total="20.00", tax_breakdown=breakdown) == (["SET"], [])


def test_totals_with_tax_decide_for_prices_without() -> None:
    """A b2b file whose orderTotal carries tax proves a reading all the same."""
    ctx = a_context(footing=Footing.ONCE)
    assert charged(*FULL, ctx=ctx, basis=Basis.NET, order_total="25.20") == (["CUP", "POT"], [])
    assert charged(*FULL, ctx=ctx, basis=Basis.NET, order_total="24.00") == (["SET"], [])


def test_no_proof_blocks() -> None:
    """Guessing would declare tax at the wrong rate."""
    assert charged(*MIXED, order_total="20.00")[1] == ["bundle.ambiguous"]
    assert charged(*FULL)[1] == ["bundle.ambiguous"]


def test_what_does_not_foot_is_left_to_the_total() -> None:
    """total.mismatch names the figures."""
    assert charged(*FULL, order_total="50.00") == (["SET"], [])
