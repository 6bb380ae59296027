"""CSV tables of the mapping folder as rows of trimmed text, however a spreadsheet saved them.

They are read as exports are, by `etl.reading`; what the cells mean is the business of `etl.mapping.rows`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

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
        opened = read_csv(path, facts, partial(is_header, spec), is_comment)
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
    notices = tuple(notice.replace(str(opened.path), spec.file) for notice in facts.notices)
    header = Place(spec.file, row=opened.header_row)
    table = table_of(header, [trim(cell) for cell in opened.columns], opened.rows, spec)
    return replace(table, delimiter=opened.dialect.delimiter if opened.dialect else ",", notices=notices)


def table_of(place: Place, header: Sequence[str], lines: Iterable[tuple[int, list[str]]], spec: TableSpec) -> Table:
    """The rows below a header, without comments and blank rows. `place` is where the header stands."""
    if not any(header):
        return Table(spec.file, faults=(_no_header(replace(place, row=None), spec),))
    faults: list[Fault] = []
    columns = _columns(place, header, spec, faults)
    rows = []
    for number, cells in lines:
        trimmed = [trim(plain(cell)) for cell in cells]
        if not any(trimmed) or is_comment(trimmed):
            continue
        here = replace(place, row=number)
        if isinstance(cells, BadRow) and cells.code == "value.invalid":
            faults.append(Fault(here.at(cells.column), cells.message))
            continue
        rows.append(_row(here, trimmed, columns, spec, faults))
    return Table(spec.file, tuple(rows), tuple(faults))


def _no_header(place: Place, spec: TableSpec) -> Fault:
    return Fault(place, f"There is no header row. The columns are {', '.join(spec.names)}.")


def is_header(spec: TableSpec, cells: Sequence[str]) -> bool:
    """Whether a row is the header of the table."""
    return not is_comment(cells) and any(trim(cell) in spec.names for cell in cells)


def is_comment(cells: Sequence[str]) -> bool:
    """Whether a row is for people: its first cell is `#` alone, or begins with `# `."""
    first = trim(cells[0]) if cells else ""
    return first == COMMENT or first.startswith(f"{COMMENT} ")


def trim(cell: str) -> str:
    """The text of a cell without what only a program put there."""
    bare = bare_text(cell)
    # An apostrophe is how people (and `init`) keep a spreadsheet from running a cell as a formula.
    if len(bare) > 1 and bare[0] == "'" and bare[1] in _FORMULA_STARTS:
        return bare[1:]
    return bare


def _columns(place: Place, header: Sequence[str], spec: TableSpec, faults: list[Fault]) -> list[str | None]:
    """Per cell the name of its column, None for a comment column, "" for one without a header."""
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


def _row(place: Place, cells: list[str], columns: list[str | None], spec: TableSpec, faults: list[Fault]) -> Row:
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
