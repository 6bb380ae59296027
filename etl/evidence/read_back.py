"""Reading orders and payments of Mews by their ids."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from etl.evidence.reader import Reader
from etl.model.by_ids import REFUSED_REQUESTS, Refusals, read_by_ids
from etl.model.pace import Pace
from etl.model.rows import OrderItemRow, PaymentRow

PAGE = 1000
"""Ids of one request, as Mews takes them."""

LAGGING = Pace(0.1, 10.0, least=1.0)
"""Pauses between looks for what Mews took just now: its reads may lag behind its writes."""

WHATEVER_IT_COSTS = sys.maxsize
"""Refused requests of who may not fail for one id that Mews does not know, however many there are."""


class ReadBack:
    """Orders and payments by id. An id that Mews refuses to know is like one that it has nothing for.

    `size`: ids of one request, at most 1000. `most_refusals`: so many refused requests, over all look-ups.
    """

    def __init__(self, reader: Reader, *, size: int = PAGE, most_refusals: int = REFUSED_REQUESTS) -> None:
        self._reader = reader
        self._size = size
        self._refusals = Refusals(most_refusals)

    async def items(self, order_ids: Sequence[str]) -> dict[str, list[OrderItemRow]]:
        """All items of these orders by OrderId, each once. Raises MewsError."""
        found: dict[str, dict[str, OrderItemRow]] = {}

        async def read(ids: list[str]) -> None:
            async for page in self._reader.order_items(order_ids=ids):
                for row in page:
                    found.setdefault(row.order_id, {})[row.id] = row

        # A bill may be posted before its id is read; asked for "", Mews would refuse, or be read whole.
        await read_by_ids(list(filter(None, order_ids)), self._size, read, self._refusals)
        return {order_id: list(rows.values()) for order_id, rows in found.items()}

    async def items_of(self, order_id: str) -> list[OrderItemRow]:
        """The items under one OrderId; none where Mews refuses to know it. Raises MewsError for any other fault."""
        return (await self.items([order_id])).get(order_id, [])

    async def payments(self, payment_ids: Sequence[str]) -> dict[str, PaymentRow]:
        """These payments by id. Raises MewsError."""
        found: dict[str, PaymentRow] = {}

        async def read(ids: list[str]) -> None:
            async for page in self._reader.payments(payment_ids=ids):
                found.update((row.id, row) for row in page)

        await read_by_ids(payment_ids, self._size, read, self._refusals)
        return found
