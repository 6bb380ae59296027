"""An order as it is sent on its route: an `orders/add` of its own, or a bill among others. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

from etl.model.bill import bill_fragment, bill_payload
from etl.model.identity import Identity, content_hash
from etl.model.plan import PlannedOrder, order_payload
from etl.model.route import Route


def sent_payload(order: PlannedOrder, identity: Identity) -> dict[str, Any]:
    """What is sent of an order, amounts as Decimal: the body of `orders/add`, or one element of `Bills`."""
    return (bill_payload if order.route is Route.OUTLET else order_payload)(order, identity)


def sent_hash(order: PlannedOrder, identity: Identity) -> str:
    """The hash under which a refusal of what is sent is known again."""
    if order.route is Route.OUTLET:
        return fragment_hash(bill_fragment(order, identity))
    return content_hash(order_payload(order, identity))


def fragment_hash(fragment: bytes) -> str:
    """The hash of a bill that is frozen already: hashing its content anew would cost as much as all else of it."""
    return "sha256:" + hashlib.sha256(fragment).hexdigest()
