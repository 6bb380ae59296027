"""Customers that Mews does not have yet: each person is made once, whatever fails, and then charged.

Rule: design sections 5 (account) and 7.2. A person is known by the lower-cased e-mail address. The intent is on disk
before the first byte; what nobody knows is looked up by e-mail, twice, before anything is sent again. Mews itself
may refuse a second profile of an address, but need not. Of several workers (design section 10) the one whose intent is on
disk first makes the person; the others put his orders off until the ledger says who he is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from etl.errors import InternalError
from etl.ledger.customer_steps import NOT_CREATED, Refusal
from etl.ledger.records import Customer
from etl.ledger.steps import NotReady, Steps
from etl.load.halt import HaltedError
from etl.load.ports import CustomerReader
from etl.load.requests import made_id
from etl.load.sender import Request
from etl.load.session import Session
from etl.load.share import POLL
from etl.model.identity import content_hash
from etl.model.outcome import Kind, Outcome
from etl.model.payload import Operation, freeze
from etl.model.plan import PlannedOrder
from etl.model.reference import Account
from etl.model.states import CustomerState

T = TypeVar("T")

REFUSED_CLASSIFICATION = "Cashlist"
_SEEN = ("account.ambiguous", "account.cashlist")
"""What was seen in Mews, and holds until something else is seen."""


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


@dataclass(slots=True)
class CustomerRecord:
    """One person on the way into Mews (`sender.Record`). `payload_hash`: of what the plan wants.

    `seen`: state and number of attempts that it was decided on. `attempt`: what its intent gave.
    """

    email: str
    payload_hash: str
    run_id: str
    seen: tuple[CustomerState, int]
    attempt: int = 0

    @property
    def numbers(self) -> tuple[str, ...]:
        """No order: one person may be charged with many."""
        return ()

    @property
    def people(self) -> tuple[str, ...]:
        """The person."""
        return (self.email,)

    def intend(self, steps: Steps, sent_at: datetime) -> None:  # noqa: ARG002 - looks by e-mail have no window
        """Ready -> in flight."""
        self.attempt = steps.intend_customer(self.email, self.seen, self.payload_hash, self.run_id)
        # If Mews does nothing about it, it goes again from there.
        self.seen = (CustomerState.READY, self.attempt)

    def renew(self, steps: Steps, sent_at: datetime) -> None:  # noqa: ARG002
        """In flight stays."""
        steps.renew_customer(self.email, self.attempt)

    def judge(self, outcome: Outcome) -> Outcome:
        """As the client tells it: a DONE names the customer."""
        return outcome

    def conclude(self, steps: Steps, outcome: Outcome, *, at: datetime, is_last_try: bool) -> bool:
        """In flight -> what the outcome says."""
        customer_id = made_id(Operation.ADD_CUSTOMER, outcome)
        steps.conclude_customer(
            self.email, self.attempt, outcome, at=at, customer_id=customer_id, is_last_try=is_last_try
        )
        return False


def email_of(order: PlannedOrder) -> str:
    """The key of the person whom an order charges; "" where the account is known already."""
    if not order.is_charge_open:
        return ""
    return dict(order.create_customer).get("Email", "").lower()


class Customers:
    """The people of one run. Needs the ledger's lock."""

    def __init__(self, session: Session, reader: CustomerReader) -> None:
        self._session = session
        self._ledger = session.ledger
        self._commit = session.commit
        self._halt = session.halt
        self._reader = reader
        self._time = session.time
        self._settle = session.facts.settle
        self.retries = False
        """Whether what Mews refused is sent again, though nothing changed."""
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def known(self, emails: Iterable[str]) -> dict[str, Customer]:
        """What the ledger holds of these people."""
        return self._ledger.customers(emails)

    async def look(self, emails: Iterable[str]) -> None:
        """Takes whom Mews has meanwhile of people who are not on record as made; nobody once the run ends.

        Raises MewsError, LedgerError.
        """
        wanted = {email for email in emails if email}
        known = self.known(wanted)
        # One in flight belongs to the worker who makes it; one in doubt takes two looks.
        wanted -= {email for email, row in known.items() if row.is_open or row.state is CustomerState.CREATED}
        if not wanted:
            return
        for email, profiles in (await self._halt.unless(self._profiles(wanted)) or {}).items():
            row = known.get(email)
            if profiles:
                await self._take(email, profiles)
            elif row is not None and row.code in _SEEN:
                await self._free(row)

    async def of(self, order: PlannedOrder) -> Answer:
        """The account of the order's customer, who is made if need be. Effects: sends, writes the ledger.

        Raises HaltedError where the run ends before anything was sent, LedgerError, MewsError.
        """
        email = email_of(order)
        if not email:
            raise InternalError(f"order {order.number} has no account and nobody to make", code="internal.customer")
        lock = self._locks.setdefault(email, asyncio.Lock())
        async with lock:
            return await self._of(email, {**dict(order.create_customer), "OverwriteExisting": False})

    async def settle(self, emails: Iterable[str], *, no_wait: bool) -> None:
        """Waits until one of these people is in doubt no more; finds out about the unknown. One look if told not to wait.

        Rule: design 7.2: two looks, the first `settle_seconds` after the last byte, the second half of that later.
        Effects: whom other workers are making, they tell; workers that are gone are buried.
        """
        wanted, looked_at = list(emails), set[tuple[str, int]]()
        while not self._halt.is_set:
            self._session.bury()
            rows = [row for row in self._open(wanted) if row.state is CustomerState.UNKNOWN]
            if any((row.email, row.attempts) not in looked_at or self._seconds_until_due(row) <= 0 for row in rows):
                looked_at.update((row.email, row.attempts) for row in rows)
                if not await self._look_for(rows):
                    return
            if no_wait or len(self._open(wanted)) < len(wanted):
                return
            await self._halt.sleep(self._pause(wanted))

    async def _look_for(self, rows: Sequence[Customer]) -> bool:
        """One look at the unknown, and what follows from it. Shape: whether it came to its end."""
        seen = await self._halt.unless(self._look_once([row.email for row in rows]))
        if seen is None:
            return False
        started, profiles, ended = seen
        for row in rows:
            if profiles[row.email]:
                await self._take(row.email, profiles[row.email])
            else:
                await self._miss(row, started, ended)
        return True

    def _pause(self, wanted: Sequence[str]) -> float:
        """Seconds until a look can decide on somebody, or, with others at work, until they may have decided."""
        due = [self._seconds_until_due(row) for row in self._open(wanted) if row.state is CustomerState.UNKNOWN]
        return max(min([*due, POLL] if self._ledger.is_shared or not due else due), 0.05)

    async def _look_once(self, emails: Sequence[str]) -> tuple[datetime, dict[str, list[Account]], datetime]:
        """Time, then people: from when to when was looked, in Mews's time, and whom Mews has."""
        started = await self._time.sync()
        profiles = await self._profiles(emails)
        return started, profiles, self._time.latest()

    def _open(self, emails: Sequence[str]) -> list[Customer]:
        return [row for row in self.known(emails).values() if row.is_open]

    # One person

    async def _of(self, email: str, plan: Mapping[str, Any]) -> Answer:
        payload_hash = content_hash(plan)
        while True:
            row = self.known([email]).get(email) or Customer(email, CustomerState.READY, is_on_record=False)
            # Also one that another worker is making right now; ours are behind the lock.
            if row.is_open:
                return Answer()
            if row.state is CustomerState.CREATED:
                return _answer(row)
            if row.state is CustomerState.REJECTED:
                # Tried anew once a run, whatever the count of his orders: one refusal tells as much as two.
                is_tried = not self.retries or row.run_id == self._session.facts.run_id
                if (is_tried and row.payload_hash == payload_hash) or row.code in _SEEN:
                    return _answer(row)
            try:
                return await self._make(row, plan, payload_hash)
            except NotReady:
                # Somebody else found or made the person meanwhile: the ledger says what there is to be done now.
                continue

    async def _make(self, row: Customer, plan: Mapping[str, Any], payload_hash: str) -> Answer:
        email, scope = row.email, await self._session.reach.writer.scope(Operation.ADD_CUSTOMER)
        record = CustomerRecord(email, payload_hash, self._session.facts.run_id, (row.state, row.attempts))
        # A refusal is most likely somebody who has the address by now: that is none for the run to stop for.
        request = Request(Operation.ADD_CUSTOMER, freeze({**scope, **plan}), record, private=frozenset({Kind.REFUSED}))
        outcome = await self._session.sender.send(request)
        match outcome.kind:
            case Kind.DONE:
                return Answer(made_id(Operation.ADD_CUSTOMER, outcome))
            case Kind.UNKNOWN:
                return Answer()
            case Kind.REFUSED:
                seen = await self._halt.unless(self._profiles([email]))
                if seen is None:
                    raise HaltedError
                if seen[email]:
                    return _answer(await self._take(email, seen[email]))
                self._session.traffic.heed(outcome)
        return Answer("", NOT_CREATED, f"Mews did not create the customer: {outcome.message}")

    async def _take(self, email: str, profiles: Sequence[Account]) -> Customer:
        """Whom Mews has under the address: one customer who may be charged, or the reason why not.

        Shape: the person as the ledger has it then.
        """
        refusal = _refusal(profiles)
        if refusal is not None:
            return await self._do(lambda steps: steps.refuse_customer(email, refusal), email)
        return await self._do(lambda steps: steps.find_customer(email, profiles[0].id), email)

    async def _free(self, row: Customer) -> None:
        await self._do(lambda steps: steps.free_customer(row), row.email)

    async def _miss(self, row: Customer, started: datetime, ended: datetime) -> None:
        """A look that did not find an unknown customer; two of them prove that there is none."""
        if row.settle_from is None or started < row.settle_from + self._settle:
            return
        if row.unseen_at is None:
            await self._do(lambda steps: steps.miss_customer(row, proved=False, at=ended), row.email)
        elif started >= row.unseen_at + self._settle / 2:
            await self._do(lambda steps: steps.miss_customer(row, proved=True, at=ended), row.email)

    def _seconds_until_due(self, row: Customer) -> float:
        """Until a look can decide on an unknown customer."""
        if row.unseen_at is not None:
            return self._time.seconds_until(row.unseen_at + self._settle / 2)
        return self._time.seconds_until((row.settle_from or self._time.now()) + self._settle)

    async def _profiles(self, emails: Iterable[str]) -> dict[str, list[Account]]:
        """The customers in use by lower-cased address; every address asked for is there."""
        found: dict[str, dict[str, Account]] = {email: {} for email in emails}
        for account in await self._reader.customers_by_email(list(found)):
            if account.is_active and not account.merged_into and account.email.lower() in found:
                found[account.email.lower()][account.id] = account
        return {email: list(accounts.values()) for email, accounts in found.items()}

    async def _do(self, step: Callable[[Steps], T], email: str) -> T:
        done = await self._commit.do(step, people=(email,))
        self._session.checkpoint("customer.recorded")
        return done


def _answer(row: Customer) -> Answer:
    """Whom the ledger says to charge: no account and no reason as long as nobody knows."""
    if row.state is CustomerState.REJECTED:
        return Answer("", row.code, row.message)
    return Answer(row.customer_id, row.code, row.message)


def _refusal(profiles: Sequence[Account]) -> Refusal | None:
    """Why the customers of an address can't be charged; None where there is the one who can."""
    if len(profiles) > 1:
        listed = ", ".join(sorted(one.id for one in profiles))
        return Refusal("account.ambiguous", f"{len(profiles)} customers have this e-mail address: {listed}")
    (customer,) = profiles
    if REFUSED_CLASSIFICATION in customer.classifications:
        return Refusal("account.cashlist", f"customer {customer.id} is on the cash list")
    return None
