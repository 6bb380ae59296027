"""Which tax code a cell may be filled in with, and which ones a person must choose among: a wrong one is a wrong VAT return."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from builders import a_reference

from etl.mews.taxes import tax_country
from etl.model.reference import Strategy, TaxRate, Validity
from etl.pipeline.tax_candidates import tax_candidates

CHANGE = datetime(2011, 1, 4, tzinfo=UTC)
HOLE = (Validity(None, datetime(2008, 12, 1, tzinfo=UTC)), Validity(datetime(2010, 1, 1, tzinfo=UTC), CHANGE))
RATES = (
    TaxRate("S20", "VAT", Strategy.RELATIVE, Decimal("0.2"), validity=(Validity(CHANGE, None),)),
    TaxRate("S17", "VAT", Strategy.RELATIVE, Decimal("0.175"), validity=HOLE),
    TaxRate("R5", "VAT", Strategy.RELATIVE, Decimal("0.05")),
    TaxRate("R5B", "VAT", Strategy.RELATIVE, Decimal("0.05"), validity=(Validity(CHANGE, None),)),
    TaxRate("Z", "VAT", Strategy.RELATIVE, Decimal(0)),
    TaxRate("D10", "VAT", Strategy.DEPENDENT, Decimal("0.1"), base=("VAT",)),
    TaxRate("F", "CITY", Strategy.FLAT, Decimal("0.2"), currency="GBP"),
    TaxRate("A1", "VAT", Strategy.RELATIVE, Decimal("0.07"), validity=(Validity(None, CHANGE),)),
    TaxRate("A2", "VAT", Strategy.RELATIVE, Decimal("0.07"), validity=(Validity(CHANGE, None),)),
)
HOME = replace(a_reference(), tax_rates={rate.code: rate for rate in RATES}, tax_country="GB", timezone="Europe/London")


def ask(
    percent: str | None, start: date | None = None, end: date | None = None, country: str = "GB"
) -> tuple[object, ...]:
    """whole, partly, decided."""
    rate = None if percent is None else Decimal(percent)
    found = tax_candidates(HOME, country=country, percent=rate, start=start, end=end)
    return found.whole, found.partly, found.decided


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (("20", date(2011, 1, 4)), (("S20",), (), "S20")),
        # A day earlier the code did not exist; an open start is earlier still.
        (("20", date(2011, 1, 3)), ((), ("S20",), "")),
        (("20",), ((), ("S20",), "")),
        (("17.5", date(2010, 12, 1), date(2011, 1, 4)), (("S17",), (), "S17")),
        # The code has a hole in the middle: both ends fit, the middle does not.
        (("17.5", date(2008, 1, 1), date(2011, 1, 4)), ((), ("S17",), "")),
        (("17.50", date(2010, 12, 1), date(2011, 1, 4)), (("S17",), (), "S17")),
        # Two codes of one rate: a person decides.
        (("5", date(2012, 1, 1)), (("R5", "R5B"), (), "")),
        (("5", date(2009, 1, 1)), (("R5",), ("R5B",), "R5")),
        # Two codes, each for a part of the time.
        (("7", date(2010, 1, 1), date(2012, 1, 1)), ((), ("A1", "A2"), "")),
        # 0 % means export, exempt, zero-rated and more.
        (("0", date(2012, 1, 1)), (("Z",), (), "")),
        # Amounts a piece and taxes on taxes mean no rate by themselves.
        (("10", date(2012, 1, 1)), ((), (), "")),
        (("16", date(2012, 1, 1)), ((), (), "")),
        ((None, date(2012, 1, 1)), ((), (), "")),
    ],
)
def test_only_one_code_over_the_whole_period_decides(
    row: tuple[str | None, date], expected: tuple[object, ...]
) -> None:
    """Everything else is listed."""
    assert ask(*row) == expected


@pytest.mark.parametrize("country", ["DE", "*", "", "IE"])
def test_other_countries_are_never_filled_in(country: str) -> None:
    """A German 20 % is no British code, whatever the number; the candidates are shown all the same."""
    assert ask("20", date(2011, 1, 4), country=country) == (("S20",), (), "")


def test_without_a_tax_country_nothing_is_filled_in() -> None:
    """No environment, no home."""
    nowhere = replace(HOME, tax_country="")
    assert tax_candidates(nowhere, country="", percent=Decimal(20), start=date(2012, 1, 1), end=None).decided == ""


def test_days_are_those_of_the_enterprise() -> None:
    """Midnight in London is the evening before in UTC while summer time lasts."""
    summer = datetime(2010, 6, 30, 23, tzinfo=UTC)
    rate = TaxRate("X", "VAT", Strategy.RELATIVE, Decimal("0.3"), validity=(Validity(summer, None),))
    there = replace(HOME, tax_rates={"X": rate})
    assert tax_candidates(there, country="GB", percent=Decimal(30), start=date(2010, 7, 1), end=None).decided == "X"
    assert tax_candidates(there, country="GB", percent=Decimal(30), start=date(2010, 6, 30), end=None).decided == ""


def test_a_code_of_part_of_the_time_is_marked() -> None:
    """In the comment column."""
    found = tax_candidates(HOME, country="GB", percent=Decimal(5), start=date(2009, 1, 1), end=None)
    assert found.comment == "R5 R5B (not all the time)"


def test_mews_names_countries_by_three_letters() -> None:
    """CountryCode of a tax environment is alpha-3; taxes.csv has alpha-2."""
    environments = [{"Code": "UK", "CountryCode": "GBR"}, {"Code": "DE", "CountryCode": "DEU"}]
    assert tax_country("UK", environments) == "GB"
    assert tax_country("XX", environments) == ""
    assert tax_country("UK", [{"Code": "UK", "CountryCode": "GB"}]) == ""
