"""The transitions that follow from the plan, or from a person's word. See `steps.py`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import update

from etl.ledger import schema
from etl.ledger.records import ORDER_PART, PartKind, dumps, loads
from etl.ledger.unit_of_work import NotReady, PartRow, UnitOfWork
from etl.model.states import PLANNED, State, check


class PlanSteps(UnitOfWork):
    """Transitions by what the plan or a person says."""

    def withdraw(self, number: str, generation: int, code: str, message: str) -> None:
        """READY -> BLOCKED: it may not be sent any more (`window.passed`, `return.parent`)."""
        order = self._order(number)
        row = self._find((number, generation, ORDER_PART))
        if row is None:
            order.state = check(order.state, State.BLOCKED)
        else:
            row.move(State.BLOCKED)
        order.code, order.message = code, message
        if row is not None:
            row.code, row.message = code, message
            self._settle_order(row)
        self._dirty_orders[number] = None

    def reopen(self, number: str, generation: int, part: str) -> None:
        """REJECTED or BLOCKED -> READY: another payload, or a person wants it tried again."""
        row = self._at(number, generation, part)
        row.move(State.READY)
        row.rejected_hash = row.code = row.message = row.request_id = ""
        self._settle_order(row)

    def replan(self, number: str, verdict: State) -> State:
        """BLOCKED, SKIPPED, READY (or REJECTED, unless ready again) -> the plan's verdict.

        What may be in Mews keeps its state. A rejected part that the plan calls ready or blocked stays rejected:
        whether its payload changed is asked when it would be sent.
        """
        order = self._order(number)
        row = self._find((number, order.generation, ORDER_PART))
        if row is None:
            order.state = check(order.state, verdict)
        elif row.state in PLANNED and not (row.state is State.REJECTED and verdict in (State.READY, State.BLOCKED)):
            row.move(verdict)
            self._settle_order(row)
        if order.state is verdict and verdict in PLANNED:
            order.code = order.message = order.request_id = ""
        self._dirty_orders[number] = None
        return order.state

    def adopt(self, number: str, fingerprints: tuple[str, str], payments: Iterable[str]) -> None:
        """POSTED stays: an order that `recover` found is what the plan says; payments not found are READY."""
        order = self._order(number)
        order.posted_fingerprint, order.posted_skip_fingerprint = fingerprints
        self._dirty_orders[number] = None
        for part in payments:
            if self._find((number, order.generation, part)) is None:
                row = self._add(PartRow(number, order.generation, part, PartKind.PAYMENT.value, State.READY))
                self._settle_order(row)

    def regenerate(self, number: str) -> int:
        """UNDONE -> READY as the next generation. Shape: its number."""
        order = self._order(number)
        old = self._at(number, order.generation, ORDER_PART)
        check(old.state, State.READY)
        if old.state is not State.UNDONE:
            raise NotReady(f"order {number} is {old.state}, not undone", place=number)
        order.generation += 1
        order.mews_order_id = order.posted_run_id = order.resolved_run_id = order.duplicates = order.observed = ""
        order.posted_fingerprint = order.posted_skip_fingerprint = ""
        self._settle_order(self._add(PartRow(number, order.generation, ORDER_PART, PartKind.ORDER.value, State.READY)))
        return order.generation

    def settle_posted(
        self,
        number: str,
        generation: int,
        *,
        mews_id: str,
        note: str,
        run_id: str,
        part: str = ORDER_PART,
        accepted: dict[str, Any] | None = None,
    ) -> None:
        """UNKNOWN or DIFFERENT -> POSTED: a person decided. `accepted`: what Mews shows in place of what was sent."""
        row = self._at(number, generation, part)
        row.move(State.POSTED)
        row.code, row.message = "", note
        row.held = ""
        self._book(row, mews_id, row.run_id or run_id)
        order = self._order(number)
        order.resolved_run_id = run_id
        if accepted is not None:
            order.observed = dumps({**loads(order.observed, {}), **accepted, "accepted": True})
        self._settle_order(row)

    def settle_absent(self, number: str, generation: int, *, note: str, part: str = ORDER_PART) -> None:
        """UNKNOWN -> READY: a person decided that Mews has nothing of it."""
        row = self._at(number, generation, part)
        if row.state is not State.UNKNOWN:
            raise NotReady(f"order {number} is {row.state}, not unknown", place=number)
        row.move(State.READY)
        row.absents += 1
        row.settle_from = row.unseen_at = row.held = row.code = ""
        row.message = note
        self._settle_order(row)

    def disown(self, number: str, generation: int, *, note: str) -> None:
        """POSTED or DIFFERENT -> READY: Mews does not know its OrderId, and a person decided that nothing is there."""
        row, order = self._at(number, generation, ORDER_PART), self._order(number)
        row.state = check(row.state, State.READY, by_a_person=True)
        row.absents += 1
        row.mews_id = row.settle_from = row.unseen_at = row.held = row.code = ""
        row.message = note
        order.mews_order_id = order.posted_run_id = order.resolved_run_id = order.duplicates = order.observed = ""
        order.posted_fingerprint = order.posted_skip_fingerprint = ""
        self._settle_order(row)

    def book_account(self, number: str, account_id: str) -> None:
        """The state stays: the plan's account of an order whose customer was made after planning."""
        table = schema.orders
        self._connection.execute(update(table).where(table.c.number == number).values(account_id=account_id))
