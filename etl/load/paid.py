"""The payments of this store as Mews shows them: what was sent, what was paid back, and what was paid back too often."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from etl.evidence.marks import payment_part
from etl.evidence.reader import Reader
from etl.evidence.scan import walk_payments
from etl.load.reversal import target_of


@dataclass(slots=True)
class Paid:
    """The payments of one generation, by part. `sent`: gross amounts by PaymentId; `canceled`: of which nothing stands.

    `received`: by PaymentId, with their signs: Mews shows what was received as negative.
    `undone`: by PaymentId of the reversal, what it names ("" where Mews returns no notes) and its gross amount.
    """

    sent: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    canceled: set[str] = field(default_factory=set)
    undone: dict[str, dict[str, tuple[str, Decimal]]] = field(default_factory=dict)
    received: dict[str, Decimal] = field(default_factory=dict)

    def amounts(self, worth: Decimal) -> list[tuple[str, Decimal]]:
        """What each part pays of an order that is worth so much, positive for money received.

        Some servers show that as positive: payments add up to the sign of what they pay.
        """
        found = [(part, self.received[self.first(part)]) for part in self.sent]
        is_turned = sum((amount for _, amount in found), Decimal(0)) * worth < 0
        return [(part, -amount if is_turned else amount) for part, amount in found]

    def reversals(self, part: str) -> dict[str, str]:
        """What pays back each payment of a part, by its PaymentId; each reversal serves one payment."""
        left = dict(self.undone.get(part, {}))
        found: dict[str, str] = {}
        for payment_id, amount in self.sent.get(part, {}).items():
            fitting = [one for one, (target, undone) in left.items() if target in ("", payment_id) and undone == amount]
            if fitting:
                # One that names the payment before one without notes, which may be another payment's.
                found[payment_id] = max(fitting, key=lambda one: left[one][0] != "")
                del left[found[payment_id]]
        return found

    def too_often(self, part: str) -> dict[str, str]:
        """Reversals beyond one for each payment, or of another amount. Shape: what they reverse, by their PaymentId.

        Where Mews returns no notes and no payment of the part stands, it is one that was reversed before; else "".
        """
        used = set(self.reversals(part).values())
        sent = self.sent.get(part)
        before = self.first(part) if sent and not self.standing(part) else ""
        return {one: target or before for one, (target, _) in self.undone.get(part, {}).items() if one not in used}

    def again(self, part: str, target: str, undo_id: str) -> tuple[str, ...]:
        """The ids of what was reversed twice: of its reversal, or of itself if it was cancelled, and of the second one.

        Empty while the payment stands: what names it has another amount.
        """
        if target not in self.sent.get(part, {}) or target in self.standing(part):
            return ()
        return (self.reversals(part).get(target, target), undo_id)

    def standing(self, part: str) -> list[str]:
        """PaymentIds of a part that were neither cancelled nor reversed."""
        reversed_ids = self.reversals(part)
        return [one for one in self.sent[part] if one not in self.canceled and one not in reversed_ids]

    def first(self, part: str) -> str:
        """The payment that a part is: one that stands, if any does."""
        return next(iter(self.standing(part) or self.sent[part]))


Payments = dict[tuple[str, int], Paid]
"""By number and generation."""


async def read_payments(reader: Reader, store: str, start: datetime, now: datetime) -> Payments:
    """All payments of this store created since `start`. Raises MewsError."""
    found: Payments = {}
    async for page in walk_payments(reader, start, now):
        for row in page:
            parsed = payment_part(row)
            if parsed is None or parsed[0].store != store:
                continue
            identity, part = parsed
            paid = found.setdefault((identity.number, identity.generation), Paid())
            if not identity.is_undo:
                paid.sent.setdefault(part, {})[row.id] = abs(row.gross)
                paid.received[row.id] = -row.gross
                if row.is_canceled:
                    paid.canceled.add(row.id)
            elif not row.is_canceled:
                paid.undone.setdefault(part, {})[row.id] = (target_of(row.notes), abs(row.gross))
    return found
