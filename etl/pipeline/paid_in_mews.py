"""What Mews holds of our payments, by currency and kind: those of orders as read back, and whatever else a scan met.

Rule: design section 2: beside the bridge stand the payments that Mews holds, as its items do: copies count, and what
reverses a payment takes it away, whether or not the ledger knows either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from etl.ledger.records import Part, PartKind
from etl.model.identity import parse_identifier
from etl.model.plan import BALANCE, Basis, letters_of
from etl.model.rows import OrderItemRow
from etl.model.shares import CREDIT
from etl.model.states import State
from etl.reconcile.notebook import Noted, Sighting
from etl.reconcile.values import UNDO_PART, OrderFinding
from etl.report.bills import KINDS

_CREDITS, _CAPTURES, _ASSUMED = "credits", "captures", KINDS[BALANCE]

Key = tuple[str, str]
"""Currency and kind."""


@dataclass(slots=True)
class PaidInMews:
    """Adds up; `basis` is the enterprise's. `open_bills`: those of which nobody is sure, to be read back by their ids."""

    basis: Basis
    open_bills: list[str] = field(default_factory=list)
    _paid: dict[Key, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    _beside: dict[Key, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    _shown: Decimal = Decimal(0)

    def add(self, finding: OrderFinding, currency: str) -> None:
        """What was read back of one order."""
        for kind, amount in ((_CREDITS, finding.credits), (_CAPTURES, finding.captures), (_ASSUMED, finding.assumed)):
            self._paid[currency, kind] += amount

    def see(self, sightings: Iterable[Sighting], parts: Sequence[Part], own: Noted | None, *, is_open: bool) -> None:
        """What the scan met of one order number beside that. `own`: what was noted of it; `is_open`: nobody is sure of it."""
        read_back = _read_back(parts) if own is not None and own.booked is not None else frozenset[str]()
        for one in sightings:
            is_mine = one.mews_id.lower() in read_back
            if one.is_order:
                self.open_bills += [one.mews_id] if is_open and one.live and not is_mine else []
                continue
            amount = one.gross if self.basis is Basis.GROSS else one.net
            is_reversal = one.part.startswith(f"{UNDO_PART}:")
            self._shown += Decimal(0) if is_reversal else amount
            if one.live and not is_mine:
                self._beside[one.currency, _kind_of(one.part.removeprefix(f"{UNDO_PART}:"))] += amount

    def add_items(self, rows: Iterable[OrderItemRow]) -> None:
        """What the items of a bill pay that is no order's own."""
        for row in rows:
            if row.is_payment and not row.is_canceled:
                parsed = parse_identifier(row.external_identifier)
                kind = _kind_of(parsed[1] if parsed is not None else "")
                self._paid[row.currency, kind] -= row.gross if self.basis is Basis.GROSS else row.net

    def amounts(self) -> dict[Key, Decimal]:
        """The sums, positive for money received. Mews shows that as negative; some servers do not, which all of it tells."""
        sign = 1 if self._shown > 0 else -1
        sums = {
            key: self._paid.get(key, Decimal(0)) + sign * self._beside.get(key, Decimal(0))
            for key in self._paid.keys() | self._beside.keys()
        }
        return {key: amount for key, amount in sums.items() if amount}


def _read_back(parts: Sequence[Part]) -> frozenset[str]:
    """The ids under which the order and its payments were read back: those of its last generation."""
    last = max((part.generation for part in parts), default=0)
    return frozenset(
        part.mews_id.lower()
        for part in parts
        if part.generation == last and part.kind is not PartKind.UNDO and part.state in (State.POSTED, State.DIFFERENT)
    )


def _kind_of(line: str) -> str:
    letters = letters_of(line)
    return _CREDITS if letters == CREDIT else _ASSUMED if letters == BALANCE else _CAPTURES
