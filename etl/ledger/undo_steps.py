"""The transitions of what is reversed, and of what reverses it. See `steps.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etl.ledger.records import ORDER_PART, PartKind, dumps, loads
from etl.ledger.unit_of_work import NotReady, PartRow, UnitOfWork
from etl.model.states import IN_MEWS, PLANNED, State


class UndoSteps(UnitOfWork):
    """Transitions of an undo."""

    def plan_undo(self, number: str, generation: int, part: str, target: str) -> None:
        """A new undo part is READY; one that was refused or held back is READY again. `target`: what it reverses.

        Raises NotReady for one in doubt: what it sent may still reverse the order, and two looks have to say so first.
        """
        self._order(number)
        row = self._find((number, generation, part))
        if row is None:
            row = self._add(PartRow(number, generation, part, PartKind.UNDO.value, State.READY))
        elif row.state not in PLANNED:
            raise NotReady(f"order {number}: {part} is {row.state}, not ready", place=number)
        elif row.state is not State.READY:
            row.move(State.READY)
        row.target = target
        row.rejected_hash = row.code = row.message = row.request_id = ""
        self._settle_order(row)

    def see_undo(
        self,
        number: str,
        generation: int,
        part: str,
        *,
        mews_id: str,
        target: str,
        run_id: str,
        message: str = "",
    ) -> State:
        """Anything but IN_FLIGHT -> POSTED: what Mews shows proves that this undo part did its work.

        DIFFERENT with a `message`: it is there, and does not balance what it reverses.
        """
        self._order(number)
        row = self._find((number, generation, part))
        if row is None:
            row = self._add(PartRow(number, generation, part, PartKind.UNDO.value, State.READY))
        self._stand(row, message)
        row.target, row.mews_id, row.run_id = target, mews_id, row.run_id or run_id
        row.settle_from = row.unseen_at = row.held = ""
        self._settle_order(row)
        return row.state

    def undo(self, number: str, generation: int, part: str = ORDER_PART) -> None:
        """POSTED or DIFFERENT -> UNDONE: it was reversed in Mews."""
        row = self._at(number, generation, part)
        row.move(State.UNDONE)
        row.code = row.message = ""
        self._settle_order(row)

    def undo_all(self, number: str, generation: int) -> None:
        """POSTED or DIFFERENT -> UNDONE for the order and its payments: nothing of this generation is left."""
        self._at(number, generation, ORDER_PART)
        for row in self._rows([number]):
            is_there = row.state in (State.POSTED, State.DIFFERENT)
            if row.generation == generation and row.kind != PartKind.UNDO.value and is_there:
                self.undo(number, generation, row.part)
        order = self._order(number)
        if order.generation == generation:
            order.duplicates = self._reversed_twice(number, generation, loads(order.duplicates, ()))

    def _reversed_twice(self, number: str, generation: int, ids: Sequence[str]) -> str:
        """What is left of the copies once all are reversed: reversals that stand there twice, or nothing."""
        rows = [row for row in self._rows([number]) if row.generation == generation]
        reversals = {row.mews_id for row in rows if row.kind == PartKind.UNDO.value and row.mews_id}
        gone = {row.mews_id for row in rows} - reversals
        gone |= {row.target for row in rows}
        left = sorted(set(ids) - gone)
        return dumps(left) if reversals.intersection(left) and len(left) > 1 else ""

    def is_reversal(self, number: str, generation: int, part: str) -> bool:
        """Whether a part reverses something."""
        return self._at(number, generation, part).kind == PartKind.UNDO.value

    def open_payments(self, number: str, generation: int) -> list[str]:
        """Payments that are in Mews and were not paid back, as this transaction sees them."""
        self._order(number)
        rows = [row for row in self._rows([number]) if row.generation == generation]
        paid_back = {
            row.target for row in rows if row.kind == PartKind.UNDO.value and row.mews_id and row.state in IN_MEWS
        }
        return [
            row.part
            for row in rows
            if row.kind == PartKind.PAYMENT.value
            and row.state in (State.POSTED, State.DIFFERENT)
            and row.mews_id not in paid_back
        ]

    def has_copies(self, number: str) -> bool:
        """Whether Mews is known to hold more of an order than one."""
        return bool(self._order(number).duplicates)

    def stand_again(self, number: str, generation: int, payments: Mapping[str, str]) -> None:
        """UNDONE -> POSTED: another copy stands than those that were reversed. `payments`: ids that stand, by part."""
        order = self._at(number, generation, ORDER_PART)
        order.move(State.POSTED)
        self._settle_order(order)
        for part, mews_id in payments.items():
            row = self._find((number, generation, part))
            if row is not None and row.state is State.UNDONE:
                row.move(State.POSTED)
                row.mews_id = mews_id
                self._settle_order(row)

    def keep_copies(self, number: str, generation: int, order_ids: Sequence[str]) -> None:
        """POSTED or DIFFERENT stays, under the copies that are left: others were reversed."""
        row, order = self._at(number, generation, ORDER_PART), self._order(number)
        if row.state is State.UNDONE:
            return
        if row.mews_id not in order_ids:
            row.mews_id = order_ids[0]
        if order.generation == generation:
            order.mews_order_id = row.mews_id
            order.duplicates = dumps(sorted(order_ids)) if len(order_ids) > 1 else ""
        self._settle_order(row)
