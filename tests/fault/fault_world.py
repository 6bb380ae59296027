"""The Mews that schedules run against, and orders as plans: two independent readings of one `Spec`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

from fault_schedule import Line, Schedule, Spec
from virtual_time import START

from etl.model.plan import Basis, Booked, Entry, EntryKind, PlannedOrder, PlannedPayment, Verdict
from etl.sandbox.state import Item
from etl.sandbox.world import World
from etl.sandbox.world_file import parse_world

SERVICES = ("5e000000-0000-4000-a000-000000000001", "5e000000-0000-4000-a000-000000000002")
ACCOUNT = "ac000000-0000-4000-a000-000000000001"
OTHER_ACCOUNT = "ac000000-0000-4000-a000-000000000002"
PRODUCTS = ("9d000000-0000-4000-a000-000000000001", "9d000000-0000-4000-a000-000000000002")
"""One of each service."""
ENTERPRISE = "e0000000-0000-4000-a000-000000000001"
ADDRESS = "http://127.0.0.1:1"
WINDOW = timedelta(days=30)


@cache
def _base(basis: str) -> World:
    return parse_world(
        {
            "pricing": basis.capitalize(),
            "timezone": "UTC",
            "editable_window": "P0Y0M30DT0H0M0S",
            "currencies": {"GBP": 2},
            "rates": [{"code": "UK-20%", "taxation": "VAT", "relative": "0.2"}],
            "enterprise": {"id": ENTERPRISE, "name": "Hotel"},
            "services": [{"id": one, "name": f"Web shop {at}"} for at, one in enumerate(SERVICES)],
            "products": [
                {"id": one, "service": SERVICES[at], "name": "Mug", "price": "9.99", "tax_codes": ["UK-20%"]}
                for at, one in enumerate(PRODUCTS)
            ],
            "accounts": [
                {"id": ACCOUNT, "email": "webshop@example.com"},
                {"id": OTHER_ACCOUNT, "email": "guest@example.com"},
            ],
            "payment_types": ["Cash", "GiftCard"],
            "allow_rebates": True,
            "rate_limit": None,
        }
    )


def world(
    limit: tuple[int, float] | None,
    refuses: str = "",
    *,
    cancel: bool = True,
    basis: str = "gross",
    is_portfolio: bool = False,
) -> World:
    """A hotel whose window is 30 days. `refuses`: rebates, or a type of payment; `cancel`: items may be cancelled."""
    base = replace(_base(basis), limit=limit, is_portfolio=is_portfolio)
    if not refuses and cancel:
        return base
    types = tuple(kind for kind in base.enterprise.payment_types if kind != refuses)
    rebates = refuses != "rebates"
    enterprise = replace(base.enterprise, allow_rebates=rebates, payment_types=types, cancel_allowed=cancel)
    return replace(base, enterprises={enterprise.id: enterprise})


def window_start(now: datetime) -> datetime:
    """The earliest consumption that this Mews takes."""
    return now - WINDOW


@cache
def planned(spec: Spec, mews_start: datetime, enterprise_id: str = "", service: int = 0) -> PlannedOrder:
    """The order as the transform would plan it. `mews_start`: Mews's time when the schedule begins.

    `service`: which of the services.
    """
    return PlannedOrder(
        number=spec.number,
        verdict=Verdict.READY,
        currency="GBP",
        source_total=spec.total,
        planned_total=spec.total,
        account_id="" if spec.email else ACCOUNT,
        account_key="create" if spec.email else "fallback",
        create_customer=(("Email", spec.email), ("LastName", "Quick")) if spec.email else (),
        enterprise_id=enterprise_id,
        service_id=SERVICES[service],
        consumption=consumed(spec, mews_start),
        true_consumption=consumed(spec, mews_start),
        month="2026-02",
        notes=f"Centra order {spec.number}",
        entries=tuple(_entry(spec, line, service) for line in spec.lines),
        payments=tuple(PlannedPayment(part, kind, amount) for part, amount, kind in spec.payments),
        unproved=kinds_of(spec),
        parent=spec.parent,
        fingerprint=spec.fingerprint,
        skip_fingerprint="sha256:completed",
        line_count=len(spec.lines),
    )


def kinds_of(spec: Spec) -> tuple[str, ...]:
    """What only Mews can tell of the order."""
    rebates = ("rebates",) if any(line.unit < 0 for line in spec.lines) else ()
    return (*rebates, *sorted({f"payment:{kind}" for _, _, kind in spec.payments}))


def consumed(spec: Spec, mews_start: datetime) -> datetime:
    """When the order was consumed, on a whole second."""
    return (mews_start - timedelta(seconds=spec.age_seconds)).astimezone(UTC).replace(microsecond=0)


def mews_start(offset: float) -> datetime:
    """Mews's time when a schedule begins."""
    return START + timedelta(seconds=offset)


def _entry(spec: Spec, line: Line, service: int) -> Entry:
    net, gross = spec.booked(line)
    return Entry(
        line=line.line,
        kind=EntryKind.PRODUCT if line.is_product else EntryKind.ITEM,
        name=line.name,
        count=line.count,
        unit=line.unit,
        basis=Basis(spec.basis),
        codes=(line.code,),
        predicted=Booked(net, gross - net, gross, ((line.code, gross - net),)),
        source_amount=gross,
        rounding=Decimal(0),
        product_id=PRODUCTS[service] if line.is_product else "",
    )


def is_booked_as(spec: Spec, items: list[Item], schedule: Schedule, accounts: frozenset[str]) -> bool:
    """Whether what Mews booked is this version of the order, to the cent; `accounts`: those that it may charge."""
    store, product = schedule.store, PRODUCTS[schedule.service]
    expected = sorted(
        (
            f"centra:{store}:{spec.number}:{line.line}",
            line.count,
            spec.booked(line)[1],
            product if line.is_product else None,
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
        and item.service_id == SERVICES[schedule.service]
        and item.currency == "GBP"
        and item.notes == f"[centra:{store}:{spec.number}] Centra order {spec.number}"
        for item in items
    )
