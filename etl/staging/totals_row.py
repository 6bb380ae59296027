"""A row of totals below the orders: a control on what was read of the file, never a row of an order.

Rule: design section 3: a totals row becomes a control on the sum of totals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from etl.model.export import plain
from etl.reading.kinds import NUMERIC, Kind
from etl.reading.parse import Reader
from etl.reading.remarks import RemarkedValue
from etl.staging.build import Group
from etl.staging.fields import Column, Layout


@dataclass(slots=True)
class _Sum:
    """Sum of a column: each row's cell, and each order's first one (order-level columns may be repeated)."""

    by_row: Decimal = Decimal(0)
    by_order: Decimal = Decimal(0)

    def holds(self, total: Decimal) -> bool:
        return total in (self.by_row, self.by_order)


@dataclass(slots=True)
class Control:
    """Sums over one flat file, column by column, to compare rows of totals with."""

    layout: Layout
    reader: Reader[Decimal | None]
    _sums: dict[str, _Sum] = field(default_factory=dict)

    def add(self, parts: Iterable[tuple[list[Group], object, Sequence[tuple[int, tuple[str, ...], str]]]]) -> None:
        """Adds the rows of one order."""
        met: set[str] = set()
        for groups, _, below in parts:
            for cells, rows in groups:
                for column, cell in zip(self.layout.order, cells, strict=True):
                    self._add(column, cell, len(rows), met)
                for _, line in rows:
                    self._add_line(line)
            for _, line, _ in below:
                self._add_line(line)

    def _add_line(self, line: tuple[str, ...]) -> None:
        for column, cell in zip(self.layout.line, line, strict=False):
            self._add(column, cell, 1, set())

    def _add(self, column: Column, cell: str, rows: int, met: set[str]) -> None:
        if column.kind not in NUMERIC or column.kind is Kind.PERCENT or not cell.strip():
            return
        value = _value(self.reader, cell)
        if value is None:
            return
        total = self._sums.setdefault(column.header, _Sum())
        total.by_row += value * rows
        if column.header not in met:
            met.add(column.header)
            total.by_order += value

    def compare(self, cells: Sequence[str]) -> tuple[bool, str]:
        """Whether a row of totals agrees with the file, and that in words: orderTotal decides where it has one."""
        columns = [
            (column, value)
            for column in (*self.layout.order, *self.layout.line)
            if column.kind in NUMERIC and (value := _value(self.reader, cells[column.index])) is not None
        ]
        control = [pair for pair in columns if pair[0].field == "orderTotal"] or columns
        agree = [column for column, value in control if self._sums.get(column.header, _Sum()).holds(value)]
        texts = [
            f"{column.header} {plain(cells[column.index]).strip()} (the orders' sum is "
            f"{self._sums.get(column.header, _Sum()).by_order:f})"
            for column, _ in control[:4]
        ]
        return bool(control) and len(agree) == len(control), ", ".join(texts)


def _value(reader: Reader[Decimal | None], cell: str) -> Decimal | None:
    try:
        return reader[cell]
    except RemarkedValue as odd:
        return None if odd.is_error else odd.value
