"""What reconciliation finds, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from etl.evidence.values import Difference

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
    what other payments did, as Mews holds it; `assumed`: the rest of a bill, which nobody recorded.
    """

    klass: Klass
    differences: tuple[Difference, ...] = ()
    notices: tuple[Difference, ...] = ()
    ledger: tuple[Booking, ...] = ()
    mews: tuple[Booking, ...] = ()
    credits: Decimal = Decimal(0)
    captures: Decimal = Decimal(0)
    assumed: Decimal = Decimal(0)


def sums(bookings: tuple[Booking, ...]) -> tuple[Decimal, Decimal]:
    """Net and gross of bookings."""
    return (
        sum((booking.net for booking in bookings), Decimal(0)),
        sum((booking.gross for booking in bookings), Decimal(0)),
    )
