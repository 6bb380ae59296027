"""Raw cells of a dump that nobody has mapped yet, for proposals: the first rows of every file, bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from etl.errors import InputError
from etl.model.export import Export, HeaderTest, Records
from etl.proposals.dump import Dump, Grid
from etl.proposals.names import is_heading, may_be_heading
from etl.reading.identify import open_export
from etl.reading.office import open_workbook
from etl.reading.options import ReadOptions
from etl.reading.workbook import sheets_with
from etl.staging.fields import Names

ROWS_HELD = 100_000
"""So many rows are looked at; what the orders after them hold is counted, but proposes nothing."""


def read_dump(
    paths: Sequence[Path], options: ReadOptions, rules: Mapping[str, str], *, is_every_table_meant: bool = False
) -> Dump:
    """The cells of the files under their own headers.

    `is_every_table_meant`: `options.sheets` names sheets whose headers nobody knows.

    The header is the row that Centra's names, columns.csv or the names of other shops tell; else the first that may be
    one. Raises InputError for a file that can't be read at all. Effects: reads the files.
    """
    grid, names = Grid(), Names(rules)

    def is_named(cells: Sequence[str]) -> bool:
        is_known = names.is_header(cells) or is_heading(cells)
        return is_known or (is_every_table_meant and may_be_heading(cells))

    for path in paths:
        with ExitStack() as opened:
            exports = _opened(path, is_named, options, opened)
            for export in exports:
                # Each file has its share, or the lines behind a long file of orders would not be seen at all.
                _take(grid, export, ROWS_HELD // (len(paths) * len(exports)))
    return grid.dump()


def sheets_beside(paths: Sequence[Path]) -> tuple[str, ...]:
    """The sheets of the workbooks that may be tables, where one of the workbooks has several: headers beside lines, say."""
    found: dict[str, None] = {}
    has_several = False
    for path in paths:
        names = _sheets(path)
        has_several |= len(names) > 1
        found.update(dict.fromkeys(names))
    return tuple(found) if has_several else ()


def _sheets(path: Path) -> list[str]:
    try:
        with closing(open_workbook(path)) as book:
            return sheets_with(book, may_be_heading)
    except InputError:
        # No workbook of that kind: it has been read already, or refused by its own name.
        return []


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


def _take(grid: Grid, export: Export, limit: int) -> None:
    if isinstance(export, Records):
        grid.add_objects((record for _, record in export.records), limit)
    else:
        grid.add_table(export.columns, (cells for _, cells in export.rows), limit, export.sheet)
