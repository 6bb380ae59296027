"""Items, payments and orders of an answer -> rows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from etl.mews.entities import (
    OUTLET_ITEMS,
    Breakdown,
    OrderItem,
    OutletBill,
    OutletItem,
    Payment,
    ServiceOrder,
    UnitAmount,
)
from etl.mews.fields import Json, known_moment, optional_moment
from etl.model.rows import OrderItemRow, PaymentRow, ServiceOrderRow


def order_item(row: Json) -> OrderItemRow:
    """One entry of `OrderItems`. Raises MewsError that names the essential property that is missing."""
    return usual_order_item(row) or judged_order_item(row)


def usual_order_item(row: Json) -> OrderItemRow | None:
    """An item that has nothing odd about it, read straight from the answer; None where the model has to judge it.

    A look reads every item that Mews holds, and a model of each costs twice as much. All types are looked at: what
    is returned is what the model makes of it (a test holds both against each other).
    """
    get = row.get
    try:
        amount, unit = row["Amount"], row["UnitAmount"]
        original = get("OriginalAmount") or amount
        if type(amount["TaxValues"]) is not list:
            return None
        taxes = tuple([(tax["Code"], tax["Value"]) for tax in amount["TaxValues"]])
        product = data.get("Product") if (data := get("Data")) else None
        essentials = (row["Id"], row["ServiceOrderId"], row["ServiceId"], amount["Currency"], row["AccountingState"])
        others = (
            get("AccountId") or "",
            get("Notes") or "",
            get("BillingName") or "",
            get("ExternalIdentifier") or "",
            get("Type") or "",
            product.get("ProductId") or "" if product else "",
            get("AccountingCategoryId") or "",
            get("BillId") or "",
            original.get("Currency") or "",
        )
        numbers = (
            unit["NetValue"],
            unit["GrossValue"],
            amount["NetValue"],
            amount["GrossValue"],
            original["NetValue"],
            original["GrossValue"],
        )
        created = known_moment(row["CreatedUtc"])
        updated = known_moment(moment) if (moment := get("UpdatedUtc")) else created
        consumed, canceled = optional_moment(get("ConsumedUtc")), optional_moment(get("CanceledUtc"))
        closed, count = optional_moment(get("ClosedUtc")), row["UnitCount"]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    texts = {*map(type, essentials), *map(type, others), *[type(code) for code, _ in taxes]}
    amounts = {*map(type, numbers), *[type(value) for _, value in taxes]}
    if texts != _TEXT or amounts != _AMOUNT or type(count) is not int or not all(essentials):
        return None
    id_, order_id, service_id, currency, state = essentials
    account_id, notes, name, external_identifier, kind, product_id, category_id, bill_id, original_currency = others
    unit_net, unit_gross, net, gross, original_net, original_gross = numbers
    # By place, in the order of its fields: by name it costs a third more.
    return OrderItemRow(
        id_,
        order_id,
        account_id,
        service_id,
        notes,
        name,
        external_identifier,
        count,
        unit_net,
        unit_gross,
        net,
        gross,
        taxes,
        original_net,
        original_gross,
        currency,
        created,
        updated,
        consumed,
        canceled,
        closed,
        state,
        kind,
        product_id,
        category_id,
        bill_id,
        original_currency,
    )


_TEXT, _AMOUNT = {str}, {Decimal}


def judged_order_item(row: Json) -> OrderItemRow:
    """One entry of `OrderItems` as its model has it. Raises MewsError as `order_item`."""
    item = OrderItem.read(row)
    original = item.original_amount or item.amount
    return OrderItemRow(
        id=item.id,
        order_id=item.service_order_id,
        account_id=item.account_id,
        service_id=item.service_id,
        notes=item.notes,
        name=item.billing_name,
        external_identifier=item.external_identifier,
        count=item.unit_count,
        unit_net=item.unit_amount.net_value,
        unit_gross=item.unit_amount.gross_value,
        net=item.amount.net_value,
        gross=item.amount.gross_value,
        taxes=item.amount.taxes,
        original_net=original.net_value,
        original_gross=original.gross_value,
        currency=item.amount.currency,
        created=item.created_utc,
        updated=item.updated_utc or item.created_utc,
        consumed=item.consumed_utc,
        canceled=item.canceled_utc,
        closed=item.closed_utc,
        state=item.accounting_state,
        type=item.type,
        product_id=item.data.product.product_id,
        category_id=item.accounting_category_id,
        bill_id=item.bill_id,
        original_currency=original.currency,
    )


def outlet_items(
    entries: Sequence[Json], bill_of: Callable[[Json], OutletBill], service_ids: frozenset[str] | None
) -> list[OrderItemRow]:
    """`OutletItems` as items of the orders that their bills are; of these outlets alone, if any are named.

    Raises MewsError likewise.
    """
    bills = [bill_of(entry) for entry in entries]
    rows = zip(OUTLET_ITEMS.read(entries), bills, strict=True)
    return [_outlet_item(item, bill) for item, bill in rows if service_ids is None or bill.outlet_id in service_ids]


def _outlet_item(item: OutletItem, bill: OutletBill) -> OrderItemRow:
    unit, count = item["unit_amount"], item["unit_count"]
    net, gross = unit["net_value"] * count, unit["gross_value"] * count
    return OrderItemRow(
        id=item["id"],
        order_id=item["bill_id"],
        account_id="",
        service_id=bill.outlet_id,
        notes=bill.notes,
        name=item["name"],
        external_identifier=item["external_identifier"],
        count=count,
        unit_net=unit["net_value"],
        unit_gross=unit["gross_value"],
        net=net,
        gross=gross,
        taxes=_taxes(unit, count),
        original_net=net,
        original_gross=gross,
        currency=unit["currency"],
        created=item["created_utc"],
        updated=bill.updated_utc,
        consumed=item["consumed_utc"],
        canceled=None,
        closed=None,
        state="",
        type=item["type"],
        category_id=item["accounting_category_id"],
        is_by_unit=True,
        number=bill.number,
    )


def _taxes(unit: UnitAmount, count: int) -> tuple[tuple[str, Decimal], ...]:
    """(code, value) of all units."""
    taxes = unit.get("tax_values")
    if taxes is not None:
        return tuple([(tax["code"], tax["value"] * count) for tax in taxes])
    parts = unit.get("breakdown", Breakdown()).items
    return tuple([(part.tax_rate_code, part.tax_value * count) for part in parts])


def payment(row: Json) -> PaymentRow:
    """One entry of `Payments`. Raises MewsError that names the essential property that is missing."""
    found = Payment.read(row)
    external = found.data.external
    return PaymentRow(
        id=found.id,
        account_id=found.account_id,
        bill_id=found.bill_id,
        category_id=found.accounting_category_id,
        external_identifier=external.external_identifier or found.external_identifier or found.identifier,
        notes=found.notes,
        type=found.type,
        external_type=external.type,
        net=found.amount.net_value,
        gross=found.amount.gross_value,
        currency=found.amount.currency,
        created=found.created_utc,
        updated=found.updated_utc or found.created_utc,
        charged=found.charged_utc,
        consumed=found.consumed_utc,
        closed=found.closed_utc,
        state=found.state,
        accounting_state=found.accounting_state,
    )


def service_order(row: Json) -> ServiceOrderRow:
    """One entry of `ProductServiceOrders`. Raises MewsError that names the essential property that is missing."""
    order = ServiceOrder.read(row)
    return ServiceOrderRow(
        id=order.id,
        service_id=order.service_id,
        account_id=order.account_id,
        state=order.state,
        number=order.number,
        reservation_id=order.linked_reservation_id,
        segment_id=order.business_segment_id,
        created=order.created_utc,
        updated=order.updated_utc or order.created_utc,
        canceled=order.cancelled_utc,
    )
