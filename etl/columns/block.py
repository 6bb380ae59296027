"""Whole orders of one flat file as columns of distinct texts and codes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from etl.columns.rows import Rows

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_MOST = 2**62


class Column(NamedTuple):
    """The distinct cells of a column within a block, and which of them stands where."""

    texts: Sequence[str]
    codes: npt.NDArray[np.int32]


class Block(NamedTuple):
    """Orders that have nothing beside their rows: no fault, no copy, no correction.

    `numbers`: the canonical number of each. `first`: where its rows begin, and where the last one's end. `rows`: the row of
    the export of each line. `order`: a column for each of the order's, an item an order, from its first row. `is_same`:
    whether all rows of the order have these. `line`: a column for each cell of a row, an item a row.
    """

    numbers: Sequence[str]
    first: Ints
    rows: Ints
    order: Sequence[Column]
    is_same: Bools
    line: Sequence[Column]

    def cells(self, at: int) -> tuple[str, ...]:
        """The order-level cells of an order."""
        return tuple([texts[codes[at]] for texts, codes in self.order])


def of_groups(orders: Sequence[tuple[str, Rows]]) -> Block:
    """The block of some orders: (number, its rows)."""
    flat = list(chain.from_iterable([rows for _, groups in orders for _, rows in groups]))
    sizes = [sum([len(rows) for _, rows in groups]) for _, groups in orders]
    heads = [groups[0][0] for _, groups in orders]
    is_same = [
        len(groups) == 1 or all(other[0] == head for other in groups)
        for (_, groups), head in zip(orders, heads, strict=True)
    ]
    return Block(
        [number for number, _ in orders],
        np.concatenate(([0], np.cumsum(sizes))),
        np.fromiter(map(itemgetter(0), flat), np.int64, len(flat)),
        list(map(column_of, zip(*heads, strict=True))),
        np.array(is_same, bool),
        list(map(column_of, zip(*map(itemgetter(1), flat), strict=True))),
    )


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
            found, key = np.unique(key, return_inverse=True)
            wide = len(found)
        key = key * count + codes
        wide *= count
    if wide == 1:
        return key, [0][:size]
    _, first, back = np.unique(key, return_index=True, return_inverse=True)
    return back.astype(np.int64), first.tolist()
