"""The jobs of `recover` and `settle`: the ledger from what Mews holds, and a person's word on one order."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from etl.errors import ExitCode
from etl.ledger.ledger import Ledger
from etl.ledger.records import stamp
from etl.load.recovery import recover
from etl.load.settling import settle
from etl.model.mapping import Mapping
from etl.model.reference import Reference
from etl.pipeline.connect import Link
from etl.pipeline.outlet import on_route
from etl.pipeline.planning import Progress, Span
from etl.pipeline.prepare import keep_reference, link_to_mews, locked, read_mapping_of, reference_online
from etl.pipeline.reconciled import RECOVERED_AT
from etl.pipeline.whole_entries import whole_entries
from etl.settings import Connection, Settings
from etl.waiting import SETTLING, WAITS


async def recover_ledger(
    stack: ExitStack, settings: Settings, connection: Connection, *, take_over: str, progress: Progress
) -> dict[str, Any]:
    """The `recover --json` document. Effects: reads Mews, writes the ledger.

    Raises LedgerError where the ledger is held or foreign, MewsError where a scan can't be read to its end.
    """
    mapping = read_mapping_of(settings)
    ledger = stack.enter_context(Ledger.open(settings.ledger))
    stack.enter_context(locked(ledger, "recover", take_over=take_over))
    async with link_to_mews(settings, mapping, connection, writes=False) as link:
        reference = await _bound(link, mapping, ledger)
        reader = on_route(link, mapping, reference, ledger).reader
        result = await recover(
            ledger,
            reader,
            service_id=reference.place.id,
            store=mapping.settings.source.store,
            settle_seconds=mapping.settings.mews.settle_seconds,
            clock=link.clock,
            sleep=WAITS.sleep(SETTLING),
            whole=whole_entries(reference),
            progress=progress,
        )
    ledger.set_meta(RECOVERED_AT, stamp(datetime.now(UTC)))
    attention = result.different or result.duplicated
    return {
        "command": "recover",
        "found": result.found,
        "known": result.known,
        "resolved": result.resolved,
        "undone": result.undone,
        "payments": result.payments,
        "items_read": result.items,
        "other_orders_on_the_service": result.strangers,
        "different": result.different,
        "duplicated": {number: list(ids) for number, ids in result.duplicated.items()},
        "orders": {state.value: count for state, count in sorted(ledger.counts().items()) if count},
        "exit_code": int(ExitCode.ATTENTION if attention else ExitCode.DONE),
    }


async def settle_order(
    stack: ExitStack, settings: Settings, connection: Connection, number: str, *, posted: str, absent: bool
) -> dict[str, Any]:
    """The `settle --json` document. Effects: reads Mews, writes the ledger.

    Raises UsageError where what the person says can't be true.
    """
    mapping = read_mapping_of(settings)
    ledger = stack.enter_context(Ledger.open(settings.ledger, create=False))
    stack.enter_context(locked(ledger, "settle"))
    async with link_to_mews(settings, mapping, connection, writes=False) as link:
        reference = await _bound(link, mapping, ledger)
        reader = on_route(link, mapping, reference, ledger).reader
        state = await settle(
            ledger,
            reader,
            number,
            service_id=reference.place.id,
            store=mapping.settings.source.store,
            settle_seconds=Decimal(mapping.settings.mews.settle_seconds),
            clock=link.clock,
            run_id=uuid.uuid4().hex[:12],
            posted_order_id=posted,
            absent=absent,
            bills=reader.bills,
        )
    held = ledger.order(number)
    return {
        "command": "settle",
        "order": number,
        "state": state.value,
        "message": held.message if held else "",
        "is_as_sent": not (held and held.is_settled_as_seen),
        "exit_code": 0,
    }


async def _bound(link: Link, mapping: Mapping, ledger: Ledger) -> Reference:
    reference = await reference_online(link, mapping, None, Span())
    keep_reference(ledger, mapping, reference)
    return reference
