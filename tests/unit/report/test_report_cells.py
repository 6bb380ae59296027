from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest

from etl.report.cells import CsvRows, amount_text, printable, safe_cell


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+SUM(A1)",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "＝1",
        "-A1",
        "+ABC1",
        "--1",
    ],
)
def test_what_a_spreadsheet_would_run_is_neutralised(text: str) -> None:
    """A cell of the export must not run as a formula on the accountant's machine."""
    assert safe_cell(text) == "'" + text


@pytest.mark.parametrize(
    "text",
    ["-12.50", "+3", "-1.234,50", "-£5.00", "-12,5 %", "-12.50 GBP", "- 4", "-1\u202f234,00", "-1.5E-7", "+44 20 7946"],
)
def test_signed_numbers_stay_numbers(text: str) -> None:
    """A return's negative amount must come back as the same number when it is fed again."""
    assert safe_cell(text) == text


@pytest.mark.parametrize("text", ["", "Smith", "a=b", "12", "'quoted", " plain"])
def test_ordinary_texts_are_untouched(text: str) -> None:
    """Neutralising must not change what is harmless."""
    assert safe_cell(text) == text


@pytest.mark.parametrize(
    ("amount", "precision", "text"),
    [
        ("1.5", 2, "1.50"),
        ("1.505", 2, "1.505"),
        ("-0.00", 2, "0.00"),
        ("1E+3", 2, "1000.00"),
        ("1234", 0, "1234"),
        ("-5", 2, "-5.00"),
        ("12.34", 0, "12.34"),
        ("0", 3, "0.000"),
        ("1E-7", 2, "0.0000001"),
        ("-0.05", 2, "-0.05"),
    ],
)
def test_amounts_are_exact_at_the_currencys_precision(amount: str, precision: int, text: str) -> None:
    """orders.csv is the exact record: no exponent, no cut digit, no negative zero."""
    assert amount_text(Decimal(amount), precision) == text


def test_no_amount_is_an_empty_cell() -> None:
    """An unreadable total must not look like zero."""
    assert amount_text(None, 2) == ""


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_newlines_in_cells_never_end_a_row(newline: str) -> None:
    """A message with a lone carriage return must not split its row for the program that reads the file."""
    stream = io.StringIO(newline="")
    rows = CsvRows(stream, delimiter=";", newline=newline)
    cells = [["a;b", 'say "x"', "one\rtwo"], ["one\ntwo", "one\r\ntwo", ""], ["plain", "", "x"]]
    for row in cells:
        rows.write(row)
    stream.seek(0)
    assert list(csv.reader(stream, delimiter=";")) == cells


def test_half_characters_are_replaced() -> None:
    """A lone surrogate out of a JSON export must not make the report impossible to write."""
    assert printable("a\ud800b").encode() == "a\ufffdb".encode()
