"""What the first order teaches about Mews's rounding."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from builders import a_context, a_line, a_mapping, a_reference, an_order, money

from etl.model.observed import Observed, SentEntry
from etl.model.plan import plan_line
from etl.model.reference import Pricing, Reference, Strategy, TaxRate
from etl.transform.arithmetic import TaxRounding
from etl.transform.observed import as_booked, observe
from etl.transform.order import plan_order

CITY = TaxRate("CITY", "CITY", Strategy.RELATIVE, Decimal("0.0250"))
STATE = TaxRate("STATE", "STATE", Strategy.DEPENDENT, Decimal("0.0650"), base=("CITY",))
BOTTLE = TaxRate("BOTTLE", "BOTTLE", Strategy.FLAT, Decimal("0.05"), currency="GBP")


def net_reference() -> Reference:
    reference = a_reference()
    rates = {**reference.tax_rates, **{rate.code: rate for rate in (CITY, STATE, BOTTLE)}}
    return replace(reference, pricing=Pricing.NET, tax_rates=rates)


def booked(count: int, unit: Decimal, codes: tuple[str, ...], net: Decimal, gross: Decimal) -> Observed:
    return Observed((SentEntry(count, unit, codes),), "GBP", net, gross)


def entry(count: int, unit: str, codes: str, net: str, gross: str) -> Observed:
    return booked(count, money(unit), tuple(codes.split()), money(net), money(gross))


def test_what_was_assumed_is_tried_first() -> None:
    """Amounts that every rule explains change nothing."""
    assert observe([entry(1, "12.00", "UK-20%", "10.00", "12.00")], a_reference()) is TaxRounding.HALF_UP
    assert observe([], a_reference()) is None


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        # 0.03 / 1.2 is 0.025.
        ([entry(1, "0.03", "UK-20%", "0.02", "0.03")], TaxRounding.HALF_EVEN),
        # 0.09 / 1.2 is 0.075: even is 0.08.
        (
            [entry(1, "0.03", "UK-20%", "0.02", "0.03"), entry(1, "0.09", "UK-20%", "0.07", "0.09")],
            TaxRounding.HALF_DOWN,
        ),
        # 3.33 / 1.2 is 2.775 a piece, tax 0.555.
        ([entry(3, "3.33", "UK-20%", "8.34", "9.99")], TaxRounding.PIECE_HALF_UP),
        # 5.00 / 1.2 is 4.1666.
        ([entry(1, "5.00", "UK-20%", "4.16", "5.00")], TaxRounding.DOWN),
        ([entry(1, "5.00", "UK-20%", "4.10", "5.00")], None),
        ([entry(1, "5.00", "NO-SUCH", "4.17", "5.00")], None),
    ],
)
def test_gross_pricing_is_recognised_by_its_entries(entries: list[Observed], expected: TaxRounding | None) -> None:
    """All entries together decide; what nothing explains stays a tolerated difference."""
    assert observe(entries, a_reference()) is expected


def test_net_pricing_rounds_each_code() -> None:
    """0.05 at 10 % and the like: dependent taxes rest on the rounded ones below them."""
    reference = net_reference()
    # 1.00 at 2.5 % is 0.025; then 6.5 % of 1.03 is 0.06695, of 1.02 0.0663.
    assert observe([entry(1, "1.00", "CITY STATE", "1.00", "1.10")], reference) is TaxRounding.HALF_UP
    assert observe([entry(1, "1.00", "CITY STATE", "1.00", "1.09")], reference) is TaxRounding.HALF_EVEN
    assert observe([entry(1, "1.00", "CITY STATE", "1.00", "1.08")], reference) is TaxRounding.DOWN


def test_an_order_without_identifiers_is_explained_by_its_sum() -> None:
    """An older Mews returns none: 0.025 and 4.1667 of net are 4.20 together as assumed, 4.19 half to even."""
    sent = (SentEntry(1, Decimal("0.03"), ("UK-20%",)), SentEntry(1, Decimal("5.00"), ("UK-20%",)))
    seen = Observed(sent, "GBP", Decimal("4.19"), Decimal("5.03"))
    assert observe([seen], a_reference()) is TaxRounding.HALF_EVEN
    assert observe([replace(seen, net=Decimal("4.20"))], a_reference()) is TaxRounding.HALF_UP


def test_predictions_follow_and_what_is_sent_does_not() -> None:
    """Net, tax and gross of the entries change; units, counts and the plan id stay; the sums still add up."""
    mapping = a_mapping(source={"prices_include_tax": True})
    reference = net_reference()
    order = plan_order(an_order(a_line("10.03", 1), a_line("0.03", 3, sku="PIN")), a_context(mapping, reference))
    for rounding in TaxRounding:
        adapted = as_booked(order, rounding, reference)
        assert plan_line(adapted, "uk") == plan_line(order, "uk")
        assert adapted.source_total == adapted.planned_total + adapted.rounding
        assert sum((amount for _, amount in adapted.rounding_causes), Decimal(0)) == adapted.rounding
        assert adapted.planned_total == sum((one.predicted.gross for one in adapted.entries), Decimal(0))
        for old, new in zip(order.entries, adapted.entries, strict=True):
            seen = booked(new.count, new.unit, new.codes, new.predicted.net, new.predicted.gross)
            assert new.source_amount == new.predicted.gross + new.rounding
            assert observe([seen], reference) is not None
            assert (old.unit, old.count, old.line) == (new.unit, new.count, new.line)
    assert as_booked(order, TaxRounding.HALF_UP, reference) is order
    assert as_booked(order, TaxRounding.CEILING, reference) is not order
