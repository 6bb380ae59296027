"""The page that shows what was posted: counts, sums, latest orders and outlet bills, requests. Reads only."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from etl.sandbox import page_outlets
from etl.sandbox.state import Item

if TYPE_CHECKING:
    from etl.sandbox.core import Sandbox

_LATEST = 25
_REQUESTS = 60
_TEMPLATES = Environment(
    loader=PackageLoader("etl.sandbox", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(sandbox: Sandbox) -> str:
    """The page as HTML, everything escaped, nothing loaded from elsewhere."""
    items, orders = sandbox.items, sandbox.orders
    charged = [item for item in items if item.canceled is None]
    facts = {
        "world": sandbox.world.name,
        "enterprises": list(sandbox.world.enterprises.values()),
        "now": sandbox.mews_time(sandbox.clock()),
        "counts": [
            ("orders", len(orders)),
            ("items", len(items)),
            ("canceled items", len(items) - len(charged)),
            ("payments", len(sandbox.payments)),
            ("outlet bills", len(sandbox.outlets.bills)),
            ("outlet items", len(sandbox.outlets.items)),
            ("duplicates", len(sandbox.duplicates())),
            ("requests", sum(sandbox.statuses.values())),
            ("answered 429", sandbox.statuses[429]),
        ],
        "sums": _sums(charged),
        "paid": _paid(sandbox),
        "latest": [_order(sandbox, order.id) for order in reversed(orders[-_LATEST:])],
        "statuses": sorted(sandbox.statuses.items()),
        "requests": list(reversed(sandbox.log))[:_REQUESTS],
        "faults": [fault.name for fault in sandbox.plan.faults],
        "seed": sandbox.plan.seed,
        **page_outlets.facts(sandbox),
    }
    return _TEMPLATES.get_template("page.html.j2").render(facts)


def _sums(items: list[Item]) -> list[tuple[str, str, int, Decimal, Decimal, Decimal]]:
    """Currency, tax codes, entries, net, tax and gross; by the codes of an item together."""
    rows: dict[tuple[str, str], list[Any]] = defaultdict(lambda: [0, Decimal(0), Decimal(0)])
    for item in items:
        row = rows[item.currency, " + ".join(code for code, _ in item.amount.taxes) or "no tax"]
        row[0] += 1
        row[1] += item.amount.net
        row[2] += item.amount.gross
    return [
        (currency, codes, count, net, gross - net, gross)
        for (currency, codes), (count, net, gross) in sorted(rows.items())
    ]


def _paid(sandbox: Sandbox) -> list[tuple[str, str, int, Decimal]]:
    counts: Counter[tuple[str, str]] = Counter()
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for paid in sandbox.payments:
        counts[paid.currency, paid.type] += 1
        sums[paid.currency, paid.type] += paid.amount.gross
    return [(*key, counts[key], sums[key]) for key in sorted(sums)]


def _order(sandbox: Sandbox, order_id: str) -> dict[str, Any]:
    items = sandbox.items_of(order_id)
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for item in items:
        if item.canceled is None:
            sums[item.currency] += item.amount.gross
    first = items[0]
    return {
        "id": order_id,
        "created": first.created,
        "consumed": first.consumed,
        "notes": first.notes or "",
        "items": len(items),
        "canceled": sum(item.canceled is not None for item in items),
        "sums": [f"{gross} {currency}" for currency, gross in sums.items()] or ["canceled"],
        "identifiers": ", ".join(item.external_identifier or "-" for item in items[:4])
        + (", ..." if len(items) > 4 else ""),
    }
