"""Workbooks (.xlsx, .xls): cells as the person sees them, as text with a mark for numbers and dates."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum

from etl.errors import InputError
from etl.model.export import BROKEN, DATE, NUMBER, HeaderTest, Table, plain, text_cell
from etl.reading.encoding import digest
from etl.reading.options import DEFAULT, ReadOptions

_HEADER_SEARCH = 30
_SHEET_CHUNK = 4 << 20
_LONGEST_EXACT = 10**15
_CELL = re.compile(rb"<(?:\w+:)?c ([^>]*?)(?:/>|>(.*?)</(?:\w+:)?c>)", re.DOTALL)
_VALUE = re.compile(rb"<(?:\w+:)?v[^>]*>([^<]*)</")
_ROW_END = b"row>"
_REF = re.compile(rb'\br="([A-Z]+)(\d+)"')
_STYLE = re.compile(rb'\bs="(\d+)"')
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_PACKAGE = "{http://schemas.openxmlformats.org/package/2006/relationships}"
_PERCENT_FORMATS = {9, 10}
Cell = Any


def read_workbook(path: Path, format_: str, is_header: HeaderTest, options: ReadOptions = DEFAULT) -> Table:
    """The sheet of the workbook that holds orders.

    Rule: the only sheet with an order-number column; others are named in a notice. Raises InputError
    where none or several qualify, or the workbook can't be opened.
    """
    try:
        book = CalamineWorkbook.from_path(str(path))
    except PasswordError as error:
        raise password_error(path) from error
    except (CalamineError, OSError, ValueError) as error:
        raise InputError(
            f"{path} can't be opened as a workbook: {error}.", place=str(path), hint="Open and save it again in Excel."
        ) from error
    name, others = _sheet(path, book, is_header, options.sheets)
    try:
        sheet = book.get_sheet_by_name(name)
    except CalamineError as error:
        raise InputError(f"Sheet {name} of {path} can't be read: {error}.", place=f"{path}, sheet {name}") from error
    left = (sheet.start or (0, 0))[1]
    special = _special_cells(path, name) if format_ == "xlsx" else {}
    rows = _rows(sheet.iter_rows(), left, special)
    header_row, header = _header(rows, is_header)
    notices = []
    if others:
        notices.append(f"{path}: sheet {name} was read; {', '.join(others)} hold no order number and were left out.")
    return Table(
        path=path,
        format=format_,
        size=path.stat().st_size,
        sha256=digest(path),
        columns=tuple(plain(cell).strip() for cell in header),
        rows=rows,
        sheet=name,
        header_row=header_row,
        notices=tuple(notices),
        close=book.close,
    )


def password_error(path: Path) -> InputError:
    """What to say of an encrypted workbook."""
    return InputError(
        f"{path} is protected by a password.",
        code="input.password",
        place=str(path),
        hint="Save a copy without a password and use that.",
    )


def _sheet(path: Path, book: CalamineWorkbook, is_header: HeaderTest, wanted: tuple[str, ...]) -> tuple[str, list[str]]:
    names = [
        sheet.name for sheet in book.sheets_metadata if sheet.typ in (SheetTypeEnum.WorkSheet, SheetTypeEnum.MacroSheet)
    ]
    if wanted:
        names = [name for name in names if name in wanted]
    if len(names) == 1:
        return names[0], []
    having, filled = [], []
    for name in names:
        rows = book.get_sheet_by_name(name).to_python(nrows=_HEADER_SEARCH)
        if rows:
            filled.append(name)
        if any(is_header([_text(cell).strip() for cell in row]) for row in rows):
            having.append(name)
    if len(having) == 1:
        return having[0], [name for name in filled if name != having[0]]
    if not having and len(filled) == 1:
        return filled[0], []
    raise InputError(
        f"{path} has {len(having)} sheets with an order number: {', '.join(having or names)}.",
        place=str(path),
        hint="Keep one sheet with orders in the workbook.",
    )


def _header(rows: Iterator[tuple[int, list[str]]], is_header: HeaderTest) -> tuple[int, list[str]]:
    met: list[tuple[int, list[str]]] = []
    for number, cells in rows:
        if not any(cells):
            continue
        if is_header([cell.strip() for cell in cells]):
            return number, cells
        met.append((number, cells))
        if len(met) >= _HEADER_SEARCH:
            break
    return met[0] if met else (1, [])


def _rows(
    rows: Iterator[list[Cell]], left: int, special: dict[tuple[int, int], str]
) -> Iterator[tuple[int, list[str]]]:
    exact = _Cells()
    marked = {row for row, _ in special}
    for number, values in enumerate(rows, 1):
        cells = [exact[value] if value.__class__ is float else _text(value) for value in values]
        if number in marked:
            for column in range(len(cells)):
                cells[column] = special.get((number, column + left), cells[column])
        yield number, cells


class _Cells(dict[float, str]):
    """Number cells as text, each worked out once."""

    def __missing__(self, value: float) -> str:
        if len(self) > 100_000:
            self.clear()
        text = self[value] = number_text(value)
        return text


def number_text(value: float) -> str:
    """A workbook's double at 15 significant digits, as Excel shows it: plain digits, or NUMBER and a literal."""
    text = format(value, ".15g")
    if "e" in text:
        if value - value != 0:
            return BROKEN + text
        if abs(value) >= _LONGEST_EXACT:
            return NUMBER + text
        text = format(Decimal(text), "f")
    return text if text.isdigit() else NUMBER + text


def _text(value: Cell) -> str:
    match value:
        case str():
            return text_cell(value)
        case bool():
            return "true" if value else "false"
        case int():
            return number_text(value) if abs(value) >= _LONGEST_EXACT or value < 0 else str(value)
        case float():
            return number_text(value)
        case datetime():
            moment = value.replace(microsecond=0) + timedelta(seconds=round(value.microsecond / 1e6))
            return f"{DATE}{moment.isoformat(sep=' ')}"
        case date():
            return f"{DATE}{value.isoformat()} 00:00:00"
        case time() | timedelta():
            return f"{BROKEN}{value}"
        case _:
            return f"{BROKEN}{value}" if value is not None else ""


def _special_cells(path: Path, sheet: str) -> dict[tuple[int, int], str]:
    """Cells that the workbook reader does not tell: errors (`#N/A`) and numbers shown in percent.

    Shape: (row from 1, column from 0) -> cell. An error read as an empty cell would be a value lost in
    silence, and 0.2 shown as 20% a hundredth of the rate.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            part = _sheet_part(archive, sheet)
            if part is None:
                return {}
            return dict(_scan(archive, part, _percent_styles(archive)))
    except (zipfile.BadZipFile, KeyError, ET.ParseError, NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"{path} is a damaged workbook: {error}.", place=str(path), hint="Open and save it again in Excel."
        ) from error


def _sheet_part(archive: zipfile.ZipFile, sheet: str) -> str | None:
    names = set(archive.namelist())
    if "xl/workbook.xml" not in names or "xl/_rels/workbook.xml.rels" not in names:
        return None
    targets = {
        relation.get("Id"): relation.get("Target", "")
        for relation in ET.fromstring(archive.read("xl/_rels/workbook.xml.rels")).iter(  # noqa: S314
            f"{_PACKAGE}Relationship"
        )
    }
    for element in ET.fromstring(archive.read("xl/workbook.xml")).iter(f"{_MAIN}sheet"):  # noqa: S314
        if element.get("name") == sheet:
            target = targets.get(element.get(f"{_REL}id")) or ""
            part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            return part if part in names else None
    return None


def _percent_styles(archive: zipfile.ZipFile) -> set[int]:
    if "xl/styles.xml" not in archive.namelist():
        return set()
    root = ET.fromstring(archive.read("xl/styles.xml"))  # noqa: S314 - the user's own workbook
    percent = set(_PERCENT_FORMATS)
    for element in root.iter(f"{_MAIN}numFmt"):
        if "%" in re.sub(r'"[^"]*"|\\.', "", element.get("formatCode", "")):
            percent.add(int(element.get("numFmtId", "-1")))
    formats = root.find(f"{_MAIN}cellXfs")
    return {
        index
        for index, element in enumerate(formats if formats is not None else ())
        if int(element.get("numFmtId", "0")) in percent
    }


def _scan(archive: zipfile.ZipFile, part: str, percent: set[int]) -> Iterator[tuple[tuple[int, int], str]]:
    wanted = re.compile(b"|".join([b't="e"', *(b's="%d"' % style for style in sorted(percent))]))
    with archive.open(part) as stream:
        rest = b""
        while chunk := stream.read(_SHEET_CHUNK):
            chunk = rest + chunk
            cut = chunk.rfind(_ROW_END) + len(_ROW_END)
            chunk, rest = (chunk[:cut], chunk[cut:]) if cut >= len(_ROW_END) else (b"", chunk)
            if wanted.search(chunk):
                yield from _special_in(chunk, percent)
        if wanted.search(rest):
            yield from _special_in(rest, percent)


def _special_in(xml: bytes, percent: set[int]) -> Iterator[tuple[tuple[int, int], str]]:
    for match in _CELL.finditer(xml):
        attributes, content = match[1], match[2] or b""
        reference, value = _REF.search(attributes), _VALUE.search(content)
        if reference is None or value is None:
            continue
        at = int(reference[2]), _column(reference[1])
        if b't="e"' in attributes:
            yield at, BROKEN + value[1].decode("utf-8", "replace")
            continue
        style = _STYLE.search(attributes)
        if style and int(style[1]) in percent and b't="' not in attributes.replace(b't="n"', b""):
            shown = Decimal(format(float(value[1]), ".15g")) * 100
            yield at, f"{NUMBER}{shown.normalize():f}%"


def _column(letters: Sequence[int]) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + letter - 64
    return index - 1
