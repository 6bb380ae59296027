"""What the dials of outlet bills do to a request or an answer, and to bills that others are just reading."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from etl.sandbox.outlet_state import OutletBill
from etl.sandbox.state import Entry, Store


def first_half(data: dict[str, Any]) -> dict[str, Any] | None:
    """The request with the first half of its bills, rounded down; None if that is none of them."""
    bills = data.get("Bills")
    if not isinstance(bills, list) or len(bills) < 2:
        return None
    return {**data, "Bills": bills[: len(bills) // 2]}


def wrong_ids(answer: dict[str, Any], kind: str, spare: str) -> dict[str, Any]:
    """The answer with one id fewer, one repeated in place of another, or the id `spare` too many."""
    ids = list(answer.get("OutletBillIds") or ())
    changed = {"fewer": ids[:-1], "repeated": ids[1:] + ids[-1:], "more": [*ids, spare]}
    return {"OutletBillIds": changed[kind]}


def touch(store: Store, bill: OutletBill, now: datetime, **changes: Any) -> OutletBill:
    """The bill after somebody in the hotel touched it: its UpdatedUtc moves, its items stay as they are."""
    bill = replace(bill, updated=store.stamp(now), touched=now, **changes)
    store.commit(Entry(bills=(bill,)))
    return bill


def next_bill(store: Store, body: bytes) -> OutletBill | None:
    """The bill that was created before the last one of a page of items."""
    cursor = json.loads(body, parse_float=Decimal).get("Cursor")
    return None if cursor is None else store.outlets.older_bill(cursor)
