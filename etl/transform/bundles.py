"""Which of a bundle and its contents is charged. Pure.

Rule: design section 5 (bundles). One reading per order, since one total proves it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from etl.model.money import ZERO, round_money
from etl.model.order import Line, Order
from etl.model.plan import Basis
from etl.model.problem import Problem, notice
from etl.transform.context import Context, Findings, Footing
from etl.transform.footing import sum_with_tax

Reading = Literal["bundle", "contents"]

TotalWithTax = Callable[[Sequence[Line]], Decimal | None]
"""What orderTotal would be if these lines were charged, tax on top; None where a tax is not decided."""


def charged_lines(
    order: Order,
    ctx: Context,
    basis: Basis,
    precision: int,
    found: Findings,
    total_with_tax: TotalWithTax = lambda _: None,
) -> tuple[Line, ...]:
    """The lines to charge; where nobody can tell, the bundle's, with the reason in `found`."""
    bundles, contents = _parts(order.lines)
    setting = ctx.mapping.settings.products.bundles
    if not bundles:
        return order.lines
    charged: dict[Reading, tuple[Line, ...]] = {
        "bundle": _without(order.lines, contents),
        "contents": _without(order.lines, bundles) if contents else order.lines,
    }
    if setting != "auto":
        return charged[setting]
    proof = _Proof(order, ctx, basis, precision, total_with_tax)
    priced = _at_original_price(charged["bundle"])
    if priced is not None and not (proof.footing(charged) or any(order.lines[index].total for index in contents)):
        if order.order_total is None:
            found.add(_ambiguous(order, "lists a bundle at price 0 with an originalPrice, and no total"))
        elif proof.is_footing(priced):
            found.add(_told_of_original_price(order))
            return priced
    if not contents:
        return order.lines
    return charged[_reading(charged, proof, found)]


def _parts(lines: Sequence[Line]) -> tuple[set[int], set[int]]:
    """Indexes of the bundles that have contents, and of these contents.

    Without contents all bundles; where one of several is not told apart, all of them too.
    """
    bundles = {index for index, line in enumerate(lines) if line.is_bundle}
    contents = {index for index, line in enumerate(lines) if line.bundle}
    if not bundles or not contents:
        return bundles, contents
    refs = {lines[index].bundle for index in contents}
    names = {index: {lines[index].line_id, lines[index].key} for index in bundles}
    if len(bundles) == 1 or not refs <= set().union(*names.values()):
        return bundles, contents
    return {index for index in bundles if names[index] & refs}, contents


def _without(lines: Sequence[Line], left_out: set[int]) -> tuple[Line, ...]:
    return tuple(line for index, line in enumerate(lines) if index not in left_out)


def _at_original_price(lines: Sequence[Line]) -> tuple[Line, ...] | None:
    """The lines with bundles of price 0 at their originalPrice; None where there is none such."""
    priced = tuple(
        replace(line, unit_price=line.original_price) if _is_at_zero(line) and line.original_price else line
        for line in lines
    )
    return None if priced == tuple(lines) else priced


def _is_at_zero(line: Line) -> bool:
    return line.is_bundle and not line.unit_price


def _reading(charged: dict[Reading, tuple[Line, ...]], proof: _Proof, found: Findings) -> Reading:
    order = proof.order
    footing = proof.footing(charged)
    if len(footing) == 1:
        return footing[0]
    if order.order_total is not None and not footing:
        return "bundle"  # total.mismatch will say so
    if _sums_per_rate(charged["bundle"]) == _sums_per_rate(charged["contents"]):
        return "bundle"
    proved: list[Reading] = [name for name, lines in charged.items() if proof.fits_breakdown(lines)]
    if len(proved) == 1:
        return proved[0]
    found.add(_ambiguous(order, "lists a bundle and its contents, and nothing in it says which is charged"))
    return "bundle"


def _ambiguous(order: Order, what: str) -> Problem:
    return Problem("bundle.ambiguous", order.number, order.place, message=f"Order {order.number} {what}.")


def _told_of_original_price(order: Order) -> Problem:
    bundle = next(line for line in order.lines if _is_at_zero(line))
    message = f"{bundle.key or 'A bundle'} has price 0; order {order.number} adds up with its originalPrice."
    place = bundle.place.at("products.originalPrice")
    return notice(
        "bundle.original_price", message, order=order.number, place=place, value=str(bundle.original_price or "")
    )


@dataclass(frozen=True, slots=True)
class _Proof:
    """What an order says about which of its lines are charged."""

    order: Order
    ctx: Context
    basis: Basis
    precision: int
    total_with_tax: TotalWithTax

    def footing(self, charged: dict[Reading, tuple[Line, ...]]) -> list[Reading]:
        """The readings that make orderTotal: those to the cent, else within the tolerance, else about."""
        offs = {name: off for name, lines in charged.items() if (off := self._off(lines)) is not None}
        tolerance = self.ctx.mapping.settings.source.total_tolerance
        for bound, is_about in ((ZERO, False), (tolerance, False), (tolerance, True)):
            found = [name for name, (off, slack) in offs.items() if off <= bound + (slack if is_about else ZERO)]
            if found:
                return found
        return []

    def is_footing(self, lines: Sequence[Line]) -> bool:
        """Whether the lines make orderTotal within the tolerance; about, where a tax is not decided."""
        found = self._off(lines)
        return found is not None and found[0] <= self.ctx.mapping.settings.source.total_tolerance + found[1]

    @property
    def _has_tax(self) -> bool:
        return self.basis is Basis.NET and self.ctx.footing not in (None, Footing.WITHOUT_TAX)

    def _off(self, lines: Sequence[Line]) -> tuple[Decimal, Decimal] | None:
        """How far the lines are from orderTotal, by the taxes that the rest of the order would carry beside them.

        With it by how much that may be wrong, where a tax is not decided. None without an orderTotal.
        """
        order = self.order
        if order.order_total is None:
            return None
        total = round_money(order.order_total, self.precision)
        if not self._has_tax:
            goods = sum(_sums_per_rate(lines).values(), ZERO)
            return abs(round_money(goods + order.beside_goods, self.precision) - total), ZERO
        stated = self.total_with_tax(lines)
        if stated is None:
            return abs(self._about(lines) - total), _slack(lines, self.precision)
        return abs(stated - total), ZERO

    def _about(self, lines: Sequence[Line]) -> Decimal:
        """The total with tax, shipping and voucher at the goods' rates."""
        order, sums = self.order, _sums_per_rate(lines)
        goods = sum(sums.values(), ZERO)
        amounts = [(line.vat_percent or ZERO, line.total) for line in lines]
        if goods:
            amounts += [(percent or ZERO, order.beside_goods * part / goods) for percent, part in sums.items()]
        return sum_with_tax(amounts, self.ctx.footing or Footing.WITHOUT_TAX, self.precision)

    def fits_breakdown(self, lines: Sequence[Line]) -> bool:
        """Whether the tax per rate is that of `taxBreakdown`, give or take the last digit of each line.

        The breakdown is over the whole order, so shipping and voucher are in it, shared over the goods; exports
        that leave them out are read too.
        """
        if not self.order.tax_breakdown:
            return False
        stated: dict[Decimal, Decimal] = defaultdict(lambda: ZERO)
        for row in self.order.tax_breakdown:
            stated[row.percent] += row.value
        sums = _sums_per_rate(lines)
        goods = sum(sums.values(), ZERO)
        factors = {Decimal(1), 1 + self.order.beside_goods / goods if goods else Decimal(1)}
        rates = {percent for percent in (*stated, *sums) if percent}
        slack = _slack(lines, self.precision)
        return any(
            all(abs(stated[rate] - factor * _tax(sums.get(rate, ZERO), rate, self.basis)) <= slack for rate in rates)
            for factor in factors
        )


def _sums_per_rate(lines: Sequence[Line]) -> dict[Decimal | None, Decimal]:
    sums: dict[Decimal | None, Decimal] = defaultdict(lambda: ZERO)
    for line in lines:
        sums[line.vat_percent] += line.total
    return {percent: total for percent, total in sums.items() if total}


def _tax(total: Decimal, percent: Decimal | None, basis: Basis) -> Decimal:
    if not percent:
        return ZERO
    return total * percent / (100 + percent if basis is Basis.GROSS else 100)


def _slack(lines: Sequence[Line], precision: int) -> Decimal:
    return Decimal(len(lines) + 1).scaleb(-precision)
