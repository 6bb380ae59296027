"""What Mews booked beside what was sent: what the first order of a ledger teaches."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class SentEntry:
    """One entry as sent; `unit` is in the enterprise's basis."""

    count: int
    unit: Decimal
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """`net` and `gross` as Mews booked them for `entries` together.

    One entry, where Mews returns its identifier; else all of the order, which are known by their sum only.
    """

    entries: tuple[SentEntry, ...]
    currency: str
    net: Decimal
    gross: Decimal
