"""Plain rows of one flat file, taken thousands at a time: what is counted of them, and where each order's begin and end.

As `table_rows.TableLoader` takes them one by one, for runs of rows of one readable number. A run that touches a row which
is read by itself is left to the loader, which knows what stands around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from etl.reading.dates import PLAIN_DATE
from etl.reading.distinct import first_of
from etl.reading.grid import DIGITS, Bools, Grid, Ints, keep_freed_memory
from etl.reading.names import ORDER_NUMBER
from etl.reading.order_numbers import OrderNumbers
from etl.reading.style import Seen
from etl.staging.loaded import LoadedFile
from etl.staging.raw_part import RowFormat

_NO_YEAR = "0000-"


class RawRows(NamedTuple):
    """Runs of plain rows for the spool: their bytes and offsets, the row of the first, and number and first row of each run."""

    data: bytes
    offsets: Ints
    first_row: int
    first: Ints
    numbers: Ints
    how: RowFormat


class Stretch(NamedTuple):
    """Rows of a block that follow each other: from the first up to `end`. `is_left`: for the loader, one by one."""

    start: int
    end: int
    is_left: bool


class Block:
    """Plain rows of a file that follow each other, of which the runs of one number are known."""

    def __init__(self, taker: RowTaker, grid: Grid, row: int) -> None:
        self._taker, self._grid, self._row = taker, grid, row
        self._first = np.flatnonzero(~grid.repeats([taker.number_at]))
        self._numbers = taker.numbers_of(grid, self._first)
        self._is_same = grid.repeats(taker.how.order_at)
        self._is_same[self._first] = False

    def stretches(self) -> Iterator[Stretch]:
        """What may be taken at once and what not, in order; the last run is left: its order may go on below."""
        first, numbers = self._first, self._numbers
        is_left = (numbers < 0) | (np.diff(first, append=self._grid.count) >= self._taker.longest_run)
        twice = numbers[1:] == numbers[:-1]
        is_left[1:] |= twice
        is_left[:-1] |= twice
        # Rows that name no order may go with the one above them.
        is_left[:-1] |= numbers[1:] < 0
        is_left[-1:] = True
        turns = np.flatnonzero(is_left[1:] != is_left[:-1]) + 1
        bounds = [0, *turns.tolist(), len(first)]
        ends = [*first.tolist(), self._grid.count]
        for low, high in pairwise(bounds):
            yield Stretch(ends[low], ends[high], bool(is_left[low]))

    def after(self, start: int, number: str) -> int:
        """The first row from `start`, where a run begins, that is of another number."""
        at = int(np.searchsorted(self._first, start))
        if number and str(self._numbers[at]) == number:
            at += 1
        return int(self._first[at]) if at < len(self._first) else self._grid.count

    def cells(self, start: int, end: int) -> list[list[str]]:
        """The rows one by one."""
        offsets = self._grid.offsets
        return self._taker.how.cells(self._grid.data[offsets[start] : offsets[end]]) if start < end else []

    def take(self, start: int, end: int) -> tuple[RawRows, int]:
        """(the rows for the spool, how many of them hold something of a line); counts what shows the file's style."""
        grid, first = self._grid, self._first
        own = slice(*np.searchsorted(first, (start, end)).tolist())
        rows = np.arange(start, end)
        self._taker.count(grid, self._row, rows, rows[~self._is_same[start:end]])
        begin = int(grid.offsets[start])
        raw = RawRows(
            grid.data[begin : int(grid.offsets[end])],
            grid.offsets[start : end + 1] - np.int32(begin),
            self._row + start,
            first[own] - start,
            self._numbers[own],
            self._taker.how,
        )
        return raw, int(self._taker.has_line(grid, start, end).sum())


class RowTaker:
    """Takes blocks of one file with one column of order numbers. `longest_run`: runs of so many rows are left."""

    def __init__(self, file: LoadedFile, numbers: OrderNumbers, how: RowFormat, longest_run: int) -> None:
        keep_freed_memory()
        self.how, self.longest_run = how, longest_run
        self._file, self._numbers = file, numbers
        layout = file.layout
        self.number_at = next(column.index for column in layout.order if column.field == ORDER_NUMBER)
        self._line_at = [column.index for column in layout.line]
        self._styled = [(column, seen, True) for column, seen in file.seen_of_all(layout.order)]
        self._styled += [(column, seen, False) for column, seen in file.seen_of_all(layout.line)]

    def block(self, grid: Grid, row: int) -> Block:
        """The block of these rows, the first of which is that row of the file."""
        return Block(self, grid, row)

    def numbers_of(self, grid: Grid, rows: Ints) -> Ints:
        """The numbers of rows; -1 where one is unreadable or too long for an int64."""
        found = np.full(len(rows), -1, np.int64)
        if self._numbers.is_bare:
            found = grid.whole_numbers(self.number_at, rows)
        unread = np.flatnonzero(found < 0)
        texts = grid.texts(self.number_at, rows[unread])
        found[unread] = [_value(self._numbers.read(text) if text.strip() else None) for text in texts]
        return found

    def has_line(self, grid: Grid, start: int, end: int) -> Bools:
        """Of each row of a stretch whether it holds something of a line."""
        found: Bools = np.zeros(end - start, bool)
        for column in self._line_at:
            found |= grid.lengths[column][start:end] > 0
        return found

    def count(self, grid: Grid, first_row: int, rows: Ints, heads: Ints) -> None:
        """Counts cells that show how the file writes numbers and dates: an order's where they begin or change."""
        tally, place = self._file.tally, self._file.place
        met: list[tuple[int, int, Seen, str, int]] = []
        for rank, (column, seen, is_order) in enumerate(self._styled):
            those = heads if is_order else rows
            those = those[grid.lengths[column][those] > 0]
            met += [(row, rank, seen, cell, count) for row, cell, count in _samples(grid, column, seen, those)]
        for row, _, seen, cell, count in sorted(met, key=lambda one: one[:2]):
            tally.count_many(seen, cell, place, first_row + row, count)


def _samples(grid: Grid, column: int, seen: Seen, rows: Ints) -> Iterator[tuple[int, str, int]]:
    """(first row, its cell, how many) of cells that are written alike, by what their shape hangs on."""
    # Digits of a number say nothing of how it is written, but for zeros: one in front is of no thousand.
    found = grid.shapes(column, rows, "0" if seen.is_date else "1") if len(rows) else None
    if found is None:
        yield from _distinct(grid, column, rows)
        return
    _, codes = found
    first, counts = first_of(codes), np.bincount(codes)
    cells = grid.texts(column, rows[first])
    for at, (cell, count) in enumerate(zip(cells, counts.tolist(), strict=True)):
        if not seen.is_date:
            yield int(rows[first[at]]), cell, count
            continue
        its = rows[codes == at]
        if PLAIN_DATE.fullmatch(cell) and not grid.begins(column, its, _NO_YEAR).any():
            yield int(its[0]), cell, count
        else:
            # Of most other dates the figures themselves tell how they are written.
            yield from _distinct(grid, column, its)


def _distinct(grid: Grid, column: int, rows: Ints) -> Iterator[tuple[int, str, int]]:
    if len(rows):
        _, codes = grid.codes(column, rows)
        first = first_of(codes)
        yield from zip(rows[first].tolist(), grid.texts(column, rows[first]), np.bincount(codes).tolist(), strict=True)


def _value(number: str | None) -> int:
    """A canonical number as an int64; -1 for none, and one that is too long."""
    return int(number) if number is not None and len(number) <= DIGITS else -1
