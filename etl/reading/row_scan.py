"""Rows of a workbook's sheet counted a second time, from its bytes and otherwise than they are read.

What a reader hands over and what it passes by as empty must be all rows that stand in the file: a row that a reader
loses would be an order that nobody misses. The scans see the bytes on their way to the reader and know nothing of
cells but whether a row has any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

_SHEET_DATA = re.compile(rb"<([\w.-]+:)?sheetData(?=[\s/>])[^>]*>")
_HELD = re.compile(
    rb'<(?:[\w.-]+:)?c(?![^>]*\st="(?:s|str|inlineStr)")(?:\s[^>]*)?>\s*(?:<(?:[\w.-]+:)?f[^>]*/>\s*)?<(?:[\w.-]+:)?v>\s*[^<\s]'
)
_ODS_TAG = re.compile(
    rb"<(/?)(?:[\w.-]+:)?(table|table-row|tracked-changes|annotation|shapes)(?=[\s/>])((?:[^>\"']|\"[^\"]*\"|'[^']*')*)>"
)
_REPEATED = re.compile(rb"""number-rows-repeated=["']([0-9]{1,9})["']""")
_ODS_HELD = re.compile(rb"""[ :](?:value|date-value|time-value)=["'][^"']""")
_ODS_PERHAPS = re.compile(rb"""value-type=|:p[\s>/]|formula=""")
_KEPT, _LONGEST = 1 << 16, 64 << 20
"""Bytes that a scan holds between rows, and in one row of XML."""
_ROW_RECORD, _BEGIN_RECORD, _END_RECORD = 0, 145, 146
_NUMBER_RECORDS = frozenset({2, 3, 4, 5, 9, 10, 11})
_CELL_RECORDS = frozenset({*range(2, 12), 62})


@dataclass(frozen=True, slots=True)
class Held:
    """Rows that stand in a sheet.

    `rows`: all of them, None where the format does not list empty ones; `surely`: with a number or the like;
    `perhaps`: with anything at all, be it an empty text.
    """

    rows: int | None
    surely: int
    perhaps: int

    def differs(self, given: int, blank: int) -> bool:
        """Whether so many rows handed over, and so many passed by as empty, can't be all there are."""
        return not self.surely <= given <= self.perhaps or self.rows not in (None, given + blank)


class RowScan(Protocol):
    """Counts rows from the bytes of a part."""

    def take(self, chunk: bytes) -> None:
        """Looks at the next bytes."""
        ...

    def held(self) -> Held | None:
        """What stands there; None where the bytes are written so that they can't be counted this way."""
        ...


def watched(chunks: Iterator[bytes], scan: RowScan) -> Iterator[bytes]:
    """The bytes, each piece shown to the scan before it is read."""
    for chunk in chunks:
        scan.take(chunk)
        yield chunk


class OpenXmlRows:
    """The row elements of an Open XML sheet. `is_thorough`: which ones surely hold something, which takes longer."""

    def __init__(self, *, is_thorough: bool = False) -> None:
        self._is_thorough = is_thorough
        self._rest = b""
        self._row, self._end = b"<row", b"</sheetData"
        self._marks: tuple[bytes, ...] = ()
        self._is_inside = self._is_done = self._is_odd = False
        self._rows = self._surely = self._perhaps = 0

    def take(self, chunk: bytes) -> None:
        """Looks at the next bytes."""
        if self._is_done or self._is_odd:
            return
        self._rest += chunk
        if not self._is_inside:
            begin = _SHEET_DATA.search(self._rest)
            if begin is None:
                return
            self._open(begin)
        if not self._is_done:
            end = self._rest.find(self._end)
            self._is_done = end >= 0
            # Comments and CDATA may hold anything.
            self._is_odd = len(self._rest) > _LONGEST or b"<!" in self._rest
            self._count(self._rest[:end] if end >= 0 else self._rest)

    def _open(self, begin: re.Match[bytes]) -> None:
        prefix = begin[1] or b""
        self._row, self._end = b"<" + prefix + b"row", b"</" + prefix + b"sheetData"
        self._marks = (b"<" + prefix + b"v", b"<" + prefix + b"t", b"<" + prefix + b"f")
        self._is_inside, self._is_done = True, begin[0].endswith(b"/>")
        self._rest = self._rest[begin.end() :]

    def _count(self, data: bytes) -> None:
        first, *rows = data.split(self._row)
        if not self._is_done:
            self._rest = self._row + rows.pop() if rows else first
        self._rows += len(rows)
        value, text, formula = self._marks
        self._perhaps += sum(value in row or text in row or formula in row for row in rows)
        if self._is_thorough:
            self._surely += sum(_HELD.search(row) is not None for row in rows)

    def held(self) -> Held | None:
        """What stands there; None for comments between rows, bytes of another alphabet, or no rows at all."""
        is_unknown = self._is_odd or not self._is_done or not self._rows
        return None if is_unknown else Held(self._rows, self._surely, self._perhaps)


class OpenDocumentRows:
    """The row elements of one table of an OpenDocument spreadsheet, each as often as it is repeated."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._rest = b""
        self._table, self._depth, self._silent = -1, 0, 0
        self._rows = self._surely = self._perhaps = 0
        self._begin, self._repeats = -1, 0
        self._is_odd = False

    def take(self, chunk: bytes) -> None:
        """Looks at the next bytes."""
        data = self._rest + chunk
        self._is_odd = self._is_odd or b"<!" in data or b"\0" in data
        end = max(data.rfind(b"<"), 0)
        for match in _ODS_TAG.finditer(data, 0, end):
            self._tag(match, data)
        keep = end if self._begin < 0 else self._begin
        self._rest = data[keep:]
        if self._begin >= 0:
            # A row that goes on is looked at again from its start, where it stood in no other element.
            self._begin, self._depth, self._silent = -1, 1, 0
            self._rows -= self._repeats
        elif len(self._rest) > _KEPT:
            self._is_odd = True

    def _tag(self, match: re.Match[bytes], data: bytes) -> None:
        name, is_end, is_empty = match[2], match[1] == b"/", match[3].endswith(b"/")
        step = 0 if is_empty and not is_end else -1 if is_end else 1
        if name == b"table":
            self._depth += step
            # A table in a cell is none of the sheet's rows.
            self._is_odd = self._is_odd or self._depth > 1
            self._table += step > 0 and self._depth == 1
            self._table += is_empty and not is_end and self._depth == 0
        elif name != b"table-row":
            self._silent += step
        elif self._table == self._wanted and self._depth == 1 and not self._silent:
            self._row(match, data, is_end=is_end, is_empty=is_empty)

    def _row(self, match: re.Match[bytes], data: bytes, *, is_end: bool, is_empty: bool) -> None:
        if not is_end:
            found = _REPEATED.search(match[3])
            self._repeats = max(1, int(found[1])) if found else 1
            self._rows += self._repeats
            self._begin = -1 if is_empty else match.start()
        elif self._begin >= 0:
            self._surely += self._repeats * (_ODS_HELD.search(data, self._begin, match.start()) is not None)
            self._perhaps += self._repeats * (_ODS_PERHAPS.search(data, self._begin, match.start()) is not None)
            self._begin = -1

    def held(self) -> Held | None:
        """What stands there; None for comments, which may hold anything."""
        return None if self._is_odd or self._table < self._wanted else Held(self._rows, self._surely, self._perhaps)


class BinaryRows:
    """The row records of a binary sheet."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._is_inside = self._is_done = False
        self._row: set[int] = set()
        self._rows = self._surely = self._perhaps = 0

    def take(self, chunk: bytes) -> None:
        """Looks at the next bytes."""
        if self._is_done:
            return
        self._rest += chunk
        at = 0
        while (record := self._head(at)) and record[1] <= len(self._rest):
            kind, at = record
            self._record(kind)
        del self._rest[:at]

    def _head(self, at: int) -> tuple[int, int] | None:
        """Type and end of the record at a position; None where its head is not whole."""
        data = self._rest
        try:
            kind, at, length = data[at], at + 1, 0
            if kind > 127:
                kind, at = (kind & 127) + (data[at] & 127) * 128, at + 1
            for place in range(4):
                byte, at = data[at], at + 1
                length += (byte & 127) << 7 * place
                if byte < 128:
                    break
        except IndexError:
            return None
        return kind, at + length

    def _record(self, kind: int) -> None:
        if kind == _BEGIN_RECORD:
            self._is_inside = True
        elif self._is_inside and kind in (_ROW_RECORD, _END_RECORD):
            self._surely += bool(self._row & _NUMBER_RECORDS)
            self._perhaps += bool(self._row & _CELL_RECORDS)
            self._row = set()
            self._rows += kind == _ROW_RECORD
            self._is_done = kind == _END_RECORD
            self._is_inside = not self._is_done
        elif self._is_inside:
            self._row.add(kind)

    def held(self) -> Held | None:
        """What stands there; None where the end was not seen."""
        return Held(self._rows, self._surely, self._perhaps) if self._is_done else None
