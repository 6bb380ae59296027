"""Reversing one order: its items cancelled or balanced by their exact opposite, its payments paid back.

Rule: design sections 2, 5 and 7. Looking at Mews decides what is left to reverse. An unclear answer is settled by
complete scans before anything else is sent for the order, because a cancellation that was processed after all and an
opposite would reverse it twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from etl.errors import InternalError
from etl.evidence.marks import identity_of, payment_part
from etl.evidence.read_back import WHATEVER_IT_COSTS, ReadBack
from etl.evidence.reader import Reader
from etl.ledger.records import ORDER_PART, Attempt, LedgerOrder, Part, PartKind
from etl.load.halt import WindowPassedError
from etl.load.requests import Reversing, cancel_body, undo_request
from etl.load.reversal import (
    CANCEL,
    OPPOSITE,
    CantReverseError,
    Rules,
    cancelled_ids,
    closed,
    copy_of,
    has_money,
    is_cancel,
    is_carried_out,
    is_gone,
    live,
    opposite_order,
    opposite_payment,
    undo_part,
)
from etl.load.session import Session
from etl.load.undo_values import Target
from etl.model.identity import Identity
from etl.model.outcome import Kind, Outcome
from etl.model.payload import Operation, entries_of
from etl.model.rows import OrderItemRow, PaymentRow
from etl.model.states import State

AT_ONCE = 100
"""Orders whose items are read together, and that are in hand at once."""
CANCEL_AT_ONCE = 10
"""Most ids that `orderItems/cancel` takes."""
CANCEL_REFUSALS = 3
"""So many orders whose items stand open, none of which could be cancelled: cancelling is not for this integration."""

_OF_A_CANCELLATION = frozenset({Kind.REFUSED, Kind.CONFLICT, Kind.STOP})
"""Answers that say nothing about the orders after it: where cancelling is refused, the opposite follows."""


class LaterError(Exception):
    """A signal: nothing can be decided yet; `seconds` to wait at least (0: until what is unknown has settled)."""

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


class FailedError(Exception):
    """A signal: something was tried, and the order is not reversed."""


@dataclass(slots=True)
class Work:
    """One order in hand. `parts` of its generation by name, `attempts` of its posting, oldest first."""

    target: Target
    row: LedgerOrder
    parts: dict[str, Part]
    attempts: list[Attempt]
    how: dict[str, None] = field(default_factory=dict)
    has_changed: bool = False

    @property
    def number(self) -> str:
        """The order's."""
        return self.target.number

    def undo_parts(self) -> list[Part]:
        """What was sent to reverse it, and what became of that."""
        return [part for part in self.parts.values() if part.kind is PartKind.UNDO]

    def opposite_part(self, order_id: str) -> str:
        """The ledger's name of the opposite of one copy."""
        return undo_part(OPPOSITE, copy_of(self.undo_parts(), order_id))

    def original(self, name: str, mews_id: str) -> dict[str, Any]:
        """The payload that posted a part; nothing where `recover` found it."""
        mine = [one for one in self.attempts if one.part == name]
        answered = [one for one in mine if one.mews_id == mews_id]
        for attempt in reversed(answered or mine):
            return dict(attempt.payload)
        return {}


@dataclass(frozen=True, slots=True)
class UndoRules:
    """What may be posted to reverse something. `flat_codes`: tax codes that are an amount a piece."""

    may_rebate: bool
    flat_codes: frozenset[str] = frozenset()


class Reverser:
    """Reverses orders, one call each, for one undo."""

    def __init__(self, session: Session, reader: Reader, rules: UndoRules) -> None:
        self._session = session
        self._ledger = session.ledger
        self._commit = session.commit
        self._reader = reader
        self._back = ReadBack(reader, most_refusals=WHATEVER_IT_COSTS)
        self._clock = session.reach.clock
        self._may_rebate = rules.may_rebate
        self._flat_codes = rules.flat_codes
        self._cancel_refusals = 0
        self._refused: dict[str, tuple[str, float]] = {}
        self.may_cancel: bool | None = None
        """Whether this integration may cancel items; None while nobody knows."""
        self.returns: dict[str, set[str]] = {}
        """Nested returns that are, or may be, in Mews, by the order that they belong to."""
        self.reversed: set[str] = set()
        self.pending: set[str] = set()
        """Orders that are reversed by now, and those that may still be in this pass."""

    @property
    def most(self) -> int:
        """Orders in hand at once: one until it is known whether this integration may cancel."""
        return AT_ONCE if self.may_cancel is not None else 1

    async def together(self, works: Sequence[Coroutine[Any, Any, None]]) -> list[BaseException | None]:
        """Works on orders in hand side by side. Shape: what ended each, None where it came to its end."""
        return await asyncio.gather(*works, return_exceptions=True)

    def open(self, targets: Sequence[Target]) -> list[Work]:
        """Orders as the ledger has them now."""
        numbers = [target.number for target in targets]
        rows, parts, attempts = (
            self._ledger.lookup(numbers),
            self._ledger.parts(numbers),
            self._ledger.attempts_of(numbers),
        )
        if missing := set(numbers).difference(rows):
            raise InternalError(f"order {min(missing)} left the ledger", code="internal.no_order")
        return [
            Work(
                one,
                rows[one.number],
                {part.part: part for part in parts.get(one.number, ()) if part.generation == one.generation},
                [sent for sent in attempts.get(one.number, ()) if sent.generation == one.generation],
            )
            for one in targets
        ]

    async def reverse(self, work: Work, items: dict[str, list[OrderItemRow]]) -> str:
        """Everything of one order, or nothing. Shape: what a person should know of it besides.

        `items`: the rows of its copies, by OrderId. Raises CantReverseError, FailedError, LaterError, HaltedError.
        """
        target = work.target
        self._check_ledger(work)
        await self._look_at_doubtful(work, items)
        # Only now: what may be reversed already is not kept, it is waited for.
        self._check_returns(work, items)
        for order_id in target.order_ids:
            self._check_items(work, order_id, self._standing(work, items.get(order_id, [])))
        payments = await self._open_payments(work) if target.is_whole else []
        # What may be refused goes first: payments, unless it is still open whether items can be cancelled.
        items_first = self.may_cancel is None
        if payments and not items_first:
            if self.may_cancel is False:
                for order_id in target.order_ids:
                    self._check_opposite(work, order_id, items.get(order_id, []))
            await self._reverse_payments(work, payments)
        for order_id in target.order_ids:
            await self._reverse_copy(work, order_id, items.get(order_id, []))
        if payments and items_first:
            await self._reverse_payments(work, payments)
        return await self._finish(work)

    def _check_ledger(self, work: Work) -> None:
        for part in work.parts.values():
            if part.kind is not PartKind.UNDO and part.state in (State.UNKNOWN, State.IN_FLIGHT):
                raise CantReverseError(
                    f"nobody knows yet whether Mews took its part {part.part}: `centra-mews run` finds out"
                )
            if part.kind is PartKind.UNDO and part.held:
                raise FailedError(
                    "something without a mark of ours looks like its reversal: compare the account in Mews"
                )
            if part.kind is PartKind.UNDO and part.state is State.DIFFERENT:
                raise FailedError(f"its reversal {part.mews_id} is not in Mews as it was sent: {part.message}")

    def _check_returns(self, work: Work, items: Mapping[str, Sequence[OrderItemRow]]) -> None:
        standing = self._standing_returns(work)
        if not work.target.is_whole or self._is_off(work, items):
            return
        if any(number in self.pending for number in standing):
            raise LaterError(f"its return {standing[0]} is not reversed yet")
        if standing:
            raise CantReverseError(
                f"its return {', '.join(standing)} is in Mews: undo it too, or first (--only {standing[0]})"
            )

    def _standing_returns(self, work: Work) -> list[str]:
        return sorted(self.returns.get(work.number, set()) - self.reversed)

    def _is_off(self, work: Work, items: Mapping[str, Sequence[OrderItemRow]]) -> bool:
        """Whether Mews shows nothing of it any more: there is nothing left that a return could keep."""
        return all(is_gone(self._standing(work, items.get(one, ()))) for one in work.target.order_ids)

    async def _look_at_doubtful(self, work: Work, items: dict[str, list[OrderItemRow]]) -> None:
        """An unclear cancellation is settled at once where the items show it; everything else has to wait."""
        doubtful = [part for part in work.undo_parts() if part.state in (State.UNKNOWN, State.IN_FLIGHT)]
        for part in doubtful:
            if not is_carried_out(part, work.attempts, items.get(part.target, ())):
                raise LaterError(f"Mews's answer to the reversal ({part.part}) is not known yet")
            await self._see(work, part.part, part.target)
            work.how["cancelled"] = None

    async def _see(self, work: Work, name: str, order_id: str) -> None:
        number, generation = work.number, work.target.generation
        run_id = self._session.facts.run_id
        await self._commit.do(
            lambda steps: steps.see_undo(number, generation, name, mews_id=order_id, target=order_id, run_id=run_id),
            number,
        )
        self._reopen(work)

    def _reopen(self, work: Work) -> None:
        """What the ledger says now."""
        (fresh,) = self.open([work.target])
        work.row, work.parts, work.attempts = fresh.row, fresh.parts, fresh.attempts

    def _standing(self, work: Work, rows: Sequence[OrderItemRow]) -> list[OrderItemRow]:
        """The rows, those that Mews confirmed as cancelled counted so even where reads lag behind."""
        confirmed = [part for part in work.undo_parts() if is_cancel(part) and part.state is State.POSTED]
        gone = cancelled_ids(work.attempts, confirmed)
        return [replace(row, state="Canceled") if row.id in gone else row for row in rows]

    def _check_items(self, work: Work, order_id: str, rows: Sequence[OrderItemRow]) -> None:
        sent = [one for one in work.attempts if one.part == ORDER_PART]
        recent = sent and self._session.time.now() < max(one.over_at for one in sent) + self._session.facts.settle
        lines = sum(1 for _ in entries_of(sent[-1].payload)) if sent else 0
        if recent and len(rows) < lines:
            raise LaterError(
                "Mews does not return all of its items yet", self._session.facts.settle.total_seconds() / 2
            )
        if not rows and order_id == work.parts[ORDER_PART].mews_id:
            of_which = (
                f"Mews does not know its OrderId {order_id}"
                if order_id
                else "which of Mews's bills it is, is not known"
            )
            raise CantReverseError(
                f"{of_which}: `centra-mews settle {work.number} --posted ORDERID` names the right one, `--absent` says that "
                "nothing of it is there"
            )
        for row in rows:
            identity = identity_of(row)
            if identity is not None and (identity.store, identity.number) != (self._session.facts.store, work.number):
                raise CantReverseError(f"OrderId {order_id} carries the mark of order {identity.number}")
        if self._opposite(work, order_id) is not None:
            return
        shut = closed(rows)
        if shut:
            raise CantReverseError(f"{len(shut)} of its items are on a closed bill: only the hotel can correct that")

    def _opposite(self, work: Work, order_id: str) -> Part | None:
        """The opposite of a copy, if it is in Mews."""
        part = work.parts.get(work.opposite_part(order_id))
        return part if part is not None and part.state is State.POSTED else None

    def _check_opposite(self, work: Work, order_id: str, rows: Sequence[OrderItemRow]) -> None:
        rows = self._standing(work, rows)
        if rows and not is_gone(rows) and self._opposite(work, order_id) is None:
            self._payload(work, order_id, rows)

    async def _reverse_copy(self, work: Work, order_id: str, rows: Sequence[OrderItemRow]) -> None:
        if self._opposite(work, order_id) is not None:
            work.how["opposite"] = None
            return
        rows = self._standing(work, rows)
        if not rows or is_gone(rows):
            # Cancelled by the hotel's staff, or by us before; OrderIds without items are payments.
            work.how["cancelled"] = None
            return
        refused = self._refused.get(order_id)
        if refused is not None and self._clock.monotonic() < refused[1]:
            raise LaterError(refused[0], refused[1] - self._clock.monotonic())
        if self.may_cancel is not False and refused is None and await self._cancel(work, order_id, rows):
            work.how["cancelled"] = None
            return
        await self._post_opposite(work, order_id)
        work.how["opposite"] = None

    async def _finish(self, work: Work) -> str:
        number, generation, left = work.number, work.target.generation, work.target.left
        if left:
            await self._commit.do(lambda steps: steps.keep_copies(number, generation, left), number)
        else:
            await self._commit.do(lambda steps: steps.undo_all(number, generation), number)
        self._session.checkpoint("undo.finished")
        if left:
            return f"the order stays posted as {', '.join(left)}"
        copies, returns = work.target.order_ids, self._standing_returns(work)
        told = [f"all copies: {', '.join(copies)}"] if len(copies) > 1 else []
        return "; ".join([*told, *([f"its return {', '.join(returns)} stands in Mews"] if returns else [])])

    async def _cancel(self, work: Work, order_id: str, rows: Sequence[OrderItemRow]) -> bool:
        """Whether nothing with money is left. False: this integration may not. Raises LaterError, CantReverseError."""
        left = live(rows)
        batches = _batches([row for row in left if has_money(row)])
        zero = _batches([row for row in left if not has_money(row)])
        for batch in (*batches, *zero):
            name = _next_cancel(work, order_id)
            reversing = Reversing(name, order_id, batch[0].account_id, private=_OF_A_CANCELLATION)
            body = cancel_body([row.id for row in batch])
            outcome = await self._send(work, Operation.CANCEL_ITEMS, body, reversing)
            match outcome.kind:
                case Kind.DONE:
                    self.may_cancel = True
                    work.has_changed = True
                case Kind.STOP:
                    # 401 may be the missing permission for this one operation: other credentials are asked for nothing.
                    await self._reader.configuration()
                    self.may_cancel = False
                    return False
                case Kind.UNKNOWN:
                    raise LaterError("Mews gave no answer to its cancellation")
                case _:
                    if batch in zero and batches:
                        # Nothing with money is left; Mews may not take back what is worth nothing.
                        return True
                    await self._cancel_refused(work, order_id, outcome)
        return True

    async def _cancel_refused(self, work: Work, order_id: str, outcome: Outcome) -> None:
        """Looks why. Raises CantReverseError for a closed bill, else LaterError: reads may lag behind a cancellation."""
        rows = self._standing(work, (await self._back.items([order_id])).get(order_id, []))
        shut = closed(rows)
        if shut:
            raise CantReverseError(
                f"{len(shut)} of its items are on a closed bill: only the hotel can correct that ({outcome.message})"
            )
        self._cancel_refusals += 1
        if self.may_cancel is None and self._cancel_refusals >= CANCEL_REFUSALS:
            self.may_cancel = False
        wait = self._session.facts.settle.total_seconds() / 2 + 1
        self._refused[order_id] = (outcome.message, self._clock.monotonic() + wait)
        raise LaterError(f"Mews refused to cancel it: {outcome.message}", wait)

    async def _post_opposite(self, work: Work, order_id: str) -> None:
        # Looked at again just before: what the staff cancelled meanwhile must not be reversed twice.
        rows = self._standing(work, (await self._back.items([order_id])).get(order_id, []))
        if is_gone(rows):
            return
        shut = closed(rows)
        if shut:
            raise CantReverseError(f"{len(shut)} of its items are on a closed bill: only the hotel can correct that")
        payload = self._payload(work, order_id, rows)
        consumed = datetime.fromisoformat(payload["ConsumptionUtc"])
        reversing = Reversing(work.opposite_part(order_id), order_id, payload["AccountId"], consumed)
        outcome = await self._send(work, Operation.ADD_ORDER, payload, reversing)
        self._conclude(outcome, "its opposite")
        work.has_changed = True

    def _payload(self, work: Work, order_id: str, rows: Sequence[OrderItemRow]) -> dict[str, Any]:
        return opposite_order(rows, work.original(ORDER_PART, order_id), self._identity(work), order_id, self._rules())

    def _rules(self) -> Rules:
        return Rules(
            self._session.facts.basis,
            self._may_rebate,
            self._session.facts.window_start(self._session.time.now()),
            self._flat_codes,
        )

    def _identity(self, work: Work) -> Identity:
        return Identity(self._session.facts.store, work.number, work.target.generation, is_undo=True)

    def _conclude(self, outcome: Outcome, what: str) -> None:
        """Raises where a request did not do its work."""
        match outcome.kind:
            case Kind.DONE:
                return
            case Kind.UNKNOWN:
                raise LaterError(f"Mews gave no answer to {what}")
            case _:
                request = f" (RequestId {outcome.request_id})" if outcome.request_id else ""
                raise CantReverseError(f"Mews refuses {what}: {outcome.message}{request}")

    async def _open_payments(self, work: Work) -> list[tuple[str, PaymentRow]]:
        """Payments of the order that still stand, with the names of their parts. Raises CantReverseError."""
        posted = {part.mews_id: part.part for part in work.parts.values() if _is_paid(part)}
        copies = [one for one in work.row.duplicates if one != work.row.mews_order_id and one not in posted]
        rows = await self._back.payments([*posted, *(copies if posted else ())])
        missing = [part for mews_id, part in posted.items() if mews_id not in rows]
        if missing:
            raise CantReverseError(
                f"Mews does not return its payment {', '.join(missing)}: see `centra-mews reconcile`"
            )
        found = []
        for row in rows.values():
            name = posted.get(row.id, "")
            if not name:
                marked = payment_part(row)
                if marked is None or marked[0] != replace(self._identity(work), is_undo=False):
                    continue
                name = marked[1]
            if row.is_canceled or self._is_paid_back(work, row.id):
                continue
            if row.closed is not None or row.accounting_state == "Closed":
                raise CantReverseError(f"its payment {name} is on a closed bill: only the hotel can correct that")
            found.append((name, row))
        return found

    def _is_paid_back(self, work: Work, payment_id: str) -> bool:
        return any(part.target == payment_id and part.state is State.POSTED for part in work.undo_parts())

    async def _reverse_payments(self, work: Work, payments: Sequence[tuple[str, PaymentRow]]) -> None:
        for name, row in payments:
            original = work.original(name, row.id)
            payload = opposite_payment(row, original, self._identity(work), name, self._session.facts.basis)
            part = undo_part(name, copy_of(work.undo_parts(), row.id, name))
            outcome = await self._send(work, Operation.ADD_PAYMENT, payload, Reversing(part, row.id, row.account_id))
            self._conclude(outcome, f"the opposite of payment {name}, so that the order stays charged with it")
            work.has_changed = True

    # Sending

    async def _send(self, work: Work, operation: Operation, body: dict[str, Any], reversing: Reversing) -> Outcome:
        """The final outcome; `work` knows then what the ledger says. Raises HaltedError, CantReverseError."""
        scope = await self._session.reach.writer.scope(operation)
        request = undo_request(operation, {**scope, **body}, reversing, self._identity(work), self._session.facts)
        try:
            outcome = await self._session.sender.send(request)
        except WindowPassedError:
            raise CantReverseError(
                "the editable window moved past its consumption before the opposite was sent"
            ) from None
        self._reopen(work)
        return outcome


def _is_paid(part: Part) -> bool:
    return part.kind is PartKind.PAYMENT and part.state in (State.POSTED, State.DIFFERENT)


def _next_cancel(work: Work, order_id: str) -> str:
    """A part for one more cancellation: one that did nothing, or a new one."""
    copy = copy_of(work.undo_parts(), order_id)
    index = 1
    while True:
        name = undo_part(f"{CANCEL}{index}", copy)
        part = work.parts.get(name)
        if part is None or part.state in (State.READY, State.REJECTED):
            return name
        index += 1


def _batches(rows: Sequence[OrderItemRow]) -> list[list[OrderItemRow]]:
    return [list(rows[start : start + CANCEL_AT_ONCE]) for start in range(0, len(rows), CANCEL_AT_ONCE)]
