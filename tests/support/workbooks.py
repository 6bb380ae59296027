"""Workbooks for tests, written by independent writers or by hand."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import openpyxl
import xlsxwriter
import xlwt

from etl.model.export import Table
from etl.reading.identify import open_export
from etl.reading.options import ReadOptions

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT_REL = "http://purl.oclc.org/ooxml/officeDocument/relationships"
ODS_MIME = "application/vnd.oasis.opendocument.spreadsheet"


def is_header(cells: Sequence[str]) -> bool:
    """Whether a row names an order number."""
    return "orderNumber" in cells


def tables(path: Path, *sheets: str) -> list[Table]:
    """The tables of a workbook."""
    found = open_export(path, is_header, ReadOptions(sheets=sheets))
    assert all(isinstance(table, Table) for table in found)
    return [table for table in found if isinstance(table, Table)]


def rows_of(path: Path, *sheets: str) -> list[tuple[int, list[str]]]:
    """All rows of all tables of a workbook, which is closed then."""
    rows = []
    found = tables(path, *sheets)
    try:
        for table in found:
            rows += list(table.rows)
    finally:
        for table in found:
            table.close()
    return rows


def notices_of(path: Path, *sheets: str) -> str:
    """What is told of a workbook once it is read."""
    told = []
    for table in tables(path, *sheets):
        list(table.rows)
        told += [*table.notices, *table.remarks()]
        table.close()
    return "\n".join(told)


def by_openpyxl(path: Path, *sheets: tuple[str, list[list[object]]]) -> openpyxl.Workbook:
    """A workbook of openpyxl's."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return book


def by_hand(
    path: Path,
    rows: str,
    *,
    strict: bool = False,
    prefix: str = "",
    styles: str = "",
    strings: str = "",
    after: str = "",
    book: str = "",
    encoding: str = "UTF-8",
) -> Path:
    """An .xlsx package around the XML of its rows, as no library would write it."""
    main, rel = (STRICT, STRICT_REL) if strict else (MAIN, REL)
    mark = f"{prefix}:" if prefix else ""
    space = f'xmlns:{prefix}="{main}"' if prefix else f'xmlns="{main}"'
    sheet = (
        f'<?xml version="1.0" encoding="{encoding}"?><{mark}worksheet {space}><{mark}sheetData>{rows}'
        f"</{mark}sheetData>{after}</{mark}worksheet>"
    )
    parts = {
        "_rels/.rels": _rels((f"{rel}/officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": (
            f'<workbook xmlns="{main}" xmlns:r="{rel}">{book}<sheets>'
            '<sheet name="Orders" sheetId="1" r:id="rId1"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": _rels(
            (f"{rel}/worksheet", "worksheets/sheet1.xml"),
            (f"{rel}/styles", "styles.xml"),
            (f"{rel}/sharedStrings", "sharedStrings.xml"),
        ),
        "xl/styles.xml": f'<styleSheet xmlns="{main}">{styles}</styleSheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{main}">{strings}</sst>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        archive.writestr("xl/worksheets/sheet1.xml", sheet.encode(encoding))
    return path


def xlsb(
    path: Path, cells: Sequence[tuple[int, bytes]], *, formats: Sequence[str] = (), strings: Sequence[str] = ()
) -> Path:
    """A hand-made .xlsb of the records of its one sheet; style 0 is General, style n has the n-th of `formats`."""
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    bundle = struct.pack("<II", 0, 1) + wide("rId1") + wide("Orders")
    styles = [(615, struct.pack("<I", len(formats)))]
    styles += [(44, struct.pack("<H", 164 + index) + wide(code)) for index, code in enumerate(formats)]
    xfs = [0, *(164 + index for index in range(len(formats)))]
    styles += [(616, b""), (617, struct.pack("<I", len(xfs)))]
    styles += [(47, struct.pack("<HHHHHH", 0, code, 0, 0, 0, 0) + bytes(4)) for code in xfs] + [(618, b"")]
    texts = [(159, struct.pack("<II", len(strings), len(strings))), *((19, b"\0" + wide(text)) for text in strings)]
    parts = {
        "_rels/.rels": _rels((f"{rel}/officeDocument", "xl/workbook.bin")).encode(),
        "xl/_rels/workbook.bin.rels": _rels(
            (f"{rel}/worksheet", "worksheets/sheet1.bin"),
            (f"{rel}/styles", "styles.bin"),
            (f"{rel}/sharedStrings", "sharedStrings.bin"),
        ).encode(),
        "xl/workbook.bin": _records(
            [(131, b""), (153, bytes(8) + wide("")), (143, b""), (156, bundle), (144, b""), (132, b"")]
        ),
        "xl/styles.bin": _records([(278, b""), *styles, (279, b"")]),
        "xl/sharedStrings.bin": _records([*texts, (160, b"")]),
        "xl/worksheets/sheet1.bin": _records(
            [(129, b""), (148, struct.pack("<IIII", 0, 99, 0, 9)), (145, b""), *cells, (146, b""), (130, b"")]
        ),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def xlsb_row(row: int, *, is_hidden: bool = False) -> tuple[int, bytes]:
    """The head of a row counted from 1."""
    return 0, struct.pack("<IIHBB", row - 1, 0, 300, 0, 0x10 if is_hidden else 0) + bytes(5)


def xlsb_cell(kind: int, column: int, data: bytes, style: int = 0) -> tuple[int, bytes]:
    """A cell in a column counted from 0."""
    return kind, struct.pack("<II", column, style) + data


def wide(text: str) -> bytes:
    """A counted text."""
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def _records(records: Sequence[tuple[int, bytes]]) -> bytes:
    out = bytearray()
    for kind, data in records:
        out += bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
        length = len(data)
        while length >= 0x80:
            out.append(length & 0x7F | 0x80)
            length >>= 7
        out.append(length)
        out += data
    return bytes(out)


def _rels(*relations: tuple[str, str]) -> str:
    found = "".join(
        f'<Relationship Id="rId{index}" Type="{kind}" Target="{target}"/>'
        for index, (kind, target) in enumerate(relations, 1)
    )
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{found}</Relationships>'
    )


def inline(reference: str, text: str) -> str:
    """A cell with a text of its own."""
    return f'<c r="{reference}" t="inlineStr"><is><t>{escape(text)}</t></is></c>'


def ods_cell(text: str = "", kind: str = "string", value: str = "", more: str = "") -> str:
    """A cell of an OpenDocument table; `value` is its value attribute."""
    name = {"date": "date-value", "boolean": "boolean-value", "time": "time-value"}.get(kind, "value")
    given = f' office:{name}="{value}"' if value else ""
    typed = f' office:value-type="{kind}"' if kind else ""
    shown = f"<text:p>{text}</text:p>" if text else ""
    return f"<table:table-cell{typed}{given}{more}>{shown}</table:table-cell>"


def ods(path: Path, *tables_: tuple[str, str], styles: str = "") -> Path:
    """An .ods file of (name, XML of rows)."""
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text", "style")
    )
    calc = 'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
    body = "".join(f"<table:table {head}>{rows}</table:table>" for head, rows in tables_)
    content = (
        f"<office:document-content {spaces} {calc}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:spreadsheet>{body}</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", ODS_MIME, zipfile.ZIP_STORED)
        archive.writestr("content.xml", content)
    return path


__all__ = ["by_hand", "by_openpyxl", "inline", "is_header", "ods", "ods_cell", "tables", "xlsxwriter", "xlwt"]
