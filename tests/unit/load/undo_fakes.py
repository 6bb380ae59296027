"""A small Mews that can cancel, and builders for the tests of undo."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from load_fakes import SmallMews, VirtualTime, a_reach, an_order, open_ledger, run_poster, some_facts, taken
from small_mews import Fate, Rows

from etl.load.session import RunFacts
from etl.load.stop import StopFlag
from etl.load.undo import Undoer, UndoResult, UndoRules
from etl.model.outcome import Outcome
from etl.model.payload import Operation
from etl.sandbox.world import ACCESS_TOKEN


class UndoMews(SmallMews):
    """`orderItems/cancel` besides. `cancel_script` answers each call like `script` does.

    `closed`: ids of items on closed bills. `has_lost_credentials`: the access token is worth nothing any more.
    """

    def __init__(self, time: VirtualTime) -> None:
        super().__init__(time)
        self.cancel_calls: list[list[str]] = []
        self.before_cancelling: Callable[[int], None] = lambda _n: None
        self.after_cancelling: Callable[[int], None] = lambda _n: None
        self.cancel_script: Callable[[list[str], int], Outcome | tuple[str, float] | None] = lambda _i, _n: None

    @property
    def may_cancel(self) -> bool:
        return self.sandbox.world.enterprise.cancel_allowed

    @may_cancel.setter
    def may_cancel(self, may: bool) -> None:
        enterprise = replace(self.sandbox.world.enterprise, cancel_allowed=may)
        self.sandbox.world = replace(self.sandbox.world, enterprises={enterprise.id: enterprise})

    @property
    def has_lost_credentials(self) -> bool:
        return self.sandbox.world.access_token != ACCESS_TOKEN

    @has_lost_credentials.setter
    def has_lost_credentials(self, has: bool) -> None:
        self.sandbox.world = replace(self.sandbox.world, access_token="another" if has else ACCESS_TOKEN)

    @property
    def closed(self) -> set[str]:
        return {row.id for _, row in self.items if row.closed is not None}

    @closed.setter
    def closed(self, ids: set[str]) -> None:
        self.items = [(at, replace(row, closed=self.now() if row.id in ids else None)) for at, row in self.items]

    @property
    def cancelled(self) -> Any:
        """The cancelled items, each with the second since when."""
        return Rows(self._cancelled, self._cancel)

    @cancelled.setter
    def cancelled(self, rows: Sequence[tuple[float, str]]) -> None:
        self._cancel(list(rows))

    def _cancelled(self) -> list[tuple[float, str]]:
        return [(self._second(row.canceled), row.id) for _, row in self.items if row.canceled is not None]

    def _cancel(self, rows: list[tuple[float, str]]) -> None:
        moments = {item_id: at for at, item_id in rows}
        self.items = [
            (at, replace(row, canceled=self.mews_now(moments[row.id]) if row.id in moments else None, state=""))
            for at, row in self.items
        ]

    def _note(self, operation: Operation, payload: dict[str, Any]) -> tuple[str, int]:
        if operation is not Operation.CANCEL_ITEMS:
            return super()._note(operation, payload)
        self.cancel_calls.append(list(payload["OrderItemIds"]))
        self.before_cancelling(len(self.cancel_calls))
        return "cancel", len(self.cancel_calls)

    def answered(self, kind: str, number: int) -> None:
        super().answered(kind, number)
        if kind == "cancel":
            self.after_cancelling(number)

    def fate_of(self, kind: str, number: int) -> Fate:
        if kind != "cancel":
            return super().fate_of(kind, number)
        return self.cancel_script(self.cancel_calls[number - 1], number) if self.may_cancel else None

    # What a test asks

    def balance(self) -> Decimal:
        """Gross of all items that stand, once everything has landed."""
        self._land()
        return sum((row.gross for _, row in self.items if not row.is_canceled), Decimal(0))

    def paid_balance(self) -> Decimal:
        """The sum of all payments."""
        self._land()
        return sum((row.gross for _, row in self.paid), Decimal(0))

    def reversals(self) -> list[str]:
        """Identifiers of the undo items, in their order."""
        return [row.external_identifier for _, row in self.items if ":undo:" in row.external_identifier]

    def standing(self, number: str) -> set[str]:
        """OrderIds of an order, reversals aside, of which an item stands."""
        return {
            row.order_id
            for _, row in self.items
            if row.notes.startswith(f"[centra:uk:{number}]") and not row.is_canceled
        }

    def _land(self) -> None:
        while (due := self.sandbox.next_due()) is not None:
            self.sandbox.settle(due)
        self.name_what_came("")


def an_undoer(ledger: Any, mews: UndoMews, time: VirtualTime, **more: Any) -> Undoer:
    """An undoer with 180 s to settle that may post rebates, and a window that takes everything; keywords change that."""
    facts = some_facts(**{"run_id": "undo-1", **taken(more, RunFacts)})
    rules = UndoRules(**{"may_rebate": True, **taken(more, UndoRules)})
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
