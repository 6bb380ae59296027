"""What is there of a mapping folder, as far as it goes: for `inspect` and `init`, which never need all of it.

Rule: design section 3a: no step needs what only a later step makes, and no error is swallowed.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from pathlib import Path

from etl.mapping import rows
from etl.mapping.rows import Reading
from etl.mapping.settings import FILE, read_source
from etl.mapping.table import Table
from etl.mapping.tables import has_tables, read_tables
from etl.model.faults import Fault
from etl.model.mapping import ColumnRule, Source, ValueRule


@dataclass(frozen=True, slots=True)
class Partial:
    """The parts of a folder that say how an export is read. `given` are the keys of [source] that stand there.

    `missing` names the files that are not there yet, `faults` what is wrong with those that are.
    """

    source: Source
    given: frozenset[str] = frozenset()
    columns: tuple[ColumnRule, ...] = ()
    values: tuple[ValueRule, ...] = ()
    missing: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    tables: AnyMapping[str, Table] = field(default_factory=dict)

    @property
    def basis(self) -> bool | str | None:
        """`prices_include_tax` where the folder says it."""
        return self.source.prices_include_tax if "prices_include_tax" in self.given else None


def read_partial(folder: Path, *, store: str = "shop", timezone: str = "UTC") -> Partial:
    """What the folder says of reading an export; `store` and `timezone` hold where it says nothing. Effects: reads it."""
    reading = Reading()
    source, given = Source(store=store, timezone=timezone), frozenset[str]()
    if (folder / FILE).is_file():
        source, given = read_source(folder / FILE, reading.faults, store=store, timezone=timezone)
    found = read_tables(folder)
    tables = found.by_name
    reading.faults += found.faults
    for name in ("columns.csv", "values.csv"):
        reading.faults += tables[name].faults if name in tables else ()
    columns = rows.read_columns(tables.get("columns.csv", Table("columns.csv")), reading)
    values = rows.read_values(tables.get("values.csv", Table("values.csv")), reading)
    missing = tuple(name for name in (FILE, "taxes.csv") if name not in tables and not (folder / name).is_file())
    return Partial(source, given, columns, values, missing, tuple(dict.fromkeys(reading.faults)), tables)


def is_begun(folder: Path) -> bool:
    """Whether there is anything of a mapping folder."""
    return folder.is_dir() and ((folder / FILE).is_file() or has_tables(folder))
