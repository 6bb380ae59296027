"""`outletBills/add`: the receipts of an outlet, with the rules that the documents tell and those they leave open.

Documented: 1 to 1000 bills; one enterprise's pricing, currencies and tax codes at the time of consumption;
rebates need a permission; a bill need not add up to zero; Number and ExternalIdentifier are not unique.
Left open, and decided here: a bill without items, a count below one, a blank number or name and a payment of
zero are refused; payments may have either sign, codes as the documents' own sample, and need no permission;
times may lie in the future, and as far back as the world's `outlet_window` (none by default); the account
must exist and be active, whatever its classification, since nothing is charged to it; a refusal does not tell
which of several bills it means; ids are answered in an order of their own.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import count
from sys import intern
from typing import Any
from zoneinfo import ZoneInfo

from etl.errors import UsageError
from etl.sandbox.call import Call, Quirks, RefusedError
from etl.sandbox.entries import booked_entry, external_identifier, find_category, lower, shifted
from etl.sandbox.outlet_state import PAYMENT, OutletBill, OutletItem
from etl.sandbox.shapes import parse_moment
from etl.sandbox.state import Entry, Person, Store
from etl.sandbox.taxes import Booked
from etl.sandbox.world import Enterprise, Outlet, World

_SEEDS = uuid.UUID("5a2db0c5-0000-4000-a000-00000000b111")
_Whole = tuple[OutletBill, list[OutletItem]]


def add_bills(call: Call) -> dict[str, Any]:
    """`outletBills/add`: all bills, or what this Mews leaves of a request that it refuses."""
    good: list[_Whole] = []
    refusal: RefusedError | None = None
    for sent in call.body["Bills"]:
        try:
            good.append(_bill(call, sent))
        except RefusedError as fault:
            refusal = refusal or fault
            if call.quirks.refused_bills != "others":
                break
    if refusal is None or call.quirks.refused_bills != "whole":
        _commit(call.store, good)
    if refusal is not None:
        raise refusal
    return {"OutletBillIds": sorted(bill.id for bill, _ in good)}


def bills_before(world: World, people: Iterable[Person], began: datetime) -> Entry:
    """What the world's outlets hold from before it `began`, oldest first, each created when it was closed.

    Raises:
        UsageError: a bill that `outletBills/add` would refuse, or that was closed after the beginning.

    """
    store, numbers, found = Store(people), count(), []
    for sent in world.outlet_bills:
        closed = parse_moment(sent["ClosedUtc"])
        # The same ids after every restart: these bills are in no state file.
        call = Call(world, store, {}, closed, lambda: str(uuid.uuid5(_SEEDS, str(next(numbers)))), Quirks())
        try:
            bill, items = _bill_before(call, sent, began)
        except RefusedError as fault:
            raise UsageError(
                f"The world is not usable: `outlet_bills` {sent['Number']}: {fault.message}",
                place=world.name,
                hint="Correct that bill.",
            ) from fault
        closed = closed.replace(microsecond=0)
        bill = replace(bill, created=closed, updated=closed)
        found.append((bill, [replace(item, created=closed) for item in items]))
    found.sort(key=lambda whole: whole[0].created)
    return Entry(
        bills=tuple(bill for bill, _ in found), outlet_items=tuple(item for _, items in found for item in items)
    )


def _bill_before(call: Call, sent: dict[str, Any], began: datetime) -> _Whole:
    if call.now > began:
        raise RefusedError(403, f"It was closed after Mews's clock began at {began:%Y-%m-%dT%H:%M:%SZ}.")
    return _bill(call, sent)


def _commit(store: Store, good: list[_Whole]) -> None:
    if good:
        items = tuple(item for _, items in good for item in items)
        store.commit(Entry(bills=tuple(bill for bill, _ in good), outlet_items=items))


def _bill(call: Call, sent: dict[str, Any]) -> _Whole:
    enterprise, outlet = _place(call, sent["OutletId"].lower())
    _check_account(call, lower(sent.get("AccountId")))
    if not sent["Number"].strip():
        raise RefusedError(403, "The number of a bill must not be blank.")
    if not sent["Items"]:
        raise RefusedError(403, "A bill needs at least one item.")
    closed = _moment(call, enterprise, sent["ClosedUtc"], "closure")
    created = call.store.stamp(call.now)
    bill = OutletBill(
        id=call.new_id(),
        enterprise_id=enterprise.id,
        outlet_id=outlet.id,
        account_id=lower(sent.get("AccountId")),
        number=sent["Number"],
        notes=sent.get("Notes"),
        closed=closed,
        created=created,
        updated=created,
        written=call.now,
    )
    items = [_item(call, enterprise, bill, each) for each in sent["Items"]]
    if call.quirks.adds_items or enterprise.adds_items:
        items.append(_unasked(call, enterprise, bill))
    return bill, items


def _place(call: Call, key: str) -> tuple[Enterprise, Outlet]:
    """An outlet that may be used, and its enterprise."""
    for enterprise in call.world.enterprises.values():
        if (outlet := enterprise.outlets.get(key)) is not None:
            if not outlet.is_active:
                raise RefusedError(403, f"The outlet {outlet.name} is not active.")
            return enterprise, outlet
    raise RefusedError(400, "Invalid OutletId: there is no such outlet.")


def _check_account(call: Call, key: str | None) -> None:
    if key is None:
        return
    account = call.account(key)
    if account is None:
        raise RefusedError(400, "Invalid AccountId: there is no such customer or company.")
    if not account.is_active:
        raise RefusedError(403, "The account of the bill is not active.")


def _moment(call: Call, enterprise: Enterprise, text: str, what: str) -> datetime:
    moment = parse_moment(text)
    if enterprise.outlet_window is not None:
        since = enterprise.outlet_window.start(call.now, ZoneInfo(enterprise.timezone))
        if moment < since:
            raise RefusedError(403, f"The time of {what} is before the editable history interval of the outlet.")
    return moment


def _item(call: Call, enterprise: Enterprise, bill: OutletBill, sent: dict[str, Any]) -> OutletItem:
    if not sent["Name"].strip():
        raise RefusedError(403, "The name of an item must not be blank.")
    category = find_category(enterprise, sent.get("AccountingCategoryId"))
    consumed = _moment(call, enterprise, sent["ConsumedUtc"], "consumption")
    is_payment = sent["Type"] == PAYMENT
    unit, booked = booked_entry(
        call, enterprise, sent["UnitAmount"], sent["UnitCount"], consumed, is_payment=is_payment
    )
    if is_payment and not unit.gross:
        raise RefusedError(403, "A payment of zero can't be added.")
    currency = intern(sent["UnitAmount"]["Currency"])
    return OutletItem(
        id=call.new_id(),
        bill_id=bill.id,
        enterprise_id=enterprise.id,
        type=intern(sent["Type"]),
        name=intern(sent["Name"]),
        category_id=None if category is None else category.id,
        external_identifier=external_identifier(call, sent),
        notes=sent.get("Notes"),
        count=sent["UnitCount"],
        currency=currency,
        # Nothing but the unit is ever shown, so a Mews that books other amounts shows it there.
        unit=shifted(unit, call.quirks.extra_cents, enterprise.currencies[currency]),
        amount=booked,
        consumed=consumed,
        created=bill.created,
    )


def _unasked(call: Call, enterprise: Enterprise, bill: OutletBill) -> OutletItem:
    booked = Booked(Decimal("1.00"), Decimal("1.00"), ())
    return OutletItem(
        id=call.new_id(),
        bill_id=bill.id,
        enterprise_id=enterprise.id,
        type="Revenue",
        name="Service charge",
        category_id=None,
        external_identifier=None,
        notes=None,
        count=1,
        currency=enterprise.default_currency,
        unit=booked,
        amount=booked,
        consumed=bill.closed,
        created=bill.created,
    )
