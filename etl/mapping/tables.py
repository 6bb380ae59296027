"""The tables of a mapping folder, wherever each of them stands: CSV files, and sheets of mapping.xlsx.

Rule: design section 4: the whole folder may also be one workbook; a table in both places is an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from etl.mapping.table import Table, read_table
from etl.mapping.workbook import WORKBOOK, read_workbook_tables, sheet_of
from etl.model.faults import Fault
from etl.model.mapping_tables import TABLES
from etl.model.place import Place


@dataclass(slots=True)
class FolderTables:
    """Tables by their CSV names; a table that stands nowhere is left out. `faults` are those of the folder as a whole."""

    by_name: dict[str, Table] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def read_tables(folder: Path) -> FolderTables:
    """All tables of the folder. Their faults stand in each of them. Effects: reads the files."""
    found = FolderTables()
    if (folder / WORKBOOK).is_file():
        workbook = read_workbook_tables(folder / WORKBOOK)
        found.by_name.update(workbook.tables)
        found.faults, found.notices = workbook.faults, workbook.notices
    for name in TABLES:
        if not (folder / name).is_file():
            continue
        if name in found.by_name:
            place = Place(WORKBOOK, sheet=sheet_of(name))
            found.faults.append(
                Fault(place, f"This table stands in {name} too. Keep one: delete the sheet, or move the file away.")
            )
        else:
            found.by_name[name] = read_table(folder / name, TABLES[name])
    return found


def place_of(folder: Path, file: str) -> Place:
    """Where a file of the folder stands: a table may be a sheet of mapping.xlsx. Effects: looks at the folder."""
    is_sheet = file in TABLES and not (folder / file).is_file() and (folder / WORKBOOK).is_file()
    return Place(WORKBOOK, sheet=sheet_of(file)) if is_sheet else Place(file)


def has_tables(folder: Path) -> bool:
    """Whether any table stands in the folder."""
    return any((folder / name).is_file() for name in (WORKBOOK, *TABLES))
