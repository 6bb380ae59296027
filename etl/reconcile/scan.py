"""The scan of `reconcile`: whatever carries this store's mark, noted order by order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal

from etl.evidence.marks import identity_of, payment_part
from etl.evidence.reader import Reader
from etl.model.rows import OrderItemRow, PaymentRow
from etl.reconcile.notebook import Amounts, Notebook, Page
from etl.reconcile.values import ORDER_PART, UNDO_PART

Progress = Callable[[str, int, int | None], None]


async def scan_items(
    reader: Reader, notebook: Notebook, *, service_id: str, store: str, start: datetime | None, progress: Progress
) -> datetime | None:
    """Notes every order of the service created since `start` (None: ever). Shape: when the first of ours was created."""
    count, since = 0, None
    created = None if start is None else (start, None)
    async for rows in reader.order_items(service_ids=[service_id], created=created):
        page = item_page(rows, store)
        notebook.see(page)
        since = min(filter(None, (since, page.since)), default=None)
        count += len(rows)
        progress("scan items", count, None)
    return since


async def scan_payments(reader: Reader, notebook: Notebook, *, store: str, start: datetime, progress: Progress) -> None:
    """Notes this store's payments among all of the enterprise created since `start`."""
    count = 0
    async for rows in reader.payments(created=(start, None)):
        notebook.see(payment_page(rows, store))
        count += len(rows)
        progress("scan payments", count, None)


def item_page(rows: Iterable[OrderItemRow], store: str) -> Page:
    """Whose orders stand on a page; undo entries under a part of their own, as they prove nothing. Pure."""
    page = Page()
    for row in rows:
        identity = identity_of(row)
        if identity is None or identity.store != store:
            page.strangers.add(row.order_id)
            continue
        page.since = min(page.since or row.created, row.created)
        add_item(page, row, identity.number, identity.generation, UNDO_PART if identity.is_undo else ORDER_PART)
    return page


def payment_page(rows: Iterable[PaymentRow], store: str) -> Page:
    """Our payments on a page, each under the name of its part; what pays back gift1 is `undo:gift1`. Pure."""
    page = Page()
    for row in rows:
        found = payment_part(row)
        if found is None or found[0].store != store:
            continue
        identity, name = found
        part = f"{UNDO_PART}:{name}" if identity.is_undo else name
        add_payment(page, row, identity.number, identity.generation, part)
    return page


def add_item(page: Page, row: OrderItemRow, number: str, generation: int, part: str) -> None:
    """Counts an item of an order, or of what reverses it."""
    amounts = None if row.is_canceled else Amounts(row.net, row.gross)
    if row.is_payment and amounts is not None:
        # It shows that the bill is there, and is nothing that was sold.
        amounts = Amounts(Decimal(0), Decimal(0))
    page.add(number, generation, part, row.order_id, amounts=amounts, currency=row.currency)


def add_payment(page: Page, row: PaymentRow, number: str, generation: int, part: str) -> None:
    """Counts a payment, or what pays it back."""
    amounts = None if row.is_canceled else Amounts(row.net, row.gross)
    page.add(number, generation, part, row.id, amounts=amounts, currency=row.currency)
