"""The entries of an order: its lines, shipping, fee and vouchers as ProductOrders and Items. Pure.

Rule: design section 5 (identifiers of lines, negative amounts) and 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etl.model.money import ZERO
from etl.model.order import Voucher
from etl.model.plan import Basis, Entry
from etl.transform.amounts import EntryMaker, TaxedAmount, TaxedLine
from etl.transform.goods import Goods
from etl.transform.order_context import OrderContext
from etl.transform.products import Article, usable_category
from etl.transform.vouchers import merged, policy_of, spread_vouchers, voucher_name

FEE_NAME = "Return fee"
HANDLING_NAME = "Handling fee"


def entries_of(
    case: OrderContext, goods: Goods, articles: Sequence[Article], texts: Mapping[str, str]
) -> tuple[Entry, ...]:
    """What would be sent; `texts` are the fields for the names of vouchers."""
    lines, shipping, items = goods.lines, goods.shipping, goods.vouchers
    if items:
        lines, shipping, items = spread_vouchers(case, items, lines, shipping)
    maker = EntryMaker(case.ctx.conversion, case.basis, case.precision)
    entries = _line_entries(case, maker, lines, articles)
    if shipping:
        charged = [part for part in shipping if part.amount]
        entries += _part_entries(case, maker, "s", charged, case.settings.shipping.name)
    entries += _part_entries(case, maker, "h", goods.handling, HANDLING_NAME)
    entries += _part_entries(case, maker, "f", goods.fees, FEE_NAME)
    entries += _voucher_entries(case, maker, merged(items), texts)
    is_empty = case.order.is_readable and not entries and not case.lines
    if is_empty and not case.found.has("order.empty", "voucher.undecided"):
        case.problem("order.empty", f"Order {case.order.number} has nothing to send.")
    return tuple(entries)


def _line_entries(
    case: OrderContext, maker: EntryMaker, lines: Sequence[TaxedLine], articles: Sequence[Article]
) -> list[Entry]:
    arithmetic = case.ctx.arithmetic
    may_hold_flat = case.basis is Basis.GROSS and arithmetic.basis is not Basis.GROSS
    entries: list[Entry] = []
    for index, (taxed, article) in enumerate(zip(lines, articles, strict=True), 1):
        if not taxed.line.qty or taxed.line.unit_price < 0:
            continue  # blocks the order; nothing is to be learned from it
        # A line taken back carries no flat code, not even at a price of zero.
        codes = taxed.tax.codes if taxed.line.qty > 0 else arithmetic.without_flat(taxed.tax.codes)
        if may_hold_flat:
            _check_flat(case, taxed, codes)
        entries += maker.entries(
            f"p{index}",
            taxed.total,
            abs(taxed.line.qty),
            codes,
            kind=article.kind,
            name=article.name,
            product_id=article.product_id,
            category_id=article.category_id,
            place=taxed.line.place,
            rule=taxed.tax.rule,
        )
    return entries


def _check_flat(case: OrderContext, taxed: TaxedLine, codes: tuple[str, ...]) -> None:
    """Blocks a line whose price is said to include flat taxes, and taxes on those, that are more than the price."""
    flat = case.ctx.arithmetic.constant(codes, abs(taxed.line.qty))
    if flat and flat > taxed.total:
        case.problem(
            "tax.rate_differs",
            f"The flat taxes of {flat.normalize():f}, with the taxes on them, are more than the {taxed.total} of "
            f"{taxed.line.key or 'a line'}, which include them.",
            place=taxed.line.place.at("products.unitPrice"),
            value=taxed.total,
        )


def _part_entries(
    case: OrderContext, maker: EntryMaker, letter: str, parts: Sequence[TaxedAmount], name: str
) -> list[Entry]:
    if not parts:
        return []
    category = usable_category(case.ctx.mapping.default_category("shipping"), case.ctx, case.found)
    return [
        entry
        for index, part in enumerate(parts, 1)
        for entry in maker.entries(f"{letter}{index}", part.amount, 1, part.codes, name=name, category_id=category)
    ]


def _voucher_entries(
    case: OrderContext, maker: EntryMaker, parts: Sequence[TaxedAmount], texts: Mapping[str, str]
) -> list[Entry]:
    entries: list[Entry] = []
    for index, part in enumerate(parts, 1):
        voucher = part.voucher or Voucher("", ZERO)
        category = usable_category(policy_of(case.ctx, voucher)[1], case.ctx, case.found)
        name = voucher_name(case.ctx, voucher, texts)
        entries += maker.entries(f"v{index}", -part.amount, 1, part.codes, name=name, category_id=category)
    return entries
