"""One entry as Mews booked it, beside what was sent: what the first order of a ledger teaches."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class ObservedEntry:
    """`unit` as sent, in the enterprise's basis; `net` and `gross` as booked for the whole entry."""

    count: int
    unit: Decimal
    codes: tuple[str, ...]
    currency: str
    net: Decimal
    gross: Decimal
