"""An export file as its reader hands it over: where it is, how it is written, and its rows of text.

Cells are text. What a workbook or JSON file says beyond text is kept as one leading control character,
so that a number cell is never mistaken for text in the file's own style.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NUMBER = "\x01"
"""Leads the literal of a number cell: always decimal point, perhaps an exponent or a percent sign."""
DATE = "\x02"
"""Leads the ISO text of a workbook's date cell."""
BROKEN = "\x03"
"""Leads what stands in a cell that holds no value at all, such as `#N/A` or a nested JSON value."""
TEXT = "\x04"
"""Leads a text that itself starts with one of these four characters."""
MARKS = (NUMBER, DATE, BROKEN, TEXT)
SHOWN = "\x1f"
"""Divides what a number or date cell holds from what its format shows, and what a BROKEN cell holds from the reason."""

HeaderTest = Callable[[Sequence[str]], bool]
"""Whether a row of cells is the header of an export: it names an order number."""


def text_cell(text: str) -> str:
    """`text` as a cell; escaped where it would read as a mark."""
    return TEXT + text if text[:1] in MARKS and text else text


def plain(cell: str) -> str:
    """What a person sees in the cell."""
    if cell[:1] not in MARKS or not cell:
        return cell
    if SHOWN in cell:
        if cell[0] in (NUMBER, DATE):
            return cell.partition(SHOWN)[2]
        if cell[0] == BROKEN:
            return cell[1:].partition(SHOWN)[0]
    return cell[1:]


def stored(cell: str) -> str:
    """What the cell holds: the literal of a number cell, the ISO text of a date cell, whatever their format shows."""
    if cell[:1] in (NUMBER, DATE) and cell:
        return cell[1:].partition(SHOWN)[0]
    return plain(cell)


def broken(held: str, reason: str = "") -> str:
    """A cell that holds no value; `reason` is a sentence for people, with the way out."""
    return f"{BROKEN}{held.replace(SHOWN, ' ')}{SHOWN}{reason}" if reason else BROKEN + held.replace(SHOWN, " ")


def reason_of(cell: str) -> str:
    """Why a BROKEN cell holds no value, or ""."""
    return cell.partition(SHOWN)[2]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text file is written. `newline` is as found, `bom` whether one leads the file."""

    encoding: str = "utf-8"
    bom: bool = False
    delimiter: str = ","
    quote: str = '"'
    newline: str = "\n"


REPLACEMENT = "\ufffd"
"""Stands where bytes of the file are no character of its encoding."""


class BadRow(list[str]):
    """Cells of a row that there is something to say about; `message` says what.

    `code` is a problem code: a notice's where the row is read all the same, else an error's. `column` is the header of
    the cell that it is about, "" for the whole row.
    """

    def __init__(self, cells: Iterable[str], message: str, column: str = "", code: str = "value.invalid") -> None:
        super().__init__(cells)
        self.message = message
        self.column = column
        self.code = code


class RowBlock(list[str]):
    """Plain rows that stand together, in the place of the cells of one: `grid` (`reading.grid.Grid`) has them as bytes."""

    def __init__(self, grid: Any) -> None:
        super().__init__()
        self.grid = grid


@dataclass(slots=True)
class RowCount:
    """What became of the lines of a text file, counted twice: while the rows are read, and from its bytes.

    `above` are lines before the header, `header` those of the header itself, `rows` rows handed on (bad ones too),
    `inside` line breaks within their cells, `blank` empty lines; together they are `lines`, counted independently.
    """

    lines: int = 0
    above: int = 0
    header: int = 0
    rows: int = 0
    inside: int = 0
    blank: int = 0

    @property
    def counted(self) -> int:
        """Lines that reading has accounted for."""
        return self.above + self.header + self.rows + self.inside + self.blank


@dataclass(slots=True)
class Table:
    """A flat export. `rows` yields (row as a person counts, cells) once, in file order.

    `header_row` is the row the header stands on; `position` gives the bytes read so far.
    `sha256` is of the file's bytes. `count`, of text files, is complete once `rows` has ended, and so are `remarks`, the
    notices that are only known then. `in_blocks` asks that plain rows come together from here on, as a `RowBlock` in the
    place of the first one's cells; false where they can't.
    """

    path: Path
    format: str
    size: int
    sha256: str
    columns: tuple[str, ...]
    rows: Iterator[tuple[int, list[str]]]
    sheet: str = ""
    dialect: Dialect | None = None
    header_row: int = 1
    notices: tuple[str, ...] = ()
    position: Callable[[], int] = field(default=lambda: 0)
    close: Callable[[], None] = field(default=lambda: None)
    count: RowCount | None = None
    remarks: Callable[[], tuple[str, ...]] = field(default=tuple)
    in_blocks: Callable[[], bool] = field(default=lambda: False)


@dataclass(slots=True)
class Records:
    """A JSON export. `records` yields (number of the object, line or None, object or fault text) once.

    Numbers inside the objects are text led by NUMBER, other texts are cells, null is None; a part that
    can't be read is text led by BROKEN. `notices` may grow while the records are read.
    """

    path: Path
    format: str
    size: int
    sha256: str
    records: Iterator[tuple[int, dict[str, Any] | str]]
    dialect: Dialect
    notices: Sequence[str] = ()
    position: Callable[[], int] = field(default=lambda: 0)
    close: Callable[[], None] = field(default=lambda: None)


Export = Table | Records
