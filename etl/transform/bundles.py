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
from etl.model.plan import Basis
from etl.model.problem import Problem
from etl.transform.context import Context, Findings, Footing

Reading = Literal["bundle", "contents"]


def charged_lines(order: Order, ctx: Context, basis: Basis, precision: int, found: Findings) -> tuple[Line, ...]:
    """The lines to charge; where nobody can tell, the bundle's, with the reason in `found`."""
    bundles, contents = _parts(order.lines)
    if not bundles or not contents:
        return order.lines
    readings: dict[Reading, tuple[Line, ...]] = {
        "bundle": tuple(line for index, line in enumerate(order.lines) if index not in contents),
        "contents": tuple(line for index, line in enumerate(order.lines) if index not in bundles),
    }
    setting = ctx.mapping.settings.products.bundles
    if setting != "auto":
        return readings["bundle" if setting == "bundle" else "contents"]
    footing = [name for name in readings if _foots(order, readings[name], ctx, basis, precision)]
    if len(footing) == 1:
        return readings[footing[0]]
    if order.order_total is not None and not footing:
        return readings["bundle"]  # total.mismatch will say so
    if _sums_per_rate(readings["bundle"]) == _sums_per_rate(readings["contents"]):
        return readings["bundle"]
    proved = [name for name in readings if _fits_breakdown(order, readings[name], basis, precision)]
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


def _foots(order: Order, lines: Sequence[Line], ctx: Context, basis: Basis, precision: int) -> bool:
    """Whether the lines make orderTotal; with tax only about, since the total is checked to the cent later."""
    if order.order_total is None:
        return False
    goods = sum((line.total for line in lines), ZERO)
    extra = order.beside_goods
    tolerance = ctx.mapping.settings.source.total_tolerance
    if basis is Basis.NET and ctx.footing is not Footing.WITHOUT_TAX:
        factor = 1 + extra / goods if goods else Decimal(1)
        tax = sum((_tax(total, percent, basis) for percent, total in _sums_per_rate(lines).items()), ZERO)
        return abs(goods + extra + tax * factor - order.order_total) <= tolerance + _slack(lines, precision)
    return abs(round_money(goods + extra, precision) - round_money(order.order_total, precision)) <= tolerance


def _sums_per_rate(lines: Sequence[Line]) -> dict[Decimal | None, Decimal]:
    sums: dict[Decimal | None, Decimal] = defaultdict(lambda: ZERO)
    for line in lines:
        sums[line.vat_percent] += line.total
    return {percent: total for percent, total in sums.items() if total}


def _fits_breakdown(order: Order, lines: Sequence[Line], basis: Basis, precision: int) -> bool:
    """Whether the tax per rate is that of `taxBreakdown`, give or take the last digit of each line.

    The breakdown is over the whole order, so shipping and voucher are in it, shared over the goods; exports
    that leave them out are read too.
    """
    if not order.tax_breakdown:
        return False
    stated: dict[Decimal, Decimal] = defaultdict(lambda: ZERO)
    for row in order.tax_breakdown:
        stated[row.percent] += row.value
    sums = _sums_per_rate(lines)
    goods = sum(sums.values(), ZERO)
    factors = {Decimal(1), 1 + order.beside_goods / goods if goods else Decimal(1)}
    rates = {percent for percent in (*stated, *sums) if percent}
    slack = _slack(lines, precision)
    return any(
        all(abs(stated[rate] - factor * _tax(sums.get(rate, ZERO), rate, basis)) <= slack for rate in rates)
        for factor in factors
    )


def _tax(total: Decimal, percent: Decimal | None, basis: Basis) -> Decimal:
    if not percent:
        return ZERO
    return total * percent / (100 + percent if basis is Basis.GROSS else 100)


def _slack(lines: Sequence[Line], precision: int) -> Decimal:
    return Decimal(len(lines) + 1).scaleb(-precision)
