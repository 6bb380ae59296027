"""One export file while a batch takes it in: its layout, its style, and the count of what became of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from etl.model.export import Export
from etl.model.place import Place
from etl.reading.kinds import NUMERIC, Kind
from etl.reading.style import Seen, Style, Tally
from etl.staging.build import Builder
from etl.staging.fields import Column, Layout
from etl.staging.objects import Objects
from etl.staging.unread import UnreadSums

NOTICES_KEPT = 100


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

    @property
    def name(self) -> str:
        """The file, and its sheet where it has any."""
        return str(self.place)

    def tell(self, text: str) -> None:
        """Keeps a notice about the file."""
        if len(self.notices) < NOTICES_KEPT:
            self.notices.append(text)

    def seen_of(self, column: str, kind: Kind) -> Seen | None:
        """The counter of a column whose cells show the file's style; None for other kinds."""
        if kind is not Kind.DATE and kind not in NUMERIC:
            return None
        return self.seen.setdefault(column, Seen(column, kind is Kind.DATE))

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
