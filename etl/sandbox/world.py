"""The world a sandbox plays: enterprises with services, products, tax codes, accounts and rules.

Files of worlds are read by `etl.sandbox.world_file`. What changes while the sandbox runs is kept in
`etl.sandbox.state`, not here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

LARGEST_BODY = 4 * 1024 * 1024
WORLD_BEGAN = datetime(2008, 1, 1, tzinfo=UTC)
CLIENT_TOKEN = "SANDBOX-CLIENT-TOKEN-NOT-A-SECRET"  # noqa: S105 - public on purpose
ACCESS_TOKEN = "SANDBOX-ACCESS-TOKEN-NOT-A-SECRET"  # noqa: S105 - public on purpose


@dataclass(frozen=True, slots=True)
class Window:
    """An ISO 8601 duration, taken off the calendar."""

    text: str
    months: int
    days: int
    seconds: int

    def start(self, now: datetime, zone: ZoneInfo) -> datetime:
        """The first moment inside the window that ends `now`: months, days, then time of the wall clock."""
        wall = now.astimezone(zone).replace(tzinfo=None)
        count = wall.year * 12 + wall.month - 1 - self.months
        if count < 12:
            return datetime.min.replace(tzinfo=UTC)
        year, month = divmod(count, 12)
        wall = wall.replace(year=year, month=month + 1, day=min(wall.day, _month_days(year, month + 1)))
        wall -= timedelta(days=self.days, seconds=self.seconds)
        return wall.replace(tzinfo=zone).astimezone(UTC)


def _month_days(year: int, month: int) -> int:
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return (following - timedelta(days=1)).day


@dataclass(frozen=True, slots=True)
class Validity:
    """From `start` until before `end`; None is open."""

    start: datetime | None
    end: datetime | None

    def holds(self, moment: datetime) -> bool:
        """Whether `moment` lies inside."""
        return (self.start is None or self.start <= moment) and (self.end is None or moment < self.end)


@dataclass(frozen=True, slots=True)
class Rate:
    """A tax code. `kind` is Relative, Flat or Dependent."""

    code: str
    taxation: str
    kind: str
    value: Decimal
    base: tuple[str, ...]
    currency: str
    validity: tuple[Validity, ...]

    def is_valid(self, moment: datetime) -> bool:
        """Whether the code may be used for consumption at `moment`."""
        return not self.validity or any(interval.holds(moment) for interval in self.validity)


@dataclass(frozen=True, slots=True)
class TaxEnvironment:
    """The taxations that an enterprise in it may use."""

    code: str
    country: str
    validity: Validity
    taxations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """A service; only those of type Additional can be ordered."""

    id: str
    name: str
    external_identifier: str | None
    is_active: bool
    type: str


@dataclass(frozen=True, slots=True)
class Product:
    """A product of a service. `price` is in the enterprise's basis."""

    id: str
    name: str
    external_identifier: str | None
    is_active: bool
    service_id: str
    category_id: str | None
    price: Decimal
    currency: str
    tax_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outlet:
    """A till or shop that issues bills of its own."""

    id: str
    name: str
    is_active: bool
    created: datetime


@dataclass(frozen=True, slots=True)
class Named:
    """An accounting category, or a business segment of a service."""

    id: str
    name: str
    is_active: bool
    code: str | None
    service_id: str


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer as the world begins with it."""

    id: str
    email: str | None
    classifications: tuple[str, ...]
    first_name: str | None
    last_name: str
    is_active: bool
    merged_into: str | None


@dataclass(frozen=True, slots=True)
class Company:
    """A company."""

    id: str
    name: str
    external_identifier: str | None
    is_active: bool


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill issued to an account."""

    id: str
    account_id: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Enterprise:
    """One property with all that its orders may refer to."""

    id: str
    name: str
    pricing: str
    timezone: str
    tax_environment: str
    tax_precision: int | None
    accounting_window: Window
    operational_window: Window
    currencies: dict[str, int]
    default_currency: str
    disabled_currencies: tuple[str, ...]
    services: dict[str, Service]
    products: dict[str, Product]
    categories: dict[str, Named]
    segments: dict[str, Named]
    outlets: dict[str, Outlet]
    customers: dict[str, Customer]
    companies: dict[str, Company]
    bills: dict[str, Bill]
    reservations: tuple[str, ...]
    payment_types: tuple[str, ...]
    legal_environment: str
    allow_rebates: bool = False
    company_billing: bool = True
    cancel_allowed: bool = True
    refuse_cashlist: bool = True
    external_identifiers: bool = True
    links_reservations: bool = False
    adds_items: bool = False
    payments_negative: bool = True
    outlet_window: Window | None = None

    def editable_since(self, now: datetime) -> datetime:
        """The first moment that may still be booked: the shorter of the two intervals binds."""
        zone = ZoneInfo(self.timezone)
        return max(self.accounting_window.start(now, zone), self.operational_window.start(now, zone))


@dataclass(frozen=True, slots=True)
class World:
    """All enterprises one access token reaches. `limit` is requests and seconds; None is no limit.

    `access_tokens` are further ones, each with a hotel like this one for itself (`etl.sandbox.hotels`).
    `outlet_bills` are those that the outlets held before, as `outletBills/add` takes them; `refused_bills` is
    what a refused request of several leaves (whole, partial, others); `largest_body` is in bytes.
    """

    name: str
    chain_id: str
    chain_name: str
    enterprises: dict[str, Enterprise]
    rates: dict[str, Rate]
    tax_environments: dict[str, TaxEnvironment]
    currencies: dict[str, int]
    is_portfolio: bool
    client_token: str
    access_token: str
    limit: tuple[int, float] | None
    now: datetime | None
    notices: tuple[str, ...] = field(default=())
    outlet_bills: tuple[dict[str, Any], ...] = field(default=())
    refused_bills: str = "whole"
    largest_body: int = LARGEST_BODY
    access_tokens: tuple[str, ...] = ()

    @property
    def enterprise(self) -> Enterprise:
        """The first, usually the only, enterprise."""
        return next(iter(self.enterprises.values()))
