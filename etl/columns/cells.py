"""Cells of columns to whole numbers: each distinct cell is read once, by the reader that the rules use. Pure."""

from __future__ import annotations

from typing import Any

from etl.reading.parse import Reader
from etl.reading.remarks import Odd

KEPT = 100_000
"""Distinct cells that are remembered of one column."""
_ABSENT = object()


class Units(dict[str, int | None]):
    """Cell to amount in units of 10**-digits; None for an empty cell, one with a remark, and one with finer digits."""

    def __init__(self, reader: Reader[Any], digits: int, *, below: int) -> None:
        """`below`: amounts of that size and more, either sign, are none."""
        super().__init__()
        self._reader, self._scale = reader, 10**digits
        self._limit = below * self._scale

    def __missing__(self, cell: str) -> int | None:
        if len(self) >= KEPT:
            self.clear()
        found = self[cell] = self._read(cell)
        return found

    def _read(self, cell: str) -> int | None:
        value = clean(self._reader, cell)
        if value is _ABSENT or value is None:
            return None
        number, divisor = value.as_integer_ratio()
        units, rest = divmod(number * self._scale, divisor)
        return None if rest or not -self._limit < units < self._limit else units


def clean(reader: Reader[Any], cell: str) -> Any:
    """The value of a cell that there is nothing to say about; `_ABSENT` where there is."""
    try:
        return reader[cell]
    except Odd:
        return _ABSENT


def is_clean(reader: Reader[Any], cell: str) -> bool:
    """Whether there is nothing to say about the cell."""
    return clean(reader, cell) is not _ABSENT
