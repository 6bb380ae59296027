"""What an order adds up to, how orderTotal foots, and the total that stands for the source. Pure.

Rule: design section 6.
"""

from __future__ import annotations

from decimal import Decimal

from etl.model.money import ZERO, round_money, ulp
from etl.model.place import Place
from etl.model.plan import Basis
from etl.model.problem import Problem
from etl.transform.context import Footing
from etl.transform.footing import sum_with_tax
from etl.transform.goods import Goods
from etl.transform.order_context import OrderContext

AMOUNT_COLUMNS = frozenset(
    (
        "",
        "products",
        "products.qty",
        "products.unitPrice",
        "shippingValue",
        "handlingCost",
        "voucherValue",
        "orderTotal",
    )
)
"""Columns whose faults leave the sum unknown; a fault of no column is one of the whole order."""

AMOUNT_PARTS = ("returns", "discounts")
"""Nested parts of which every fault does."""

UNSUMMABLE = frozenset({"order.overlap", "order.conflict", "order.incomplete"})


def sum_of(case: OrderContext) -> Decimal:
    """The exact sum of the order in the source's basis, rounded once."""
    return round_money(case.goods_total + case.order.beside_goods, case.precision)


def footing_of(case: OrderContext) -> Footing:
    """The way in which orderTotal is expected to foot."""
    return Footing.WITHOUT_TAX if case.basis is Basis.GROSS else case.ctx.footing or Footing.WITHOUT_TAX


def is_footing_open(case: OrderContext) -> bool:
    """Whether nobody can say if orderTotal carries tax: prices without tax, and no order whose taxes are decided."""
    return case.basis is Basis.NET and case.ctx.footing is None


def footed(case: OrderContext, goods: Goods | None, footing: Footing) -> Decimal | None:
    """What orderTotal would be in this footing; None where the taxes are not known."""
    if footing is Footing.WITHOUT_TAX:
        return sum_of(case)
    if goods is None:
        return None
    # Exact line totals: "rounded once" would be twice with the rounded ones.
    amounts = [(taxed.tax.percent, taxed.line.total) for taxed in goods.lines]
    amounts += [(part.percent, part.amount) for part in (*goods.shipping, *goods.handling, *goods.fees)]
    amounts += [(part.percent, -part.amount) for part in goods.vouchers]
    paid = sum((voucher.value for voucher in goods.paid), ZERO)
    return sum_with_tax(amounts, footing, case.precision) - paid


def holding_footings(case: OrderContext, goods: Goods | None) -> frozenset[Footing]:
    """The footings in which orderTotal is what the order adds up to."""
    total, tolerance = case.stated_total, case.settings.source.total_tolerance
    return frozenset(
        footing
        for footing in Footing
        if total is not None
        and (stated := footed(case, goods, footing)) is not None
        and abs(total - stated) <= tolerance
    )


def check_total(case: OrderContext, goods: Goods | None) -> None:
    """Given, orderTotal is a control on the sum."""
    order = case.order
    if case.stated_total is None or not order.is_readable:
        return
    if case.basis is Basis.NET and (goods is None or (not goods.is_taxed and holding_footings(case, goods))):
        # While taxes are undecided nobody knows the tax that the total may hold: that is told, and blocks. Wrong is only
        # a total that foots in no way by the rates of the file.
        return
    stated = footed(case, goods, footing_of(case))
    if stated is None or abs(case.stated_total - stated) <= case.settings.source.total_tolerance:
        return
    if foots_by_own_tax(case, goods, stated):
        return
    how = "" if case.basis is Basis.GROSS else f" ({footing_of(case).value})"
    case.found.add(mismatch(order.number, order.place, stated, order.order_total, how))


def mismatch(number: str, place: Place, stated: Decimal, total: Decimal | None, how: str = "") -> Problem:
    """What is said of an order at `place` whose orderTotal is not what it adds up to, `stated`."""
    text = f"Lines, shipping and voucher of order {number} add up to {stated}{how}; orderTotal is {total}."
    return Problem("total.mismatch", number, place.at("orderTotal"), str(total), text)


def foots_by_own_tax(case: OrderContext, goods: Goods | None, stated: Decimal) -> bool:
    """Whether orderTotal is the sum and the tax that the order's own column tells, to the cent.

    So the sum, which is what counts, is proved; `stated`, with the tax worked out, may differ by the shop's rounding only.
    """
    tax = case.order.tax_total
    if case.basis is Basis.GROSS or tax is None or goods is None or case.stated_total is None:
        return False
    parts = len(goods.lines) + len(goods.shipping) + len(goods.handling) + len(goods.fees) + len(goods.vouchers)
    rounding = ulp(case.precision) * parts / 2
    return case.stated_total == sum_of(case) + tax and abs(case.stated_total - stated) <= rounding


def is_total_waived(case: OrderContext) -> bool:
    """Whether a person accepted an orderTotal that the lines do not add up to."""
    return any(problem.code == "total.mismatch" and not problem.is_error for problem in case.found.problems)


def source_total(case: OrderContext, goods: Goods | None = None) -> Decimal | None:
    """OrderTotal in the source's basis where given, else the sum; None where neither can be read.

    An orderTotal with tax is the sum and what the tolerance let pass, since the tax is no part of the basis. Where there is
    no sum, it counts less the tax that the order's own column tells; what is neither is no total of this basis.
    """
    if not case.is_in_range or _is_of_nothing(case):
        return None
    is_summable = _is_summable(case)
    if case.stated_total is None or is_footing_open(case):
        return sum_of(case) if is_summable else None
    if footing_of(case) is Footing.WITHOUT_TAX:
        return case.stated_total
    if not is_summable:
        return None if case.order.tax_total is None else case.stated_total - case.order.tax_total
    stated = footed(case, goods, footing_of(case)) if goods else None
    if stated is not None and foots_by_own_tax(case, goods, stated):
        return sum_of(case)
    return sum_of(case) + (ZERO if stated is None else case.stated_total - stated)


def _is_summable(case: OrderContext) -> bool:
    return not any(
        problem.is_error and (problem.code in UNSUMMABLE or _holds_amount(problem.place.canonical))
        for problem in case.order.problems
    )


def _is_of_nothing(case: OrderContext) -> bool:
    """Whether nobody can read what a total would be one of: its currency, its basis, or which of two it is."""
    names = {"currency", "orderTotal", "taxAdded", "taxDeducted"}
    if case.settings.source.prices_include_tax == "b2c":
        names.add("storeType")
    return any(problem.is_error and problem.place.canonical in names for problem in case.order.problems)


def _holds_amount(column: str) -> bool:
    return column in AMOUNT_COLUMNS or column.startswith(AMOUNT_PARTS)
