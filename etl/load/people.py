"""Whom the orders of a run charge, where the customer is made by the run itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from etl.errors import InternalError
from etl.ledger.records import LedgerOrder
from etl.load.customers import Answer, Customers, email_of
from etl.load.jobs import Job
from etl.load.session import Session
from etl.model.plan import PlannedOrder


class People:
    """The customers of one run, and the orders that wait for theirs. `retries`: see `Customers`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        reader = session.reach.people
        self._customers = None if reader is None else Customers(session, reader)
        self.waiting: dict[str, list[Job]] = {}
        """Jobs by the e-mail address of a customer in doubt, or whom another worker is making."""

    @property
    def retries(self) -> bool:
        """Whether what Mews refused is sent again, though nothing changed."""
        return self._customers is not None and self._customers.retries

    @retries.setter
    def retries(self, value: bool) -> None:
        if self._customers is not None:
            self._customers.retries = value

    async def look_for(self, chunk: Sequence[PlannedOrder]) -> None:
        """Whom Mews has by now of those who are to be made: one request for many."""
        emails = {email for order in chunk if (email := email_of(order))}
        if emails and self._customers is not None:
            await self._customers.look(emails)

    def with_accounts(self, chunk: list[PlannedOrder], known: dict[str, LedgerOrder]) -> list[PlannedOrder]:
        """The orders with the accounts of the customers made so far; what was posted keeps its own.

        What `recover` found is compared with the customer, where there is one (design 7.4): staff may have moved it.
        """
        emails = {email for order in chunk if (email := email_of(order))}
        if not emails or self._customers is None:
            return chunk
        made = {email: row.customer_id for email, row in self._customers.known(emails).items()}
        settled = []
        for order in chunk:
            row = known.get(order.number)
            own = row.account_id if row is not None and row.has_posted else ""
            found = made.get(email_of(order), "")
            account_id = found or own if row is not None and row.is_as_recovered else own or found
            settled.append(replace(order, account_id=account_id) if email_of(order) and account_id else order)
        return settled

    async def charge(self, job: Job) -> Answer:
        """The account that a job's order charges, made if need be and booked with the order.

        A job whose customer is in doubt waits here. Raises HaltedError, LedgerError, MewsError.
        """
        if self._customers is None:
            raise InternalError(f"order {job.number} needs a customer to be made", code="internal.customer")
        answer = await self._customers.of(job.order)
        if answer.is_open:
            self.waiting.setdefault(email_of(job.order), []).append(job)
        elif answer.account_id:
            job.order = replace(job.order, account_id=answer.account_id)
            await self._session.commit.do(lambda steps: steps.book_account(job.number, answer.account_id), job.number)
        return answer

    async def settle(self, *, no_wait: bool) -> None:
        """Finds out about the customers in doubt; waits for one of them, at least, unless told not to."""
        if self._customers is not None:
            await self._customers.settle(self.waiting, no_wait=no_wait)

    def take_settled(self) -> list[Job]:
        """The jobs whose customer is in doubt no more, with what else was not settled left waiting."""
        known = self._customers.known(self.waiting) if self._customers is not None else {}
        settled = [email for email in self.waiting if email in known and not known[email].is_open]
        return [job for email in settled for job in self.waiting.pop(email)]
