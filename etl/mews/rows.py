"""Items, payments and orders of an answer -> rows. Pure."""

from __future__ import annotations

from decimal import Decimal

from etl.mews.fields import (
    Json,
    MissingFieldError,
    essential,
    essential_moment,
    integer,
    moment,
    number,
    objects,
    part,
    text,
)
from etl.model.rows import OrderItemRow, PaymentRow, ServiceOrderRow


def order_item(row: Json) -> OrderItemRow:
    """One entry of `OrderItems`. Raises MewsError that names the essential property that is missing."""
    owner = "OrderItem"
    amount = _amount(row, "Amount", owner)
    unit = _amount(row, "UnitAmount", owner)
    original = part(row, "OriginalAmount") or amount
    created = essential_moment(row, "CreatedUtc", owner)
    return OrderItemRow(
        id=essential(row, "Id", owner),
        order_id=essential(row, "ServiceOrderId", owner),
        account_id=text(row, "AccountId"),
        service_id=essential(row, "ServiceId", owner),
        notes=text(row, "Notes"),
        name=text(row, "BillingName"),
        external_identifier=text(row, "ExternalIdentifier"),
        count=integer(row, "UnitCount", owner),
        unit_net=number(unit, "NetValue", "OrderItem.UnitAmount"),
        unit_gross=number(unit, "GrossValue", "OrderItem.UnitAmount"),
        net=number(amount, "NetValue", "OrderItem.Amount"),
        gross=number(amount, "GrossValue", "OrderItem.Amount"),
        taxes=_taxes(amount),
        original_net=number(original, "NetValue", "OrderItem.OriginalAmount"),
        original_gross=number(original, "GrossValue", "OrderItem.OriginalAmount"),
        currency=essential(amount, "Currency", "OrderItem.Amount"),
        created=created,
        updated=moment(row, "UpdatedUtc", owner) or created,
        consumed=moment(row, "ConsumedUtc", owner),
        canceled=moment(row, "CanceledUtc", owner),
        closed=moment(row, "ClosedUtc", owner),
        state=essential(row, "AccountingState", owner),
        type=text(row, "Type"),
        product_id=text(part(part(row, "Data"), "Product"), "ProductId"),
        category_id=text(row, "AccountingCategoryId"),
        bill_id=text(row, "BillId"),
        original_currency=text(original, "Currency"),
    )


def payment(row: Json) -> PaymentRow:
    """One entry of `Payments`. Raises MewsError that names the essential property that is missing."""
    owner = "Payment"
    amount = _amount(row, "Amount", owner)
    external = part(part(row, "Data"), "External")
    created = essential_moment(row, "CreatedUtc", owner)
    return PaymentRow(
        id=essential(row, "Id", owner),
        account_id=text(row, "AccountId"),
        bill_id=text(row, "BillId"),
        category_id=text(row, "AccountingCategoryId"),
        # Older servers have no Data.External; some put the identifier beside it.
        external_identifier=text(external, "ExternalIdentifier")
        or text(row, "ExternalIdentifier")
        or text(row, "Identifier"),
        notes=text(row, "Notes"),
        type=text(row, "Type"),
        external_type=text(external, "Type"),
        net=number(amount, "NetValue", "Payment.Amount"),
        gross=number(amount, "GrossValue", "Payment.Amount"),
        currency=essential(amount, "Currency", "Payment.Amount"),
        created=created,
        updated=moment(row, "UpdatedUtc", owner) or created,
        charged=moment(row, "ChargedUtc", owner),
        consumed=moment(row, "ConsumedUtc", owner),
        closed=moment(row, "ClosedUtc", owner),
        state=text(row, "State"),
        accounting_state=text(row, "AccountingState"),
    )


def service_order(row: Json) -> ServiceOrderRow:
    """One entry of `ProductServiceOrders`. Raises MewsError that names the essential property that is missing."""
    owner = "ServiceOrder"
    created = essential_moment(row, "CreatedUtc", owner)
    return ServiceOrderRow(
        id=essential(row, "Id", owner),
        service_id=essential(row, "ServiceId", owner),
        account_id=text(row, "AccountId"),
        state=text(row, "State"),
        number=text(row, "Number"),
        reservation_id=text(row, "LinkedReservationId"),
        segment_id=text(row, "BusinessSegmentId"),
        created=created,
        updated=moment(row, "UpdatedUtc", owner) or created,
        canceled=moment(row, "CancelledUtc", owner),
    )


def _amount(row: Json, name: str, owner: str) -> Json:
    found = part(row, name)
    if not found:
        raise MissingFieldError(owner, name)
    return found


def _taxes(amount: Json) -> tuple[tuple[str, Decimal], ...]:
    if type(amount.get("TaxValues")) is list:
        return tuple(
            (text(tax, "Code"), number(tax, "Value", "OrderItem.Amount.TaxValues"))
            for tax in objects(amount, "TaxValues")
        )
    return tuple(
        (text(tax, "TaxRateCode"), number(tax, "TaxValue", "OrderItem.Amount.Breakdown"))
        for tax in objects(part(amount, "Breakdown"), "Items")
        if text(tax, "TaxRateCode")
    )
