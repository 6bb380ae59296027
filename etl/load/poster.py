"""Posting: each order is reserved on disk, sent, and its fate recorded; whatever fails, never twice.

Rule: design section 7. One `Poster` serves one run. The state machine is `steps.py`, looking at Mews is
`survey.py`; this module decides what is sent when, and when to stop.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar

from etl.errors import InternalError, LedgerError, MewsError, StoppedError
from etl.load.commit import Committer
from etl.load.customers import Answer, Customers, HeldBack, Pace, book_account, email_of, orphan
from etl.load.first_order import FirstOrder
from etl.load.halt import Halt, HaltedError, cancel
from etl.load.jobs import Chooser, Job, Step, needs_of_part, needs_record
from etl.load.kind_record import refusal_of
from etl.load.kinds import Kinds
from etl.load.ledger import Checkpoint, Ledger
from etl.load.ports import (
    CustomerReader,
    CustomerWriter,
    Limiter,
    LinkedReservation,
    Predictions,
    Reader,
    Sleep,
    Writer,
)
from etl.load.records import ORDER_PART, Clock, LedgerOrder
from etl.load.result import LoadResult
from etl.load.scan import MewsTime, Progress
from etl.load.sender import RunFacts, Sender, WindowPassedError
from etl.load.signs import IncompleteError
from etl.load.standing import Standing, standing
from etl.load.steps import NotReady
from etl.load.stop import StopFlag
from etl.load.survey import Survey, Surveyor
from etl.load.traffic import Traffic
from etl.model.identity import Identity
from etl.model.plan import Basis, PlannedOrder, order_payload, payment_payload
from etl.model.states import State, worst

T = TypeVar("T")

CHUNK = 200
SCAN_SECONDS = 180.0
"""A run looks for foreign orders this often (design 7.6: every few minutes)."""
SURVEY_TRIES = 4
TAKEOVER_SECONDS = 5
"""A writer on another host that lost its lock may still send what it intended this long ago (design 7.2)."""
KIND_REFUSED = "kind.refused"
_FINAL = ("mews.credentials", "mews.address", "mews.refused")
"""Codes of faults that trying again does not mend."""


class Poster:
    """Sends what the ledger says is not sent yet. Shape: use once.

    `window_start`: Mews's now -> the earliest consumption that Mews takes then. `identity_store`: the store's
    name in identifiers. `basis`: the enterprise's. `linked_reservation` tells what Mews linked to an OrderId.
    """

    kinds_type: type[Kinds] = Kinds

    def __init__(
        self,
        *,
        ledger: Ledger,
        writer: Writer,
        reader: Reader,
        limiter: Limiter,
        clock: Clock,
        sleep: Sleep,
        rng: random.Random,
        identity_store: str,
        service_id: str,
        settle_seconds: Decimal,
        concurrency: int,
        run_id: str,
        basis: Basis,
        stop: StopFlag,
        window_start: Callable[[datetime], datetime],
        progress: Progress = lambda _stage, _done, _total: None,
        first_order_check: bool = True,
        linked_reservation: LinkedReservation | None = None,
        scan_seconds: float = SCAN_SECONDS,
        checkpoint: Checkpoint = lambda _: None,
        people: tuple[CustomerWriter, CustomerReader] | None = None,
        predictions: Predictions | None = None,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._rng = rng
        self._store = identity_store
        self._settle = timedelta(seconds=float(settle_seconds))
        self._concurrency = concurrency
        self._run_id = run_id
        self._basis = basis
        self._stop = stop
        self._progress = progress
        self._scan_seconds = scan_seconds
        self._checkpoint = ledger.fatal(checkpoint)
        self._time = MewsTime(reader, clock)
        self._commit = Committer(ledger)
        self._halt = Halt(sleep)
        self._traffic = Traffic(limiter, clock, rng, self._halt)
        self._sender = Sender(
            writer,
            self._commit,
            self._time,
            clock,
            traffic=self._traffic,
            halt=self._halt,
            facts=RunFacts(run_id, identity_store, basis, window_start),
            checkpoint=self._checkpoint,
        )
        self._first = FirstOrder(
            ledger,
            reader,
            clock,
            self._halt,
            patience=self._settle.total_seconds() / 2 + 1,
            linked_reservation=linked_reservation,
            predictions=predictions,
            is_wanted=first_order_check,
        )
        self._chooser = Chooser(identity_store, basis, run_id)
        self._busy: set[str] = set()
        self._surveyor = Surveyor(
            ledger,
            reader,
            self._time,
            service_id=service_id,
            store=identity_store,
            settle=self._settle,
            run_id=run_id,
            is_busy=self._busy.__contains__,
            checkpoint=self._checkpoint,
        )
        self._nameless: dict[str, list[Job]] = {}
        self._result = LoadResult()
        self._draining = False
        self._queue: asyncio.Queue[Job] = asyncio.Queue()
        self._room = asyncio.Semaphore(2 * concurrency)
        self._customers = None if people is None else self._make_customers(*people)
        self._waiting: dict[str, PlannedOrder] = {}
        self._held: dict[str, list[Job]] = {}
        self._survey_lock = asyncio.Lock()
        self._last_survey: float | None = None
        self._background: list[asyncio.Task[None]] = []
        self._done = 0
        self._kinds = Kinds(ledger, run_id)
        self._limit: int | None = None
        self._fed = 0

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
        if self._customers is not None:
            self._customers.retries = retry_rejected
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
            await cancel([body, leave, listen, *self._background])
            self._result.stop = self._halt.error
            self._result.begun = self._fed
        return self._result

    async def _body(
        self, orders: Iterable[PlannedOrder], limit: int | None, chooser: Chooser, *, no_wait: bool
    ) -> None:
        self._kinds = self.kinds_type(self._ledger, self._run_id, retries=chooser.retry)
        self._limit = limit
        try:
            await self._begin()
            self._background = [asyncio.ensure_future(self._work()) for _ in range(self._concurrency)]
            self._background.append(asyncio.ensure_future(self._watch()))
            await self._feed(iter(orders), chooser, no_wait=no_wait)
            await self._settle_down(no_wait=no_wait)
        except (LedgerError, MewsError, StoppedError) as error:
            self._halt.stop(error)
            await self._guard(self._queue.join())
        await self._look_back_after_stop()

    # Beginning

    async def _begin(self) -> None:
        """Mews's clock, what a dead process left behind, and the first look where something is in doubt."""
        await self._time.sync()
        taken = self._ledger.taken_from
        extra = TAKEOVER_SECONDS if taken is not None and self._is_foreign(taken.holder.host) else 0
        sent_before = self._time.latest() + timedelta(seconds=extra)
        with self._ledger.steps() as steps:
            steps.start_settling(sent_before)
            orphan(steps, sent_before)
        self._checkpoint("run.begun")
        self._kinds.begin()
        if self._ledger.to_recheck() or self._ledger.unsettled():
            await self._survey(recheck_floor=0)

    def _is_foreign(self, host: str) -> bool:
        mine = self._ledger.holder()
        return mine is None or mine.holder.host != host

    # Feeding

    async def _feed(self, orders: Iterator[PlannedOrder], chooser: Chooser, *, no_wait: bool) -> None:
        while not self._halt.is_set and (chunk := list(islice(orders, CHUNK))):
            await self._look_for_customers(chunk)
            for job in self._jobs(chunk, chooser):
                if self._halt.is_set or not self._is_within_limit(job) or not self._offer(job):
                    continue
                await self._dispatch(job, no_wait=no_wait)
            # Other tasks get their turn even where nothing is left to send.
            await asyncio.sleep(0)

    def _jobs(self, chunk: list[PlannedOrder], chooser: Chooser) -> list[Job]:
        """The chunk's orders that have something to send."""
        numbers = [order.number for order in chunk]
        known = self._ledger.lookup(numbers)
        chunk = self._with_accounts(chunk, known)
        fresh = [order for order in chunk if needs_record(known.get(order.number), order, self._run_id)]
        if fresh:
            self._ledger.record_plan(self._run_id, fresh)
            known.update(self._ledger.lookup([order.number for order in fresh]))
        parts = self._ledger.parts(numbers)
        chooser = replace(chooser, held=self._kinds.held)
        steps: list[Step] = []
        jobs, held_back = [], []
        for order in chunk:
            row, own = known[order.number], list[Step]()
            job = chooser.job(order, row, parts.get(order.number, []), own)
            if job is None:
                steps += own
                self._leave(order, row)
            elif self._kinds.holding(job) is None:
                steps += own
                jobs.append(job)
            elif standing(row, order, self._store, self._run_id) is Standing.READY:
                # Also one that was refused and changed since: ready again, it is blocked like the others.
                steps += own
                held_back.append(job)
            else:
                # Refused or undone, it stays what it is: nothing of a held kind is sent.
                self._leave(order, row)
        if steps:
            with self._ledger.steps(numbers) as writing:
                for step in steps:
                    step(writing)
            again = [job.order for job in jobs if job.generation > known[job.number].generation]
            self._ledger.record_plan(self._run_id, again)
        self._block_held(held_back)
        return jobs

    def _leave(self, order: PlannedOrder, row: LedgerOrder) -> None:
        """Nothing to send now; an unknown order may have to be sent again once it is proved absent."""
        if row.state in (State.UNKNOWN, State.IN_FLIGHT):
            self._waiting[order.number] = order
        else:
            self._finish(order.number)

    # Kinds

    def _is_within_limit(self, job: Job) -> bool:
        return job.is_begun or self._limit is None or self._fed < self._limit

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
        if self._kinds.is_open(job) and not self._parent_is_posted(job):
            return False
        if not self._kinds.admit(job):
            return False
        self._fed += not job.is_begun
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
            self._queue.put_nowait(job)

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
            await self._guard(self._queue.join())
            job = None if self._is_spent else self._kinds.take_stuck()
            if job is None:
                return
            await self._dispatch(job, no_wait=no_wait)
            await self._guard(self._queue.join())
            await self._settle_customers(no_wait=no_wait)
            await self._drain(no_wait=no_wait)

    @property
    def _is_spent(self) -> bool:
        return self._limit is not None and self._fed >= self._limit

    async def _dispatch(self, job: Job, *, no_wait: bool) -> None:
        if self._last_survey is None:
            # Before the first write, whoever sends it: does Mews hold orders that this ledger knows nothing of?
            await self._survey(recheck_floor=None)
        if self._first.is_unchecked:
            await self._send_first(job, no_wait=no_wait)
            self._reconsider()
        else:
            await self._put(job)

    async def _put(self, job: Job) -> None:
        if self._room.locked():
            await self._guard(self._room.acquire())
        else:
            await self._room.acquire()
        job.has_room = True
        self._queue.put_nowait(job)

    # Working

    async def _work(self) -> None:
        while True:
            job = await self._queue.get()
            if job.has_room:
                job.has_room = False
                self._room.release()
            try:
                await self._carry(job)
            except (LedgerError, MewsError, StoppedError, InternalError) as error:
                self._halt.stop(error)
            finally:
                self._queue.task_done()

    async def _carry(self, job: Job) -> None:
        """Sends what a job has to send; what it found out about kinds lets others go on."""
        await self._carry_parts(job)
        if self._kinds.is_test(job):
            self._kinds.end(job)
            self._reconsider()

    async def _carry_parts(self, job: Job) -> None:
        """Sends what a job has to send; a return that waits for its own order is put aside."""
        if self._halt.is_set or not self._parent_is_posted(job):
            return
        self._busy.add(job.number)
        try:
            if not await self._has_account(job):
                return
            await self._send_parts(job)
        except (HaltedError, HeldBack):
            # Nothing of it left; the ledger says so.
            return
        except WindowPassedError:
            await self._block(job, "window.passed", "the editable window moved past the order before it was sent")
        except NotReady:
            # Somebody decided meanwhile, such as a look at Mews that found it: the ledger knows.
            return
        else:
            self._conclude(job)
        finally:
            self._busy.discard(job.number)
        self._release_children(job)

    # Customers

    def _make_customers(self, writer: CustomerWriter, reader: CustomerReader) -> Customers:
        pace = Pace(
            is_halted=lambda: self._halt.is_set,
            meet=self._traffic.meet,
            nap=self._halt.nap,
            patience=self._traffic.be_patient,
            parked=self._halt.parked,
            monotonic=self._clock.monotonic,
        )
        return Customers(
            self._ledger,
            self._commit,
            writer,
            reader,
            self._time,
            pace,
            settle=self._settle,
            run_id=self._run_id,
            checkpoint=self._checkpoint,
        )

    async def _look_for_customers(self, chunk: list[PlannedOrder]) -> None:
        """Whom Mews has by now of those who are to be made: one request for many."""
        emails = {email for order in chunk if (email := email_of(order))}
        if emails and self._customers is not None:
            await self._guard(self._customers.look(emails))

    def _with_accounts(self, chunk: list[PlannedOrder], known: dict[str, LedgerOrder]) -> list[PlannedOrder]:
        """The orders with the accounts of the customers made so far; what was posted keeps its own."""
        emails = {email for order in chunk if (email := email_of(order))}
        if not emails or self._customers is None:
            return chunk
        made = {email: row.customer_id for email, row in self._customers.known(emails).items()}
        settled = []
        for order in chunk:
            row = known.get(order.number)
            account_id = row.account_id if row is not None and row.has_posted else ""
            account_id = account_id or made.get(email_of(order), "")
            settled.append(replace(order, account_id=account_id) if email_of(order) and account_id else order)
        return settled

    async def _has_account(self, job: Job) -> bool:
        """Makes the customer of an order that has none; a job without account is blocked or put aside."""
        if not email_of(job.order):
            return True
        if self._customers is None:
            raise InternalError(f"order {job.number} needs a customer to be made", code="internal.customer")
        answer: Answer = await self._customers.of(job.order)
        if answer.is_open:
            # Mews may be making the customer: the order waits for two looks.
            self._nameless.setdefault(email_of(job.order), []).append(job)
            return False
        if not answer.account_id:
            await self._block(job, answer.code, answer.message)
            return False
        job.order = replace(job.order, account_id=answer.account_id)
        await self._commit.do(job.number, lambda steps: book_account(steps, job.number, answer.account_id))
        return True

    async def _settle_customers(self, *, no_wait: bool) -> None:
        """Orders whose customer was in doubt go on once it is known whether there is one."""
        while self._nameless and self._customers is not None and not self._halt.is_set:
            await self._guard(self._customers.settle(self._nameless, no_wait=no_wait))
            known = self._customers.known(self._nameless)
            for email in [email for email in self._nameless if email in known and not known[email].is_open]:
                for job in self._nameless.pop(email):
                    if not self._first.is_unchecked:
                        self._release(job)
                    elif self._offer(job):
                        await self._send_first(job, no_wait=no_wait)
            await self._guard(self._queue.join())
            if no_wait:
                return

    def _parent_is_posted(self, job: Job) -> bool:
        """Whether the order that a return belongs to is in Mews; else the return is put aside."""
        if not job.order.parent or not job.send_order:
            return True
        parent = self._ledger.order(job.order.parent)
        if parent is not None and parent.has_posted and parent.state is not State.DIFFERENT:
            return True
        self._held.setdefault(job.order.parent, []).append(job)
        return False

    def _release_children(self, job: Job) -> None:
        if job.states.get(ORDER_PART) is State.POSTED:
            for child in self._held.pop(job.number, ()):
                self._release(child)

    def _conclude(self, job: Job) -> None:
        state = worst(job.states.values())
        if state is State.UNKNOWN:
            self._waiting[job.number] = job.order
            return
        self._finish(job.number)

    async def _block(self, job: Job, code: str, message: str) -> None:
        number, generation = job.number, job.generation
        await self._commit.do(number, lambda steps: steps.withdraw(number, generation, code, message))
        self._finish(number)

    async def _send_parts(self, job: Job) -> None:
        identity = Identity(self._store, job.number, job.generation)
        if job.send_order:
            self._follow_rounding(job)
            payload = order_payload(job.order, identity)
            job.states[ORDER_PART] = await self._sender.send(job, ORDER_PART, payload, identity)
            if job.states[ORDER_PART] is State.POSTED:
                self._result.sent += 1
        if job.states.get(ORDER_PART, State.POSTED) is not State.POSTED:
            return
        for payment in job.order.payments:
            if payment.part not in job.payments:
                continue
            job.states.setdefault(payment.part, State.READY)
        refused: set[str] = set()
        for payment in job.order.payments:
            needs = needs_of_part(job.order, payment.part)
            # One refusal tells as much as two.
            if payment.part in job.payments and not refused.intersection(needs):
                payload = payment_payload(job.order, payment, identity, self._basis)
                job.states[payment.part] = await self._sender.send(job, payment.part, payload, identity)
                if job.states[payment.part] is State.REJECTED and self._kinds.is_test(job):
                    refused.update(needs)

    # The first order

    async def _send_first(self, job: Job, *, no_wait: bool) -> None:
        """The first order of a ledger goes alone and is read back before any other is sent."""
        if not job.send_order:
            # Payments of an order that was found in Mews: there is no order of ours to read back yet.
            await self._put(job)
            return
        earlier = self._ledger.first_posted()
        if earlier is not None:
            await self._read_back_first(earlier.number)
            await self._put(job)
            return
        await self._carry(job)
        row = self._ledger.order(job.number)
        if row is not None and row.state is State.UNKNOWN:
            await self._drain(no_wait=no_wait)
            row = self._ledger.order(job.number)
        if self._halt.is_set or row is None:
            return
        if row.has_posted:
            await self._read_back_first(job.number)
        elif row.state is State.UNKNOWN:
            raise StoppedError(
                f"nobody knows yet whether Mews took the first order, {job.number}",
                code="run.first_order",
                hint="Run again: the next run finds out before it sends anything else.",
            )

    async def _read_back_first(self, number: str) -> None:
        self._progress("read back the first order", 0, 1)
        try:
            await self._first.read_back(number)
        finally:
            self._result.first_check = self._first.last_digit

    def _follow_rounding(self, job: Job) -> None:
        order = self._first.follow_rounding(job.order)
        if order is not job.order:
            job.order = order
            self._ledger.record_plan(self._run_id, [order])

    # Looking at Mews

    async def _survey(self, *, recheck_floor: int | None, is_followed: bool = True) -> Survey | None:
        """One complete look, tried a few times; None where the run ends meanwhile. Raises MewsError, LedgerError.

        `is_followed`: what it decides lets other orders go at once, not in the next run.
        """
        async with self._survey_lock:
            for attempt in range(SURVEY_TRIES):
                if self._halt.is_set:
                    return None
                try:
                    survey = await self._surveyor.survey(recheck_floor=recheck_floor)
                except IncompleteError as error:
                    self._result.duplicated.update(error.duplicated)
                    raise
                except MewsError as error:
                    if attempt + 1 == SURVEY_TRIES or error.code in _FINAL:
                        # Before the lock is free: whoever waits for it must not ask again.
                        self._halt.stop(error)
                        raise
                    await self._halt.nap(2.0**attempt * (0.75 + 0.5 * self._rng.random()))
                    continue
                break
            self._last_survey = self._clock.monotonic()
        self._result.surveys += 1
        self._result.strangers = max(self._result.strangers, survey.strangers)
        self._result.duplicated.update(survey.duplicated)
        if is_followed:
            self._follow(survey)
        return survey

    def _follow(self, survey: Survey) -> None:
        """What was proved absent is sent again; what was found lets its returns go."""
        for number, _, _ in survey.absent:
            self._resend(number)
        for number, _, part in survey.found:
            if part == ORDER_PART:
                self._resend(number)
                for child in self._held.pop(number, ()):
                    self._release(child)
        if survey.found or survey.absent or survey.gave_up:
            self._kinds.settle()
            self._reconsider()

    def _resend(self, number: str) -> None:
        """What of a waiting order is ready now goes back to the workers."""
        order = self._waiting.get(number)
        row = self._ledger.order(number)
        if order is None or row is None or self._halt.is_set:
            return
        if row.plan_run_id != self._run_id or row.state is State.READY:
            self._ledger.record_plan(self._run_id, [order])
            row = self._ledger.order(number) or row
        steps: list[Step] = []
        parts = self._ledger.parts([number]).get(number, [])
        self._kinds.settle()
        job = replace(self._chooser, held=self._kinds.held).job(order, row, parts, steps)
        if job is not None and not steps:
            del self._waiting[number]
            job.is_begun = True
            self._release(job)

    async def _watch(self) -> None:
        """Every few minutes, and when an unknown order is due, the service is looked at; new orders go on."""
        while not self._halt.is_set:
            wait = self._until_next_survey()
            if wait > 0 or self._draining:
                wait = wait if wait > 0 else 1.0
                await self._halt.nap(min(wait, max(self._settle.total_seconds() / 4, 0.05)))
                continue
            try:
                await self._halt.unless(self._survey(recheck_floor=None))
            except (LedgerError, MewsError, StoppedError) as error:
                self._halt.stop(error)

    def _until_next_survey(self) -> float:
        last = self._last_survey if self._last_survey is not None else self._clock.monotonic()
        now = self._clock.monotonic()
        wait = last + self._scan_seconds - now
        due = self._surveyor.due(all_of_them=False)
        if due is not None:
            until_due = (due - self._time.now()).total_seconds()
            wait = min(wait, max(until_due, last + self._settle.total_seconds() / 2 - now))
        return wait

    # Ending

    async def _settle_down(self, *, no_wait: bool) -> None:
        """All orders were fed: finish them, resolve the unknown, let the returns go, look again at resends."""
        await self._guard(self._queue.join())
        await self._settle_customers(no_wait=no_wait)
        await self._drain(no_wait=no_wait)
        await self._try_several(no_wait=no_wait)
        await self._block_orphans()
        await self._look_back(no_wait=no_wait)

    async def _look_back(self, *, no_wait: bool) -> None:
        """The closing look: what was sent more than once, and what somebody else did to these orders meanwhile.

        Also where nothing was sent: a ledger from before an undo shows nowhere else. What is found only there lets its
        payments and returns go, which are looked at in their turn. Raises LedgerError, MewsError.
        """
        looked_at = 0
        while not self._halt.is_set:
            again = any(part.recheck > 1 for part in self._ledger.to_recheck())
            if not again and self._sender.writes == looked_at and self._last_survey is not None:
                return
            looked_at = self._sender.writes
            await self._survey(recheck_floor=1 if again else None, is_followed=not no_wait)
            await self._drain(no_wait=no_wait)

    async def _look_back_after_stop(self) -> None:
        """The closing look of a run that stopped itself: Mews answers, and what was sent may stand there twice."""
        is_own = isinstance(self._halt.error, StoppedError) and not self._result.is_interrupted
        if not is_own or not self._sender.writes:
            return
        try:
            self._result.duplicated.update((await self._surveyor.survey()).duplicated)
        except IncompleteError as error:
            self._result.duplicated.update(error.duplicated)
            self._halt.error = error
        except (LedgerError, MewsError):
            # The run has its reason already; the next one looks before it sends anything.
            return

    async def _drain(self, *, no_wait: bool) -> None:
        """Waits until no order is unknown any more, sending again what was proved absent."""
        self._draining = True
        try:
            first_look = True
            while not self._halt.is_set:
                await self._guard(self._queue.join())
                due = self._surveyor.due(all_of_them=True)
                if due is None or no_wait:
                    return
                self._progress("wait for what is unknown", self._done, len(self._waiting))
                if not first_look:
                    await self._halt.nap((due - self._time.now()).total_seconds())
                if not self._halt.is_set:
                    # The first look finds what only lost its answer; nothing is proved absent by it.
                    await self._guard(self._survey(recheck_floor=None))
                first_look = False
        finally:
            self._draining = False

    async def _block_orphans(self) -> None:
        """Returns whose own order will not be in Mews after this run."""
        if self._halt.is_set:
            return
        held, self._held = self._held, {}
        for parent, jobs in held.items():
            row = self._ledger.order(parent)
            if row is not None and row.state in (State.READY, State.UNKNOWN, State.IN_FLIGHT):
                # Left for a later run, like its own order.
                continue
            for job in jobs:
                await self._block(job, "return.parent", f"its order {parent} is not in Mews")

    def _finish(self, number: str) -> None:
        """Nothing more is to be done about an order, for the eye: what became of it, the ledger says."""
        self._waiting.pop(number, None)
        self._done += 1
        self._progress("post", self._done, 0)

    # Stopping

    async def _listen(self) -> None:
        await self._stop.stopping.wait()
        self._result.is_interrupted = True
        self._halt.stop(None)

    async def _guard(self, awaitable: Awaitable[T] | Coroutine[Any, Any, T]) -> T:
        """The awaitable's result, unless a worker dies first: then what it died of."""
        task = asyncio.ensure_future(awaitable)
        try:
            while not task.done():
                await asyncio.wait({task, *self._background}, return_when=asyncio.FIRST_COMPLETED)
                for worker in tuple(self._background):
                    if worker.done():
                        self._background.remove(worker)
                        worker.result()
            return await task
        finally:
            if not task.done():
                await cancel([task])
