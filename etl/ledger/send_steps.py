"""The transitions of what is sent: intent, outcome, and what a dead process left. See `steps.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import select, update

from etl.ledger import schema
from etl.ledger.records import PartKind, loads, stamp
from etl.ledger.unit_of_work import (
    AttemptRow,
    Concluded,
    KindBusyError,
    NotReady,
    PartKey,
    PartRow,
    Renewal,
    UnitOfWork,
)
from etl.model.outcome import Kind, Outcome
from etl.model.packed import values_of
from etl.model.quick import quick
from etl.model.states import PLANNED, State, after

TOO_LARGE = 413
"""A refusal that is about the request's size and nothing else."""

_NOT_ACTED_ON = frozenset({Kind.NOT_SENT, Kind.WAIT, Kind.STOP, Kind.REFUSED, Kind.SPLIT})
"""Outcomes after which an attempt counts as never sent: met in Mews all the same, the order is another ledger's."""

RECHECKS = 2
"""What was proved absent and sent again is looked up at the end of the run and in the next run."""


@quick
@dataclass(frozen=True, slots=True)
class Intent:
    """What is frozen on disk before the first byte of a request. `payload` is canonical JSON without tokens.

    `payments`: the names of the payment parts that follow the order. `sent_at` is Mews's time. `needs`: the kinds
    that the part needs (`model/kinds.py`). `target`: what an undo part reverses.
    """

    number: str
    generation: int
    part: str
    kind: PartKind
    run_id: str
    payload: str
    payload_hash: str
    identifier: str
    marker: str
    service_id: str
    account_id: str
    consumption: datetime | None
    basis: str
    fingerprint: str
    skip_fingerprint: str
    recipe_version: int
    predicted: str
    sent_at: datetime
    payments: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    target: str = ""

    @property
    def key(self) -> PartKey:
        """Number, generation and name of the part."""
        return self.number, self.generation, self.part

    def sent(self, at: datetime) -> Intent:
        """The same, with the moment at which it was written."""
        values = [*_VALUES(self)]
        values[_SENT_AT] = at
        return Intent(*values)


_VALUES = values_of(Intent)
_SENT_AT = [one.name for one in fields(Intent)].index("sent_at")


class SendSteps(UnitOfWork):
    """Transitions of requests."""

    def intend(self, intent: Intent) -> int:
        """READY -> IN_FLIGHT: what will be sent is on disk. Shape: the attempt's number.

        Raises NotReady where the part is no longer ready.
        """
        self._check_ready(intent)
        return self._intend(intent)

    def intend_all(self, intents: Sequence[Intent]) -> list[int]:
        """READY -> IN_FLIGHT for what travels in one request. Shape: the attempts' numbers.

        Raises NotReady where one part is no longer ready: then nothing is changed.
        """
        for intent in intents:
            self._check_ready(intent)
        return [self._intend(intent) for intent in intents]

    def _check_ready(self, intent: Intent) -> None:
        order = self._order(intent.number)
        row = self._find(intent.key)
        state = order.state if row is None and intent.kind is PartKind.ORDER else row.state if row else None
        # Only what reverses may concern an older posting: a copy that turned up late.
        is_current = intent.generation == order.generation or intent.kind is PartKind.UNDO
        if state is not State.READY or not is_current:
            raise NotReady(f"order {intent.number}: {intent.part} is {state}, not ready", place=intent.number)
        if self.is_shared and intent.needs:
            self._check_kinds(intent)

    def _check_kinds(self, intent: Intent) -> None:
        """One of each kind first, whichever worker sends it: nothing in doubt needs what this part needs."""
        unproved = self.kinds.unproved(intent.needs)
        if not unproved:
            return
        parts = schema.parts
        in_doubt = select(parts.c.needs).where(
            parts.c.state.in_((State.IN_FLIGHT.value, State.UNKNOWN.value)),
            parts.c.needs != "",
            parts.c.number != intent.number,
        )
        is_tried = any(set(unproved).intersection(needs.split()) for needs in self._connection.scalars(in_doubt))
        if is_tried or any(self.kinds.is_held(kind) for kind in unproved):
            raise KindBusyError(f"order {intent.number} needs {' and '.join(unproved)}", place=intent.number)

    def _intend(self, intent: Intent) -> int:
        order = self._order(intent.number)
        row = self._find(intent.key)
        if row is None:
            row = self._add(PartRow(*intent.key, intent.kind.value, State.READY, target=intent.target))
        if intent.kind is PartKind.ORDER:
            self._plan_payments(intent)
        row.move(State.IN_FLIGHT)
        row.seq += 1
        row.sends += 1
        if row.absents:
            # An earlier request may have been processed after all, beyond the time that Mews takes.
            row.recheck = RECHECKS
        row.fingerprint, row.skip_fingerprint = intent.fingerprint, intent.skip_fingerprint
        row.first_sent_at = min(row.first_sent_at or stamp(intent.sent_at), stamp(intent.sent_at))
        row.settle_from = row.unseen_at = row.held = row.code = row.message = row.request_id = ""
        row.run_id, row.needs = intent.run_id, " ".join(intent.needs)
        self._new_attempts.append(self._attempt_row(intent, row.seq))
        order.code = order.message = order.request_id = ""
        order.last_run_id = intent.run_id
        self._settle_order(row)
        return row.seq

    def renew(self, number: str, generation: int, part: str, seq: int, sent_at: datetime) -> None:
        """IN_FLIGHT stays: the byte leaves later than intended, and the disk knows. Raises NotReady."""
        row = self._at(number, generation, part)
        if row.state is not State.IN_FLIGHT or row.seq != seq:
            raise NotReady(f"order {number}: {part} is {row.state}", place=number)
        self._renewals.append(Renewal(*row.key, row.seq, stamp(sent_at), self._now))

    def conclude(
        self,
        number: str,
        generation: int,
        part: str,
        seq: int,
        outcome: Outcome,
        *,
        at: datetime,
        mews_id: str = "",
        is_last_try: bool = True,
    ) -> State:
        """IN_FLIGHT -> what the outcome says. `at`: Mews's time; settling of an unknown outcome counts from it.

        Raises NotReady where the part is not in flight with this attempt.
        """
        row = self._at(number, generation, part)
        if row.seq != seq or not (row.state is State.IN_FLIGHT or self._counts_late(row, outcome)):
            raise NotReady(f"order {number}: {part} is {row.state}", place=number)
        row.move(after(outcome.kind, is_last_try=is_last_try))
        row.request_id = outcome.request_id
        row.message = "" if outcome.kind is Kind.DONE else outcome.message
        kind = outcome.kind.value
        self._outcomes.append(
            Concluded(*row.key, row.seq, kind, outcome.status, outcome.message, outcome.request_id, mews_id, stamp(at))
        )
        match row.state:
            case State.POSTED:
                self._book(row, mews_id, row.run_id)
            case State.UNKNOWN:
                row.settle_from = stamp(at)
                row.code = "send.unknown"
            case State.REJECTED:
                row.rejected_hash = self._last_hash(row)
                row.code = "mews.refused"
                if outcome.kind is Kind.REFUSED:
                    self._refuse_kinds(row, outcome)
        row.sends -= outcome.kind in _NOT_ACTED_ON
        self._settle_order(row)
        return row.state

    def _counts_late(self, row: PartRow, outcome: Outcome) -> bool:
        """Whether the answer to a request of a lost lease decides: it is definite, and nothing was sent since."""
        if outcome.kind is Kind.DONE:
            return self.is_late and row.state in (State.UNKNOWN, State.READY, State.REJECTED)
        return self.is_late and outcome.kind is Kind.REFUSED and row.state is State.UNKNOWN

    def orphan(self, living: Sequence[str] = ()) -> int:
        """IN_FLIGHT -> UNKNOWN for all that no living worker has in hand: their process is gone. Shape: how many."""
        parts, orders = schema.parts, schema.orders
        query = select(parts.c.number).where(parts.c.state == State.IN_FLIGHT.value).distinct()
        if living:
            query = query.join(orders, orders.c.number == parts.c.number).where(orders.c.claim.not_in(living))
        numbers = list(self._connection.scalars(query))
        self.load(numbers)
        count = 0
        for row in self._rows(numbers):
            if row.state is State.IN_FLIGHT:
                row.move(State.UNKNOWN)
                row.settle_from, row.code = "", "send.unknown"
                row.message = "the process ended while the request was under way"
                self._settle_order(row)
                count += 1
        return count

    def has_unsettled_orphans(self) -> bool:
        """Whether of some orphans nobody has said yet since when they settle."""
        parts = schema.parts
        query = select(parts.c.number).where(parts.c.state == State.UNKNOWN.value, parts.c.settle_from == "")
        return self._connection.scalar(query.limit(1)) is not None

    def start_settling(self, at: datetime) -> None:
        """Gives orphans Mews's time at which they certainly had been sent, if at all."""
        self._connection.execute(
            update(schema.parts)
            .where(schema.parts.c.state == State.UNKNOWN.value, schema.parts.c.settle_from == "")
            .values(settle_from=stamp(at))
        )

    def is_refusal_of_kind(self, number: str, generation: int, part: str) -> bool:
        """Whether the refusal that this transaction recorded of a part counts towards a kind."""
        return (number, generation, part) in self._refused_kinds

    def _refuse_kinds(self, row: PartRow, outcome: Outcome) -> None:
        kinds = self.kinds.unproved(row.needs.split())
        if not kinds or outcome.status == TOO_LARGE:
            return
        table = schema.attempts
        payload = self._connection.scalar(
            select(table.c.payload).where(
                table.c.number == row.number,
                table.c.generation == row.generation,
                table.c.part == row.part,
                table.c.seq == row.seq,
            )
        )
        if self.kinds.refuse(kinds, row, outcome, loads(payload, {})):
            self._refused_kinds.add(row.key)

    def _plan_payments(self, intent: Intent) -> None:
        """Payment parts follow today's plan as long as nothing of them was ever sent."""
        mine = [
            row
            for row in self._rows([intent.number])
            if row.kind == PartKind.PAYMENT.value and row.generation == intent.generation
        ]
        for row in mine:
            if row.part not in intent.payments and row.seq == 0 and row.state in PLANNED:
                del self._parts[row.number][row.key]
                self._dirty_parts.pop(row.key, None)
                if row.key in self._stored:
                    self._dropped.append(row.key)
        there = {row.part for row in mine}
        for part in intent.payments:
            if part not in there:
                self._add(PartRow(intent.number, intent.generation, part, PartKind.PAYMENT.value, State.READY))

    def _attempt_row(self, intent: Intent, seq: int) -> AttemptRow:
        return AttemptRow(
            number=intent.number,
            generation=intent.generation,
            part=intent.part,
            seq=seq,
            run_id=intent.run_id,
            payload=intent.payload,
            payload_hash=intent.payload_hash,
            identifier=intent.identifier,
            marker=intent.marker,
            service_id=intent.service_id,
            account_id=intent.account_id,
            consumption=stamp(intent.consumption),
            basis=intent.basis,
            fingerprint=intent.fingerprint,
            skip_fingerprint=intent.skip_fingerprint,
            recipe_version=intent.recipe_version,
            predicted=intent.predicted,
            sent_at=stamp(intent.sent_at),
            machine_at=self._now,
        )
