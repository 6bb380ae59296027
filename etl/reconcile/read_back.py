"""Reading back from Mews: orders and payments by their ids, and a scan for whatever carries this store's mark."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from etl.model.by_ids import Refusals, read_by_ids
from etl.model.identity import Identity, parse_identifier, parse_marker
from etl.model.rows import OrderItemRow, PaymentRow
from etl.reconcile.notebook import Amounts, Notebook, Page
from etl.reconcile.values import ORDER_PART, UNDO_PART

Interval = tuple[datetime | None, datetime | None]
Progress = Callable[[str, int, int | None], None]


class Reader(Protocol):
    """What reads Mews. A walk that can't be read to its end raises MewsError."""

    async def configuration(self) -> object:
        """`configuration/get`; sets the clock that `now` goes by."""
        ...

    def now(self) -> datetime:
        """Mews's time."""
        ...

    def order_items(
        self,
        *,
        service_ids: Sequence[str] | None = None,
        order_ids: Sequence[str] | None = None,
        created: Interval | None = None,
    ) -> AsyncIterator[list[OrderItemRow]]:
        """Order items in every state, page by page."""
        ...

    def payments(
        self, *, payment_ids: Sequence[str] | None = None, created: Interval | None = None
    ) -> AsyncIterator[list[PaymentRow]]:
        """Payments in every state, page by page."""
        ...


class ReadBack:
    """Orders and payments by id. An id that Mews refuses to know is like one that it has nothing for."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._refusals = Refusals()

    async def items(self, order_ids: Sequence[str]) -> dict[str, list[OrderItemRow]]:
        """All items of these orders by OrderId, each once. Raises MewsError."""
        found: dict[str, dict[str, OrderItemRow]] = {}

        async def read(ids: list[str]) -> None:
            async for page in self._reader.order_items(order_ids=ids):
                for row in page:
                    found.setdefault(row.order_id, {})[row.id] = row

        await read_by_ids(order_ids, len(order_ids) or 1, read, self._refusals)
        return {order_id: list(rows.values()) for order_id, rows in found.items()}

    async def payments(self, payment_ids: Sequence[str]) -> dict[str, PaymentRow]:
        """These payments by id. Raises MewsError."""
        found: dict[str, PaymentRow] = {}

        async def read(ids: list[str]) -> None:
            async for page in self._reader.payments(payment_ids=ids):
                found.update((row.id, row) for row in page)

        await read_by_ids(payment_ids, len(payment_ids) or 1, read, self._refusals)
        return found


async def scan_items(
    reader: Reader, notebook: Notebook, *, service_id: str, store: str, start: datetime | None, progress: Progress
) -> int:
    """Notes every order of the service created since `start` (None: ever). Shape: how many items were read."""
    count = 0
    created = None if start is None else (start, None)
    async for rows in reader.order_items(service_ids=[service_id], created=created):
        notebook.see(item_page(rows, store))
        count += len(rows)
        progress("scan items", count, None)
    return count


async def scan_payments(
    reader: Reader, notebook: Notebook, *, store: str, start: datetime | None, progress: Progress
) -> int:
    """Notes this store's payments among all of the enterprise created since `start`."""
    count = 0
    async for rows in reader.payments(created=(start, None)):
        notebook.see(payment_page(rows, store))
        count += len(rows)
        progress("scan payments", count, None)
    return count


def item_page(rows: Iterable[OrderItemRow], store: str) -> Page:
    """Whose orders stand on a page; undo entries under a part of their own, as they prove nothing. Pure."""
    page = Page()
    for row in rows:
        parsed = parse_identifier(row.external_identifier)
        identity = parsed[0] if parsed else parse_marker(row.notes)
        if identity is None or identity.store != store:
            page.strangers.add(row.order_id)
            continue
        part = UNDO_PART if identity.is_undo else ORDER_PART
        amounts = None if row.is_canceled else Amounts(row.net, row.gross)
        page.add(identity.number, identity.generation, part, row.order_id, amounts=amounts, currency=row.currency)
    return page


def payment_page(rows: Iterable[PaymentRow], store: str) -> Page:
    """Our payments on a page, each under the name of its part; what pays back gift1 is `undo:gift1`. Pure."""
    page = Page()
    for row in rows:
        found = _payment_part(row)
        if found is None or found[0].store != store:
            continue
        identity, name = found
        part = f"{UNDO_PART}:{name}" if identity.is_undo else name
        amounts = None if row.is_canceled else Amounts(row.net, row.gross)
        page.add(identity.number, identity.generation, part, row.id, amounts=amounts, currency=row.currency)
    return page


def _payment_part(row: PaymentRow) -> tuple[Identity, str] | None:
    parsed = parse_identifier(row.external_identifier)
    if parsed is not None:
        return parsed
    identity, words = parse_marker(row.notes), row.notes.split()
    # Our notes are the marker and the part's name.
    return None if identity is None or len(words) < 2 else (identity, words[-1])
