"""Where a decision is to be written: the line of a key of migration.toml, the row of a word of values.csv."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from etl.mapping.settings import FILE, rows_of
from etl.mapping.table import Row, decode
from etl.mapping.tables import read_tables

_READY = re.compile(r"^[ \t]*# ?(?=[a-z_]+[ \t]*=)", re.MULTILINE)
"""What keeps a key of a migration.toml from holding."""


def row_of_setting(folder: Path, name: str) -> int | None:
    """The line of migration.toml on which a key such as `accounts.fallback` stands, or stands ready behind a `#`.

    None where neither does, or the file can't be read. Effects: reads the file.
    """
    section, _, key = name.partition(".")
    try:
        text = "\n".join(decode(folder / FILE).splitlines())
    except (OSError, ValueError):
        return None
    return rows_of(text).get((section, key)) or rows_of(_READY.sub("", text)).get((section, key))


def row_of(folder: Path, file: str, cells: Mapping[str, str]) -> Row | None:
    """The first row of a table that has these cells, undecided rows too; None where there is none. Effects: reads the folder."""
    table = read_tables(folder).by_name.get(file)
    found = (row for row in (table.rows if table else ()) if all(row.cells[name] == one for name, one in cells.items()))
    return next(found, None)


def open_words(folder: Path) -> frozenset[tuple[str, str]]:
    """(field, word) of the rows of values.csv that do not say yet what the word means. Effects: reads the folder."""
    table = read_tables(folder).by_name.get("values.csv")
    cells = (row.cells for row in table.rows) if table else ()
    return frozenset((one["field"], one["value"]) for one in cells if not one["means"])
