"""The part of the page that shows outlets, their bills and items. Reads only."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etl.sandbox.core import Sandbox
    from etl.sandbox.outlet_state import OutletBill

_LATEST = 25


def facts(sandbox: Sandbox) -> dict[str, Any]:
    """What the template shows: outlets, sums as the outlet report has them, numbers met twice, the latest bills."""
    book = sandbox.outlets
    latest = list(book.bills.values())[: -_LATEST - 1 : -1]
    return {
        "outlets": _outlets(sandbox),
        "report": _report(sandbox),
        "repeated": len(_repeated(sandbox)),
        "bills": [_bill(sandbox, bill) for bill in latest],
    }


def _outlets(sandbox: Sandbox) -> list[dict[str, Any]]:
    counts: dict[str, int] = defaultdict(int)
    for bill in sandbox.outlets.bills.values():
        counts[bill.outlet_id] += 1
    return [
        {"name": outlet.name, "is_active": outlet.is_active, "owner": owner.name, "bills": counts[key], "id": key}
        for owner in sandbox.world.enterprises.values()
        for key, outlet in owner.outlets.items()
    ]


def _report(sandbox: Sandbox) -> list[tuple[Any, ...]]:
    """Currency, type, accounting category, tax codes, items, net, tax and gross of all outlet items."""
    names = {
        key: category.name for owner in sandbox.world.enterprises.values() for key, category in owner.categories.items()
    }
    rows: dict[tuple[str, str, str, str], list[Any]] = defaultdict(lambda: [0, Decimal(0), Decimal(0)])
    for item in sandbox.outlets.items:
        # An item without a category lands under None in the accounting report.
        category = "None" if item.category_id is None else names[item.category_id]
        codes = " + ".join(code for code, _ in item.amount.taxes) or "no tax"
        row = rows[item.currency, item.type, category, codes]
        row[0] += 1
        row[1] += item.amount.net
        row[2] += item.amount.gross
    return [(*key, count, net, gross - net, gross) for key, (count, net, gross) in sorted(rows.items())]


def _repeated(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Outlet and number of every bill number that stands on more than one bill of the outlet."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for bill in sandbox.outlets.bills.values():
        counts[bill.outlet_id, bill.number] += 1
    return [key for key, count in counts.items() if count > 1]


def _bill(sandbox: Sandbox, bill: OutletBill) -> dict[str, Any]:
    items = sandbox.outlets.items_of(bill.id)
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for item in items:
        sums[item.currency] += item.amount.gross
    return {
        "bill": bill,
        "outlet": next(
            outlet.name
            for owner in sandbox.world.enterprises.values()
            for key, outlet in owner.outlets.items()
            if key == bill.outlet_id
        ),
        "entries": items,
        "sums": ", ".join(f"{gross} {currency}" for currency, gross in sums.items()),
    }
