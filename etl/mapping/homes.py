"""Where `init` puts the tables of a mapping folder: a file for each, or all of them into mapping.xlsx.

Rule: design sections 2 (`init`: rows and keys are added, only empty tax cells are filled) and 4.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from etl.errors import UsageError
from etl.mapping.additions import KEYS, Written, lacking, parted, replace_file, writable, write_folder
from etl.mapping.filling import CANDIDATES, Change, fill_table
from etl.mapping.settings import FILE
from etl.mapping.table import COMMENT, Table, read_table, table_of, trim
from etl.mapping.workbook import (
    REFERENCE,
    WORKBOOK,
    Lines,
    names_of,
    read_workbook_tables,
    sheet_of,
    table_named,
)
from etl.mapping.workbook_file import Days, Grid, Reference, workbook_bytes
from etl.model.mapping_tables import TABLES
from etl.model.place import Place


class Home(Protocol):
    """Takes what `init` found. `new`: the tables that were made now."""

    new: set[str]

    def write(self, files: Mapping[str, str]) -> list[Written]:
        """Writes the files of a generated folder; those that are there get only what they lack."""
        ...

    def where(self, file: str) -> str:
        """A table by the name under which a person finds it."""
        ...

    def table(self, file: str) -> Table | None:
        """The table as it stands; None where there is none, or it has a fault."""
        ...

    def fill(self, file: str, change: Change) -> int:
        """Applies `change` to every row below the header; gives how many rows changed."""
        ...

    def finish(self, catalogue: Mapping[str, Grid], days: Days) -> None:
        """Takes what Mews has to choose from, once it is known."""
        ...


def home_of(folder: Path, *, wants_workbook: bool) -> Home:
    """The home of the folder's tables: the workbook where one stands, or is asked for.

    Raises UsageError where a workbook is asked for beside CSV tables: a table may stand in one place only.
    """
    held = [name for name in TABLES if (folder / name).is_file()]
    if (folder / WORKBOOK).is_file():
        return WorkbookHome(folder)
    if not wants_workbook:
        return CsvHome(folder)
    if held:
        raise UsageError(
            f"{folder} has its tables as CSV files ({', '.join(held[:3])}{', ..' if len(held) > 3 else ''}); "
            "a table may stand in one place only.",
            place=str(folder),
            hint="Go on with the CSV files without --workbook, or write the workbook into another folder with --mappings DIR.",
        )
    return WorkbookHome(folder)


class CsvHome:
    """A CSV file for each table."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.new: set[str] = set()

    def write(self, files: Mapping[str, str]) -> list[Written]:
        """See Home. Effects: writes the files."""
        written = write_folder(self._folder, files)
        self.new = {one.path.name for one in written if one.is_new}
        return written

    def where(self, file: str) -> str:
        """See Home."""
        return file

    def table(self, file: str) -> Table | None:
        """See Home."""
        path = self._folder / file
        table = read_table(path, TABLES[file]) if path.is_file() else None
        return None if table is None or table.faults else table

    def fill(self, file: str, change: Change) -> int:
        """See Home. Effects: replaces the file in one step."""
        path = self._folder / file
        return fill_table(path, change) if path.is_file() else 0

    def finish(self, catalogue: Mapping[str, Grid], days: Days) -> None:
        """Nothing: tables of text have no lists."""


class WorkbookHome:
    """A sheet of mapping.xlsx for each table. The workbook is written anew where anything of it changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / WORKBOOK
        self._is_new = not self._path.is_file()
        found = read_workbook_tables(self._path) if not self._is_new else None
        self._faults = (
            [*found.faults, *(one for table in found.tables.values() for one in table.faults)] if found else []
        )
        self._sheets = {name: lines for name, lines in found.sheets.items() if not _is_ours(name)} if found else {}
        self._shown = (
            {name: lines for name, lines in found.sheets.items() if name.startswith(REFERENCE)} if found else {}
        )
        self._guide: dict[str, list[str]] = {}
        self._reference = Reference(_grids(self._shown))
        self._is_kept = not self._is_new
        self._is_copied = False
        self.new: set[str] = set()

    def write(self, files: Mapping[str, str]) -> list[Written]:
        """See Home. Effects: writes migration.toml and the workbook."""
        written = write_folder(self._folder, {name: text for name, text in files.items() if name == FILE})
        tables = {name: text for name, text in files.items() if name in TABLES}
        self._guide = {name: _head(text) for name, text in tables.items()}
        if self._faults:
            return [*written, Written(self._path, note=f"it has a fault: {self._faults[0]}")]
        added = sum(self._merge(name, text) for name, text in tables.items())
        if added or self.new or self._is_new:
            self._save()
        return [*written, Written(self._path, is_new=self._is_new, added=0 if self._is_new else added)]

    def _merge(self, file: str, text: str) -> int:
        header, rows = parted(csv.reader(io.StringIO(text, newline="")), file)
        rows = [[trim(cell) for cell in row] for row in rows]
        name, lines = self._found(file)
        if not lines.header:
            self.new.add(file)
            self._sheets[name] = Lines((tuple(header), *(tuple(row) for row in rows)), 1)
            return len(rows)
        if file not in KEYS:
            return 0
        table = _table(file, name, lines)
        fresh = lacking(table, (names_of(lines), lines.rows[lines.header :]), (header, rows))
        self._sheets[name] = replace(lines, rows=(*lines.rows, *(tuple(row) for row in fresh)))
        return len(fresh)

    def _found(self, file: str) -> tuple[str, Lines]:
        """The sheet of a table by its own name, else by ours."""
        name = next((name for name in self._sheets if table_named(name) == file), sheet_of(file))
        return name, self._sheets.get(name, Lines())

    def where(self, file: str) -> str:
        """See Home."""
        return Place(WORKBOOK, sheet=self._found(file)[0]).table

    def table(self, file: str) -> Table | None:
        """See Home."""
        name, lines = self._found(file)
        return None if self._faults or not lines.header else _table(file, name, lines)

    def fill(self, file: str, change: Change) -> int:
        """See Home. The workbook is written by `finish`."""
        name, lines = self._found(file)
        if self._faults or not lines.header:
            return 0
        header, rows, count = [*names_of(lines)], [list(row) for row in lines.rows], 0
        for at in range(lines.header, len(rows)):
            new = change(at + 1, dict(zip(header, rows[at], strict=False)))
            if not new:
                continue
            count += 1
            header += [CANDIDATES] if CANDIDATES in new and CANDIDATES not in header else []
            rows[at] += [""] * (len(header) - len(rows[at]))
            for column, value in new.items():
                rows[at][header.index(column)] = trim(value)
        rows[lines.header - 1] = header
        self._sheets[name] = replace(lines, rows=tuple(map(tuple, rows)))
        self._is_kept = self._is_kept and not count
        return count

    def finish(self, catalogue: Mapping[str, Grid], days: Days) -> None:
        """See Home. Effects: writes the workbook where its cells, lists or reference sheets change."""
        if self._faults:
            return
        reference = Reference({**self._reference.catalogue, **catalogue}, days)
        if not self._is_kept or _texts(reference.catalogue) != _texts(self._reference.catalogue):
            self._reference = reference
            self._save()

    def _save(self) -> None:
        """The workbook in one step; what stood there before this command is kept beside it as mapping.xlsx.bak."""
        content = workbook_bytes(self._sheets, self._guide, self._reference)
        with writable(self._folder):
            if not self._path.exists():
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            elif not (self._is_new or self._is_copied):
                _keep(self._path)
                self._is_copied = True
            replace_file(self._path, content)
        self._is_kept = True


def _keep(path: Path) -> None:
    """A copy of what a person made: writing anew keeps cells, not colours and widths."""
    copy = path.with_name(f"{path.name}.bak")
    if not copy.exists():
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    replace_file(copy, path.read_bytes())


def _table(file: str, sheet: str, lines: Lines) -> Table:
    """The table of a sheet as it stands in memory; its rows are numbered as they will be written."""
    place = Place(WORKBOOK, sheet=sheet, row=lines.header)
    below = ((number, list(row)) for number, row in enumerate(lines.rows, 1) if number > lines.header)
    return table_of(place, names_of(lines), below, TABLES[file])


def _head(text: str) -> list[str]:
    """The comment lines above the header of a generated table."""
    found = []
    for cells in csv.reader(io.StringIO(text, newline="")):
        if not cells or not cells[0].startswith(f"{COMMENT} "):
            break
        found.append(cells[0].removeprefix(f"{COMMENT} "))
    return found


def _is_ours(name: str) -> bool:
    return name.startswith(REFERENCE) or name in ("guide", "lists")


def _grids(sheets: Mapping[str, Lines]) -> dict[str, Grid]:
    """Reference sheets as they stand in a workbook, as tables of the catalogue again."""
    return {
        f"{name.removeprefix(REFERENCE)}.csv": (lines.rows[0], lines.rows[1:])
        for name, lines in sheets.items()
        if lines.rows
    }


def _texts(catalogue: Mapping[str, Grid]) -> dict[str, Sequence[Sequence[str]]]:
    return {
        file: [[cell.strip() for cell in row] for row in (header, *rows) if any(row)]
        for file, (header, rows) in catalogue.items()
    }
