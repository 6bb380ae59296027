"""What one order adds to the totals of a command and to the bridge of a reconciliation. Pure.

Rule: design section 2. No column is a remainder: each is the sum of its own orders, part by part (section 5), so that
an equation which does not come out is noticed. Amounts are in the source's basis; credits lower what is planned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from etl.model.plan import BALANCE, CAPTURE, Basis

ZERO = Decimal(0)
CREDIT = "gift"
"""How the names of payment parts begin that lower what the order is worth: gift cards and store credit."""

CAPTURED = (CAPTURE, BALANCE)
"""How those begin that pay what the order is worth: on an outlet bill they are items, but nothing that was sold."""

Share = tuple[str, str, str, str, Decimal]
"""Column of the totals, cause (of rounding, else ""), currency, basis, amount."""

Line = tuple[str, str, str, Decimal]
"""Line of the bridge, currency, basis, amount signed from the shop's sales towards what Mews holds."""


class Column(StrEnum):
    """The columns of the totals; source = all others but posted, which is a part of planned."""

    SOURCE = "source"
    PLANNED = "planned"
    ROUNDING = "rounding"
    REJECTED = "rejected"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    CHANGED = "changed"
    UNDONE = "undone"
    POSTED = "posted"


EXPLAINING = tuple(column for column in Column if column not in (Column.SOURCE, Column.POSTED))
"""What the source is the sum of."""


class Fate(StrEnum):
    """Where a part stands: the order's items, or one of its payments."""

    READY = "ready"
    UNKNOWN = "unknown"
    POSTED = "posted"
    REJECTED = "rejected"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    UNDONE = "undone"


class BridgeLine(StrEnum):
    """The lines of the bridge, in their order."""

    SOURCE = "source"
    SKIPPED = "skipped"
    BLOCKED = "blocked"
    REJECTED = "rejected"
    READY = "ready"
    UNKNOWN = "unknown"
    UNDONE = "undone"
    CHANGED = "changed"
    ROUNDING = "rounding"
    CREDITS = "credits booked as payments"
    OTHERWISE = "booked otherwise by Mews"
    NOT_READ = "not read back"
    """Posted while a reconciliation looked: told only where there is any."""
    MISSING = "missing"
    TWICE = "booked twice"
    UNEXPECTED = "unexpected"
    LEFT = "left by undo"
    IN_MEWS = "items in Mews"


ENDS = (BridgeLine.SOURCE, BridgeLine.IN_MEWS)
"""The lines that the bridge leads from and to: shown also without money."""


_IN_PLANNED = frozenset({Fate.READY, Fate.UNKNOWN, Fate.POSTED})
_MAY_BE_THERE = frozenset({Fate.UNKNOWN, Fate.POSTED})


@dataclass(frozen=True, slots=True)
class SourceReading:
    """What the source says of an order: `total` None where it can't be read."""

    currency: str
    basis: Basis
    total: Decimal | None

    @property
    def amount(self) -> Decimal:
        """The total, 0 where nobody can read it."""
        return ZERO if self.total is None else self.total


@dataclass(frozen=True, slots=True)
class Amounts:
    """What is booked, or will be, and the source total that it rests on: source = items - credits + rounding.

    `credits`: (part, amount) of gift cards and store credit. `rounding`: (cause, amount).
    """

    currency: str
    basis: Basis
    source: Decimal
    items: Decimal
    credits: tuple[tuple[str, Decimal], ...] = ()
    rounding: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class OrderMoney:
    """The money of one order. `items`: where the order itself stands; `payments`: its payments, by name of the part.

    `amounts` is None where nothing is, or will be, in Mews of it.
    """

    reading: SourceReading
    items: Fate
    amounts: Amounts | None = None
    payments: Mapping[str, Fate] = field(default_factory=dict)

    @property
    def is_planned(self) -> bool:
        """Whether Mews holds, or will hold, the items."""
        return self.items in _IN_PLANNED and self.amounts is not None

    @property
    def planned(self) -> Decimal:
        """What the order adds to the column planned, in the currency and basis of its amounts."""
        return sum((share[4] for share in self.shares() if share[0] == Column.PLANNED), ZERO)

    def is_paid(self, part: str) -> bool:
        """Whether Mews holds, or will hold, this payment of the order."""
        return self._fate(part) in _IN_PLANNED

    def shares(self) -> Iterator[Share]:
        """What the order adds to the totals."""
        read, booked = self.reading, self.amounts
        yield (Column.SOURCE, "", read.currency, read.basis, read.amount)
        if booked is None or not self.is_planned:
            yield (self.items, "", read.currency, read.basis, read.amount)
            if booked is not None:
                for amount, fate in self._standing_credits(booked):
                    yield from self._part(booked, -amount, fate)
                    yield (self.items, "", booked.currency, booked.basis, amount)
            return
        yield from ((Column.CHANGED, "", *share) for share in self._difference(booked))
        yield from self._part(booked, booked.items, self.items)
        for part, amount in booked.credits:
            yield from self._part(booked, -amount, self._fate(part))
        for cause, amount in booked.rounding:
            yield (Column.ROUNDING, cause, booked.currency, booked.basis, amount)

    def bridge(self, *, is_seen: bool = False) -> Iterator[Line]:
        """What the order adds to the bridge up to the items that Mews should hold of it.

        `is_seen`: Mews holds an order of which the ledger is not sure.
        """
        read, booked = self.reading, self.amounts
        yield (BridgeLine.SOURCE, read.currency, read.basis, read.amount)
        if booked is None or not self.is_planned or self.items is Fate.READY:
            yield (BridgeLine(self.items), read.currency, read.basis, -read.amount)
            return
        row = (booked.currency, booked.basis)
        yield from ((BridgeLine.CHANGED, *share[:2], -share[2]) for share in self._difference(booked))
        if self.items is Fate.UNKNOWN and not is_seen:
            yield (BridgeLine.UNKNOWN, *row, -booked.source)
            return
        for part, amount in booked.credits:
            fate = self._fate(part)
            yield (BridgeLine.CREDITS if fate is Fate.POSTED else BridgeLine(fate), *row, amount)
        for _, amount in booked.rounding:
            yield (BridgeLine.ROUNDING, *row, -amount)

    @property
    def expected_items(self) -> Decimal:
        """What Mews should hold of the items, in the basis of the amounts: where the bridge of the order ends."""
        return self.amounts.items if self.amounts is not None and self.is_planned else ZERO

    def _difference(self, booked: Amounts) -> Iterator[tuple[str, str, Decimal]]:
        """By how much the source differs now from what the amounts rest on, by currency and basis."""
        read = self.reading
        if (read.currency, read.basis) == (booked.currency, booked.basis):
            yield (read.currency, read.basis, read.amount - booked.source)
        else:
            yield (read.currency, read.basis, read.amount)
            yield (booked.currency, booked.basis, -booked.source)

    def _fate(self, part: str) -> Fate:
        return self.payments.get(part, self.items)

    def _standing_credits(self, booked: Amounts) -> Iterator[tuple[Decimal, Fate]]:
        """Credits that are, or may be, in Mews though the order is not."""
        for part, amount in booked.credits:
            fate = self.payments.get(part)
            if fate in _MAY_BE_THERE:
                yield amount, fate

    @staticmethod
    def _part(booked: Amounts, amount: Decimal, fate: Fate) -> Iterator[Share]:
        row = (booked.currency, booked.basis, amount)
        if fate in _IN_PLANNED:
            yield (Column.PLANNED, "", *row)
            if fate is Fate.POSTED:
                yield (Column.POSTED, "", *row)
        else:
            yield (fate, "", *row)
