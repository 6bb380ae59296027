"""Vouchers: which lower the goods, how they are shared over tax-code sets, and which are money. Pure.

Rule: design section 5 (voucher value, sharing).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from etl.model.identity import IDENTIFIER_LIMIT
from etl.model.money import ZERO, share_capped
from etl.model.order import Voucher
from etl.model.rules import Category, VoucherRule
from etl.transform.amounts import Room, TaxedAmount, TaxedLine, TaxSet, lowered, share_over, share_voucher
from etl.transform.context import Context
from etl.transform.near import near_key, tell_near
from etl.transform.order_context import OrderContext
from etl.transform.products import cut, fill
from etl.transform.shipping import shipping_parts
from etl.transform.taxes import TaxCase


@dataclass(slots=True)
class Shared:
    """Parts of the vouchers that lower the goods (positive: reducing), and the vouchers that are payments."""

    parts: list[TaxedAmount] = field(default_factory=list)
    paid: list[Voucher] = field(default_factory=list)


def rule_of(ctx: Context, voucher: Voucher) -> VoucherRule | None:
    """The row of vouchers.csv that fits a voucher."""
    return ctx.lookups.find_voucher(ctx.mapping.vouchers, voucher.code)


def policy_of(ctx: Context, voucher: Voucher) -> tuple[str | None, Category]:
    """Policy (None: undecided) and accounting category of a voucher."""
    mapping, rule = ctx.mapping, rule_of(ctx, voucher)
    category = rule.category if rule and rule.accounting_category else mapping.default_category("vouchers")
    if voucher.is_credit:
        return "payment", category
    return (rule.policy if rule else mapping.settings.vouchers.policy), category


def near_voucher(ctx: Context, voucher: Voucher) -> str:
    """The code of vouchers.csv that a voucher without a row looks like, or ""."""
    return "" if rule_of(ctx, voucher) else near_key(ctx, "vouchers", {"": voucher.code})[1]


def voucher_name(ctx: Context, voucher: Voucher, texts: Mapping[str, str]) -> str:
    """The name of a voucher's item; `texts`: the order's fields."""
    values = {**texts, "voucherCode": voucher.code or voucher.name, "voucherName": voucher.name}
    return cut(fill(ctx.mapping.settings.vouchers.name, values) or "Voucher", IDENTIFIER_LIMIT)


def shared_vouchers(
    case: OrderContext,
    vouchers: Sequence[Voucher],
    sets: Sequence[TaxSet],
    shipping: Sequence[TaxedAmount],
    tax_case: TaxCase | None,
) -> Shared:
    """The vouchers by their policies; what is undecided of them in the findings."""
    shared = Shared()
    if not vouchers:
        return shared
    sign = case.sign
    room = Room([max(ZERO, one.net) for one in sets], [max(ZERO, sign * part.amount) for part in shipping])
    for voucher in vouchers:
        policy, _ = policy_of(case.ctx, voucher)
        rule = rule_of(case.ctx, voucher)
        if rule is None:
            tell_near(case.ctx, case.found, "vouchers", {"": voucher.code}, case.order.place.at("voucherCode"))
        if policy is None:
            case.rule([rule.undecided(voucher.code)] if rule else ())
        elif policy == "payment":
            shared.paid.append(voucher)
        elif not voucher.value:
            continue
        elif sets or shipping:
            shared.parts += _over_goods(case, voucher, sets, shipping, room)
        else:
            # Without goods it takes the codes that shipping without goods would.
            shared.parts += [
                replace(part, voucher=voucher) for part in shipping_parts(case, voucher.value, (), tax_case)
            ]
    return shared


def _over_goods(
    case: OrderContext, voucher: Voucher, sets: Sequence[TaxSet], shipping: Sequence[TaxedAmount], room: Room
) -> list[TaxedAmount]:
    """The parts of one voucher; `room` is lowered by what a reducing one takes."""
    sign, left = case.sign, voucher.value
    parts: list[TaxedAmount] = []
    if sign * voucher.value > 0:
        on_goods, on_shipping = share_voucher(voucher, abs(voucher.value), sets, shipping, room, case.precision)
        parts = [replace(part, amount=sign * part.amount) for part in (*on_goods, *on_shipping)]
        left -= sum((part.amount for part in parts), ZERO)
    if left > 0:  # in a return, which grows by it: sales are blocked there
        fitting, left = _where_it_fits(case, left, sets, shipping)
        parts += [replace(part, voucher=voucher) for part in fitting]
    if left:  # a discount taken back, or beyond all that a return gives back
        parts += [replace(part, voucher=voucher) for part in _over_all(case, left, sets, shipping)]
    return parts


def _where_it_fits(
    case: OrderContext, amount: Decimal, sets: Sequence[TaxSet], shipping: Sequence[TaxedAmount]
) -> tuple[list[TaxedAmount], Decimal]:
    """`amount` over the goods of a return, then its shipping, and what is left.

    What is given back takes any amount; what goes out in exchange no more than its own value.
    """
    parts: list[TaxedAmount] = []
    for group, is_for_shipping in ((sets, False), (_as_sets(shipping), True)):
        weights, keys = [one.weight for one in group], [one.codes for one in group]
        caps = [amount if one.net >= 0 else -one.net for one in group]
        taken, amount = share_capped(amount, weights, caps, case.precision, tie_keys=keys)
        parts += [
            TaxedAmount(one.codes, one.percent, part, is_for_shipping=is_for_shipping)
            for one, part in zip(group, taken, strict=True)
            if part
        ]
    return parts, amount


def _over_all(
    case: OrderContext, amount: Decimal, sets: Sequence[TaxSet], shipping: Sequence[TaxedAmount]
) -> list[TaxedAmount]:
    """`amount` over goods without a cap (it makes the order larger), else over the shipping."""
    return share_over(amount, sets or _as_sets(shipping), case.precision)


def _as_sets(shipping: Sequence[TaxedAmount]) -> list[TaxSet]:
    return [TaxSet(part.codes, part.percent, abs(part.amount), -part.amount) for part in shipping]


def spread_vouchers(
    case: OrderContext, parts: Sequence[TaxedAmount], lines: list[TaxedLine], shipping: list[TaxedAmount]
) -> tuple[list[TaxedLine], list[TaxedAmount], list[TaxedAmount]]:
    """Lines and shipping with the vouchers taken off that are spread, and the parts that become items.

    Where neither can take a part, it is an item like those of rebates; these come first.
    """
    policies = [(policy_of(case.ctx, part.voucher)[0] if part.voucher else None) or "rebate" for part in parts]
    items = [part for part, policy in zip(parts, policies, strict=True) if policy != "spread"]
    for part, policy in zip(parts, policies, strict=True):
        if policy == "spread":
            lines, shipping, left = _spread(case, part, lines, shipping)
            if left:
                items.append(replace(part, amount=left))
    return lines, shipping, items


def _spread(
    case: OrderContext, part: TaxedAmount, lines: list[TaxedLine], shipping: list[TaxedAmount]
) -> tuple[list[TaxedLine], list[TaxedAmount], Decimal]:
    """A part for shipping lowers the shipping, one for goods the goods, then the shipping."""
    left = part.amount
    if not part.is_for_shipping:
        without_flat = case.ctx.arithmetic.without_flat
        members = [index for index, taxed in enumerate(lines) if without_flat(taxed.tax.codes) == part.codes]
        totals, left = _taken_off(case, left, [lines[index].total for index in members])
        lines = list(lines)
        for index, total in zip(members, totals, strict=True):
            lines[index] = replace(lines[index], total=total)
    if left:
        members = [index for index, one in enumerate(shipping) if one.codes == part.codes]
        totals, left = _taken_off(case, left, [shipping[index].amount for index in members])
        shipping = list(shipping)
        for index, total in zip(members, totals, strict=True):
            shipping[index] = replace(shipping[index], amount=total)
    return lines, shipping, left


def _taken_off(case: OrderContext, amount: Decimal, totals: Sequence[Decimal]) -> tuple[list[Decimal], Decimal]:
    return lowered(totals, amount, case.precision, is_return=case.order.is_return)


def merged(parts: Sequence[TaxedAmount]) -> list[TaxedAmount]:
    """One part for each voucher and tax-code set: what it takes of goods and of shipping together."""
    found: dict[tuple[int, tuple[str, ...]], TaxedAmount] = {}
    for part in parts:
        key = (id(part.voucher), part.codes)
        found[key] = replace(part, amount=found[key].amount + part.amount) if key in found else part
    return list(found.values())
