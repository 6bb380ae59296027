"""Customers that Mews does not have yet: each person is made once, whatever fails, and then charged.

Rule: design sections 5 (account) and 7.2. A person is known by the lower-cased e-mail address. The intent is on disk
before the first byte; what nobody knows is looked up by e-mail, twice, before anything is sent again. Mews itself
may refuse a second profile of an address, but need not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

from etl.errors import InternalError
from etl.ledger.customer_steps import NOT_CREATED, Refusal
from etl.ledger.records import Customer
from etl.ledger.steps import Steps
from etl.load.halt import HaltedError
from etl.load.ports import CustomerReader
from etl.load.requests import made_id
from etl.load.sender import Request
from etl.load.session import Session
from etl.model.identity import content_hash
from etl.model.outcome import Kind, Outcome
from etl.model.payload import Operation, freeze
from etl.model.plan import PlannedOrder
from etl.model.reference import Account
from etl.model.states import CustomerState

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


@dataclass(frozen=True, slots=True)
class CustomerRecord:
    """One person on the way into Mews (`sender.Record`). `payload_hash`: of what the plan wants."""

    email: str
    payload_hash: str
    run_id: str

    @property
    def numbers(self) -> tuple[str, ...]:
        """No order: one person may be charged with many."""
        return ()

    def intend(self, steps: Steps, sent_at: datetime) -> None:  # noqa: ARG002 - looks by e-mail have no window
        """Ready -> in flight."""
        steps.intend_customer(self.email, self.payload_hash, self.run_id)

    def renew(self, steps: Steps, sent_at: datetime) -> None:  # noqa: ARG002
        """In flight stays."""
        steps.renew_customer(self.email)

    def judge(self, outcome: Outcome) -> Outcome:
        """As the client tells it: a DONE names the customer."""
        return outcome

    def conclude(self, steps: Steps, outcome: Outcome, *, at: datetime, is_last_try: bool) -> bool:
        """In flight -> what the outcome says."""
        customer_id = made_id(Operation.ADD_CUSTOMER, outcome)
        steps.conclude_customer(self.email, outcome, at=at, customer_id=customer_id, is_last_try=is_last_try)
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
                await self._free(email)

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
        """Finds out about the unknown among these people; waits for it unless told not to.

        Rule: design 7.2: two looks, the first `settle_seconds` after the last byte, the second half of that later.
        """
        wanted = list(emails)
        while not self._halt.is_set:
            rows = self._in_doubt(wanted)
            if not rows:
                return
            seen = await self._halt.unless(self._look_once([row.email for row in rows]))
            if seen is None:
                return
            started, profiles, ended = seen
            for row in rows:
                if profiles[row.email]:
                    await self._take(row.email, profiles[row.email])
                else:
                    await self._miss(row, started, ended)
            if no_wait:
                return
            left = self._in_doubt(wanted)
            if left:
                due = min(self._due(row) for row in left)
                await self._halt.sleep(max(self._time.seconds_until(due), 0.05))

    async def _look_once(self, emails: Sequence[str]) -> tuple[datetime, dict[str, list[Account]], datetime]:
        """Time, then people: from when to when was looked, in Mews's time, and whom Mews has."""
        started = await self._time.sync()
        profiles = await self._profiles(emails)
        return started, profiles, self._time.latest()

    def _in_doubt(self, emails: Sequence[str]) -> list[Customer]:
        return [row for row in self.known(emails).values() if row.state is CustomerState.UNKNOWN]

    # One person

    async def _of(self, email: str, plan: Mapping[str, Any]) -> Answer:
        row = self.known([email]).get(email)
        if row is not None and row.state is CustomerState.UNKNOWN:
            return Answer()
        if row is not None and row.state is CustomerState.CREATED:
            return Answer(row.customer_id, row.code, row.message)
        payload_hash = content_hash(plan)
        if row is not None and row.state is CustomerState.REJECTED:
            is_same = row.payload_hash == payload_hash and not self.retries
            if is_same or row.code in _SEEN:
                return Answer("", row.code, row.message)
        return await self._make(email, plan, payload_hash)

    async def _make(self, email: str, plan: Mapping[str, Any], payload_hash: str) -> Answer:
        scope = await self._session.reach.writer.scope(Operation.ADD_CUSTOMER)
        record = CustomerRecord(email, payload_hash, self._session.facts.run_id)
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
                    return await self._take(email, seen[email])
                self._session.traffic.heed(outcome)
        return Answer("", NOT_CREATED, f"Mews did not create the customer: {outcome.message}")

    async def _take(self, email: str, profiles: Sequence[Account]) -> Answer:
        """Whom Mews has under the address: one customer who may be charged, or the reason why not."""
        refusal = _refusal(profiles)
        if refusal is not None:
            await self._do(lambda steps: steps.refuse_customer(email, refusal))
            return Answer("", refusal.code, refusal.message)
        await self._do(lambda steps: steps.find_customer(email, profiles[0].id))
        return Answer(profiles[0].id)

    async def _free(self, email: str) -> None:
        await self._do(lambda steps: steps.free_customer(email))

    async def _miss(self, row: Customer, started: datetime, ended: datetime) -> None:
        """A look that did not find an unknown customer; two of them prove that there is none."""
        if row.settle_from is None or started < row.settle_from + self._settle:
            return
        if row.unseen_at is None:
            await self._do(lambda steps: steps.miss_customer(row.email, proved=False, at=ended))
        elif started >= row.unseen_at + self._settle / 2:
            await self._do(lambda steps: steps.miss_customer(row.email, proved=True, at=ended))

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

    async def _do(self, step: Callable[[Steps], object]) -> None:
        await self._commit.do(step)
        self._session.checkpoint("customer.recorded")


def _refusal(profiles: Sequence[Account]) -> Refusal | None:
    """Why the customers of an address can't be charged; None where there is the one who can."""
    if len(profiles) > 1:
        listed = ", ".join(sorted(one.id for one in profiles))
        return Refusal("account.ambiguous", f"{len(profiles)} customers have this e-mail address: {listed}")
    (customer,) = profiles
    if REFUSED_CLASSIFICATION in customer.classifications:
        return Refusal("account.cashlist", f"customer {customer.id} is on the cash list")
    return None
