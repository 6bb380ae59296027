"""Posting: each order is reserved on disk, sent, and its fate recorded; whatever fails, never twice.

Rule: design section 7. One `Poster` serves one run. The state machine is `steps.py`, looking at Mews is
`survey.py`; this module decides what is sent when, and when to stop.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar

from etl.errors import EtlError, ExitCode, InternalError, LedgerError, MewsError, StoppedError
from etl.load.breaker import Breaker
from etl.load.commit import Committer
from etl.load.compare import compare_items, compare_predicted, observed_amounts
from etl.load.customers import Answer, Customers, HeldBack, Pace, book_account, email_of, orphan
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
from etl.load.records import ORDER_PART, RECOVERED_RUN, Clock, LedgerOrder, Part, PartKind, dumps, loads
from etl.load.scan import MewsTime, Progress, identity_of, items_of
from etl.load.standing import Standing, change, standing
from etl.load.steps import Intent, NotReady, Steps
from etl.load.stop import StopFlag
from etl.load.survey import Survey, Surveyor
from etl.model.identity import RECIPE_VERSION, Identity, content_hash
from etl.model.outcome import Kind, Outcome
from etl.model.plan import Basis, PlannedOrder, order_payload, payment_payload
from etl.model.states import State, worst

T = TypeVar("T")

CHUNK = 200
SCAN_SECONDS = 180.0
"""A run looks for foreign orders this often (design 7.6: every few minutes)."""
CONFLICT_TRIES = 4
SURVEY_TRIES = 4
TAKEOVER_SECONDS = 5
"""A writer on another host that lost its lock may still send what it intended this long ago (design 7.2)."""
FIRST_CHECK = "first_check"
_FINAL = ("mews.credentials", "mews.address", "mews.refused")
"""Codes of faults that trying again does not mend."""


@dataclass(slots=True)
class LoadResult:
    """What one run did with the orders it was given. `counts` has each of them in one standing.

    `stop`: why it ended early; None where it did not. `is_counted` is false where it was left before all
    orders were counted (second Ctrl-C). `duplicated`: orders that Mews holds more than once, with OrderIds.
    `first_check`: how the first order's booked amounts differ in the last digit of a tax.
    """

    counts: Counter[Standing] = field(default_factory=Counter)
    sent: int = 0
    stop: EtlError | None = None
    is_interrupted: bool = False
    is_counted: bool = True
    duplicated: dict[str, tuple[str, ...]] = field(default_factory=dict)
    first_check: tuple[str, ...] = ()
    strangers: int = 0
    surveys: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """What the run's orders and its end say; the command adds what it knows besides."""
        if self.stop is not None:
            return self.stop.exit_code
        if self.is_interrupted:
            return ExitCode.INTERRUPTED
        attention = (Standing.BLOCKED, Standing.REJECTED, Standing.UNKNOWN, Standing.CHANGED, Standing.DIFFERENT)
        if self.duplicated or any(self.counts[name] for name in attention):
            return ExitCode.ATTENTION
        return ExitCode.DONE


@dataclass(slots=True)
class _Job:
    """One order in a worker's hands. `states`: of its parts, as this run knows them."""

    order: PlannedOrder
    generation: int
    send_order: bool
    payments: list[str]
    states: dict[str, State]
    has_room: bool = False

    @property
    def number(self) -> str:
        return self.order.number


class _Halted(Exception):  # noqa: N818 - a signal, not an error
    """The run ends; this order was not sent."""


class _WindowPassed(Exception):  # noqa: N818 - a signal, not an error
    """Mews no longer takes the order's consumption."""


@dataclass(slots=True)
class _Sending:
    """One request on its way: whether its intent is on disk, and where it stood on the clock."""

    seq: int = 0
    is_intended: bool = False
    granted_at: float = 0.0


class Poster:
    """Sends what the ledger says is not sent yet. Shape: use once.

    `window_start`: Mews's now -> the earliest consumption that Mews takes then. `identity_store`: the store's
    name in identifiers. `basis`: the enterprise's. `linked_reservation` tells what Mews linked to an OrderId.
    """

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
        self._writer = writer
        self._reader = reader
        self._limiter = limiter
        self._clock = clock
        self._sleep = sleep
        self._rng = rng
        self._store = identity_store
        self._service_id = service_id
        self._settle = timedelta(seconds=float(settle_seconds))
        self._concurrency = concurrency
        self._run_id = run_id
        self._basis = basis
        self._stop = stop
        self._window_start = window_start
        self._progress = progress
        self._checks_first = first_order_check
        self._linked_reservation = linked_reservation
        self._scan_seconds = scan_seconds
        self._checkpoint = ledger.fatal(checkpoint)
        self._time = MewsTime(reader, clock)
        self._commit = Committer(ledger)
        self._breaker = Breaker(rng)
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
        self._predictions = predictions
        self._rounding: str | None = None
        self._nameless: dict[str, list[_Job]] = {}
        self._result = LoadResult()
        self._halt_event = asyncio.Event()
        self._draining = False
        self._queue: asyncio.Queue[_Job] = asyncio.Queue()
        self._room = asyncio.Semaphore(2 * concurrency)
        self._parked: set[asyncio.Future[Outcome]] = set()
        self._customers = None if people is None else self._make_customers(*people)
        self._waiting: dict[str, PlannedOrder] = {}
        self._held: dict[str, list[_Job]] = {}
        self._uncounted: dict[str, PlannedOrder] = {}
        self._survey_lock = asyncio.Lock()
        self._last_survey: float | None = None
        self._background: list[asyncio.Task[None]] = []
        self._done = 0

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
            self._body(orders, limit, no_wait=no_wait, retry_rejected=retry_rejected, repost_undone=repost_undone)
        )
        leave = asyncio.ensure_future(self._stop.leaving.wait())
        listen = asyncio.ensure_future(self._listen())
        try:
            await asyncio.wait({body, leave}, return_when=asyncio.FIRST_COMPLETED)
            if not body.done():
                # What is in flight stays so on disk; the next run settles it.
                self._result.is_counted = False
                return self._result
            await body
        finally:
            await _cancel([body, leave, listen, *self._background])
        return self._result

    async def _body(
        self,
        orders: Iterable[PlannedOrder],
        limit: int | None,
        *,
        no_wait: bool,
        retry_rejected: bool,
        repost_undone: bool,
    ) -> None:
        rest = iter(orders)
        try:
            await self._begin()
            self._background = [asyncio.ensure_future(self._work()) for _ in range(self._concurrency)]
            self._background.append(asyncio.ensure_future(self._watch()))
            await self._feed(rest, limit, no_wait=no_wait, retry=retry_rejected, repost=repost_undone)
            await self._settle_down(no_wait=no_wait)
        except (LedgerError, MewsError, StoppedError) as error:
            self._halt(error)
            await self._guard(self._queue.join())
        self._count_rest(rest)

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
        if self._ledger.to_recheck() or self._ledger.unsettled():
            await self._survey(recheck_floor=0)

    def _is_foreign(self, host: str) -> bool:
        mine = self._ledger.holder()
        return mine is None or mine.holder.host != host

    # Feeding

    async def _feed(
        self, orders: Iterator[PlannedOrder], limit: int | None, *, no_wait: bool, retry: bool, repost: bool
    ) -> None:
        fed = 0
        while not self._halt_event.is_set() and (chunk := list(islice(orders, CHUNK))):
            self._uncounted.update((order.number, order) for order in chunk)
            await self._look_for_customers(chunk)
            for job in self._jobs(chunk, retry=retry, repost=repost):
                if self._halt_event.is_set() or (limit is not None and fed >= limit):
                    self._tally(job.order, _job_standing(job))
                    continue
                fed += 1
                if self._last_survey is None:
                    # Before the first write: does Mews hold orders that this ledger knows nothing of?
                    await self._survey(recheck_floor=None)
                if self._is_unchecked():
                    await self._send_first(job, no_wait=no_wait)
                else:
                    await self._put(job)
            # Other tasks get their turn even where nothing is left to send.
            await asyncio.sleep(0)

    def _is_unchecked(self) -> bool:
        """Whether the ledger's first order was never read back."""
        self._checks_first = self._checks_first and self._ledger.meta(FIRST_CHECK) is None
        return self._checks_first

    def _jobs(self, chunk: list[PlannedOrder], *, retry: bool, repost: bool) -> list[_Job]:
        """The chunk's orders that have something to send; the others are counted."""
        numbers = [order.number for order in chunk]
        known = self._ledger.lookup(numbers)
        chunk = self._with_accounts(chunk, known)
        fresh = [order for order in chunk if _needs_record(known.get(order.number), order, self._run_id)]
        if fresh:
            self._ledger.record_plan(self._run_id, fresh)
            known.update(self._ledger.lookup([order.number for order in fresh]))
        parts = self._ledger.parts(numbers)
        steps: list[Callable[[Steps], object]] = []
        jobs = []
        for order in chunk:
            row = known[order.number]
            job = self._job(order, row, parts.get(order.number, []), steps, retry=retry, repost=repost)
            if job is None:
                self._leave(order, row)
            else:
                jobs.append(job)
        if steps:
            with self._ledger.steps(numbers) as writing:
                for step in steps:
                    step(writing)
            again = [job.order for job in jobs if job.generation > known[job.number].generation]
            self._ledger.record_plan(self._run_id, again)
        return jobs

    def _job(
        self,
        order: PlannedOrder,
        row: LedgerOrder,
        parts: list[Part],
        steps: list[Callable[[Steps], object]],
        *,
        retry: bool,
        repost: bool,
    ) -> _Job | None:
        """What of an order is to be sent; None for nothing. Transitions that this takes go to `steps`."""
        number, generation = order.number, row.generation
        current = {part.part: part for part in parts if part.generation == generation}
        mine = current.get(ORDER_PART)
        state = row.state if mine is None else mine.state
        planned = [payment.part for payment in order.payments]
        if state is State.UNDONE and repost:
            steps.append(lambda writing: writing.regenerate(number))
            return _Job(order, generation + 1, True, planned, {ORDER_PART: State.READY})
        if state is State.REJECTED or (state is State.READY and mine is not None and mine.rejected_hash):
            payload = order_payload(order, Identity(self._store, number, generation))
            same = mine is not None and mine.rejected_hash == content_hash(payload)
            if same and not retry:
                return None
            steps.append(_reopening(number, generation, ORDER_PART))
            return _Job(order, generation, True, planned, {ORDER_PART: State.READY})
        if state is State.READY:
            return _Job(order, generation, True, planned, {ORDER_PART: State.READY})
        if state is not State.POSTED or change(row, order, self._store):
            return None
        open_payments = [part for part in planned if part in current and current[part].state is State.READY]
        if row.posted_run_id == RECOVERED_RUN and not row.posted_fingerprint:
            fingerprints = (order.fingerprint, order.skip_fingerprint)
            steps.append(lambda writing: writing.adopt(number, fingerprints, planned))
            open_payments += [part for part in planned if part not in current]
        for payment in order.payments:
            part = current.get(payment.part)
            if part is None or part.state is not State.REJECTED:
                continue
            body = payment_payload(order, payment, Identity(self._store, number, generation), self._basis)
            if retry or part.rejected_hash != content_hash(body):
                steps.append(_reopening(number, generation, payment.part))
                open_payments.append(payment.part)
        if not open_payments:
            return None
        states = {name: part.state for name, part in current.items()} | dict.fromkeys(open_payments, State.READY)
        return _Job(order, generation, False, open_payments, states)

    def _leave(self, order: PlannedOrder, row: LedgerOrder) -> None:
        """Nothing to send now; an unknown order may have to be sent again once it is proved absent."""
        if row.state in (State.UNKNOWN, State.IN_FLIGHT):
            self._waiting[order.number] = order
        else:
            self._tally(order, standing(row, order, self._store, self._run_id))

    async def _put(self, job: _Job) -> None:
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
                self._halt(error)
            finally:
                self._queue.task_done()

    async def _carry(self, job: _Job) -> None:
        """Sends what a job has to send, and counts it; an order that waits for its own return is put aside."""
        if self._halt_event.is_set() or not self._parent_is_posted(job):
            # Counted at the end, by what the ledger says then.
            return
        self._busy.add(job.number)
        try:
            if not await self._has_account(job):
                return
            await self._send_parts(job)
        except (_Halted, HeldBack):
            self._tally(job.order, _job_standing(job))
        except _WindowPassed:
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
            is_halted=self._halt_event.is_set,
            meet=self._meet,
            nap=self._nap,
            patience=lambda tries: self._nap(min(30.0, 0.5 * 2.0**tries) * (0.5 + self._rng.random())),
            parked=self._parked,
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

    async def _has_account(self, job: _Job) -> bool:
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
        while self._nameless and self._customers is not None and not self._halt_event.is_set():
            await self._guard(self._customers.settle(self._nameless, no_wait=no_wait))
            known = self._customers.known(self._nameless)
            for email in [email for email in self._nameless if email in known and not known[email].is_open]:
                for job in self._nameless.pop(email):
                    if self._is_unchecked():
                        await self._send_first(job, no_wait=no_wait)
                    else:
                        self._queue.put_nowait(job)
            await self._guard(self._queue.join())
            if no_wait:
                return

    def _parent_is_posted(self, job: _Job) -> bool:
        """Whether the order that a return belongs to is in Mews; else the return is put aside."""
        if not job.order.parent or not job.send_order:
            return True
        parent = self._ledger.order(job.order.parent)
        if parent is not None and parent.has_posted and parent.state is not State.DIFFERENT:
            return True
        self._held.setdefault(job.order.parent, []).append(job)
        return False

    def _release_children(self, job: _Job) -> None:
        if job.states.get(ORDER_PART) is State.POSTED:
            for child in self._held.pop(job.number, ()):
                self._queue.put_nowait(child)

    def _conclude(self, job: _Job) -> None:
        state = worst(job.states.values())
        if state is State.UNKNOWN:
            self._waiting[job.number] = job.order
            return
        self._tally(job.order, _job_standing(job))

    async def _block(self, job: _Job, code: str, message: str) -> None:
        number, generation = job.number, job.generation
        await self._commit.do(number, lambda steps: steps.withdraw(number, generation, code, message))
        self._tally(job.order, Standing.BLOCKED)

    async def _send_parts(self, job: _Job) -> None:
        identity = Identity(self._store, job.number, job.generation)
        if job.send_order:
            self._follow_rounding(job)
            payload = order_payload(job.order, identity)
            job.states[ORDER_PART] = await self._send(job, ORDER_PART, payload, identity)
            if job.states[ORDER_PART] is State.POSTED:
                self._result.sent += 1
        if job.states.get(ORDER_PART, State.POSTED) is not State.POSTED:
            return
        for payment in job.order.payments:
            if payment.part not in job.payments:
                continue
            job.states.setdefault(payment.part, State.READY)
        for payment in job.order.payments:
            if payment.part in job.payments:
                payload = payment_payload(job.order, payment, identity, self._basis)
                job.states[payment.part] = await self._send(job, payment.part, payload, identity)

    async def _send(self, job: _Job, part: str, payload: dict[str, Any], identity: Identity) -> State:
        """Attempts until one outcome is final. Raises _Halted, _WindowPassed, NotReady: the part stays ready."""
        conflicts = faults = 0
        template = self._intent(job, part, payload, identity)
        while True:
            outcome, state, sending = await self._attempt(job, part, payload, template, conflicts)
            self._meet(outcome, sending.granted_at)
            match outcome.kind:
                case Kind.DONE | Kind.REFUSED | Kind.UNKNOWN:
                    return state
                case Kind.CONFLICT:
                    conflicts += 1
                    if state is State.REJECTED:
                        return state
                    await self._nap(0.25 * 2**conflicts * (0.5 + self._rng.random()))
                case Kind.NOT_SENT:
                    faults += 1
                    await self._nap(min(30.0, 2.0 ** (faults - 1)) * (0.5 + self._rng.random()))
                case Kind.WAIT | Kind.STOP:
                    pass
            if self._halt_event.is_set():
                raise _Halted

    def _meet(self, outcome: Outcome, granted_at: float) -> None:
        """What an answer means for the whole run: everybody rests, or it ends."""
        stop = self._breaker.see(outcome)
        match outcome.kind:
            case Kind.UNKNOWN | Kind.NOT_SENT:
                self._rest(self._breaker.pause_after_fault())
            case Kind.STOP:
                stop = _refused_credentials(outcome)
            case Kind.WAIT:
                now = self._clock.monotonic()
                self._rest(self._breaker.wait(granted_at, now, outcome.retry_after))
                stop = self._breaker.waited_too_long(now)
            case Kind.DONE | Kind.REFUSED | Kind.CONFLICT:
                pass
        if stop is not None:
            self._halt(stop)

    async def _attempt(
        self, job: _Job, part: str, payload: dict[str, Any], template: Intent, conflicts: int
    ) -> tuple[Outcome, State, _Sending]:
        """One request: intent on disk, bytes, outcome on disk."""
        sending = _Sending()
        key = (job.number, job.generation, part)

        async def before_send() -> None:
            self._parked.discard(request)
            await self._before_send(job, template, sending)

        add = self._writer.add_order if part == ORDER_PART else self._writer.add_payment
        request = asyncio.ensure_future(add(payload, before_send=before_send))
        self._parked.add(request)
        try:
            outcome = await request
        except asyncio.CancelledError:
            if self._halt_event.is_set() and request.cancelled() and not sending.is_intended and not _is_cancelled():
                raise _Halted from None
            raise
        except (_Halted, _WindowPassed):
            await self._not_sent(key, sending, "held back just before sending")
            raise
        except (EtlError, NotReady):
            raise
        except Exception as error:
            if not sending.is_intended:
                raise InternalError(f"order {job.number} could not be sent: {error!r}") from error
            # Nobody knows what left; the order is looked up like any other in doubt.
            outcome = Outcome(Kind.UNKNOWN, message=f"internal fault while sending: {type(error).__name__}")
        finally:
            self._parked.discard(request)
            if not request.done():
                request.cancel()
        self._checkpoint("answer.received")
        if not sending.is_intended:
            return outcome, State.READY, sending
        mews_id = str(outcome.body.get("OrderId" if part == ORDER_PART else "ExternalPaymentId") or "")
        if outcome.kind is Kind.DONE and not mews_id:
            outcome = Outcome(
                Kind.UNKNOWN, status=outcome.status, message="Mews's answer has no id", request_id=outcome.request_id
            )
        is_last = conflicts + 1 >= CONFLICT_TRIES
        at = self._time.latest()
        state = await self._commit.do(
            job.number,
            lambda steps: steps.conclude(*key, sending.seq, outcome, at=at, mews_id=mews_id, is_last_try=is_last),
        )
        self._checkpoint("outcome.recorded")
        return outcome, state, sending

    async def _before_send(self, job: _Job, template: Intent, sending: _Sending) -> None:
        """The last look before the first byte: still wanted, still inside the window, and on disk."""
        self._checkpoint("slot.granted")
        if self._halt_event.is_set():
            raise _Halted
        now = self._time.now()
        consumption = job.order.consumption if template.kind is PartKind.ORDER else None
        if consumption is not None and consumption < self._window_start(now):
            raise _WindowPassed
        sending.granted_at = self._clock.monotonic()
        number, generation, part = job.number, job.generation, template.part
        if sending.is_intended:
            await self._commit.do(number, lambda steps: steps.renew(number, generation, part, sending.seq, now))
        else:
            intent = replace(template, sent_at=now)
            sending.seq = await self._commit.do(number, lambda steps: steps.intend(intent))
            sending.is_intended = True
        self._checkpoint("intent.recorded")

    async def _not_sent(self, key: tuple[str, int, str], sending: _Sending, message: str) -> None:
        if sending.is_intended:
            outcome, at = Outcome(Kind.NOT_SENT, message=message), self._time.now()
            await self._commit.do(key[0], lambda steps: steps.conclude(*key, sending.seq, outcome, at=at))

    def _intent(self, job: _Job, part: str, payload: dict[str, Any], identity: Identity) -> Intent:
        order = job.order
        is_order = part == ORDER_PART
        return Intent(
            number=order.number,
            generation=job.generation,
            part=part,
            kind=PartKind.ORDER if is_order else PartKind.PAYMENT,
            run_id=self._run_id,
            payload=dumps(payload),
            payload_hash=content_hash(payload),
            identifier=identity.stem if is_order else identity.line(part),
            marker=identity.marker,
            service_id=order.service_id,
            account_id=order.account_id,
            consumption=order.consumption,
            basis=self._basis.value,
            fingerprint=order.fingerprint,
            skip_fingerprint=order.skip_fingerprint,
            recipe_version=RECIPE_VERSION,
            predicted=dumps(
                [
                    (entry.line, str(entry.predicted.net), str(entry.predicted.tax), str(entry.predicted.gross))
                    for entry in order.entries
                ]
            )
            if is_order
            else "",
            sent_at=datetime.min,  # noqa: DTZ901 - replaced when the slot is granted
            payments=tuple(payment.part for payment in order.payments) if is_order else (),
        )

    def _rest(self, seconds: float) -> None:
        if seconds > 0:
            self._limiter.pause(seconds)

    # The first order

    async def _send_first(self, job: _Job, *, no_wait: bool) -> None:
        """The first order of a ledger goes alone and is read back before any other is sent."""
        if not job.send_order:
            # Payments of an order that was found in Mews: there is no order of ours to read back yet.
            await self._put(job)
            return
        earlier = self._ledger.first_posted()
        if earlier is not None:
            await self._read_back(earlier.number)
            await self._put(job)
            return
        await self._carry(job)
        row = self._ledger.order(job.number)
        if row is not None and row.state is State.UNKNOWN:
            await self._drain(no_wait=no_wait)
            row = self._ledger.order(job.number)
        if self._halt_event.is_set() or row is None:
            return
        if row.has_posted:
            await self._read_back(job.number)
        elif row.state is State.UNKNOWN:
            raise StoppedError(
                f"nobody knows yet whether Mews took the first order, {job.number}",
                code="run.first_order",
                hint="Run again: the next run finds out before it sends anything else.",
            )

    async def _read_back(self, number: str) -> None:
        """Raises StoppedError unless Mews returns the order as it was sent, and marks the ledger as checked."""
        self._progress("read back the first order", 0, 1)
        row = self._ledger.order(number)
        attempts = self._ledger.attempts(number, part=ORDER_PART)
        if row is None or not attempts:
            raise InternalError(f"order {number} has nothing to be read back", code="internal.first_order")
        attempt = attempts[-1]
        rows = await self._read_until_there(row.mews_order_id)
        if not rows and self._halt_event.is_set():
            # Not read to the end: the next run does, before it sends anything else.
            return
        faults = [] if rows else [f"Mews returns no items for OrderId {row.mews_order_id}"]
        identities = [identity_of(item) for item in rows]
        if rows and not any(found is not None and found.number == number for found in identities):
            faults.append("neither the ExternalIdentifier nor the marker in Notes comes back")
        if rows:
            faults += compare_items(attempt.payload, attempt.basis, rows).differences
        booked = compare_predicted(attempt, rows) if rows and not faults else None
        if booked is not None:
            faults += booked.differences
        if self._linked_reservation is not None and "LinkedReservationId" not in attempt.payload:
            reservation = await self._linked_reservation(row.mews_order_id)
            if reservation:
                faults.append(f"Mews linked reservation {reservation}, which nobody asked for")
        self._result.first_check = booked.last_digit if booked is not None else ()
        rounding = ""
        if self._result.first_check and self._predictions is not None:
            rounding = self._predictions.observe(observed_amounts(attempt, rows))
            if not rounding:
                # Every later prediction would be off by as much, with nobody to say why.
                faults += [f"no known way of rounding explains it: {one}" for one in self._result.first_check]
        if faults:
            raise StoppedError(
                f"the first order, {number} (OrderId {row.mews_order_id}), is not in Mews as it was sent: "
                + "; ".join(faults),
                code="run.first_order",
                place=f"order {number}",
                hint="Nothing else was sent. Compare the order in Mews, correct the mapping, undo it, and run again.",
            )
        facts = {"order": number, "last_digit": self._result.first_check, "rounding": rounding}
        self._ledger.set_meta(FIRST_CHECK, dumps(facts))

    def _follow_rounding(self, job: _Job) -> None:
        """Predictions as the first order taught them; what is sent stays as it was planned."""
        if self._predictions is None:
            return
        if self._rounding is None:
            checked = self._ledger.meta(FIRST_CHECK)
            if checked is None:
                return
            self._rounding = str(loads(checked, {}).get("rounding") or "")
        if self._rounding:
            order = self._predictions.adapt(job.order, self._rounding)
            if order is not job.order:
                job.order = order
                self._ledger.record_plan(self._run_id, [order])

    async def _read_until_there(self, order_id: str) -> list[Any]:
        """The order's items; reads may lag behind the write by half of the settling time."""
        until = self._clock.monotonic() + self._settle.total_seconds() / 2 + 1
        pause = 0.1
        while True:
            rows = (await self._unless_halted(items_of(self._reader, [order_id])) or {}).get(order_id, [])
            if rows or self._clock.monotonic() >= until or self._halt_event.is_set():
                return rows
            await self._nap(pause)
            pause = min(2 * pause, 10.0)

    # Looking at Mews

    async def _survey(self, *, recheck_floor: int | None) -> Survey | None:
        """One complete look, tried a few times; None where the run ends meanwhile. Raises MewsError, LedgerError."""
        async with self._survey_lock:
            for attempt in range(SURVEY_TRIES):
                if self._halt_event.is_set():
                    return None
                try:
                    survey = await self._surveyor.survey(recheck_floor=recheck_floor)
                except MewsError as error:
                    if attempt + 1 == SURVEY_TRIES or error.code in _FINAL:
                        # Before the lock is free: whoever waits for it must not ask again.
                        self._halt(error)
                        raise
                    await self._nap(2.0**attempt * (0.75 + 0.5 * self._rng.random()))
                    continue
                break
            self._last_survey = self._clock.monotonic()
        self._result.surveys += 1
        self._result.strangers = max(self._result.strangers, survey.strangers)
        self._result.duplicated.update(survey.duplicated)
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
                    self._queue.put_nowait(child)

    def _resend(self, number: str) -> None:
        """What of a waiting order is ready now goes back to the workers."""
        order = self._waiting.get(number)
        row = self._ledger.order(number)
        if order is None or row is None or self._halt_event.is_set():
            return
        if row.plan_run_id != self._run_id or row.state is State.READY:
            self._ledger.record_plan(self._run_id, [order])
            row = self._ledger.order(number) or row
        steps: list[Callable[[Steps], object]] = []
        parts = self._ledger.parts([number]).get(number, [])
        job = self._job(order, row, parts, steps, retry=False, repost=False)
        if job is not None and not steps:
            del self._waiting[number]
            self._queue.put_nowait(job)

    async def _watch(self) -> None:
        """Every few minutes, and when an unknown order is due, the service is looked at; new orders go on."""
        while not self._halt_event.is_set():
            wait = self._until_next_survey()
            if wait > 0 or self._draining:
                wait = wait if wait > 0 else 1.0
                await self._nap(min(wait, max(self._settle.total_seconds() / 4, 0.05)))
                continue
            try:
                await self._unless_halted(self._survey(recheck_floor=None))
            except (LedgerError, MewsError, StoppedError) as error:
                self._halt(error)

    async def _unless_halted(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The work's result, None where the run ends meanwhile: who reads then asks Mews nothing more."""
        task = asyncio.ensure_future(work)
        halting = asyncio.ensure_future(self._halt_event.wait())
        try:
            await asyncio.wait({task, halting}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            await _cancel([task, halting])

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
        await self._block_orphans()
        if not self._halt_event.is_set() and any(part.recheck > 1 for part in self._ledger.to_recheck()):
            await self._survey(recheck_floor=1)
            # What was found only there lets its payments and returns go.
            await self._drain(no_wait=no_wait)

    async def _drain(self, *, no_wait: bool) -> None:
        """Waits until no order is unknown any more, sending again what was proved absent."""
        self._draining = True
        try:
            first_look = True
            while not self._halt_event.is_set():
                await self._guard(self._queue.join())
                due = self._surveyor.due(all_of_them=True)
                if due is None or no_wait:
                    return
                self._progress("wait for what is unknown", self._done, len(self._waiting))
                if not first_look:
                    await self._nap((due - self._time.now()).total_seconds())
                if not self._halt_event.is_set():
                    # The first look finds what only lost its answer; nothing is proved absent by it.
                    await self._guard(self._survey(recheck_floor=None))
                first_look = False
        finally:
            self._draining = False

    async def _block_orphans(self) -> None:
        """Returns whose own order will not be in Mews after this run."""
        if self._halt_event.is_set():
            return
        held, self._held = self._held, {}
        for parent, jobs in held.items():
            row = self._ledger.order(parent)
            if row is not None and row.state in (State.READY, State.UNKNOWN, State.IN_FLIGHT):
                # Left for a later run, like its own order.
                continue
            for job in jobs:
                await self._block(job, "return.parent", f"its order {parent} is not in Mews")

    def _count_rest(self, rest: Iterator[PlannedOrder]) -> None:
        """Every order that was given ends in exactly one count."""
        try:
            self._count(list(self._uncounted.values()))
            while chunk := list(islice(rest, CHUNK)):
                self._count(chunk)
        except LedgerError as error:
            self._result.is_counted = False
            self._halt(error)

    def _count(self, orders: list[PlannedOrder]) -> None:
        rows = self._ledger.lookup([order.number for order in orders])
        for order in orders:
            self._tally(order, standing(rows.get(order.number), order, self._store, self._run_id))

    def _tally(self, order: PlannedOrder, name: Standing) -> None:
        self._result.counts[name] += 1
        self._uncounted.pop(order.number, None)
        self._waiting.pop(order.number, None)
        self._done += 1
        self._progress("post", self._done, 0)

    # Stopping

    def _halt(self, error: EtlError | None) -> None:
        """No new request from here on; who still waits for a slot goes home."""
        if error is not None and self._result.stop is None:
            self._result.stop = error
        self._halt_event.set()
        for request in tuple(self._parked):
            request.cancel()

    async def _listen(self) -> None:
        await self._stop.stopping.wait()
        self._result.is_interrupted = True
        self._halt(None)

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
                await _cancel([task])

    async def _nap(self, seconds: float) -> None:
        """Sleeps that long, or until the run ends or drains."""
        if seconds <= 0 or self._halt_event.is_set():
            return
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        halting = asyncio.ensure_future(self._halt_event.wait())
        try:
            await asyncio.wait({sleeping, halting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel([sleeping, halting])


def _needs_record(row: LedgerOrder | None, order: PlannedOrder, run_id: str) -> bool:
    """Whether the ledger's facts are not those of the plan that would be sent."""
    if row is None or row.plan_run_id != run_id or row.verdict != "ready":
        return True
    # Frozen while nobody knew; proved absent since, another version may go.
    facts = (row.fingerprint, row.planned_total, row.account_id)
    is_free = row.state is State.READY and not row.has_posted
    return is_free and facts != (order.fingerprint, order.planned_total, order.account_id)


def _reopening(number: str, generation: int, part: str) -> Callable[[Steps], None]:
    return lambda steps: steps.reopen(number, generation, part)


_JOB_STANDINGS = {
    State.POSTED: Standing.POSTED,
    State.REJECTED: Standing.REJECTED,
    State.UNKNOWN: Standing.UNKNOWN,
    State.IN_FLIGHT: Standing.UNKNOWN,
    State.BLOCKED: Standing.BLOCKED,
    State.DIFFERENT: Standing.DIFFERENT,
}


def _job_standing(job: _Job) -> Standing:
    return _JOB_STANDINGS.get(worst(job.states.values()), Standing.READY)


def _refused_credentials(outcome: Outcome) -> MewsError:
    what = "the address" if outcome.status == 404 else "the credentials"
    return MewsError(
        f"Mews refuses {what}: {outcome.message}",
        code="mews.refused",
        hint="Check MEWS_PLATFORM_ADDRESS, MEWS_CLIENT_TOKEN and MEWS_ACCESS_TOKEN, then run again.",
        request_id=outcome.request_id or None,
    )


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancels and waits; what they end with is nobody's concern any more."""
    pending = [task for task in tasks if not task.done()]
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()
