"""What reconciliation compares and what it finds, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from etl.model.plan import Basis

ORDER_PART = "order"
"""The part that is the order itself; payments have names of their own."""
UNDO_PART = "undo"
"""Reversals of orders: they prove nothing."""


class Klass(StrEnum):
    """The classes of design section 2; every order is in exactly one."""

    MATCHED = "matched"
    MISSING = "missing"
    DIFFERENT = "different"
    DUPLICATED = "duplicated"
    UNEXPECTED = "unexpected"


class What(StrEnum):
    """In what ledger and Mews differ."""

    ORDER = "order"
    AMOUNT = "amount"
    TAX = "tax"
    DATE = "date"
    ACCOUNT = "account"
    CANCELLED = "cancelled"
    COUNT = "count"
    IDENTIFIER = "identifier"
    EXTRA_ITEM = "extra item"
    MISSING_ITEM = "missing item"
    CATEGORY = "category"
    CURRENCY = "currency"
    PAYMENT = "payment"
    UNDONE = "undone"
    ROUNDING = "rounding of Mews"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference with both sides, for people. `item`: the ExternalIdentifier or name concerned, "" for the order."""

    what: What
    expected: str
    found: str
    item: str = ""


@dataclass(frozen=True, slots=True)
class ExpectedEntry:
    """One entry as it was sent, or as `recover` found it. Amounts are of the whole entry.

    None stands for what nobody knows: `codes`, `count` of recovered orders, `net` and `gross` without prediction.
    `total` is count x unit in the enterprise's basis; `category_id` is "" where Mews was left to choose.
    """

    identifier: str
    name: str
    count: int | None
    total: Decimal
    codes: tuple[str, ...] | None
    category_id: str = ""
    net: Decimal | None = None
    gross: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ExpectedPayment:
    """One payment part as it was sent. `amount` in the enterprise's basis, None where unknown; `id` is Mews's."""

    part: str
    id: str
    identifier: str
    type: str
    amount: Decimal | None
    currency: str
    account_id: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """One order that the ledger holds as posted.

    `basis` is the enterprise's; `sent_by` the latest that it can have been in Mews when the order was last sent.
    """

    number: str
    generation: int
    order_id: str
    account_id: str
    consumption: datetime | None
    currency: str
    basis: Basis
    entries: tuple[ExpectedEntry, ...]
    payments: tuple[ExpectedPayment, ...] = ()
    sent_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class Booking:
    """One amount under the keys of the control totals. `consumed` decides on the month."""

    consumed: datetime | None
    currency: str
    codes: tuple[str, ...]
    category_id: str
    net: Decimal
    gross: Decimal

    @property
    def tax(self) -> Decimal:
        """Tax of all codes together."""
        return self.gross - self.net


@dataclass(frozen=True, slots=True)
class OrderFinding:
    """What the comparison of one order says. `notices` are told and are no differences.

    `ledger` and `mews` are both sides' bookings; payments are in neither. `credits`: what gift cards paid, `captures`:
    what other payments did, as Mews holds it.
    """

    klass: Klass
    differences: tuple[Difference, ...] = ()
    notices: tuple[Difference, ...] = ()
    ledger: tuple[Booking, ...] = ()
    mews: tuple[Booking, ...] = ()
    credits: Decimal = Decimal(0)
    captures: Decimal = Decimal(0)


def sums(bookings: tuple[Booking, ...]) -> tuple[Decimal, Decimal]:
    """Net and gross of bookings."""
    return (
        sum((booking.net for booking in bookings), Decimal(0)),
        sum((booking.gross for booking in bookings), Decimal(0)),
    )
