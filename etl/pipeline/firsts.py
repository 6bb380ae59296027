"""The first orders of each unproved kind, which a canary takes with it. Reads the plan and the ledger.

Rule: design section 7.1: `--canary` includes them, with what they follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from etl.ledger.kind_record import KindStanding
from etl.ledger.ledger import Ledger
from etl.ledger.records import LedgerOrder
from etl.model.kinds import KindState
from etl.model.plan import PlannedOrder
from etl.model.states import State

CHUNK = 200


def first_orders(
    plan: Callable[[], Iterable[PlannedOrder]], ledger: Ledger, *, retries_before: str = ""
) -> list[PlannedOrder]:
    """The next order of each kind that nobody tried to the end, and the orders that these follow, oldest first.

    `plan`: gives the orders to be sent, oldest consumption first, each time anew. `retries_before`: the run that
    tries again what earlier ones saw held.
    """
    kinds = ledger.kinds()
    held = {
        kind
        for kind, one in kinds.items()
        if one.state is KindState.HELD and (not retries_before or one.run_id == retries_before)
    }
    chosen: dict[str, PlannedOrder] = {}
    covered: set[str] = set()
    several: dict[str, PlannedOrder] = {}
    for order, row in _unsent(plan(), ledger):
        unproved = _unproved(order, kinds)
        if not unproved or covered.issuperset(unproved) or held.intersection(unproved):
            continue
        if len(unproved) == 1 and row.state is State.READY:
            covered.update(unproved)
            chosen[order.number] = order
        elif row.state is State.READY:
            several.setdefault(" ".join(unproved), order)
    for needs, order in several.items():
        # Nobody else tries one of these.
        if not covered.issuperset(needs.split()):
            covered.update(needs.split())
            chosen[order.number] = order
    parents = {order.parent for order in chosen.values() if order.parent} - chosen.keys()
    if parents:
        chosen |= {order.number: order for order, _ in _unsent(plan(), ledger) if order.number in parents}
    return sorted(chosen.values(), key=lambda order: (order.consumption is not None, order.consumption, order.number))


def _unsent(orders: Iterable[PlannedOrder], ledger: Ledger) -> Iterator[tuple[PlannedOrder, LedgerOrder]]:
    """Orders that are not, and can't be, in Mews, with their rows."""
    rest = iter(orders)
    while chunk := list(islice(rest, CHUNK)):
        rows = ledger.lookup([order.number for order in chunk])
        for order in chunk:
            row = rows.get(order.number)
            if row is not None and row.state is State.READY and not row.has_posted:
                yield order, row


def _unproved(order: PlannedOrder, kinds: dict[str, KindStanding]) -> list[str]:
    return [kind for kind in order.unproved if kind not in kinds or kinds[kind].state is not KindState.PROVED]
