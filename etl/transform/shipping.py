"""Shipping, and the fee of a return: which tax-code sets carry them. Pure.

Rule: design section 5 (shipping, returns nested in get-orders).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from etl.model.mapping import SHIPPING_WORDS
from etl.model.money import ZERO
from etl.model.rules import plain
from etl.transform.amounts import TaxedAmount, TaxSet, share_over
from etl.transform.order_context import OrderContext
from etl.transform.taxes import UNDECIDED, TaxAnswer, TaxCase, answer, as_set, codes_usable, shipping_without_goods


def shipping_parts(
    case: OrderContext,
    amount: Decimal,
    sets: Sequence[TaxSet],
    tax_case: TaxCase | None,
    *,
    own: Decimal | None = None,
    fee: bool = False,
) -> list[TaxedAmount]:
    """The amount with its taxes, `sets` being those of the goods; undecided with the reason in the findings.

    `own`: the rate that the export states or proves of it.
    """
    if not amount:
        return []
    tax = case.settings.shipping.tax
    is_named = tax not in SHIPPING_WORDS
    if tax == "stated" and own is not None and tax_case is not None:
        return [_at_own_rate(case, amount, ZERO if tax_case.is_deducted else own, tax_case)]
    if sets and tax == "highest":
        rate = case.ctx.arithmetic.combined_rate
        top = max(sets, key=lambda one: (rate(one.codes), one.weight))
        return [TaxedAmount(top.codes, top.percent, amount)]
    if sets and not is_named:
        return share_over(amount, sets, case.precision)
    bare: TaxAnswer | None = None
    if tax_case is not None and is_named:
        bare = _named_codes(case, tuple(tax.split()), tax_case)
    elif tax_case is not None:
        bare = shipping_without_goods(tax_case, case.ctx, case.found, fee=fee)
    bare = bare or UNDECIDED
    codes = case.ctx.arithmetic.without_flat(bare.codes)
    return [TaxedAmount(codes, bare.percent, amount, is_decided=bare.is_decided)]


def _at_own_rate(case: OrderContext, amount: Decimal, percent: Decimal, tax_case: TaxCase) -> TaxedAmount:
    """The amount at a rate of its own, by the row of taxes.csv that a line of that rate would have."""
    country, day = tax_case.country, tax_case.day
    rule = case.ctx.lookups.taxes.find(
        country=country, percent=percent, day=day, store_type=tax_case.store_type, sku=""
    )
    found = None
    if rule is None:
        message = (
            f"The shipping has {plain(percent)} %, and taxes.csv has no row for {country}, {plain(percent)} %, {day}."
        )
        case.problem("tax.unmapped", message, value=plain(percent))
    else:
        found = answer(rule, percent, tax_case, case.ctx, case.found, rule.place, f"{country} {plain(percent)}")
    if found is None:
        return TaxedAmount((), percent, amount, is_decided=False, is_rated=True)
    return TaxedAmount(case.ctx.arithmetic.without_flat(found.codes), percent, amount)


def _named_codes(case: OrderContext, codes: tuple[str, ...], tax_case: TaxCase) -> TaxAnswer | None:
    where = "shipping.tax in migration.toml"
    if not codes_usable(codes, where, tax_case, case.ctx, case.found):
        return None
    percent = case.ctx.arithmetic.combined_rate(codes) * 100
    if tax_case.is_deducted and percent:
        case.problem("tax.rate_differs", f"{where} has a rate, but order {case.order.number} is without tax.")
        return None
    return TaxAnswer(as_set(codes), percent)
