"""The bills of one outlet, shown as the orders of a service: one way to look at Mews serves both routes.

Mews finds outlet items by ids of items and by times only, never by outlet, bill, number or identifier
(`../shared/mews-contract.md`, "Outlets"). What is asked of bills by their ids is therefore read around the times at
which they closed; what was created since a moment, by the time of the last change, which is never earlier. A bill
can't be changed or cancelled by us, but its UpdatedUtc may move while pages are read: reading by it proves presence
only. ClosedUtc never moves: a bill that is in no window around it is not there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from etl.errors import InternalError
from etl.mews import entities, rows
from etl.mews.api import MewsReader
from etl.mews.fields import MissingFieldError
from etl.mews.paging import PAGE, Interval, batches, interval, pages, walk
from etl.model.rows import OrderItemRow, PaymentRow, ServiceOrderRow
from etl.model.windows import Window, around, windows

REMEMBERED = 50_000
"""Bills whose closing is kept in memory; of others the ledger knows it, or everything is read."""

ClosedOf = Callable[[Sequence[str]], Mapping[str, datetime]]
"""When the bills with these ids closed, of those that are known."""


class OutletReader(MewsReader):
    """Reads one outlet. Shape: as `MewsReader`; its `service_ids` are ids of outlets."""

    def __init__(
        self,
        reader: MewsReader,
        outlet_id: str,
        *,
        closed_of: ClosedOf = lambda _: {},
        tell: Callable[[datetime, int], None] = lambda _since, _requests: None,
    ) -> None:
        super().__init__(reader.transport, enterprise_id=reader.enterprise_id)
        self.told = reader.told
        self._outlet_id = outlet_id
        self._closed_of = closed_of
        self._tell = tell
        self._closed: OrderedDict[str, datetime] = OrderedDict()
        self._oldest: datetime | None = None

    @property
    def bills(self) -> OutletReader:
        """Itself: bills are looked for by when they closed."""
        return self

    async def order_items(
        self,
        *,
        service_ids: Sequence[str] | None = None,
        order_ids: Sequence[str] | None = None,
        account_ids: Sequence[str] | None = None,
        item_ids: Sequence[str] | None = None,
        created: Interval | None = None,
        updated: Interval | None = None,
        canceled: Interval | None = None,
    ) -> AsyncIterator[list[OrderItemRow]]:
        """Items of the outlet's bills. Shape: pages; `created` and `updated` go by the bill's last change."""
        if account_ids is not None:
            raise InternalError("outlet bills are on no account", code="internal.request")
        if canceled is not None:
            # Nobody can cancel a bill.
            return
        if order_ids is not None:
            async for page in self._bills(set(order_ids)):
                yield page
            return
        outlets = self._own if service_ids is None else frozenset(service_ids)
        if item_ids is not None:
            for batch in batches(list(dict.fromkeys(item_ids)), PAGE):
                async for page in self._items({"Ids": batch}, outlets):
                    yield page
            return
        async for page in self._since(created or updated or (None, None), outlets):
            yield page

    def remember(self, closings: Mapping[str, datetime]) -> None:
        """When these bills closed: they are found around it."""
        for bill_id, closed in closings.items():
            self._closed[bill_id] = closed
        while len(self._closed) > REMEMBERED:
            self._closed.popitem(last=False)

    async def closed_at(self, moments: Iterable[datetime]) -> AsyncIterator[list[OrderItemRow]]:
        """Items of all bills of the outlet that closed at one of these moments, and of some that closed between.

        Read to its end, what was not met closed at no such moment: it proves absence.
        """
        async for page in self._closed_in(around(moments), self._own):
            yield page

    async def of_all_outlets(
        self, start: datetime | None, end: datetime | None = None
    ) -> AsyncIterator[list[OrderItemRow]]:
        """Items of the bills of every outlet, changed since `start` (None: ever) and before `end`."""
        async for page in self._since((start, end), None):
            yield page

    async def of_other_outlets(self, start: datetime | None) -> AsyncIterator[list[OrderItemRow]]:
        """Items of the bills of every outlet but this one, changed since `start` (None: ever)."""
        async for page in self.of_all_outlets(start):
            yield [row for row in page if row.service_id != self._outlet_id]

    async def closed_anywhere(self, spans: Sequence[Window]) -> AsyncIterator[list[OrderItemRow]]:
        """Items of all bills of every outlet that closed in one of these windows."""
        async for page in self._closed_in(spans, None):
            yield page

    async def payments(
        self,
        *,
        account_ids: Sequence[str] | None = None,
        payment_ids: Sequence[str] | None = None,
        created: Interval | None = None,
        updated: Interval | None = None,
    ) -> AsyncIterator[list[PaymentRow]]:
        """None: payments of an outlet bill are items of it."""
        del account_ids, payment_ids, created, updated
        nothing: list[list[PaymentRow]] = []
        for page in nothing:
            yield page

    async def service_orders(
        self,
        service_ids: Sequence[str],
        *,
        order_ids: Sequence[str] | None = None,
        account_ids: Sequence[str] | None = None,
        updated: Interval | None = None,
    ) -> AsyncIterator[list[ServiceOrderRow]]:
        """None: an outlet bill is linked to nothing."""
        del service_ids, order_ids, account_ids, updated
        nothing: list[list[ServiceOrderRow]] = []
        for page in nothing:
            yield page

    def _is_mine(self, bill: entities.OutletBill) -> bool:
        return self._outlet_id in ("", bill.outlet_id)

    @property
    def _own(self) -> frozenset[str]:
        return frozenset((self._outlet_id,))

    def _remembered(self, bill_ids: Iterable[str]) -> dict[str, datetime]:
        return {one: self._closed[one] for one in bill_ids if one in self._closed}

    async def _bills(self, wanted: set[str]) -> AsyncIterator[list[OrderItemRow]]:
        """All items of these bills, wherever they closed."""
        known = self._remembered(wanted)
        known |= self._closed_of([one for one in wanted if one not in known])
        missing = set(wanted)
        async for page in _of_bills(self.closed_at(known.values()), wanted):
            missing.difference_update(row.order_id for row in page)
            yield page
        if missing.difference(known):
            # Nobody here knows when they closed.
            async for page in _of_bills(self._since((None, None), self._own), missing):
                yield page

    async def _closed_in(
        self, spans: Sequence[Window], outlets: frozenset[str] | None
    ) -> AsyncIterator[list[OrderItemRow]]:
        for window in spans:
            async for page in self._items({"ClosedUtc": interval(*window)}, outlets):
                yield page

    async def _since(self, given: Interval, outlets: frozenset[str] | None) -> AsyncIterator[list[OrderItemRow]]:
        start, end = given
        is_all = start is None
        if start is None:
            start = await self.oldest_outlet()
        spans = windows(start, self._until(end))
        if is_all:
            self._tell(start, len(spans))
        for span in spans:
            async for page in self._items({"UpdatedUtc": interval(*span)}, outlets):
                yield page

    async def oldest_outlet(self) -> datetime:
        """When the oldest outlet was made: no bill can be older. Raises MewsError."""
        if self._oldest is None:
            self._oldest = min([self.now(), *await self.outlets_made()])
        return self._oldest

    async def outlets_made(self) -> list[datetime]:
        """When each outlet was made that is associated with the integration. Raises MewsError."""
        made: list[datetime] = []
        async for page in walk(self._transport, "outlets/getAll", "Outlets", self._scope()):
            for outlet in map(entities.Outlet.read, page):
                if outlet.created_utc is None:
                    raise MissingFieldError(entities.Outlet.owner, "CreatedUtc")
                made.append(outlet.created_utc)
        return made

    async def _items(
        self, filters: Mapping[str, Any], outlets: frozenset[str] | None
    ) -> AsyncIterator[list[OrderItemRow]]:
        body = {**self._scope(), **filters}
        async for entries, answer in pages(self._transport, "outletItems/getAll", "OutletItems", body):
            bills = _bills_of(answer)
            page = rows.outlet_items(entries, partial(_bill_of, bills), outlets)
            self.remember({bill.id: bill.closed_utc for bill in bills.values() if self._is_mine(bill)})
            if page:
                yield page


async def _of_bills(
    found: AsyncIterator[list[OrderItemRow]], bill_ids: Collection[str]
) -> AsyncIterator[list[OrderItemRow]]:
    """What on these pages is of the bills."""
    async for page in found:
        kept = [row for row in page if row.order_id in bill_ids]
        if kept:
            yield kept


def _bills_of(answer: Mapping[str, Any]) -> dict[str, entities.OutletBill]:
    listed = answer.get("OutletBills")
    found = [entities.OutletBill.read(row) for row in listed if isinstance(row, dict)] if listed else []
    return {bill.id: bill for bill in found}


def _bill_of(bills: Mapping[str, entities.OutletBill], entry: Mapping[str, Any]) -> entities.OutletBill:
    """The bill of an item. Raises MewsError where the answer does not tell it: nothing may be concluded then."""
    bill = bills.get(str(entry.get("BillId")))
    if bill is None:
        raise MissingFieldError("OutletBills", "Id")
    return bill
