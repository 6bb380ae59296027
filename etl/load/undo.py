"""Undoing: what a run posted is cancelled, or balanced by its exact opposite; whatever fails, never twice.

Rule: design sections 2, 5 and 7. This module decides what is reversed when, and when to stop; how one order is
reversed is `reverser.py`, how a request travels `sender.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from etl.errors import LedgerError, MewsError, StoppedError
from etl.evidence.read_back import WHATEVER_IT_COSTS, ReadBack
from etl.evidence.reader import Reader
from etl.evidence.scan import Progress
from etl.ledger.ledger import Checkpoint, Ledger
from etl.ledger.steps import NotReady
from etl.load.bill_reverser import BillReverser
from etl.load.halt import HaltedError, HeldBackError, cancel
from etl.load.reversal import CantReverseError, parent_of
from etl.load.reverser import FailedError, LaterError, Reverser, UndoRules, Work
from etl.load.session import Reach, RunFacts, Session
from etl.load.signs import IncompleteError
from etl.load.stop import StopFlag
from etl.load.undo_choice import UndoChoice
from etl.load.undo_values import Detail, Ending, Selection, Target, UndoResult
from etl.load.watcher import Watcher
from etl.model.rows import OrderItemRow

PASSES = 12
"""Looks at the orders that wait, without any of them coming to its end."""

__all__ = ["Detail", "Ending", "Selection", "Target", "UndoResult", "UndoRules", "Undoer"]


class Undoer:
    """Reverses what the ledger says is posted. Shape: `choose`, then `run` once. Needs the ledger's lock."""

    reverser_type: type[Reverser] = Reverser
    bill_reverser_type: type[Reverser] = BillReverser
    watcher_type: type[Watcher] = Watcher

    def __init__(
        self,
        ledger: Ledger,
        reach: Reach,
        facts: RunFacts,
        rules: UndoRules,
        *,
        reader: Reader,
        stop: StopFlag,
        progress: Progress = lambda _stage, _done, _total: None,
        checkpoint: Checkpoint = lambda _: None,
    ) -> None:
        self._ledger = ledger
        self._back = ReadBack(reader, most_refusals=WHATEVER_IT_COSTS)
        self._stop = stop
        self._progress = progress
        self._session = Session(ledger, replace(reach, reader=reader), facts, checkpoint)
        self._halt = self._session.halt
        self._watcher = self.watcher_type(self._session)
        reverser_type = self.bill_reverser_type if facts.is_outlet else self.reverser_type
        self._reverser = reverser_type(self._session, reader, rules)
        # Bills are in hand together, requests of their own side by side.
        self._room = asyncio.Semaphore(max(facts.concurrency, facts.bills_per_request))
        self._result = UndoResult()
        self._copied: IncompleteError | None = None
        self._done = 0
        self._total = 0

    async def choose(self, run: str = "", only: Sequence[str] = (), order_ids: Sequence[str] = ()) -> Selection:
        """What these options name, after a scan that proves the ledger complete.

        Raises: UsageError for names that mean nothing, LedgerError `ledger.incomplete`, MewsError. Effects: none in
        Mews.
        """
        await self._session.time.sync()
        with self._ledger.steps() as steps:
            steps.start_settling(self._session.last_sent_before())
        self._session.checkpoint("undo.begun")
        await self._survey()
        return await UndoChoice(self._session).choose(run, only, order_ids)

    # Running

    async def run(self, chosen: Selection) -> UndoResult:
        """Reverses what was chosen. Shape: the result, also where it stopped. Effects: sends, writes the ledger."""
        body = asyncio.ensure_future(self._body(chosen))
        leave = asyncio.ensure_future(self._stop.leaving.wait())
        listen = asyncio.ensure_future(self._listen())
        try:
            await asyncio.wait({body, leave}, return_when=asyncio.FIRST_COMPLETED)
            if body.done():
                await body
        finally:
            await cancel([body, leave, listen])
        self._result.stop = self._halt.error
        self._result.left = len(chosen.targets) + len(chosen.already) - len(self._result.details)
        return self._result

    async def _body(self, chosen: Selection) -> None:
        self._total = len(chosen.targets)
        self._reverser.returns = chosen.returns
        for number, order_id in chosen.already:
            self._result.details.append(Detail(number, order_id, "", Ending.ALREADY, "it was reversed before"))
        try:
            await self._passes(list(chosen.targets))
            await self._look_back()
        except (LedgerError, MewsError, StoppedError) as error:
            self._halt.stop(error)

    async def _look_back(self) -> None:
        """Another copy of the ledger that undoes at the same time shows only afterwards: what is there twice by now?"""
        if not self._session.sender.writes or self._halt.is_set:
            return
        self._copied = None
        await self._survey()
        if self._ledger.lacks_ids():
            # Reads may lag behind the last request.
            await self._halt.sleep(self._session.facts.settle.total_seconds() / 2 + 1)
            await self._survey()
        if self._copied is not None:
            raise self._copied

    async def _passes(self, targets: list[Target]) -> None:
        reasons: dict[Target, LaterError] = {}
        is_first, left = True, PASSES
        while targets and left and not self._halt.is_set:
            if reasons:
                await self._wait(reasons.values(), is_first=is_first)
                is_first = False
            reasons = await self._pass(targets)
            left = PASSES if len(reasons) < len(targets) else left - 1
            targets = list(reasons)
        if not self._halt.is_set:
            for target, reason in reasons.items():
                self._tell(target, "", Ending.FAILED, f"{reason}; run the same command again")

    async def _pass(self, targets: list[Target]) -> dict[Target, LaterError]:
        """One look at each order and what follows. Shape: those that have to wait, with the reason."""
        self._reverser.pending = {target.number for target in targets}
        later: dict[Target, LaterError] = {}
        rest = list(targets)
        while rest and not self._halt.is_set:
            first = rest[: self._reverser.most]
            # A return and its own order are never in hand together.
            chunk = [one for one in first if bool(parent_of(one.number)) == bool(parent_of(rest[0].number))]
            rest = rest[len(chunk) :]
            items = await self._back.items([order_id for target in chunk for order_id in target.order_ids])
            done = await self._reverser.together([self._carry(one, items) for one in self._reverser.open(chunk)])
            faults = [
                one
                for one in done
                if isinstance(one, BaseException) and not isinstance(one, LaterError | HeldBackError)
            ]
            if faults:
                # What ended the process comes before what followed from it.
                raise min(faults, key=lambda one: isinstance(one, Exception))
            later.update((target, one) for target, one in zip(chunk, done, strict=True) if isinstance(one, LaterError))
        return later

    async def _carry(self, work: Work, items: dict[str, list[OrderItemRow]]) -> None:
        target = work.target
        async with self._room:
            if self._halt.is_set:
                raise HaltedError
            try:
                message = await self._reverser.reverse(work, items)
                self._tell(target, " and ".join(work.how), Ending.REVERSED, message)
            except CantReverseError as reason:
                ending = Ending.FAILED if work.has_changed else Ending.KEPT
                self._tell(target, " and ".join(work.how), ending, str(reason))
            except FailedError as reason:
                self._tell(target, " and ".join(work.how), Ending.FAILED, str(reason))
            except NotReady as error:
                self._tell(target, "", Ending.FAILED, error.message)
            except (LedgerError, MewsError, StoppedError) as error:
                self._halt.stop(error)
                raise

    def _tell(self, target: Target, how: str, ending: Ending, message: str = "") -> None:
        self._result.details.append(Detail(target.number, target.order_ids[0], how, ending, message))
        self._reverser.pending.discard(target.number)
        if ending is Ending.REVERSED and target.is_whole:
            self._reverser.reversed.add(target.number)
        self._done += 1
        self._progress("undo", self._done, self._total)

    # Looking at Mews

    async def _survey(self) -> None:
        """One complete look. Raises MewsError, IncompleteError, unless copies are all that it met."""
        try:
            await self._watcher.look()
        except IncompleteError as error:
            if error.lacks_orders:
                raise
            # Reversing copies is what undo is for; that somebody else made them is told in the end.
            self._copied = error
        finally:
            self._result.duplicated.update(self._watcher.duplicated)

    async def _wait(self, reasons: Iterable[LaterError], *, is_first: bool) -> None:
        """Until what keeps orders back can have changed; the first look after an unclear answer comes at once."""
        wait = max((reason.seconds for reason in reasons), default=0.0)
        due = self._watcher.due(all_of_them=True)
        if due is not None and not is_first:
            wait = max(wait, self._session.time.seconds_until(due))
        self._progress("wait for what is unknown", self._done, self._total)
        await self._halt.sleep(wait)
        if due is not None and not self._halt.is_set:
            await self._survey()

    # Stopping

    async def _listen(self) -> None:
        await self._stop.stopping.wait()
        self._result.is_interrupted = True
        self._halt.stop(None)
