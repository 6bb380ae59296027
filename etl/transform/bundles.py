"""Which of a bundle and its contents is charged. Pure.

Rule: design section 5 (bundles). One reading per order, since one total proves it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from etl.model.money import ZERO, round_money
from etl.model.order import Line, Order
from etl.model.problem import Problem
from etl.transform.context import Findings

Reading = Literal["bundle", "contents"]


def charged_lines(order: Order, setting: str, precision: int, tolerance: Decimal, found: Findings) -> tuple[Line, ...]:
    """The lines to charge; where nobody can tell, the bundle's, with the reason in `found`."""
    bundles, contents = _parts(order.lines)
    if not bundles or not contents:
        return order.lines
    readings: dict[Reading, tuple[Line, ...]] = {
        "bundle": tuple(line for index, line in enumerate(order.lines) if index not in contents),
        "contents": tuple(line for index, line in enumerate(order.lines) if index not in bundles),
    }
    if setting != "auto":
        return readings["bundle" if setting == "bundle" else "contents"]
    footing = [name for name in readings if _foots(order, readings[name], precision, tolerance)]
    if len(footing) == 1:
        return readings[footing[0]]
    if order.order_total is not None and not footing:
        return readings["bundle"]  # total.mismatch will say so
    if _sums_per_rate(readings["bundle"]) == _sums_per_rate(readings["contents"]):
        return readings["bundle"]
    proved = [name for name in readings if _fits_breakdown(order, readings[name], precision)]
    if len(proved) == 1:
        return readings[proved[0]]
    found.add(
        Problem(
            "bundle.ambiguous",
            order.number,
            order.place,
            message=f"Order {order.number} lists a bundle and its contents, and nothing in it says which is charged.",
        )
    )
    return readings["bundle"]


def _parts(lines: Sequence[Line]) -> tuple[set[int], set[int]]:
    """Indexes of the bundles that have contents, and of these contents."""
    contents = {index for index, line in enumerate(lines) if line.bundle}
    named = {lines[index].bundle for index in contents}
    bundles = {
        index for index, line in enumerate(lines) if line.is_bundle and (line.line_id in named or str(index) in named)
    }
    if contents and not bundles:
        bundles = {index for index, line in enumerate(lines) if line.is_bundle}
    return bundles, contents


def _foots(order: Order, lines: Sequence[Line], precision: int, tolerance: Decimal) -> bool:
    if order.order_total is None:
        return False
    total = sum((line.total for line in lines), ZERO) + order.shipping - order.voucher_value
    return abs(round_money(total, precision) - order.order_total) <= tolerance


def _sums_per_rate(lines: Sequence[Line]) -> dict[Decimal | None, Decimal]:
    sums: dict[Decimal | None, Decimal] = defaultdict(lambda: ZERO)
    for line in lines:
        sums[line.vat_percent] += line.total
    return {percent: total for percent, total in sums.items() if total}


def _fits_breakdown(order: Order, lines: Sequence[Line], precision: int) -> bool:
    """Whether the tax of the goods, per rate, is nearer to `taxBreakdown` than half a percent of it."""
    if not order.tax_breakdown:
        return False
    stated: dict[Decimal, Decimal] = defaultdict(lambda: ZERO)
    for row in order.tax_breakdown:
        stated[row.percent] += row.value
    computed: dict[Decimal, Decimal] = defaultdict(lambda: ZERO)
    for percent, total in _sums_per_rate(lines).items():
        if percent:
            computed[percent] += total * percent / (100 + percent)
    slack = Decimal(len(lines) + 1).scaleb(-precision)
    return all(abs(stated[percent] - computed[percent]) <= slack for percent in {*stated, *computed} if percent)
