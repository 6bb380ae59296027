"""Cells of columns to whole numbers: each distinct cell is read once, by the reader that the rules use. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from etl.reading.parse import Reader
from etl.reading.remarks import RemarkedValue

KEPT = 100_000
"""Distinct cells that are remembered of one column."""
ABSENT = object()
"""Stands for the value of a cell that there is something to say of."""


class Remembered(dict[int, str]):
    """Texts by a number that they are made of: each is made once."""

    def __init__(self, make: Callable[[int], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: int) -> str:
        if len(self) >= KEPT:
            self.clear()
        found = self[key] = self._make(key)
        return found


class Units(dict[str, int | None]):
    """Cell to amount in units of 10**-digits; None for an empty cell, one with a remark, and one with finer digits."""

    def __init__(self, reader: Reader[Any], digits: int, *, below: int, nothing: frozenset[str] = frozenset()) -> None:
        """`below`: amounts of that size and more, either sign, are none. `nothing`: words that are empty cells."""
        super().__init__()
        self._reader, self._scale = reader, 10**digits
        self._limit = below * self._scale
        self._digits = digits
        self.mark = "" if any(word[:1].isdigit() for word in nothing) else _mark_of(reader)
        """Between whole units and decimals of an amount without sign or thousands; "" where none is read at once."""
        self.digits = digits
        self._is_plain = _plain_amount(self.mark) if self.mark else None

    def __missing__(self, cell: str) -> int | None:
        if len(self) >= KEPT:
            self.clear()
        found = self[cell] = self._read(cell)
        return found

    def _read(self, cell: str) -> int | None:
        if self._is_plain is not None and (match := self._is_plain(cell)):
            # As the reader has it, without the Decimal on the way.
            decimals = match[2] or ""
            if len(decimals) <= self._digits:
                units = int(match[1] + decimals) * 10 ** (self._digits - len(decimals))
                return units if units < self._limit else None
        value = clean(self._reader, cell)
        if value is ABSENT or value is None:
            return None
        number, divisor = value.as_integer_ratio()
        units, rest = divmod(number * self._scale, divisor)
        return None if rest or not -self._limit < units < self._limit else units


def _mark_of(reader: Reader[Any]) -> str:
    """The decimal mark of the reader's file; "" where that is none of both."""
    return next((mark for mark in ".," if clean(reader, f"1{mark}25") == Decimal("1.25")), "")


def _plain_amount(mark: str) -> Callable[[str], re.Match[str] | None]:
    """What matches an amount without sign or thousands."""
    return re.compile(rf"(0|[1-9][0-9]{{0,8}})(?:[{mark}]([0-9]{{1,2}}))?").fullmatch


def clean(reader: Reader[Any], cell: str) -> Any:
    """The value of a cell that there is nothing to say about; `ABSENT` where there is."""
    try:
        return reader[cell]
    except RemarkedValue:
        return ABSENT


def is_clean(reader: Reader[Any], cell: str) -> bool:
    """Whether there is nothing to say about the cell."""
    return clean(reader, cell) is not ABSENT
