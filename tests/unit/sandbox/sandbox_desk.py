"""A desk from which tests call the sandbox: sane defaults, so a test shows only what matters."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import simplejson

from etl.sandbox.core import PREFIX, Answer, Sandbox
from etl.sandbox.faults import parse_fault
from etl.sandbox.world import World
from etl.sandbox.world_file import parse_world

SERVICE = "5e000000-0000-4000-a000-000000000001"
ACCOUNT = "ac000000-0000-4000-a000-000000000001"
CASHLIST = "ac000000-0000-4000-a000-000000000003"
COMPANY = "c0000000-0000-4000-a000-000000000001"
PRODUCT = "9d000000-0000-4000-a000-000000000001"
CATEGORY = "ca000000-0000-4000-a000-000000000001"
BILL = "b1000000-0000-4000-a000-000000000001"
CLOSED_BILL = "b1000000-0000-4000-a000-000000000002"
OTHERS_BILL = "b1000000-0000-4000-a000-000000000003"
SEGMENT = "b5000000-0000-4000-a000-000000000001"
OUTLET = "01000000-0000-4000-a000-000000000001"
CLOSED_OUTLET = "01000000-0000-4000-a000-000000000002"
RESERVATION = "4e000000-0000-4000-a000-000000000001"
NOBODY = "99999999-0000-4000-a000-000000000009"
NOON = datetime(2012, 1, 10, 12, tzinfo=UTC)


class Clock:
    """A machine clock that moves only when told."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def world_of(**changes: Any) -> World:
    """A small gross UK world in January 2012, with `changes` in its keys."""
    data = {
        "pricing": "Gross",
        "timezone": "Europe/London",
        "now": "2012-01-10T12:00:00Z",
        "editable_window": "P0Y40M0DT0H0M0S",
        "currencies": {"GBP": 2},
        "disabled_currencies": ["EUR"],
        "rates": [
            {"code": "UK-17.5%", "taxation": "VAT", "relative": "0.175", "valid_before": "2011-01-04T00:00:00Z"},
            {"code": "UK-20%", "taxation": "VAT", "relative": "0.2", "valid_from": "2011-01-04T00:00:00Z"},
            {"code": "UK-5%", "taxation": "VAT", "relative": "0.05"},
            {"code": "DE-19%", "taxation": "DE", "relative": "0.19"},
        ],
        "tax_environments": [{"code": "UK", "country": "GBR", "taxations": ["VAT"]}],
        "service": {"id": SERVICE, "name": "Web shop", "external_identifier": "WEB-SHOP"},
        "services": [
            {"id": SERVICE[:-1] + "2", "name": "Rooms", "type": "Bookable"},
            {"id": SERVICE[:-1] + "3", "name": "Closed", "active": False},
            {"id": SERVICE[:-1] + "4", "name": "Spa"},
        ],
        "products": [
            {"id": PRODUCT, "name": "Heart", "price": "2.95", "tax_codes": ["UK-20%"], "accounting_category": CATEGORY},
            {"id": PRODUCT[:-1] + "2", "name": "Old mug", "active": False},
            {"id": PRODUCT[:-1] + "3", "name": "Massage", "service": SERVICE[:-1] + "4"},
        ],
        "accounting_categories": [
            {"id": CATEGORY, "name": "Web shop"},
            {"id": CATEGORY[:-1] + "2", "name": "Old", "active": False},
        ],
        "business_segments": [
            {"id": SEGMENT, "name": "UK"},
            {"id": SEGMENT[:-1] + "2", "name": "Gone", "active": False},
            {"id": SEGMENT[:-1] + "3", "name": "Spa guests", "service": SERVICE[:-1] + "4"},
        ],
        "accounts": [
            {"id": ACCOUNT, "email": "webshop@example.com", "classification": "PaymasterAccount"},
            {"id": ACCOUNT[:-1] + "2", "email": "gone@example.com", "active": False},
            {"id": CASHLIST, "email": "cash@example.com", "classification": "Cashlist"},
        ],
        "companies": [
            {"id": COMPANY, "name": "Trade Ltd", "external_identifier": "TRADE-1"},
            {"id": COMPANY[:-1] + "2", "name": "Closed Ltd", "active": False},
        ],
        "bills": [
            {"id": BILL, "account": ACCOUNT},
            {"id": CLOSED_BILL, "account": ACCOUNT, "state": "Closed"},
            {"id": OTHERS_BILL, "account": COMPANY},
        ],
        "outlets": [
            {"id": OUTLET, "name": "Shop", "created": "2010-01-01T00:00:00Z"},
            {"id": CLOSED_OUTLET, "name": "Kiosk", "active": False},
        ],
        "reservations": [RESERVATION],
        "payment_types": ["Cash", "GiftCard"],
        "rate_limit": None,
    }
    return parse_world({**data, **changes})


def us_world(**changes: Any) -> World:
    """A net world with relative, dependent and flat codes."""
    rates = [
        {"code": "STATE", "taxation": "STATE", "relative": "0.06"},
        {"code": "CITY", "taxation": "CITY", "relative": "0.04"},
        {"code": "LEVY", "taxation": "LEVY", "dependent": "0.01", "base": ["STATE"]},
        {"code": "TOP", "taxation": "TOP", "dependent": "0.1", "base": ["LEVY"]},
        {"code": "FEE", "taxation": "FEE", "flat": "2.00", "currency": "USD"},
    ]
    return world_of(
        **{
            "pricing": "Net",
            "timezone": "America/New_York",
            "currencies": {"USD": 2, "GBP": 2},
            "rates": rates,
            "tax_environments": None,
            **changes,
        }
    )


def amount(value: Any = "9.99", *codes: str, currency: str = "GBP", basis: str = "GrossValue") -> dict[str, Any]:
    """Amount parameters."""
    return {"Currency": currency, "TaxCodes": list(codes), basis: Decimal(value)}


def item(unit: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A custom item of an order."""
    return {"Name": "Heart", "UnitCount": 1, "UnitAmount": unit or amount(), **changes}


def sold(unit: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A revenue item of an outlet bill."""
    consumed = {"ConsumedUtc": "2011-12-01T08:26:00Z"}
    return {"Type": "Revenue", "Name": "Heart", "UnitCount": 1, "UnitAmount": unit or amount(), **consumed, **changes}


def paid(value: Any = "-9.99", **changes: Any) -> dict[str, Any]:
    """A payment of an outlet bill."""
    return sold(amount(value), **{"Type": "Payment", "Name": "Card", **changes})


def bill(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An outlet bill."""
    base = {"OutletId": OUTLET, "Number": "1", "ClosedUtc": "2011-12-01T08:26:00Z", "Items": list(items or (sold(),))}
    return {**base, **changes}


class Desk:
    """A sandbox with a clock that stands still, and requests with tokens."""

    def __init__(self, world: World | None = None, *faults: str, seed: int = 0, state: Any = None) -> None:
        self.clock = Clock()
        self.world = world or world_of()
        self.sandbox = Sandbox(
            self.world,
            self.clock,
            Random(1),
            state,
            faults=[parse_fault(spec) for spec in faults],
            seed=seed,
        )

    def body(self, **properties: Any) -> bytes:
        """A request with the tokens of the world."""
        who = {"ClientToken": self.world.client_token, "AccessToken": self.world.access_token, "Client": "test 1.0"}
        return simplejson.dumps({**who, **properties}, use_decimal=True).encode()

    def raw(self, operation: str, **properties: Any) -> Answer:
        """The answer as it leaves."""
        return self.sandbox.handle(PREFIX + operation, self.body(**properties))

    def ask(self, operation: str, **properties: Any) -> tuple[int, dict[str, Any]]:
        """Status and object."""
        answer = self.raw(operation, **properties)
        return answer.status, json.loads(answer.body, parse_float=Decimal) if answer.body else {}

    def get(self, operation: str, **properties: Any) -> dict[str, Any]:
        """The object of an answer that must be 200."""
        status, body = self.ask(operation, **properties)
        assert status == 200, body
        return body

    def order(self, *items: dict[str, Any], **changes: Any) -> tuple[int, dict[str, Any]]:
        """The answer to `orders/add`."""
        base = {
            "ServiceId": SERVICE,
            "AccountId": ACCOUNT,
            "Items": list(items or (item(),)),
            "ConsumptionUtc": "2011-12-01T08:26:00Z",
        }
        return self.ask("orders/add", **{**base, **changes})

    def posted(self, *items: dict[str, Any], **changes: Any) -> str:
        """The id of an order that must be accepted."""
        status, body = self.order(*items, **changes)
        assert status == 200, body
        return body["OrderId"]

    def add(self, *bills: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The answer to `outletBills/add`."""
        return self.ask("outletBills/add", Bills=list(bills or (bill(),)))

    def added(self, *bills: dict[str, Any]) -> list[str]:
        """The ids of outlet bills that must be accepted."""
        status, body = self.add(*bills)
        assert status == 200, body
        return body["OutletBillIds"]

    def outlet_page(self, **filters: Any) -> dict[str, Any]:
        """One page of outlet items with their bills."""
        limitation = {"Count": filters.pop("Count", 1000), "Cursor": filters.pop("Cursor", None)}
        return self.get("outletItems/getAll", Limitation=limitation, **filters)

    def items(self, **filters: Any) -> list[dict[str, Any]]:
        """One page of order items."""
        limitation = {"Count": filters.pop("Count", 1000), "Cursor": filters.pop("Cursor", None)}
        return self.get("orderItems/getAll", Limitation=limitation, **filters)["OrderItems"]
