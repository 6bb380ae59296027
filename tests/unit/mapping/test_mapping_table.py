"""Tables of the mapping folder as spreadsheets and people save them."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.mapping.table import Table, read_table
from etl.model.mapping_tables import TABLES

SPEC = TABLES["products.csv"]
ROWS = [["sku", "A", "eid:A"], ["sku", "Bücher", ""]]


def read(tmp_path: Path, data: str | bytes) -> Table:
    path = tmp_path / "products.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_table(path, SPEC)


def cells(table: Table) -> list[list[str]]:
    return [list(row.cells.values()) for row in table.rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_dialect_gives_the_same_rows(tmp_path: Path, delimiter: str, encoding: str, newline: str) -> None:
    """Nobody should have to know how their spreadsheet saves."""
    lines = [delimiter.join(row) for row in (["key_type", "key", "product"], *ROWS)]
    table = read(tmp_path, newline.join(lines).encode(encoding))
    assert table.faults == ()
    assert cells(table) == ROWS
    assert [row.place.row for row in table.rows] == [2, 3]


def test_comments_and_blank_rows_may_stand_anywhere(tmp_path: Path) -> None:
    """Excel quotes comments and fills them with delimiters; a stray quotation mark in one must swallow no row."""
    table = read(
        tmp_path,
        '# say "hello, world\n"# a, ""b""",,\n\n,,\nkey_type,key,product\n  # sku,A,"\n"#",x,y\n sku , A ,\u00a0eid:A \n;\n#,"\n',
    )
    assert cells(table) == [["sku", "A", "eid:A"], [";", "", ""]]
    assert table.rows[0].place.row == 8


def test_comment_columns_and_trailing_delimiters_are_left_out(tmp_path: Path) -> None:
    """`init` writes an example beside each key, and Excel leaves out or adds trailing delimiters."""
    table = read(tmp_path, "key_type,key,product,# example,,\nsku,A,eid:A,Cup,,\nsku,B\n")
    assert table.faults == ()
    assert cells(table) == [["sku", "A", "eid:A"], ["sku", "B", ""]]


def test_cells_with_delimiters_and_newlines(tmp_path: Path) -> None:
    """Row numbers stay those of the editor behind a cell of two lines."""
    table = read(tmp_path, 'key_type,key,product\nsku,"A, ""x""\nB",\nsku,C,\n')
    assert [row.place.row for row in table.rows] == [2, 4]
    assert table.rows[0].cells["key"] == 'A, "x"\nB'


def test_a_neutralised_formula_is_its_text(tmp_path: Path) -> None:
    """A key written with an apostrophe, so that no spreadsheet runs it, must still meet the export's."""
    table = read(tmp_path, "key_type,key,product\nsku,'=1+1,\nsku,'quoted',\n")
    assert [row.cells["key"] for row in table.rows] == ["=1+1", "'quoted'"]


def test_excels_sep_line(tmp_path: Path) -> None:
    """`sep=;` tells Excel the delimiter and is no header."""
    assert cells(read(tmp_path, "sep=;\nkey_type;key;product\nsku;A;eid:A\n")) == [["sku", "A", "eid:A"]]


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("key_type,key,prodcut\n", 1, "product"),
        ("Key_type,key,product\n", 1, "key_type"),
        ("key_type,key\n", 1, "product"),
        ("key_type,key,key,product\n", 1, "twice"),
        ("key_type,key,product\nsku,A,eid:A,more\n", 2, "more"),
        ("key_type,key,product,\nsku,A,eid:A,more\n", 2, "more"),
        ('key_type,key,product\nsku,"A,eid:A\n', 2, "never closed"),
        ('key_type,key,product\nsku,"A"B,eid:A\n', 2, "twice"),
        ("key_type,key,product\nsku,A\x07,eid:A\n", 2, "control"),
        ("# nothing\n", None, "header"),
        ("", None, "header"),
        (b"PK\x03\x04rest", None, "workbook"),
        (b"key_type,key,product\nsku,A\x00\x00B,\n", None, "NUL"),
    ],
)
def test_a_broken_table_names_the_row(tmp_path: Path, text: str | bytes, row: int | None, expected: str) -> None:
    """What can't be read must be found in the editor, with the word that helps."""
    faults = read(tmp_path, text).faults
    assert any(expected in fault.message and fault.place.row == row for fault in faults), faults


def test_a_folder_in_place_of_a_table(tmp_path: Path) -> None:
    """Reading never raises; what the system says becomes a fault."""
    assert read_table(tmp_path, SPEC).faults
