"""The outlet route, wired: how its bills are read, and how the other route is looked at before anything is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from etl.errors import MewsError
from etl.evidence.marks import identity_of
from etl.ledger.ledger import Ledger
from etl.load import other_route
from etl.load.other_route import OtherRoute
from etl.mews.api import MewsReader
from etl.mews.outlets import OutletReader
from etl.model.mapping import Mapping
from etl.model.reference import Reference
from etl.model.route import Route
from etl.model.rows import OrderItemRow
from etl.pipeline.connect import Link

NOT_PERMITTED = frozenset({"mews.refused", "mews.credentials", "mews.address"})
"""How a read ends that this integration may not make."""

OUR_FIRST_BILL = datetime(2026, 1, 1, tzinfo=UTC)
"""No outlet bill of this program was posted before."""

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
    missing = ledger.without_ids()
    if not missing or not isinstance(reader, OutletReader):
        return
    async for page in reader.closed_at(missing.values()):
        for row in page:
            identity = identity_of(row)
            if identity is not None and identity.store == store and not identity.is_undo:
                key = (identity.number, identity.generation)
                if key in missing:
                    ledger.read_ids.setdefault(key, row.order_id)


async def check_other_route(link: Link, mapping: Mapping, ledger: Ledger, run_id: str, progress: Tell) -> str:
    """Raises LedgerError where orders of this plan stand on the other route. Shape: why it was not read, "" if it was.

    Rule: design section 9: it is read where the tokens permit. Effects: writes the ledger.
    """
    other = await _other(link, mapping.settings.route)
    if other is None:
        return ""
    settle = timedelta(seconds=float(mapping.settings.mews.settle_seconds))
    progress(f"look for {other.words}", 0, None)
    try:
        await other_route.look(ledger, other, mapping.settings.source.store, run_id, link.reader.now(), settle)
    except MewsError as error:
        if error.code not in NOT_PERMITTED:
            raise
        structlog.get_logger().warning(
            f"these tokens may not read {other.words}: whether an order of this plan stands there already was not checked",
            reason=error.message,
        )
        return error.message
    await other_route.refuse(ledger, other, run_id)
    return ""


async def _other(link: Link, route: Route) -> OtherRoute | None:
    """How the other route is read; None where there is nothing to be read."""
    if route is Route.OUTLET:
        reader = link.orders
        services = [one.id for one in await reader.services() if one.is_orderable]
        return _orders(reader, services) if services else None
    try:
        outlets = await link.reader.outlets()
    except MewsError as error:
        if error.code not in NOT_PERMITTED:
            raise
        outlets = None
    if outlets == []:
        return None
    bills = OutletReader(link.reader, "", tell=_tell)

    def walk(start: datetime | None) -> AsyncIterator[list[OrderItemRow]]:
        # Nothing of ours can be older than this program; a Mews whose clock is before it is read as a whole.
        began = OUR_FIRST_BILL if bills.now() > OUR_FIRST_BILL else None
        return bills.of_all_outlets(start or began)

    return OtherRoute(walk, bills.of_any_outlet, "bills of outlets", bills.closed_anywhere)


def _orders(reader: MewsReader, services: Sequence[str]) -> OtherRoute:
    def walk(start: datetime | None) -> AsyncIterator[list[OrderItemRow]]:
        created = None if start is None else (start, None)
        return reader.order_items(service_ids=services, created=created)

    return OtherRoute(walk, lambda ids: reader.order_items(order_ids=ids), "orders of services (route orders)")
