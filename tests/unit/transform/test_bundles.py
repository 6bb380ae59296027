"""Which of a bundle and its contents is charged."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D
from itertools import permutations
from typing import Any

import pytest
from builders import a_context, a_line, a_mapping, an_order

from etl.model.content import version_of
from etl.model.order import Line, TaxBreakdownRow
from etl.model.plan import Basis, plan_line
from etl.transform.bundles import charged_lines
from etl.transform.context import Context, Findings, Footing
from etl.transform.order import plan_order


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


def test_footing_to_the_cent_beats_footing_within_the_tolerance() -> None:
    """20.00 and 20.01 both pass a tolerance of two cents; only one of them is the total."""
    ctx = a_context(a_mapping(source={"total_tolerance": "0.02"}))
    near = (bundle("20.00"), part("12.00"), part("8.01", sku="POT"))
    assert charged(*near, ctx=ctx, order_total="20.01") == (["CUP", "POT"], [])
    assert charged(*near, ctx=ctx, order_total="20.00") == (["SET"], [])
    assert charged(*near, ctx=ctx, order_total="19.99")[1] == ["bundle.ambiguous"]


def test_footing_with_tax_to_the_cent_beats_about() -> None:
    """Without tax 20.00 and 20.01 are 24.00 and 24.01 with it: the slack of three lines would take both."""
    near = (bundle("20.00"), part("12.00"), part("8.01", sku="POT"))
    for footing in (Footing.ONCE, Footing.PER_RATE, Footing.PER_LINE):
        ctx = a_context(footing=footing)
        assert charged(*near, ctx=ctx, basis=Basis.NET, order_total="24.00") == (["SET"], [])
        assert charged(*near, ctx=ctx, basis=Basis.NET, order_total="24.01") == (["CUP", "POT"], [])


ONE = (
    a_line("20.00", sku="SET", is_bundle=True, line_id="7"),
    a_line("12.00", sku="CUP", bundle="1"),
    a_line("8.50", sku="POT", bundle="1"),
    a_line("3.00", sku="TEA"),
)
TWO = (
    a_line("20.00", sku="SET", is_bundle=True, line_id="7"),
    a_line("0.00", sku="CUP", bundle="7"),
    a_line("30.00", sku="KIT", is_bundle=True, line_id="8"),
    a_line("0.00", sku="POT", bundle="8"),
    a_line("5.00", sku="BAG", is_bundle=True, line_id="9"),
)


@pytest.mark.parametrize("total", ["23.00", "23.50"])
def test_a_flag_alone_means_the_only_bundle_whatever_the_row_order(total: str) -> None:
    """Contents may stand above their bundle, and beside other goods: one order, one plan."""
    ctx = a_context(a_mapping())
    first = plan_order(an_order(*ONE, order_total=total), ctx)
    assert first.verdict == "ready", first.problems
    for rows in permutations(ONE):
        again = plan_order(an_order(*rows, order_total=total), ctx)
        assert plan_line(again, "uk") == plan_line(first, "uk")
        assert again.fingerprint == first.fingerprint


def test_several_bundles_are_told_apart_by_their_ids() -> None:
    """A bundle that lists no contents is charged in either reading."""
    for rows in permutations(TWO):
        assert sorted(charged(*rows, order_total="55.00")[0]) == ["BAG", "KIT", "SET"]
        assert sorted(charged(*rows, order_total="5.00")[0]) == ["BAG", "CUP", "POT"]


def test_contents_may_name_their_bundle_by_its_key() -> None:
    """Where a dump gives lines no ids."""
    lines = (a_line("20.00", sku="SET", is_bundle=True), a_line("19.00", sku="CUP", bundle="SET"))
    other = a_line("5.00", sku="BAG", is_bundle=True)
    assert charged(*lines, other, order_total="24.00") == (["CUP", "BAG"], [])


def test_a_flag_and_an_id_are_the_same_content() -> None:
    """Another dump of the same order is no change of it."""
    flag = an_order(*ONE)
    named = an_order(*(replace(line, bundle=line.bundle and "7") for line in ONE))
    assert version_of(flag) == version_of(named)


FREE = a_line("0.00", sku="SET", is_bundle=True, original_price=D("150.00"))


def test_a_bundle_of_price_0_is_read_at_its_original_price_where_that_foots() -> None:
    """With a notice that names the column; without a total nobody knows."""
    result = plan_order(an_order(FREE, order_total="150.00"), a_context())
    assert (result.verdict, result.planned_total) == ("ready", D("150.00"))
    assert [problem.place.column for problem in result.problems] == ["products.originalPrice"]
    assert plan_order(an_order(FREE), a_context()).codes == ("bundle.ambiguous",)
    assert plan_order(an_order(FREE, order_total="140.00"), a_context()).codes == ("total.mismatch",)


def test_a_bundle_of_price_0_is_left_where_its_contents_are_priced() -> None:
    """Or where the order foots without it."""
    contents = (a_line("100.00", bundle="1"), a_line("50.00", sku="POT", bundle="1"))
    assert charged(FREE, *contents, order_total="150.00") == (["CUP", "POT"], [])
    assert charged(FREE, a_line("3.00"), order_total="3.00") == (["SET", "CUP"], [])


@pytest.mark.parametrize("footing", list(Footing))
@pytest.mark.parametrize("includes_tax", [True, False])
@pytest.mark.parametrize("odd", [{"unit_price": D(0), "original_price": D("1E+28")}, {"vat_percent": D("1E+28")}])
def test_a_bundle_beyond_all_amounts_blocks_its_order(
    odd: dict[str, Any], includes_tax: bool, footing: Footing
) -> None:
    """What a reading would be charged at is bounded like any price."""
    bundle = replace(a_line("12.00", is_bundle=True), **odd)
    order = replace(an_order(order_total=D("12.00")), lines=(bundle, a_line("0.00", bundle="1", sku="TEA")))
    mapping = a_mapping(source={"prices_include_tax": includes_tax})
    result = plan_order(order, a_context(mapping, footing=footing))
    assert (result.verdict, result.source_total) == ("blocked", None)
    assert "value.invalid" in result.codes


@pytest.mark.parametrize(("total", "amounts"), [("34.00", {"20.00"}), ("32.00", {"12.00", "6.33"})])
def test_the_taxes_of_what_stands_beside_the_goods_are_their_own(total: str, amounts: set[str]) -> None:
    """Shipping at 0 %: 20.00 x 1.2 + 10.00 = 34.00, 18.33 x 1.2 + 10.00 = 32.00; at the goods' 20 % both are others."""
    mapping = a_mapping(source={"prices_include_tax": False}, shipping={"tax": "UK-0%"})
    lines = (bundle("20.00"), part("12.00"), part("6.33", sku="POT"))
    order = an_order(*lines, shipping=D("10.00"), order_total=D(total))
    for footing in (Footing.ONCE, Footing.PER_RATE, Footing.PER_LINE):
        plan = plan_order(order, a_context(mapping, footing=footing))
        assert plan.codes == ()
        assert {str(entry.source_amount) for entry in plan.entries} == amounts | {"10.00"}
