"""Every transition of an order and its parts, by name; the only code that writes a state.

A `Steps` works within one transaction: it reads the parts concerned at the start, lets each step change them,
and writes what changed in few statements. A step that does not apply raises and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from etl.errors import InternalError
from etl.load import schema, versions
from etl.load.kind_record import KindRecord
from etl.load.records import ORDER_PART, Correction, LedgerOrder, PartKind, dumps, loads, stamp, stored_state
from etl.model.outcome import Kind, Outcome
from etl.model.states import IN_MEWS, PLANNED, State, after, check, worst

CHUNK = 500
"""Numbers per SELECT: below every database's limit of parameters."""

GIVE_UP = 3
"""Proved absent so many times, an order is rejected as `send.gave_up`."""

TOO_LARGE = 413
"""A refusal that is about the request's size and nothing else."""

RECHECKS = 2
"""What was proved absent and sent again is looked up at the end of the run and in the next run."""

PartKey = tuple[str, int, str]

_ORDER_HOT = (
    "state",
    "generation",
    "mews_order_id",
    "posted_run_id",
    "last_run_id",
    "resolved_run_id",
    "posted_fingerprint",
    "posted_skip_fingerprint",
    "rejected_hash",
    "code",
    "message",
    "request_id",
    "duplicates",
    "observed",
)
_PART_HOT = (
    "state",
    "mews_id",
    "run_id",
    "seq",
    "sends",
    "absents",
    "rejected_hash",
    "fingerprint",
    "skip_fingerprint",
    "first_sent_at",
    "settle_from",
    "unseen_at",
    "recheck",
    "held",
    "code",
    "message",
    "request_id",
    "needs",
)
_PART_KEY = ("number", "generation", "part")

_SELECT_ORDERS = select(*(schema.orders.c[name] for name in ("number", *_ORDER_HOT, "verdict")))
_UPDATE_ORDER = (
    update(schema.orders)
    .where(schema.orders.c.number == bindparam("k_number"))
    .values({name: bindparam(name) for name in (*_ORDER_HOT, "updated_at")})
)
_UPDATE_PART = (
    update(schema.parts)
    .where(
        schema.parts.c.number == bindparam("k_number"),
        schema.parts.c.generation == bindparam("k_generation"),
        schema.parts.c.part == bindparam("k_part"),
    )
    .values({name: bindparam(name) for name in _PART_HOT})
)
_OUTCOME_COLUMNS = ("outcome", "status", "message", "request_id", "mews_id", "finished_at")
_UPDATE_ATTEMPT = (
    update(schema.attempts)
    .where(
        schema.attempts.c.number == bindparam("k_number"),
        schema.attempts.c.generation == bindparam("k_generation"),
        schema.attempts.c.part == bindparam("k_part"),
        schema.attempts.c.seq == bindparam("k_seq"),
    )
    .values({name: bindparam(name) for name in _OUTCOME_COLUMNS})
)
_RENEW_ATTEMPT = (
    update(schema.attempts)
    .where(
        schema.attempts.c.number == bindparam("k_number"),
        schema.attempts.c.generation == bindparam("k_generation"),
        schema.attempts.c.part == bindparam("k_part"),
        schema.attempts.c.seq == bindparam("k_seq"),
    )
    .values(sent_at=bindparam("sent_at"), machine_at=bindparam("machine_at"))
)


class NotReady(InternalError):  # noqa: N818 - a state of affairs that the caller handles
    """The part is not in the state that the step starts from: somebody else decided meanwhile."""

    code = "internal.not_ready"


@dataclass(frozen=True, slots=True)
class Intent:
    """What is frozen on disk before the first byte of a request. `payload` is canonical JSON without tokens.

    `payments`: the names of the payment parts that follow the order. `sent_at` is Mews's time. `needs`: the kinds
    that the part needs (`model/kinds.py`).
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


@dataclass(slots=True)
class PartRow:
    """One row of `parts` while a transaction works on it."""

    number: str
    generation: int
    part: str
    kind: str
    state: State
    mews_id: str = ""
    run_id: str = ""
    seq: int = 0
    sends: int = 0
    absents: int = 0
    rejected_hash: str = ""
    fingerprint: str = ""
    skip_fingerprint: str = ""
    first_sent_at: str = ""
    settle_from: str = ""
    unseen_at: str = ""
    recheck: int = 0
    held: str = ""
    code: str = ""
    message: str = ""
    request_id: str = ""
    needs: str = ""

    @property
    def key(self) -> PartKey:
        """The primary key."""
        return self.number, self.generation, self.part

    def move(self, new: State) -> None:
        """The only way to another state."""
        self.state = check(self.state, new)

    def values(self) -> dict[str, Any]:
        """The changing columns."""
        row = {name: getattr(self, name) for name in _PART_HOT}
        row["state"] = self.state.value
        return row


@dataclass(slots=True)
class OrderRow:
    """The fate columns of one row of `orders` while a transaction works on it."""

    number: str
    state: State
    generation: int
    mews_order_id: str
    posted_run_id: str
    last_run_id: str
    resolved_run_id: str
    posted_fingerprint: str
    posted_skip_fingerprint: str
    rejected_hash: str
    code: str
    message: str
    request_id: str
    duplicates: str
    observed: str
    verdict: str

    def values(self) -> dict[str, Any]:
        """The changing columns."""
        row = {name: getattr(self, name) for name in _ORDER_HOT}
        row["state"] = self.state.value
        return row


class Steps:
    """The named transitions, within the transaction of `connection`. `now`: this machine's time; `proved`: kinds known as that."""

    def __init__(self, connection: Connection, now: datetime, proved: set[str] | None = None) -> None:
        self._connection = connection
        self._now = stamp(now)
        self._orders: dict[str, OrderRow] = {}
        self._parts: dict[str, dict[PartKey, PartRow]] = {}
        self._stored: set[PartKey] = set()
        self._dropped: list[PartKey] = []
        self._dirty_orders: dict[str, None] = {}
        self._dirty_parts: dict[PartKey, None] = {}
        self._new_attempts: list[dict[str, Any]] = []
        self._outcomes: list[dict[str, Any]] = []
        self._renewals: list[dict[str, Any]] = []
        self._refused_kinds: set[PartKey] = set()
        self.kinds = KindRecord(connection, self._now, set() if proved is None else proved)
        """What the ledger knows of kinds, as this transaction sees it."""

    # Sending

    def intend(self, intent: Intent) -> int:
        """READY -> IN_FLIGHT: what will be sent is on disk. Shape: the attempt's number.

        Raises NotReady where the part is no longer ready.
        """
        order = self._order(intent.number)
        key = (intent.number, intent.generation, intent.part)
        row = self._find(key)
        state = order.state if row is None and intent.kind is PartKind.ORDER else row.state if row else None
        # Only what reverses may concern an older posting: a copy that turned up late.
        is_current = intent.generation == order.generation or intent.kind is PartKind.UNDO
        if state is not State.READY or not is_current:
            raise NotReady(f"order {intent.number}: {intent.part} is {state}, not ready", place=intent.number)
        if row is None:
            row = self._add(PartRow(*key, intent.kind.value, State.READY))
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
        self._renewals.append(
            {**_attempt_key(row), "sent_at": stamp(sent_at), "machine_at": self._now},
        )

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
        if row.state is not State.IN_FLIGHT or row.seq != seq:
            raise NotReady(f"order {number}: {part} is {row.state}", place=number)
        row.move(after(outcome.kind, is_last_try=is_last_try))
        row.request_id = outcome.request_id
        row.message = "" if outcome.kind is Kind.DONE else outcome.message
        self._outcomes.append(
            {
                **_attempt_key(row),
                "outcome": outcome.kind.value,
                "status": outcome.status,
                "message": outcome.message,
                "request_id": outcome.request_id,
                "mews_id": mews_id,
                "finished_at": stamp(at),
            }
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
            case _:
                if outcome.kind is Kind.NOT_SENT:
                    row.sends -= 1
        self._settle_order(row)
        return row.state

    # After a crash

    def orphan(self) -> int:
        """IN_FLIGHT -> UNKNOWN for all: the lock was taken, their process is gone. Shape: how many."""
        numbers = list(
            self._connection.scalars(
                select(schema.parts.c.number).where(schema.parts.c.state == State.IN_FLIGHT.value).distinct()
            )
        )
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

    def start_settling(self, at: datetime) -> None:
        """Gives orphans Mews's time at which they certainly had been sent, if at all."""
        self._connection.execute(
            update(schema.parts)
            .where(schema.parts.c.state == State.UNKNOWN.value, schema.parts.c.settle_from == "")
            .values(settle_from=stamp(at))
        )

    # What Mews shows

    def find(
        self,
        number: str,
        generation: int,
        part: str,
        *,
        mews_id: str,
        differences: Sequence[str],
        fingerprint: str,
        run_id: str,
        sent_by: str,
        observed: str = "",
    ) -> State:
        """UNKNOWN, READY or REJECTED -> POSTED (amounts as sent) or DIFFERENT: it is there.

        `fingerprint` of the attempt that it matches; `sent_by`: that attempt's run. `observed`: what Mews shows of the
        order, or of the payment (`records.observed_payment`), kept where it differs: its money counts as it was seen.
        """
        row = self._at(number, generation, part)
        row.move(State.DIFFERENT if differences else State.POSTED)
        row.fingerprint = fingerprint
        row.code = "different" if differences else ""
        row.message = "; ".join(differences)
        self._book(row, mews_id, sent_by)
        if row.part == ORDER_PART:
            self._order(number).resolved_run_id = run_id
            self._order(number).observed = observed if differences else ""
        elif row.kind == PartKind.PAYMENT and generation == self._order(number).generation:
            self._see_paid(number, row.part, observed if differences else "")
        self._settle_order(row)
        return row.state

    def miss(self, number: str, generation: int, part: str, seq: int, *, proved: bool, at: datetime) -> State:
        """UNKNOWN stays with the time of the scan, or -> READY, or REJECTED: two complete scans proved absence."""
        row = self._at(number, generation, part)
        if row.state is not State.UNKNOWN or row.seq != seq:
            return row.state
        row.held = ""
        if not proved:
            row.unseen_at = row.unseen_at or stamp(at)
        else:
            row.absents += 1
            row.unseen_at = row.settle_from = row.held = ""
            if row.absents % GIVE_UP == 0:
                row.move(State.REJECTED)
                row.rejected_hash = self._last_hash(row)
                row.code = "send.gave_up"
                row.message = f"sent {row.sends} times, proved absent {row.absents} times; last: {row.message}"
            else:
                row.move(State.READY)
                row.code = ""
        self._settle_order(row)
        return row.state

    def hold(self, number: str, generation: int, part: str, candidates: str) -> None:
        """UNKNOWN stays for a person: something unmarked in Mews looks like it. `candidates`: both sides."""
        row = self._at(number, generation, part)
        row.move(State.UNKNOWN)
        row.held, row.unseen_at = candidates, ""
        row.message = "something that carries no mark of ours looks like this order: decide with `centra-mews settle`"
        self._settle_order(row)

    def duplicate(self, number: str, order_ids: Iterable[str]) -> None:
        """The state stays: Mews holds the order more than once, under these ids."""
        order = self._order(number)
        known = set(filter(None, order.duplicates.strip("[]").replace('"', "").split(",")))
        order.duplicates = dumps(sorted(known | set(order_ids)))
        self._dirty_orders[number] = None

    def see_copies(self, number: str, generation: int, ids: Sequence[str]) -> None:
        """The state stays: these, and nothing else, stand in Mews more than once; an older generation only adds."""
        order = self._order(number)
        if generation != order.generation:
            if ids:
                self.duplicate(number, ids)
            return
        order.duplicates = dumps(sorted(ids)) if ids else ""
        self._dirty_orders[number] = None

    def rechecked(self, keys: Iterable[PartKey], floor: int) -> None:
        """One look-up less for what was sent more than once; never below `floor`."""
        for number, generation, part in keys:
            row = self._at(number, generation, part)
            row.recheck = max(floor, row.recheck - 1) if row.recheck else 0
            self._dirty_parts[row.key] = None

    # What the plan or a person says

    def withdraw(self, number: str, generation: int, code: str, message: str) -> None:
        """READY -> BLOCKED: it may not be sent any more (`window.passed`, `return.parent`)."""
        order = self._order(number)
        row = self._find((number, generation, ORDER_PART))
        if row is None:
            order.state = check(order.state, State.BLOCKED)
        else:
            row.move(State.BLOCKED)
        order.code, order.message = code, message
        if row is not None:
            row.code, row.message = code, message
            self._settle_order(row)
        self._dirty_orders[number] = None

    def reopen(self, number: str, generation: int, part: str) -> None:
        """REJECTED or BLOCKED -> READY: another payload, or a person wants it tried again."""
        row = self._at(number, generation, part)
        row.move(State.READY)
        row.rejected_hash = row.code = row.message = row.request_id = ""
        self._settle_order(row)

    def replan(self, number: str, verdict: State) -> State:
        """BLOCKED, SKIPPED, READY (or REJECTED, unless ready again) -> the plan's verdict.

        What may be in Mews keeps its state. A rejected part that the plan calls ready or blocked stays rejected:
        whether its payload changed is asked when it would be sent.
        """
        order = self._order(number)
        row = self._find((number, order.generation, ORDER_PART))
        if row is None:
            order.state = check(order.state, verdict)
        elif row.state in PLANNED and not (row.state is State.REJECTED and verdict in (State.READY, State.BLOCKED)):
            row.move(verdict)
            self._settle_order(row)
        if order.state is verdict and verdict in PLANNED:
            order.code = order.message = order.request_id = ""
        self._dirty_orders[number] = None
        return order.state

    def adopt(self, number: str, fingerprints: tuple[str, str], payments: Iterable[str]) -> None:
        """POSTED stays: an order that `recover` found is what the plan says; payments not found are READY."""
        order = self._order(number)
        order.posted_fingerprint, order.posted_skip_fingerprint = fingerprints
        self._dirty_orders[number] = None
        for part in payments:
            if self._find((number, order.generation, part)) is None:
                row = self._add(PartRow(number, order.generation, part, PartKind.PAYMENT.value, State.READY))
                self._settle_order(row)

    # Undoing

    def plan_undo(self, number: str, generation: int, part: str, target: str) -> None:
        """A new undo part is READY; one that was refused or held back is READY again. `target`: what it reverses."""
        self._order(number)
        row = self._find((number, generation, part))
        if row is None:
            row = self._add(PartRow(number, generation, part, PartKind.UNDO.value, State.READY))
        elif row.state is not State.READY:
            row.move(State.READY)
        row.fingerprint = target
        row.rejected_hash = row.code = row.message = row.request_id = ""
        self._settle_order(row)

    def see_undo(
        self,
        number: str,
        generation: int,
        part: str,
        *,
        mews_id: str,
        target: str,
        run_id: str,
        message: str = "",
    ) -> None:
        """Anything but IN_FLIGHT -> POSTED: what Mews shows proves that this undo part did its work.

        DIFFERENT with a `message`: it is there, and does not balance what it reverses.
        """
        self._order(number)
        row = self._find((number, generation, part))
        if row is None:
            row = self._add(PartRow(number, generation, part, PartKind.UNDO.value, State.READY))
        row.move(State.DIFFERENT if message else State.POSTED)
        row.fingerprint, row.mews_id, row.run_id = target, mews_id, row.run_id or run_id
        row.settle_from = row.unseen_at = row.held = row.code = ""
        row.message = message
        self._settle_order(row)

    def undo(self, number: str, generation: int, part: str = ORDER_PART) -> None:
        """POSTED or DIFFERENT -> UNDONE: it was reversed in Mews."""
        row = self._at(number, generation, part)
        row.move(State.UNDONE)
        row.code = row.message = ""
        self._settle_order(row)

    def undo_all(self, number: str, generation: int) -> None:
        """POSTED or DIFFERENT -> UNDONE for the order and its payments: nothing of this generation is left."""
        self._at(number, generation, ORDER_PART)
        for row in self._rows([number]):
            is_there = row.state in (State.POSTED, State.DIFFERENT)
            if row.generation == generation and row.kind != PartKind.UNDO.value and is_there:
                self.undo(number, generation, row.part)
        order = self._order(number)
        if order.generation == generation:
            order.duplicates = ""

    def keep_copies(self, number: str, generation: int, order_ids: Sequence[str]) -> None:
        """POSTED or DIFFERENT stays, under the copies that are left: others were reversed."""
        row, order = self._at(number, generation, ORDER_PART), self._order(number)
        if row.state is State.UNDONE:
            return
        if row.mews_id not in order_ids:
            row.mews_id = order_ids[0]
        if order.generation == generation:
            order.mews_order_id = row.mews_id
            order.duplicates = dumps(sorted(order_ids)) if len(order_ids) > 1 else ""
        self._settle_order(row)

    def differ(self, number: str, generation: int, message: str, shown: dict[str, Any] | None = None) -> None:
        """POSTED -> DIFFERENT: Mews holds something else than it was. `shown`: what (`records.observed_items`)."""
        row, order = self._at(number, generation, ORDER_PART), self._order(number)
        row.move(State.DIFFERENT)
        row.code, row.message = "different", message
        if shown is not None and generation == order.generation:
            order.observed = dumps({**loads(order.observed, {}), **shown})
        self._settle_order(row)

    def _see_paid(self, number: str, part: str, observed: str) -> None:
        order = self._order(number)
        kept = loads(order.observed, {})
        paid = {name: amount for name, amount in kept.get("payments", {}).items() if name != part}
        if observed:
            paid[part] = loads(observed, "")
        if paid != kept.get("payments", {}):
            kept = {name: value for name, value in kept.items() if name != "payments"}
            order.observed = dumps({**kept, "payments": paid} if paid else kept) if paid or kept else ""
            self._dirty_orders[number] = None

    def regenerate(self, number: str) -> int:
        """UNDONE -> READY as the next generation. Shape: its number."""
        order = self._order(number)
        old = self._at(number, order.generation, ORDER_PART)
        check(old.state, State.READY)
        if old.state is not State.UNDONE:
            raise NotReady(f"order {number} is {old.state}, not undone", place=number)
        order.generation += 1
        order.mews_order_id = order.posted_run_id = order.resolved_run_id = order.duplicates = order.observed = ""
        order.posted_fingerprint = order.posted_skip_fingerprint = ""
        self._settle_order(self._add(PartRow(number, order.generation, ORDER_PART, PartKind.ORDER.value, State.READY)))
        return order.generation

    def recover(
        self,
        number: str,
        generation: int,
        *,
        mews_order_id: str,
        observed: str,
        payments: Iterable[tuple[str, str]],
        differences: Sequence[str],
        run_id: str,
        facts: dict[str, str],
    ) -> State:
        """Anything not known to be in Mews -> POSTED or DIFFERENT: `recover` read it there.

        `payments`: (part, id) of those found. `facts`: columns that stand in for a plan until there is one.
        """
        order = self._orders.get(number)
        if order is None:
            order = self._orders[number] = OrderRow(
                number, State.READY, generation, "", "", "", "", "", "", "", "", "", "", "", "", ""
            )
            self._connection.execute(
                insert(schema.orders).values(number=number, state=State.READY.value, updated_at=self._now, **facts)
            )
        else:
            # The facts of a plan that was never sent are none of what Mews holds.
            self._connection.execute(
                update(schema.orders)
                .where(schema.orders.c.number == number)
                .values(verdict="", source_total=None, rounding="0", **facts)
            )
        order.generation = generation
        row = self._find((number, generation, ORDER_PART))
        if row is None:
            row = self._add(PartRow(number, generation, ORDER_PART, PartKind.ORDER.value, State.READY))
        row.move(State.DIFFERENT if differences else State.POSTED)
        row.code = "different" if differences else ""
        row.message = "; ".join(differences)
        order.observed = observed
        row.fingerprint = row.skip_fingerprint = ""
        self._book(row, mews_order_id, run_id)
        order.resolved_run_id = run_id
        for part, mews_id in payments:
            self.see_payment(number, generation, part, mews_id=mews_id, run_id=run_id)
        self._settle_order(row)
        return row.state

    def see_payment(self, number: str, generation: int, part: str, *, mews_id: str, run_id: str) -> None:
        """Anything not known to be in Mews -> POSTED: `recover` read the payment there. One in flight stays."""
        self._order(number)
        row = self._find((number, generation, part))
        if row is None:
            row = self._add(PartRow(number, generation, part, PartKind.PAYMENT.value, State.READY))
        if row.state in IN_MEWS or row.state is State.IN_FLIGHT:
            return
        row.move(State.POSTED)
        row.code = row.message = ""
        self._book(row, mews_id, row.run_id or run_id)
        self._settle_order(row)

    def settle_posted(
        self,
        number: str,
        generation: int,
        *,
        mews_id: str,
        note: str,
        run_id: str,
        part: str = ORDER_PART,
        accepted: dict[str, Any] | None = None,
    ) -> None:
        """UNKNOWN or DIFFERENT -> POSTED: a person decided. `accepted`: what Mews shows in place of what was sent."""
        row = self._at(number, generation, part)
        row.move(State.POSTED)
        row.code, row.message = "", note
        row.held = ""
        self._book(row, mews_id, row.run_id or run_id)
        order = self._order(number)
        order.resolved_run_id = run_id
        if accepted is not None:
            order.observed = dumps({**loads(order.observed, {}), **accepted, "accepted": True})
        self._settle_order(row)

    def settle_absent(self, number: str, generation: int, *, note: str, part: str = ORDER_PART) -> None:
        """UNKNOWN -> READY: a person decided that Mews has nothing of it."""
        row = self._at(number, generation, part)
        if row.state is not State.UNKNOWN:
            raise NotReady(f"order {number} is {row.state}, not unknown", place=number)
        row.move(State.READY)
        row.absents += 1
        row.settle_from = row.unseen_at = row.held = row.code = ""
        row.message = note
        self._settle_order(row)

    def disown(self, number: str, generation: int, *, note: str) -> None:
        """POSTED or DIFFERENT -> READY: Mews does not know its OrderId, and a person decided that nothing is there."""
        row, order = self._at(number, generation, ORDER_PART), self._order(number)
        row.state = check(row.state, State.READY, by_a_person=True)
        row.absents += 1
        row.mews_id = row.settle_from = row.unseen_at = row.held = row.code = ""
        row.message = note
        order.mews_order_id = order.posted_run_id = order.resolved_run_id = order.duplicates = order.observed = ""
        order.posted_fingerprint = order.posted_skip_fingerprint = ""
        self._settle_order(row)

    # The transaction's own work

    def load(self, numbers: Iterable[str]) -> None:
        """Reads orders and parts of these numbers, once each."""
        wanted = [number for number in dict.fromkeys(numbers) if number not in self._orders]
        orders, parts = schema.orders, schema.parts
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            for row in self._connection.execute(_SELECT_ORDERS.where(orders.c.number.in_(chunk))):
                number, state, *rest = row
                self._orders[number] = OrderRow(number, stored_state(state), *rest)
            for row in self._connection.execute(
                select(*(parts.c[name] for name in (*_PART_KEY, "kind", *_PART_HOT))).where(parts.c.number.in_(chunk))
            ):
                number, generation, part, kind, state, *rest = row
                value = PartRow(number, generation, part, kind, stored_state(state), *rest)
                self._parts.setdefault(number, {})[value.key] = value
                self._stored.add(value.key)

    def save(self) -> None:
        """Writes what the steps changed. Effects: a handful of statements, whatever the count of steps."""
        run = self._connection.execute
        self.kinds.save()
        if self._dropped:
            table = schema.parts
            for number, generation, part in self._dropped:
                run(
                    delete(table).where(
                        table.c.number == number, table.c.generation == generation, table.c.part == part
                    )
                )
        changed = [self._parts[key[0]][key] for key in self._dirty_parts]
        new = [
            {"number": row.number, "generation": row.generation, "part": row.part, "kind": row.kind, **row.values()}
            for row in changed
            if row.key not in self._stored
        ]
        old = [
            {"k_number": row.number, "k_generation": row.generation, "k_part": row.part, **row.values()}
            for row in changed
            if row.key in self._stored
        ]
        if new:
            run(insert(schema.parts), new)
        if old:
            run(_UPDATE_PART, old)
        if self._new_attempts:
            run(insert(schema.attempts), self._new_attempts)
        if self._renewals:
            run(_RENEW_ATTEMPT, self._renewals)
        if self._outcomes:
            run(_UPDATE_ATTEMPT, self._outcomes)
        if self._dirty_orders:
            run(
                _UPDATE_ORDER,
                [
                    {"k_number": number, "updated_at": self._now, **self._orders[number].values()}
                    for number in self._dirty_orders
                ],
            )

    def execute(self, statement: Any, rows: list[dict[str, Any]]) -> None:
        """One statement over many rows of facts, within the same transaction; no state may be in it."""
        self._connection.execute(statement, rows)

    def read_orders(self, numbers: Sequence[str]) -> dict[str, LedgerOrder]:
        """The orders of these numbers, as this transaction sees them."""
        return versions.read_orders(self._connection, numbers)

    def keep_versions(self, new: list[dict[str, Any]], met: list[dict[str, Any]]) -> None:
        """Stores the contents of orders that are `new` to the ledger, and of those that were `met` before."""
        versions.keep_versions(self._connection, new, are_new=True)
        versions.keep_versions(self._connection, met, are_new=False)

    def keep_corrections(self, found: Mapping[str, Sequence[Correction]], run_id: str) -> None:
        """Stores which version of an order took the place of which."""
        versions.keep_corrections(self._connection, found, run_id)

    @property
    def now(self) -> str:
        """The time of this machine, as it is stored."""
        return self._now

    def run(self, statement: Any) -> None:
        """One statement within the same transaction; no state of an order or part may be in it."""
        self._connection.execute(statement)

    def rows(self, query: Any) -> Sequence[Any]:
        """What a query sees within the same transaction."""
        return self._connection.execute(query).all()

    def meta(self, key: str, value: str) -> None:
        """Stores a text in the same transaction as the steps that it vouches for."""
        table = schema.meta
        done = self._connection.execute(update(table).where(table.c.key == key).values(value=value, saved_at=self._now))
        if not done.rowcount:
            self._connection.execute(insert(table).values(key=key, value=value, saved_at=self._now))

    def part_state(self, number: str, generation: int, part: str = ORDER_PART) -> State | None:
        """The state of a part as this transaction sees it."""
        self.load([number])
        row = self._find((number, generation, part))
        return None if row is None else row.state

    def mews_id(self, number: str, generation: int, part: str = ORDER_PART) -> str:
        """Mews's id of a part as this transaction sees it; "" for none."""
        self.load([number])
        row = self._find((number, generation, part))
        return "" if row is None else row.mews_id

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

    def _book(self, row: PartRow, mews_id: str, run_id: str) -> None:
        row.mews_id, row.run_id = mews_id, run_id
        row.settle_from = row.unseen_at = row.held = ""
        for kind in row.needs.split():
            # With the state, in one transaction: what is in Mews has proved what it needed.
            self.kinds.prove(kind, row.number, run_id)
        order = self._order(row.number)
        order.last_run_id = run_id
        if row.part == ORDER_PART:
            order.mews_order_id, order.posted_run_id = mews_id, run_id
            order.posted_fingerprint, order.posted_skip_fingerprint = row.fingerprint, row.skip_fingerprint

    def _settle_order(self, row: PartRow) -> None:
        """The order reports the worst of its parts; undo entries and older generations have no say."""
        self._dirty_parts[row.key] = None
        order = self._order(row.number)
        parts = [
            part
            for part in self._parts[row.number].values()
            if part.generation == order.generation and part.kind != PartKind.UNDO.value
        ]
        if any(part.part == ORDER_PART and part.state is State.UNDONE for part in parts):
            # A payment that was never sent is not due any more.
            parts = [part for part in parts if part.state not in PLANNED]
        order.state = worst(part.state for part in parts)
        speaking = min(parts, key=lambda part: (part.state is not order.state, part.part != ORDER_PART, part.part))
        order.code, order.message, order.request_id = speaking.code, speaking.message, speaking.request_id
        order.rejected_hash = next((part.rejected_hash for part in parts if part.part == ORDER_PART), "")
        self._dirty_orders[row.number] = None

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

    def _attempt_row(self, intent: Intent, seq: int) -> dict[str, Any]:
        return {
            "number": intent.number,
            "generation": intent.generation,
            "part": intent.part,
            "seq": seq,
            "run_id": intent.run_id,
            "payload": intent.payload,
            "payload_hash": intent.payload_hash,
            "identifier": intent.identifier,
            "marker": intent.marker,
            "service_id": intent.service_id,
            "account_id": intent.account_id,
            "consumption": stamp(intent.consumption),
            "basis": intent.basis,
            "fingerprint": intent.fingerprint,
            "skip_fingerprint": intent.skip_fingerprint,
            "recipe_version": intent.recipe_version,
            "predicted": intent.predicted,
            "sent_at": stamp(intent.sent_at),
            "machine_at": self._now,
        }

    def _last_hash(self, row: PartRow) -> str:
        table = schema.attempts
        found = self._connection.scalar(
            select(table.c.payload_hash).where(
                table.c.number == row.number,
                table.c.generation == row.generation,
                table.c.part == row.part,
                table.c.seq == row.seq,
            )
        )
        return found or ""

    def _order(self, number: str) -> OrderRow:
        if number not in self._orders:
            self.load([number])
        try:
            return self._orders[number]
        except KeyError:
            raise InternalError(f"order {number} is not in the ledger", code="internal.no_order") from None

    def _find(self, key: PartKey) -> PartRow | None:
        return self._parts.get(key[0], {}).get(key)

    def _at(self, number: str, generation: int, part: str) -> PartRow:
        self._order(number)
        row = self._find((number, generation, part))
        if row is None:
            raise InternalError(f"order {number} has no part {part} in the ledger", code="internal.no_part")
        return row

    def _add(self, row: PartRow) -> PartRow:
        self._parts.setdefault(row.number, {})[row.key] = row
        self._dirty_parts[row.key] = None
        return row

    def _rows(self, numbers: Iterable[str]) -> list[PartRow]:
        return [row for number in numbers for row in self._parts.get(number, {}).values()]


def _attempt_key(row: PartRow) -> dict[str, Any]:
    return {"k_number": row.number, "k_generation": row.generation, "k_part": row.part, "k_seq": row.seq}
