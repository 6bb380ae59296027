"""Sending one part of an order: slot, intent on disk, bytes, outcome on disk; tried again until one is final.

Rule: design sections 7.2 and 7.3. The order of the statements is the proof: nothing leaves that is not on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from etl.errors import EtlError, InternalError
from etl.load.commit import Committer
from etl.load.halt import Halt, HaltedError, is_cancelled
from etl.load.jobs import Job, needs_of_part
from etl.load.ledger import Checkpoint
from etl.load.ports import Writer
from etl.load.records import ORDER_PART, Clock, PartKind, dumps
from etl.load.scan import MewsTime
from etl.load.steps import Intent, NotReady, Steps
from etl.load.traffic import Traffic
from etl.model.identity import RECIPE_VERSION, Identity, content_hash
from etl.model.outcome import Kind, Outcome
from etl.model.plan import Basis
from etl.model.states import State

CONFLICT_TRIES = 4


class WindowPassedError(Exception):
    """A signal, no fault: Mews no longer takes the order's consumption."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What every request of one run carries. `basis`: the enterprise's; `store`: the name in identifiers."""

    run_id: str
    store: str
    basis: Basis
    window_start: Callable[[datetime], datetime]
    """Mews's now -> the earliest consumption that Mews takes then."""


@dataclass(slots=True)
class _Sending:
    """One request on its way: whether its intent is on disk, and where it stood on the clock."""

    seq: int = 0
    is_intended: bool = False
    granted_at: float = 0.0
    tells_of_kind: bool = False
    """Its refusal counts towards a kind, which is held after three of them: nothing to stop a run for."""


class Sender:
    """Sends the parts of one run. Needs the ledger's lock (through `commit`)."""

    def __init__(
        self,
        writer: Writer,
        commit: Committer,
        time: MewsTime,
        clock: Clock,
        *,
        traffic: Traffic,
        halt: Halt,
        facts: RunFacts,
        checkpoint: Checkpoint,
    ) -> None:
        self._writer = writer
        self._commit = commit
        self._time = time
        self._clock = clock
        self._traffic = traffic
        self._halt = halt
        self._facts = facts
        self._checkpoint = checkpoint
        self.writes = 0
        """How many requests may have left: the run looks at Mews once more after the last of them."""

    async def send(self, job: Job, part: str, payload: dict[str, Any], identity: Identity) -> State:
        """Attempts until one outcome is final. Raises HaltedError, WindowPassedError, NotReady: the part stays ready.

        Effects: sends, writes the ledger.
        """
        conflicts = faults = 0
        template = self._intent(job, part, payload, identity)
        while True:
            outcome, state, sending = await self._attempt(job, payload, template, conflicts)
            self._traffic.meet(outcome, sending.granted_at, is_expected=sending.tells_of_kind)
            match outcome.kind:
                case Kind.DONE | Kind.REFUSED | Kind.UNKNOWN:
                    return state
                case Kind.CONFLICT:
                    conflicts += 1
                    if state is State.REJECTED:
                        return state
                    await self._traffic.wait_after_conflict(conflicts)
                case Kind.NOT_SENT:
                    faults += 1
                    await self._traffic.wait_after_fault(faults)
                case Kind.WAIT | Kind.STOP:
                    pass
            if self._halt.is_set:
                raise HaltedError

    async def _attempt(
        self, job: Job, payload: dict[str, Any], template: Intent, conflicts: int
    ) -> tuple[Outcome, State, _Sending]:
        """One request: intent on disk, bytes, outcome on disk."""
        sending = _Sending()
        part = template.part
        key = (job.number, job.generation, part)

        async def before_send() -> None:
            self._halt.parked.discard(request)
            await self._before_send(job, template, sending)

        add = self._writer.add_order if part == ORDER_PART else self._writer.add_payment
        request = asyncio.ensure_future(add(payload, before_send=before_send))
        self._halt.parked.add(request)
        try:
            outcome = await request
        except asyncio.CancelledError:
            if self._halt.is_set and request.cancelled() and not sending.is_intended and not is_cancelled():
                raise HaltedError from None
            raise
        except (HaltedError, WindowPassedError):
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
            self._halt.parked.discard(request)
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

        def conclude(steps: Steps) -> tuple[State, bool]:
            state = steps.conclude(*key, sending.seq, outcome, at=at, mews_id=mews_id, is_last_try=is_last)
            return state, steps.is_refusal_of_kind(*key)

        state, sending.tells_of_kind = await self._commit.do(job.number, conclude)
        self._checkpoint("outcome.recorded")
        return outcome, state, sending

    async def _before_send(self, job: Job, template: Intent, sending: _Sending) -> None:
        """The last look before the first byte: still wanted, still inside the window, and on disk."""
        self._checkpoint("slot.granted")
        if self._halt.is_set:
            raise HaltedError
        now = self._time.now()
        consumption = job.order.consumption if template.kind is PartKind.ORDER else None
        if consumption is not None and consumption < self._facts.window_start(now):
            raise WindowPassedError
        sending.granted_at = self._clock.monotonic()
        number, generation, part = job.number, job.generation, template.part
        if sending.is_intended:
            await self._commit.do(number, lambda steps: steps.renew(number, generation, part, sending.seq, now))
        else:
            intent = replace(template, sent_at=now)
            sending.seq = await self._commit.do(number, lambda steps: steps.intend(intent))
            sending.is_intended = True
            self.writes += 1
        self._checkpoint("intent.recorded")

    async def _not_sent(self, key: tuple[str, int, str], sending: _Sending, message: str) -> None:
        if sending.is_intended:
            outcome, at = Outcome(Kind.NOT_SENT, message=message), self._time.now()
            await self._commit.do(key[0], lambda steps: steps.conclude(*key, sending.seq, outcome, at=at))

    def _intent(self, job: Job, part: str, payload: dict[str, Any], identity: Identity) -> Intent:
        order = job.order
        is_order = part == ORDER_PART
        return Intent(
            number=order.number,
            generation=job.generation,
            part=part,
            kind=PartKind.ORDER if is_order else PartKind.PAYMENT,
            run_id=self._facts.run_id,
            payload=dumps(payload),
            payload_hash=content_hash(payload),
            identifier=identity.stem if is_order else identity.line(part),
            marker=identity.marker,
            service_id=order.service_id,
            account_id=order.account_id,
            consumption=order.consumption,
            basis=self._facts.basis.value,
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
            needs=needs_of_part(order, part),
        )
