"""The transitions of customers whom a run makes, by lower-cased e-mail address. See `steps.py`.

One in flight belongs to the request that makes it: what a look finds meanwhile changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from etl.ledger import schema
from etl.ledger.records import Customer, customer_value, stamp
from etl.ledger.unit_of_work import GIVE_UP, NotReady, UnitOfWork
from etl.model.outcome import Kind, Outcome
from etl.model.states import CustomerState, check_customer

_TABLE = schema.customers

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

    def intend_customer(self, email: str, payload_hash: str, run_id: str) -> None:
        """READY, REJECTED or not on record -> IN_FLIGHT: the request that makes the person is about to leave."""
        row = self._customer(email)
        self._move_customer(
            row,
            CustomerState.IN_FLIGHT,
            attempts=row.attempts + 1,
            payload_hash=payload_hash,
            run_id=run_id,
        )

    def renew_customer(self, email: str) -> None:
        """IN_FLIGHT stays: the byte leaves later than intended. Raises NotReady."""
        self._customer_in_flight(email)

    def conclude_customer(
        self, email: str, outcome: Outcome, *, at: datetime, customer_id: str = "", is_last_try: bool = True
    ) -> CustomerState:
        """IN_FLIGHT -> what the outcome says. `at`: Mews's time; settling of an unknown outcome counts from it.

        Raises NotReady where the person is not in flight.
        """
        row = self._customer_in_flight(email)
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

    def orphan_customers(self, at: datetime) -> None:
        """IN_FLIGHT -> UNKNOWN for all: their process is gone. `at`: Mews's time by which they certainly had left."""
        message = "the process ended while the request was under way"
        query = select(_TABLE).where(_TABLE.c.state == CustomerState.IN_FLIGHT.value)
        for row in map(customer_value, self._connection.execute(query).all()):
            self._move_customer(row, CustomerState.UNKNOWN, message=message, settle_from=stamp(at))

    def find_customer(self, email: str, customer_id: str) -> None:
        """Anything but IN_FLIGHT -> CREATED: Mews has one customer of that address who may be charged."""
        row = self._customer(email)
        if row.state is not CustomerState.IN_FLIGHT:
            self._move_customer(row, CustomerState.CREATED, customer_id=customer_id)

    def refuse_customer(self, email: str, refusal: Refusal) -> None:
        """Anything but IN_FLIGHT and CREATED -> REJECTED: whom Mews shows under the address can't be charged."""
        row = self._customer(email)
        if row.state not in (CustomerState.IN_FLIGHT, CustomerState.CREATED):
            self._move_customer(row, CustomerState.REJECTED, code=refusal.code, message=refusal.message)

    def free_customer(self, email: str) -> None:
        """REJECTED -> READY: what Mews showed under the address is there no more."""
        row = self._customer(email)
        if row.state is CustomerState.REJECTED:
            self._move_customer(row, CustomerState.READY)

    def miss_customer(self, email: str, *, proved: bool, at: datetime) -> Refusal | None:
        """UNKNOWN stays with the time of the look, or -> READY, or REJECTED: two looks proved that nobody is there."""
        row = self._customer(email)
        if row.state is not CustomerState.UNKNOWN:
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
        found = self._connection.execute(select(_TABLE).where(_TABLE.c.email == email)).one_or_none()
        return Customer(email, CustomerState.READY, is_on_record=False) if found is None else customer_value(found)

    def _customer_in_flight(self, email: str) -> Customer:
        row = self._customer(email)
        if row.state is not CustomerState.IN_FLIGHT:
            raise NotReady(f"a customer is {row.state}, not in flight")
        return row

    def _move_customer(self, row: Customer, state: CustomerState, **values: Any) -> None:
        """The only way to another state; what the new state says nothing of is empty."""
        fresh = {"customer_id": "", "code": "", "message": "", "settle_from": "", "unseen_at": ""}
        fresh |= {"state": check_customer(row.state, state).value, "updated_at": self._now, **values}
        if row.is_on_record:
            self._connection.execute(update(_TABLE).where(_TABLE.c.email == row.email).values(fresh))
        else:
            self._connection.execute(insert(_TABLE).values(email=row.email, **fresh))
