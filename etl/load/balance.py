"""Which orders their cancellation or opposite took back, as Mews shows them, and which opposites balance nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from etl.ledger.records import Part
from etl.load.reversal import has_money, is_gone, target_of
from etl.model.rows import OrderItemRow

CENT = Decimal("0.01")

NOT_BALANCED = "it does not balance the order"
"""What is wrong with a reversal that leaves something of its order, or takes more."""

Items = dict[str, list[OrderItemRow]]
"""Items by OrderId."""


def reversed_by(orders: Items, undos: Items, own: str, known: Sequence[Part] = ()) -> dict[str, str]:
    """What reversed each order that does not stand: "" for its cancellation, the OrderId of its opposite.

    A reversal serves one order: the one that its notes or the ledger name. Where nothing names one, it is any that it
    balances on the same account, for their money is the same: one that a reversal in doubt was aimed at, then another
    copy, then the ledger's. `own`: the ledger's OrderId; `known`: its undo parts.
    """
    found = {order_id: "" for order_id, items in orders.items() if is_gone(items)}
    left = {undo_id: items for undo_id, items in undos.items() if standing_of(items)}
    sent = {part.mews_id: part.target for part in known if part.mews_id}
    targets = {one: target_of(undo[0].notes) or sent.get(one, "") for one, undo in left.items()}
    for order_id in orders:
        _serve(order_id, orders, [one for one in left if targets[one] == order_id], left, found)
    aimed = {part.target for part in known if not part.mews_id}
    for order_id in sorted(orders, key=lambda one: (one not in aimed, one == own)):
        nameless = [one for one in left if not targets[one]]
        alike = [one for one in nameless if len(orders) == 1 or _accounts(undos[one]) == _accounts(orders[order_id])]
        _serve(order_id, orders, alike, left, found)
    return {order_id: found[order_id] for order_id in orders if order_id in found}


def _serve(order_id: str, orders: Items, candidates: Iterable[str], left: Items, found: dict[str, str]) -> None:
    """The first of the reversals that balances an order. Effects: takes it out of `left`, notes it in `found`."""
    undo_id = next((one for one in candidates if one in left and balances(orders[order_id], left[one])), None)
    if order_id not in found and undo_id is not None:
        found[order_id] = undo_id
        del left[undo_id]


def _accounts(items: Iterable[OrderItemRow]) -> frozenset[str]:
    """The accounts on which items stand."""
    return frozenset(item.account_id for item in standing_of(items))


def lonely(undos: Items, gone: Mapping[str, str]) -> Items:
    """Reversals that stand and balance nothing: of another amount, or of what was reversed before."""
    used = set(gone.values())
    return {key: items for key, items in undos.items() if key not in used and any(map(has_money, standing_of(items)))}


def balances(order: Iterable[OrderItemRow], undo: Iterable[OrderItemRow]) -> bool:
    """Whether what stands of both adds up to nothing in the basis it was sent in; the other may be off by a cent an item."""
    items = standing_of([*order, *undo])
    sums: dict[str, dict[str, Decimal]] = {"net": {}, "gross": {}}
    for item in items:
        for basis, amount in (("net", item.net), ("gross", item.gross)):
            sums[basis][item.currency] = sums[basis].get(item.currency, Decimal(0)) + amount
    off = [max(abs(amount) for amount in amounts.values()) for amounts in sums.values()]
    return min(off) == 0 and max(off) <= CENT * len(items)


def standing_of(items: Iterable[OrderItemRow]) -> list[OrderItemRow]:
    """The items that were not cancelled, in their order."""
    return [item for item in items if not item.is_canceled]
