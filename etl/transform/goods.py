"""The priced content of an order in the source's basis, taxes decided. Pure.

Rule: design sections 5 (tax, shipping, vouchers, sharing) and 6 (rounding together).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from etl.model.order import Line, TaxMode, Voucher
from etl.transform.amounts import TaxedAmount, TaxedLine, rounded_totals, tax_sets
from etl.transform.consumption import local_day
from etl.transform.order_context import OrderContext
from etl.transform.shipping import shipping_parts
from etl.transform.taxes import UNDECIDED, LineTaxes, TaxAnswer, TaxCase, country_of
from etl.transform.vouchers import shared_vouchers
from etl.transform.window import Moment


@dataclass(frozen=True, slots=True)
class Goods:
    """Lines with rounded totals; shipping, fees and vouchers over tax-code sets; `paid` vouchers are payments.

    `is_taxed`: every tax is decided. Where not, the order is blocked, and what else blocks it is found all the same.
    `is_rated`: every rate is known, of undecided taxes by the source: so the order foots as it will once they are decided.
    """

    lines: list[TaxedLine]
    shipping: list[TaxedAmount]
    handling: list[TaxedAmount]
    fees: list[TaxedAmount]
    vouchers: list[TaxedAmount]
    paid: list[Voucher]
    is_taxed: bool
    is_rated: bool


def goods_of(case: OrderContext, moment: Moment) -> Goods | None:
    """The content with its taxes, every reason why one is not decided in the findings; None beyond exact arithmetic."""
    return _taxed(case, _tax_case(case, moment)) if case.is_in_range else None


def _tax_case(case: OrderContext, moment: Moment) -> TaxCase | None:
    order, ctx = case.order, case.ctx
    country = country_of(order, ctx, case.found)
    if not country or moment.true is None or moment.seen is None:
        return None
    day = local_day(moment.true, ctx.reference.timezone)
    is_deducted = order.tax_mode is TaxMode.DEDUCTED
    return TaxCase(country, day, moment.seen, order.store_type, case.currency, is_deducted)


def _taxed(case: OrderContext, tax_case: TaxCase | None) -> Goods:
    order = case.order
    answers = _answers(case, tax_case)
    extra = [order.shipping, order.handling, order.return_cost, *(-voucher.value for voucher in case.vouchers)]
    totals, rest = rounded_totals(case.totals, answers, extra, case.precision)
    lines = [TaxedLine(*parts) for parts in zip(case.lines, answers, totals, strict=True)]
    sets = tax_sets(lines, case.ctx.arithmetic, is_return=order.is_return)
    shipping = shipping_parts(case, rest[0], sets, tax_case, own=order.shipping_percent)
    handling = shipping_parts(case, rest[1], sets, tax_case, own=order.handling_percent, fee=True)
    fees = shipping_parts(case, rest[2], sets, tax_case, fee=True)
    shared = shared_vouchers(case, _rounded(case.vouchers, rest[3:]), sets, shipping, tax_case)
    parts = (*shipping, *handling, *fees, *shared.parts)
    is_taxed = all(answer.is_decided for answer in answers) and all(part.is_decided for part in parts)
    is_rated = is_taxed or _is_rated(case, lines, parts)
    return Goods(lines, shipping, handling, fees, shared.parts, shared.paid, is_taxed, is_rated)


def _is_rated(case: OrderContext, lines: Sequence[TaxedLine], parts: Sequence[TaxedAmount]) -> bool:
    """Whether the source names the rate of every undecided line, and no part needs the codes of one."""
    is_told = all(taxed.tax.is_decided or taxed.line.vat_percent is not None for taxed in lines)
    is_highest = case.settings.shipping.tax == "highest" and bool(case.order.beside_goods)
    return is_told and not is_highest and all(part.is_decided or part.is_rated for part in parts)


def _answers(case: OrderContext, tax_case: TaxCase | None) -> list[TaxAnswer]:
    """The taxes of the lines; undecided ones keep the rate that the source names."""
    if tax_case is None:
        return [_undecided(case, line) for line in case.lines]
    decide = LineTaxes(tax_case, case.ctx, case.found).of
    return [decide(line) or _undecided(case, line) for line in case.lines]


def _undecided(case: OrderContext, line: Line) -> TaxAnswer:
    if line.vat_percent is None or case.order.tax_mode is TaxMode.DEDUCTED:
        return UNDECIDED
    return replace(UNDECIDED, percent=line.vat_percent)


def _rounded(vouchers: Sequence[Voucher], negatives: Sequence[Decimal]) -> list[Voucher]:
    return [replace(voucher, value=-amount) for voucher, amount in zip(vouchers, negatives, strict=True)]
