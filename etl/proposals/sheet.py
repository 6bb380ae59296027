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


LEAST_JOINED = 20
"""So many orders in tables of different columns tell that an order's rows stand in several tables."""


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

    def holds(self, header: str) -> bool:
        """Whether the dump has such a column, or such a name in a list."""
        return header in self._cells or header in self.dump.nested

    def order_amount(self, header: str, rows: Sequence[int]) -> Decimal | None:
        """The amount of an order in a column, or what the elements of a list of it add up to; None for none."""
        if header in self._cells:
            cell = next((self._cells[header][row] for row in rows if self._cells[header][row].strip()), "")
            return self.numbers.amount(cell) if cell else None
        nested = self.dump.nested.get(header, {})
        amounts = [self.numbers.amount(cell) for row in rows for cell in nested.get(row, ())]
        return sum((one for one in amounts if one is not None), Decimal(0)) if amounts else None

    def rates_are_shares(self, header: str) -> bool:
        """Whether all rates of the column are written as shares of one, 0.2 for 20 %: no tax is below one percent."""
        words = {cell for cell in self._cells[header] if cell.strip()}
        rates = [self.numbers.rate(word) for word in words]
        is_below_one = all(rate is not None and rate < 1 for rate in rates)
        return is_below_one and any(rates) and not any("%" in word for word in words)

    def group(self, header: str) -> list[list[int]]:
        """Rows of each order; a row without a number belongs to the one above, a row of totals to none.

        An order that several tables hold alike is taken once, as the run takes it. Where the tables are too long to be
        held, only orders whose rows are all here are taken.
        """
        found = self._parts_of_orders(header)
        kept = found.values() if self.dump.is_whole else self._held_whole(list(found.values()))
        return [self._once(parts) if len(parts) > 1 else next(iter(parts.values())) for parts in kept]

    def numbers_by_part(self, header: str) -> list[set[str]]:
        """The order numbers that each table of the dump holds."""
        held: list[set[str]] = [set() for _ in self.dump.parts]
        for number, parts in self._parts_of_orders(header).items():
            for part in parts:
                held[part].add(number)
        return held

    def _parts_of_orders(self, header: str) -> dict[str, dict[int, list[int]]]:
        """Number -> index of the table -> rows."""
        found: dict[str, dict[int, list[int]]] = {}
        starts, at, last = self.dump.starts, 0, ""
        others = [self._cells[other] for other in self.also_numbers]
        for row, cell in enumerate(self._cells[header]):
            if (part := max(bisect(starts, row) - 1, 0)) != at:
                at, last = part, ""
            last = plain(cell).strip() or next((text for one in others if (text := plain(one[row]).strip())), last)
            if any(map(str.isdigit, last)):
                found.setdefault(last, {}).setdefault(at, []).append(row)
        return found

    def _held_whole(self, orders: Sequence[Mapping[int, list[int]]]) -> Sequence[Mapping[int, list[int]]]:
        """The orders that no end of a table cuts: of headers beside lines, those that both tables still hold."""
        headers = [part.headers for part in self.dump.parts]
        ends = [part.start - 1 for part in self.dump.parts[1:]] + [len(self.dump.rows) - 1]
        cut = {end for end, part in zip(ends, self.dump.parts, strict=True) if part.is_cut}
        whole = [parts for parts in orders if not any(rows[-1] in cut for rows in parts.values())]
        joined = [parts for parts in whole if len({headers[part] for part in parts}) > 1]
        return joined if len(joined) >= LEAST_JOINED else whole

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
