"""The requests that carry parts of orders: an order, its payments, and what reverses them. Builds; sends nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from etl.ledger.records import ORDER_PART, PartKind
from etl.ledger.steps import Intent, Steps
from etl.load.jobs import needs_of_part
from etl.load.sender import Request, open_gate, window_gate
from etl.load.session import RunFacts
from etl.model.identity import RECIPE_VERSION, Identity
from etl.model.outcome import Kind, Outcome
from etl.model.payload import Operation, Payload, freeze
from etl.model.plan import PlannedOrder, PlannedPayment, order_payload, payment_payload

_MADE = {Operation.ADD_ORDER: "OrderId", Operation.ADD_PAYMENT: "ExternalPaymentId", Operation.ADD_CUSTOMER: "Id"}
"""Where an answer names what was made; a cancellation makes nothing."""

_NEVER = datetime.min  # noqa: DTZ901 - replaced when the slot is granted


def made_id(operation: Operation, outcome: Outcome) -> str:
    """Mews's id of what was made; "" where the answer names none."""
    return str(outcome.body.get(_MADE.get(operation, "")) or "")


@dataclass(slots=True)
class PartRecord:
    """One part of one order on its way. `seq`: the attempt that its intent gave."""

    operation: Operation
    intent_of: Intent
    seq: int = 0

    @property
    def numbers(self) -> tuple[str, ...]:
        """The order."""
        return (self.intent_of.number,)

    @property
    def people(self) -> tuple[str, ...]:
        """Nobody: whom it charges is known."""
        return ()

    def intend(self, steps: Steps, sent_at: datetime) -> None:
        """Ready -> in flight."""
        if self.intent_of.kind is PartKind.UNDO:
            steps.plan_undo(*self.intent_of.key, self.intent_of.target)
        self.seq = steps.intend(self.intent_of.sent(sent_at))

    def renew(self, steps: Steps, sent_at: datetime) -> None:
        """In flight stays."""
        steps.renew(*self.intent_of.key, self.seq, sent_at)

    def judge(self, outcome: Outcome) -> Outcome:
        """As the client tells it: a DONE names what was made."""
        return outcome

    def conclude(self, steps: Steps, outcome: Outcome, *, at: datetime, is_last_try: bool) -> bool:
        """In flight -> what the outcome says."""
        # What a cancellation has done, it has done to the order that it names.
        is_cancel = self.operation is Operation.CANCEL_ITEMS
        mews_id = self.intent_of.target if is_cancel else made_id(self.operation, outcome)
        steps.conclude(*self.intent_of.key, self.seq, outcome, at=at, mews_id=mews_id, is_last_try=is_last_try)
        return steps.is_refusal_of_kind(*self.intent_of.key)


def order_request(order: PlannedOrder, identity: Identity, facts: RunFacts) -> Request:
    """An order as planned."""
    payload = freeze(order_payload(order, identity))
    payments = tuple(payment.part for payment in order.payments)
    intent = part_intent(order, ORDER_PART, payload, identity, facts, account_id=order.account_id, payments=payments)
    gate = open_gate if order.consumption is None else window_gate(order.consumption, facts.window_start)
    return Request(Operation.ADD_ORDER, payload, PartRecord(Operation.ADD_ORDER, intent), gate)


def payment_request(order: PlannedOrder, payment: PlannedPayment, identity: Identity, facts: RunFacts) -> Request:
    """A payment of an order that is in Mews."""
    payload = freeze(payment_payload(order, payment, identity, facts.basis))
    intent = part_intent(order, payment.part, payload, identity, facts, account_id=order.account_id)
    return Request(Operation.ADD_PAYMENT, payload, PartRecord(Operation.ADD_PAYMENT, intent))


def part_intent(
    order: PlannedOrder,
    part: str,
    payload: Payload,
    identity: Identity,
    facts: RunFacts,
    *,
    account_id: str,
    payments: tuple[str, ...] = (),
) -> Intent:
    """What is written of an order, or of one payment of it, before its first byte leaves.

    `account_id`: whom Mews shows as charged; `payments`: the payment parts that follow the order.
    """
    is_order = part == ORDER_PART
    return Intent(
        number=order.number,
        generation=identity.generation,
        part=part,
        kind=PartKind.ORDER if is_order else PartKind.PAYMENT,
        run_id=facts.run_id,
        payload=payload.text,
        payload_hash=payload.hash,
        identifier=identity.stem if is_order else identity.line(part),
        marker=identity.marker,
        service_id=order.service_id,
        account_id=account_id,
        consumption=order.consumption,
        basis=facts.basis.value,
        fingerprint=order.fingerprint,
        skip_fingerprint=order.skip_fingerprint,
        recipe_version=RECIPE_VERSION,
        predicted=predicted_of(order) if is_order else "",
        sent_at=_NEVER,
        payments=payments,
        needs=needs_of_part(order, part),
    )


@dataclass(frozen=True, slots=True)
class Reversing:
    """What an undo request reverses. `part`: its name in the ledger; `target`: the OrderId or payment in Mews.

    `private`: see `sender.Request`. `consumption` where the editable window matters.
    """

    part: str
    target: str
    account_id: str
    consumption: datetime | None = None
    private: frozenset[Kind] = frozenset()


def undo_request(
    operation: Operation, body: Mapping[str, Any], reversing: Reversing, identity: Identity, facts: RunFacts
) -> Request:
    """The opposite of an order, a payment back, or a cancellation. `body`: scope included."""
    payload = freeze(body)
    intent = undo_intent(payload, reversing, identity, facts, str(body.get("ExternalIdentifier") or identity.stem))
    consumption = reversing.consumption
    gate = open_gate if consumption is None else window_gate(consumption, facts.window_start)
    return Request(operation, payload, PartRecord(operation, intent), gate, reversing.private)


def undo_intent(payload: Payload, reversing: Reversing, identity: Identity, facts: RunFacts, identifier: str) -> Intent:
    """What is written of a reversal before its first byte leaves."""
    return Intent(
        number=identity.number,
        generation=identity.generation,
        part=reversing.part,
        kind=PartKind.UNDO,
        run_id=facts.run_id,
        payload=payload.text,
        payload_hash=payload.hash,
        identifier=identifier,
        marker=identity.marker,
        service_id=facts.service_id,
        account_id=reversing.account_id,
        consumption=reversing.consumption,
        basis=facts.basis.value,
        fingerprint="",
        skip_fingerprint="",
        recipe_version=RECIPE_VERSION,
        predicted="",
        sent_at=_NEVER,
        target=reversing.target,
    )


def cancel_body(item_ids: Sequence[str]) -> dict[str, Any]:
    """The body of `orderItems/cancel`."""
    return {"OrderItemIds": list(item_ids)}


def predicted_of(order: PlannedOrder) -> str:
    """What each entry is predicted to be booked as, as the ledger keeps it."""
    return _TEXTS.encode(
        [
            (entry.line, str(entry.predicted.net), str(entry.predicted.tax), str(entry.predicted.gross))
            for entry in order.entries
        ]
    )


_TEXTS = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False)
"""Writes what holds texts alone as `dumps` does, in half the time."""
