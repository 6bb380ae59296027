"""Whole orders of one flat file as columns of distinct texts and codes. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from etl.columns.rows import Rows
from etl.reading.distinct import distinct, first_of
from etl.reading.grid import Bools, Ints
from etl.staging.blocks import Column

__all__ = ["Block", "Bools", "Column", "GroupBlock", "Ints", "column_of", "joint"]
_MOST = 2**62


class Block(Protocol):
    """A stretch of all orders by number. One that has more than its rows (a fault, a copy, a correction) has no row here.

    `numbers`: the canonical number of each. `first`: where its rows begin, and where the last one's end. `rows`: the row of
    the export of each line. `is_same`: whether all rows of the order have the same order-level cells.
    """

    numbers: Sequence[str]
    first: Ints
    rows: Ints
    is_same: Bools

    def order(self, at: int) -> Column:
        """An order-level column of the layout: an item an order, from its first row."""
        ...

    def line(self, at: int) -> Column:
        """A column of the rows: an item a row."""
        ...

    def line_keys(self, ats: Sequence[int]) -> Sequence[Hashable]:
        """What stands in some columns (one at least) of each row: rows have the same there where these are equal."""
        ...

    def line_cells(self, rows: Sequence[int], size: int) -> list[tuple[str, ...]]:
        """The cells of some rows in the first `size` columns of the lines."""
        ...

    def amounts(self, at: int, mark: str, digits: int, *, is_order: bool) -> tuple[Ints, Bools] | None:
        """Cells of a column in units of 10**-digits, and which are amounts without sign or thousands, and not finer.

        None where they have to be looked up one by one.
        """
        ...


class GroupBlock:
    """The block of some orders: (number, its rows)."""

    def __init__(self, orders: Sequence[tuple[str, Rows]]) -> None:
        flat = list(chain.from_iterable([rows for _, groups in orders for _, rows in groups]))
        sizes = [sum([len(rows) for _, rows in groups]) for _, groups in orders]
        is_same = [len(groups) == 1 or all(one[0] == groups[0][0] for one in groups) for _, groups in orders]
        self.numbers: Sequence[str] = [number for number, _ in orders]
        self.first: Ints = np.concatenate(([0], np.cumsum(sizes)))
        self.rows: Ints = np.fromiter(map(itemgetter(0), flat), np.int64, len(flat))
        self.is_same: Bools = np.array(is_same, bool)
        self._heads, self._lines = [groups[0][0] for _, groups in orders], list(map(itemgetter(1), flat))
        self._known: dict[tuple[int, int], Column] = {}

    def order(self, at: int) -> Column:
        """As of `Block`."""
        return self._column(0, at)

    def line(self, at: int) -> Column:
        """As of `Block`."""
        return self._column(1, at)

    def line_keys(self, ats: Sequence[int]) -> Sequence[Hashable]:
        """As of `Block`."""
        return list(map(itemgetter(*ats), self._lines))

    def line_cells(self, rows: Sequence[int], size: int) -> list[tuple[str, ...]]:
        """As of `Block`."""
        return [self._lines[row][:size] for row in rows]

    def amounts(self, _at: int, _mark: str, _digits: int, *, is_order: bool) -> None:
        """As of `Block`: the cells are texts already."""

    def _column(self, which: int, at: int) -> Column:
        if (which, at) not in self._known:
            rows = self._lines if which else self._heads
            self._known[which, at] = column_of(list(map(itemgetter(at), rows)))
        return self._known[which, at]


def column_of(cells: Sequence[str]) -> Column:
    """The column with these cells."""
    known = dict.fromkeys(cells)
    for at, text in enumerate(known):
        known[text] = at
    codes: Any = np.fromiter(map(known.__getitem__, cells), np.int32, len(cells))
    return Column(list(known), codes)


def joint(keys: Sequence[tuple[npt.NDArray[Any], int]], size: int) -> tuple[Ints, list[int]]:
    """Which distinct combination of some keys stands at each of `size` places, and where each is met first.

    Shape: each key as (codes from 0 on, how many there may be).
    """
    key, wide = np.zeros(size, np.int64), 1
    for codes, count in keys:
        if count <= 1:
            continue
        if wide * count >= _MOST:
            found, key = distinct(key)
            wide = len(found)
        key = key * count + codes
        wide *= count
    if wide == 1:
        return key, [0][:size]
    _, which = distinct(key)
    return which, first_of(which).tolist()
