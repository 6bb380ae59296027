"""The rows of an Open XML sheet as a stream: the commonest forms by one pattern a row, all others by an XML parser.

A row counts as read by the pattern only if its matches account for every tag in it; nothing is skipped over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from math import isfinite

from etl.model.export import DATE, broken, text_cell
from etl.reading.number_format import NumberFormat, NumberFormats
from etl.reading.package import DamagedPartError, XmlStream
from etl.reading.shared_strings import SharedTexts, chained, is_plain_utf8, office_text, xml_text
from etl.reading.sheet import AN_ERROR, LAST_COLUMN, LAST_ROW, LONGEST_TEXT, NO_RESULT, Findings, address, column_of

_ROW = re.compile(rb"\s*<row([^<>]*?)(/?)>")
_ROW_END = b"</row>"
_CELL = re.compile(
    rb'<c r="([A-Z]{1,3})[0-9]+"(?: s="([0-9]+)")?(?: t="([a-zA-Z]+)")?>'
    rb"(<f(?: [^<>]*)?(?:/>|>[^<]*</f>))?"
    rb'(?:<v>([^<]*)</v>|<is><t(?: xml:space="preserve")?>([^<]*)</t></is>)</c>'
)
_NUMBER_OF = re.compile(rb'\br="([0-9]+)"')
_HIDDEN = re.compile(rb'\bhidden="(?:1|true)"')
_OPEN_END = re.compile(rb"\s*</sheetData>")
_LONGEST_ROW = 32 << 20
_REMEMBERED = 100_000
_PIECE = 1 << 16


class StyledNumbers(dict[bytes, str]):
    """The cell of a number under one format, by its digits as the sheet writes them."""

    def __init__(self, number_format: NumberFormat) -> None:
        super().__init__()
        self._format = number_format

    def __missing__(self, digits: bytes) -> str:
        if len(self) > _REMEMBERED:
            self.clear()
        cell = self[digits] = self._cell(digits)
        return cell

    def _cell(self, digits: bytes) -> str:
        text = digits.decode("ascii", "replace").strip()
        try:
            value = float(text) if "_" not in text else None
        except ValueError:
            value = None
        if value is None or not isfinite(value):
            return broken(text[:80], "the cell should hold a number and does not") if text else ""
        return self._format.cell(value)


class Styles(dict[bytes, StyledNumbers]):
    """The numbers of a sheet by the style index of their cells; b"" is no style."""

    def __init__(self, formats: NumberFormats) -> None:
        super().__init__()
        self._formats = formats
        self._by_code: dict[str, StyledNumbers] = {}

    def __missing__(self, index: bytes) -> StyledNumbers:
        at = int(index or b"0")
        number_format = self._formats[at]
        numbers = self._by_code.setdefault(number_format.code, StyledNumbers(number_format))
        self[index] = numbers
        return numbers


class _Columns(dict[bytes, int]):
    def __missing__(self, name: bytes) -> int:
        at = column_of(name)
        if at >= LAST_COLUMN:
            raise DamagedPartError(f"it has a cell in column {name.decode()}, beyond XFD")
        self[name] = at
        return at


@dataclass(slots=True)
class SheetReader:
    """Reads the rows of one sheet part. `distrusts_zero`: the workbook asks to be calculated, so a 0 may be none."""

    texts: SharedTexts
    styles: Styles
    findings: Findings
    distrusts_zero: bool = False

    def rows(self, chunks: Iterator[bytes]) -> Iterator[tuple[int, list[str]]]:
        """The rows with cells, ascending. Raises DamagedPartError and expat.ExpatError."""
        head = next(chunks, b"")
        while b"<sheetData" not in head and len(head) < _LONGEST_ROW and (chunk := next(chunks, None)):
            head += chunk
        start = head.find(b"<sheetData")
        if start < 0 or b"<!" in head[:start] or not is_plain_utf8(head):
            parser = _SheetParser(self)
            yield from parser.rows(chained(head, chunks))
            return
        parser = _SheetParser(self)
        begin = head.index(b">", start) + 1
        # What stands before the rows is small: let the parser look for hidden columns in it, and end it there.
        parser.feed(head[:begin] if head[begin - 2 : begin - 1] != b"/" else head[: begin - 2] + b">")
        if head[begin - 2 : begin - 1] == b"/":
            return
        yield from self._stream(head[begin:], chunks)

    def _stream(self, rest: bytes, chunks: Iterator[bytes]) -> Iterator[tuple[int, list[str]]]:
        last, at = 0, 0
        while True:
            match = _ROW.match(rest, at)
            end = match.end() if match and match[2] else rest.find(_ROW_END, match.end()) if match else -1
            if match and end >= 0:
                at = end if match[2] else end + len(_ROW_END)
                last, cells = self._row(match, rest[match.end() : end], last)
                if cells or self.findings.far:
                    yield last, cells
                else:
                    self.findings.blank += 1
                continue
            rest, at = rest[at:], 0
            closing = _OPEN_END.match(rest)
            if closing:
                self._tail(rest[closing.end() :], chunks)
                return
            if len(rest) > _LONGEST_ROW:
                raise DamagedPartError(f"what stands after row {last} is no row, or one of more than 32 MiB")
            if b"<!" in rest or _ROW_END in rest:
                # Comments and the like between the rows: the parser takes over.
                yield from _SheetParser(self, last).rows(chained(b"<worksheet><sheetData>" + rest, chunks))
                return
            chunk = next(chunks, None)
            if chunk is None:
                raise DamagedPartError(f"the sheet is cut off after row {last}")
            rest += chunk

    def _row(self, match: re.Match[bytes], body: bytes, last: int) -> tuple[int, list[str]]:
        attributes = match[1]
        number = _NUMBER_OF.search(attributes)
        row = int(number[1]) if number else last + 1
        _check_row(row, last)
        if b"hidden" in attributes and _HIDDEN.search(attributes):
            self.findings.hide_row(row)
        if not body:
            return row, []
        cells = self._quick(row, body)
        return row, self._parsed(match[0] + body + _ROW_END, last) if cells is None else cells

    def _quick(self, row: int, body: bytes) -> list[str] | None:
        """The cells by pattern; None where the row holds anything that it does not account for."""
        found = _CELL.findall(body)
        more = body.count(b"<is>") + body.count(b"</f>")
        if len(found) * 4 + more * 2 + body.count(b"/>") != body.count(b"<"):
            return None
        cells: list[str] = []
        texts, styles, columns, width = self.texts, self.styles, _COLUMNS, self.findings.width
        for name, style, kind, formula, value, inline_text in found:
            if formula and (not value or self.distrusts_zero):
                self.findings.far.clear()
                return None
            at = columns[name]
            if kind == b"s":
                cell = texts[value]
            elif not kind:
                cell = styles[style][value]
            else:
                cell = self.special(kind, style, value, inline_text, row, at)
            if at != len(cells):
                if at < len(cells):
                    self.findings.far.clear()
                    return None
                if at >= width:
                    self.findings.far.append((at, cell))
                    continue
                cells += [""] * (at - len(cells))
            elif at >= width:
                self.findings.far.append((at, cell))
                continue
            cells.append(cell)
        return cells

    def special(self, kind: bytes, style: bytes, value: bytes, inline: bytes, row: int, at: int) -> str:
        """The cell of any type but a plain number or a shared text."""
        match kind:
            case b"inlineStr":
                return text_cell(xml_text(inline))
            case b"str":
                return text_cell(xml_text(value))
            case b"n":
                return self.styles[style][value]
            case b"b":
                return {b"1": "TRUE", b"true": "TRUE", b"0": "FALSE", b"false": "FALSE", b"": ""}.get(
                    value.strip(), broken(value.decode("utf-8", "replace"), "the cell is neither true nor false")
                )
            case b"e":
                shown = value.decode("utf-8", "replace").strip() or "#N/A"
                return broken(shown, f"{address(row, at)}: {AN_ERROR}")
            case b"d":
                return _iso_date(value.decode("ascii", "replace").strip(), address(row, at))
            case b"s":
                return self.texts[value]
            case _:
                name = kind.decode("ascii", "replace")
                return broken(value.decode("utf-8", "replace")[:80], f"{address(row, at)} has the unknown type {name}")

    def _parsed(self, xml: bytes, last: int) -> list[str]:
        parser = _SheetParser(self, last, is_whole=False)
        parser.feed(b"<worksheet><sheetData>" + xml + b"</sheetData></worksheet>", is_last=True)
        return next((cells for _, cells in parser.take()), [])

    def _tail(self, rest: bytes, chunks: Iterator[bytes]) -> None:
        """Looks through what follows the rows for a filter, to the end, where the archive's checksum is compared."""
        while True:
            if b"<filterColumn" in rest or b":filterColumn" in rest:
                self.findings.is_filtered = True
            chunk = next(chunks, None)
            if chunk is None:
                break
            rest = rest[-64:] + chunk
        if not rest.rstrip().endswith(b">"):
            raise DamagedPartError("the sheet is cut off after its rows")


_COLUMNS = _Columns()


class _SheetParser:
    """Reads rows of any form. Give it the whole part, or rows inside of `worksheet` and `sheetData`."""

    def __init__(self, reader: SheetReader, last: int = 0, *, is_whole: bool = True) -> None:
        self._reader = reader
        self._last = last
        self._is_whole = is_whole
        self._done: list[tuple[int, list[str], list[tuple[int, str]]]] = []
        self._cells: list[str] = []
        self._far: list[tuple[int, str]] = []
        self._row, self._at, self._next = last, 0, 0
        self._cell: Mapping[str, str] = {}
        self._parts: list[str] = []
        self._length = 0
        self._reads, self._silent, self._in_data = False, 0, False
        self._has_value = self._has_formula = False
        self._xml = XmlStream(self._start, self._end, self._text)

    def feed(self, chunk: bytes, *, is_last: bool = False) -> None:
        """Parses a piece of the document."""
        self._xml.feed(chunk, is_last=is_last)

    def take(self) -> Iterator[tuple[int, list[str]]]:
        """The rows completed since the last call; the cells far right of each stand in the findings while it is met."""
        done, self._done = self._done, []
        for number, cells, far in done:
            self._reader.findings.far = far
            yield number, cells

    def rows(self, chunks: Iterator[bytes]) -> Iterator[tuple[int, list[str]]]:
        """The rows of a document given in pieces."""
        for chunk in chunks:
            # In small pieces, so that rows are handed over before the next ones are held.
            for start in range(0, len(chunk), _PIECE):
                self.feed(chunk[start : start + _PIECE])
                yield from self.take()
        self.feed(b"", is_last=True)
        yield from self.take()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c" and self._in_data:
            self._cell, self._parts, self._length = attributes, [], 0
            self._has_value = self._has_formula = False
            letters = attributes.get("r", "").rstrip("0123456789")
            self._at = _COLUMNS[letters.upper().encode()] if letters.isascii() and letters.isalpha() else self._next
            if self._at >= LAST_COLUMN:
                raise DamagedPartError(f"row {self._row} has more than {LAST_COLUMN} cells")
        elif name in ("v", "t"):
            self._reads = not self._silent
            self._has_value = self._has_value or name == "v"
        elif name == "f":
            self._has_formula = True
        elif name == "rPh":
            self._silent += 1
        elif name == "row":
            self._open_row(attributes)
        elif name == "sheetData":
            self._in_data = True
        elif name == "col" and attributes.get("hidden") in ("1", "true"):
            self._hide(attributes)
        elif name == "filterColumn":
            self._reader.findings.is_filtered = True

    def _end(self, name: str) -> None:
        if name == "c" and self._in_data:
            self._close_cell()
        elif name in ("v", "t"):
            self._reads = False
        elif name == "rPh":
            self._silent -= 1
        elif name == "row":
            self._close_row()
        elif name == "sheetData":
            self._in_data = False

    def _text(self, data: str) -> None:
        if self._reads:
            self._length += len(data)
            if self._length > LONGEST_TEXT:
                raise DamagedPartError(f"{address(self._row, self._at)} holds more than {LONGEST_TEXT} characters")
            self._parts.append(data)

    def _open_row(self, attributes: dict[str, str]) -> None:
        number = attributes.get("r", "")
        self._row = int(number) if number.isascii() and number.isdigit() else self._last + 1
        _check_row(self._row, self._last)
        self._last, self._next, self._cells, self._far = self._row, 0, [], []
        if self._is_whole and attributes.get("hidden") in ("1", "true"):
            self._reader.findings.hide_row(self._row)

    def _close_row(self) -> None:
        if self._cells or self._far:
            self._done.append((self._row, self._cells, self._far))
        elif self._is_whole:
            self._reader.findings.blank += 1

    def _close_cell(self) -> None:
        at, self._next = self._at, self._at + 1
        cell = self._value()
        if not cell:
            return
        if at >= self._reader.findings.width:
            self._far.append((at, cell))
            return
        if at >= len(self._cells):
            self._cells += [""] * (at + 1 - len(self._cells))
        elif self._cells[at]:
            cell = broken(cell[:80], f"{address(self._row, at)} stands in the file twice")
        self._cells[at] = cell

    def _value(self) -> str:
        text = "".join(self._parts)
        kind = self._cell.get("t", "n")
        if self._has_formula and self._is_uncalculated(kind, text):
            return broken("formula", f"{address(self._row, self._at)}: {NO_RESULT}")
        if kind in ("inlineStr", "str"):
            return text_cell(office_text(text))
        if not text.strip() and kind != "e":
            return ""
        if kind == "e" and not self._has_value:
            return ""
        raw = text.encode("utf-8", "surrogatepass")
        return self._reader.special(
            kind.encode(), self._cell.get("s", "").encode(), raw.strip(), b"", self._row, self._at
        )

    def _is_uncalculated(self, kind: str, text: str) -> bool:
        """Whether a formula was never calculated: it has no result, or the 0 of a program that can't calculate."""
        if not text:
            return not (kind == "str" and self._has_value)
        return self._reader.distrusts_zero and kind == "n" and text.strip() == "0"

    def _hide(self, attributes: dict[str, str]) -> None:
        first, last = attributes.get("min", ""), attributes.get("max", "")
        if first.isdigit() and last.isdigit():
            self._reader.findings.hidden_columns.update(range(int(first) - 1, min(int(last), LAST_COLUMN)))


def _check_row(row: int, last: int) -> None:
    if row > LAST_ROW:
        raise DamagedPartError(f"it has a row {row}, beyond the format's last one, {LAST_ROW}")
    if row <= last:
        raise DamagedPartError(f"row {row} stands after row {last}")


def _iso_date(text: str, where: str) -> str:
    """A date cell of Strict Open XML: ISO 8601."""
    try:
        if "T" not in text and ":" in text:
            clock = time.fromisoformat(text)
            return f"{DATE}{clock.replace(microsecond=0, tzinfo=None).isoformat()}"
        moment = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        return broken(text[:80], f"{where} should hold a date and does not")
    if moment.tzinfo is not None:
        return broken(text[:80], f"{where} holds a time with an offset")
    return f"{DATE}{moment.replace(microsecond=0).isoformat(sep=' ')}"
