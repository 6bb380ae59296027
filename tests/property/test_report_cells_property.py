from __future__ import annotations

import csv
import io
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from etl.report.cells import CsvRows, amount_text, safe_cell
from etl.report.sheets import _inline
from etl.report.spool import script_safe

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
risky = st.builds(str.__add__, st.sampled_from(list("=+-@\t\r\n ＝")), texts)


@given(risky | texts)
def test_no_cell_starts_a_formula(text: str) -> None:
    """Whatever a shop's customers typed, only a plain signed number may start with a sign."""
    cell = safe_cell(text)
    first = cell.lstrip()[:1]
    assert cell in (text, "'" + text)
    if first and first in "=@＝＋－＠":
        raise AssertionError(cell)
    if first and first in "+-":
        assert not {letter for letter in cell if letter in '()!|*/^&"<>'}


@given(
    st.lists(st.lists(texts, min_size=2, max_size=4), max_size=4),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(",;\t|"),
)
def test_rows_come_back_as_they_went(rows: list[list[str]], newline: str, delimiter: str) -> None:
    """Every dialect that an export may have must bring each cell back whole."""
    stream = io.StringIO(newline="")
    out = CsvRows(stream, delimiter=delimiter, newline=newline)
    for row in rows:
        out.write(row)
    stream.seek(0)
    assert list(csv.reader(stream, delimiter=delimiter)) == rows


@given(st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, places=4), st.integers(0, 4))
def test_no_digit_of_an_amount_is_lost(amount: Decimal, precision: int) -> None:
    """The exact record must read back as the amount that was booked."""
    text = amount_text(amount, precision)
    assert Decimal(text) == amount
    assert len(text.partition(".")[2]) >= precision
    assert "E" not in text
    assert text != "-0"


@given(texts)
def test_embedded_data_never_holds_markup(text: str) -> None:
    """What stands inside a script or sheet element must not be able to end it."""
    assert not set(script_safe(text)) & set("<>&")
    inner = _inline(text).partition(">")[2].removesuffix("</t>")
    assert "<" not in inner
