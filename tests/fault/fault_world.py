"""The Mews that schedules run against, and orders as plans: two independent readings of one `Spec`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

from fault_schedule import OLDEST_NEW, Line, Schedule, Spec
from virtual_time import START

from etl.model.plan import Basis, Booked, Entry, EntryKind, PlannedOrder, PlannedPayment, Verdict
from etl.model.route import Route
from etl.sandbox.outlet_state import OutletBill, OutletItem
from etl.sandbox.state import Item
from etl.sandbox.world import LARGEST_BODY, World
from etl.sandbox.world_file import parse_world
from etl.sandbox.world_values import read_window

ACCOUNT = "ac000000-0000-4000-a000-000000000001"
OTHER_ACCOUNT = "ac000000-0000-4000-a000-000000000002"
ADDRESS = "http://127.0.0.1:1"
WINDOW = timedelta(seconds=OLDEST_NEW)
OUTLETS_BEGAN = "2025-06-01T00:00:00Z"
"""When the outlets were made: a fresh ledger reads from then on, in windows of three months."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ledger's orders go: a service, or an outlet, of one enterprise. `product` is sold by the service."""

    route: Route
    enterprise: str
    id: str
    product: str
    category: str
    paid: str
    """The category of payments on bills."""


def _id(kind: str, enterprise: int, number: int) -> str:
    return f"{kind}000000-0000-4000-a000-0000000000{enterprise}{number + 1}"


def enterprise_id(enterprise: int) -> str:
    """The id of an enterprise by its number."""
    return _id("e0", enterprise, 0)


def place_of(schedule: Schedule) -> Place:
    """Where the orders of a schedule go."""
    at, number = schedule.enterprise, schedule.service
    is_outlet = schedule.is_outlet
    return Place(
        Route.OUTLET if is_outlet else Route.ORDERS,
        enterprise_id(at),
        _id("01" if is_outlet else "5e", at, number),
        _id("9d", at, number),
        _id("ca", at, 0),
        _id("ca", at, 1),
    )


def _hotel(at: int, basis: str) -> dict[str, object]:
    """One enterprise with two services, two outlets and a product of each service."""
    return {
        "pricing": basis.capitalize(),
        "enterprise": {"id": enterprise_id(at), "name": f"Hotel {at}"},
        "services": [{"id": _id("5e", at, one), "name": f"Web shop {one}"} for one in (0, 1)],
        "outlets": [{"id": _id("01", at, one), "name": f"Shop {one}", "created": OUTLETS_BEGAN} for one in (0, 1)],
        "accounting_categories": [
            {"id": _id("ca", at, one), "name": name} for one, name in enumerate(("Goods", "Paid"))
        ],
        "products": [
            {
                "id": _id("9d", at, one),
                "service": _id("5e", at, one),
                "name": "Mug",
                "price": "9.99",
                "tax_codes": ["UK-20%"],
            }
            for one in (0, 1)
        ],
    }


@cache
def _base(bases: tuple[str, ...]) -> World:
    """Enterprises with these price bases, in their order."""
    return parse_world(
        {
            "timezone": "UTC",
            "editable_window": "P0Y0M30DT0H0M0S",
            "currencies": {"GBP": 2},
            "rates": [{"code": "UK-20%", "taxation": "VAT", "relative": "0.2"}],
            "accounts": [
                {"id": ACCOUNT, "email": "webshop@example.com"},
                {"id": OTHER_ACCOUNT, "email": "guest@example.com"},
            ],
            "payment_types": ["Cash", "GiftCard"],
            "allow_rebates": True,
            "rate_limit": None,
            "enterprises": [_hotel(at, basis) for at, basis in enumerate(bases)],
        }
    )


def world(schedule: Schedule, limit: tuple[int, float] | None, refuses: str) -> World:
    """Hotels whose window is 30 days. `refuses`: rebates, a type of payment, or bills that are older than the window."""
    base = _base(schedule.bases)
    base = replace(
        base,
        limit=limit,
        is_portfolio=schedule.is_portfolio,
        refused_bills=schedule.keeps,
        largest_body=schedule.largest_body or LARGEST_BODY,
    )
    is_cancellable = schedule.cancel == "yes"
    if not refuses and is_cancellable:
        return base
    window = read_window("P0Y0M30DT0H0M0S", "outlet_window") if refuses == "old" else None
    hotels = {
        hotel.id: replace(
            hotel,
            allow_rebates=refuses != "rebates",
            payment_types=tuple(kind for kind in hotel.payment_types if kind != refuses),
            cancel_allowed=is_cancellable,
            outlet_window=window,
        )
        for hotel in base.enterprises.values()
    }
    return replace(base, enterprises=hotels)


def window_start(now: datetime) -> datetime:
    """The earliest consumption that a service of this Mews takes."""
    return now - WINDOW


@cache
def planned(spec: Spec, mews_start: datetime, place: Place, owner: str = "") -> PlannedOrder:
    """The order as the transform would plan it. `mews_start`: Mews's time when the schedule begins.

    `owner`: the enterprise, where requests have to name it.
    """
    is_bill = place.route is Route.OUTLET
    account = "" if is_bill and not spec.names_account else ACCOUNT
    return PlannedOrder(
        number=spec.number,
        verdict=Verdict.READY,
        currency="GBP",
        source_total=spec.total,
        planned_total=spec.total,
        account_id="" if spec.email else account,
        account_key="create" if spec.email else "fallback" if account else "",
        create_customer=(("Email", spec.email), ("LastName", "Quick")) if spec.email else (),
        enterprise_id=owner,
        service_id=place.id,
        consumption=consumed(spec, mews_start),
        true_consumption=consumed(spec, mews_start),
        month="2026-02",
        notes=f"Centra order {spec.number}",
        entries=(
            *(_entry(spec, line, place) for line in spec.lines),
            *(_paid(part, kind, amount, spec, place) for part, amount, kind in spec.payments if is_bill),
        ),
        payments=() if is_bill else tuple(PlannedPayment(part, kind, amount) for part, amount, kind in spec.payments),
        unproved=kinds_of(spec, place.route),
        parent=spec.parent,
        fingerprint=spec.fingerprint,
        skip_fingerprint="sha256:completed",
        line_count=len(spec.lines),
        route=place.route,
    )


def kinds_of(spec: Spec, route: Route) -> tuple[str, ...]:
    """What only Mews can tell of the order."""
    rebates = ("rebates",) if any(line.unit < 0 for line in spec.lines) else ()
    if route is Route.OUTLET:
        return (*rebates, *(("old",) if spec.is_old else ()))
    return (*rebates, *sorted({f"payment:{kind}" for _, _, kind in spec.payments}))


def consumed(spec: Spec, mews_start: datetime) -> datetime:
    """When the order was consumed, on a whole second."""
    return (mews_start - timedelta(seconds=spec.age_seconds)).astimezone(UTC).replace(microsecond=0)


def mews_start(offset: float) -> datetime:
    """Mews's time when a schedule begins."""
    return START + timedelta(seconds=offset)


def _entry(spec: Spec, line: Line, place: Place) -> Entry:
    net, gross = spec.booked(line)
    is_product = line.is_product and place.route is Route.ORDERS
    return Entry(
        line=line.line,
        kind=EntryKind.PRODUCT if is_product else EntryKind.ITEM,
        name=line.name,
        count=line.count,
        unit=line.unit,
        basis=Basis(spec.basis),
        codes=(line.code,),
        predicted=Booked(net, gross - net, gross, ((line.code, gross - net),)),
        source_amount=gross,
        rounding=Decimal(0),
        product_id=place.product if is_product else "",
        category_id=place.category if place.route is Route.OUTLET else "",
    )


def _paid(part: str, kind: str, amount: Decimal, spec: Spec, place: Place) -> Entry:
    """A payment as the item of a bill, with the other sign of what it pays."""
    return Entry(
        line=part,
        kind=EntryKind.PAYMENT,
        name=kind,
        count=1,
        unit=-amount,
        basis=Basis(spec.basis),
        codes=(),
        predicted=Booked(-amount, Decimal(0), -amount, ()),
        source_amount=-amount,
        rounding=Decimal(0),
        category_id=place.paid,
    )


def is_booked_as(spec: Spec, items: list[Item], schedule: Schedule, accounts: frozenset[str]) -> bool:
    """Whether what Mews booked is this version of the order, to the cent; `accounts`: those that it may charge."""
    store, place = schedule.store, place_of(schedule)
    expected = sorted(
        (
            f"centra:{store}:{spec.number}:{line.line}",
            line.count,
            spec.booked(line)[1],
            place.product if line.is_product else None,
            None if line.is_product else line.name,
            (line.code,),
        )
        for line in spec.lines
    )
    seen = sorted(
        (
            item.external_identifier or "",
            item.count,
            item.amount.gross,
            item.product_id,
            None if item.product_id else item.name,
            tuple(code for code, _ in item.amount.taxes),
        )
        for item in items
    )
    moment = consumed(spec, mews_start(schedule.offset))
    return expected == seen and all(
        item.consumed == moment
        and item.account_id in accounts
        and item.service_id == place.id
        and item.currency == "GBP"
        and item.notes == f"[centra:{store}:{spec.number}] Centra order {spec.number}"
        for item in items
    )


def is_billed_as(
    spec: Spec, bill: OutletBill, items: list[OutletItem], schedule: Schedule, accounts: frozenset[str | None]
) -> bool:
    """Whether a bill is this version of the order, its payments included, to the cent."""
    place, mine = place_of(schedule), f"centra:{schedule.store}:{spec.number}"
    sold = [
        (f"{mine}:{line.line}", "Revenue", line.name, line.count, *spec.booked(line), (line.code,), place.category)
        for line in spec.lines
    ]
    paid = [
        (f"{mine}:{part}", "Payment", kind, 1, -amount, -amount, (), place.paid) for part, amount, kind in spec.payments
    ]
    seen = [
        (
            *(item.external_identifier or "", item.type, item.name, item.count, item.amount.net, item.amount.gross),
            tuple(code for code, _ in item.amount.taxes),
            item.category_id,
        )
        for item in items
    ]
    moment = consumed(spec, mews_start(schedule.offset))
    return (
        sorted([*sold, *paid]) == sorted(seen)
        and (bill.outlet_id, bill.number, bill.closed) == (place.id, spec.number, moment)
        and bill.notes == f"[{mine}] Centra order {spec.number}"
        and bill.account_id in accounts
        and all(item.consumed == moment and item.currency == "GBP" for item in items)
    )
