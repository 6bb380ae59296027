"""A discount that stands on each line, beside the price before it: proved where the orders foot with it and not without.

Rule: design section 3a. Centra's own prices are after a line's discount; tills and ERPs give price, discount and, often,
what the line comes to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from etl.model.mapping import Sure
from etl.proposals.column import ColumnProposal
from etl.proposals.footing import Candidates, Footing, OrderCells, best_footing
from etl.proposals.names import fields_named
from etl.proposals.sheet import Sheet

FIELD = "products.lineDiscount"
_QTY, _PRICE = "products.qty", "products.unitPrice"


def with_line_discount(
    sheet: Sheet, taken: Mapping[str, str], candidates: Candidates, orders: Sequence[OrderCells]
) -> tuple[Footing, ColumnProposal] | None:
    """The footing with a column of discounts taken off the lines, and what the column is; None where none proves itself.

    To be asked where the orders do not foot without it.
    """
    quantities = candidates.roles.get(_QTY, ())[:1]
    for column in _discounts(sheet, taken) if quantities else ():
        lines = [
            _less(sheet, column, quantities[0], candidates, one, rows)
            for one, rows in zip(orders, sheet.groups, strict=True)
        ]
        found = best_footing(lines, replace(candidates, roles={**candidates.roles, _QTY: quantities}))
        if found is not None and found.is_enough:
            evidence = f"{found.foots:,} of {found.orders:,} orders foot with it taken off the lines, and fewer without"
            return found, ColumnProposal(column, FIELD, Sure.PROVED, evidence, (), sheet.profiles[column].samples)
    return None


def _discounts(sheet: Sheet, taken: Mapping[str, str]) -> list[str]:
    """Columns of the lines that are named as discounts and hold amounts."""
    return [
        header
        for header, one in sheet.profiles.items()
        if ((header not in taken and "voucherValue" in fields_named(header)) or taken.get(header) == FIELD)
        and not sheet.is_of_order(header)
        and one.written
    ]


def _less(
    sheet: Sheet, column: str, quantity: str, candidates: Candidates, order: OrderCells, rows: Sequence[int]
) -> OrderCells:
    cells = sheet.cells(column)
    off = [abs(sheet.numbers.amount(cells[row]) or Decimal(0)) if cells[row].strip() else Decimal(0) for row in rows]
    counts = order.lines[quantity]
    lines = dict(order.lines)
    for price in candidates.roles.get(_PRICE, ()):
        lines[price] = [_unit(*one) for one in zip(order.lines[price], counts, off, strict=True)]
    return OrderCells(order.order, lines)


def _unit(price: Decimal | None, count: Decimal | None, off: Decimal) -> Decimal | None:
    return price if price is None or not count or not off else price - off / abs(count)
