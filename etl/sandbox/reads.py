"""The operations that only read: filters and cursor pages, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from etl.sandbox import answers
from etl.sandbox.call import Call, RefusedError, type_of
from etl.sandbox.shapes import parse_moment
from etl.sandbox.state import Item, Order, Payment, Person
from etl.sandbox.world import Company

_ITEM_FILTERS = ("OrderItemIds", "AccountIds", "ServiceOrderIds", "ServiceIds", "BillIds")
_ITEM_TIMES = ("CreatedUtc", "UpdatedUtc", "ConsumedUtc", "CanceledUtc", "ClosedUtc")


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


Row = TypeVar("Row", bound=_HasId)
Span = Callable[[datetime | None], bool]


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
    if (wanted := _wanted(call, "EnterpriseIds")) is not None:
        rows = [row for row in rows if row.id in wanted]
    if call.body.get("ExternalIdentifiers") is not None:
        rows = []
    rows = rows if _began_in(call, "LinkedUtc", "UpdatedUtc") else []
    page, cursor = _page(call, rows)
    return {"Enterprises": [answers.enterprise_in_portfolio(call.world, row) for row in page], "Cursor": cursor}


def services(call: Call) -> dict[str, Any]:
    """`services/getAll`."""
    wanted, kind = _wanted(call, "ServiceIds"), call.body.get("ServiceType")
    owners = {row.id: owner for owner in call.enterprises() for row in owner.services.values()}
    rows = [
        row
        for owner in call.enterprises()
        for row in owner.services.values()
        if (wanted is None or row.id in wanted) and (kind is None or row.type == kind)
    ]
    page, cursor = _page(call, rows if _began_in(call, "UpdatedUtc") else [])
    return {"Services": [answers.service(owners[row.id], row) for row in page], "Cursor": cursor}


def products(call: Call) -> dict[str, Any]:
    """`products/getAll` of the services named."""
    wanted, services_wanted = _wanted(call, "ProductIds"), _wanted(call, "ServiceIds") or set()
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
    page, cursor = _page(call, rows if _began_in(call, "UpdatedUtc") else [])
    shown = [answers.product(call.world, owners[row.id], row) for row in page]
    return {"Products": shown, "CustomerProducts": [], "Cursor": cursor}


def accounting_categories(call: Call) -> dict[str, Any]:
    """`accountingCategories/getAll`."""
    wanted = _wanted(call, "AccountingCategoryIds")
    owners = {row.id: owner for owner in call.enterprises() for row in owner.categories.values()}
    rows = [
        row
        for owner in call.enterprises()
        for row in owner.categories.values()
        if (wanted is None or row.id in wanted) and _is_asked(call, is_active=row.is_active)
    ]
    page, cursor = _page(call, rows if _began_in(call, "UpdatedUtc") else [])
    shown = [answers.accounting_category(owners[row.id], row) for row in page]
    return {"AccountingCategories": shown, "Cursor": cursor}


def business_segments(call: Call) -> dict[str, Any]:
    """`businessSegments/getAll`."""
    wanted, services_wanted = _wanted(call, "Ids"), _wanted(call, "ServiceIds")
    rows = [
        row
        for owner in call.enterprises()
        for row in owner.segments.values()
        if (wanted is None or row.id in wanted)
        and (services_wanted is None or row.service_id in services_wanted)
        and _is_asked(call, is_active=row.is_active)
    ]
    page, cursor = _page(call, rows if _began_in(call, "UpdatedUtc") else [])
    return {"BusinessSegments": [answers.business_segment(row) for row in page], "Cursor": cursor}


def outlets(call: Call) -> dict[str, Any]:
    """`outlets/getAll`."""
    wanted = _wanted(call, "OutletIds")
    owners = {row.id: owner for owner in call.enterprises() for row in owner.outlets.values()}
    rows = [row for owner in call.enterprises() for row in owner.outlets.values() if wanted is None or row.id in wanted]
    page, cursor = _page(call, rows if _began_in(call, "UpdatedUtc") else [])
    return {"Outlets": [answers.outlet(owners[row.id], row) for row in page], "Cursor": cursor}


def companies(call: Call) -> dict[str, Any]:
    """`companies/getAll` by ids, names or ExternalIdentifiers."""
    rows: list[Company] = []
    ids, names = _wanted(call, "Ids"), call.body.get("Names")
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
            and _is_asked(call, is_active=row.is_active)
        ]
    rows = rows if _began_in(call, "CreatedUtc", "UpdatedUtc") else []
    page, cursor = _page(call, rows)
    return {"Companies": [answers.company(call.world, numbers[row.id], row) for row in page], "Cursor": cursor}


def customers(call: Call) -> dict[str, Any]:
    """`customers/getAll`; addresses compare without regard to case."""
    body = call.body
    names = ("CustomerIds", "CompanyIds", "Emails", "FirstNames", "LastNames", "LoyaltyCodes")
    spans = {name: _span(call, name) for name in ("CreatedUtc", "UpdatedUtc", "DeletedUtc")}
    if all(body.get(name) is None for name in names) and not any(spans.values()):
        raise RefusedError(400, "Invalid filter: CustomerIds are required if no other filter is provided.")
    if not call.check_chain() and call.world.is_portfolio:
        return {"Customers": [], "Documents": None, "Cursor": None}
    people = sorted(_candidates(call), key=lambda person: -person.seq)
    rows = [person for person in people if _matches(call, person, spans)]
    page, cursor = _page(call, rows, newest_first=True)
    shown = [answers.customer(call.world, person) for person in page]
    return {"Customers": shown if body["Extent"].get("Customers") else [], "Documents": None, "Cursor": cursor}


def _candidates(call: Call) -> Iterable[Person]:
    if (emails := call.body.get("Emails")) is not None:
        found = {person.id: person for email in emails for person in call.store.people_with(email)}
        return found.values()
    if (ids := _wanted(call, "CustomerIds")) is not None:
        return [call.store.people[key] for key in ids if key in call.store.people]
    return call.store.people.values()


def _matches(call: Call, person: Person, spans: dict[str, Span | None]) -> bool:
    body, details = call.body, person.details
    ids = _wanted(call, "CustomerIds")
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
        and _is_asked(call, is_active=person.is_active)
        and all(span is None or span(moments[name]) for name, span in spans.items())
        and all(body.get(name) is None or value in body[name] for name, value in given.items())
    )


def bills(call: Call) -> dict[str, Any]:
    """`bills/getAll`."""
    wanted, people, state = _wanted(call, "BillIds"), _wanted(call, "CustomerIds"), call.body.get("State")
    times = ("ClosedUtc", "IssuedUtc", "PaidUtc", "DueUtc", "CreatedUtc", "UpdatedUtc")
    spans = [name for name in times if _span(call, name) is not None]
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
    page, cursor = _page(call, rows if _began_in(call, *times) else [])
    shown = []
    for row in page:
        account = call.account(row.account_id)
        shown.append(answers.bill(owners[row.id], row, "Customer" if account is None else type_of(account)))
    return {"Bills": shown, "Cursor": cursor}


def order_items(call: Call) -> dict[str, Any]:
    """`orderItems/getAll`: by any of the filters, in pages that new items do not disturb."""
    body = call.body
    spans = {name: _span(call, name) for name in _ITEM_TIMES}
    if all(body.get(name) is None for name in _ITEM_FILTERS) and not any(spans.values()):
        raise RefusedError(400, f"Invalid filter: one of {', '.join((*_ITEM_FILTERS, *_ITEM_TIMES))} is required.")
    _check_currency(call)
    count, cursor = _limitation(call)
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
        if (created := _bounds(call, "CreatedUtc")) is not None:
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
        if (ids := _wanted(call, name)) is not None:
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
    wanted, services_wanted = _wanted(call, "ProductServiceOrderIds"), _wanted(call, "ServiceIds") or set()
    accounts, reservations = _wanted(call, "AccountIds"), _wanted(call, "LinkedReservationIds")
    states, span = call.body.get("States"), _span(call, "UpdatedUtc")
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
    page, cursor = _page(call, rows, newest_first=True)
    return {"ProductServiceOrders": [answers.service_order(order) for order in page], "Cursor": cursor}


def payments(call: Call) -> dict[str, Any]:
    """`payments/getAll`."""
    body = call.body
    spans = {
        name: _span(call, name) for name in ("CreatedUtc", "UpdatedUtc", "ChargedUtc", "ClosedUtc", "SettlementUtc")
    }
    ids = {name: _wanted(call, name) for name in ("PaymentIds", "AccountIds", "BillIds", "ReservationIds")}
    if all(each is None for each in ids.values()) and not any(spans.values()):
        raise RefusedError(400, "Invalid filter: PaymentIds are required if no other filter is provided.")
    _check_currency(call)
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
    page, cursor = _page(call, rows, newest_first=True, known=call.store.payments)
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


def _page(
    call: Call,
    rows: list[Row],
    *,
    newest_first: bool = False,
    known: dict[str, Any] | None = None,
) -> tuple[list[Row], str | None]:
    """The rows after the cursor, at most Count, and the oldest one's id."""
    count, cursor = _limitation(call)
    rows = rows if newest_first else rows[::-1]
    if cursor is not None:
        place = next((place for place, row in enumerate(rows) if row.id == cursor), None)
        if place is None:
            if known is not None and cursor in known:
                return [], None
            raise RefusedError(400, "Invalid Limitation.Cursor: there is nothing with that id in this list.")
        rows = rows[place + 1 :]
    page = rows[:count]
    return page, page[-1].id if page else None


def _limitation(call: Call) -> tuple[int, str | None]:
    limitation = call.body["Limitation"]
    count = limitation["Count"]
    if not 1 <= count <= 1000:
        raise RefusedError(400, "Invalid Limitation.Count: 1 to 1000 are allowed.")
    cursor = limitation.get("Cursor")
    return count, None if cursor is None else cursor.lower()


def _wanted(call: Call, name: str) -> set[str] | None:
    given = call.body.get(name)
    return None if given is None else {each.lower() for each in given}


def _is_asked(call: Call, *, is_active: bool) -> bool:
    states = call.body.get("ActivityStates")
    return not states or ("Active" if is_active else "Deleted") in states


def _began_in(call: Call, *names: str) -> bool:
    """Whether what the world began with lies in all time filters given."""
    spans = [_span(call, name) for name in names]
    return all(span is None or span(answers.WORLD_BEGAN) for span in spans)


def _bounds(call: Call, name: str) -> tuple[datetime, datetime] | None:
    given = call.body.get(name)
    if given is None:
        return None
    start, end = given.get("StartUtc"), given.get("EndUtc")
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise RefusedError(400, f"Invalid {name}: both StartUtc and EndUtc are needed.")
    first, last = parse_moment(start), parse_moment(end)
    if last < first:
        raise RefusedError(400, f"Invalid {name}: EndUtc lies before StartUtc.")
    if last > _months_after(first, 3):
        raise RefusedError(400, f"Invalid {name}: at most 3 months are allowed.")
    return first, last


def _span(call: Call, name: str) -> Span | None:
    """A test for the half-open interval of that filter, or for equality where its ends are equal."""
    bounds = _bounds(call, name)
    if bounds is None:
        return None
    first, last = bounds
    if first == last:
        return lambda moment: moment == first
    return lambda moment: moment is not None and first <= moment < last


def _months_after(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    following = (moment.replace(day=28, year=year, month=month + 1) + timedelta(days=4)).replace(day=1)
    last_day = (following - timedelta(days=1)).day
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last_day))


def _check_currency(call: Call) -> None:
    asked = call.body.get("Currency")
    if asked is None:
        return
    if asked not in call.world.currencies:
        raise RefusedError(400, f"Invalid Currency: {asked} is unknown.")
    if any(asked != owner.default_currency for owner in call.enterprises()):
        raise RefusedError(403, "The sandbox does not convert amounts into other currencies.")
