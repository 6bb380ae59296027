"""The one way to Mews for whatever changes something there: slot, gate, intent on disk, bytes, outcome on disk.

Rule: design sections 7.2 and 7.3. An order, a payment, an undo entry, a cancellation and a customer are data of this
one loop; so is a request that carries many orders, whose `record` writes all their intents in one transaction.
The order of the statements is the proof: nothing leaves that is not on disk, and nothing that left is forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from etl.errors import EtlError, InternalError
from etl.evidence.mews_time import MewsTime
from etl.evidence.reader import Clock
from etl.ledger.commit import Committer
from etl.ledger.ledger import Checkpoint
from etl.ledger.steps import Steps
from etl.load.halt import Halt, HaltedError, HeldBackError, WindowPassedError
from etl.load.ports import Writer
from etl.load.traffic import Traffic
from etl.model.outcome import Kind, Outcome
from etl.model.payload import Operation, Payload

CONFLICT_TRIES = 4

Gate = Callable[[datetime], None]
"""The last look before the first byte, with Mews's now. Raises HeldBackError where the request may not go any more."""

_HELD_BACK = Outcome(Kind.NOT_SENT, message="held back just before sending")
_FINAL = (Kind.DONE, Kind.REFUSED, Kind.SPLIT, Kind.UNKNOWN)


class Record(Protocol):
    """What one request carries, as the ledger holds it: one part of an order, a customer, or many of them.

    Each method runs within one transaction and raises NotReady where somebody else decided meanwhile.
    """

    @property
    def numbers(self) -> tuple[str, ...]:
        """The orders that it concerns."""
        ...

    @property
    def people(self) -> tuple[str, ...]:
        """The customers that it makes, by e-mail address."""
        ...

    def intend(self, steps: Steps, sent_at: datetime) -> None:
        """Ready -> in flight: on disk before the first byte. `sent_at`: Mews's now."""
        ...

    def renew(self, steps: Steps, sent_at: datetime) -> None:
        """In flight stays: the byte leaves later than intended, and the lock is still ours."""
        ...

    def judge(self, outcome: Outcome) -> Outcome:
        """The outcome as it is recorded: what an answer to several together says of each."""
        ...

    def conclude(self, steps: Steps, outcome: Outcome, *, at: datetime, is_last_try: bool) -> bool:
        """In flight -> what the outcome says. Shape: whether a refusal is counted elsewhere (design 7.1 and 9).

        `at`: Mews's time at the latest; settling of an unknown outcome counts from it.
        """
        ...


def open_gate(_: datetime) -> None:
    """Nothing holds the request back."""


def window_gate(consumption: datetime, window_start: Callable[[datetime], datetime]) -> Gate:
    """Holds back what Mews no longer takes at its consumption."""

    def gate(now: datetime) -> None:
        if consumption < window_start(now):
            raise WindowPassedError

    return gate


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to be done in Mews, once.

    `private`: answers that concern this request alone and say nothing about those after it: after a refused
    cancellation the opposite follows, and what 401 means for it is looked at by who asked.
    """

    operation: Operation
    payload: Payload
    record: Record
    gate: Gate = open_gate
    private: frozenset[Kind] = frozenset()


@dataclass(slots=True)
class _Attempt:
    """One request on its way: whether its intent is on disk, and when its slot was granted."""

    is_intended: bool = False
    granted_at: float = 0.0


class Sender:
    """Sends the requests of one run. Needs the ledger's lock (through `commit`)."""

    def __init__(
        self,
        writer: Writer,
        commit: Committer,
        time: MewsTime,
        clock: Clock,
        traffic: Traffic,
        halt: Halt,
        *,
        checkpoint: Checkpoint,
    ) -> None:
        self._writer = writer
        self._commit = commit
        self._time = time
        self._clock = clock
        self._traffic = traffic
        self._halt = halt
        self._checkpoint = checkpoint
        self.writes = 0
        """How many requests may have left: the run looks at Mews once more after the last of them."""

    async def send(self, request: Request) -> Outcome:
        """Attempts until one outcome is final; it is on disk when this returns. Effects: sends, writes the ledger.

        Raises HeldBackError (HaltedError, WindowPassedError) and NotReady: nothing is under way then, and the ledger
        says so. LedgerError where it can't be written.
        """
        conflicts = faults = 0
        while True:
            outcome = await self._attempt(request, is_last_try=conflicts + 1 >= CONFLICT_TRIES)
            if outcome.kind in _FINAL or (outcome.kind is Kind.STOP and Kind.STOP in request.private):
                return outcome
            if outcome.kind is Kind.CONFLICT:
                conflicts += 1
                if conflicts >= CONFLICT_TRIES:
                    return outcome
                await self._traffic.wait_after_conflict(conflicts)
            elif outcome.kind is Kind.NOT_SENT:
                faults += 1
                await self._traffic.wait_after_fault(faults)
            if self._halt.is_set:
                raise HaltedError

    async def _attempt(self, request: Request, *, is_last_try: bool) -> Outcome:
        """One request: intent on disk, bytes, outcome on disk."""
        attempt = _Attempt()
        outcome = request.record.judge(await self._exchange(request, attempt))
        self._checkpoint("answer.received")
        is_counted_elsewhere = False
        if attempt.is_intended:
            is_counted_elsewhere = await self._conclude(request.record, outcome, is_last_try=is_last_try)
            # Only what is on disk may stop the run, or make it wait: a kill from here on loses nothing.
            self._checkpoint("outcome.recorded")
        elif outcome.kind in _FINAL:
            raise InternalError(f"{request.operation} left without an intent", code="internal.no_intent")
        if outcome.kind not in request.private:
            self._traffic.heed(outcome, attempt.granted_at, is_expected=is_counted_elsewhere)
        return outcome

    async def _exchange(self, request: Request, attempt: _Attempt) -> Outcome:
        """The bytes and what came back; whatever happens once the intent is on disk, an outcome says what is known."""
        content = request.payload.content
        task = self._halt.park()

        async def before_send() -> None:
            # Called by the client with the slot granted, right before the first byte; again where that took long.
            self._halt.unpark(task)
            await self._before_send(request, attempt)

        try:
            return await self._writer.send(request.operation, content, before_send=before_send)
        except asyncio.CancelledError:
            # Sent home while it waited for its slot, by the halt and by nobody else: nothing left.
            if self._halt.unpark(task) and not attempt.is_intended:
                raise HaltedError from None
            # Cancelled by whoever leaves at once: what is in flight stays so on disk, and the next run settles it.
            raise
        except HeldBackError:
            if attempt.is_intended:
                # The intent was written, then the byte took long, and on second thoughts it did not leave.
                await self._conclude(request.record, _HELD_BACK, is_last_try=True)
            raise
        except EtlError:
            raise
        except Exception as error:
            if not attempt.is_intended:
                raise InternalError(f"{request.operation} could not be sent: {error!r}") from error
            # Nobody knows what left; it is looked up like anything else in doubt.
            return Outcome(Kind.UNKNOWN, message=f"internal fault while sending: {type(error).__name__}")
        finally:
            self._halt.unpark(task)

    async def _before_send(self, request: Request, attempt: _Attempt) -> None:
        """The last look before the first byte: still wanted, still allowed, and on disk."""
        self._checkpoint("slot.granted")
        if self._halt.is_set:
            raise HaltedError
        # Never ahead of Mews: the scans that will look for what leaves now start before it.
        now = self._time.now()
        request.gate(now)
        attempt.granted_at = self._clock.monotonic()
        record = request.record
        if attempt.is_intended:
            await self._commit.do(lambda steps: record.renew(steps, now), *record.numbers, people=record.people)
        else:
            # Returns after the commit: from here on a crash leaves `in_flight`, which is settled by two scans.
            await self._commit.do(lambda steps: record.intend(steps, now), *record.numbers, people=record.people)
            attempt.is_intended = True
            self.writes += 1
        self._checkpoint("intent.recorded")

    async def _conclude(self, record: Record, outcome: Outcome, *, is_last_try: bool) -> bool:
        at = self._time.latest()
        return await self._commit.do(
            lambda steps: record.conclude(steps, outcome, at=at, is_last_try=is_last_try),
            *record.numbers,
            people=record.people,
            is_answer=True,
        )
