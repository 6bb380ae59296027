"""controls.csv, typed from the shop's own report, against the ledger's source totals and what Mews returns. Pure.

Rule: design section 4 (controls.csv): an export can't prove its own completeness.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from etl.model.mapping import ControlRow

ZERO = Decimal(0)


@dataclass(slots=True)
class _Month:
    """Sums of one month and currency. `ledger_*`: orders that were to be imported; `mews_*`: those that Mews holds.

    `untaxed`: orders whose tax nobody knows, because they are blocked or read otherwise than they were sent.
    """

    ledger_orders: int = 0
    ledger_total: Decimal = ZERO
    ledger_tax: Decimal = ZERO
    untaxed: int = 0
    mews_orders: int = 0
    mews_total: Decimal = ZERO
    mews_gross: Decimal = ZERO
    mews_tax: Decimal = ZERO
    rounding: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class ControlFinding:
    """One figure of controls.csv beside both others.

    Of totals only: `mews_gross` with tax, whatever the basis; `rounding` that the plan explained entry by entry.
    """

    month: str
    currency: str
    figure: str
    control: Decimal
    ledger: Decimal
    mews: Decimal
    mews_gross: Decimal | None = None
    rounding: Decimal = ZERO
    place: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether all three agree, explained rounding aside."""
        return self.control == self.ledger and self._is_in_mews

    @property
    def _is_in_mews(self) -> bool:
        return self.control in (self.mews, self.mews + self.rounding, self.mews_gross)

    @property
    def difference(self) -> str:
        """In what they disagree, as a sentence; "" where they agree."""
        parts = []
        if self.control != self.ledger:
            parts.append(f"the export has {self.ledger - self.control:+f} against the control")
        if not self._is_in_mews:
            parts.append(f"Mews has {self.mews - self.control:+f} against the control")
        return "; ".join(parts)


@dataclass(slots=True)
class ControlSums:
    """Adds order by order, by the month of the true consumption on the enterprise's calendar."""

    months: dict[tuple[str, str], _Month] = field(default_factory=dict)

    def add_ledger(self, month: str, currency: str, total: Decimal, tax: Decimal | None) -> None:
        """One order that was to be imported: orderTotal, and the tax that was planned; None where it is not known."""
        sums = self._month(month, currency)
        sums.ledger_orders += 1
        sums.ledger_total += total
        sums.ledger_tax += tax or ZERO
        sums.untaxed += tax is None

    def add_mews(
        self, month: str, currency: str, *, total: Decimal, gross: Decimal, tax: Decimal, rounding: Decimal
    ) -> None:
        """One order that Mews holds: `total` in the source's basis and `gross` with tax, both less credits."""
        sums = self._month(month, currency)
        sums.mews_orders += 1
        sums.mews_total += total
        sums.mews_gross += gross
        sums.mews_tax += tax
        sums.rounding += rounding

    def compare(self, controls: Iterable[ControlRow]) -> list[ControlFinding]:
        """Every figure given, in the order of the file; empty cells, and taxes not known, are not compared."""
        found: list[ControlFinding] = []
        for row in controls:
            sums = self.months.get((row.month, row.currency), _Month())
            key, place = (row.month, row.currency), str(row.place)
            if row.orders is not None:
                figures = (Decimal(row.orders), Decimal(sums.ledger_orders), Decimal(sums.mews_orders))
                found.append(ControlFinding(*key, "orders", *figures, place=place))
            if row.total is not None:
                totals = (row.total, sums.ledger_total, sums.mews_total, sums.mews_gross, sums.rounding)
                found.append(ControlFinding(*key, "total", *totals, place=place))
            if row.tax is not None and not sums.untaxed:
                found.append(ControlFinding(*key, "tax", row.tax, sums.ledger_tax, sums.mews_tax, place=place))
        return found

    def _month(self, month: str, currency: str) -> _Month:
        return self.months.setdefault((month, currency), _Month())
