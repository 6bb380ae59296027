"""What loading a batch found, for `inspect`, logs and reports."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from etl.model.export import Dialect, RowCount
from etl.model.problem import Problem
from etl.reading.style import Style
from etl.staging.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What became of each column of a file.

    `used` (header, field), `not_migrated` (header, reason), `unknown` (header, nearest known name or ""),
    `missing` fields worth telling, `renamed` (header, field) by columns.csv.
    """

    used: tuple[tuple[str, str], ...] = ()
    not_migrated: tuple[tuple[str, str], ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class UnreadColumn:
    """A name that is not read: the sum of its amounts, and how many orders it touches."""

    name: str
    total: Decimal
    orders: int
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One export file. `rows` counts rows (JSON: objects) that hold anything, below the header.

    `rows` = `rows_of_orders` + `unassigned` + `totals_rows` + `repeated_headers`. `unread`: what holds amounts, or is
    a list, under a name that is not read.
    `samples`: header -> first cells of columns that columns.csv names without a person's word. `count`: what became
    of every line of a delimited text file.
    """

    path: Path
    sha256: str
    size: int
    format: str
    vocabulary: Vocabulary
    sheet: str
    dialect: Dialect | None
    header_row: int
    style: Style
    columns: ColumnFacts
    rows: int
    lines: int
    rows_of_orders: int = 0
    unassigned: int = 0
    totals_rows: int = 0
    repeated_headers: int = 0
    notices: tuple[str, ...] = ()
    unread: tuple[UnreadColumn, ...] = ()
    samples: tuple[tuple[str, tuple[str, ...]], ...] = ()
    count: RowCount | None = None
    is_correction: bool = False


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """The whole batch.

    `orders` are distinct order numbers, without returns nested in them (`nested_returns`); `lines` are
    product lines of orders. `unassigned_count` is exact, `unassigned` holds the first ones.
    """

    files: tuple[FileFacts, ...]
    orders: int
    lines: int
    nested_returns: int
    unassigned_count: int
    unassigned: tuple[Problem, ...]
    notices: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Data rows and JSON objects of all files."""
        return sum(file.rows for file in self.files)
