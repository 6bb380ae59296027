"""Mews reference data as values, and their storage form (JSON) for offline use.

Everything the pure transform needs to know of the enterprise; reading it from Mews is
`etl.mews.reference_data`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import TypeAdapter

EID = "eid:"
"""What stands before an ExternalIdentifier where a mapping cell may hold an id, too."""


def external_identifier(target: str) -> str:
    """The ExternalIdentifier that a mapping cell names; "" where it names an id."""
    return target.removeprefix(EID) if target.startswith(EID) else ""


class Pricing(StrEnum):
    """`Enterprise.Pricing`: which of GrossValue and NetValue the enterprise takes."""

    GROSS = "Gross"
    NET = "Net"


class Strategy(StrEnum):
    """`TaxRate.Strategy.Discriminator`."""

    RELATIVE = "Relative"
    FLAT = "Flat"
    DEPENDENT = "Dependent"


@dataclass(frozen=True, slots=True)
class Validity:
    """A half-open interval in UTC; None is open."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        """Whether `moment` (aware) lies in `[start, end)`."""
        return (self.start is None or moment >= self.start) and (self.end is None or moment < self.end)


@dataclass(frozen=True, slots=True)
class TaxRate:
    """A tax code. `value`: fraction of the net (Relative), of net plus `base` taxations (Dependent), or an
    amount a piece in `currency` (Flat). `validity` empty means always.
    """

    code: str
    taxation: str
    strategy: Strategy
    value: Decimal
    base: tuple[str, ...] = ()
    currency: str = ""
    validity: tuple[Validity, ...] = ()

    def is_valid(self, moment: datetime) -> bool:
        """Whether Mews accepts the code for consumption at `moment` (aware)."""
        return not self.validity or any(interval.holds(moment) for interval in self.validity)


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency of the enterprise; `precision` is its count of decimals."""

    code: str
    precision: int
    is_enabled: bool
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """The target service; `is_orderable` is discriminator Additional."""

    id: str
    name: str
    is_active: bool
    is_orderable: bool
    external_identifier: str = ""

    def is_named(self, target: str) -> bool:
        """Whether target.service, an id or an `eid:`, means this one."""
        eid = external_identifier(target)
        return self.external_identifier == eid if eid else self.id.lower() == target.lower()


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the target service."""

    id: str
    name: str
    is_active: bool
    service_id: str
    accounting_category: str = ""
    external_identifier: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """An accounting category or business segment; `service_id` of segments, "" where Mews does not say."""

    id: str
    name: str
    is_active: bool
    external_code: str = ""
    service_id: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A customer or company that may be charged. `kind` is Customer or Company."""

    id: str
    kind: str
    name: str
    is_active: bool
    email: str = ""
    classifications: tuple[str, ...] = ()
    external_identifier: str = ""
    merged_into: str = ""


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill named in bills.csv."""

    id: str
    account_id: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """What Mews says of the enterprise and of everything the mapping names.

    `accounts` holds the accounts named by the mapping (by id); `accounts_by_email` the candidates found
    by look-up, keyed by the lower-cased address. Intervals are ISO 8601 durations, calendar arithmetic in
    `timezone`. `tax_rates` holds the codes usable in the enterprise's tax environment, with the
    environment's own validity already intersected; `tax_country` is that environment's country (ISO alpha-2), "" where
    Mews does not say. `now` is Mews's NowUtc at reading. `eids` maps
    "service:eid", "product:eid", "account:eid" to ids. `outlet`: that of the outlet route, None on the other; there
    `service` has no id where none is named, and products of every service count.
    """

    platform: str
    enterprise_id: str
    enterprise_name: str
    timezone: str
    pricing: Pricing
    tax_precision: int | None
    tax_environment: str
    accounting_interval: str
    operational_interval: str
    now: datetime
    service: Service
    currencies: dict[str, Currency] = field(default_factory=dict)
    tax_rates: dict[str, TaxRate] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    categories: dict[str, Named] = field(default_factory=dict)
    segments: dict[str, Named] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    accounts_by_email: dict[str, tuple[str, ...]] = field(default_factory=dict)
    bills: dict[str, Bill] = field(default_factory=dict)
    payment_types: tuple[str, ...] = ()
    eids: dict[str, str] = field(default_factory=dict)
    chain_id: str = ""
    legal_environment: str = ""
    tax_country: str = ""
    outlet: Named | None = None

    @property
    def place(self) -> Service | Named:
        """Where orders go: the outlet of the outlet route, else the service."""
        return self.outlet or self.service

    def id_of(self, kind: str, target: str) -> str:
        """The id that a mapping cell means, `kind` being product or account; "" where nothing has its ExternalIdentifier."""
        eid = external_identifier(target)
        return self.eids.get(f"{kind}:{eid}", "") if eid else target


_ADAPTER: TypeAdapter[Reference] = TypeAdapter(Reference)


def dump_reference(reference: Reference) -> str:
    """The reference data as JSON text; Decimals stay exact as text."""
    return _ADAPTER.dump_json(reference).decode()


def load_reference(text: str) -> Reference:
    """The inverse of `dump_reference`. Raises pydantic.ValidationError on foreign text."""
    return _ADAPTER.validate_json(text)
