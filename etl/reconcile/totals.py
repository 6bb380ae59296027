"""Control totals of both sides by month, currency, tax codes and accounting category. Pure; memory follows the keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from etl.reconcile.values import Booking

Key = tuple[str, str, tuple[str, ...], str]
"""Month (YYYY-MM, "" where unknown), currency, tax codes, AccountingCategoryId."""


@dataclass(slots=True)
class Side:
    """Sums of one side."""

    net: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    gross: Decimal = Decimal(0)

    def add(self, net: Decimal, gross: Decimal) -> None:
        """Adds one amount."""
        self.net += net
        self.gross += gross
        self.tax += gross - net


@dataclass(slots=True)
class TotalRow:
    """Both sides under one key."""

    ledger: Side = field(default_factory=Side)
    mews: Side = field(default_factory=Side)

    @property
    def is_equal(self) -> bool:
        """Whether net, tax and gross agree."""
        return self.ledger == self.mews


class ControlTotals:
    """Adds booking by booking. `timezone`: the enterprise's, whose calendar months count."""

    def __init__(self, timezone: str) -> None:
        self._zone = ZoneInfo(timezone)
        self.rows: dict[Key, TotalRow] = {}

    def add(self, ledger: Iterable[Booking], mews: Iterable[Booking]) -> None:
        """Adds both sides of one order."""
        for booking in ledger:
            self._row(booking).ledger.add(booking.net, booking.gross)
        for booking in mews:
            self._row(booking).mews.add(booking.net, booking.gross)

    def month(self, moment: datetime | None) -> str:
        """The calendar month of a moment (aware) at the enterprise."""
        return "" if moment is None else moment.astimezone(self._zone).strftime("%Y-%m")

    def ordered(self) -> list[tuple[Key, TotalRow]]:
        """The rows by key."""
        return sorted(self.rows.items())

    def by_currency(self) -> dict[str, TotalRow]:
        """Both sides by currency."""
        found: dict[str, TotalRow] = {}
        for (_, currency, _, _), row in self.ordered():
            sums = found.setdefault(currency, TotalRow())
            sums.ledger.add(row.ledger.net, row.ledger.gross)
            sums.mews.add(row.mews.net, row.mews.gross)
        return found

    def _row(self, booking: Booking) -> TotalRow:
        key = (self.month(booking.consumed), booking.currency, booking.codes, booking.category_id)
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = TotalRow()
        return row
