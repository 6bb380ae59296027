"""What is taken of a workbook's number, and when its format is told to show another."""

from __future__ import annotations

import pytest

from etl.model.export import plain
from etl.reading.number_format import NumberFormat
from etl.reading.shown import Role, taken

ACCOUNTING = '_-£* #,##0.00_-;(£* #,##0.00);_-£* "-"??_-;_-@_-'


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (ACCOUNTING, 0.0),
        (ACCOUNTING, 1234.5),
        (ACCOUNTING, -6.0),
        ("0.00", 4.25),
        ("0.00", -4.25),
        ("#,##0.00;[Red]-#,##0.00", -4.25),
        ("0.00E+00", 1250.0),
        ("0.00E+00", 0.0125),
        ("0%", 0.2),
        ('0" pcs"', 3.0),
    ],
)
def test_a_format_that_shows_the_number_is_no_news(code: str, value: float) -> None:
    """Signs, separators, currencies and the dash of a zero hide nothing."""
    _, remarks = taken(NumberFormat(code).cell(value), Role.NUMBER)
    assert [one.message for one in remarks] == []


@pytest.mark.parametrize(
    ("code", "value", "held"),
    [
        ("0.00", 4.2455, "4.2455"),  # 4.25 is seen: two pieces make 8.49, not 8.50
        ("0.00", 4.004, "4.004"),
        ("0", 4.25, "4.25"),
        ("#,##0.00;[Red]#,##0.00", -4.25, "-4.25"),  # the colour alone says that it is negative
        ("0.00;0.00", -4.25, "-4.25"),
        ('0.00;-0.00;"-"', 0.004, "0.004"),
        ("0%", 0.175, "17.5%"),
        ("#,", 1250.0, "1250"),
    ],
)
def test_a_format_that_hides_digits_or_the_sign_is_told(code: str, value: float, held: str) -> None:
    """The amount is what the cell holds, and the clerk, who saw another, learns it."""
    cell, (remark,) = taken(NumberFormat(code).cell(value), Role.NUMBER)
    assert plain(cell) == held
    assert remark.code == "number.hidden"
    assert held in remark.message
