"""Items of which Mews tells the amounts of one unit alone, completed with what was predicted of the whole. Pure.

Rule: `outletItems/getAll` shows UnitAmount only. What was sent of it, gross or net by the enterprise's pricing, is exact:
count times the unit. The other side is rounded for each unit, so the tax of the whole can't be read back; where the
unit's is what the prediction makes it, the prediction stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from etl.model.plan import Basis
from etl.model.rows import OrderItemRow

Amounts = tuple[Decimal, Decimal]
"""Net and gross of a whole entry."""


def completed(rows: Iterable[OrderItemRow], predicted: Mapping[str, Amounts], basis: Basis) -> list[OrderItemRow]:
    """The rows, those of several units with the amounts predicted of their whole where their unit says the same.

    `predicted`: by ExternalIdentifier. Rows that come back without one meet a prediction of the same amount.
    """
    left = dict(predicted)
    found = []
    for row in rows:
        key = _partner(row, left, basis) if row.is_by_unit and row.count > 1 else None
        if key is None:
            found.append(row)
            continue
        net, gross = left.pop(key)
        found.append(
            replace(row, net=net, gross=gross, original_net=net, original_gross=gross, taxes=_taxes(row, gross - net))
        )
    return found


def _partner(row: OrderItemRow, predicted: Mapping[str, Amounts], basis: Basis) -> str | None:
    if row.external_identifier:
        expected = predicted.get(row.external_identifier)
        is_it = expected is not None and _says_the_same(row, expected, basis)
        return row.external_identifier if is_it else None
    return next((key for key, expected in predicted.items() if _says_the_same(row, expected, basis)), None)


def _says_the_same(row: OrderItemRow, expected: Amounts, basis: Basis) -> bool:
    sent = 1 if basis is Basis.GROSS else 0
    seen = row.first_booked
    digit = Decimal(1).scaleb(min(_exponent(amount) for amount in (*expected, row.unit_net, row.unit_gross)))
    return seen[sent] == expected[sent] and abs(seen[1 - sent] - expected[1 - sent]) <= digit * row.count


def _taxes(row: OrderItemRow, tax: Decimal) -> tuple[tuple[str, Decimal], ...]:
    """The whole tax by code: certain where there is one code; of several, each stays what its units say."""
    return ((row.taxes[0][0], tax),) if len(row.taxes) == 1 else row.taxes


def _exponent(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def of_single_units(rows: Sequence[OrderItemRow]) -> list[OrderItemRow]:
    """The rows whose whole amounts Mews tells."""
    return [row for row in rows if not row.is_by_unit or row.count == 1]
