"""What a person sees of a number: dates, percentages, leading zeros and texts in a format, and what is hidden."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.model.export import BROKEN, DATE, NUMBER, plain, stored
from etl.reading.number_format import BUILT_IN, NumberFormat


@pytest.mark.parametrize(
    ("code", "value", "held", "seen"),
    [
        ("General", 22469, "22469", "22469"),
        ("@", 22469.5, "22469.5", "22469.5"),
        ("0000000", 22469, "22469", "0022469"),
        ('"M-"0', 22, "22", "M-22"),
        (r"\M\-0", 22, "22", "M-22"),
        ("000-00-0000", 123456789, "123456789", "123-45-6789"),
        ("0", 4.256, "4.256", "4"),
        ("0", 4.5, "4.5", "5"),
        ("0.00", 4.2, "4.2", "4.20"),
        ("#,##0.00", 1234567.891, "1234567.891", "1,234,567.89"),
        ("#,##0", 999, "999", "999"),
        ("#,", 1234567, "1234567", "1235"),
        ("0.00;[Red]-0.00", -3.5, "-3.5", "-3.50"),
        ("#,##0.00_);(#,##0.00)", -3.5, "-3.5", "(3.50)"),
        ("[>=100]0;0.0", 5.25, "5.25", "5.3"),
        (";;;", 5, "5", ""),
        ("0%", 0.2, "20%", "20%"),
        ("0%", 0.175, "17.5%", "18%"),
        ('0.0" of "%', 0.175, "17.5%", "17.5 of %"),
        ("0.00E+00", 5012345678900, "5012345678900", "5.01E+12"),
        ("# ?/?", 1.5, "1.5", "1.5"),
        # Letters of dates in currencies, colours and quotes make no date.
        ("[$USD] #,##0.00", 4.25, "4.25", "USD 4.25"),
        ("#,##0.00 [$Dkr.]", 4.25, "4.25", "4.25 Dkr."),
        ('0.00" days"', 4.25, "4.25", "4.25 days"),
        ("[Red]0.00", 4.25, "4.25", "4.25"),
        ('General" pcs"', 4.25, "4.25", "4.25 pcs"),
        ("General", 9.949999999999999, "9.95", "9.95"),
        ("General", 0.00001, "0.00001", "0.00001"),
    ],
)
def test_a_number_keeps_what_it_holds_and_tells_what_is_seen(code: str, value: float, held: str, seen: str) -> None:
    """Both the stored literal, at 15 digits, and the text under the format."""
    cell = NumberFormat(code).cell(value)
    assert cell[:1] not in (DATE, BROKEN)
    assert (stored(cell), plain(cell)) == (held, seen)


@pytest.mark.parametrize(
    ("code", "value", "held", "seen"),
    [
        ("yyyy-mm-dd hh:mm", 40513.35138888889, "2010-12-01 08:26:00", "2010-12-01 08:26"),
        ("d-mmm", 40887, "2011-12-10 00:00:00", "10-Dec"),
        (BUILT_IN[14], 40513, "2010-12-01 00:00:00", "2010-12-01"),
        ("m/d/yy h:mm AM/PM", 40513.75, "2010-12-01 18:00:00", "12/1/10 6:00 PM"),
        ("dddd, d mmmm yyyy", 40513, "2010-12-01 00:00:00", "Wednesday, 1 December 2010"),
        ("h:mm", 0.425, "10:12:00", "10:12"),
        ("[h]:mm", 1.5, "36:00:00", "36:00"),
        ("d/m/yyyy", 1, "1900-01-01 00:00:00", "1/1/1900"),
        ("d/m/yyyy", 59, "1900-02-28 00:00:00", "28/2/1900"),
        ("d/m/yyyy", 61, "1900-03-01 00:00:00", "1/3/1900"),
    ],
)
def test_a_date_is_a_date(code: str, value: float, held: str, seen: str) -> None:
    """The moment as ISO text, and as the format shows it."""
    cell = NumberFormat(code).cell(value)
    assert cell[0] == DATE
    assert (stored(cell), plain(cell)) == (held, seen)


def test_days_count_from_1904_where_the_workbook_says_so() -> None:
    """The same day is 1,462 less."""
    new = NumberFormat("yyyy-mm-dd", is_1904=True).cell(40513 - 1462)
    assert stored(new) == stored(NumberFormat("yyyy-mm-dd").cell(40513))


@pytest.mark.parametrize("value", [-1, 2958466, 60, 0.5])
def test_a_number_that_is_no_date_under_a_date_format_is_no_empty_cell(value: float) -> None:
    """Excel shows ####, a day that never was, or day 0."""
    assert NumberFormat("yyyy-mm-dd").cell(value)[0] == BROKEN


@given(st.decimals(-(10**9), 10**9, places=2, allow_nan=False), st.sampled_from(list(BUILT_IN.values())))
def test_no_format_changes_what_a_cell_holds(amount: Decimal, code: str) -> None:
    """Whatever is shown, the amount is the stored value to the cent; a percentage is a hundredfold."""
    cell = NumberFormat(code).cell(float(amount))
    if cell[:1] in (DATE, BROKEN):
        return
    held = stored(cell)
    assert Decimal(held.rstrip("%")) == amount * (100 if "%" in held else 1)


@given(st.text(max_size=40), st.floats(allow_nan=False, allow_infinity=False))
def test_any_format_gives_a_cell(code: str, value: float) -> None:
    """A damaged or unknown format never ends the reading."""
    assert NumberFormat(code).cell(value)


def test_whole_numbers_need_no_mark() -> None:
    """The commonest cells stay plain digits; so do those whose format shows nothing else."""
    assert NumberFormat("0").cell(17850.0) == "17850"
    assert NumberFormat("#,##0").cell(999.0) == "999"
    assert NumberFormat("").cell(2.5) == f"{NUMBER}2.5"
