"""The operations that only read: filters and cursor pages, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from etl.sandbox import answers
from etl.sandbox.call import Call, RefusedError, type_of
from etl.sandbox.filters import (
    Span,
    began_in,
    bounds_of,
    check_currency,
    is_asked,
    limitation_of,
    page_of,
    span_of,
    wanted_ids,
)
from etl.sandbox.state import Item, Order, Payment, Person
from etl.sandbox.world import Company

_ITEM_FILTERS = ("OrderItemIds", "AccountIds", "ServiceOrderIds", "ServiceIds", "BillIds")
_ITEM_TIMES = ("CreatedUtc", "UpdatedUtc", "ConsumedUtc", "CanceledUtc", "ClosedUtc")


def configuration(call: Call) -> dict[str, Any]:
    """`configuration/get`."""
    return answers.configuration(call.world, call.enterprise(), call.now)


def currencies(call: Call) -> dict[str, Any]:
    """`currencies/getAll`."""
    return {"Currencies": [answers.currency(code, digits) for code, digits in call.world.currencies.items()]}


def tax_environments(call: Call) -> dict[str, Any]:
    """`taxEnvironments/getAll`: those of every enterprise in the world, and others."""
    return {"TaxEnvironments": [answers.tax_environment(call.world, code) for code in call.world.tax_environments]}


def taxations(call: Call) -> dict[str, Any]:
    """`taxations/getAll`: all that Mews knows, usable for this enterprise or not."""
    rates = call.world.rates.values()
    codes = dict.fromkeys(rate.taxation for rate in rates)
    return {
        "Taxations": [answers.taxation(code) for code in codes],
        "TaxRates": [answers.tax_rate(rate) for rate in rates],
    }


def enterprises(call: Call) -> dict[str, Any]:
    """`enterprises/getAll`: those the token reaches."""
    rows = list(call.world.enterprises.values())
    if (wanted := wanted_ids(call, "EnterpriseIds")) is not None:
        rows = [row for row in rows if row.id in wanted]
    if call.body.get("ExternalIdentifiers") is not None:
        rows = []
    rows = rows if began_in(call, "LinkedUtc", "UpdatedUtc") else []
    page, cursor = page_of(call, rows)
    return {"Enterprises": [answers.enterprise_in_portfolio(call.world, row) for row in page], "Cursor": cursor}


def services(call: Call) -> dict[str, Any]:
    """`services/getAll`."""
    wanted, kind = wanted_ids(call, "ServiceIds"), call.body.get("ServiceType")
    owners = {row.id: owner for owner in call.enterprises() for row in owner.services.values()}
    rows = [
        row
        for owner in call.enterprises()
        for row in owner.services.values()
        if (wanted is None or row.id in wanted) and (kind is None or row.type == kind)
    ]
    page, cursor = page_of(call, rows if began_in(call, "UpdatedUtc") else [])
    return {"Services": [answers.service(owners[row.id], row) for row in page], "Cursor": cursor}


def products(call: Call) -> dict[str, Any]:
    """`products/getAll` of the services named."""
    wanted, services_wanted = wanted_ids(call, "ProductIds"), wanted_ids(call, "ServiceIds") or set()
    known = {key for owner in call.world.enterprises.values() for key in owner.services}
    if unknown := sorted(services_wanted - known):
        raise RefusedError(400, f"Invalid ServiceIds: there is no service {unknown[0]}.")
    owners = {row.id: owner for owner in call.enterprises() for row in owner.products.values()}
    rows = [
        row
        for owner in call.enterprises()
        for row in owner.products.values()
        if row.service_id in services_wanted and (wanted is None or row.id in wanted)
    ]
    page, cursor = page_of(call, rows if began_in(call, "UpdatedUtc") else [])
    shown = [answers.product(call.world, owners[row.id], row) for row in page]
    return {"Products": shown, "CustomerProducts": [], "Cursor": cursor}


def accounting_categories(call: Call) -> dict[str, Any]:
    """`accountingCategories/getAll`."""
    wanted = wanted_ids(call, "AccountingCategoryIds")
    owners = {row.id: owner for owner in call.enterprises() for row in owner.categories.values()}
    rows = [
        row
        for owner in call.enterprises()
        for row in owner.categories.values()
        if (wanted is None or row.id in wanted) and is_asked(call, is_active=row.is_active)
    ]
    page, cursor = page_of(call, rows if began_in(call, "UpdatedUtc") else [])
    shown = [answers.accounting_category(owners[row.id], row) for row in page]
    return {"AccountingCategories": shown, "Cursor": cursor}


def business_segments(call: Call) -> dict[str, Any]:
    """`businessSegments/getAll`."""
    wanted, services_wanted = wanted_ids(call, "Ids"), wanted_ids(call, "ServiceIds")
    rows = [
        row
        for owner in call.enterprises()
        for row in owner.segments.values()
        if (wanted is None or row.id in wanted)
        and (services_wanted is None or row.service_id in services_wanted)
        and is_asked(call, is_active=row.is_active)
    ]
    page, cursor = page_of(call, rows if began_in(call, "UpdatedUtc") else [])
    return {"BusinessSegments": [answers.business_segment(row) for row in page], "Cursor": cursor}


def companies(call: Call) -> dict[str, Any]:
    """`companies/getAll` by ids, names or ExternalIdentifiers."""
    rows: list[Company] = []
    ids, names = wanted_ids(call, "Ids"), call.body.get("Names")
    external = call.body.get("ExternalIdentifiers")
    numbers: dict[str, int] = {}
    if call.check_chain() or not call.world.is_portfolio:
        everyone = {key: row for owner in call.world.enterprises.values() for key, row in owner.companies.items()}
        numbers = {key: number for number, key in enumerate(everyone, 1)}
        rows = [
            row
            for row in everyone.values()
            if (ids is None or row.id in ids)
            and (names is None or row.name in names)
            and (external is None or row.external_identifier in external)
            and is_asked(call, is_active=row.is_active)
        ]
    rows = rows if began_in(call, "CreatedUtc", "UpdatedUtc") else []
    page, cursor = page_of(call, rows)
    return {"Companies": [answers.company(call.world, numbers[row.id], row) for row in page], "Cursor": cursor}


def customers(call: Call) -> dict[str, Any]:
    """`customers/getAll`; addresses compare without regard to case."""
    body = call.body
    names = ("CustomerIds", "CompanyIds", "Emails", "FirstNames", "LastNames", "LoyaltyCodes")
    spans = {name: span_of(call, name) for name in ("CreatedUtc", "UpdatedUtc", "DeletedUtc")}
    if all(body.get(name) is None for name in names) and not any(spans.values()):
        raise RefusedError(400, "Invalid filter: CustomerIds are required if no other filter is provided.")
    if not call.check_chain() and call.world.is_portfolio:
        return {"Customers": [], "Documents": None, "Cursor": None}
    people = sorted(_candidates(call), key=lambda person: -person.seq)
    rows = [person for person in people if _matches(call, person, spans)]
    page, cursor = page_of(call, rows, newest_first=True)
    shown = [answers.customer(call.world, person) for person in page]
    return {"Customers": shown if body["Extent"].get("Customers") else [], "Documents": None, "Cursor": cursor}


def _candidates(call: Call) -> Iterable[Person]:
    if (emails := call.body.get("Emails")) is not None:
        found = {person.id: person for email in emails for person in call.store.people_with(email)}
        return found.values()
    if (ids := wanted_ids(call, "CustomerIds")) is not None:
        return [call.store.people[key] for key in ids if key in call.store.people]
    return call.store.people.values()


def _matches(call: Call, person: Person, spans: dict[str, Span | None]) -> bool:
    body, details = call.body, person.details
    ids = wanted_ids(call, "CustomerIds")
    deleted = None if person.is_active else person.updated
    moments = {"CreatedUtc": person.created, "UpdatedUtc": person.updated, "DeletedUtc": deleted}
    given = {
        "FirstNames": details.get("FirstName"),
        "LastNames": details.get("LastName"),
        "LoyaltyCodes": details.get("LoyaltyCode"),
        "CompanyIds": details.get("CompanyId"),
    }
    return (
        (ids is None or person.id in ids)
        and is_asked(call, is_active=person.is_active)
        and all(span is None or span(moments[name]) for name, span in spans.items())
        and all(body.get(name) is None or value in body[name] for name, value in given.items())
    )


def bills(call: Call) -> dict[str, Any]:
    """`bills/getAll`."""
    wanted, people, state = wanted_ids(call, "BillIds"), wanted_ids(call, "CustomerIds"), call.body.get("State")
    times = ("ClosedUtc", "IssuedUtc", "PaidUtc", "DueUtc", "CreatedUtc", "UpdatedUtc")
    spans = [name for name in times if span_of(call, name) is not None]
    if wanted is None and people is None and state is None and not spans:
        raise RefusedError(400, "Invalid filter: BillIds are required if no other filter is provided.")
    owners = {row.id: owner for owner in call.enterprises() for row in owner.bills.values()}
    rows = [
        row
        for owner in call.enterprises()
        for row in owner.bills.values()
        if (wanted is None or row.id in wanted)
        and (people is None or row.account_id in people)
        and (state is None or row.is_open == (state == "Open"))
    ]
    page, cursor = page_of(call, rows if began_in(call, *times) else [])
    shown = []
    for row in page:
        account = call.account(row.account_id)
        shown.append(answers.bill(owners[row.id], row, "Customer" if account is None else type_of(account)))
    return {"Bills": shown, "Cursor": cursor}


def order_items(call: Call) -> dict[str, Any]:
    """`orderItems/getAll`: by any of the filters, in pages that new items do not disturb."""
    body = call.body
    spans = {name: span_of(call, name) for name in _ITEM_TIMES}
    if all(body.get(name) is None for name in _ITEM_FILTERS) and not any(spans.values()):
        raise RefusedError(400, f"Invalid filter: one of {', '.join((*_ITEM_FILTERS, *_ITEM_TIMES))} is required.")
    check_currency(call)
    count, cursor = limitation_of(call)
    before = None
    if cursor is not None:
        if cursor not in call.store.item_places:
            raise RefusedError(400, "Invalid Limitation.Cursor: there is no such order item.")
        before = call.store.item_places[cursor]
    accepts = _item_test(call, spans)
    as_of = call.now - timedelta(seconds=call.quirks.lag_seconds)
    found: list[Item] = []
    for item in _newest_items(call, before):
        if item.written > as_of and call.quirks.lag_seconds:
            continue
        known = item
        if item.touched is not None and item.touched > as_of and call.quirks.lag_seconds:
            known = call.store.before.get(item.id, item)
        if accepts(known):
            found.append(known)
            if len(found) == count:
                break
    with_identifier, with_notes = call.quirks.identifiers == "kept", call.quirks.keeps_notes
    shown = [answers.order_item(item, with_identifier=with_identifier, with_notes=with_notes) for item in found]
    return {"OrderItems": shown, "Cursor": found[-1].id if found else None}


def _newest_items(call: Call, before: int | None) -> Iterator[Item]:
    """Candidates by the narrowest index at hand, newest first, from the cursor on."""
    store, body = call.store, call.body
    items = store.items
    places: Iterable[int]
    if body.get("OrderItemIds") is not None:
        known = {store.item_places.get(key.lower(), -1) for key in body["OrderItemIds"]}
        places = sorted(known - {-1}, reverse=True)
    elif body.get("ServiceOrderIds") is not None:
        known = {place for key in body["ServiceOrderIds"] for place in store.order_places.get(key.lower(), ())}
        places = sorted(known, reverse=True)
    else:
        low, high = 0, len(items)
        if (created := bounds_of(call, "CreatedUtc")) is not None:
            low = store.place_before(created[0])
            high = store.place_before(created[1] + timedelta(seconds=created[0] == created[1]))
        if before is not None:
            high = min(high, before)
        places = range(high - 1, low - 1, -1)
    for place in places:
        if before is None or place < before:
            yield items[place]


def _item_test(call: Call, spans: dict[str, Span | None]) -> Callable[[Item], bool]:
    body = call.body
    tests: list[Callable[[Item], bool]] = []

    def wanted(name: str, value: Callable[[Item], Any]) -> None:
        if (ids := wanted_ids(call, name)) is not None:
            tests.append(lambda item: value(item) in ids)

    scope = {owner.id for owner in call.enterprises()}
    tests.append(lambda item: item.enterprise_id in scope)
    wanted("OrderItemIds", lambda item: item.id)
    wanted("AccountIds", lambda item: item.account_id)
    wanted("ServiceOrderIds", lambda item: item.order_id)
    wanted("ServiceIds", lambda item: item.service_id)
    wanted("BillIds", lambda item: item.bill_id)
    if (states := body.get("AccountingStates")) is not None:
        tests.append(lambda item: item.state in states)
    if (types := body.get("Types")) is not None:
        tests.append(lambda item: item.type in types)
    moments: dict[str, Callable[[Item], datetime | None]] = {
        "CreatedUtc": lambda item: item.created,
        "UpdatedUtc": lambda item: item.updated,
        "ConsumedUtc": lambda item: item.consumed,
        "CanceledUtc": lambda item: item.canceled,
        "ClosedUtc": lambda item: item.closed,
    }
    for name, span in spans.items():
        if span is not None:
            tests.append(_moment_test(moments[name], span))
    return lambda item: all(test(item) for test in tests)


def _moment_test(moment: Callable[[Item], datetime | None], span: Span) -> Callable[[Item], bool]:
    return lambda item: span(moment(item))


def product_service_orders(call: Call) -> dict[str, Any]:
    """`productServiceOrders/getAll` of the services named."""
    wanted, services_wanted = wanted_ids(call, "ProductServiceOrderIds"), wanted_ids(call, "ServiceIds") or set()
    accounts, reservations = wanted_ids(call, "AccountIds"), wanted_ids(call, "LinkedReservationIds")
    states, span = call.body.get("States"), span_of(call, "UpdatedUtc")
    scope = {owner.id for owner in call.enterprises()}
    as_of = call.now - timedelta(seconds=call.quirks.lag_seconds)

    def asked(order: Order) -> bool:
        state = "Processed" if order.canceled is None else "Canceled"
        return (
            order.enterprise_id in scope
            and order.service_id in services_wanted
            and (wanted is None or order.id in wanted)
            and (accounts is None or order.account_id in accounts)
            and (reservations is None or order.reservation_id in reservations)
            and (not states or state in states)
            and (span is None or span(order.updated))
            and (not call.quirks.lag_seconds or order.created <= as_of)
        )

    rows = [order for order in reversed(call.store.orders.values()) if asked(order)]
    page, cursor = page_of(call, rows, newest_first=True)
    return {"ProductServiceOrders": [answers.service_order(order) for order in page], "Cursor": cursor}


def payments(call: Call) -> dict[str, Any]:
    """`payments/getAll`."""
    body = call.body
    spans = {
        name: span_of(call, name) for name in ("CreatedUtc", "UpdatedUtc", "ChargedUtc", "ClosedUtc", "SettlementUtc")
    }
    ids = {name: wanted_ids(call, name) for name in ("PaymentIds", "AccountIds", "BillIds", "ReservationIds")}
    if all(each is None for each in ids.values()) and not any(spans.values()):
        raise RefusedError(400, "Invalid filter: PaymentIds are required if no other filter is provided.")
    check_currency(call)
    scope = {owner.id: owner for owner in call.enterprises()}
    as_of = call.now - timedelta(seconds=call.quirks.lag_seconds)

    def asked(paid: Payment) -> bool:
        values = {
            "PaymentIds": paid.id,
            "AccountIds": paid.account_id,
            "BillIds": paid.bill_id,
            "ReservationIds": paid.reservation_id,
        }
        states, kinds = body.get("AccountingStates"), body.get("States")
        return (
            paid.enterprise_id in scope
            and (not call.quirks.lag_seconds or paid.written <= as_of)
            and all(wanted is None or values[name] in wanted for name, wanted in ids.items())
            and all(span is None or span(None if name == "ClosedUtc" else paid.created) for name, span in spans.items())
            and (states is None or "Open" in states)
            and (kinds is None or "Charged" in kinds)
            and body.get("Type") in (None, "ExternalPayment")
        )

    rows = [paid for paid in reversed(call.store.payments.values()) if asked(paid)]
    page, cursor = page_of(call, rows, newest_first=True, known=call.store.payments)
    with_identifier, with_notes = call.quirks.identifiers == "kept", call.quirks.keeps_notes
    shown = [
        answers.payment(
            paid,
            negative=scope[paid.enterprise_id].payments_negative,
            with_identifier=with_identifier,
            with_notes=with_notes,
        )
        for paid in page
    ]
    return {"Payments": shown, "Cursor": cursor}
