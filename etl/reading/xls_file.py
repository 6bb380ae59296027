"""Workbooks of Excel 5 to 2003 (.xls): the cells by xlrd; what it gives as empty is looked up in the records."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from math import isfinite
from pathlib import Path

import xlrd
from xlrd.biffh import error_text_from_code
from xlrd.compdoc import CompDocError

from etl.model.export import broken, text_cell
from etl.reading.number_format import BUILT_IN, GENERAL, NumberFormats
from etl.reading.package import DamagedPartError
from etl.reading.row_scan import Held
from etl.reading.sheet import AN_ERROR, NO_RESULT, Findings, Rows, Sheet, address

_LARGEST = 256 << 20
_LOCAL_FORMATS = frozenset(key for key, code in BUILT_IN.items() if code.startswith("[$-F"))
_FORMULA, _SHARED, _ARRAY, _FILTER_MODE, _BOF, _EOF = 0x0006, 0x04BC, 0x0221, 0x009B, 0x0809, 0x000A
_NUMBERS = frozenset({0x027E, 0x0203, 0x00BD, 0x0205})
"""RK, NUMBER, MULRK, BOOLERR: cells that hold something for sure."""
_LABELS, _SHARED_LABEL = frozenset({0x0204, 0x00D6}), 0x00FD
"""LABEL, RSTRING, LABELSST: cells of texts, which may be empty."""
_NO_NUMBER, _NO_LENGTH = b"\xff\xff", b"\0\0"
_EXCEL_5 = 50
_EMPTY_RESULT = b"\x03"
_EMPTY_TEXT = b"\x17\x00"
"""A formula's own `""`: with it an empty result is what the formula says, without it nobody has calculated it."""
_REFERS = 0x01
_FAULTS = (
    xlrd.XLRDError, CompDocError, struct.error, AssertionError, IndexError, KeyError, TypeError, AttributeError,
    UnicodeDecodeError, LookupError, OverflowError, MemoryError,
)  # fmt: skip


class XlsBook:
    """An open .xls workbook."""

    last_row = 65_536

    def __init__(self, path: Path) -> None:
        """Raises DamagedPartError."""
        if path.stat().st_size > _LARGEST:
            raise DamagedPartError(f"an .xls file of more than {_LARGEST >> 20} MiB is none; save it as .xlsx")
        self._path = path
        try:
            self._book = xlrd.open_workbook(
                os.fspath(path), logfile=StringIO(), formatting_info=True, on_demand=True, ragged_rows=True
            )
        except _FAULTS as error:
            raise DamagedPartError(str(error) or type(error).__name__) from error
        codes = (self._code(xf.format_key) for xf in self._book.xf_list)
        self._formats = NumberFormats(codes, is_1904=bool(self._book.datemode))
        self._sheets = [
            Sheet(name, bool(self._book._sheet_visibility[index]), partial(self._rows, index))  # noqa: SLF001
            for index, name in enumerate(self._book.sheet_names())
        ]
        if not self._sheets:
            raise DamagedPartError("it has no sheet with cells")

    @property
    def sheets(self) -> Sequence[Sheet]:
        """Its sheets with cells."""
        return self._sheets

    def close(self) -> None:
        """Closes the file."""
        self._book.release_resources()

    def _code(self, key: int) -> str:
        if key in _LOCAL_FORMATS:
            return BUILT_IN[key]
        found = self._book.format_map.get(key)
        return found.format_str if found is not None else BUILT_IN.get(key, GENERAL)

    def _rows(self, index: int, findings: Findings) -> Rows:
        try:
            sheet = self._book.sheet_by_index(index)
            records = _Records.of(self._book, index)
        except _FAULTS as error:
            raise DamagedPartError(f"sheet {index + 1} can't be read ({str(error) or type(error).__name__})") from error
        findings.is_filtered = records.is_filtered
        findings.held = lambda: records.held
        findings.hidden_columns.update(column for column, info in sheet.colinfo_map.items() if info.hidden)
        for row, info in sorted(sheet.rowinfo_map.items()):
            if info.hidden:
                findings.hide_row(row + 1)
        reader = _Cells(sheet, self._formats, records.uncalculated)
        for row in range(sheet.nrows):
            cells = reader.row(row)
            if any(cells):
                width = findings.width
                findings.far = [(width + at, cell) for at, cell in enumerate(cells[width:]) if cell]
                yield row + 1, cells[:width]


@dataclass(slots=True)
class _Cells:
    """The cells of a sheet as text."""

    sheet: xlrd.sheet.Sheet
    formats: NumberFormats
    uncalculated: frozenset[tuple[int, int]]
    known: dict[tuple[int, float], str] = field(default_factory=dict)

    def row(self, row: int) -> list[str]:
        """The cells of a row counted from 0, to its last one."""
        kinds, values = self.sheet.row_types(row), self.sheet.row_values(row)
        return [self._cell(row, at, kind, value) for at, (kind, value) in enumerate(zip(kinds, values, strict=True))]

    def _cell(self, row: int, at: int, kind: int, value: float | str) -> str:
        match kind:
            case xlrd.XL_CELL_EMPTY | xlrd.XL_CELL_BLANK:
                return ""
            case xlrd.XL_CELL_TEXT:
                if not value and (row, at) in self.uncalculated:
                    return broken("formula", f"{address(row + 1, at)}: {NO_RESULT}")
                return text_cell(str(value))
            case xlrd.XL_CELL_NUMBER | xlrd.XL_CELL_DATE:
                return self._number(row, at, float(value))
            case xlrd.XL_CELL_BOOLEAN:
                return "TRUE" if value else "FALSE"
            case xlrd.XL_CELL_ERROR:
                shown = error_text_from_code.get(int(value), f"error {value}")
                return broken(shown, f"{address(row + 1, at)}: {AN_ERROR}")
            case _:
                return broken(str(value)[:80], f"{address(row + 1, at)} has the unknown type {kind}")

    def _number(self, row: int, at: int, value: float) -> str:
        if not isfinite(value):
            return broken(str(value), f"{address(row + 1, at)} should hold a number and does not")
        style = self.sheet.cell_xf_index(row, at)
        key = style, value
        cell = self.known.get(key)
        if cell is None:
            cell = self.formats[style].cell(value)
            if len(self.known) > 100_000:
                self.known.clear()
            self.known[key] = cell
        return cell


@dataclass(frozen=True, slots=True)
class _Records:
    """What the records of a sheet tell beyond its cells: formulas without a result, a filter, rows counted again."""

    uncalculated: frozenset[tuple[int, int]]
    is_filtered: bool
    held: Held | None

    @classmethod
    def of(cls, book: xlrd.Book, index: int) -> _Records:
        """Looks through the sheet's records, embedded charts left out."""
        empty: dict[tuple[int, int], tuple[int, int]] = {}
        says_empty: set[tuple[int, int]] = set()
        surely: set[bytes] = set()
        perhaps: set[bytes] = set()
        no_texts = {struct.pack("<I", at) for at, text in enumerate(book._sharedstrings) if not text}  # noqa: SLF001
        last, is_filtered = (0, 0), False
        for code, data in _walk(book.mem, book._sh_abs_posn[index]):  # noqa: SLF001 - the record stream has no other door
            if code in _NUMBERS or (code == _FORMULA and data[12:14] != _NO_NUMBER):
                surely.add(data[:2])
            elif code in _LABELS or code == _SHARED_LABEL:
                is_empty = data[6:8] == _NO_LENGTH if code in _LABELS else data[6:10] in no_texts
                (perhaps if is_empty else surely).add(data[:2])
            elif code == _FORMULA:
                perhaps.add(data[:2])
            if code == _FORMULA and len(data) >= 22:
                last = struct.unpack_from("<HH", data)
                tokens = data[22:]
                if _EMPTY_TEXT in tokens:
                    says_empty.add(last)
                if data[6:7] == _EMPTY_RESULT and data[12:14] == _NO_NUMBER:
                    empty[last] = struct.unpack_from("<HH", tokens, 1) if tokens[:1] == bytes([_REFERS]) else last
            elif code in (_SHARED, _ARRAY) and _EMPTY_TEXT in data:
                says_empty.add(last)
            elif code == _FILTER_MODE:
                is_filtered = True
        # Records of the formats before Excel 5 have other numbers.
        held = Held(None, len(surely), len(surely | perhaps)) if book.biff_version >= _EXCEL_5 else None
        uncalculated = frozenset(cell for cell, source in empty.items() if source not in says_empty)
        return cls(uncalculated, is_filtered, held)


def _walk(stream: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    depth = 0
    while position + 4 <= len(stream):
        code, length = struct.unpack_from("<HH", stream, position)
        position += 4
        if code == _BOF:
            depth += 1
        elif code == _EOF:
            depth -= 1
            if depth <= 0:
                return
        elif depth == 1:
            yield code, stream[position : position + length]
        position += length
