"""Reading outlets and their items back: by ids and times only, never by outlet, number, bill or identifier."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from etl.sandbox import outlet_answers
from etl.sandbox.call import Call, RefusedError
from etl.sandbox.filters import Span, bounds_of, check_currency, limitation_of, page_of, span_of, wanted_ids
from etl.sandbox.outlet_state import OutletBill, OutletItem

_TIMES = ("ConsumedUtc", "UpdatedUtc", "ClosedUtc")


def outlets(call: Call) -> dict[str, Any]:
    """`outlets/getAll`."""
    wanted, span = wanted_ids(call, "OutletIds"), span_of(call, "UpdatedUtc")
    owners = {row.id: owner for owner in call.enterprises() for row in owner.outlets.values()}
    rows = [
        row
        for owner in call.enterprises()
        for row in owner.outlets.values()
        if (wanted is None or row.id in wanted) and (span is None or span(row.created))
    ]
    page, cursor = page_of(call, rows)
    return {"Outlets": [outlet_answers.outlet(owners[row.id], row) for row in page], "Cursor": cursor}


def outlet_items(call: Call) -> dict[str, Any]:
    """`outletItems/getAll`: a page of items, newest first, and the bills they stand on.

    UpdatedUtc and ClosedUtc are the bill's, ConsumedUtc is the item's. An item has no UpdatedUtc filter of its own.
    """
    wanted = wanted_ids(call, "Ids")
    bounds = {name: bounds_of(call, name) for name in _TIMES}
    if wanted is None and not any(bounds.values()):
        raise RefusedError(400, "Invalid filter: ConsumedUtc is required if no other filter is provided.")
    check_currency(call)
    most, before = _page(call)
    found: list[OutletItem] = []
    bills: dict[str, OutletBill] = {}
    shows = _test(call)
    for item in call.store.outlets.newest(
        ids=wanted,
        closed=bounds["ClosedUtc"],
        consumed=bounds["ConsumedUtc"],
        updated=bounds["UpdatedUtc"],
        before=before,
    ):
        bill = shows(item)
        if bill is not None:
            found.append(item)
            bills[bill.id] = bill
            if len(found) == most:
                break
    with_identifier, with_notes = call.quirks.identifiers == "kept", call.quirks.keeps_notes
    return {
        "OutletItems": [
            outlet_answers.outlet_item(item, with_identifier=with_identifier, with_notes=with_notes) for item in found
        ],
        "OutletBills": [outlet_answers.outlet_bill(bill, with_notes=with_notes) for bill in bills.values()],
        "Cursor": found[-1].id if found else None,
    }


def _page(call: Call) -> tuple[int, int | None]:
    """How many items, older than the one at that place."""
    most, cursor = limitation_of(call)
    if cursor is None:
        return most, None
    place = call.store.outlets.places.get(cursor)
    if place is None:
        raise RefusedError(400, "Invalid Limitation.Cursor: there is no such outlet item.")
    return most, place


def _test(call: Call) -> Callable[[OutletItem], OutletBill | None]:
    """The bill of an item that passes every filter, as reads see it now; None for all others."""
    scope = {owner.id for owner in call.enterprises()}
    wanted = wanted_ids(call, "Ids")
    consumed, updated, closed = (span_of(call, name) for name in _TIMES)
    book = call.store.outlets
    as_of = call.now - timedelta(seconds=call.quirks.lag_seconds) if call.quirks.lag_seconds else None

    def shown(item: OutletItem) -> OutletBill | None:
        bill = _seen(book.bills[item.bill_id], book.before, as_of)
        passes = (
            bill is not None
            and item.enterprise_id in scope
            and (wanted is None or item.id in wanted)
            and _holds(consumed, item.consumed)
            and _holds(updated, bill.updated)
            and _holds(closed, bill.closed)
        )
        return bill if passes else None

    return shown


def _seen(bill: OutletBill, earlier: dict[str, OutletBill], as_of: datetime | None) -> OutletBill | None:
    """The bill as reads that lag behind show it: not yet, or as it was before its last change."""
    if as_of is None:
        return bill
    if bill.written > as_of:
        return None
    return earlier[bill.id] if bill.touched is not None and bill.touched > as_of else bill


def _holds(span: Span | None, moment: datetime) -> bool:
    return span is None or span(moment)
