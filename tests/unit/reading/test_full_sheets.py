"""A sheet that is full to the last row that its format has was perhaps cut there: a clerk wants to hear it."""

from __future__ import annotations

from pathlib import Path

import pytest
from workbooks import by_hand, inline, notices_of, xlwt

XLS_ROWS, XLSX_ROWS = 65_536, 1_048_576


def old(path: Path, last: int) -> Path:
    """An .xls of rows 1 to `last`."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("Orders")
    sheet.write(0, 0, "orderNumber")
    for row in range(1, last):
        sheet.write(row, 0, row)
    book.save(str(path))
    return path


def new(path: Path, last: int) -> Path:
    """An .xlsx of rows 1 to `last`."""
    rows = (f'<row r="{row}"><c r="A{row}"><v>{row}</v></c></row>' for row in range(2, last + 1))
    return by_hand(path, f'<row r="1">{inline("A1", "orderNumber")}</row>' + "".join(rows))


def test_a_full_xls_is_told(tmp_path: Path) -> None:
    """All 65,536 rows."""
    told = notices_of(old(tmp_path / "x.xls", XLS_ROWS))
    assert "full to row 65536" in told
    assert "may be missing" in told


@pytest.mark.slow
def test_an_xls_with_room_left_is_not(tmp_path: Path) -> None:
    """One row less."""
    assert "full to row" not in notices_of(old(tmp_path / "x.xls", XLS_ROWS - 1))


@pytest.mark.slow
def test_a_full_xlsx_is_told(tmp_path: Path) -> None:
    """All 1,048,576 rows."""
    assert "full to row 1048576" in notices_of(new(tmp_path / "x.xlsx", XLSX_ROWS))


def test_an_xlsx_that_ends_where_an_xls_does_is_told(tmp_path: Path) -> None:
    """The rows were brought over from the old format, which had no more."""
    assert "65,536" in notices_of(new(tmp_path / "x.xlsx", XLS_ROWS))


@pytest.mark.parametrize(("lines", "is_told"), [(XLS_ROWS, True), (XLS_ROWS - 1, False), (XLS_ROWS + 1, False)])
def test_a_csv_that_a_spreadsheet_may_have_cut_is_told(tmp_path: Path, lines: int, is_told: bool) -> None:
    """It was opened in a spreadsheet program, and saved: exactly so many rows, cells of two lines not counted twice."""
    rows = [f"{row},x" for row in range(1, lines - 1)]
    text = "\n".join(["orderNumber,comment", '9999999,"a\nb"', *rows]) + "\n"
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    assert ("exactly 65,536 rows" in notices_of(tmp_path / "x.csv")) == is_told
