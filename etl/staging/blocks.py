"""Whole orders of one flat file as columns of distinct texts and codes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

from etl.errors import InternalError
from etl.reading.grid import Bools, Grid, Ints, pieces
from etl.staging.raw_part import LONGEST_ORDER, RowFormat
from etl.staging.raw_store import Orders
from etl.staging.spool import Lined, Parts, held, in_order

AT_ONCE = 2_000
"""So many orders of which only their parts are known are held at once."""


class Column(NamedTuple):
    """The distinct cells of a column within a block, and which of them stands where."""

    texts: Sequence[str]
    codes: npt.NDArray[np.int32]


class Block:
    """A stretch of all orders by number. One that has more than its rows (a fault, rows stored by themselves) has none here.

    `numbers`: the canonical number of each. `first`: where its rows begin, and where the last one's end. `rows`: the row of
    the export of each line. `is_same`: whether all rows of the order have the same order-level cells; not of one without.
    """

    def __init__(
        self, numbers: Ints | Sequence[int], first: Ints, rows: Ints, is_same: Bools, cells: Cells | None
    ) -> None:
        """`cells`: makes the columns; None where no order has a row."""
        self.numbers: Sequence[str] = list(map(str, numbers.tolist() if isinstance(numbers, np.ndarray) else numbers))
        self.first, self.rows, self.is_same = first, rows, is_same
        self._cells = cells
        self._known: dict[tuple[bool, int], Column] = {}

    def order(self, at: int) -> Column:
        """An order-level column of the layout: an item an order, from its first row."""
        return self._column(at, is_order=True)

    def line(self, at: int) -> Column:
        """A column of the rows, those of the lines first and then the others: an item a row."""
        return self._column(at, is_order=False)

    def line_keys(self, ats: Sequence[int]) -> Sequence[Hashable]:
        """What stands in some columns (one at least) of each row: rows have the same there where these are equal."""
        return [] if self._cells is None else self._cells.keys(ats)

    def line_cells(self, rows: Sequence[int], size: int) -> list[tuple[str, ...]]:
        """The cells of some rows in the first `size` columns of the lines."""
        return [] if self._cells is None else self._cells.lines(rows, size)

    def amounts(self, at: int, mark: str, digits: int, *, is_order: bool) -> tuple[Ints, Bools] | None:
        """Cells of such a column in units of 10**-digits, and which are plain amounts; None where they have to be looked up."""
        if self._cells is None or not len(self._cells.rows):
            return None
        size = len(self.numbers) if is_order else len(self.rows)
        return self._cells.amounts(at, size, mark, digits, is_order=is_order)

    def _column(self, at: int, *, is_order: bool) -> Column:
        if (is_order, at) not in self._known:
            size = len(self.numbers) if is_order else len(self.rows)
            found = None if self._cells is None else self._cells.column(at, size, is_order=is_order)
            self._known[is_order, at] = found or Column([""], np.zeros(size, np.int32))
        return self._known[is_order, at]


class Cells(NamedTuple):
    """Where the cells of a block stand: the first row of each order that has any, its place in the block, and all rows."""

    grid: Grid
    how: RowFormat
    begins: Ints
    places: Ints
    rows: Ints

    def column(self, at: int, size: int, *, is_order: bool) -> Column | None:
        """A column of so many cells; None where there are no rows."""
        if not len(self.rows):
            return None
        its = (self.how.order_at if is_order else self.how.line_at)[at]
        first, codes = self.grid.codes(its, self.begins if is_order else self.rows)
        if is_order and len(self.places) < size:
            spread = np.zeros(size, np.int32)
            spread[self.places] = codes
            codes = spread
        return Column(self.grid.texts(its, first), codes)

    def keys(self, ats: Sequence[int]) -> Sequence[Hashable]:
        """As `Block.line_keys`."""
        return self.grid.keys([self.how.line_at[at] for at in ats], self.rows)

    def lines(self, rows: Sequence[int], size: int) -> list[tuple[str, ...]]:
        """As `Block.line_cells`."""
        its = self.rows[list(rows)]
        return list(zip(*[self.grid.texts(column, its) for column in self.how.line_at[:size]], strict=True))

    def amounts(self, at: int, size: int, mark: str, digits: int, *, is_order: bool) -> tuple[Ints, Bools]:
        """As `Block.amounts`; an order without a row has none."""
        its = (self.how.order_at if is_order else self.how.line_at)[at]
        numbers, is_plain = self.grid.amounts(its, self.begins if is_order else self.rows, mark, digits)
        if not is_order or len(self.places) == size:
            return numbers, is_plain
        spread, is_known = np.zeros(size, np.int64), np.zeros(size, bool)
        spread[self.places], is_known[self.places] = numbers, is_plain
        return spread, is_known


class BlockOrders(Sequence[tuple[str, Parts]]):
    """The orders of a block, each as its number and parts, which are made when asked for."""

    def __init__(self, block: Block, file: int, parts: Callable[[int], Parts]) -> None:
        self.block, self.file, self._parts = block, file, parts

    def __len__(self) -> int:
        return len(self.block.numbers)

    @overload
    def __getitem__(self, at: int) -> tuple[str, Parts]: ...
    @overload
    def __getitem__(self, at: slice) -> list[tuple[str, Parts]]: ...
    def __getitem__(self, at: int | slice) -> tuple[str, Parts] | list[tuple[str, Parts]]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        return self.block.numbers[at], self._parts(at)


def blocks(orders: Iterator[Orders], stored: Iterator[tuple[int, Lined]]) -> Iterator[BlockOrders]:
    """Plain orders with those among them that are stored otherwise, or both ways: all of them by number."""
    waiting = next(stored, None)
    for some in orders:
        low = 0
        while low < len(some.numbers):
            among: list[tuple[int, Lined]] = []
            high = len(some.numbers)
            while waiting is not None and waiting[0] <= int(some.numbers[-1]):
                among.append(waiting)
                waiting = next(stored, None)
                if len(among) >= AT_ONCE:
                    high = int(np.searchsorted(some.numbers, among[-1][0], side="right"))
                    break
            yield _block(some.between(low, high), among) if low < high else _without_rows(among)
            low = high
    rest = chain(() if waiting is None else (waiting,), stored)
    while among := list(islice(rest, AT_ONCE)):
        yield _without_rows(among)


def _without_rows(among: list[tuple[int, Lined]]) -> BlockOrders:
    nothing = np.zeros(len(among) + 1, np.int64)
    block = Block([number for number, _ in among], nothing, nothing[:0], np.zeros(len(among), bool), None)
    return BlockOrders(block, among[0][1][0][1].file, lambda at: held(part for _, part in among[at][1]))


def _block(orders: Orders, among: list[tuple[int, Lined]]) -> BlockOrders:
    """The block of some plain orders, and of others that stand among them."""
    how = orders.how
    grid = _grid(orders)
    others = np.array([number for number, _ in among], np.int64)
    is_held = np.diff(orders.offsets[orders.first]) <= LONGEST_ORDER
    is_own = is_held & ~np.isin(orders.numbers, others)
    numbers = np.union1d(orders.numbers, others)
    places = np.searchsorted(numbers, orders.numbers[is_own])
    sizes = np.zeros(len(numbers), np.int64)
    sizes[places] = np.diff(orders.first)[is_own]
    begins = orders.first[:-1][is_own]
    is_all = bool(is_own.all())
    rows = np.arange(grid.count) if is_all else np.flatnonzero(np.repeat(is_own, np.diff(orders.first)))
    repeats = grid.repeats(how.order_at)
    repeats[orders.first[:-1]] = True
    is_same = np.zeros(len(numbers), bool)
    is_same[places] = np.logical_and.reduceat(repeats, orders.first[:-1])[is_own] if len(places) else False
    block = Block(
        numbers,
        np.concatenate(([0], np.cumsum(sizes))),
        orders.rows[rows],
        is_same,
        Cells(grid, how, begins, places, rows),
    )
    by_number = dict(among)

    def parts(at: int) -> Parts:
        number = int(numbers[at])
        lined = by_number.get(number)
        place = int(np.searchsorted(orders.numbers, number))
        if place == len(orders.numbers) or orders.numbers[place] != number:
            return held(part for _, part in lined or ())
        raw = orders.part(place)
        return held((raw,) if lined is None else in_order(lined, raw))

    return BlockOrders(block, how.file, parts)


def _grid(orders: Orders) -> Grid:
    how = orders.how
    found = pieces(orders.data, how.delimiter, how.width, how.encoding, least=1)
    grid = found[0].grid
    if len(found) != 1 or grid is None or grid.count != len(orders.rows):
        raise InternalError("plain rows that are none any more")
    return grid
