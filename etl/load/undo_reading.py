"""Reading orders and payments of Mews by their ids."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from etl.errors import MewsError
from etl.load.ports import Reader
from etl.load.scan import ID_CHUNK
from etl.model.rows import OrderItemRow, PaymentRow

_REFUSED_READ = "mews.refused"


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

    await _by_ids(order_ids, read)
    return {order_id: list(rows.values()) for order_id, rows in found.items()}


async def read_payments(reader: UndoReader, payment_ids: Sequence[str]) -> dict[str, PaymentRow]:
    """These payments, by their ids; one that Mews does not know is not there. Raises MewsError."""
    found: dict[str, PaymentRow] = {}

    async def read(ids: list[str]) -> None:
        async for page in reader.payments(payment_ids=ids):
            found.update((row.id, row) for row in page)

    await _by_ids(payment_ids, read)
    return found


async def _by_ids(ids: Sequence[str], read: Callable[[list[str]], Awaitable[None]]) -> None:
    """Reads in chunks; Mews may refuse a whole request for one id that it does not know: that one is left out."""
    unique = list(dict.fromkeys(ids))
    waiting = [unique[start : start + ID_CHUNK] for start in range(0, len(unique), ID_CHUNK)]
    while waiting:
        batch = waiting.pop()
        try:
            await read(batch)
        except MewsError as error:
            if error.code != _REFUSED_READ:
                raise
            half = len(batch) // 2
            waiting += [part for part in (batch[:half], batch[half:]) if half]
