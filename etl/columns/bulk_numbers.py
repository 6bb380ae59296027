"""Columns of cells to whole numbers; plain amounts without a look at each of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from etl.columns.block import Block, Bools, Ints
from etl.columns.cells import KEPT, Units
from etl.reading.distinct import distinct
from etl.reading.grid import LONGEST_AMOUNT, plain_amounts

EMPTY, ODD = -(2**40), -(2**41)
"""What stands for an empty cell, and for one that is not plain or too large."""
LARGEST = 10**9
"""Amounts stay below this many units of 10**-digits, quantities too, rates below 10**7: products of two are far from 2**63."""
_FEW = 64
"""Of so few texts each is looked up."""


class Numbers(dict[str, int]):
    """Cell to a whole number of either sign, `EMPTY` or `ODD`."""

    def __init__(self, units: Units, below: int) -> None:
        super().__init__()
        self._units, self._below = units, below

    def __missing__(self, cell: str) -> int:
        if len(self) >= KEPT:
            self.clear()
        value = self._units[cell] if cell else EMPTY
        found = self[cell] = value if value == EMPTY or (value is not None and abs(value) < self._below) else ODD
        return found

    def read(self, block: Block, at: int, *, is_order: bool) -> Ints:
        """The numbers of a column of the block: an item an order, or a row."""
        mark, digits = self._units.mark, self._units.digits
        found = block.amounts(at, mark, digits, is_order=is_order) if mark else None
        if found is None:
            texts, codes = block.order(at) if is_order else block.line(at)
            if not mark or len(texts) < _FEW:
                return self._looked_up(texts)[codes]
            numbers, is_plain = plain_units(texts, mark, digits)
            numbers, is_plain = numbers[codes], is_plain[codes]
        else:
            numbers, is_plain = found
        odd = ~(is_plain & (numbers < self._below))
        if odd.any():
            texts, codes = block.order(at) if is_order else block.line(at)
            its, which = distinct(codes[odd].astype(np.int64))
            numbers[odd] = self._looked_up([texts[code] for code in its.tolist()])[which]
        return numbers

    def _looked_up(self, texts: Sequence[str]) -> Ints:
        return np.fromiter(map(self.__getitem__, texts), np.int64, len(texts))


def plain_units(texts: Sequence[str], mark: str, digits: int) -> tuple[Ints, Bools]:
    """Amounts in units of 10**-digits, and which of the texts are amounts without sign or thousands, and not finer.

    As `cells.Units` reads them one by one.
    """
    length = np.fromiter(map(len, texts), np.int64, len(texts))
    wide = min(int(length.max(initial=1)), LONGEST_AMOUNT)
    # Longer ones are cut, and none by their length; so is one with a NUL, which is no sign of an amount.
    signs = np.array(texts, f"U{wide}").view(np.uint32).reshape(len(texts), wide)
    return plain_amounts(lambda place, _: signs[:, place], length, mark, digits)
