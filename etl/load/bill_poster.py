"""Posting on the outlet route: many orders in one request.

Rule: design section 9. How bills travel together is `bill_sender.py`; everything else is `poster.py`: what goes when, the first order, kinds, looks at Mews, the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etl.ledger.ledger import Ledger
from etl.ledger.records import ORDER_PART
from etl.ledger.steps import KindBusyError
from etl.load.batch_queue import BatchQueue
from etl.load.bill_sender import BillSender
from etl.load.bills import Bill, freeze_bill
from etl.load.first_order import FirstOrder
from etl.load.halt import HaltedError
from etl.load.jobs import Job
from etl.load.poster import Poster
from etl.load.session import Reach, RunFacts, Session
from etl.model.outcome import Outcome
from etl.model.states import State, after


class BillCarrier:
    """Sends orders in hand as outlet bills. `most`: bills of one request."""

    def __init__(self, session: Session, first: FirstOrder, most: int) -> None:
        self._session = session
        self._first = first
        self._bills = BillSender(session, most)
        self.posted = 0
        """How many orders Mews took."""

    def limit_of(self, job: Job) -> int:
        """With how many others a job may travel, itself included."""
        return self._bills.limit_of((job.number, job.generation, ORDER_PART))

    async def carry(self, job: Job, *, is_test: bool) -> None:
        """Sends one order alone."""
        del is_test
        await self.carry_all([job])

    async def carry_all(self, jobs: Sequence[Job]) -> None:
        """Sends orders, at best in one request; `job.states` tells what became of each.

        Raises HeldBackError: what was not sent is not under way. Of an order that somebody else decided on meanwhile
        the ledger knows what became.
        """
        by_number = {job.number: job for job in jobs}

        def tell(bill: Bill, outcome: Outcome) -> None:
            state = after(outcome.kind)
            by_number[bill.intent.number].states[ORDER_PART] = state
            self.posted += state is State.POSTED

        await self._bills.send([self._freeze(job) for job in jobs], tell)

    def _freeze(self, job: Job) -> Bill:
        self._first.follow_rounding(job)
        return freeze_bill(job, self._session.facts)


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

    async def _carry(self, jobs: Sequence[Job]) -> None:
        """Sends jobs; of several, none tries a kind, and a return that waits for its own order is put aside."""
        if len(jobs) == 1:
            await super()._carry(jobs)
            return
        if self._halt.is_set:
            return
        mine = [job for job in jobs if self._returns.may_go(job)]
        going: list[Job] = []
        self._busy.update(job.number for job in mine)
        try:
            going = [job for job in mine if await self._has_account(job)]
            await self._carrier.carry_all(going)
        except HaltedError:
            # Nothing of the rest left; the ledger says so.
            pass
        except KindBusyError:
            # Nor here: what is left is offered again once more is known of the kind.
            await self._share.wait_for_kind()
            for job in going:
                if job.states.get(ORDER_PART) is State.READY:
                    self._kinds.park(job)
            self._reconsider()
        finally:
            self._busy.difference_update(job.number for job in mine)
        for job in mine:
            if job.states.get(ORDER_PART) is not State.READY:
                self._conclude(job)
                self._release_children(job)
