"""Country, rate and date to tax codes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal as D
from typing import Any

import pytest
from builders import US_RATES, a_context, a_line, a_mapping, a_rate, a_reference, a_tax, an_order

from etl.model.reference import Pricing, Strategy
from etl.model.rules import TaxRule
from etl.transform.context import Context, Findings
from etl.transform.taxes import LineTaxes, TaxAnswer, TaxCase, country_of, shipping_without_goods

JUNE = datetime(2011, 6, 15, 11, tzinfo=UTC)


def a_case(country: str = "GB", day: date = date(2011, 6, 15), seen: datetime = JUNE, **more: Any) -> TaxCase:
    return TaxCase(country, day, seen, **{"store_type": "b2c", "currency": "GBP"} | more)


def codes(
    vat: str | None, *rules: TaxRule, case: TaxCase | None = None, ctx: Context | None = None, sku: str = "CUP"
) -> tuple[str, ...] | list[str]:
    """The line's codes, or the problems as a list."""
    found = Findings("10001")
    ctx = ctx or (a_context(a_mapping(taxes=rules)) if rules else a_context())
    answer = LineTaxes(case or a_case(), ctx, found).of(a_line(vat=vat, sku=sku))
    return answer.codes if answer else [problem.code for problem in found.problems if problem.is_error]


def net(*rules: TaxRule, **more: Any) -> Context:
    return a_context(a_mapping(taxes=rules), a_reference(pricing=Pricing.NET, **more))


def test_rate_and_day_find_the_code() -> None:
    """History crosses 17.5 % and 20 %."""
    assert codes("20") == ("UK-20%",)
    assert codes("20.00") == ("UK-20%",)
    assert codes("5") == ("UK-5%",)


def test_edges_of_a_period() -> None:
    """valid_from is the first day, valid_before the first one after."""
    before = a_case(day=date(2011, 1, 3), seen=datetime(2011, 1, 3, 23, 59, tzinfo=UTC))
    after = a_case(day=date(2011, 1, 4), seen=datetime(2011, 1, 4, tzinfo=UTC))
    assert codes("17.5", case=before) == ("UK-17.5%",)
    assert codes("20", case=before) == ["tax.unmapped"]
    assert codes("20", case=after) == ("UK-20%",)
    assert codes("17.5", case=after) == ["tax.unmapped"]


def test_a_named_country_beats_any_other() -> None:
    """Even where its cell is empty: an open question is no exemption."""
    rules = (a_tax("0", country="CH", undecided=True), a_tax("0", "UK-0%"))
    assert codes("0", *rules, case=a_case("CH")) == ["tax.undecided"]
    assert codes("0", *rules, case=a_case("NO")) == ("UK-0%",)


def test_exempt_is_an_answer() -> None:
    """No code, and that is meant."""
    assert codes("0", a_tax("0")) == ()


def test_named_rates_store_types_and_skus_win() -> None:
    """A named rate beats any rate, a store type or SKU beats none."""
    rules = (
        a_tax("*", "UK-20%", accept=True),
        a_tax("20", "UK-5%", accept=True),
        a_tax("20", "UK-0%", store_type="b2b", accept=True),
        a_tax("20", sku="TYRE-*", accept=True),
    )
    assert codes("7", *rules) == ("UK-20%",)
    assert codes("20", *rules) == ("UK-5%",)
    assert codes("20", *rules, case=a_case(store_type="b2b")) == ("UK-0%",)
    assert codes("20", *rules, sku="TYRE-1") == ()


def test_codes_of_another_rate_block_unless_accepted() -> None:
    """Declaring 20 % for a line sold at 17.5 % would be wrong in silence."""
    assert codes("17.5", a_tax("17.5", "UK-20%")) == ["tax.rate_differs"]
    assert codes("17.5", a_tax("17.5", "UK-20%", accept=True)) == ("UK-20%",)
    assert codes("20", a_tax("*")) == ["tax.rate_differs"]


def test_combined_rates_are_compared() -> None:
    """STATE 6, CITY 4, LEVY 1 % of net and STATE: 11.06 %; the flat fee is left out."""
    rule = a_tax("*", "STATE", "CITY", "LEVY", "FEE")
    assert codes("11.06", ctx=net(rule)) == ("CITY", "FEE", "LEVY", "STATE")
    assert codes("11", ctx=net(rule)) == ["tax.rate_differs"]


def test_a_gross_enterprise_takes_one_code() -> None:
    """It would refuse two."""
    assert codes("10", a_tax("10", "STATE", "CITY")) == ["tax.too_many_codes"]
    assert codes("10", ctx=net(a_tax("10", "STATE", "CITY"))) == ("CITY", "STATE")


def test_codes_must_be_valid_when_mews_sees_the_order() -> None:
    """Also after clamping: the tax date is the true one, the validity that of the clamped."""
    clamped = a_case(day=date(2010, 12, 20), seen=datetime(2012, 1, 5, tzinfo=UTC))
    assert codes("17.5", case=clamped) == ["tax.code_not_valid"]


def test_codes_of_nowhere_block() -> None:
    """A typing error, or a code of another tax environment."""
    assert codes("20", a_tax("20", "UK-20")) == ["tax.code_unknown"]


def test_a_flat_code_of_another_currency_blocks() -> None:
    """Mews would refuse an amount in pounds on an order in dollars."""
    ctx = net(a_tax("*", "STATE", "FEE"))
    assert codes("6", ctx=ctx, case=a_case(currency="USD")) == ["tax.code_not_valid"]


def test_a_missing_rate_is_the_only_one_that_fits() -> None:
    """With a notice; several block, none is unmapped."""
    only = (a_tax("20", "UK-20%", country="GB"), a_tax("5", "UK-5%"))
    found = Findings("10001")
    answer = LineTaxes(a_case(), a_context(a_mapping(taxes=only)), found).of(a_line(vat=None))
    assert answer == TaxAnswer(("UK-20%",), D(20))
    assert [(problem.code, problem.is_error) for problem in found.problems] == [("tax.rate_assumed", False)]
    assert codes(None) == ["tax.ambiguous"]
    assert codes(None, a_tax("20", "UK-20%", country="FR")) == ["tax.unmapped"]


def test_every_line_without_rate_is_told() -> None:
    """The first line's answer is remembered, its notice is not the second's."""
    found = Findings("10001")
    ctx = a_context(a_mapping(taxes=(a_tax("20", "UK-20%"),)))
    taxes = LineTaxes(a_case(), ctx, found)
    lines = [a_line(vat=None, sku=sku) for sku in ("A", "B")]
    lines = [replace(line, place=replace(line.place, row=row)) for row, line in enumerate(lines, 2)]
    assert all(taxes.of(line) for line in lines)
    assert [problem.place.row for problem in found.problems] == [2, 3]


def test_deducted_tax_means_rate_zero() -> None:
    """Export sales: whatever percent the line shows."""
    assert codes("20", case=a_case(is_deducted=True)) == ("UK-0%",)


@pytest.mark.parametrize(
    ("order", "default", "expected"),
    [
        ({"delivery_country": "DE", "invoice_country": "GB"}, "", ("DE", [])),
        ({"delivery_country": "", "invoice_country": "GB"}, "FR", ("GB", [])),
        ({"delivery_country": "", "invoice_country": ""}, "GB", ("GB", [("country.default", False)])),
        ({"delivery_country": "", "invoice_country": ""}, "", ("", [("country.missing", True)])),
    ],
)
def test_the_tax_country(order: dict[str, str], default: str, expected: tuple[str, list[tuple[str, bool]]]) -> None:
    """Where it was delivered, else invoiced, else the default with a notice, else blocked."""
    found = Findings("10001")
    country = country_of(an_order(**order), a_context(a_mapping(source={"default_country": default})), found)
    assert (country, [(problem.code, problem.is_error) for problem in found.problems]) == expected


def bare(*rules: TaxRule, case: TaxCase | None = None) -> tuple[str, ...] | list[str]:
    found = Findings("10001")
    answer = shipping_without_goods(case or a_case(), a_context(a_mapping(taxes=rules)), found)
    return answer.codes if answer else [problem.code for problem in found.problems]


def test_shipping_without_goods_takes_its_row() -> None:
    """The `shipping` row, the country's own before that of any country."""
    rules = (a_tax("shipping", "UK-20%"), a_tax("shipping", "UK-5%", country="GB"), a_tax("5", "UK-0%", country="GB"))
    assert bare(*rules) == ("UK-5%",)
    assert bare(*rules, case=a_case("FR")) == ("UK-20%",)


def test_shipping_without_goods_takes_the_countrys_single_rate() -> None:
    """Rows of any country prove nothing; two rates leave it open."""
    assert bare(a_tax("20", "UK-20%", country="GB"), a_tax("5", "UK-5%")) == ("UK-20%",)
    assert bare(a_tax("20", "UK-20%")) == ["shipping.tax_undecided"]
    assert bare(a_tax("20", "UK-20%", country="GB"), a_tax("5", "UK-5%", country="GB")) == ["shipping.tax_undecided"]


def test_one_rate_in_several_rows_is_single() -> None:
    """The narrower row answers; another day's or SKU's row is none."""
    rules = (
        a_tax("20", "UK-20%", country="GB"),
        a_tax("20", "UK-5%", country="GB", store_type="b2b", accept=True),
        a_tax("17.5", "UK-17.5%", country="GB", before=date(2011, 1, 4)),
        a_tax("0", "UK-0%", country="GB", sku="BOOK-*"),
    )
    assert bare(*rules) == ("UK-20%",)
    assert bare(*rules, case=a_case(store_type="b2b")) == ("UK-5%",)
    assert bare(a_tax("*", "UK-20%", country="GB")) == ("UK-20%",)


def test_an_undecided_row_for_shipping_blocks() -> None:
    """An empty cell is a question."""
    assert bare(a_tax("shipping", undecided=True)) == ["tax.undecided"]


def test_shipping_of_an_export_sale_has_no_tax() -> None:
    """taxDeducted holds for the whole order."""
    rules = (a_tax("20", "UK-20%", country="US"), a_tax("0", "UK-0%", country="US"))
    assert bare(*rules, case=a_case("US", is_deducted=True)) == ("UK-0%",)
    assert bare(a_tax("shipping", "UK-20%"), case=a_case("US", is_deducted=True)) == ["tax.rate_differs"]


def test_rates_of_the_builders_are_told_apart() -> None:
    """Relative, dependent and flat are all there, or these tests prove less than they say."""
    assert {rate.strategy for rate in US_RATES} == set(Strategy)
    assert a_rate("X", "0.2").is_valid(JUNE)
