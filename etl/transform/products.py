"""Lines to ProductOrders or custom Items: product, name, accounting category. Pure.

Rule: design section 5; keys are tried in the order that section 4 lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from etl.model.mapping import CATEGORY_KEYS, PRODUCT_KEYS
from etl.model.order import Line
from etl.model.place import Place
from etl.model.plan import EntryKind
from etl.model.problem import Problem, notice
from etl.model.rules import Category
from etl.transform.context import Context, Findings
from etl.transform.near import near_key, tell_near

NAME_LIMIT = 255
ARTICLES_KEPT = 20_000
_FIELD = re.compile(r"\{([A-Za-z][A-Za-z0-9.]*)\}")


@dataclass(frozen=True, slots=True)
class Article:
    """How a line is sent. `category_id` of a product is its own in Mews."""

    kind: EntryKind
    name: str
    product_id: str = ""
    category_id: str = ""


def article_of(line: Line, ctx: Context, found: Findings) -> Article:
    """The line's product, or a custom Item with full name and accounting category; reasons go to `found`.

    On the outlet route all are items, those of a product with its name and category (design section 9).

    Articles without a remark are remembered: a history sells the same few thousand of them.
    """
    key = (
        line.sku,
        line.ean,
        line.id,
        line.item,
        line.brand,
        line.product,
        line.variant,
        line.size,
        line.text_sku,
        line.comment,
    )
    known: Article | None = ctx.articles.get(key)
    if known is None:
        own = Findings(found.number)
        known = _article(line, ctx, own)
        if own.problems:
            found.add(*own.problems)
        else:
            if len(ctx.articles) >= ARTICLES_KEPT:
                ctx.articles.clear()
            ctx.articles[key] = known
    return known


def _article(line: Line, ctx: Context, found: Findings) -> Article:
    product_id = _product(line, ctx, found)
    if product_id:
        product = ctx.reference.products[product_id]
        if ctx.is_outlet:
            own = Category(product.accounting_category, f"product {product.name or product.id} in Mews")
            category = usable_category(own, ctx, found) if own.target else _category(line, ctx, found)
            return Article(EntryKind.ITEM, cut(product.name, NAME_LIMIT) or _name(line, ctx, found), "", category)
        category = product.accounting_category
        return Article(EntryKind.PRODUCT, _name(line, ctx, found), product_id, category)
    return Article(EntryKind.ITEM, _name(line, ctx, found), category_id=_category(line, ctx, found))


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its `{field}` places filled; unknown or empty ones leave nothing, blanks collapse."""
    text = "".join([values.get(part, "") if is_field else part for is_field, part in _compiled(template)])
    return " ".join(text.split())


def usable_category(category: Category, ctx: Context, found: Findings, place: Place | None = None) -> str:
    """The id of the category if the enterprise has it and it is active (or "" for none); else "" with the reason.

    On the outlet route none is a reason, too: Mews would book the item under "None".
    """
    known = category.category(ctx.reference)
    if known is None and not category.target and ctx.is_outlet:
        found.add_rule([category.missing()], place)
        return ""
    if known is None:
        found.add_rule(category.check(ctx.reference), place)
        return ""
    return known.id


def _product(line: Line, ctx: Context, found: Findings) -> str:
    products = ctx.mapping.products
    keys = {"sku": line.sku, "ean": line.ean, "id": line.id, "item": line.item}
    if products:
        for key_type in PRODUCT_KEYS:
            key = (key_type, keys[key_type])
            if keys[key_type] and key in products:
                rule = products[key]
                found.add_rule(rule.check(ctx.reference), line.place)
                product = rule.product(ctx.reference)
                return product.id if product else ""
    near = near_key(ctx, "products", keys)[1]
    if ctx.mapping.settings.products.unmapped == "block":
        text = f"{line.key or 'A line without a key'} has no row in products.csv{f'; {near} has one' if near else ''}."
        found.add(Problem("product.unmapped", found.number, line.place, line.key, text))
    elif near:
        text = f"{line.key} has no row in products.csv and is sent as an item; {near} has one."
        found.add(notice("product.near", text, order=found.number, place=line.place, value=line.key))
    return ""


def _category(line: Line, ctx: Context, found: Findings) -> str:
    values = {"sku": line.sku, "brand": line.brand, "product": line.product}
    if ctx.mapping.categories:
        for key_type in CATEGORY_KEYS:
            rule = (
                ctx.lookups.find_glob(ctx.mapping.categories, key_type, values[key_type]) if values[key_type] else None
            )
            if rule is None:
                continue
            if rule.target is None:
                found.add_rule(rule.check(ctx.reference), line.place)
                return ""
            return usable_category(rule.category, ctx, found)
        tell_near(ctx, found, "categories", values, line.place)
    return usable_category(ctx.mapping.default_category("products"), ctx, found, line.place)


def _name(line: Line, ctx: Context, found: Findings) -> str:
    names = (line.brand, line.product, line.variant, line.size, line.text_sku, line.comment)
    name, is_missing = name_of((line.sku, line.ean, line.id, line.item), names, ctx)
    if is_missing and (key := line.key):
        found.add(
            notice(
                "name.missing",
                f"Line {key} has no product name; its key stands in the name.",
                order=found.number,
                place=line.place.at("products.itemText.product"),
                value=key,
            )
        )
    return name


def name_of(
    keys: tuple[str, str, str, str], names: tuple[str, str, str, str, str, str], ctx: Context
) -> tuple[str, bool]:
    """The name of an item with these four keys and six names, and whether it has none of its own."""
    sku, ean, id_, item = keys
    brand, product, variant, size, text_sku, comment = names
    values = {
        "brand": brand,
        "product": product,
        "variant": variant,
        "size": size,
        "sku": sku or text_sku,
        "ean": ean,
        "id": id_,
        "item": item,
        "comment": comment,
    }
    name = fill(ctx.mapping.settings.products.item_name, values)
    if product or variant:
        return cut(name or "Item", NAME_LIMIT), False
    # A brand or size alone says nothing on a bill.
    key = sku or ean or id_ or item or text_sku
    name = f"{name} {key}".strip() if key not in name.split() else name
    return cut(name or "Item", NAME_LIMIT), True


def cut(text: str, limit: int) -> str:
    """`text` cut to `limit` characters, with an ellipsis where something is missing."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


@lru_cache(maxsize=64)
def _compiled(template: str) -> tuple[tuple[bool, str], ...]:
    return tuple((index % 2 == 1, piece) for index, piece in enumerate(_FIELD.split(template)))
