"""An order as an outlet bill: one element of `Bills` in `outletBills/add`. Pure.

Rule: design section 9. A request is built from the frozen bytes of its bills, which are never serialised again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from etl.model.identity import Identity, parse_stem
from etl.model.payload import dump
from etl.model.plan import Basis, Entry, EntryKind, PlannedOrder
from etl.model.rows import PAYMENT, REVENUE

_TYPES = {EntryKind.ITEM: REVENUE, EntryKind.PAYMENT: PAYMENT}


def bill_number(identity: Identity) -> str:
    """`Number` of the bill: `536365`, `536365~2` of generation 2, `536365:undo` of what reverses it."""
    return identity.stem.removeprefix(f"centra:{identity.store}:")


def identity_of_bill(number: str, store: str) -> Identity | None:
    """Whose bill a `Number` names if it is one of this store's; None where no bill of ours is numbered so."""
    return parse_stem(f"centra:{store}:{number}")


def bill_payload(order: PlannedOrder, identity: Identity) -> dict[str, Any]:
    """One element of `Bills`, amounts as Decimal (JSON numbers when dumped).

    Raises ValueError for an order without consumption, KeyError for an entry that is no item: neither is planned.
    """
    if order.consumption is None:
        raise ValueError(f"order {order.number} has no consumption")
    when = order.consumption.strftime("%Y-%m-%dT%H:%M:%SZ")
    bill: dict[str, Any] = {
        "OutletId": order.service_id,
        "Number": bill_number(identity),
        "ClosedUtc": when,
        "Notes": f"{identity.marker} {order.notes}".rstrip(),
        "Items": [_item(entry, order.currency, when, identity) for entry in order.entries],
    }
    if order.account_id:
        bill["AccountId"] = order.account_id
    return bill


def _item(entry: Entry, currency: str, when: str, identity: Identity) -> dict[str, Any]:
    return {
        "Type": _TYPES[entry.kind],
        "Name": entry.name,
        "UnitCount": entry.count,
        "UnitAmount": {
            "Currency": currency,
            "TaxCodes": list(entry.codes),
            "GrossValue" if entry.basis is Basis.GROSS else "NetValue": entry.unit,
        },
        "ConsumedUtc": when,
        "ExternalIdentifier": identity.line(entry.line),
        "AccountingCategoryId": entry.category_id,
    }


def bill_fragment(order: PlannedOrder, identity: Identity) -> bytes:
    """The bill as it is kept, hashed and sent."""
    return dump(bill_payload(order, identity))


def bills_body(fragments: Iterable[bytes]) -> bytes:
    """The body of one `outletBills/add`, without tokens, from the frozen bytes of its bills."""
    return b'{"Bills":[' + b",".join(fragments) + b"]}"
