"""Items of which Mews tells the amounts of one unit alone, as `recover` reads them: completed by Mews's own arithmetic.

Rule: design section 6: per entry on count x unit amount. Of what this ledger sent the prediction is on record, and
`evidence.by_unit` takes it; of what it never sent the codes and the unit that came back say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from etl.evidence.by_unit import completed
from etl.model.plan import Basis
from etl.model.reference import Reference
from etl.model.rows import OrderItemRow
from etl.transform.arithmetic import Arithmetic


def whole_entries(reference: Reference) -> Callable[[Sequence[OrderItemRow]], list[OrderItemRow]]:
    """Completes the items of one order. Those of codes that the enterprise does not have (any more) stay as they are."""
    arithmetic = Arithmetic(reference)

    def whole(rows: Sequence[OrderItemRow]) -> list[OrderItemRow]:
        return [
            one for row in rows for one in completed([row], _predicted(row, arithmetic, reference), arithmetic.basis)
        ]

    return whole


def _predicted(row: OrderItemRow, arithmetic: Arithmetic, reference: Reference) -> dict[str, tuple[Decimal, Decimal]]:
    codes = tuple(code for code, _ in row.taxes)
    currency = reference.currencies.get(row.currency)
    if currency is None or not arithmetic.knows(codes):
        return {}
    unit = row.unit_gross if arithmetic.basis is Basis.GROSS else row.unit_net
    booked = arithmetic.predict(row.count, unit, codes, currency.precision)
    return {row.external_identifier: (booked.net, booked.gross)}
