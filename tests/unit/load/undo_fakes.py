"""A small Mews that can cancel, and builders for the tests of undo."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from load_fakes import FakeMews, VirtualTime, a_reach, an_order, open_ledger, run_poster, some_facts, taken

from etl.errors import MewsError
from etl.ledger.records import loads
from etl.load.session import RunFacts
from etl.load.stop import StopFlag
from etl.load.undo import Undoer, UndoResult, UndoRules
from etl.model.outcome import Kind, Outcome
from etl.model.payload import Operation
from etl.model.rows import OrderItemRow, PaymentRow

DENIED = Outcome(Kind.STOP, status=401, message="This integration may not cancel order items.")


class UndoMews(FakeMews):
    """FakeMews with `orderItems/cancel`. `cancel_script` answers each call like `script` does.

    `closed`: ids of items on closed bills. `has_lost_credentials`: every read is refused, too.
    """

    def __init__(self, time: VirtualTime) -> None:
        super().__init__(time)
        self.may_cancel = True
        self.cancelled: list[tuple[float, str]] = []
        self.cancel_calls: list[list[str]] = []
        self.closed: set[str] = set()
        self.has_lost_credentials = False
        self.cancel_script: Callable[[list[str], int], Outcome | tuple[str, float] | None] = lambda _i, _n: None

    async def configuration(self) -> None:
        if self.has_lost_credentials:
            raise MewsError("Mews refuses the credentials", code="mews.credentials")
        await super().configuration()

    async def send(self, operation: Operation, content: bytes, *, before_send: Any) -> Outcome:
        if operation is Operation.CANCEL_ITEMS:
            return await self.cancel_items(loads(content.decode(), {})["OrderItemIds"], before_send=before_send)
        return await super().send(operation, content, before_send=before_send)

    async def cancel_items(self, item_ids: Sequence[str], *, before_send: Any = None) -> Outcome:
        assert 0 < len(item_ids) <= 10
        await before_send()
        ids = list(item_ids)
        self.cancel_calls.append(ids)
        await self.time.sleep(self.latency)
        if not self.may_cancel:
            return DENIED
        answer = self.cancel_script(ids, len(self.cancel_calls))
        if isinstance(answer, Outcome):
            return answer
        delay = answer[1] if isinstance(answer, tuple) else 0.0
        gone = {item_id for at, item_id in self.cancelled if at <= self.time.seconds}
        if gone & set(ids) or self.closed & set(ids):
            return Outcome(Kind.REFUSED, status=403, message="canceled already, or on a closed bill", request_id="r9")
        self.cancelled += [(self.time.seconds + delay, item_id) for item_id in ids]
        if isinstance(answer, tuple):
            return Outcome(Kind.UNKNOWN, message="no answer")
        return Outcome(Kind.DONE, {}, 200)

    async def payments(
        self, *, created: Any = None, account_ids: Any = None, payment_ids: Any = None
    ) -> AsyncIterator[list[PaymentRow]]:
        async for page in super().payments(created=created):
            yield [row for row in page if payment_ids is None or row.id in payment_ids]

    def _shown(self, row: OrderItemRow) -> OrderItemRow:
        row = super()._shown(row)
        gone = [at for at, item_id in self.cancelled if item_id == row.id and at + self.lag <= self.time.seconds]
        if gone:
            row = replace(row, canceled=self.mews_now(gone[0]), state="Canceled")
        if row.id in self.closed:
            row = replace(row, closed=self.now(), state="Closed")
        return row

    # What a test asks

    def balance(self) -> Decimal:
        """Gross of all items that stand, once everything has landed."""
        gone = {item_id for _, item_id in self.cancelled}
        return sum((row.gross for _, row in self.items if row.id not in gone), Decimal(0))

    def paid_balance(self) -> Decimal:
        """The sum of all payments."""
        return sum((row.gross for _, row in self.paid), Decimal(0))

    def reversals(self) -> list[str]:
        """Identifiers of the undo items, in their order."""
        return [row.external_identifier for _, row in self.items if ":undo:" in row.external_identifier]

    def standing(self, number: str) -> set[str]:
        """OrderIds of an order, reversals aside, of which an item stands."""
        gone = {item_id for _, item_id in self.cancelled}
        return {
            row.order_id
            for _, row in self.items
            if row.notes.startswith(f"[centra:uk:{number}]") and row.id not in gone
        }


def an_undoer(ledger: Any, mews: UndoMews, time: VirtualTime, **more: Any) -> Undoer:
    """An undoer with 180 s to settle that may post rebates, and a window that takes everything; keywords change that."""
    facts = some_facts(**{"run_id": "undo-1", **taken(more, frozenset(one.name for one in fields(RunFacts)))})
    rules = UndoRules(**{"may_rebate": True, **taken(more, frozenset(one.name for one in fields(UndoRules)))})
    return Undoer(ledger, a_reach(mews, time), facts, rules, reader=mews, **{"stop": StopFlag(), **more})


def undo_in(
    path: Path,
    mews: UndoMews,
    time: VirtualTime,
    *,
    run: str = "run-1",
    only: Sequence[str] = (),
    order_ids: Sequence[str] = (),
    **more: Any,
) -> UndoResult:
    """One whole undo on the ledger at `path`."""

    async def main() -> Any:
        undoer = an_undoer(ledger, mews, time, **more)

        async def work() -> UndoResult:
            return await undoer.run(await undoer.choose(run, only, order_ids))

        return await time.drive(asyncio.ensure_future(work()))

    with open_ledger(path, time) as ledger:
        return asyncio.run(main())


def posted(path: Path, mews: UndoMews, time: VirtualTime, orders: list[Any]) -> None:
    """These orders are posted by run-1."""
    result = run_poster(path, mews, time, orders)
    assert result.exit_code == 0, result


def with_lines(number: str, count: int) -> Any:
    """An order of so many lines."""
    order = an_order(number)
    (entry,) = order.entries
    entries = tuple(replace(entry, line=f"p{index}") for index in range(1, count + 1))
    return replace(order, entries=entries, line_count=count)
