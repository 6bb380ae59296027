"""The columns of a dump, with what each looks like, grouped into orders."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from decimal import Decimal

from etl.model.export import plain
from etl.proposals.content import Numbers, Profile, profile, style_of
from etl.proposals.dump import Cells, Dump

MOST_AGREE = Decimal("0.99")
"""Share of orders in which a column of the order holds one value."""


class Sheet:
    """The columns of a dump with what they look like, grouped into orders by the number's column."""

    def __init__(self, dump: Dump) -> None:
        self.dump = dump
        self._cells = dict(zip(dump.headers, zip(*dump.rows, strict=True), strict=True)) if dump.rows else {}
        self.numbers = Numbers(style_of(cell for row in dump.rows for cell in row))
        self.profiles: dict[str, Profile] = {
            header: profile(cells, self.numbers) for header, cells in self._cells.items()
        }
        self.groups: list[list[int]] = []
        self.also_numbers: tuple[str, ...] = ()
        """Columns that hold the order number in tables which lack the column of the others."""

    def cells(self, header: str) -> Sequence[str]:
        """The column's cells, row by row."""
        return self._cells[header]

    def group(self, header: str) -> list[list[int]]:
        """Rows of each order; a row without a number belongs to the one above, a row of totals to none.

        An order that several tables hold alike is taken once, as the run takes it.
        """
        found: dict[str, dict[int, list[int]]] = {}
        last = ""
        others = [self._cells[other] for other in self.also_numbers]
        for row, cell in enumerate(self._cells[header]):
            last = plain(cell).strip() or next((text for one in others if (text := plain(one[row]).strip())), last)
            if any(map(str.isdigit, last)):
                found.setdefault(last, {}).setdefault(bisect(self.dump.starts, row), []).append(row)
        return [self._once(parts) if len(parts) > 1 else next(iter(parts.values())) for parts in found.values()]

    def _once(self, parts: Mapping[int, Sequence[int]]) -> list[int]:
        """The rows of an order, without the tables that only repeat what another one has."""
        met: list[list[Cells]] = []
        rows: list[int] = []
        for part in parts.values():
            content = sorted(self.dump.rows[row] for row in part)
            if content not in met:
                met.append(content)
                rows += part
        return rows

    def is_of_order(self, header: str, groups: Sequence[Sequence[int]] | None = None) -> bool:
        """Whether the column holds one value for all rows of an order, in 99 of 100."""
        if self.dump.line_headers is not None:
            return header not in self.dump.line_headers
        cells, several, same = self._cells[header], 0, 0
        for rows in self.groups if groups is None else groups:
            values = {cells[row] for row in rows if cells[row].strip()}
            if len(rows) > 1 and values:
                several += 1
                same += len(values) == 1
        return same >= several * MOST_AGREE
