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
