"""How outlets, their bills and items look in the API's answers."""

from __future__ import annotations

from typing import Any

from etl.sandbox.answers import amount, show
from etl.sandbox.outlet_state import OutletBill, OutletItem
from etl.sandbox.world import Enterprise, Outlet


def outlet(owner: Enterprise, row: Outlet) -> dict[str, Any]:
    """An outlet."""
    return {
        "Id": row.id,
        "EnterpriseId": owner.id,
        "IsActive": row.is_active,
        "Name": row.name,
        "CreatedUtc": show(row.created),
        "UpdatedUtc": show(row.created),
    }


def outlet_bill(bill: OutletBill, *, with_notes: bool) -> dict[str, Any]:
    """An outlet bill; neither its account nor the time of its creation is shown."""
    return {
        "Id": bill.id,
        "EnterpriseId": bill.enterprise_id,
        "OutletId": bill.outlet_id,
        "Number": bill.number,
        "ClosedUtc": show(bill.closed),
        "UpdatedUtc": show(bill.updated),
        "Notes": bill.notes if with_notes else None,
    }


def outlet_item(item: OutletItem, *, with_identifier: bool, with_notes: bool) -> dict[str, Any]:
    """An outlet item: its amount is of one unit only, its sign as sent, payments too."""
    shown = {
        "Id": item.id,
        "EnterpriseId": item.enterprise_id,
        "BillId": item.bill_id,
        "AccountingCategoryId": item.category_id,
        "Type": item.type,
        "Name": item.name,
        "UnitCount": item.count,
        "UnitAmount": amount(item.currency, item.unit),
        "CreatedUtc": show(item.created),
        "UpdatedUtc": show(item.created),
        "ConsumedUtc": show(item.consumed),
        "ExternalIdentifier": item.external_identifier,
        "Notes": item.notes if with_notes else None,
        "PaymentCardPaymentId": None,
    }
    if not with_identifier:
        del shown["ExternalIdentifier"]
    return shown
