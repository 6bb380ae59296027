"""The operations that write, with Mews's business rules. Each writes whole or not at all.

An id that names nothing is malformed (400); what exists but may not be used is refused by rule (403).
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as changed
from datetime import datetime
from decimal import Decimal
from typing import Any

from etl.sandbox import answers
from etl.sandbox.call import Call, RefusedError, type_of
from etl.sandbox.entries import book, booked_entry, checked_amount, external_identifier, find_category, lower
from etl.sandbox.shapes import parse_moment
from etl.sandbox.state import Entry, Item, Order, Payment, Person
from etl.sandbox.taxes import Booked
from etl.sandbox.world import Enterprise, Service


@dataclass(frozen=True, slots=True)
class _Line:
    """One entry of an order, checked and booked."""

    name: str
    product_id: str | None
    category_id: str | None
    external_identifier: str | None
    count: int
    currency: str
    unit: Booked
    amount: Booked


def add_order(call: Call) -> dict[str, Any]:
    """`orders/add`: one order with all its items, or nothing."""
    body, enterprise = call.body, call.enterprise()
    service = _service(enterprise, body["ServiceId"].lower())
    account_id = body["AccountId"].lower()
    account_type = _account(call, enterprise, account_id)
    consumed = _consumption(call, enterprise)
    _bill(enterprise, body.get("BillId"), account_id)
    _segment(enterprise, service, body.get("BusinessSegmentId"))
    reservation = _reservation(enterprise, body.get("LinkedReservationId"), "LinkedReservationId")
    lines = [_product_line(call, enterprise, service, consumed, each) for each in body.get("ProductOrders") or ()]
    lines += [_item_line(call, enterprise, consumed, each) for each in body.get("Items") or ()]
    if not lines:
        raise RefusedError(403, "An order needs at least one product or item.")
    if call.quirks.adds_items or enterprise.adds_items:
        lines.append(_unasked(enterprise))
    if call.quirks.links_reservations or enterprise.links_reservations:
        reservation = reservation or (enterprise.reservations[0] if enterprise.reservations else call.new_id())
    created = call.store.stamp(call.now)
    order = Order(
        seq=call.store.next_seq(),
        id=call.new_id(),
        enterprise_id=enterprise.id,
        service_id=service.id,
        account_id=account_id,
        account_type=account_type,
        number=str(len(call.store.orders) + 1),
        notes=body.get("Notes"),
        segment_id=lower(body.get("BusinessSegmentId")),
        reservation_id=reservation,
        created=created,
        updated=created,
    )
    items = tuple(_item(call, order, line, consumed, lower(body.get("BillId"))) for line in lines)
    call.store.commit(Entry(order=order, items=items))
    return {"OrderId": order.id}


def _item(call: Call, order: Order, line: _Line, consumed: datetime, bill_id: str | None) -> Item:
    return Item(
        seq=call.store.next_seq(),
        id=call.new_id(),
        order_id=order.id,
        enterprise_id=order.enterprise_id,
        service_id=order.service_id,
        account_id=order.account_id,
        account_type=order.account_type,
        bill_id=bill_id,
        category_id=line.category_id,
        product_id=line.product_id,
        name=line.name,
        external_identifier=line.external_identifier,
        notes=order.notes,
        count=line.count,
        currency=line.currency,
        unit=line.unit,
        amount=line.amount,
        consumed=consumed,
        created=order.created,
        updated=order.created,
        written=call.now,
    )


def add_payment(call: Call) -> dict[str, Any]:
    """`payments/addExternal`: booked now, whatever it pays for."""
    body, enterprise = call.body, call.enterprise()
    account_id = body["AccountId"].lower()
    account_type = _account(call, enterprise, account_id)
    kind = body.get("Type") or "Unspecified"
    if kind not in enterprise.payment_types:
        raise RefusedError(403, f"External payments of type {kind} are not enabled in this enterprise.")
    if call.quirks.refused_payments & {"", kind}:
        raise RefusedError(403, f"This integration may not add external payments of type {kind}.")
    _bill(enterprise, body.get("BillId"), account_id)
    category = find_category(enterprise, body.get("AccountingCategoryId"))
    reservation = _reservation(enterprise, body.get("ReservationId"), "ReservationId")
    amount = {"TaxCodes": [], **{key: value for key, value in body["Amount"].items() if value is not None}}
    value, rates, digits = checked_amount(call, enterprise, amount, call.now)
    if not value:
        raise RefusedError(403, "A payment of zero can't be added.")
    created = call.store.stamp(call.now)
    paid = Payment(
        seq=call.store.next_seq(),
        id=call.new_id(),
        enterprise_id=enterprise.id,
        account_id=account_id,
        account_type=account_type,
        bill_id=lower(body.get("BillId")),
        category_id=None if category is None else category.id,
        reservation_id=reservation,
        type=kind,
        external_identifier=external_identifier(call, body),
        notes=body.get("Notes"),
        currency=amount["Currency"],
        amount=book(enterprise, value, 1, rates, digits),
        created=created,
        updated=created,
        written=call.now,
    )
    call.store.commit(Entry(payment=paid))
    return {"ExternalPaymentId": paid.id}


def cancel_items(call: Call) -> dict[str, Any]:
    """`orderItems/cancel`: all the items named, or none."""
    enterprise = call.enterprise()
    if not enterprise.cancel_allowed:
        raise RefusedError(401, "This integration does not have the permission to cancel order items.")
    found: dict[str, Item] = {}
    for key in dict.fromkeys(each.lower() for each in call.body["OrderItemIds"]):
        item = call.store.item(key)
        if item is None or item.enterprise_id != enterprise.id:
            raise RefusedError(400, f"Invalid OrderItemIds: there is no order item {key}.")
        if item.canceled is not None:
            raise RefusedError(403, f"The order item {key} is already canceled.")
        if item.closed is not None:
            raise RefusedError(403, f"The order item {key} is on a closed bill and can't be canceled.")
        found[key] = item
    moment = call.store.stamp(call.now)
    canceled = tuple(changed(item, canceled=moment, updated=moment, touched=call.now) for item in found.values())
    call.store.commit(Entry(items=canceled))
    for order_id in dict.fromkeys(item.order_id for item in canceled):
        if all(item.canceled is not None for item in call.store.items_of(order_id)):
            order = call.store.orders[order_id]
            call.store.commit(Entry(order=changed(order, canceled=moment, updated=moment)))
    return {}


def add_customer(call: Call) -> dict[str, Any]:
    """`customers/add`: a new profile, or the changed one of the same address if overwriting is allowed."""
    body = call.body
    if not call.check_chain("ChainId"):
        raise RefusedError(400, "Invalid ChainId: there is no such chain.")
    company_id = lower(body.get("CompanyId"))
    if company_id is not None and call.company(company_id) is None:
        raise RefusedError(400, "Invalid CompanyId: there is no such company.")
    email = body.get("Email")
    same = call.store.people_with(email) if email and not call.quirks.twin_customers else []
    twins = [person for person in same if person.is_active]
    if twins and not body["OverwriteExisting"]:
        raise RefusedError(403, "A customer with this e-mail address exists already.")
    created = call.store.stamp(call.now)
    details = {
        name: value
        for name, value in body.items()
        if isinstance(value, str) and name not in ("ClientToken", "AccessToken", "Client", "Email", "ChainId")
    }
    if body.get("Options"):
        details["Options"] = body["Options"]
    if twins:
        known = twins[0]
        person = changed(known, details={**known.details, **details}, updated=created)
        if body.get("Classifications") is not None:
            person = changed(person, classifications=tuple(body["Classifications"]))
    else:
        person = Person(
            seq=call.store.next_seq(),
            id=call.new_id(),
            email=email,
            classifications=tuple(body.get("Classifications") or ()),
            is_active=True,
            merged_into=None,
            created=created,
            updated=created,
            details=details,
        )
    call.store.commit(Entry(person=person))
    return answers.customer(call.world, person)


def _service(enterprise: Enterprise, key: str) -> Service:
    service = enterprise.services.get(key)
    if service is None:
        raise RefusedError(400, "Invalid ServiceId: there is no such service.")
    if not service.is_active:
        raise RefusedError(403, f"The service {service.name} is not active.")
    if service.type != "Additional":
        raise RefusedError(403, f"The service {service.name} is bookable; only additional services can be ordered.")
    return service


def _account(call: Call, enterprise: Enterprise, key: str) -> str:
    account = call.account(key)
    if account is None:
        raise RefusedError(400, "Invalid AccountId: there is no such customer or company.")
    kind = type_of(account)
    if not account.is_active:
        raise RefusedError(403, f"The {kind.lower()} is not active.")
    if kind == "Company" and not enterprise.company_billing:
        raise RefusedError(403, "Company billing is not enabled for this integration.")
    if isinstance(account, Person) and "Cashlist" in account.classifications and enterprise.refuse_cashlist:
        raise RefusedError(403, "The customer is on the cash list and can't be charged.")
    if (other := call.body.get("CustomerId")) is not None and other.lower() != key:
        raise RefusedError(400, "Invalid CustomerId: it is deprecated and differs from AccountId.")
    return kind


def _consumption(call: Call, enterprise: Enterprise) -> datetime:
    text = call.body.get("ConsumptionUtc")
    if text is None:
        return call.now.replace(microsecond=0)
    consumed = parse_moment(text)
    if consumed < call.now and consumed < enterprise.editable_since(call.now):
        raise RefusedError(403, "The time of consumption is before the editable history interval of the enterprise.")
    return consumed


def _bill(enterprise: Enterprise, key: str | None, account_id: str) -> None:
    if key is None:
        return
    bill = enterprise.bills.get(key.lower())
    if bill is None:
        raise RefusedError(400, "Invalid BillId: there is no such bill.")
    if not bill.is_open:
        raise RefusedError(403, "The bill is closed.")
    if bill.account_id != account_id:
        raise RefusedError(403, "The bill is issued to another account.")


def _segment(enterprise: Enterprise, service: Service, key: str | None) -> None:
    if key is None:
        return
    segment = enterprise.segments.get(key.lower())
    if segment is None:
        raise RefusedError(400, "Invalid BusinessSegmentId: there is no such business segment.")
    if not segment.is_active:
        raise RefusedError(403, f"The business segment {segment.name} is not active.")
    if segment.service_id != service.id:
        raise RefusedError(403, f"The business segment {segment.name} belongs to another service.")


def _reservation(enterprise: Enterprise, key: str | None, name: str) -> str | None:
    if key is not None and key.lower() not in enterprise.reservations:
        raise RefusedError(400, f"Invalid {name}: there is no such reservation.")
    return lower(key)


def _product_line(
    call: Call, enterprise: Enterprise, service: Service, consumed: datetime, sent: dict[str, Any]
) -> _Line:
    product = enterprise.products.get(sent["ProductId"].lower())
    if product is None:
        raise RefusedError(400, "Invalid ProductId: there is no such product.")
    if product.service_id != service.id:
        raise RefusedError(403, f"The product {product.name} belongs to another service.")
    if not product.is_active:
        raise RefusedError(403, f"The product {product.name} is not active.")
    if sent.get("StartUtc") is not None or sent.get("EndUtc") is not None:
        raise RefusedError(403, "StartUtc and EndUtc of product orders are not for orders consumed at once.")
    amount = sent.get("UnitAmount")
    if amount is None:
        value_name = "GrossValue" if enterprise.pricing == "Gross" else "NetValue"
        amount = {"Currency": product.currency, "TaxCodes": list(product.tax_codes), value_name: product.price}
    count = 1 if sent.get("Count") is None else sent["Count"]
    unit, booked = booked_entry(call, enterprise, amount, count, consumed)
    return _Line(
        name=product.name,
        product_id=product.id,
        category_id=product.category_id,
        external_identifier=external_identifier(call, sent),
        count=count,
        currency=amount["Currency"],
        unit=unit,
        amount=booked,
    )


def _item_line(call: Call, enterprise: Enterprise, consumed: datetime, sent: dict[str, Any]) -> _Line:
    if not sent["Name"].strip():
        raise RefusedError(403, "The name of an item must not be blank.")
    category = find_category(enterprise, sent.get("AccountingCategoryId"))
    unit, booked = booked_entry(call, enterprise, sent["UnitAmount"], sent["UnitCount"], consumed)
    return _Line(
        name=sent["Name"],
        product_id=None,
        category_id=None if category is None else category.id,
        external_identifier=external_identifier(call, sent),
        count=sent["UnitCount"],
        currency=sent["UnitAmount"]["Currency"],
        unit=unit,
        amount=booked,
    )


def _unasked(enterprise: Enterprise) -> _Line:
    booked = Booked(Decimal("1.00"), Decimal("1.00"), ())
    return _Line("Service charge", None, None, None, 1, enterprise.default_currency, booked, booked)
