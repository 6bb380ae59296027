"""CSV tables of the mapping folder as rows of trimmed text, however a spreadsheet saved them.

Encoding and delimiter are found by looking; what the cells mean is the business of `etl.mapping.rows`.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from etl.model.faults import Fault, did_you_mean, one_of
from etl.model.mapping import TableSpec
from etl.model.place import Place

DELIMITERS = ",;\t|"
COMMENT = "#"
_INVISIBLE = "\ufeff\u200b"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_FORMULA_STARTS = "=+-@"
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `cells` holds every known column; those that the table or row lacks are ""."""

    place: Place
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as read; `rows` are usable only where `faults` is empty or names other rows."""

    file: str
    rows: tuple[Row, ...] = ()
    faults: tuple[Fault, ...] = ()
    delimiter: str = ","


class ReadTable(Protocol):
    """Reads one table. Faults are part of the answer, never raised."""

    def __call__(self, path: Path, spec: TableSpec) -> Table:
        """The rows of `path`, whose columns `spec` names."""


def decode(data: bytes) -> str:
    """The text of a file that a person saved: UTF-8 with or without BOM, UTF-16, else Windows-1252.

    Raises UnicodeError with a sentence for people where it is none of these.
    """
    if data.startswith(_WORKBOOKS):
        raise UnicodeError("This is a workbook, not a text file. Save the sheet as CSV.")
    try:
        text = _decode(data)
    except UnicodeDecodeError:
        raise UnicodeError("The text is neither UTF-8 nor Windows-1252. Save the file as UTF-8.") from None
    if "\0" in text:
        raise UnicodeError("The file holds NUL characters, so it is no text file. Save it as UTF-8.")
    return text.removeprefix("\ufeff")


def _decode(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    if data[1::2].count(0) * 4 > len(data):
        return data.decode("utf-16-le")
    if data[::2].count(0) * 4 > len(data):
        return data.decode("utf-16-be")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def read_table(path: Path, spec: TableSpec) -> Table:
    """The rows of a CSV table, without comments and blank rows.

    Shape: rows in file order; `#` starts a comment row (also where a spreadsheet has quoted it) and a comment
    column. A row that is shorter than the header has empty cells at its end: spreadsheets leave trailing
    delimiters out. Effects: reads the file.
    """
    place = Place(spec.file)
    try:
        text = decode(path.read_bytes())
    except UnicodeError as error:
        return Table(spec.file, faults=(Fault(place, str(error)),))
    except OSError as error:
        return Table(spec.file, faults=(Fault(place, f"The file can't be read: {error.strerror or error}."),))
    delimiter, skip = _delimiter(text, spec)
    faults: list[Fault] = []
    records = _records(text, delimiter, skip, spec.file, faults)
    header = next(records, None)
    if header is None:
        faults.append(Fault(place, f"There is no header row. The columns are {', '.join(spec.names)}."))
        return Table(spec.file, (), tuple(faults), delimiter)
    columns = _columns(header[0], header[1], spec, faults)
    rows = tuple(_row(number, cells, columns, spec, faults) for number, cells in records)
    return Table(spec.file, rows, tuple(faults), delimiter)


def _delimiter(text: str, spec: TableSpec) -> tuple[str, int]:
    """The delimiter, and the number of the line `sep=;` that Excel reads (0: none)."""
    known = {name.casefold() for name in spec.names}
    for number, line in enumerate(io.StringIO(text, newline=""), 1):
        bare = line.strip().strip(_INVISIBLE)
        if not bare or _is_comment(bare):
            continue
        if bare.casefold().startswith("sep=") and len(bare) == 5:
            return bare[4], number
        return max(DELIMITERS, key=lambda mark: _fit(bare, mark, known)), 0
    return ",", 0


def _fit(line: str, delimiter: str, known: set[str]) -> tuple[int, int]:
    names = [_trim(name).strip('"').casefold() for name in line.split(delimiter)]
    return len(known.intersection(names)), len(names)


_COMMENT_LINE = re.compile(r'"?#(?:[\s,;\t|"]|$)')


def _is_comment(line: str) -> bool:
    return _COMMENT_LINE.match(line) is not None


class _Lines:
    """Physical lines for csv.reader, which asks for more of them inside a quoted cell.

    Comment lines between records are left out here: a stray quotation mark in one of them would
    otherwise swallow the rows below it.
    """

    def __init__(self, text: str, skip: int) -> None:
        self._source = io.StringIO(text, newline="")
        self._skip = skip
        self.number = 0
        self.start = 0
        self.at_start = True

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while True:
            line = self._source.readline()
            if not line:
                raise StopIteration
            self.number += 1
            if not self.at_start:
                return line
            bare = line.strip().strip(_INVISIBLE)
            if self.number == self._skip:
                continue
            if _is_comment(bare) and (bare[0] == COMMENT or bare.count('"') % 2 == 0):
                continue
            self.at_start = False
            self.start = self.number
            return line


def _records(text: str, delimiter: str, skip: int, file: str, faults: list[Fault]) -> Iterator[tuple[int, list[str]]]:
    lines = _Lines(text, skip)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.at_start = True
        try:
            cells = [_trim(cell) for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            faults.append(Fault(Place(file, row=lines.start), _quotes(str(error))))
            continue
        if any(cells) and not (cells[0] == COMMENT or cells[0].startswith(f"{COMMENT} ")):
            yield lines.start, cells


def _quotes(error: str) -> str:
    if "unexpected end of data" in error or "field larger" in error:
        return "A quotation mark that opens here is never closed."
    return 'A quotation mark stands inside a quoted cell. Write it twice ("").'


def _trim(cell: str) -> str:
    bare = cell.strip().strip(_INVISIBLE).strip()
    # An apostrophe is how people (and `init`) keep a spreadsheet from running a cell as a formula.
    if len(bare) > 1 and bare[0] == "'" and bare[1] in _FORMULA_STARTS:
        return bare[1:]
    return bare


def _columns(number: int, header: list[str], spec: TableSpec, faults: list[Fault]) -> list[str | None]:
    """Per cell the name of its column, None for a comment column, "" for one without a header."""
    place = Place(spec.file, row=number)
    columns: list[str | None] = []
    for name in header:
        if name.startswith(COMMENT):
            columns.append(None)
            continue
        if name and name not in spec.names:
            hint = did_you_mean(name, spec.names) or f" The columns are {one_of(spec.names)}."
            faults.append(Fault(place.at(name), f"There is no column {name!r} in this table.{hint}"))
        elif name and name in columns:
            faults.append(Fault(place.at(name), f"The column {name} stands twice."))
        columns.append(name)
    faults.extend(
        Fault(place.at(column.name), f"The column {column.name} is missing: {column.description}.")
        for column in spec.columns
        if column.required and column.name not in columns
    )
    return columns


def _row(number: int, cells: list[str], columns: list[str | None], spec: TableSpec, faults: list[Fault]) -> Row:
    place = Place(spec.file, row=number)
    known = dict.fromkeys(spec.names, "")
    for index, cell in enumerate(cells):
        column = columns[index] if index < len(columns) else ""
        if column is None or not cell:
            continue
        if not column:
            faults.append(
                Fault(
                    place,
                    f"{cell!r} stands in cell {index + 1}, which has no column. Is a delimiter too many in the row, "
                    "or a cell with a delimiter not quoted?",
                )
            )
        elif _CONTROL.search(cell):
            faults.append(Fault(place.at(column), f"{cell!r} has control characters. Type the value again."))
        elif column in known:
            known[column] = cell
    return Row(place, known)
