"""Every row of a workbook and every object of a JSON file is counted a second time; what a reader loses is noticed."""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workbooks import (
    by_hand,
    by_openpyxl,
    inline,
    is_header,
    notices_of,
    ods,
    ods_cell,
    rows_of,
    tables,
    wide,
    xlsb,
    xlsb_cell,
    xlsb_row,
    xlsxwriter,
    xlwt,
)

from etl.errors import InputError, InternalError
from etl.model.export import Records
from etl.reading import json_text, ods_file, xls_file, xlsb_file, xlsx_rows
from etl.reading.identify import open_export
from etl.reading.json_text import count_objects
from etl.reading.row_scan import BinaryRows, Held, OpenDocumentRows, OpenXmlRows, RowScan

AGAIN = "counted a second way"


def strict(path: Path) -> None:
    rows = f'<row r="1">{inline("A1", "orderNumber")}</row><row r="3"><c r="A3"><v>1</v></c></row><row r="4"/>'
    for name in ("row", "c", "v", "is", "t"):
        rows = (
            rows.replace(f"<{name} ", f"<x:{name} ")
            .replace(f"<{name}>", f"<x:{name}>")
            .replace(f"</{name}>", f"</x:{name}>")
        )
    by_hand(path, rows, strict=True, prefix="x")


def open_xml(path: Path) -> None:
    by_openpyxl(path, ("Orders", [["orderNumber", "price"], [1, 2.5], [], ["", None], [2, "x"]]))


def streamed(path: Path) -> None:
    book = xlsxwriter.Workbook(path, {"constant_memory": True})
    sheet = book.add_worksheet()
    for at, cells in enumerate([["orderNumber", "price"], ["1", ""], ["", ""], [" ", "x"]]):
        sheet.write_row(at, 0, cells)
    sheet.write_formula(4, 0, '=""', None, "")
    book.close()


def old(path: Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Orders")
    for at, cells in enumerate([["orderNumber", "price"], [1, 2.5], ["", ""], [True, "x"], ["2", ""]]):
        for column, value in enumerate(cells):
            sheet.write(at, column, value)
    book.save(str(path))


def open_document(path: Path) -> None:
    row = "<table:table-row{}>{}</table:table-row>".format
    note = "<office:annotation><text:p>a note</text:p></office:annotation>"
    rows = [
        row("", ods_cell("orderNumber") + ods_cell("price")),
        row(' table:number-rows-repeated="3"', ods_cell("1", "float", "1")),
        row(' table:number-rows-repeated="1000"', ods_cell("", "", more=' table:number-columns-repeated="9"')),
        row("", f"<table:table-cell>{note}</table:table-cell>"),
        "<table:table-row/>",
        row("", ods_cell("2")),
    ]
    ods(path, ('table:name="Notes"', row("", ods_cell("x"))), ('table:name="Orders"', "".join(rows)))


def binary(path: Path) -> None:
    head = [xlsb_row(1), xlsb_cell(6, 0, wide("orderNumber"))]
    rows = [xlsb_row(2), xlsb_cell(2, 0, struct.pack("<I", 7 << 2 | 2)), xlsb_row(5), xlsb_cell(1, 0, b"")]
    xlsb(path, [*head, *rows, xlsb_row(6), xlsb_cell(6, 0, wide("")), xlsb_row(7), xlsb_cell(6, 0, wide("8"))])


WRITERS: dict[str, Callable[[Path], None]] = {
    "strict.xlsx": strict, "plain.xlsx": open_xml, "streamed.xlsx": streamed, "old.xls": old,
    "open.ods": open_document, "binary.xlsb": binary,
}  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
def test_a_second_count_agrees_and_is_told(tmp_path: Path, name: str) -> None:
    """Empty rows, rows of empty texts, repeated rows, notes: the two counts mean the same."""
    WRITERS[name](tmp_path / name)
    assert rows_of(tmp_path / name)
    assert AGAIN in notices_of(tmp_path / name)


def loses_one(rows: Callable[..., Iterator[tuple[int, list[str]]]]) -> Callable[..., Iterator[tuple[int, list[str]]]]:
    """A reader that loses the second row that it gives."""
    return lambda *given: (row for at, row in enumerate(rows(*given)) if at != 1)


@pytest.mark.parametrize("name", WRITERS)
def test_a_row_that_a_reader_loses_is_an_error(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the format: a sentence with both counts instead of an order less."""
    WRITERS[name](tmp_path / name)
    for reader, method in (
        (xlsx_rows.SheetReader, "rows"),
        (ods_file.OdsBook, "_rows"),
        (xls_file.XlsBook, "_rows"),
        (xlsb_file.XlsbBook, "_rows"),
    ):
        monkeypatch.setattr(reader, method, loses_one(getattr(reader, method)))
    with pytest.raises(InputError) as caught:
        rows_of(tmp_path / name)
    assert "rows, and" in caught.value.message


@pytest.mark.parametrize("name", WRITERS)
def test_a_workbook_that_changes_while_it_is_read_is_noticed(tmp_path: Path, name: str) -> None:
    """Somebody saves it in the meantime: what was read is neither the old nor the new."""
    WRITERS[name](tmp_path / name)
    (table,) = tables(tmp_path / name, *(["Orders"] if name == "open.ods" else []))
    next(table.rows)
    os.utime(tmp_path / name, (1, 1))
    with pytest.raises(InputError) as caught:
        list(table.rows)
    table.close()
    assert "changed while it was read" in caught.value.message


SHEET = b"""<worksheet><cols><col min="1"/></cols><sheetData><row r="1"><c t="s"><v>0</v></c></row><row r="2"/>
<row r="3"><c r="A3"><v>5</v></c></row><row><c r="A4" s="1"/></row></sheetData><rowBreaks/><x:row>9</x:row></worksheet>"""
TABLES = b"""<table:table a="1>0"><table:table-row/></table:table><table:table><table:table-row><table:table-cell
office:value-type="float" office:value="1"><office:annotation><text:p>n</text:p></office:annotation></table:table-cell>
</table:table-row><table:table-row table:number-rows-repeated="4"><table:table-cell/></table:table-row></table:table>"""
RECORDS = bytes([0x91, 1, 0, 0, 2, 0, 0, 2, 1, 9, 0, 1, 7, 1, 1, 9, 0, 0, 0x92, 1, 0, 0x82, 1, 0])


@pytest.mark.parametrize("size", [1, 2, 7, 64, 4096])
@pytest.mark.parametrize(
    ("make", "data", "held"),
    [
        (OpenXmlRows, SHEET, Held(4, 0, 2)),
        (lambda: OpenXmlRows(is_thorough=True), SHEET, Held(4, 1, 2)),
        (lambda: OpenDocumentRows(1), TABLES, Held(5, 1, 1)),
        (BinaryRows, RECORDS, Held(3, 1, 1)),
    ],
)
def test_a_scan_is_the_same_in_pieces_of_any_size(
    make: Callable[[], RowScan], data: bytes, held: Held, size: int
) -> None:
    """Tags, records and rows are cut anywhere."""
    scan = make()
    for at in range(0, len(data), size):
        scan.take(data[at : at + size])
    assert scan.held() == held


def test_what_can_not_be_counted_is_no_disagreement(tmp_path: Path) -> None:
    """A comment may hold anything: the rows are read, and no second count is claimed."""
    rows = f'<row r="1">{inline("A1", "orderNumber")}</row><!-- <row r="2"/> --><row r="3"><c r="A3"><v>1</v></c></row>'
    path = by_hand(tmp_path / "x.xlsx", rows)
    assert [row for row, _ in rows_of(path)] == [3]
    assert AGAIN not in notices_of(path)


def json_rows(path: Path) -> list[int]:
    """The numbers of a JSON file's objects."""
    (records,) = open_export(path, is_header)
    assert isinstance(records, Records)
    try:
        return [number for number, _ in records.records]
    finally:
        records.close()


ORDERS = [{"orderNumber": at, "comment": 'a { brace "quoted" \\', "products": [{"sku": "{{"}]} for at in range(1, 2000)]


def test_json_objects_are_counted_by_their_braces(tmp_path: Path) -> None:
    """Braces in texts are none; pieces may end anywhere."""
    text = json.dumps(ORDERS)
    assert count_objects(io.StringIO(text)) == 2 * len(ORDERS)
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    assert json_rows(tmp_path / "x.json") == list(range(1, 2000))


def test_a_json_object_that_is_lost_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that forgets an object."""
    (tmp_path / "x.json").write_text(json.dumps(ORDERS[:3]), encoding="utf-8")
    value = json_text.JsonText.value
    monkeypatch.setattr(json_text.JsonText, "value", lambda self: (value(self), setattr(self, "objects", 1))[0])
    with pytest.raises(InternalError) as caught:
        json_rows(tmp_path / "x.json")
    assert "holds 6 objects" in caught.value.message


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_of_json_are_counted(tmp_path: Path, newline: str) -> None:
    """One object a line, with empty lines between and without a last line end."""
    lines = [json.dumps({"orderNumber": 1}), "", json.dumps({"orderNumber": 2}), "{", json.dumps({"orderNumber": 3})]
    (tmp_path / "x.ndjson").write_text(newline.join(lines), encoding="utf-8", newline="")
    assert json_rows(tmp_path / "x.ndjson") == [1, 3, 4, 5]
