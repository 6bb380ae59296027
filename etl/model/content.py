"""The content of an order that must not change once it is posted. Pure.

Rule: design section 7.4: amounts, currency, lines, VAT, countries, account keys, consumption. Status among
imported ones, comments and other columns do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from operator import attrgetter

from etl.model.identity import RECIPE_VERSION, canonical_json, content_hash
from etl.model.order import Line, Order


def content_of(order: Order) -> str:
    """The content as canonical JSON, "" where the order can't be read: nothing may pass for it then.

    It does not change with file, row order or formatting. The e-mail address stands in it as it is.
    """
    if not order.is_readable:
        return ""
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
    return canonical_json(content).decode()


def fingerprint_of(content: str) -> str:
    """The hash of what `content_of` gave; "" for nothing."""
    return "sha256:" + sha256(content.encode()).hexdigest() if content else ""


def version_of(order: Order) -> str:
    """The hash under which an order is known again, readable or not: met exactly so, it gives the same."""
    return fingerprint_of(content_of(order)) or order.unread


def skip_fingerprint(order: Order) -> str:
    """A hash of what decides on skipping beside the mapping."""
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
    owner = _owner_of(content, lines)
    return content.bundle if owner is None else owner.line_id or owner.key


def _owner_of(content: Line, lines: Sequence[Line]) -> Line | None:
    """The bundle that a line is content of: the one its id names, else the only one; None where nothing tells.

    Never the row before it: a re-sorted export has the same bundles.
    """
    bundles = [line for line in lines if line.is_bundle]
    named = [line for line in bundles if content.bundle in (line.line_id, line.key)]
    found = named or bundles
    return found[0] if len(found) == 1 else None


_key = attrgetter("sku", "ean", "id", "item")


@lru_cache(maxsize=16_384)
def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}" if number else "0"
