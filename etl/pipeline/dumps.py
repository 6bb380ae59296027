"""Raw cells of a dump that nobody has mapped yet, for proposals: the first rows of every file, bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from etl.model.export import Export, HeaderTest, Records
from etl.proposals.dump import Dump, Grid
from etl.proposals.names import is_heading, may_be_heading
from etl.reading.identify import open_export
from etl.reading.options import ReadOptions
from etl.staging.fields import Names

ROWS_HELD = 100_000
"""So many rows are looked at; what the orders after them hold is counted, but proposes nothing."""


def read_dump(paths: Sequence[Path], options: ReadOptions, rules: Mapping[str, str]) -> Dump:
    """The cells of the files under their own headers.

    The header is the row that Centra's names, columns.csv or the names of other shops tell; else the first that may be
    one. Raises InputError for a file that can't be read at all. Effects: reads the files.
    """
    grid, names = Grid(), Names(rules)

    def is_named(cells: Sequence[str]) -> bool:
        return names.is_header(cells) or is_heading(cells)

    for path in paths:
        with ExitStack() as opened:
            for export in _opened(path, is_named, options, opened):
                _take(grid, export)
    return grid.dump()


def _opened(path: Path, is_named: HeaderTest, options: ReadOptions, opened: ExitStack) -> Sequence[Export]:
    exports = open_export(path, is_named, options)
    for export in exports:
        opened.callback(export.close)
    if all(isinstance(export, Records) or is_named(export.columns) for export in exports):
        return exports
    exports = open_export(path, may_be_heading, options)
    for export in exports:
        opened.callback(export.close)
    return exports


def _take(grid: Grid, export: Export) -> None:
    if isinstance(export, Records):
        grid.add_objects((record for _, record in export.records), ROWS_HELD)
    else:
        grid.add_table(export.columns, (cells for _, cells in export.rows), ROWS_HELD)
