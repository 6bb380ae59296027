"""A staged order: what the export says about it, parsed, before any mapping.

Amounts are Decimal in the export's currency and in the export's own tax basis. Dates are the
export's local wall time; `etl.transform.consumption` gives them a timezone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from etl.model.identity import split_number
from etl.model.packed import Packed
from etl.model.place import Place
from etl.model.problem import Problem


class TaxMode(StrEnum):
    """Per-order override of the price basis (get-orders `taxDeducted`, `taxAdded`)."""

    DEDUCTED = "deducted"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A wall-clock time without offset; `has_time` is false where only a date was given (midnight)."""

    wall: datetime
    has_time: bool = True

    def __str__(self) -> str:
        return self.wall.isoformat(sep=" ") if self.has_time else self.wall.date().isoformat()


@dataclass(frozen=True, slots=True)
class Line:
    """One product line. `unit_price` is after line discount; `qty` is signed as the export has it.

    `bundle` says that this line is content of a bundle: its id as the export gives it (the bundle's `line_id` or key
    where contents are nested), or "1" where a dump only says that it is; `etl.transform.bundles` finds the bundle.
    `tax_total` (of the whole line) and `is_taxable` are what other shops tell instead of a rate.
    """

    qty: int
    unit_price: Decimal
    vat_percent: Decimal | None = None
    sku: str = ""
    ean: str = ""
    id: str = ""
    item: str = ""
    brand: str = ""
    product: str = ""
    variant: str = ""
    size: str = ""
    text_sku: str = ""
    comment: str = ""
    original_price: Decimal | None = None
    line_id: str = ""
    is_bundle: bool = False
    bundle: str = ""
    place: Place = Place()
    tax_total: Decimal | None = None
    is_taxable: bool | None = None

    @property
    def total(self) -> Decimal:
        """Exact `qty x unit_price`, unrounded."""
        return self.qty * self.unit_price

    @property
    def key(self) -> str:
        """The first product key the line has, for messages and canonical order."""
        return self.sku or self.ean or self.id or self.item or self.text_sku


@dataclass(frozen=True, slots=True)
class Voucher:
    """One voucher, gift card, store credit or automatic discount; a positive `value` reduces the order."""

    code: str
    value: Decimal
    name: str = ""
    is_credit: bool = False


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment taken outside Mews, as the export tells it. `status`: pending, success, failed or ""."""

    method: str = ""
    status: str = ""
    amount: Decimal | None = None
    transaction: str = ""
    kind: str = "capture"


@dataclass(frozen=True, slots=True)
class TaxBreakdownRow:
    """One row of get-orders `taxBreakdown`: tax of `percent` over the whole order."""

    percent: Decimal
    value: Decimal
    description: str = ""


@dataclass(frozen=True, slots=True)
class Replaced(Packed):
    """The original of a corrected order: the hash that it was met as, and of what decided on skipping it ("": unknown)."""

    version: str
    skip_fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """One order of the batch, or one completed return nested in it.

    `number` is canonical (digits without leading zeros; `{orderId}-R{returnId}` for a nested return).
    `problems` holds everything that staging found; one of severity error blocks the order, and then
    fields may be missing. `skip_reason` is left to the transform, which knows the import rules.
    `texts` holds the export's own text of every order-level column by canonical name, for the Notes
    template; it never holds the IP address.
    `vouchers` is empty where the export only gives `voucher_value`; `voucher_value` is signed so that
    a positive value reduces the order (nested returns therefore carry the negated value).
    `handling` is a fee of handling or of a means of payment; in returns it is negative where it is paid back,
    as `shipping` is. `return_cost` is what a return keeps back, positive.
    `shipping_percent` and `handling_percent` are their own rates, where the export states or proves them.
    `is_complete` is false for a nested return that Centra has not completed (it is skipped).
    `unread` is a hash of the cells of an order that can't be read. `replaces`: the originals of a correction.
    """

    number: str
    place: Place = Place()
    order_date: LocalTime | None = None
    delivery_date: LocalTime | None = None
    status: str = ""
    flags: tuple[str, ...] = ()
    internal: bool = False
    store_type: str = ""
    currency: str = ""
    market: str = ""
    email: str = ""
    customer_id: str = ""
    account_id: str = ""
    buyer_id: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    invoice_country: str = ""
    delivery_country: str = ""
    lines: tuple[Line, ...] = ()
    shipping: Decimal = Decimal(0)
    return_cost: Decimal = Decimal(0)
    handling: Decimal = Decimal(0)
    voucher_code: str = ""
    voucher_value: Decimal = Decimal(0)
    vouchers: tuple[Voucher, ...] = ()
    order_total: Decimal | None = None
    tax_total: Decimal | None = None
    shipping_percent: Decimal | None = None
    handling_percent: Decimal | None = None
    tax_mode: TaxMode | None = None
    tax_breakdown: tuple[TaxBreakdownRow, ...] = ()
    is_return: bool = False
    is_complete: bool = True
    origin_type: str = ""
    origin_id: str = ""
    parent: str = ""
    payments: tuple[Payment, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    rows: int = 0
    unread: str = ""
    replaces: tuple[Replaced, ...] = ()

    @property
    def beside_goods(self) -> Decimal:
        """Exact sum of everything that is no line: shipping, fees, and the vouchers taken off."""
        return self.shipping + self.handling + self.return_cost - self.voucher_value

    @property
    def is_readable(self) -> bool:
        """Whether staging read every value it met."""
        return not any(problem.is_error for problem in self.problems)


def number_key(number: str) -> tuple[int, int, str]:
    """Sort key by number; a nested return follows its order. Works for any canonical number."""
    head, tail = split_number(number)
    return (int(head) if head.isascii() and head.isdigit() else -1, int(tail) if tail.isdigit() else -1, number)
