"""Reading orders and payments of Mews by their ids."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from etl.load.ports import Reader
from etl.load.scan import ID_CHUNK
from etl.model.by_ids import Refusals, read_by_ids
from etl.model.rows import OrderItemRow, PaymentRow

_ANY = sys.maxsize
"""An id that Mews does not know costs some refused requests; however many there are, the others can be undone."""


class UndoReader(Reader, Protocol):
    """What reads it, payments by their ids too."""

    def payments(
        self,
        *,
        created: tuple[datetime, datetime] | None = None,
        account_ids: Sequence[str] | None = None,
        payment_ids: Sequence[str] | None = None,
    ) -> Any:
        """`payments/getAll`, page by page."""
        ...


async def read_items(reader: Reader, order_ids: Sequence[str]) -> dict[str, list[OrderItemRow]]:
    """All items of these orders, by OrderId; an id that Mews does not know has none. Raises MewsError."""
    found: dict[str, dict[str, OrderItemRow]] = {}

    async def read(ids: list[str]) -> None:
        async for page in reader.order_items(order_ids=ids):
            for row in page:
                found.setdefault(row.order_id, {})[row.id] = row

    await read_by_ids(order_ids, ID_CHUNK, read, Refusals(_ANY))
    return {order_id: list(rows.values()) for order_id, rows in found.items()}


async def read_payments(reader: UndoReader, payment_ids: Sequence[str]) -> dict[str, PaymentRow]:
    """These payments, by their ids; one that Mews does not know is not there. Raises MewsError."""
    found: dict[str, PaymentRow] = {}

    async def read(ids: list[str]) -> None:
        async for page in reader.payments(payment_ids=ids):
            found.update((row.id, row) for row in page)

    await read_by_ids(payment_ids, ID_CHUNK, read, Refusals(_ANY))
    return found
