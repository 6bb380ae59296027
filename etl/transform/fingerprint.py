"""The content of an order that must not change once it is posted. Pure.

Rule: design section 7.4: amounts, currency, lines, VAT, countries, account keys, consumption. Status among
imported ones, comments and other columns do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter

from etl.model.identity import RECIPE_VERSION, content_hash
from etl.model.order import Line, Order
from etl.transform.bundles import owner_of


def fingerprint(order: Order) -> str:
    """A hash that changes with the content of the order, never with file, row order or formatting."""
    content: dict[str, object] = {
        "recipe": RECIPE_VERSION,
        "currency": order.currency,
        "store_type": order.store_type,
        "lines": sorted(_line(line, order.lines) for line in order.lines),
        "shipping": _plain(order.shipping),
        "return_cost": _plain(order.return_cost),
        "voucher": _plain(order.voucher_value),
        "vouchers": sorted([v.code, _plain(v.value), str(v.is_credit)] for v in order.vouchers),
        "voucher_code": order.voucher_code,
        "total": None if order.order_total is None else _plain(order.order_total),
        "tax_mode": order.tax_mode,
        "countries": [order.delivery_country, order.invoice_country],
        "account": [order.email.lower(), order.customer_id, order.account_id, order.buyer_id, order.market],
        "dates": [str(order.order_date or ""), str(order.delivery_date or "")],
        "is_return": order.is_return,
    }
    if order.handling:  # later than the rest: an order without it keeps the hash that ledgers hold
        content["handling"] = _plain(order.handling)
    return content_hash(content)


def skip_fingerprint(order: Order) -> str:
    """A hash of what decides on skipping: a posted order that is skipped now changed only if this did."""
    return _skip_hash(order.status, order.flags, order.internal, order.is_complete)


@lru_cache(maxsize=1_024)
def _skip_hash(status: str, flags: tuple[str, ...], internal: bool, is_complete: bool) -> str:
    return content_hash([status, sorted(flags), internal, is_complete])


def _line(line: Line, lines: Sequence[Line]) -> tuple[str, ...]:
    key = _key(line)
    if not any(key):
        key = (line.text_sku, line.product, line.variant, line.size)
    percent = line.vat_percent
    bundle = _bundle(line, lines) if line.bundle else ""
    return (*key, _plain(line.unit_price), str(line.qty), "" if percent is None else _plain(percent), bundle)


def _bundle(content: Line, lines: Sequence[Line]) -> str:
    """The bundle's own id, however the export tells it, so that a flag and an id are no two contents."""
    owner = owner_of(content, lines)
    return content.bundle if owner is None else owner.line_id or owner.key


_key = attrgetter("sku", "ean", "id", "item")


@lru_cache(maxsize=65_536)
def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}" if number else "0"
