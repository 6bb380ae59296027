"""Which orders their cancellation or opposite took back, as Mews shows them, and which opposites balance nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from etl.load.reversal import has_money, is_gone, target_of
from etl.model.rows import OrderItemRow

CENT = Decimal("0.01")

Items = dict[str, list[OrderItemRow]]
"""Items by OrderId."""


def gone_by(order_id: str, orders: Items, undos: Items) -> str | None:
    """What reversed an order: "" for its cancellation, the OrderId of its opposite; None where it stands."""
    items = orders[order_id]
    if is_gone(items):
        return ""
    left = standing_of(items)
    for undo_id, undo in undos.items():
        target = target_of(undo[0].notes)
        opposite = standing_of(undo)
        is_its_own = target == order_id or (not target and len(orders) == 1)
        if is_its_own and opposite and _balances([*left, *opposite]):
            return undo_id
    return None


def lonely(undos: Items, gone: Mapping[str, str]) -> Items:
    """Reversals that stand and balance nothing: of another amount, or of what was reversed before."""
    used = set(gone.values())
    return {key: items for key, items in undos.items() if key not in used and any(map(has_money, standing_of(items)))}


def _balances(items: Sequence[OrderItemRow]) -> bool:
    """Whether items add up to nothing in the basis they were sent in; the other may be off by a cent an item."""
    sums: dict[str, dict[str, Decimal]] = {"net": {}, "gross": {}}
    for item in items:
        for basis, amount in (("net", item.net), ("gross", item.gross)):
            sums[basis][item.currency] = sums[basis].get(item.currency, Decimal(0)) + amount
    off = [max(abs(amount) for amount in amounts.values()) for amounts in sums.values()]
    return min(off) == 0 and max(off) <= CENT * len(items)


def standing_of(items: Iterable[OrderItemRow]) -> list[OrderItemRow]:
    """The items that were not cancelled, in their order."""
    return [item for item in items if not item.is_canceled]
