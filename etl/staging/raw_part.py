"""Rows of an order as they stand in the file, taken apart when they are asked for."""

from __future__ import annotations

import csv
import io
from bisect import bisect_left
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

LONGEST_ORDER = 8 << 20
"""Bytes of rows that are held of one order: tens of thousands of lines. A column that is no order number has more."""


class RowFormat(NamedTuple):
    """How the rows of a file are written, and which of their cells are an order's and which a line's."""

    file: int
    encoding: str
    delimiter: str
    width: int
    order_at: tuple[int, ...]
    line_at: tuple[int, ...]

    def cells(self, data: bytes) -> list[list[str]]:
        """The cells of whole plain rows (`reading.grid`)."""
        text = data.decode(self.encoding)
        if '"' in text:
            return list(csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter, strict=True))
        lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
        return [line.split(self.delimiter) for line in lines]


class RawPart(NamedTuple):
    """Plain rows of one order, in the order of the file: their bytes, and on which row each stands."""

    file: int
    copy: int
    data: bytes
    rows: Sequence[int]
    how: RowFormat

    def content(self) -> Any:
        """As of `spool.ParsedPart`: rows that stand together and share their order-level cells are a group."""
        order_of, line_of = getter(self.how.order_at), getter(self.how.line_at)
        groups: list[tuple[tuple[str, ...], list[tuple[int, tuple[str, ...]]]]] = []
        before: tuple[str, ...] | None = None
        last = -1
        for row, cells in zip(self.rows, self.how.cells(self.data), strict=True):
            order = order_of(cells)
            if order != before or row != last + 1:
                groups.append((order, []))
                before = order
            groups[-1][1].append((row, line_of(cells)))
            last = row
        return groups, [], []

    def within(self, size: int) -> RawPart:
        """The first rows that are no more than so many bytes together, one at least."""
        end = max(self.data.rfind(b"\n", 0, size), self.data.index(b"\n")) + 1
        return self._replace(data=self.data[:end], rows=self.rows[: self.data.count(b"\n", 0, end)])

    def parted(self, row: int) -> tuple[RawPart | None, RawPart | None]:
        """The rows above a row of the file, and those below."""
        at = bisect_left(self.rows, row)
        if at in (0, len(self.rows)):
            return (None, self) if at == 0 else (self, None)
        end = 0
        for _ in range(at):
            end = self.data.index(b"\n", end) + 1
        above = self._replace(data=self.data[:end], rows=self.rows[:at])
        return above, self._replace(data=self.data[end:], rows=self.rows[at:])


def getter(indices: Sequence[int]) -> Callable[[Sequence[str]], tuple[str, ...]]:
    """Gives the cells at these places, as a tuple however many they are."""
    match indices:
        case []:
            return lambda _cells: ()
        case [index]:
            return lambda cells: (cells[index],)
        case _:
            return itemgetter(*indices)
