"""Binary Open XML workbooks (.xlsb): their records, read as a stream. Rule: MS-XLSB, sections 2.1.4 and 2.4."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import partial
from math import isfinite
from pathlib import Path
from xml.sax.saxutils import escape

from etl.model.export import broken, text_cell
from etl.reading.number_format import BUILT_IN, GENERAL, NumberFormats
from etl.reading.package import DamagedPartError, Package
from etl.reading.row_scan import BinaryRows, watched
from etl.reading.shared_strings import SharedTexts
from etl.reading.sheet import AN_ERROR, LAST_COLUMN, LAST_ROW, LONGEST_TEXT, NO_RESULT, Findings, Rows, Sheet, address
from etl.reading.xlsx_file import relations

_BOOK = "xl/workbook.bin"
_LONGEST_RECORD = 16 << 20
_ROW, _BLANK, _RK, _ERROR, _BOOL, _REAL, _TEXT, _SHARED = range(8)
_FORMULA_TEXT, _FORMULA_NUMBER, _FORMULA_BOOL, _FORMULA_ERROR = range(8, 12)
_RICH_TEXT, _STRING, _FORMAT, _XF, _COLUMN = 62, 19, 44, 47, 60
_BEGIN_DATA, _END_DATA, _BOOK_PROPERTIES, _SHEET, _CALCULATION, _FILTER_COLUMN = 145, 146, 153, 156, 157, 163
_BEGIN_XFS, _END_XFS = 617, 618
_ERRORS = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}  # fmt: skip


class XlsbBook:
    """An open .xlsb workbook."""

    last_row = LAST_ROW

    def __init__(self, path: Path) -> None:
        """Raises DamagedPartError and the faults of ZIP archives."""
        self._package = Package(path)
        try:
            with _shaped():
                self._read()
        except BaseException:
            self._package.close()
            raise

    def _read(self) -> None:
        kinds, targets = relations(self._package, _BOOK)
        self._texts: SharedTexts | None = None
        self._strings = next((targets[key] for key, kind in kinds.items() if kind == "sharedstrings"), "")
        self.distrusts_zero = is_1904 = False
        self._sheets: list[Sheet] = []
        for kind, data in records(self._package.chunks(_BOOK)):
            if kind == _BOOK_PROPERTIES:
                is_1904 = bool(data[0] & 1)
            elif kind == _CALCULATION and len(data) >= 26:
                self.distrusts_zero = bool(data[24] & 1)
            elif kind == _SHEET:
                state = struct.unpack_from("<I", data)[0]
                key, at = _wide(data, 8)
                name, _ = _wide(data, at)
                if kinds.get(key) in {"worksheet", "xlmacrosheet", "xlintlmacrosheet"}:
                    self._sheets.append(Sheet(name, bool(state), partial(self._rows, targets[key])))
        if not self._sheets:
            raise DamagedPartError("it has no sheet with cells")
        styles = next((targets[key] for key, kind in kinds.items() if kind == "styles"), "")
        self._formats = NumberFormats(self._codes(styles), is_1904=is_1904)

    @property
    def sheets(self) -> Sequence[Sheet]:
        """Its sheets with cells."""
        return self._sheets

    def close(self) -> None:
        """Closes the file."""
        self._package.close()

    def _codes(self, part: str) -> Iterator[str]:
        codes, is_inside = dict(BUILT_IN), False
        for kind, data in records(self._package.chunks(part)) if part in self._package else ():
            if kind == _FORMAT:
                codes[struct.unpack_from("<H", data)[0]] = _wide(data, 2)[0][:1000]
            elif kind in (_BEGIN_XFS, _END_XFS):
                is_inside = kind == _BEGIN_XFS
            elif kind == _XF and is_inside:
                yield codes.get(struct.unpack_from("<H", data, 2)[0], GENERAL)

    def _shared(self) -> SharedTexts:
        if self._texts is None:
            self._texts = SharedTexts()
            for kind, data in records(self._package.chunks(self._strings)) if self._strings else ():
                if kind == _STRING:
                    # What looks like an escape of XML workbooks is a text here.
                    self._texts.add(escape(_wide(data, 1)[0].replace("_x", "_x005F_x")).encode("utf-8", "replace"))
        return self._texts

    def _rows(self, part: str, findings: Findings) -> Rows:
        with _shaped():
            reader = _Cells(self._shared(), self._formats, findings, distrusts_zero=self.distrusts_zero)
            scan = BinaryRows()
            findings.held = scan.held
            yield from reader.rows(records(watched(self._package.chunks(part), scan)))


class _shaped:  # noqa: N801 - reads as a statement
    """Turns records that are shorter than they say into damage."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (struct.error, IndexError)):
            raise DamagedPartError(f"one of its records is too short ({error})") from error


class _Cells:
    """The rows of one sheet."""

    def __init__(self, texts: SharedTexts, formats: NumberFormats, findings: Findings, *, distrusts_zero: bool) -> None:
        self._texts, self._formats, self._findings = texts, formats, findings
        self._distrusts_zero = distrusts_zero
        self._row = 0
        self._cells: list[str] = []
        self._far: list[tuple[int, str]] = []
        self._known: dict[tuple[int, float], str] = {}

    def rows(self, found: Iterator[tuple[int, bytes]]) -> Rows:
        """The rows with cells, ascending. Raises DamagedPartError where the sheet is cut off."""
        is_inside = is_whole = False
        for kind, data in found:
            if kind == _BEGIN_DATA:
                is_inside = True
            elif kind == _COLUMN and data[16] & 1:
                first, last = struct.unpack_from("<II", data)
                self._findings.hidden_columns.update(range(first, min(last + 1, LAST_COLUMN)))
            elif kind == _FILTER_COLUMN:
                self._findings.is_filtered = True
            elif kind == _END_DATA:
                is_inside, is_whole = False, True
                yield from self._done()
            elif is_inside and kind == _ROW:
                yield from self._done()
                self._open_row(data)
            elif is_inside and (kind <= _FORMULA_ERROR or kind == _RICH_TEXT):
                self._put(kind, data)
        if not is_whole:
            raise DamagedPartError(f"the sheet is cut off after row {self._row}")

    def _done(self) -> Rows:
        if any(self._cells) or self._far:
            self._findings.far = self._far
            yield self._row, self._cells
        elif self._row:
            self._findings.blank += 1
        self._cells, self._far = [], []

    def _open_row(self, data: bytes) -> None:
        row = struct.unpack_from("<I", data)[0] + 1
        if not self._row < row <= LAST_ROW:
            raise DamagedPartError(f"row {row} stands after row {self._row}")
        self._row = row
        if data[11] & 0x10:
            self._findings.hide_row(row)

    def _put(self, kind: int, data: bytes) -> None:
        column, style = struct.unpack_from("<II", data)
        if column >= LAST_COLUMN:
            raise DamagedPartError(f"it has a cell in column {column + 1}, beyond XFD")
        cell = self._value(kind, data, column, style & 0xFFFFFF)
        if not cell:
            return
        if column >= self._findings.width:
            self._far.append((column, cell))
            return
        if column < len(self._cells):
            raise DamagedPartError(f"{address(self._row, column)} stands in the file twice")
        self._cells += [""] * (column - len(self._cells))
        self._cells.append(cell)

    def _value(self, kind: int, data: bytes, column: int, style: int) -> str:
        match kind:
            case 1:
                return ""
            case 2:
                return self._number(_rk(struct.unpack_from("<I", data, 8)[0]), column, style)
            case 5:
                return self._number(struct.unpack_from("<d", data, 8)[0], column, style)
            case 9:
                value = struct.unpack_from("<d", data, 8)[0]
                if not value and self._distrusts_zero:
                    return broken("formula", f"{address(self._row, column)}: {NO_RESULT}")
                return self._number(value, column, style)
            case 3 | 11:
                return broken(_ERRORS.get(data[8], f"error {data[8]}"), f"{address(self._row, column)}: {AN_ERROR}")
            case 4 | 10:
                return "TRUE" if data[8] else "FALSE"
            case 7:
                return self._texts[b"%d" % struct.unpack_from("<I", data, 8)[0]]
            case _:
                return text_cell(_wide(data, 9 if kind == _RICH_TEXT else 8)[0])

    def _number(self, value: float, column: int, style: int) -> str:
        if not isfinite(value):
            return broken(str(value), f"{address(self._row, column)} should hold a number and does not")
        key = style, value
        cell = self._known.get(key)
        if cell is None:
            if len(self._known) > 100_000:
                self._known.clear()
            cell = self._known[key] = self._formats[style].cell(value)
        return cell


def _rk(raw: int) -> float:
    """A number of 30 bits: an integer or the upper half of a double, perhaps a hundredfold."""
    if raw & 2:
        value: float = (raw >> 2) - ((raw & 0x80000000) >> 1)
    else:
        value = struct.unpack("<d", b"\0\0\0\0" + struct.pack("<I", raw & 0xFFFFFFFC))[0]
    return value / 100 if raw & 1 else value


def _wide(data: bytes, at: int) -> tuple[str, int]:
    """A counted text of 16-bit characters, and where it ends; one that is not there is empty."""
    count = struct.unpack_from("<I", data, at)[0]
    at += 4
    if count == 0xFFFFFFFF:
        return "", at
    end = at + 2 * count
    if count > LONGEST_TEXT or end > len(data):
        raise DamagedPartError(f"a text of {count} characters stands in a record of {len(data)} bytes")
    return data[at:end].decode("utf-16-le", "replace"), end


def records(chunks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """The records of a part: (type, content). Raises DamagedPartError where the last one is cut off."""
    buffer, at, is_open = b"", 0, True
    while True:
        head = _record_head(buffer, at)
        while is_open and (head is None or head[2] > len(buffer)):
            if head is not None and head[2] - at > _LONGEST_RECORD:
                raise DamagedPartError(f"it has a record of {head[2] - at} bytes")
            chunk = next(chunks, None)
            is_open = chunk is not None
            buffer, at = buffer[at:] + (chunk or b""), 0
            head = _record_head(buffer, at)
        if head is None or head[2] > len(buffer):
            if at < len(buffer):
                raise DamagedPartError("its last record is cut off")
            return
        kind, start, at = head
        yield kind, buffer[start:at]


def _record_head(buffer: bytes, at: int) -> tuple[int, int, int] | None:
    """(type, start, end) of the record at a position, or None where its head is not whole."""
    size = len(buffer)
    if at >= size:
        return None
    kind = buffer[at]
    at += 1
    if kind & 0x80:
        if at >= size:
            return None
        kind = (kind & 0x7F) | (buffer[at] & 0x7F) << 7
        at += 1
    length = shift = 0
    while shift < 28:
        if at >= size:
            return None
        byte = buffer[at]
        at += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    return kind, at, at + length
