"""What every workbook format hands over: sheets, their rows as cells of text, and what a clerk must know of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from etl.reading.row_scan import Held

LAST_COLUMN = 16_384
LAST_ROW = 1_048_576
LONGEST_TEXT = 1 << 20
"""Longest text of one cell in characters; spreadsheet programs take 32,767."""
NO_RESULT = (
    "the formula has no result, because no spreadsheet program has calculated it; "
    "open the workbook in one and save it, or write the value instead of the formula"
)
AN_ERROR = "the cell shows an error and holds no value; write the value itself"


@dataclass(slots=True)
class Findings:
    """What there is to say of a sheet; complete once its rows have been read.

    Rows count from 1, columns from 0. `width` is set by the reader of the table once the header is known: cells right
    of it come in `far`, not in the row, so that one cell at the far end of the grid does not lay the grid out.
    `given` rows held something and `blank` ones nothing, the header and what stands above it included; `held` is what a
    second count of the sheet's bytes found.
    """

    width: int = LAST_COLUMN
    hidden_rows: int = 0
    first_hidden: int = 0
    hidden_columns: set[int] = field(default_factory=set)
    is_filtered: bool = False
    last_row: int = 0
    rows: int = 0
    given: int = 0
    blank: int = 0
    held: Callable[[], Held | None] | None = None
    is_recounted: bool = False
    far: list[tuple[int, str]] = field(default_factory=list)

    def hide_row(self, number: int, count: int = 1) -> None:
        """Notes hidden rows."""
        self.hidden_rows += count
        self.first_hidden = self.first_hidden or number


Rows = Iterator[tuple[int, list[str]]]
"""(row as a person counts, cells from column A): rows with at least one cell, ascending."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet with cells. `open` starts reading it; it may be called again, one reading after another."""

    name: str
    is_hidden: bool
    open: Callable[[Findings], Rows]


class Book(Protocol):
    """An open workbook."""

    @property
    def sheets(self) -> Sequence[Sheet]:
        """Its sheets with cells, in the order of their tabs."""
        ...

    @property
    def last_row(self) -> int:
        """The last row that the format has."""
        ...

    def close(self) -> None:
        """Closes the file."""
        ...


def letters(column: int) -> str:
    """The letters of a column counted from 0."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


def address(row: int, column: int) -> str:
    """A cell's address: row from 1, column from 0."""
    return f"{letters(column)}{row}"


def column_of(reference: str | bytes) -> int:
    """The column, from 0, of letters; 16,384 and more where the format has no such column."""
    index = 0
    for letter in reference.encode() if isinstance(reference, str) else reference:
        index = index * 26 + (letter & 0x5F) - 64
    return index - 1
