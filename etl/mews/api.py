"""The operations we use, one method each: `MewsReader` can't change anything, `MewsWriter` can.

A dry run is given a reader only.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from etl.errors import InternalError
from etl.mews import configuration as config
from etl.mews import profiles, rows
from etl.mews.attempt import BeforeSend
from etl.mews.configuration import Configuration
from etl.mews.operations import is_id
from etl.mews.paging import PAGE, Interval, batches, interval, walk
from etl.mews.transport import Transport
from etl.model.by_ids import Refusals, read_by_ids
from etl.model.outcome import Outcome
from etl.model.payload import Operation
from etl.model.reference import Account, Bill, Named, Product, Service
from etl.model.rows import OrderItemRow, PaymentRow, ServiceOrderRow
from etl.model.windows import windows

if TYPE_CHECKING:
    from etl.mews.outlets import OutletReader

Row = TypeVar("Row")

ACCOUNT_IDS = 100
"""Most AccountIds of one filter of order items and payments."""

AHEAD = timedelta(days=1)
"""Reading ends this much after Mews's clock, so that what is created meanwhile is not cut off."""

_EVERYTHING = ["Active", "Deleted"]


class MewsReader:
    """Read operations. Every method raises MewsError (exit code 4) where Mews does not give a whole answer."""

    def __init__(self, transport: Transport, *, enterprise_id: str | None = None) -> None:
        self.transport = self._transport = transport
        self.enterprise_id = self._enterprise_id = enterprise_id or None
        self.told: tuple[Configuration, float] | None = None
        """The enterprise as it was read last, and when, on the monotonic clock."""

    @property
    def bills(self) -> OutletReader | None:
        """Itself on the outlet route, where bills are looked for by when they closed; None for orders of services."""
        return None

    async def configuration(self) -> Configuration:
        """The enterprise, and Mews's time. Effects: sets the clock that `now` goes by."""
        body = {"EnterpriseId": self._enterprise_id} if self._enterprise_id else {}
        answer = await self._transport.read("configuration/get", body)
        self.told = config.configuration(answer), self._transport.clock.monotonic()
        return self.told[0]

    async def known_configuration(self) -> Configuration:
        """The enterprise as this reader has read it, else read now. Its time goes on in `now`."""
        return self.told[0] if self.told is not None else await self.configuration()

    def now(self) -> datetime:
        """Mews's time now, aware UTC; behind the true one by the answer's way to us at most.

        Raises InternalError where `configuration` was never read.
        """
        if self.told is None:
            raise InternalError("Mews's time is asked for before it was read", code="internal.clock")
        configuration, read_at = self.told
        return configuration.now + timedelta(seconds=self._transport.clock.monotonic() - read_at)

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
        """Order items in every state, cancelled ones included.

        Shape: pages, newest first within a batch of ids; an empty list of ids gives nothing. Times are widened to
        whole seconds. Needs `configuration` first where an interval has no end.
        """
        ids = {
            "ServiceIds": (service_ids, PAGE),
            "ServiceOrderIds": (order_ids, PAGE),
            "AccountIds": (account_ids, ACCOUNT_IDS),
            "OrderItemIds": (item_ids, PAGE),
        }
        times = {"CreatedUtc": created, "UpdatedUtc": updated, "CanceledUtc": canceled}
        async for page in self._pages("orderItems/getAll", "OrderItems", ids, times, rows.order_item):
            kept = [row for row in page if _before(row.created, created) and _before(row.updated, updated)]
            if kept:
                yield kept

    async def payments(
        self,
        *,
        account_ids: Sequence[str] | None = None,
        payment_ids: Sequence[str] | None = None,
        created: Interval | None = None,
        updated: Interval | None = None,
    ) -> AsyncIterator[list[PaymentRow]]:
        """Payments in every state. Shape: as `order_items`."""
        ids = {"AccountIds": (account_ids, ACCOUNT_IDS), "PaymentIds": (payment_ids, PAGE)}
        times = {"CreatedUtc": created, "UpdatedUtc": updated}
        async for page in self._pages("payments/getAll", "Payments", ids, times, rows.payment):
            kept = [row for row in page if _before(row.created, created) and _before(row.updated, updated)]
            if kept:
                yield kept

    async def service_orders(
        self,
        service_ids: Sequence[str],
        *,
        order_ids: Sequence[str] | None = None,
        account_ids: Sequence[str] | None = None,
        updated: Interval | None = None,
    ) -> AsyncIterator[list[ServiceOrderRow]]:
        """Product service orders of the services: what each is linked to. Shape: as `order_items`."""
        ids = {
            "ServiceIds": (service_ids, PAGE),
            "ProductServiceOrderIds": (order_ids, PAGE),
            "AccountIds": (account_ids, PAGE),
        }
        operation, key = "productServiceOrders/getAll", "ProductServiceOrders"
        async for page in self._pages(operation, key, ids, {"UpdatedUtc": updated}, rows.service_order):
            kept = [row for row in page if _before(row.updated, updated)]
            if kept:
                yield kept

    async def services(self) -> list[Service]:
        """All services of the enterprise."""
        return await self._all("services/getAll", "Services", self._scope(), profiles.service)

    async def products(self, service_id: str) -> list[Product]:
        """All products of a service, inactive and default ones included."""
        body = {**self._scope(), "ServiceIds": [service_id], "IncludeDefault": True}
        return await self._all("products/getAll", "Products", body, profiles.product)

    async def accounting_categories(self) -> list[Named]:
        """All accounting categories, deleted ones included."""
        body = {**self._scope(), "ActivityStates": _EVERYTHING}
        return await self._all("accountingCategories/getAll", "AccountingCategories", body, profiles.category)

    async def business_segments(self) -> list[Named]:
        """All business segments, deleted ones included."""
        body = {**self._scope(), "ActivityStates": _EVERYTHING}
        return await self._all("businessSegments/getAll", "BusinessSegments", body, profiles.segment)

    async def outlets(self) -> list[Named]:
        """All outlets that are associated with the integration."""
        return await self._all("outlets/getAll", "Outlets", self._scope(), profiles.outlet)

    async def currencies(self) -> dict[str, int]:
        """Count of decimals of every currency that Mews knows."""
        return config.currency_precisions(await self._transport.read("currencies/getAll", {}))

    async def tax_environments(self) -> list[Mapping[str, Any]]:
        """`TaxEnvironments` as answered."""
        return config.entries(await self._transport.read("taxEnvironments/getAll", {}), "TaxEnvironments")

    async def taxations(self) -> list[Mapping[str, Any]]:
        """`TaxRates` of all taxations, as answered."""
        return config.entries(await self._transport.read("taxations/getAll", {}), "TaxRates")

    async def customers_by_id(self, ids: Iterable[str]) -> list[Account]:
        """Customers with these ids, deleted and merged ones included; unknown ids are left out."""
        body = {**await self._chain(), **_CUSTOMER_EXTENT}
        return await self._by_ids("customers/getAll", "Customers", "CustomerIds", ids, body, profiles.customer)

    async def customers_by_email(self, emails: Iterable[str]) -> list[Account]:
        """Customers with these addresses, deleted and merged ones included. Upper and lower case are the same."""
        given = {email for email in emails if email}
        wanted = {email.lower() for email in given}
        # Mews compares as it likes: it is asked for both spellings.
        spellings = sorted(wanted | given)
        body = {**await self._chain(), **_CUSTOMER_EXTENT}
        found: dict[str, Account] = {}
        for batch in batches(spellings, PAGE):
            for account in await self._all(
                "customers/getAll", "Customers", {**body, "Emails": batch}, profiles.customer
            ):
                if account.email.lower() in wanted:
                    found[account.id] = account
        return list(found.values())

    async def customers_created(self, low: datetime, high: datetime) -> AsyncIterator[list[Account]]:
        """Active customers made in `[low, high)`, three months at most. Shape: pages, newest first."""
        body = {**await self._chain(), "Extent": _CUSTOMER_EXTENT["Extent"], "ActivityStates": ["Active"]}
        filters = {**body, "CreatedUtc": interval(low, high)}
        async for page in walk(self._transport, "customers/getAll", "Customers", filters):
            yield [profiles.customer(row) for row in page]

    async def companies(self) -> AsyncIterator[list[Account]]:
        """Active companies, the one list of accounts that needs no filter. Shape: pages, newest first."""
        body = {**await self._chain(), "ActivityStates": ["Active"]}
        async for page in walk(self._transport, "companies/getAll", "Companies", body):
            yield [profiles.company(row) for row in page]

    async def companies_by_id(self, ids: Iterable[str]) -> list[Account]:
        """Companies with these ids, deleted and merged ones included; unknown ids are left out."""
        body = {**await self._chain(), "ActivityStates": _EVERYTHING}
        return await self._by_ids("companies/getAll", "Companies", "Ids", ids, body, profiles.company)

    async def companies_by_external_identifier(self, identifiers: Iterable[str]) -> list[Account]:
        """Companies with these ExternalIdentifiers, which need not be unique."""
        wanted = sorted({identifier for identifier in identifiers if identifier})
        body = {**await self._chain(), "ActivityStates": _EVERYTHING}
        found: list[Account] = []
        for batch in batches(wanted, PAGE):
            request = {**body, "ExternalIdentifiers": batch}
            companies = await self._all("companies/getAll", "Companies", request, profiles.company)
            found += [account for account in companies if account.external_identifier in batch]
        return found

    async def bills_by_id(self, ids: Iterable[str]) -> list[Bill]:
        """Bills with these ids; unknown ids are left out."""
        body = {**self._scope(), "Extent": {"Items": False}}
        return await self._by_ids("bills/getAll", "Bills", "BillIds", ids, body, profiles.bill)

    async def _pages(
        self,
        operation: str,
        key: str,
        ids: Mapping[str, tuple[Sequence[str] | None, int]],
        times: Mapping[str, Interval | None],
        parse: Callable[[Mapping[str, Any]], Row],
    ) -> AsyncIterator[list[Row]]:
        choices = [
            [{name: batch} for batch in batches(list(dict.fromkeys(values)), size)]
            for name, (values, size) in ids.items()
            if values is not None
        ]
        choices += [self._windows(name, given) for name, given in times.items() if given is not None]
        if not choices:
            raise InternalError(f"{operation} without any filter", code="internal.request")
        for filters in itertools.product(*choices):
            body = self._scope()
            for one in filters:
                body.update(one)
            async for page in walk(self._transport, operation, key, body):
                yield [parse(row) for row in page]

    def _windows(self, name: str, given: Interval) -> list[dict[str, Any]]:
        start, end = given
        if start is None:
            # Mews has no intervals without a start: everything is read, and what is too new left out.
            return [{}]
        return [{name: interval(low, high)} for low, high in reversed(windows(start, self._until(end)))]

    def _until(self, end: datetime | None) -> datetime:
        return end if end is not None else self.now() + AHEAD

    async def _all(
        self, operation: str, key: str, body: Mapping[str, Any], parse: Callable[[Mapping[str, Any]], Row]
    ) -> list[Row]:
        return [parse(row) async for page in walk(self._transport, operation, key, body) for row in page]

    async def _by_ids(
        self,
        operation: str,
        key: str,
        filter_name: str,
        ids: Iterable[str],
        body: Mapping[str, Any],
        parse: Callable[[Mapping[str, Any]], Row],
    ) -> list[Row]:
        found: list[Row] = []

        async def read(batch: list[str]) -> None:
            pages = walk(self._transport, operation, key, {**body, filter_name: batch}, expected=len(batch))
            found.extend([parse(row) async for page in pages for row in page])

        await read_by_ids(sorted({one for one in ids if is_id(one)}), PAGE, read, Refusals())
        return found

    def _scope(self) -> dict[str, Any]:
        return {"EnterpriseIds": [self._enterprise_id]} if self._enterprise_id else {}

    async def _chain(self) -> dict[str, Any]:
        chain_id = await self._chain_id()
        return {"ChainIds": [chain_id]} if chain_id else {}

    async def _chain_id(self) -> str:
        """The chain that portfolio tokens must name; "" with a token of one enterprise."""
        if self._enterprise_id is None:
            return ""
        return (await self.known_configuration()).chain_id


class MewsWriter(MewsReader):
    """Adds what changes something in Mews: one request, exactly one attempt each, never repeated here."""

    async def send(self, operation: Operation, content: bytes, *, before_send: BeforeSend) -> Outcome:
        """Sends a frozen payload (`model/payload.py`); a DONE body names what was made."""
        return await self._transport.send(operation, content, before_send=before_send)

    async def scope(self, operation: Operation) -> dict[str, str]:
        """What a payload has to name besides, because these tokens serve several enterprises; else nothing."""
        if self._enterprise_id is None:
            return {}
        if operation is Operation.ADD_BILLS:
            # The outlet belongs to one enterprise.
            return {}
        if operation is not Operation.ADD_CUSTOMER:
            return {"EnterpriseId": self._enterprise_id}
        chain_id = await self._chain_id()
        return {"ChainId": chain_id} if chain_id else {}


_CUSTOMER_EXTENT: dict[str, Any] = {
    "Extent": {"Customers": True, "Documents": False, "Addresses": False},
    "ActivityStates": _EVERYTHING,
}


def _before(moment: datetime, given: Interval | None) -> bool:
    """Whether a row of a walk without a start is old enough."""
    return given is None or given[0] is not None or given[1] is None or moment < given[1]
