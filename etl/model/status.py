"""What a command reports of one order: plan and ledger seen together.

Rule: design section 2 (`--json`) and 7.4. Every order read is in exactly one state.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from etl.model.plan import Basis
from etl.model.problem import Problem
from etl.model.shares import Column, Line, Share


class ReportState(StrEnum):
    """The states of `--json`, in the order in which people want to read them."""

    READY = "ready"
    POSTED = "posted"
    RECOVERED = "recovered"
    ALREADY_POSTED = "already_posted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    CHANGED = "changed"
    UNDONE = "undone"

    @property
    def needs_attention(self) -> bool:
        """Whether a person has to act: exit code 3."""
        return self in _ATTENTION

    @property
    def is_in_mews(self) -> bool:
        """Whether the order is known to be in Mews."""
        return self in _IN_MEWS


_ATTENTION = frozenset({ReportState.REJECTED, ReportState.UNKNOWN, ReportState.BLOCKED, ReportState.CHANGED})
_IN_MEWS = frozenset({ReportState.POSTED, ReportState.RECOVERED, ReportState.ALREADY_POSTED, ReportState.CHANGED})


@dataclass(frozen=True, slots=True)
class TaxSum:
    """What is booked (or predicted) under one tax-code set of an order."""

    codes: tuple[str, ...]
    net: Decimal
    tax: Decimal
    gross: Decimal


CategorySum = tuple[str, Decimal, Decimal, Decimal]
"""AccountingCategoryId, net, tax, gross."""


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """One order in one report.

    `source_total` as of now, in the source's `basis`; None where it can't be read. `planned_total`: what
    Mews holds or will hold, in `planned_basis` and `planned_currency` (of the ledger where it was posted).
    `rounding` belongs to the plan. `balance`: gross that the order leaves open on its account. `money`: what the order
    adds to the totals, `bridge` what it adds to the way from the shop's sales to what Mews holds, its last line included;
    `is_read` is false for what only `recover` has seen. `is_accepted`: a person accepted by name all that it would need
    attention for. `categories`: net, tax and gross by AccountingCategoryId ("": left to Mews).
    `is_bill`: it is, or becomes, a bill of an outlet, whose sum `balance` is; `paid` are its payments as (line, name, amount),
    positive for money received.
    """

    number: str
    state: ReportState
    currency: str = ""
    basis: Basis = Basis.GROSS
    source_total: Decimal | None = None
    planned_total: Decimal = Decimal(0)
    planned_currency: str = ""
    planned_basis: Basis = Basis.GROSS
    rounding: Decimal = Decimal(0)
    problems: tuple[Problem, ...] = ()
    account_id: str = ""
    mews_order_id: str = ""
    message: str = ""
    month: str = ""
    consumption: datetime | None = None
    is_clamped: bool = False
    line_count: int = 0
    balance: Decimal = Decimal(0)
    taxes: tuple[TaxSum, ...] = ()
    unproved: tuple[str, ...] = ()
    money: tuple[Share, ...] = ()
    is_read: bool = True
    is_accepted: bool = False
    bridge: tuple[Line, ...] = ()
    categories: tuple[CategorySum, ...] = ()
    is_bill: bool = False
    paid: tuple[tuple[str, str, Decimal], ...] = ()

    @property
    def is_planned(self) -> bool:
        """Whether Mews holds, or will hold, something of it."""
        return any(share[0] == Column.PLANNED for share in self.money)

    @property
    def needs_attention(self) -> bool:
        """Whether a person has to act: exit code 3."""
        return self.state.needs_attention and not self.is_accepted

    @property
    def difference(self) -> Decimal | None:
        """Source less planned, where both are in one currency and basis."""
        if self.source_total is None or (self.currency, self.basis) != (self.planned_currency, self.planned_basis):
            return None
        return self.source_total - self.planned_total
