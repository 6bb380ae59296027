"""The transitions of customers whom a run makes, by lower-cased e-mail address. See `steps.py`.

One in flight belongs to the request that makes it: what a look finds meanwhile changes nothing. Several workers may meet
a person at once (design section 10): whoever writes the intent makes him, in the transaction that finds his lease valid
and the person as he last saw him; the others read what became of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, text, update

from etl.ledger import schema
from etl.ledger.records import Customer, customer_value, stamp
from etl.ledger.unit_of_work import GIVE_UP, NotReady, UnitOfWork
from etl.model.outcome import Kind, Outcome
from etl.model.states import CustomerState, check_customer

_TABLE = schema.customers

# One after the other, whoever asks, also for whom nobody has on record: his row is in hand until the commit.
_TAKE_IN_HAND = text(
    "INSERT INTO customers (email, state, customer_id, attempts, absents, payload_hash, run_id, settle_from, unseen_at, "
    "code, message, updated_at) VALUES (:email, 'ready', '', 0, 0, '', '', '', '', '', '', :now) "
    "ON CONFLICT (email) DO UPDATE SET email = excluded.email"
)
_UNSETTLED = select(_TABLE.c.email).where(_TABLE.c.state == CustomerState.UNKNOWN.value, _TABLE.c.settle_from == "")

NOT_CREATED = "account.not_created"

_AFTER: dict[Kind, CustomerState] = {
    Kind.DONE: CustomerState.CREATED,
    Kind.REFUSED: CustomerState.REJECTED,
    Kind.CONFLICT: CustomerState.REJECTED,
    Kind.UNKNOWN: CustomerState.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nobody can be charged: a problem code and a sentence."""

    code: str
    message: str


class CustomerSteps(UnitOfWork):
    """Transitions of customers."""

    def load_people(self, emails: Iterable[str]) -> None:
        """Takes people in hand: on a server nobody else changes their rows until the commit. After `load`, before steps."""
        if self.is_shared:
            # In one order, as orders are.
            for email in sorted(set(emails)):
                self._connection.execute(_TAKE_IN_HAND, {"email": email, "now": self._now})

    def intend_customer(self, email: str, seen: tuple[CustomerState, int], payload_hash: str, run_id: str) -> int:
        """READY, REJECTED or not on record -> IN_FLIGHT: the request that makes the person is about to leave.

        Shape: the attempt's number. `seen`: state and number of attempts that this was decided on. Raises NotReady where
        somebody else found, made or tried the person since.
        """
        row = self._customer(email)
        if (row.state, row.attempts) != seen:
            raise NotReady(f"a customer is {row.state} after {row.attempts} attempts")
        self._move_customer(
            row,
            CustomerState.IN_FLIGHT,
            attempts=row.attempts + 1,
            payload_hash=payload_hash,
            run_id=run_id,
            claim=self.worker,
        )
        return row.attempts + 1

    def renew_customer(self, email: str, attempt: int) -> None:
        """IN_FLIGHT stays: the byte leaves later than intended. Raises NotReady."""
        self._customer_in_flight(email, attempt)

    def conclude_customer(
        self,
        email: str,
        attempt: int,
        outcome: Outcome,
        *,
        at: datetime,
        customer_id: str = "",
        is_last_try: bool = True,
    ) -> CustomerState:
        """IN_FLIGHT -> what the outcome says. `at`: Mews's time; settling of an unknown outcome counts from it.

        Raises NotReady where the person is not in flight with this attempt.
        """
        row = self._customer_in_flight(email, attempt, outcome)
        state = _AFTER.get(outcome.kind, CustomerState.READY)
        if outcome.kind is Kind.CONFLICT and not is_last_try:
            state = CustomerState.READY
        match state:
            case CustomerState.CREATED:
                self._move_customer(row, state, customer_id=customer_id)
            case CustomerState.REJECTED:
                message = f"Mews did not create the customer: {outcome.message}"
                self._move_customer(row, state, code=NOT_CREATED, message=message)
            case CustomerState.UNKNOWN:
                self._move_customer(row, state, message=outcome.message, settle_from=stamp(at))
            case _:
                self._move_customer(row, state, message=outcome.message)
        return state

    def orphan_customers(self, living: Sequence[str] = ()) -> int:
        """IN_FLIGHT -> UNKNOWN for all whom no living worker makes: their process is gone. Shape: how many."""
        query = select(_TABLE).where(_TABLE.c.state == CustomerState.IN_FLIGHT.value)
        if living:
            query = query.where(_TABLE.c.claim.not_in(living))
        orphans = [
            customer_value(row) for row in self._connection.execute(query.order_by(_TABLE.c.email).with_for_update())
        ]
        for row in orphans:
            self._move_customer(row, CustomerState.UNKNOWN, message="the process ended while the request was under way")
        return len(orphans)

    def has_unsettled_customers(self) -> bool:
        """Whether of some orphans nobody has said yet since when they settle."""
        return self._connection.scalar(_UNSETTLED.limit(1)) is not None

    def start_settling_customers(self, at: datetime) -> None:
        """Gives orphans Mews's time at which their requests certainly had been sent, if at all."""
        for email in self._connection.scalars(_UNSETTLED.order_by(_TABLE.c.email).with_for_update()).all():
            self._connection.execute(update(_TABLE).where(_TABLE.c.email == email).values(settle_from=stamp(at)))

    def find_customer(self, email: str, customer_id: str) -> Customer:
        """Anything but IN_FLIGHT and CREATED -> CREATED: Mews has one customer of that address who may be charged.

        Shape: the person as it stands then; who was made or found before stays, for all orders go to one account.
        """
        row = self._customer(email)
        if row.state in (CustomerState.IN_FLIGHT, CustomerState.CREATED):
            return row
        return self._move_customer(row, CustomerState.CREATED, customer_id=customer_id)

    def refuse_customer(self, email: str, refusal: Refusal) -> Customer:
        """Anything but IN_FLIGHT and CREATED -> REJECTED: whom Mews shows under the address can't be charged.

        Shape: the person as it stands then.
        """
        row = self._customer(email)
        if row.state in (CustomerState.IN_FLIGHT, CustomerState.CREATED):
            return row
        return self._move_customer(row, CustomerState.REJECTED, code=refusal.code, message=refusal.message)

    def free_customer(self, seen: Customer) -> None:
        """REJECTED -> READY: what Mews showed under the address is there no more. Nothing where others decided since."""
        if seen.state is CustomerState.REJECTED and self._customer(seen.email) == seen:
            self._move_customer(seen, CustomerState.READY)

    def miss_customer(self, seen: Customer, *, proved: bool, at: datetime) -> Refusal | None:
        """UNKNOWN stays with the time of the look, or -> READY, or REJECTED: two looks proved that nobody is there.

        Nothing where the person is not as `seen` before the look: another worker looked too, or sent meanwhile, and what
        was sent since is not proved absent.
        """
        row = self._customer(seen.email)
        if row.state is not CustomerState.UNKNOWN or row != seen:
            return None
        if not proved:
            times = {"settle_from": stamp(row.settle_from), "unseen_at": stamp(at)}
            self._move_customer(row, CustomerState.UNKNOWN, message=row.message, **times)
            return None
        absents = row.absents + 1
        if absents % GIVE_UP:
            self._move_customer(row, CustomerState.READY, absents=absents, message=row.message)
            return None
        message = f"sent {row.attempts} times, proved absent {absents} times; last: {row.message}"
        self._move_customer(row, CustomerState.REJECTED, absents=absents, code=NOT_CREATED, message=message)
        return Refusal(NOT_CREATED, message)

    def _customer(self, email: str) -> Customer:
        query = select(_TABLE).where(_TABLE.c.email == email).with_for_update()
        found = self._connection.execute(query).one_or_none()
        return Customer(email, CustomerState.READY, is_on_record=False) if found is None else customer_value(found)

    def _customer_in_flight(self, email: str, attempt: int, outcome: Outcome | None = None) -> Customer:
        row = self._customer(email)
        is_ours = row.attempts == attempt
        if not is_ours or not (row.state is CustomerState.IN_FLIGHT or self._counts_late_of(row, outcome)):
            raise NotReady(f"a customer is {row.state}, not in flight")
        return row

    def _counts_late_of(self, row: Customer, outcome: Outcome | None) -> bool:
        """Whether the answer to a request of a lost lease decides: it is definite, and nobody has found the person since."""
        if not self.is_late or outcome is None:
            return False
        if outcome.kind is Kind.DONE:
            return row.state is not CustomerState.CREATED
        return outcome.kind is Kind.REFUSED and row.state is CustomerState.UNKNOWN

    def _move_customer(self, row: Customer, state: CustomerState, **values: Any) -> Customer:
        """The only way to another state; what the new state says nothing of is empty. Shape: the person in it."""
        fresh = {"customer_id": "", "code": "", "message": "", "settle_from": "", "unseen_at": "", "claim": ""}
        fresh |= {"state": check_customer(row.state, state).value, "updated_at": self._now, **values}
        if row.is_on_record:
            self._connection.execute(update(_TABLE).where(_TABLE.c.email == row.email).values(fresh))
        else:
            self._connection.execute(insert(_TABLE).values(email=row.email, **fresh))
        return self._customer(row.email)
