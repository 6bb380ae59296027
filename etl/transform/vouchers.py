"""Vouchers: which lower the goods, how they are shared over tax-code sets, and which are money. Pure.

Rule: design section 5 (voucher value, sharing).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from etl.model.money import ZERO
from etl.model.order import Voucher
from etl.transform.amounts import Part, Room, TaxedLine, TaxSet, share_over, share_voucher, spread_over_lines
from etl.transform.case import Case
from etl.transform.shipping import carried
from etl.transform.taxes import TaxAnswer, TaxCase


@dataclass(slots=True)
class Shared:
    """Parts of the vouchers that lower the goods (positive: reducing), and the vouchers that are payments."""

    parts: list[Part] = field(default_factory=list)
    paid: list[Voucher] = field(default_factory=list)


def policy_of(case: Case, voucher: Voucher) -> tuple[str | None, str]:
    """Policy (None: undecided) and accounting category of a voucher."""
    default = case.settings.vouchers
    rule = case.ctx.lookups.find_voucher(case.ctx.mapping.vouchers, voucher.code)
    category = (rule.accounting_category if rule else "") or default.accounting_category
    if voucher.is_credit:
        return "payment", category
    return (rule.policy if rule else default.policy), category


def shared_vouchers(
    case: Case, vouchers: Sequence[Voucher], sets: Sequence[TaxSet], shipping: Sequence[Part], tax_case: TaxCase
) -> Shared | None:
    """The vouchers by their policies; None with the reason in the findings."""
    shared = Shared()
    if not vouchers:
        return shared
    sign = case.sign
    room = Room([max(ZERO, one.net) for one in sets], [max(ZERO, sign * part.amount) for part in shipping])
    bare: TaxAnswer | None = None
    for voucher in vouchers:
        policy, _ = policy_of(case, voucher)
        if policy is None:
            case.problem("voucher.undecided", f"vouchers.csv has no policy for {voucher.code}.", value=voucher.code)
        elif policy == "payment":
            shared.paid.append(voucher)
        elif not voucher.value:
            continue
        elif sets or shipping:
            shared.parts += _over_goods(case, voucher, sets, shipping, room)
        else:
            bare = bare or _alone(case, tax_case)
            if bare is None:
                return None
            shared.parts.append(Part(bare.codes, bare.percent, voucher.value, voucher))
    return shared


def _over_goods(
    case: Case, voucher: Voucher, sets: Sequence[TaxSet], shipping: Sequence[Part], room: Room
) -> list[Part]:
    """The parts of one voucher; `room` is lowered by what a reducing one takes."""
    sign, left = case.sign, voucher.value
    parts: list[Part] = []
    if sign * voucher.value > 0:
        on_goods, on_shipping = share_voucher(voucher, abs(voucher.value), sets, shipping, room, case.precision)
        parts = [replace(part, amount=sign * part.amount) for part in (*on_goods, *on_shipping)]
        left -= sum((part.amount for part in parts), ZERO)
    if left:  # a discount taken back, or beyond the goods of a return: sales are blocked there
        parts += [replace(part, voucher=voucher) for part in _over_all(case, left, sets, shipping)]
    return parts


def _over_all(case: Case, amount: Decimal, sets: Sequence[TaxSet], shipping: Sequence[Part]) -> list[Part]:
    """`amount` over goods without a cap (it makes the order larger), else over the shipping."""
    if sets:
        return share_over(amount, sets, case.precision)
    weights = [TaxSet(part.codes, part.percent, abs(part.amount), ZERO) for part in shipping]
    return share_over(amount, weights, case.precision)


def _alone(case: Case, tax_case: TaxCase) -> TaxAnswer | None:
    """The taxes of a voucher without goods: those that shipping without goods would have."""
    parts = carried(case, Decimal(1), (), tax_case)
    return None if parts is None else TaxAnswer(parts[0].codes, parts[0].percent)


def spread_vouchers(
    case: Case, parts: Sequence[Part], lines: list[TaxedLine], shipping: list[Part]
) -> tuple[list[TaxedLine], list[Part], list[Part]]:
    """Lines and shipping with the vouchers taken off that are spread, and the parts that become items.

    Where neither lines nor shipping can take a part, it is an item like those of rebates; these come first.
    """
    policies = [(policy_of(case, part.voucher)[0] if part.voucher else None) or "rebate" for part in parts]
    items = [part for part, policy in zip(parts, policies, strict=True) if policy != "spread"]
    for part, policy in zip(parts, policies, strict=True):
        if policy == "spread":
            lines, shipping, rest = _spread(case, part, lines, shipping)
            items += rest
    return lines, shipping, items


def _spread(
    case: Case, part: Part, lines: list[TaxedLine], shipping: list[Part]
) -> tuple[list[TaxedLine], list[Part], list[Part]]:
    arithmetic, sign = case.ctx.arithmetic, case.sign
    amount = sign * part.amount
    members = [taxed for taxed in lines if arithmetic.without_flat(taxed.tax.codes) == part.codes]
    room = sum((max(ZERO, sign * taxed.total) for taxed in members), ZERO)
    if room and amount <= room:
        lowered = spread_over_lines(lines, [replace(part, amount=amount)], arithmetic, case.precision, sign=sign)
        return lowered, shipping, []
    for index, one in enumerate(shipping):
        if one.codes == part.codes and sign * one.amount >= amount:
            less = replace(one, amount=one.amount - part.amount)
            return lines, [*shipping[:index], less, *shipping[index + 1 :]], []
    return lines, shipping, [part]


def merged(parts: Sequence[Part]) -> list[Part]:
    """One part for each voucher and tax-code set: what it takes of goods and of shipping together."""
    found: dict[tuple[int, tuple[str, ...]], Part] = {}
    for part in parts:
        key = (id(part.voucher), part.codes)
        found[key] = replace(part, amount=found[key].amount + part.amount) if key in found else part
    return list(found.values())
