"""The request that carries many orders as outlet bills: one attempt of each of them. Builds; sends nothing.

Rule: design section 9. The intents of all are on disk, in one transaction, before the first byte. A 200 settles all
only if it answers as many distinct ids as there were bills; which id is whose is read back, because Mews promises no
order. What is refused alone is refused; 413 is about the size of a request and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

from etl.ledger.records import ORDER_PART, Attempt, PartKind
from etl.ledger.steps import Intent, Steps
from etl.load import refusals
from etl.load.jobs import Job
from etl.load.requests import Reversing, part_intent, undo_intent
from etl.load.sender import Request
from etl.load.session import RunFacts
from etl.model.bill import bill_fragment, bills_body
from etl.model.identity import Identity
from etl.model.outcome import Kind, Outcome
from etl.model.payload import Operation, Payload, freeze
from etl.model.sent import fragment_hash

LARGEST_BODY = 4 * 1024 * 1024
"""Bytes of one request at most, tokens aside (design section 9)."""

TOGETHER = "refused together with "
"""So the message of a refusal of several bills begins."""


@dataclass(frozen=True, slots=True)
class Bill:
    """One bill on its way to be sent with others. `content`: as it is frozen."""

    content: bytes
    intent: Intent


def freeze_bill(job: Job, facts: RunFacts) -> Bill:
    """The bill of a job's order, and what is written of it before it leaves."""
    order, identity = job.order, Identity(facts.store, job.number, job.generation)
    content = bill_fragment(order, identity)
    payload = Payload(content, fragment_hash(content))
    # Mews never shows again who is charged, so nothing is compared with it; what pays the bill is a part of it.
    return Bill(content, part_intent(order, ORDER_PART, payload, identity, facts, account_id=""))


@dataclass(slots=True)
class BatchRecord:
    """Many orders on their way in one request. `ledger` knows what refusals of several leave."""

    intents: Sequence[Intent]
    ledger: refusals.Meta
    seqs: list[int] = field(default_factory=list)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The orders."""
        return tuple([intent.number for intent in self.intents])

    @property
    def people(self) -> tuple[str, ...]:
        """Nobody: whom it charges is known."""
        return ()

    def intend(self, steps: Steps, sent_at: datetime) -> None:
        """Ready -> in flight, all of them or none."""
        for intent in self.intents:
            if intent.kind is PartKind.UNDO:
                steps.plan_undo(*intent.key, intent.target)
        self.seqs = steps.intend_all([intent.sent(sent_at) for intent in self.intents])

    def renew(self, steps: Steps, sent_at: datetime) -> None:
        """In flight stays."""
        for intent, seq in zip(self.intents, self.seqs, strict=True):
            steps.renew(*intent.key, seq, sent_at)

    def judge(self, outcome: Outcome) -> Outcome:
        """What the answer says of each bill: of several, a refusal says it only once it is known to be whole."""
        count = len(self.intents)
        if outcome.kind is Kind.DONE:
            ids = len(set(ids_of(outcome)))
            if ids == count:
                return outcome
            return replace(outcome, kind=Kind.UNKNOWN, message=f"Mews answered {ids} ids for {count} bills")
        if outcome.kind is Kind.REFUSED and count > 1:
            is_whole = outcome.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or self._keeps_nothing()
            message = f"{TOGETHER} {count - 1} other bills: {outcome.message}"
            return replace(outcome, kind=Kind.SPLIT if is_whole else Kind.UNKNOWN, message=message)
        return outcome

    def _keeps_nothing(self) -> bool:
        return refusals.verdict(self.ledger) is refusals.Keep.NOTHING

    def conclude(self, steps: Steps, outcome: Outcome, *, at: datetime, is_last_try: bool) -> bool:
        """In flight -> what the outcome says, all of them in one transaction."""
        is_alone = len(self.intents) == 1
        mews_id = next(iter(ids_of(outcome)), "") if is_alone else ""
        if is_refused_together(outcome):
            keys = [intent.key for intent in self.intents]
            refusals.note(steps, self.ledger, keys, self.intents[0].payload_hash)
        elif outcome.kind is Kind.DONE:
            bills = ((intent.key, intent.payload_hash) for intent in self.intents)
            refusals.accepted(steps, self.ledger, bills)
        for intent, seq in zip(self.intents, self.seqs, strict=True):
            # A conflict is settled bill by bill: until one is alone, the next try is a smaller request.
            is_last = is_last_try and is_alone
            steps.conclude(*intent.key, seq, outcome, at=at, mews_id=mews_id, is_last_try=is_last)
        if not is_alone:
            return outcome.kind is not Kind.UNKNOWN or is_refused_together(outcome)
        return steps.is_refusal_of_kind(*self.intents[0].key)


def ids_of(outcome: Outcome) -> list[str]:
    """The ids of the bills that Mews says it made."""
    return [str(one) for one in outcome.body.get("OutletBillIds", ())] if outcome.kind is Kind.DONE else []


def is_refused_together(outcome: Outcome) -> bool:
    """Whether Mews refused several bills, and may have kept some of them."""
    return outcome.kind is Kind.UNKNOWN and outcome.message.startswith(TOGETHER)


def was_refused_together(attempts: Sequence[Attempt]) -> bool:
    """Whether that is how the last of these attempts ended."""
    return bool(attempts) and attempts[-1].outcome == Kind.UNKNOWN and attempts[-1].message.startswith(TOGETHER)


def bills_request(bills: Sequence[Bill], ledger: refusals.Meta) -> Request:
    """One `outletBills/add` of these bills, whose bytes are joined and never serialised again."""
    # Each order keeps the hash of its own bill; nothing asks for that of them together.
    body = Payload(bills_body([bill.content for bill in bills]), "")
    return Request(Operation.ADD_BILLS, body, BatchRecord([bill.intent for bill in bills], ledger))


def freeze_opposite(bill: Mapping[str, Any], reversing: Reversing, identity: Identity, facts: RunFacts) -> Bill:
    """The opposite of one bill, and what is written of it before it leaves."""
    payload = freeze(bill)
    return Bill(payload.content, undo_intent(payload, reversing, identity, facts, identity.stem))


def batches(bills: Sequence[Bill], most: Callable[[Bill], int], largest: int = LARGEST_BODY) -> list[list[Bill]]:
    """Bills in requests of at most `most` of any of them, and so many bytes; a larger one goes alone."""
    found: list[list[Bill]] = []
    size = limit = 0
    for bill in bills:
        length = len(bill.content) + 1
        if not found or len(found[-1]) >= min(limit, most(bill)) or size + length > largest - _FRAME:
            found.append([])
            size, limit = 0, most(bill)
        found[-1].append(bill)
        size, limit = size + length, min(limit, most(bill))
    return found


_FRAME = 1024
"""Bytes kept free for the tokens and what stands around the bills."""
