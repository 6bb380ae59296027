"""CSV tables of the mapping folder as rows of trimmed text, however a spreadsheet saved them.

They are read as exports are, by `etl.reading`; what the cells mean is the business of `etl.mapping.rows`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from etl.errors import InputError
from etl.model.export import BadRow, plain
from etl.model.export import Table as Export
from etl.model.faults import Fault, did_you_mean, one_of
from etl.model.mapping_tables import TableSpec
from etl.model.place import Place
from etl.reading.csv_file import read_csv
from etl.reading.encoding import TextFacts, look_at, read_text
from etl.reading.texts import bare as bare_text

COMMENT = "#"
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
    notices: tuple[str, ...] = ()


class ReadTable(Protocol):
    """Reads one table. Faults are part of the answer, never raised."""

    def __call__(self, path: Path, spec: TableSpec) -> Table:
        """The rows of `path`, whose columns `spec` names."""


def decode(path: Path) -> str:
    """The text of a file that a person saved. Raises ValueError with a sentence for people, OSError."""
    _refuse_workbook(path)
    try:
        text, _ = read_text(path)
    except InputError as error:
        raise ValueError(f"{_sentence(path, error)} {error.hint}") from None
    _refuse_nul(text)
    return text


def _refuse_nul(text: str) -> None:
    if "\0" in text:
        raise ValueError("The file holds NUL characters, so it is no text file. Save it as UTF-8.")


def _refuse_workbook(path: Path) -> None:
    with path.open("rb") as stream:
        if stream.read(4).startswith(_WORKBOOKS):
            raise ValueError("This is a workbook, not a text file. Save the sheet as CSV.")


def _sentence(path: Path, error: InputError) -> str:
    return error.message.replace(str(path), "The file")


def read_table(path: Path, spec: TableSpec) -> Table:
    """The rows of a CSV table, without comments and blank rows.

    Shape: rows in file order; a comment row's first cell is `#` alone or begins with `# `, a comment column's header
    with `#`. A row that is shorter than the header has empty cells at its end: spreadsheets leave trailing
    delimiters out. Effects: reads the file.
    """
    place = Place(spec.file)
    try:
        _refuse_workbook(path)
        facts = look_at(path)
        _refuse_nul(facts.head)
        opened = read_csv(path, facts, partial(_is_header, spec), _is_comment)
    except InputError as error:
        if not path.stat().st_size:
            return Table(spec.file, faults=(_no_header(place, spec),))
        return Table(spec.file, faults=(Fault(place, f"{_sentence(path, error)} {error.hint}"),))
    except ValueError as error:
        return Table(spec.file, faults=(Fault(place, str(error)),))
    except OSError as error:
        return Table(spec.file, faults=(Fault(place, f"The file can't be read: {error.strerror or error}."),))
    try:
        return _table(opened, spec, facts)
    finally:
        opened.close()


def _table(opened: Export, spec: TableSpec, facts: TextFacts) -> Table:
    faults: list[Fault] = []
    delimiter = opened.dialect.delimiter if opened.dialect else ","
    header = [trim(cell) for cell in opened.columns]
    if not any(header):
        return Table(spec.file, (), (_no_header(Place(spec.file), spec),), delimiter)
    columns = _columns(opened.header_row, header, spec, faults)
    rows = []
    for number, cells in opened.rows:
        trimmed = [trim(plain(cell)) for cell in cells]
        if not any(trimmed) or _is_comment(trimmed):
            continue
        if isinstance(cells, BadRow) and cells.code == "value.invalid":
            faults.append(Fault(Place(spec.file, row=number, column=cells.column), cells.message))
            continue
        rows.append(_row(number, trimmed, columns, spec, faults))
    notices = tuple(notice.replace(str(opened.path), spec.file) for notice in facts.notices)
    return Table(spec.file, tuple(rows), tuple(faults), delimiter, notices)


def _no_header(place: Place, spec: TableSpec) -> Fault:
    return Fault(place, f"There is no header row. The columns are {', '.join(spec.names)}.")


def _is_header(spec: TableSpec, cells: Sequence[str]) -> bool:
    return not _is_comment(cells) and any(trim(cell) in spec.names for cell in cells)


def _is_comment(cells: Sequence[str]) -> bool:
    first = trim(cells[0]) if cells else ""
    return first == COMMENT or first.startswith(f"{COMMENT} ")


def trim(cell: str) -> str:
    """The text of a cell without what only a program put there."""
    bare = bare_text(cell)
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
