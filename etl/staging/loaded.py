"""One export file while a batch takes it in: its layout, its style, and the count of what became of its rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from etl.model.attention import DAMAGED, MET, STYLE, WRITTEN, as_written, damaged_cells, unquoted
from etl.model.export import NUMBER, BadRow, Export, Table, plain
from etl.model.place import Place
from etl.reading.kinds import NUMERIC, Kind
from etl.reading.style import Seen, Style, Tally
from etl.staging.build import Builder
from etl.staging.facts import ColumnFacts, FileFacts, UnreadColumn
from etl.staging.fields import Column, Layout
from etl.staging.objects import Objects
from etl.staging.unread import UnreadSums

NOTICES_KEPT = 100
NO_STYLE = "numbers:none"
"""How the STYLE column of attention.csv begins where no text of the export shows how it writes decimals."""
_DECIMAL = re.compile(r"-?(?![1-9]\d{0,2}\.\d{3}$)\d+\.\d+", re.ASCII)

SAMPLED_ROWS, SAMPLES = 100, 3
"""Of so many rows so many different cells are kept of a column that nobody has confirmed."""


@dataclass(slots=True)
class Rows:
    """What became of the rows (JSON: objects) of a file. Blank rows are in none of them."""

    orders: int = 0
    unassigned: int = 0
    totals: int = 0
    headers: int = 0
    """Repeated headers."""

    @property
    def all(self) -> int:
        """Every row of the file that holds anything."""
        return self.orders + self.unassigned + self.totals + self.headers


@dataclass(slots=True)
class LoadedFile:
    """What is known of a file once it is loaded. `index` is its number in the batch."""

    index: int
    export: Export
    layout: Layout
    place: Place
    tally: Tally = field(default_factory=Tally)
    seen: dict[str, Seen] = field(default_factory=dict)
    style: Style = field(default_factory=Style)
    objects: Objects | None = None
    unread: UnreadSums = field(default_factory=UnreadSums)
    rows: Rows = field(default_factory=Rows)
    lines: int = 0
    returns: int = 0
    wide: int = 0
    """Rows with more cells than the header, the extra ones empty."""
    is_all_wide: bool = False
    notices: list[str] = field(default_factory=list)
    samples: dict[str, tuple[str, ...]] = field(default_factory=dict)
    builder: Builder | None = None
    is_correction: bool = False
    told_styles: set[str] = field(default_factory=set)
    remarks: dict[str, int] = field(default_factory=dict)
    """Columns of attention.csv to where their cells stand among those of a line; none in other files."""

    has_remarks: bool = False
    """Whether any row or object of it was written for attention.csv."""

    @property
    def name(self) -> str:
        """The file, and its sheet where it has any."""
        return str(self.place)

    def tell(self, text: str) -> None:
        """Keeps a notice about the file."""
        if len(self.notices) < NOTICES_KEPT:
            self.notices.append(text)

    def read_attention(self, table: Table) -> None:
        """Prepares to read rows made from attention.csv: without its apostrophes, and with what its columns tell."""
        others = {column.header.casefold(): at for at, column in enumerate(self.layout.other, len(self.layout.line))}
        self.remarks = {name: others[name] for name in (MET, WRITTEN) if name in others}
        table.in_blocks = lambda: False
        headers = [header.strip().casefold() for header in table.columns]
        table.rows = self._as_exported(table.rows, headers.index(STYLE) if STYLE in headers else None)
        if DAMAGED in headers:
            table.rows = _as_damaged(table.rows, headers.index(DAMAGED), table.columns)

    def _as_exported(
        self, rows: Iterator[tuple[int, list[str]]], style_at: int | None
    ) -> Iterator[tuple[int, list[str]]]:
        numeric = [column.index for column in (*self.layout.order, *self.layout.line) if column.kind in NUMERIC]
        for row, cells in rows:
            # In place: a row that breaks the file's syntax says so as what it is.
            cells[:] = [unquoted(cell) if cell[:1] == "'" else cell for cell in cells]
            if style_at is not None and style_at < len(cells):
                style = plain(cells[style_at]).strip()
                self.told_styles.add(style)
                if style.startswith(NO_STYLE):
                    # No text of the export had decimals, so what has them was a number cell.
                    for at in numeric:
                        if at < len(cells) and _DECIMAL.fullmatch(cells[at]):
                            cells[at] = NUMBER + cells[at]
            yield row, cells

    def seen_of(self, column: str, kind: Kind) -> Seen | None:
        """The counter of a column whose cells show the file's style; None for other kinds."""
        if kind is not Kind.DATE and kind not in NUMERIC:
            return None
        return self.seen.setdefault(column, Seen(column, kind is Kind.DATE))

    def seen_of_all(self, columns: Sequence[Column]) -> list[tuple[int, Seen]]:
        """(where its cells stand in a row, its counter) of those of the columns whose cells show the file's style."""
        found = [(column.index, self.seen_of(column.header, column.kind)) for column in columns]
        return [(index, seen) for index, seen in found if seen is not None]

    def count(self, column: str, kind: Kind, cell: str, row: int) -> None:
        """Counts a cell for the file's style."""
        seen = self.seen_of(column, kind)
        if seen is not None:
            self.tally.count(seen, cell, self.place, row)

    def count_cells(self, columns: Sequence[Column], cells: Sequence[str], row: int) -> None:
        """Counts the cells of a row for the file's style."""
        for column, cell in zip(columns, cells, strict=False):
            if cell:
                self.count(column.header, column.kind, cell, row)

    def facts(self) -> FileFacts:
        """What is reported of the file."""
        export, layout = self.export, self.layout
        return FileFacts(
            path=export.path,
            sha256=export.sha256,
            size=export.size,
            format=export.format,
            vocabulary=layout.vocabulary,
            sheet=self.place.sheet,
            dialect=export.dialect,
            header_row=export.header_row if isinstance(export, Table) else 0,
            style=self.style,
            columns=ColumnFacts(
                used=(
                    *((column.header, column.field) for column in (*layout.order, *layout.line)),
                    *sorted(self.objects.used.items() if self.objects else ()),
                ),
                not_migrated=tuple(layout.not_migrated.items()),
                unknown=tuple(layout.unknown.items()),
                missing=layout.missing,
                renamed=tuple(layout.renamed.items()),
            ),
            is_correction=self.is_correction,
            rows=self.rows.all,
            rows_of_orders=self.rows.orders,
            unassigned=self.rows.unassigned,
            totals_rows=self.rows.totals,
            repeated_headers=self.rows.headers,
            lines=self.lines,
            notices=tuple(self.notices),
            unread=tuple(
                UnreadColumn(name, one.total, one.orders, one.is_list) for name, one in self.unread.by_name.items()
            ),
            samples=tuple(self.samples.items()),
            count=export.count if isinstance(export, Table) else None,
        )


def _as_damaged(
    rows: Iterator[tuple[int, list[str]]], at: int, headers: Sequence[str]
) -> Iterator[tuple[int, list[str]]]:
    """The rows; cells that are damaged in the export, and that nobody has corrected, are damaged again."""
    for row, cells in rows:
        known = damaged_cells(plain(cells[at])) if at < len(cells) and cells[at] else {}
        met = [index for index, cell in enumerate(cells) if known and index != at and as_written(cell) in known]
        if not met:
            yield row, cells
            continue
        for index in met:
            cells[index] = known[as_written(cells[index])]
        column = headers[met[0]] if met[0] < len(headers) else ""
        text = f"Bytes of {cells[met[0]][:80]!r} are no character of the export's encoding, and the cell is as it was."
        yield row, BadRow(cells, text, column)
