"""What of one order goes to Mews, in which order: the order itself, then its payments. How: `sender.py`."""

from __future__ import annotations

from etl.ledger.records import ORDER_PART
from etl.load.first_order import FirstOrder
from etl.load.jobs import Job, needs_of_part
from etl.load.requests import order_request, payment_request
from etl.load.sender import Request
from etl.load.session import Session
from etl.model.identity import Identity
from etl.model.states import State, after


class Carrier:
    """Sends the parts of orders in hand."""

    def __init__(self, session: Session, first: FirstOrder) -> None:
        self._session = session
        self._first = first
        self.posted = 0
        """How many orders Mews took."""

    async def carry(self, job: Job, *, is_test: bool) -> None:
        """Sends what a job has to send; `job.states` tells what became of it.

        `is_test`: it tries a kind for all others. Raises HeldBackError, NotReady: what was not sent is not under way.
        """
        facts = self._session.facts
        identity = Identity(facts.store, job.number, job.generation)
        if job.send_order:
            self._first.follow_rounding(job)
            job.states[ORDER_PART] = await self._send(order_request(job.order, identity, facts))
            self.posted += job.states[ORDER_PART] is State.POSTED
        # A payment never goes before its order is known to be there.
        if job.states.get(ORDER_PART, State.POSTED) is not State.POSTED:
            return
        due = [payment for payment in job.order.payments if payment.part in job.payments]
        for payment in due:
            job.states.setdefault(payment.part, State.READY)
        refused: set[str] = set()
        for payment in due:
            needs = needs_of_part(job.order, payment.part)
            # One refusal tells as much as two.
            if refused.intersection(needs):
                continue
            state = await self._send(payment_request(job.order, payment, identity, facts))
            job.states[payment.part] = state
            if state is State.REJECTED and is_test:
                refused.update(needs)

    async def _send(self, request: Request) -> State:
        return after((await self._session.sender.send(request)).kind)
