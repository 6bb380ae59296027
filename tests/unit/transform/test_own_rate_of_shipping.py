"""Shipping at a rate that the export states of it, lines whose rate only the order's tax contradicts, totals by their own tax."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest
from builders import a_context, a_line, a_mapping, a_rate, a_reference, a_tax, an_order, entries

from etl.model.plan import PlannedOrder, Verdict
from etl.model.reference import Pricing
from etl.pipeline.shipping_trials import ShippingTrials
from etl.transform.context import Footing
from etl.transform.order import plan_order

RATES = (a_rate("R20", "0.2"), a_rate("R5", "0.05"))
TAXES = [a_tax("20", "R20"), a_tax("5", "R5")]


def context(tax: str, *, gross: bool = True, taxes: Any = None) -> Any:
    mapping = a_mapping(
        taxes=TAXES if taxes is None else taxes, shipping={"tax": tax}, source={"prices_include_tax": gross}
    )
    reference = a_reference(rates=RATES, pricing=Pricing.GROSS if gross else Pricing.NET)
    return a_context(mapping, reference, footing=None if gross else Footing.PER_LINE)


def shipped(tax: str, percent: str | None, **more: Any) -> PlannedOrder:
    """A seat at 5 % for 20.00, and shipping of 6.00."""
    own = None if percent is None else D(percent)
    order = an_order(a_line("20.00", vat="5"), shipping=D("6.00"), shipping_percent=own, order_total=D("26.00"), **more)
    return plan_order(order, context(tax))


@pytest.mark.parametrize(("percent", "codes"), [("20", ("R20",)), ("5", ("R5",)), (None, ("R5",))])
def test_stated_is_the_rate_of_the_order_s_own_shipping(percent: str | None, codes: tuple[str, ...]) -> None:
    """Without one it is shared over the goods."""
    plan = shipped("stated", percent)
    assert plan.verdict is Verdict.READY
    assert entries(plan)[1] == ("s1", 1, "6.00", codes)


def test_by_default_what_is_stated_of_the_shipping_decides_nothing() -> None:
    """The contract shares it over the goods."""
    assert entries(shipped("proportional", "20"))[1][3] == ("R5",)


def test_a_rate_of_the_shipping_without_a_row_blocks() -> None:
    """As that of a line does."""
    plan = shipped("stated", "10")
    assert plan.codes == ("tax.unmapped",)
    assert "shipping has 10 %" in plan.problems[0].message


def test_net_totals_foot_with_the_shipping_s_own_rate() -> None:
    """20.00 at 5 % and 6.00 at 20 %: 28.20; shared over the goods it would be 27.30."""
    order = an_order(a_line("20.00", vat="5"), shipping=D("6.00"), shipping_percent=D(20), order_total=D("28.20"))
    assert plan_order(order, context("stated", gross=False)).verdict is Verdict.READY
    assert plan_order(order, context("proportional", gross=False)).codes == ("total.mismatch",)


@pytest.mark.parametrize(("tax", "codes"), [("20.00", ()), ("19.99", ()), ("13.17", ("tax.rate_unproved",))])
def test_a_rate_that_only_fits_the_country_must_make_the_order_s_tax(tax: str, codes: tuple[str, ...]) -> None:
    """120.00 at 20 % hold 20.00."""
    order = an_order(a_line("120.00", vat=None), tax_total=D(tax))
    plan = plan_order(order, context("proportional", taxes=[a_tax("20", "R20")]))
    assert plan.codes == codes
    assert "tax.rate_assumed" in {problem.code for problem in plan.problems}


def test_a_total_by_the_order_s_own_tax_is_no_mismatch() -> None:
    """Two lines of 10.03 at 20 %: 2.006 each, 24.072 in all; a shop that cuts has a tax of 4.00 and a total of 24.06."""
    lines = (a_line("10.03", vat="20"), a_line("10.03", vat="20", sku="SEAT"))
    order = an_order(*lines, tax_total=D("4.01"), order_total=D("24.07"))
    plan = plan_order(order, context("proportional", gross=False))
    assert (plan.verdict, plan.source_total, plan.rounding) == (Verdict.READY, D("20.06"), D(0))
    far = an_order(*lines, tax_total=D("4.10"), order_total=D("24.16"))
    assert plan_order(far, context("proportional", gross=False)).codes == ("total.mismatch",)


def test_the_setting_that_clears_most_orders_is_named() -> None:
    """Ten orders whose tax says 20 % for the shipping, and one that agrees already: its goods have that rate."""
    ctx = context("proportional")
    trials = ShippingTrials(ctx)
    for number in range(10):
        line = a_line("100.00", vat="5")
        order = an_order(
            line, number=str(number), shipping=D("60.00"), tax_total=D("14.76"), shipping_percent=D(20)
        )  # fmt: skip
        trials.add(order, plan_order(order, ctx))
    plain = an_order(a_line("60.00", vat="20"), shipping=D("60.00"), tax_total=D("20.00"))
    trials.add(plain, plan_order(plain, ctx))
    document = trials.document()
    assert document is not None
    assert (document["orders"], document["others"]) == (10, 1)
    assert {"setting": "stated", "clears": 10, "spoils": 0} in document["settings"]
    assert (
        trials.hint()
        == '10 of 10 agree with shipping.tax = "stated" in migration.toml, and so do all 1 others that were tried.'
    )


def test_no_setting_is_named_where_all_agree() -> None:
    """Nothing is planned twice either."""
    ctx = context("proportional")
    trials = ShippingTrials(ctx)
    order = an_order(a_line("60.00", vat="20"), shipping=D("60.00"), tax_total=D("20.00"))
    trials.add(order, plan_order(order, ctx))
    assert (trials.hint(), trials.document()) == ("", None)
