"""The priced content of an order in the source's basis, taxes decided. Pure.

Rule: design sections 5 (tax, shipping, vouchers, sharing) and 6 (rounding together).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from etl.model.order import TaxMode, Voucher
from etl.transform.amounts import Part, TaxedLine, rounded_totals, tax_sets
from etl.transform.case import Case
from etl.transform.consumption import local_day
from etl.transform.shipping import carried
from etl.transform.taxes import LineTaxes, TaxCase, country_of
from etl.transform.vouchers import shared_vouchers
from etl.transform.window import Moment


@dataclass(frozen=True, slots=True)
class Goods:
    """Lines with rounded totals; shipping, fees and vouchers over tax-code sets; `paid` vouchers are payments."""

    lines: list[TaxedLine]
    shipping: list[Part]
    handling: list[Part]
    fees: list[Part]
    vouchers: list[Part]
    paid: list[Voucher]


def goods_of(case: Case, moment: Moment) -> Goods | None:
    """The content with its taxes; None with every reason in the findings."""
    tax_case = _tax_case(case, moment)
    return None if tax_case is None else _taxed(case, tax_case)


def _tax_case(case: Case, moment: Moment) -> TaxCase | None:
    order, ctx = case.order, case.ctx
    country = country_of(order, ctx, case.found)
    if not country or moment.true is None or moment.seen is None:
        return None
    day = local_day(moment.true, ctx.reference.timezone)
    is_deducted = order.tax_mode is TaxMode.DEDUCTED
    return TaxCase(country, day, moment.seen, order.store_type, case.currency, is_deducted)


def _taxed(case: Case, tax_case: TaxCase) -> Goods | None:
    order = case.order
    taxes = LineTaxes(tax_case, case.ctx, case.found)
    found = [taxes.of(line) for line in case.lines]
    answers = [answer for answer in found if answer is not None]
    if len(answers) < len(found):
        return None
    extra = [order.shipping, order.handling, order.return_cost, *(-voucher.value for voucher in case.vouchers)]
    totals, rest = rounded_totals(case.totals, answers, extra, case.precision)
    lines = [TaxedLine(*parts) for parts in zip(case.lines, answers, totals, strict=True)]
    sets = tax_sets(lines, case.ctx.arithmetic, is_return=order.is_return)
    shipping = carried(case, rest[0], sets, tax_case)
    handling = carried(case, rest[1], sets, tax_case, fee=True)
    fees = carried(case, rest[2], sets, tax_case, fee=True)
    if shipping is None or handling is None or fees is None:
        return None
    shared = shared_vouchers(case, _rounded(case.vouchers, rest[3:]), sets, shipping, tax_case)
    return None if shared is None else Goods(lines, shipping, handling, fees, shared.parts, shared.paid)


def _rounded(vouchers: Sequence[Voucher], negatives: Sequence[Decimal]) -> list[Voucher]:
    return [replace(voucher, value=-amount) for voucher, amount in zip(vouchers, negatives, strict=True)]
