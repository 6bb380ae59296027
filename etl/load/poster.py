"""Posting: each order is reserved on disk, sent, and its fate recorded; whatever fails, never twice.

Rule: design section 7. One `Poster` serves one run. How a request travels is `sender.py`, the state machine `steps.py`,
looking at Mews `watcher.py`; this module decides what is sent when, and when to stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

from etl.errors import InternalError, LedgerError, MewsError, StoppedError
from etl.evidence.scan import Progress
from etl.ledger.kind_record import refusal_of
from etl.ledger.ledger import Checkpoint, Ledger
from etl.ledger.records import ORDER_PART, LedgerOrder
from etl.ledger.steps import KindBusyError, NotReady
from etl.load.carrier import Carrier
from etl.load.crew import Crew, JobQueue
from etl.load.customers import email_of
from etl.load.first_order import FirstCheck, FirstOrder
from etl.load.halt import HaltedError, WindowPassedError, cancel
from etl.load.jobs import Chooser, Job
from etl.load.kinds import Kinds
from etl.load.people import People
from etl.load.picker import pick, pick_again
from etl.load.result import LoadResult
from etl.load.returns import Returns
from etl.load.session import Reach, RunFacts, Session
from etl.load.share import FIRST_ORDER, Share
from etl.load.stop import StopFlag
from etl.load.survey import Survey
from etl.load.watcher import Watcher
from etl.model.plan import PlannedOrder
from etl.model.states import State, worst

CHUNK = 200
KIND_REFUSED = "kind.refused"


class Poster:
    """Sends what the ledger says is not sent yet. Shape: use once. Needs the ledger's lock."""

    kinds_type: type[Kinds] = Kinds
    watcher_type: type[Watcher] = Watcher
    returns_type: type[Returns] = Returns

    def __init__(
        self,
        ledger: Ledger,
        reach: Reach,
        facts: RunFacts,
        *,
        stop: StopFlag,
        progress: Progress = lambda _stage, _done, _total: None,
        checkpoint: Checkpoint = lambda _: None,
        first_check: FirstCheck | None = None,
    ) -> None:
        self._ledger = ledger
        self._stop = stop
        self._progress = progress
        self._store, self._run_id = facts.store, facts.run_id
        self._session = session = Session(ledger, reach, facts, checkpoint)
        self._commit, self._halt, self._time = session.commit, session.halt, session.time
        self._first = FirstOrder(session, first_check or FirstCheck(), progress)
        self._carrier, self._share = Carrier(session, self._first), Share(session)
        self._chooser = Chooser(facts.store, facts.basis, facts.run_id)
        self._busy: set[str] = set()
        self._result = LoadResult()
        self._watcher = self.watcher_type(session, self._busy.__contains__)
        self._people = People(session)
        self._draining = False
        self._waiting: dict[str, PlannedOrder] = {}
        self._returns = self.returns_type(ledger)
        self._crew = Crew()
        self._queue = JobQueue(self._crew, 2 * facts.concurrency)
        self._done = 0
        self._kinds = Kinds(ledger, facts.run_id)
        self._limit: int | None = None
        self._begun = 0

    async def run(
        self,
        orders: Iterable[PlannedOrder],
        *,
        limit: int | None = None,
        no_wait: bool = False,
        retry_rejected: bool = False,
        repost_undone: bool = False,
    ) -> LoadResult:
        """Posts what is not posted yet. `orders`: READY ones only, oldest consumption first, each number once.

        Shape: the result, also where the run stopped (`stop`). Raises only what nobody could foresee.
        Effects: sends, writes the ledger; needs the ledger's lock.
        """
        self._people.retries = retry_rejected
        body = asyncio.ensure_future(
            self._body(
                orders, limit, replace(self._chooser, retry=retry_rejected, repost=repost_undone), no_wait=no_wait
            )
        )
        leave = asyncio.ensure_future(self._stop.leaving.wait())
        listen = asyncio.ensure_future(self._listen())
        try:
            await asyncio.wait({body, leave}, return_when=asyncio.FIRST_COMPLETED)
            if not body.done():
                # What is in flight stays so on disk; the next run settles it.
                self._result.has_left = True
                return self._result
            await body
        finally:
            await cancel([body, leave, listen, *self._crew.tasks])
            self._tell_result()
        return self._result

    def _tell_result(self) -> None:
        result, watcher = self._result, self._watcher
        result.stop, result.begun, result.sent = self._halt.error, self._begun, self._carrier.posted
        result.surveys, result.strangers = watcher.surveys, watcher.strangers
        result.first_check = self._first.last_digit
        result.duplicated.update(watcher.duplicated)

    async def _body(
        self, orders: Iterable[PlannedOrder], limit: int | None, chooser: Chooser, *, no_wait: bool
    ) -> None:
        self._kinds = self.kinds_type(self._ledger, self._run_id, retries=chooser.retry)
        self._limit = limit
        try:
            await self._begin()
            for _ in range(self._session.facts.concurrency):
                self._crew.start(self._work())
            self._crew.start(self._watch())
            await self._feed(iter(orders), chooser, no_wait=no_wait)
            await self._settle_down(no_wait=no_wait)
            while not (no_wait or self._is_spent) and self._share.is_waiting:
                await self._let_go()
                if freed := await self._share.freed():
                    await self._feed(iter(freed), chooser, no_wait=no_wait)
                    await self._settle_down(no_wait=no_wait)
            await self._end(no_wait=no_wait)
        except (LedgerError, MewsError, StoppedError) as error:
            self._halt.stop(error)
            await self._queue.empty()
        if not self._result.is_interrupted:
            await self._watcher.look_back_after_stop()

    async def _begin(self) -> None:
        """Mews's clock, what a dead process left behind, and the first look where something is in doubt."""
        await self._time.sync()
        self._session.start_settling()
        self._session.checkpoint("run.begun")
        self._kinds.begin()
        if self._ledger.to_recheck() or self._ledger.unsettled():
            await self._survey(recheck_floor=0)

    # Feeding

    async def _feed(self, orders: Iterator[PlannedOrder], chooser: Chooser, *, no_wait: bool) -> None:
        while not self._halt.is_set and (stretch := list(islice(orders, self._share.stretch(CHUNK)))):
            chunk, done = self._share.take(stretch)
            for number in done:
                self._finish(number)
            await self._crew.wait_for(self._people.look_for(chunk))
            for job in self._jobs(chunk, chooser):
                if self._halt.is_set or not self._is_within_limit(job) or not self._offer(job):
                    continue
                await self._dispatch(job, no_wait=no_wait)
            # Other tasks get their turn even where nothing is left to send.
            await asyncio.sleep(0)

    def _jobs(self, chunk: list[PlannedOrder], chooser: Chooser) -> list[Job]:
        """The chunk's orders that have something to send."""
        picked = pick(self._session, self._people, self._kinds, chooser, chunk)
        for order, row in picked.left:
            self._leave(order, row)
        self._block_held(picked.held_back)
        return picked.jobs

    def _leave(self, order: PlannedOrder, row: LedgerOrder) -> None:
        """Nothing to send now; an unknown order may have to be sent again once it is proved absent."""
        if row.state in (State.UNKNOWN, State.IN_FLIGHT):
            self._waiting[order.number] = order
        else:
            self._finish(order.number)

    # Kinds

    def _is_within_limit(self, job: Job) -> bool:
        return job.is_begun or self._limit is None or self._begun < self._limit

    def _offer(self, job: Job) -> bool:
        """Whether a job goes now; else it is blocked, or waits for its own order or for what others find out."""
        if reopened := self._kinds.to_reopen(job):
            with self._ledger.steps() as steps:
                for kind in reopened:
                    steps.kinds.reopen(kind)
            self._kinds.reload()
        if self._is_held(job):
            self._block_held([job])
            return False
        # A return that can't go yet must not keep others from trying its kind.
        if self._kinds.is_open(job) and not self._returns.may_go(job):
            return False
        if not self._kinds.admit(job):
            return False
        self._begun += not job.is_begun
        job.is_begun = True
        return True

    def _is_held(self, job: Job) -> bool:
        """Whether nothing of a job may go; where only some of its payments may not, they are left out."""
        return self._kinds.holding(job) is not None and (job.send_order or not self._kinds.trim(job))

    def _release(self, job: Job) -> None:
        """A job that waited goes on, if it may."""
        if not self._is_within_limit(job):
            self._kinds.park(job)
        elif self._offer(job):
            self._queue.put_again(job)

    def _block_held(self, jobs: list[Job]) -> None:
        """Orders of a kind that Mews refused are not sent; what is in Mews keeps its state."""
        unsent = [(job, held) for job in jobs if job.send_order and (held := self._kinds.holding(job))]
        if unsent:
            with self._ledger.steps([job.number for job, _ in unsent]) as steps:
                for job, held in unsent:
                    steps.withdraw(job.number, job.generation, KIND_REFUSED, refusal_of(held))
        for job in jobs:
            self._finish(job.number)

    def _reconsider(self) -> None:
        """Something was found out: the orders that waited for it go on, or are blocked."""
        if self._halt.is_set:
            return
        waiting = self._kinds.take_waiting()
        held = {job.number: job for job in waiting if self._is_held(job)}
        self._block_held(list(held.values()))
        for job in waiting:
            if job.number in held:
                continue
            if self._first.is_unchecked:
                # It goes alone and is read back, as long as no other was.
                self._kinds.park(job)
            else:
                self._release(job)

    async def _try_several(self, *, no_wait: bool) -> None:
        """Orders of several kinds that no other order can try: the oldest tries them all, then the next."""
        while not self._halt.is_set:
            self._reconsider()
            await self._queue.empty()
            job = None if self._is_spent else self._kinds.take_stuck()
            if job is None:
                return
            await self._dispatch(job, no_wait=no_wait)
            await self._queue.empty()
            await self._settle_people(no_wait=no_wait)
            await self._drain(no_wait=no_wait)

    @property
    def _is_spent(self) -> bool:
        return self._limit is not None and self._begun >= self._limit

    async def _dispatch(self, job: Job, *, no_wait: bool) -> None:
        if not self._watcher.has_looked:
            # Before the first write, whoever sends it: does Mews hold orders that this ledger knows nothing of?
            await self._survey(recheck_floor=None)
        if self._first.is_unchecked and await self._share.turn(FIRST_ORDER, lambda: not self._first.is_unchecked):
            try:
                await self._send_first(job, no_wait=no_wait)
            finally:
                self._share.give(FIRST_ORDER)
            self._reconsider()
        else:
            await self._queue.put(job)

    # Working

    async def _work(self) -> None:
        while True:
            jobs = await self._queue.take()
            try:
                await self._carry(jobs)
            except (LedgerError, MewsError, StoppedError, InternalError) as error:
                self._halt.stop(error)
            finally:
                self._queue.done(len(jobs))

    async def _carry(self, jobs: Sequence[Job]) -> None:
        """Sends what one job has to send; what it found out about kinds lets others go on."""
        await self._carry_parts(job := jobs[0])
        if self._kinds.is_test(job):
            self._kinds.end(job)
            self._reconsider()

    async def _carry_parts(self, job: Job) -> None:
        """Sends what a job has to send; a return that waits for its own order is put aside."""
        if self._halt.is_set or not self._returns.may_go(job):
            return
        self._busy.add(job.number)
        try:
            if not await self._has_account(job):
                return
            await self._carrier.carry(job, is_test=self._kinds.is_test(job))
        except WindowPassedError:
            await self._block(job, "window.passed", "the editable window moved past the order before it was sent")
        except KindBusyError:
            await self._share.wait_for_kind()
            self._kinds.park(job)
            return
        except (HaltedError, NotReady):
            # Nothing of it left, or somebody decided meanwhile, such as a look that found it: the ledger knows.
            return
        else:
            self._conclude(job)
        finally:
            self._busy.discard(job.number)
        self._release_children(job)

    # Customers

    async def _has_account(self, job: Job) -> bool:
        """Makes the customer of an order that has none; a job without account is blocked or put aside."""
        if not email_of(job.order):
            return True
        answer = await self._people.charge(job)
        if answer.is_open:
            # Mews may be making the customer: the order waits for two looks.
            return False
        if not answer.account_id:
            await self._block(job, answer.code, answer.message)
        return bool(answer.account_id)

    async def _settle_people(self, *, no_wait: bool) -> None:
        """Orders whose customer was in doubt go on once it is known whether there is one."""
        while self._people.waiting and not self._halt.is_set:
            await self._crew.wait_for(self._people.settle(no_wait=no_wait))
            for job in self._people.take_settled():
                if self._offer(job):
                    await self._dispatch(job, no_wait=no_wait)
            await self._queue.empty()
            if no_wait:
                return

    def _release_children(self, job: Job) -> None:
        if job.states.get(ORDER_PART) is State.POSTED:
            for child in self._returns.take_of(job.number):
                self._release(child)

    def _conclude(self, job: Job) -> None:
        state = worst(job.states.values())
        if state is State.UNKNOWN:
            self._waiting[job.number] = job.order
            return
        self._finish(job.number)

    async def _block(self, job: Job, code: str, message: str) -> None:
        number, generation = job.number, job.generation
        await self._commit.do(lambda steps: steps.withdraw(number, generation, code, message), number)
        self._finish(number)

    # The first order

    async def _send_first(self, job: Job, *, no_wait: bool) -> None:
        """The first order of a ledger goes alone and is read back before any other is sent."""
        await self._first.send(job, self._queue.put, self._carry, partial(self._drain, no_wait=no_wait))

    # Looking at Mews

    async def _survey(self, *, recheck_floor: int | None, is_followed: bool = True) -> None:
        """One complete look. Raises MewsError, LedgerError.

        `is_followed`: what it decides lets other orders go at once, not in the next run.
        """
        survey = await self._watcher.look(recheck_floor=recheck_floor)
        if survey is not None and is_followed:
            self._follow(survey)

    def _follow(self, survey: Survey) -> None:
        """What was proved absent is sent again; what was found lets its returns go."""
        for number, _, _ in survey.absent:
            self._resend(number)
        for number, _, part in survey.found:
            if part == ORDER_PART:
                self._resend(number)
                for child in self._returns.take_of(number):
                    self._release(child)
        if survey.found or survey.absent or survey.gave_up:
            self._kinds.settle()
            self._reconsider()

    def _resend(self, number: str) -> None:
        """What of a waiting order is ready now goes back to the workers."""
        order = self._waiting.get(number)
        if order is None or self._halt.is_set:
            return
        job = pick_again(self._session, self._kinds, self._chooser, order)
        if job is not None:
            del self._waiting[number]
            job.is_begun = True
            self._release(job)

    async def _watch(self) -> None:
        """Every few minutes, and when an unknown order is due, the service is looked at; new orders go on."""
        while not self._halt.is_set:
            wait = self._watcher.seconds_until_next()
            if wait > 0 or self._draining:
                await self._halt.sleep(self._watcher.shortest(wait if wait > 0 else 1.0))
                continue
            try:
                await self._halt.unless(self._survey(recheck_floor=None))
            except (LedgerError, MewsError, StoppedError) as error:
                self._halt.stop(error)

    # Ending

    async def _settle_down(self, *, no_wait: bool) -> None:
        """All orders were fed: finish them, resolve the unknown, try what several kinds need."""
        await self._queue.empty()
        await self._settle_people(no_wait=no_wait)
        await self._drain(no_wait=no_wait)
        await self._try_several(no_wait=no_wait)

    async def _let_go(self) -> None:
        """Others may wait for what is in this run's hand while it waits for theirs: what it does nothing more about is free."""
        if await self._release_returns():
            await self._settle_down(no_wait=False)
        await self._block_returns(self._returns.take_decided())
        self._share.let_go(self._returns.keep(self._share.may_come))

    async def _release_returns(self) -> bool:
        """The returns whose order another run has posted go. Shape: whether there were any."""
        ready = self._returns.take_ready()
        for job in ready:
            self._release(job)
        await self._queue.empty()
        return bool(ready)

    async def _block_returns(self, orphans: Iterable[tuple[str, Job]]) -> None:
        for why, orphan in orphans:
            await self._block(orphan, "return.parent", why)

    async def _end(self, *, no_wait: bool) -> None:
        """Nothing else is left to be sent: returns go, or are blocked without their order; look again at resends."""
        if await self._release_returns():
            await self._settle_people(no_wait=no_wait)
        if not self._halt.is_set:
            await self._block_returns(self._returns.take_orphans())
        await self._look_back(no_wait=no_wait)

    async def _look_back(self, *, no_wait: bool) -> None:
        """The closing look: what was sent more than once, and what somebody else did to these orders meanwhile.

        Also where nothing was sent: a ledger from before an undo shows nowhere else. What is found only there lets its
        payments and returns go, which are looked at in their turn. Raises LedgerError, MewsError.
        """
        looked_at = 0
        while not self._halt.is_set:
            again = any(part.recheck > 1 for part in self._ledger.to_recheck())
            writes = self._session.sender.writes
            if not again and writes == looked_at and self._watcher.has_looked:
                return
            looked_at = writes
            await self._survey(recheck_floor=1 if again else None, is_followed=not no_wait)
            await self._drain(no_wait=no_wait)

    async def _drain(self, *, no_wait: bool) -> None:
        """Waits until no order is unknown any more, sending again what was proved absent."""
        self._draining = True
        try:
            first_look = True
            while not self._halt.is_set:
                await self._queue.empty()
                due = self._watcher.due(all_of_them=True)
                if due is None or no_wait:
                    return
                self._progress("wait for what is unknown", self._done, len(self._waiting))
                if not first_look:
                    await self._halt.sleep(self._time.seconds_until(due))
                if not self._halt.is_set:
                    # The first look finds what only lost its answer; nothing is proved absent by it.
                    await self._crew.wait_for(self._survey(recheck_floor=None))
                first_look = False
        finally:
            self._draining = False

    def _finish(self, number: str) -> None:
        """Nothing more is to be done about an order, for the eye: what became of it, the ledger says."""
        self._waiting.pop(number, None)
        self._done += 1
        self._progress("post", self._done, 0)

    async def _listen(self) -> None:
        await self._stop.stopping.wait()
        self._result.is_interrupted = True
        self._halt.stop(None)
