"""Posting on the outlet route: many orders in one request, down to the one bad bill where Mews refuses it.

Rule: design section 9. Everything else is `poster.py`: what goes when, the first order, kinds, looks at Mews, the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from math import isqrt
from typing import Any

from etl.errors import InternalError, LedgerError, MewsError, StoppedError
from etl.ledger.ledger import Ledger
from etl.ledger.records import ORDER_PART
from etl.ledger.steps import NotReady
from etl.load import refusals
from etl.load.batch_queue import BatchQueue
from etl.load.bills import LARGEST_BODY, Bill, batches, bills_request, freeze_bill, is_refused_together
from etl.load.first_order import FirstOrder
from etl.load.halt import HaltedError
from etl.load.jobs import Job
from etl.load.poster import Poster
from etl.load.session import Reach, RunFacts, Session
from etl.model.outcome import Kind
from etl.model.states import State, after


class BillCarrier:
    """Sends orders in hand as outlet bills. `most`: bills of one request."""

    def __init__(self, session: Session, first: FirstOrder, most: int) -> None:
        self._session = session
        self._first = first
        self._most = most
        self._largest = LARGEST_BODY
        self._refused: dict[str, int] = {}
        self._proved = asyncio.Event()
        self._proved.set()
        self.posted = 0
        """How many orders Mews took."""

    def limit_of(self, job: Job) -> int:
        """With how many others a job may travel, itself included: with few, where it was refused among many.

        Where Mews may keep a part of what it refuses, each further refusal costs two scans: the steps are larger.
        """
        count = self._refused.get(job.number)
        if count is None:
            return self._most
        if refusals.verdict(self._session.ledger) is refusals.Keep.NOTHING:
            return (count + 1) // 2
        return 1 if self._is_proof(job) else isqrt(count)

    def _is_proof(self, job: Job) -> bool:
        return job.number in self._refused and job.number == refusals.proving(self._session.ledger)

    async def carry(self, job: Job, *, is_test: bool) -> None:
        """Sends one order alone."""
        del is_test
        await self.carry_all([job])

    async def carry_all(self, jobs: Sequence[Job]) -> None:
        """Sends orders, at best in one request; `job.states` tells what became of each.

        Raises HeldBackError: what was not sent is not under way. Of an order that somebody else decided on meanwhile
        the ledger knows what became.
        """
        if len(jobs) == 1 and self._is_proof(jobs[0]):
            self._proved.clear()
            try:
                await self._carry_on(jobs)
            finally:
                self._proved.set()
            return
        if any(job.number in self._refused for job in jobs):
            # What its answer tells may spare these two scans.
            await self._proved.wait()
        await self._carry_on(jobs)

    async def _carry_on(self, jobs: Sequence[Job]) -> None:
        bills = [self._freeze(job) for job in jobs]
        todo = batches(bills, lambda bill: self.limit_of(bill.job), self._largest)
        while todo:
            if self._session.halt.is_set:
                raise HaltedError
            largest = self._largest
            todo[:1] = await self._send(todo[0])
            if self._largest < largest:
                # What Mews takes at once was learned: nothing larger is tried again.
                rest = [bill for batch in todo for bill in batch]
                todo = batches(rest, lambda bill: self.limit_of(bill.job), self._largest)

    async def _send(self, bills: Sequence[Bill]) -> list[list[Bill]]:
        """One request. Shape: what of it is to be sent again at once, in smaller ones."""
        is_alone = len(bills) == 1
        try:
            outcome = await self._session.sender.send(bills_request(bills, self._session.ledger))
        except NotReady:
            # Of one of them, somebody decided meanwhile, such as a look at Mews that found it; nothing was sent.
            return [] if is_alone else _halves(bills)
        if not is_alone and outcome.kind in (Kind.SPLIT, Kind.CONFLICT):
            if outcome.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                self._largest = min(self._largest, sum(len(bill.content) for bill in bills) // 2 + 1)
            return _halves(bills)
        state = after(outcome.kind)
        for bill in bills:
            bill.job.states[ORDER_PART] = state
            if is_refused_together(outcome):
                self._refused[bill.job.number] = len(bills)
            elif state is not State.UNKNOWN:
                self._refused.pop(bill.job.number, None)
        self.posted += len(bills) if state is State.POSTED else 0
        return []

    def _freeze(self, job: Job) -> Bill:
        self._first.follow_rounding(job)
        return freeze_bill(job, self._session.facts)


def _halves(bills: Sequence[Bill]) -> list[list[Bill]]:
    middle = (len(bills) + 1) // 2
    return [list(bills[:middle]), list(bills[middle:])]


class BillPoster(Poster):
    """Sends what the ledger says is not sent yet, as bills of one outlet. Shape: as `Poster`."""

    _queue: BatchQueue
    _carrier: BillCarrier  # type: ignore[assignment]

    def __init__(self, ledger: Ledger, reach: Reach, facts: RunFacts, **more: Any) -> None:
        super().__init__(ledger, reach, facts, **more)
        most = facts.bills_per_request
        self._carrier = BillCarrier(self._session, self._first, most)
        self._queue = BatchQueue(self._crew, 2 * most, self._limit_of)

    def _limit_of(self, job: Job) -> int:
        # One that tries a kind for all others goes alone, so that its refusal is definite.
        return 1 if self._kinds.is_test(job) else self._carrier.limit_of(job)

    async def _look_back(self, *, no_wait: bool) -> None:
        """The closing look reads the ids back, too; reads may lag behind the last request."""
        await super()._look_back(no_wait=no_wait)
        if self._ledger.lacks_ids() and not no_wait and not self._halt.is_set:
            await self._halt.sleep(self._session.facts.settle.total_seconds() / 2 + 1)
            await self._survey(recheck_floor=None)
            await self._drain(no_wait=no_wait)

    async def _work(self) -> None:
        while True:
            jobs = await self._queue.take()
            try:
                await (self._carry(jobs[0]) if len(jobs) == 1 else self._carry_all(jobs))
            except (LedgerError, MewsError, StoppedError, InternalError) as error:
                self._halt.stop(error)
            finally:
                for _ in jobs:
                    self._queue.done()

    async def _carry_all(self, jobs: Sequence[Job]) -> None:
        """Sends jobs none of which tries a kind; a return that waits for its own order is put aside."""
        if self._halt.is_set:
            return
        mine = [job for job in jobs if self._returns.may_go(job)]
        self._busy.update(job.number for job in mine)
        try:
            going = [job for job in mine if await self._has_account(job)]
            await self._carrier.carry_all(going)
        except HaltedError:
            # Nothing of the rest left; the ledger says so.
            pass
        finally:
            self._busy.difference_update(job.number for job in mine)
        for job in mine:
            if job.states.get(ORDER_PART) is not State.READY:
                self._conclude(job)
                self._release_children(job)
