"""How a file writes numbers and dates: decided over all of its cells, with the evidence, or refused."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import InputError
from etl.model.export import DATE, NUMBER
from etl.model.place import Place
from etl.reading.dates import DateShape
from etl.reading.style import LONGEST_NUMBER, NumberStyle, Seen, Shape, Style, Tally, dissect, shape_of

GROUPS = ("", "'", "\u00a0", "\u202f", " ")


def tally(amounts: Iterable[str] = (), dates: Iterable[str] = ()) -> Tally:
    """A file with these cells in one column of amounts and one of dates."""
    found, seen = Tally(), {"price": Seen("price", is_date=False), "day": Seen("day", is_date=True)}
    for column, cells in (("price", amounts), ("day", dates)):
        for row, cell in enumerate(cells, 2):
            found.count(seen[column], cell, Place("a.csv"), row)
    for one in seen.values():
        found.fold(one)
    return found


def style(amounts: Iterable[str] = (), dates: Iterable[str] = ()) -> Style:
    return tally(amounts, dates).style("a.csv")


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("12", Shape.PLAIN),
        ("12.50", Shape.POINT),
        ("12,50", Shape.COMMA),
        ("1.234", Shape.MAYBE_POINT),
        ("1,234", Shape.MAYBE_COMMA),
        ("0.234", Shape.POINT),
        ("0,234", Shape.COMMA),
        ("1234.567", Shape.POINT),
        ("1.234,50", Shape.COMMA),
        ("1,234.50", Shape.POINT),
        ("1.234.567", Shape.COMMA),
        ("1,234,567", Shape.POINT),
        ("0.234.567", Shape.BAD),
        ("1.23.456", Shape.BAD),
        ("1,23,456", Shape.BAD),
        ("1.234,567,890", Shape.BAD),
        ("01.234,5", Shape.BAD),
        ("1..2", Shape.BAD),
        ("12.", Shape.BAD),
    ],
)
def test_what_separators_tell(text: str, shape: Shape) -> None:
    """Three digits behind one separator are the one case that a number alone leaves open."""
    assert shape_of(text) is shape


@given(
    st.decimals("-99999999", "99999999", places=2, allow_nan=False),
    st.sampled_from(GROUPS),
    st.sampled_from([".", ","]),
    st.sampled_from(["", "£", "EUR ", "kr "]),
)
def test_numbers_are_taken_apart_whatever_stands_around_them(
    amount: Decimal, group: str, separator: str, symbol: str
) -> None:
    """Sign, groups, symbol: the digits and the separator are what was written."""
    text = f"{abs(amount):,.2f}".replace(",", "g").replace(".", separator).replace("g", group)
    found = dissect(f"{'-' if amount < 0 else ''}{symbol}{text}")
    assert found is not None
    assert found.shape is (Shape.POINT if separator == "." else Shape.COMMA)
    assert Decimal(found.digits.replace(",", ".")) == abs(amount)
    assert found.negative == (amount < 0)
    assert found.symbols == ((symbol.strip(),) if symbol else ())


@pytest.mark.parametrize("text", ["", "-", "£", "abc", "1 2", "1 234 56", "£1.00€", "1e5", "1.00.", "١٢", "(5.00)"])
def test_what_is_no_number(text: str) -> None:
    """Two symbols, groups of other sizes, other scripts' digits: no style makes them one."""
    assert dissect(text) is None


def test_a_number_has_a_length() -> None:
    """A gigabyte of digits is no amount, and is not looked at."""
    assert dissect("1" * LONGEST_NUMBER) is not None
    assert dissect("1" * (LONGEST_NUMBER + 1)) is None


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1,234", "5.00"], NumberStyle.POINT),
        (["1.234", "5,00"], NumberStyle.COMMA),
        (["1,234", "1.234", "7.5", "8.25", "9,5"], NumberStyle.POINT),
        (["1.5", "2,5", "3,25"], NumberStyle.COMMA),
        (["12", "0"], NumberStyle.NONE),
        ([], NumberStyle.NONE),
        ([f"{NUMBER}1.234", "1.234"], NumberStyle.NONE),
    ],
)
def test_the_whole_file_decides(cells: list[str], numbers: NumberStyle) -> None:
    """One decisive cell settles all ambiguous ones, the larger number wins; number cells of a workbook need no style."""
    assert style(cells).numbers is numbers


@pytest.mark.parametrize("cells", [["1.234"], ["1,234", "12"], ["1.5", "1,5"]])
def test_nothing_decides(cells: list[str]) -> None:
    """A guess would be a factor of a thousand: the file is refused with what was met and what to do."""
    with pytest.raises(InputError) as caught:
        style(cells)
    assert caught.value.code == "input.ambiguous"
    assert repr(cells[0]) in caught.value.message
    assert "row 2, column price" in caught.value.message
    assert "two decimals" in caught.value.hint


def test_the_evidence_is_kept() -> None:
    """How many of each shape, and the first of them with its place."""
    found = style(["1.50", "2.50", "1,234", "7"]).number_evidence
    assert [(one.shape, one.count, one.example, one.place.row) for one in found] == [
        ("decimal point", 2, "1.50", 2),
        ("1,234", 1, "1,234", 4),
        ("no separator", 1, "7", 5),
    ]


@pytest.mark.parametrize(
    ("cells", "day_first"),
    [
        (["03/04/2010", "25/12/2010"], True),
        (["03/04/2010", "12/25/2010"], False),
        (["2010-04-03"], None),
        (["03/04/2010", "2010-04-03", "2010-04-04"], None),
        (["25/12/2010", "26/12/2010", "12/25/2010"], True),
    ],
)
def test_dates(cells: list[str], day_first: bool | None) -> None:
    """A thirteenth month tells; among dates of one reading a few ambiguous ones block their own orders only."""
    assert style(dates=cells).day_first is day_first


def test_dates_that_nothing_decides() -> None:
    """Half of the file is a month off, and nobody knows which half."""
    with pytest.raises(InputError, match="dates"):
        style(dates=["03/04/2010", "05/06/2010"])
    assert tally(dates=["03/04/2010"]).style("a.csv", are_dates_decided=True).day_first is None


def test_days_that_a_spreadsheet_took_for_months() -> None:
    """Texts of days after the twelfth beside date cells of days up to it: told, with one of each."""
    cells = [f"{DATE}2011-05-03 00:00:00", "14/03/2011", "25/03/2011"]
    words = tally(dates=cells).swapped()
    assert "'14/03/2011'" in words
    assert "row 2" in words
    assert tally(dates=[*cells, f"{DATE}2011-05-25 00:00:00"]).swapped() == ""
    assert tally(dates=cells[1:]).swapped() == ""


@given(st.lists(st.sampled_from(["1.50", "2,50", "1.234", "7", "x", f"{NUMBER}3.25"]), max_size=30))
def test_counting_twice_is_counting_all(cells: list[str]) -> None:
    """Cells met again are counted through the column's memory, to the same sums."""
    once = tally(cells).counts
    by_shape: dict[str, int] = {}
    for cell in cells:
        for shape, count in tally([cell]).counts.items():
            by_shape[shape] = by_shape.get(shape, 0) + count
    assert once == by_shape
    assert set(once) <= {*(shape.value for shape in Shape), *(shape.value for shape in DateShape), "number cell"}


def test_the_evidence_of_dates_names_only_what_is_in_the_file() -> None:
    """A day of the same number as its month is a date like others; no date is shown that nobody wrote."""
    found = style(dates=["13/03/2011", "05/06/2011", "04/04/2011", "08/08/2011"])
    assert found.dates == "day/month/year"
    shown = {item.shape: (item.count, item.example) for item in found.date_evidence}
    assert shown == {
        "day/month/year": (1, "13/03/2011"),
        "day and month may be changed round": (1, "05/06/2011"),
        "day and month are one number": (2, "04/04/2011"),
    }
