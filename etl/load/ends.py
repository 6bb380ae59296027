"""What is left of an order once a walk found it cancelled, or found its reversal: the same that `recover` says of it.

Rule: design sections 5 and 7.2. An order of which nothing stands is UNDONE, whoever took it back: it is neither counted as
being in Mews nor are payments of it sent after it. Where a part of it stands, it is DIFFERENT, and says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from etl.evidence.scan import OrderKey
from etl.ledger.records import ORDER_PART
from etl.ledger.steps import PartKey, Steps
from etl.load.balance import standing_of
from etl.load.found import Found, does_not_balance, leaving_something, not_as_sent, payment_stands, shown
from etl.model.rows import OrderItemRow
from etl.model.states import State


class Ends:
    """Collects what one transaction found of orders that were taken back, then concludes. See `found.py` for the words."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._gone: dict[OrderKey, tuple[Sequence[OrderItemRow], Sequence[OrderItemRow]]] = {}
        self._unlike: dict[OrderKey, dict[str, Found]] = {}
        self._late_payments: dict[OrderKey, dict[str, str]] = {}

    def order_gone(self, key: PartKey, rows: Sequence[OrderItemRow]) -> None:
        """An order in doubt was found, and nothing of it stands."""
        self._gone[key[:2]] = (rows, ())

    def reversal(self, key: PartKey, found: Found, order: Sequence[OrderItemRow], undo: Sequence[OrderItemRow]) -> None:
        """The opposite of an order was found; `order`: the items that it reverses."""
        if found.message:
            self._unlike.setdefault(key[:2], {})[found.mews_id] = found
        if order:
            self._gone[key[:2]] = (order, undo)

    def payment(self, key: PartKey, found: Found) -> None:
        """A payment was found, or what pays one back."""
        if self._steps.is_reversal(*key):
            if found.message:
                self._unlike.setdefault(key[:2], {})[found.mews_id] = found
        elif self._steps.part_state(*key[:2]) is State.UNDONE:
            self._late_payments.setdefault(key[:2], {})[key[2]] = found.mews_id

    def conclude(self, found: Iterable[PartKey]) -> dict[PartKey, State]:
        """UNDONE or DIFFERENT, for the orders of which something was found. Shape: the states of those found themselves."""
        for key, payments in self._late_payments.items():
            # It was cancelled while nobody knew of its payment.
            self._steps.stand_again(*key, {})
            self._steps.differ(*key, payment_stands(payments))
        for key in dict.fromkeys((*self._gone, *self._unlike)):
            if self._steps.part_state(*key) in (State.POSTED, State.DIFFERENT):
                self._conclude(key)
        orders = [key for key in found if key[2] == ORDER_PART]
        return {key: state for key in orders if (state := self._steps.part_state(*key)) is not None}

    def _conclude(self, key: OrderKey) -> None:
        order, undo = self._gone.get(key, ((), ()))
        unlike = self._unlike.get(key, {})
        open_payments = self._steps.open_payments(*key)
        if unlike:
            unbalanced = leaving_something(unlike)
            message = does_not_balance(unbalanced) if unbalanced else not_as_sent(unlike)
        elif open_payments:
            message = payment_stands(open_payments)
        elif self._steps.has_copies(key[0]):
            # Which of them stand, `recover` and the undo under way see.
            return
        else:
            self._steps.undo_all(*key)
            return
        observed = {"items": shown(order)} if order else {}
        if undo:
            observed["undo"] = shown(standing_of(undo))
        self._steps.differ(*key, message, observed or None)
