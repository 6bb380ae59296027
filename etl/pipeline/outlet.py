"""The outlet route, wired: how its bills are read, and how the other route is looked at before anything is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from etl.errors import MewsError
from etl.evidence.marks import identity_of
from etl.ledger.ledger import Ledger
from etl.ledger.records import ORDER_PART
from etl.load import other_route
from etl.load.other_route import OtherRoute, Page
from etl.load.unmarked import UnmarkedBills
from etl.mews.api import MewsReader
from etl.mews.outlets import OutletReader
from etl.model.mapping import Mapping
from etl.model.reference import Reference
from etl.model.route import Route
from etl.pipeline.connect import Link
from etl.pipeline.meter import LOOK

NOT_PERMITTED = frozenset({"mews.refused", "mews.credentials", "mews.address"})
"""How a read ends that this integration may not make."""

Tell = Callable[[str, int, int | None], None]


def on_route(link: Link, mapping: Mapping, reference: Reference, ledger: Ledger) -> Link:
    """The way to Mews on which orders are read as the route has them: its bills look like orders of a service."""
    if mapping.settings.route is not Route.OUTLET:
        return link
    return replace(link, reader=OutletReader(link.reader, reference.place.id, closed_of=ledger.closings, tell=_tell))


def _tell(since: datetime, requests: int) -> None:
    structlog.get_logger().info(
        "Mews finds outlet items by time only: all since the oldest outlet was made are read, those of the hotel's tills "
        "too",
        since=since.strftime("%Y-%m-%d"),
        requests_at_least=requests,
    )


async def read_missing_ids(reader: MewsReader, ledger: Ledger, store: str) -> None:
    """Which bill is whose, of those posted together by a run that ended before it read them back. Raises MewsError.

    Effects: this ledger gives them the ids that were read; nothing is written.
    """
    missing, bills = ledger.without_ids(), reader.bills
    if not missing or bills is None:
        return
    unmarked = UnmarkedBills(ledger, store)
    async for page in bills.closed_at(missing.values()):
        unmarked.see(unmarked.of_page(page))
        for row in page:
            identity = identity_of(row)
            if identity is not None and identity.store == store and not identity.is_undo:
                key = (identity.number, identity.generation)
                if key in missing:
                    ledger.read_ids.setdefault(key, row.order_id)
    for (number, generation, part), bill_id in unmarked.ids().items():
        if part == ORDER_PART:
            ledger.read_ids.setdefault((number, generation), bill_id)


async def check_other_route(link: Link, mapping: Mapping, ledger: Ledger, run_id: str, progress: Tell) -> str:
    """Raises LedgerError where orders of this plan stand on the other route, or in another outlet or service of this one.

    Shape: what was not read, "" if all was. Rule: design section 9: it is read where the tokens permit. Effects: writes
    the ledger.
    """
    home = ledger.home()
    if mapping.settings.route is Route.OUTLET:
        others = [await _orders(link.orders), await _outlets(link.reader, home.service_id) if home else None]
    else:
        bills = await _bills(link.reader, is_first=other_route.is_first(ledger))
        others = [bills, await _orders(link.orders, home.service_id) if home else None]
    found = [await _check(other, link, mapping, ledger, run_id, progress) for other in others if other is not None]
    return "; ".join(filter(None, found))


async def _check(other: OtherRoute, link: Link, mapping: Mapping, ledger: Ledger, run_id: str, progress: Tell) -> str:
    """As `check_other_route`, of one place."""
    settle = timedelta(seconds=float(mapping.settings.mews.settle_seconds))
    store, now = mapping.settings.source.store, link.reader.now()

    def tell(pages: int) -> None:
        progress(f"{LOOK}{other.words}", pages, None)

    tell(0)
    try:
        unread = await other_route.look(ledger, other, store, run_id, now, settle, tell=tell)
    except MewsError as error:
        if error.code not in NOT_PERMITTED:
            raise
        structlog.get_logger().warning(
            f"these tokens may not read {other.words}: whether an order of this plan stands there already was not checked",
            reason=error.message,
        )
        return error.message
    await other_route.refuse(ledger, other, run_id)
    return "" if unread is None else _told(other, unread)


def _told(other: OtherRoute, unread: datetime) -> str:
    """Says what was not looked at, and why."""
    text = f"{other.words} from before {unread:%Y-%m-%d} were not looked at: this program posted nothing then"
    structlog.get_logger().info(text)
    return text


async def _bills(reader: MewsReader, *, is_first: bool) -> OtherRoute | None:
    """The bills of all outlets. Only a first look asks which outlets there are: a later one reads what is new anyway."""
    bills = OutletReader(reader, "")
    made = await _made(bills) if is_first else None
    if made == []:
        return None
    oldest = min(made) if made else None
    return OtherRoute(bills.of_all_outlets, "bills of outlets", oldest, closed=bills.closed_anywhere)


async def _outlets(reader: MewsReader, outlet_id: str) -> OtherRoute | None:
    """The bills of the other outlets, if there are any; Mews tells them among this one's, as it has no filter for outlets."""
    bills = OutletReader(reader, outlet_id)
    made = await _made(bills)
    if made is not None and len(made) <= 1:
        return None
    oldest = min(made) if made else None
    return OtherRoute(bills.of_other_outlets, "bills of other outlets", oldest, another="outlet")


async def _made(bills: OutletReader) -> list[datetime] | None:
    """When each outlet was made; None where the tokens may not list them: they may read their items nevertheless."""
    try:
        return await bills.outlets_made()
    except MewsError as error:
        if error.code not in NOT_PERMITTED:
            raise
        return None


async def _orders(reader: MewsReader, own: str = "") -> OtherRoute | None:
    """The orders of all orderable services but the ledger's `own`; None where there is no other."""
    services = {one.id: one.name for one in await reader.services() if one.is_orderable and one.id != own}
    if not services:
        return None

    def since(start: datetime | None) -> AsyncIterator[Page]:
        return reader.order_items(service_ids=list(services), created=None if start is None else (start, None))

    def by_id(order_ids: Sequence[str]) -> AsyncIterator[Page]:
        return reader.order_items(order_ids=order_ids)

    if own:
        words, another = "orders of other services", "service"
    else:
        words, another = "orders of services (route orders)", ""
    return OtherRoute(since, words, by_id=by_id, another=another, names=services)
