"""Reversing on the outlet route: the opposite bills of many orders travel in one request.

Rule: design section 9. Each order is judged by itself, as on the other route (`reverser.py`): whether it can be reversed,
and what became of it. Only the bills go together, once every order in hand has given its own or has come to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from etl.evidence.reader import Reader
from etl.ledger.records import ORDER_PART
from etl.ledger.steps import NotReady, PartKey
from etl.load.bill_sender import BillSender
from etl.load.bills import Bill, freeze_opposite
from etl.load.halt import cancel
from etl.load.requests import Reversing
from etl.load.reversal import is_rebate, opposite_bill
from etl.load.reverser import Reverser, UndoRules, Work
from etl.load.session import Session
from etl.model.kinds import REBATES, KindState
from etl.model.outcome import Kind, Outcome
from etl.model.rows import OrderItemRow


class BillReverser(Reverser):
    """Reverses bills, for one undo. Nobody can cancel a bill, or change one: each is balanced by another."""

    def __init__(self, session: Session, reader: Reader, rules: UndoRules) -> None:
        super().__init__(session, reader, rules)
        self.may_cancel = False
        self._sender = BillSender(session, session.facts.bills_per_request)
        self._box = _Box()
        rebates = session.ledger.kinds().get(REBATES)
        self._may_go_together = rebates is not None and rebates.state is KindState.PROVED

    @property
    def most(self) -> int:
        """One alone until Mews has taken a rebate: the refusal of one is definite, that of many is in doubt."""
        return self._session.facts.bills_per_request if self._may_go_together else 1

    async def together(self, works: Sequence[Coroutine[Any, Any, None]]) -> list[BaseException | None]:
        """Whenever every order in hand waits for its bill, or is through, the bills leave."""
        tasks = [asyncio.ensure_future(work) for work in works]
        for task in tasks:
            task.add_done_callback(self._box.wake)
        try:
            while left := sum(not task.done() for task in tasks):
                if len(self._box) == left:
                    await self._send_box()
                else:
                    await self._box.wait()
            return await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await cancel(tasks)

    async def reverse(self, work: Work, items: dict[str, list[OrderItemRow]]) -> str:
        """Every copy of one order, or none. Shape: what a person should know of it besides.

        Raises CantReverseError, FailedError, LaterError, HaltedError, NotReady.
        """
        self._check_ledger(work)
        await self._look_at_doubtful(work, items)
        copies = {order_id: items.get(order_id, []) for order_id in work.target.order_ids}
        for order_id, rows in copies.items():
            self._check_items(work, order_id, rows)
            self._check_opposite(work, order_id, rows)
        for order_id, rows in copies.items():
            if self._opposite(work, order_id) is None:
                await self._post(work, order_id, rows)
                if len(copies) > 1:
                    # The next copy has a name of its own beside this one.
                    self._reopen(work)
        work.how["opposite"] = None
        return await self._finish(work)

    async def _post(self, work: Work, order_id: str, rows: Sequence[OrderItemRow]) -> None:
        payload = self._payload(work, order_id, rows)
        closed = datetime.fromisoformat(payload["ClosedUtc"])
        reversing = Reversing(work.opposite_part(order_id), order_id, "", closed)
        bill = freeze_opposite(payload, reversing, self._identity(work), self._session.facts)
        outcome = await self._box.put(bill)
        self._may_go_together = self._may_go_together or (outcome.kind is Kind.DONE and is_rebate(payload))
        self._conclude(outcome, "its opposite")
        work.has_changed = True

    def _payload(self, work: Work, order_id: str, rows: Sequence[OrderItemRow]) -> dict[str, Any]:
        return opposite_bill(rows, work.original(ORDER_PART, order_id), self._identity(work), order_id, self._rules())

    async def _send_box(self) -> None:
        """Whoever gave a bill learns what became of it, or why it was not sent."""
        waiting = self._box.take()

        def tell(bill: Bill, outcome: Outcome) -> None:
            waiting.pop(bill.intent.key).answer.set_result(outcome)

        try:
            await self._sender.send([one.bill for one in waiting.values()], tell)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            fault = error
        else:
            fault = NotReady("somebody decided on it meanwhile")
        for one in waiting.values():
            one.answer.set_exception(fault)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A bill that is to be sent, and where its outcome goes."""

    bill: Bill
    answer: asyncio.Future[Outcome]


class _Box:
    """The bills that wait to be sent together."""

    def __init__(self) -> None:
        self._waiting: dict[PartKey, _Waiting] = {}
        self._news = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    async def put(self, bill: Bill) -> Outcome:
        """The final outcome of a bill, once it was sent. Raises what kept it from being sent."""
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[bill.intent.key] = _Waiting(bill, answer)
        self._news.set()
        return await answer

    def take(self) -> dict[PartKey, _Waiting]:
        """What waits, by part."""
        taken, self._waiting = self._waiting, {}
        return taken

    def wake(self, _: object = None) -> None:
        """Somebody who might have given a bill is through."""
        self._news.set()

    async def wait(self) -> None:
        """Until a bill comes, or somebody is through."""
        self._news.clear()
        await self._news.wait()
