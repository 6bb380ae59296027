"""The two ways into Mews that an order can take. Pure."""

from __future__ import annotations

from enum import StrEnum


class Route(StrEnum):
    """`target.route` (design section 9).

    `orders`: one `orders/add` an order, charged to an account; `outlet`: one bill of an outlet an order, for revenue and
    payments that were taken outside Mews.
    """

    ORDERS = "orders"
    OUTLET = "outlet"

    @property
    def place(self) -> str:
        """What a ledger of the route belongs to."""
        return "outlet" if self is Route.OUTLET else "service"

    @property
    def others(self) -> str:
        """What else was met there, which is counted and nothing more: what was not looked at may hold more."""
        return "bills of others met in the outlet" if self is Route.OUTLET else "orders of others met on the service"
