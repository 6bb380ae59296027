"""OpenDocument spreadsheets (.ods): one stream over content.xml; what a person sees of a cell stands beside its value."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path

from etl.model.export import DATE, NUMBER, SHOWN, broken, text_cell
from etl.reading.number_format import number_text
from etl.reading.package import DamagedPartError, Package, XmlStream, local
from etl.reading.row_scan import OpenDocumentRows, watched
from etl.reading.sheet import AN_ERROR, LAST_COLUMN, LAST_ROW, LONGEST_TEXT, NO_RESULT, Findings, Rows, Sheet, address

_CONTENT = "content.xml"
_PIECE = 1 << 16
_MOST_REPEATS = 10_000
"""So many equal rows of cells no order has; a million of them would fill the memory out of one line."""
_ERROR = re.compile(r"Err:\d+|#[A-ZÄÖÜ0-9/ÉÈ]+[!?]?")
_MOST_SHEETS = 1_000
_HIDDEN = {"collapse", "filter"}
_CLOCK = re.compile(r"P(?:(\d+)D)?T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,]\d+)?S)?")
_NUMBERS = {"float", "currency", "percentage"}


class OdsBook:
    """An open .ods workbook."""

    last_row = LAST_ROW

    def __init__(self, path: Path) -> None:
        """Raises DamagedPartError, expat.ExpatError and the faults of ZIP archives."""
        self._package = Package(path)
        try:
            self._sheets = self._tables()
        except BaseException:
            self._package.close()
            raise

    def _tables(self) -> list[Sheet]:
        tables = _Tables()
        tables.parser.run(self._package.chunks(_CONTENT))
        if not tables.met:
            raise DamagedPartError("it has no sheet with cells")
        return [
            Sheet(name, style in tables.hidden_styles, partial(self._rows, index))
            for index, (name, style) in enumerate(tables.met)
        ]

    @property
    def sheets(self) -> Sequence[Sheet]:
        """Its sheets."""
        return self._sheets

    def close(self) -> None:
        """Closes the file."""
        self._package.close()

    def _rows(self, index: int, findings: Findings) -> Rows:
        parser, scan = _TableParser(index, findings), OpenDocumentRows(index)
        findings.held = scan.held
        for chunk in watched(self._package.chunks(_CONTENT), scan):
            for start in range(0, len(chunk), _PIECE):
                parser.xml.feed(chunk[start : start + _PIECE])
                yield from parser.take()
        parser.xml.feed(b"", is_last=True)
        yield from parser.take()


class _Tables:
    """The tables of a spreadsheet, (name, style), and the styles that hide one."""

    def __init__(self) -> None:
        self.met: list[tuple[str, str]] = []
        self.hidden_styles: set[str] = set()
        self._style = ""
        self._depth = 0
        self.parser = XmlStream(self._start, self._end)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table":
            if not self._depth:
                if len(self.met) >= _MOST_SHEETS:
                    raise DamagedPartError(f"it has more than {_MOST_SHEETS} sheets")
                self.met.append((local(attributes, "name"), local(attributes, "style-name")))
            self._depth += 1
        elif name == "style":
            self._style = local(attributes, "name")
        elif name == "table-properties" and local(attributes, "display") == "false":
            self.hidden_styles.add(self._style)

    def _end(self, name: str) -> None:
        if name == "table":
            self._depth -= 1


class _TableParser:
    """Reads the rows of one table; a table inside of a cell, a change record or an annotation is none of it."""

    def __init__(self, wanted: int, findings: Findings) -> None:
        self._wanted, self._findings = wanted, findings
        self._table, self._depth = -1, 0
        self._row, self._repeats, self._columns, self._at = 0, 1, 0, 0
        self._cells: list[str] = []
        self._far: list[tuple[int, str]] = []
        self._cell: dict[str, str] | None = None
        self._texts: list[str] = []
        self._length = 0
        self._paragraphs, self._silent = 0, 0
        self._done: deque[tuple[int, int, list[str], list[tuple[int, str]]]] = deque()
        self.xml = XmlStream(self._start, self._end, self._text)

    def take(self) -> Iterator[tuple[int, list[str]]]:
        """The rows completed since the last call."""
        while self._done:
            row, repeats, cells, far = self._done.popleft()
            for number in range(row, row + repeats):
                self._findings.far = list(far)
                yield number, list(cells)

    @property
    def _is_inside(self) -> bool:
        return self._table == self._wanted and self._depth == 1

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name in ("annotation", "tracked-changes", "shapes"):
            self._silent += 1
        elif name == "table":
            self._depth += 1
            if self._depth == 1:
                self._table += 1
                self._row = self._columns = 0
        elif not self._is_inside or self._silent:
            return
        elif name in ("table-cell", "covered-table-cell"):
            self._cell, self._texts, self._length, self._paragraphs = attributes, [], 0, 0
        elif name == "table-row":
            self._open_row(attributes)
        elif name == "table-column":
            self._column(attributes)
        elif self._cell is not None:
            self._start_text(name, attributes)

    def _start_text(self, name: str, attributes: dict[str, str]) -> None:
        if name == "p":
            if self._paragraphs:
                self._add("\n")
            self._paragraphs += 1
        elif name == "s":
            count = local(attributes, "c")
            self._add(" " * min(_count(count), LONGEST_TEXT + 1))
        elif name in ("tab", "line-break"):
            self._add("\t" if name == "tab" else "\n")

    def _end(self, name: str) -> None:
        if name in ("annotation", "tracked-changes", "shapes"):
            self._silent -= 1
        elif name == "table":
            self._depth -= 1
        elif not self._is_inside or self._silent:
            return
        elif name in ("table-cell", "covered-table-cell"):
            self._close_cell()
        elif name == "table-row":
            self._close_row()

    def _text(self, data: str) -> None:
        if self._cell is not None and self._paragraphs and not self._silent and self._is_inside:
            self._add(data)

    def _add(self, text: str) -> None:
        self._length += len(text)
        if self._length > LONGEST_TEXT:
            raise DamagedPartError(f"{address(self._row + 1, self._at)} holds more than {LONGEST_TEXT} characters")
        self._texts.append(text)

    def _open_row(self, attributes: dict[str, str]) -> None:
        self._repeats = _count(local(attributes, "number-rows-repeated"))
        self._cells, self._far, self._at = [], [], 0
        if local(attributes, "visibility") in _HIDDEN and self._row < LAST_ROW:
            self._findings.hide_row(self._row + 1, self._repeats)
            self._findings.is_filtered = self._findings.is_filtered or local(attributes, "visibility") == "filter"

    def _close_row(self) -> None:
        if any(self._cells) or self._far:
            if self._repeats > _MOST_REPEATS:
                raise DamagedPartError(f"row {self._row + 1} is repeated {self._repeats} times")
            if self._row + self._repeats > LAST_ROW:
                raise DamagedPartError(f"it has a row beyond the format's last one, {LAST_ROW}")
            self._done.append((self._row + 1, self._repeats, self._cells, self._far))
        else:
            self._findings.blank += self._repeats
        self._row += self._repeats

    def _column(self, attributes: dict[str, str]) -> None:
        count = _count(local(attributes, "number-columns-repeated"))
        if local(attributes, "visibility") in _HIDDEN:
            self._findings.hidden_columns.update(range(self._columns, min(self._columns + count, LAST_COLUMN)))
        self._columns += count

    def _close_cell(self) -> None:
        attributes, self._cell = self._cell or {}, None
        repeats = _count(local(attributes, "number-columns-repeated"))
        cell = self._value(attributes)
        if cell:
            if self._at + repeats > LAST_COLUMN:
                raise DamagedPartError(f"row {self._row + 1} has more than {LAST_COLUMN} cells")
            for at in range(self._at, self._at + repeats):
                self._put(at, cell)
        self._at += repeats

    def _put(self, at: int, cell: str) -> None:
        if at >= self._findings.width:
            self._far.append((at, cell))
            return
        self._cells += [""] * (at - len(self._cells))
        self._cells.append(cell)

    def _value(self, attributes: dict[str, str]) -> str:
        kind, shown = local(attributes, "value-type"), "".join(self._texts)
        where = address(self._row + 1, self._at)
        formula = local(attributes, "formula")
        calc_kind = next((value for key, value in attributes.items() if key == "calcext:value-type"), "")
        if calc_kind == "error" or (formula and _ERROR.fullmatch(shown.strip())):
            return broken(shown.strip() or "#N/A", f"{where}: {AN_ERROR}")
        if not kind:
            if formula and not shown:
                return broken("formula", f"{where}: {NO_RESULT}")
            return text_cell(shown)
        if kind in _NUMBERS:
            return _number(local(attributes, "value"), shown, kind, where)
        match kind:
            case "string":
                text = shown if self._paragraphs else local(attributes, "string-value")
                return text_cell(text)
            case "date":
                return _date(local(attributes, "date-value"), shown, where)
            case "time":
                return _time(local(attributes, "time-value"), shown, where)
            case "boolean":
                value = local(attributes, "boolean-value")
                return (
                    value.upper()
                    if value in ("true", "false")
                    else broken(value or shown, f"{where} is neither true nor false")
                )
            case _:
                return broken(shown, f"{where} has the unknown type {kind}")


def _count(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else 1


def _number(text: str, shown: str, kind: str, where: str) -> str:
    try:
        value = float(Decimal(text))
        cell = number_text(value)
    except (InvalidOperation, OverflowError, ValueError):
        return broken(shown or text, f"{where} should hold a number and does not")
    if kind == "percentage":
        hundredfold = Decimal(format(value, ".15g")) * 100 if abs(value) < 1e300 else Decimal(0)
        cell = f"{NUMBER}{hundredfold.normalize():f}%"
    literal, shown = cell.removeprefix(NUMBER), shown.strip()
    return cell if not shown or shown == literal or cell[:1] == "\x03" else f"{NUMBER}{literal}{SHOWN}{shown}"


def _date(text: str, shown: str, where: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return broken(shown or text, f"{where} should hold a date and does not")
    if moment.tzinfo is not None:
        return broken(shown or text, f"{where} holds a time with an offset")
    iso = moment.replace(microsecond=0).isoformat(sep=" ")
    return f"{DATE}{iso}{SHOWN}{shown.strip()}" if shown.strip() not in ("", iso) else DATE + iso


def _time(text: str, shown: str, where: str) -> str:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return broken(shown or text, f"{where} should hold a time and does not")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    clock = f"{days * 24 + hours:02}:{minutes:02}:{seconds:02}"
    return f"{DATE}{clock}{SHOWN}{shown.strip()}" if shown.strip() not in ("", clock) else DATE + clock
