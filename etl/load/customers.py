"""Customers that Mews does not have yet: each person is made once, whatever fails, and then charged.

Rule: design sections 5 (account) and 7.2. A person is known by the lower-cased e-mail address. The intent is on disk
before the first byte; what nobody knows is looked up by e-mail, twice, before anything is sent again. Mews itself
may refuse a second profile of an address, but need not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy import func, insert, select, update

from etl.errors import EtlError, InternalError
from etl.load import schema
from etl.load.commit import Committer
from etl.load.ledger import Checkpoint, Ledger
from etl.load.ports import CustomerReader, CustomerWriter
from etl.load.records import moment, stamp
from etl.load.scan import MewsTime
from etl.load.steps import CHUNK, GIVE_UP, Steps
from etl.model.identity import content_hash
from etl.model.outcome import Kind, Outcome
from etl.model.plan import PlannedOrder
from etl.model.reference import Account

REFUSED_CLASSIFICATION = "Cashlist"
CONFLICT_TRIES = 4
_SEEN = ("account.ambiguous", "account.cashlist")
"""What was seen in Mews, and holds until something else is seen."""


class CustomerState(StrEnum):
    """Where a person stands. `ready`: sent and certainly not made; `created`: made, or found in Mews."""

    READY = "ready"
    IN_FLIGHT = "in_flight"
    UNKNOWN = "unknown"
    CREATED = "created"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Customer:
    """A row of `customers`. `settle_from`, `unseen_at`: Mews's time of the last byte and of the first look."""

    email: str
    state: CustomerState
    customer_id: str = ""
    attempts: int = 0
    absents: int = 0
    payload_hash: str = ""
    settle_from: datetime | None = None
    unseen_at: datetime | None = None
    code: str = ""
    message: str = ""

    @property
    def is_open(self) -> bool:
        """Whether Mews may be making the customer right now."""
        return self.state in (CustomerState.UNKNOWN, CustomerState.IN_FLIGHT)


@dataclass(frozen=True, slots=True)
class Answer:
    """Whom to charge: an account, or why there is none (`code`), or nobody knows yet (neither)."""

    account_id: str = ""
    code: str = ""
    message: str = ""

    @property
    def is_open(self) -> bool:
        """Whether Mews may be making the customer right now."""
        return not self.account_id and not self.code


@dataclass(frozen=True, slots=True)
class Pace:
    """How the run goes on: what the poster is told, and what it says.

    `meet`: an answer of Mews (or its absence) and when its slot was granted; all workers rest or halt where that
    follows. `nap` sleeps or until the run ends, `patience` longer with each try. `parked`: the requests that wait
    for their slot, and go home when the run halts.
    """

    is_halted: Callable[[], bool]
    meet: Callable[[Outcome, float], None]
    nap: Callable[[float], Awaitable[None]]
    patience: Callable[[int], Awaitable[None]]
    parked: set[asyncio.Future[Outcome]]
    monotonic: Callable[[], float]


class HeldBack(Exception):  # noqa: N818 - a signal, not an error
    """The run ends; the customer was not sent."""


def email_of(order: PlannedOrder) -> str:
    """The key of the person whom an order charges; "" where the account is known already."""
    if order.account_id or not order.create_customer:
        return ""
    return dict(order.create_customer).get("Email", "").lower()


class Customers:
    """The people of one run. Needs the ledger's lock."""

    def __init__(
        self,
        ledger: Ledger,
        commit: Committer,
        writer: CustomerWriter,
        reader: CustomerReader,
        time: MewsTime,
        pace: Pace,
        *,
        settle: timedelta,
        run_id: str,
        checkpoint: Checkpoint = lambda _: None,
    ) -> None:
        self._ledger = ledger
        self._commit = commit
        self._writer = writer
        self._reader = reader
        self._time = time
        self._pace = pace
        self._settle = settle
        self._run_id = run_id
        self._checkpoint = checkpoint
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.retries = False
        """Whether what Mews refused is sent again although nothing changed."""

    def known(self, emails: Iterable[str]) -> dict[str, Customer]:
        """What the ledger holds of these people."""
        table, found = schema.customers, dict[str, Customer]()
        unique = sorted({email for email in emails if email})
        for start in range(0, len(unique), CHUNK):
            for row in self._ledger.select(select(table).where(table.c.email.in_(unique[start : start + CHUNK]))):
                found[row.email] = _customer(row)
        return found

    async def look(self, emails: Iterable[str]) -> None:
        """Takes whom Mews has meanwhile of people who are not on record as made. Raises MewsError, LedgerError."""
        wanted = {email for email in emails if email}
        known = self.known(wanted)
        wanted -= {email for email, row in known.items() if row.state in (CustomerState.CREATED, CustomerState.UNKNOWN)}
        if not wanted:
            return
        for email, profiles in (await self._profiles(wanted)).items():
            row = known.get(email)
            if profiles:
                await self._take(email, profiles)
            elif row is not None and row.code in _SEEN:
                await self._record(email, CustomerState.READY)

    async def of(self, order: PlannedOrder) -> Answer:
        """The account of the order's customer, who is made if need be. Effects: sends, writes the ledger.

        Raises HeldBack where the run ends before anything was sent, LedgerError, MewsError.
        """
        email = email_of(order)
        if not email:
            raise InternalError(f"order {order.number} has no account and nobody to make", code="internal.customer")
        lock = self._locks.setdefault(email, asyncio.Lock())
        async with lock:
            return await self._of(email, {**dict(order.create_customer), "OverwriteExisting": False})

    async def settle(self, emails: Iterable[str], *, no_wait: bool) -> None:
        """Finds out about the unknown among these people; waits for it unless told not to.

        Rule: design 7.2: two looks, the first `settle_seconds` after the last byte, the second half of that later.
        """
        wanted = list(emails)
        while not self._pace.is_halted():
            rows = [row for row in self.known(wanted).values() if row.state is CustomerState.UNKNOWN]
            if not rows:
                return
            started = await self._time.sync()
            profiles = await self._profiles([row.email for row in rows])
            ended = self._time.latest()
            for row in rows:
                if profiles[row.email]:
                    await self._take(row.email, profiles[row.email])
                else:
                    await self._miss(row, started, ended)
            if no_wait:
                return
            open_rows = [row for row in self.known(wanted).values() if row.state is CustomerState.UNKNOWN]
            if open_rows:
                due = min(self._due(row) for row in open_rows)
                await self._pace.nap(max((due - self._time.now()).total_seconds(), 0.05))

    # One person

    async def _of(self, email: str, payload: Mapping[str, Any]) -> Answer:
        row = self.known([email]).get(email)
        if row is not None and row.state is CustomerState.UNKNOWN:
            return Answer()
        if row is not None and row.state is CustomerState.CREATED:
            return Answer(row.customer_id, row.code, row.message)
        payload_hash = content_hash(payload)
        if row is not None and row.state is CustomerState.REJECTED:
            is_same = row.payload_hash == payload_hash and not self.retries
            if is_same or row.code in _SEEN:
                return Answer("", row.code, row.message)
        return await self._make(email, payload, payload_hash)

    async def _make(self, email: str, payload: Mapping[str, Any], payload_hash: str) -> Answer:
        conflicts = faults = 0
        while not self._pace.is_halted():
            outcome, granted_at = await self._attempt(email, payload, payload_hash)
            if outcome.kind is Kind.REFUSED:
                # Most likely somebody has the address by now.
                profiles = (await self._profiles([email]))[email]
                if profiles:
                    return await self._take(email, profiles)
            self._pace.meet(outcome, granted_at)
            match outcome.kind:
                case Kind.DONE:
                    return await self._record(email, CustomerState.CREATED, customer_id=str(outcome.body["Id"]))
                case Kind.REFUSED:
                    return await self._refuse(email, outcome)
                case Kind.UNKNOWN:
                    await self._record(
                        email, CustomerState.UNKNOWN, message=outcome.message, settle_from=self._time.latest()
                    )
                    return Answer()
                case Kind.CONFLICT:
                    conflicts += 1
                    if conflicts >= CONFLICT_TRIES:
                        return await self._refuse(email, outcome)
                    await self._pace.patience(conflicts)
                case Kind.NOT_SENT:
                    faults += 1
                    await self._pace.patience(faults)
                case Kind.WAIT | Kind.STOP:
                    pass
        raise HeldBack

    async def _attempt(self, email: str, payload: Mapping[str, Any], payload_hash: str) -> tuple[Outcome, float]:
        """One request: intent on disk, bytes; an answer that made nobody is on disk when this returns."""
        granted_at = 0.0
        is_intended = False

        async def before_send() -> None:
            nonlocal granted_at, is_intended
            self._pace.parked.discard(request)
            if self._pace.is_halted():
                raise HeldBack
            granted_at = self._pace.monotonic()
            await self._commit.do("", lambda steps: _intend(steps, email, payload_hash, self._run_id))
            is_intended = True
            self._checkpoint("customer.intended")

        request = asyncio.ensure_future(self._writer.add_customer(payload, before_send=before_send))
        self._pace.parked.add(request)
        try:
            outcome = await request
        except asyncio.CancelledError:
            if self._pace.is_halted() and request.cancelled() and not is_intended and not _is_cancelled():
                raise HeldBack from None
            raise
        except HeldBack:
            if is_intended:
                await self._record(email, CustomerState.READY)
            raise
        except EtlError:
            raise
        except Exception as error:
            if not is_intended:
                raise InternalError(f"a customer could not be sent: {error!r}") from error
            outcome = Outcome(Kind.UNKNOWN, message=f"internal fault while sending: {type(error).__name__}")
        finally:
            self._pace.parked.discard(request)
            if not request.done():
                request.cancel()
        self._checkpoint("customer.answered")
        if outcome.kind is Kind.DONE and not outcome.body.get("Id"):
            outcome = Outcome(Kind.UNKNOWN, message="Mews's answer has no id", request_id=outcome.request_id)
        if is_intended and outcome.kind in (Kind.CONFLICT, Kind.NOT_SENT, Kind.WAIT, Kind.STOP):
            await self._record(email, CustomerState.READY, message=outcome.message)
        return outcome, granted_at

    async def _refuse(self, email: str, outcome: Outcome) -> Answer:
        message = f"Mews did not create the customer: {outcome.message}"
        return await self._record(email, CustomerState.REJECTED, code="account.not_created", message=message)

    async def _take(self, email: str, profiles: Sequence[Account]) -> Answer:
        """Whom Mews has under the address: one customer who may be charged, or the reason why not."""
        if len(profiles) > 1:
            listed = ", ".join(sorted(one.id for one in profiles))
            message = f"{len(profiles)} customers have this e-mail address: {listed}"
            return await self._record(email, CustomerState.REJECTED, code="account.ambiguous", message=message)
        (customer,) = profiles
        if REFUSED_CLASSIFICATION in customer.classifications:
            message = f"customer {customer.id} is on the cash list"
            return await self._record(email, CustomerState.REJECTED, code="account.cashlist", message=message)
        return await self._record(email, CustomerState.CREATED, customer_id=customer.id)

    async def _miss(self, row: Customer, started: datetime, ended: datetime) -> None:
        """A look that did not find an unknown customer; two of them prove that there is none."""
        if row.settle_from is None or started < row.settle_from + self._settle:
            return
        if row.unseen_at is None:
            await self._record(
                row.email, CustomerState.UNKNOWN, message=row.message, settle_from=row.settle_from, unseen_at=ended
            )
        elif started >= row.unseen_at + self._settle / 2:
            absents = row.absents + 1
            if absents % GIVE_UP:
                await self._record(row.email, CustomerState.READY, absents=absents, message=row.message)
                return
            message = f"sent {row.attempts} times, proved absent {absents} times; last: {row.message}"
            await self._record(
                row.email, CustomerState.REJECTED, absents=absents, code="account.not_created", message=message
            )

    def _due(self, row: Customer) -> datetime:
        if row.unseen_at is not None:
            return row.unseen_at + self._settle / 2
        return (row.settle_from or self._time.now()) + self._settle

    async def _profiles(self, emails: Iterable[str]) -> dict[str, list[Account]]:
        """The customers in use by lower-cased address; every address asked for is there."""
        found: dict[str, dict[str, Account]] = {email: {} for email in emails}
        for account in await self._reader.customers_by_email(list(found)):
            if account.is_active and not account.merged_into and account.email.lower() in found:
                found[account.email.lower()][account.id] = account
        return {email: list(accounts.values()) for email, accounts in found.items()}

    async def _record(
        self,
        email: str,
        state: CustomerState,
        *,
        customer_id: str = "",
        absents: int | None = None,
        code: str = "",
        message: str = "",
        settle_from: datetime | None = None,
        unseen_at: datetime | None = None,
    ) -> Answer:
        values: dict[str, Any] = {
            "state": state.value,
            "customer_id": customer_id,
            "code": code,
            "message": message,
            "settle_from": stamp(settle_from),
            "unseen_at": stamp(unseen_at),
            "run_id": self._run_id,
        }
        if absents is not None:
            values["absents"] = absents
        await self._commit.do("", lambda steps: _write(steps, email, values))
        self._checkpoint("customer.recorded")
        return Answer(customer_id, code, message)


def orphan(steps: Steps, at: datetime) -> None:
    """In flight -> unknown for all: their process is gone. `at`: Mews's time by which they certainly had left."""
    table = schema.customers
    steps.run(
        update(table)
        .where(table.c.state == CustomerState.IN_FLIGHT.value)
        .values(
            state=CustomerState.UNKNOWN.value,
            settle_from=stamp(at),
            message="the process ended while the request was under way",
        )
    )


def book_account(steps: Steps, number: str, account_id: str) -> None:
    """The plan's account of an order whose customer was made after planning."""
    table = schema.orders
    steps.run(update(table).where(table.c.number == number).values(account_id=account_id))


def _intend(steps: Steps, email: str, payload_hash: str, run_id: str) -> None:
    """Ready, rejected or not on record -> in flight."""
    table = schema.customers
    values = {
        "state": CustomerState.IN_FLIGHT.value,
        "payload_hash": payload_hash,
        "run_id": run_id,
        "code": "",
        "message": "",
        "settle_from": "",
        "unseen_at": "",
    }
    _write(steps, email, values)
    steps.run(update(table).where(table.c.email == email).values(attempts=table.c.attempts + 1))


def _write(steps: Steps, email: str, values: Mapping[str, Any]) -> None:
    table = schema.customers
    there = steps.rows(select(func.count()).select_from(table).where(table.c.email == email))[0][0]
    values = {**values, "updated_at": steps.now}
    steps.run(
        update(table).where(table.c.email == email).values(values)
        if there
        else insert(table).values(email=email, **values)
    )


def _customer(row: Any) -> Customer:
    return Customer(
        email=row.email,
        state=CustomerState(row.state),
        customer_id=row.customer_id,
        attempts=row.attempts,
        absents=row.absents,
        payload_hash=row.payload_hash,
        settle_from=moment(row.settle_from),
        unseen_at=moment(row.unseen_at),
        code=row.code,
        message=row.message,
    )


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
