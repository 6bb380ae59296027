"""What an attempt sent, as the side that Mews is compared with, and what without any mark may be it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from etl.evidence.match import Match, match, match_payment
from etl.evidence.sent import payload_currency, sent_entries, sent_payment
from etl.evidence.values import Difference, Expected, What
from etl.ledger.records import Attempt
from etl.model.rows import OrderItemRow, PaymentRow

CLOCK_SLACK = timedelta(minutes=1)
"""Mews's times are whole seconds, and its clock is known to us through an answer only."""


def sent_order(attempt: Attempt) -> Expected:
    """An `orders/add` as it was frozen: entries with the amounts that Mews was predicted to book."""
    return Expected(
        number=attempt.number,
        generation=attempt.generation,
        order_id=attempt.mews_id,
        account_id=attempt.account_id,
        consumption=attempt.consumption,
        currency=payload_currency(attempt.payload),
        basis=attempt.basis,
        entries=sent_entries(attempt.payload, attempt.basis, attempt.predicted, attempt.identifier),
    )


def match_order(attempt: Attempt, rows: Sequence[OrderItemRow]) -> Match:
    """The items of one OrderId against an attempt."""
    return match(sent_order(attempt), rows)


def payment_differs(attempt: Attempt, row: PaymentRow) -> tuple[Difference, ...]:
    """In what a payment of Mews is not the one that an attempt sent."""
    return match_payment(sent_payment(attempt.part, row.id, attempt.payload, attempt.basis), row, attempt.basis)


def may_be(attempt: Attempt, rows: Sequence[OrderItemRow]) -> bool:
    """Whether unmarked items could be this attempt's: account, service, consumption, counts and amounts."""
    return (
        all(
            row.account_id == attempt.account_id
            and row.number in ("", attempt.payload.get("Number"))
            and row.service_id == attempt.service_id
            and _same_second(row, attempt)
            for row in rows
        )
        # Whoever looks like it holds it for a person, whatever its tax codes became: absence must not be proved of it.
        and match_order(attempt, rows).is_money_as_sent
    )


def may_be_payment(attempt: Attempt, row: PaymentRow) -> bool:
    """Whether an unmarked payment could be this attempt's: account, type, amount, created since it was sent."""
    return (
        row.account_id == attempt.account_id
        and row.created >= attempt.sent_at.replace(microsecond=0) - CLOCK_SLACK
        # An identifier of another system says nothing of whose payment it is.
        and all(one.what is What.IDENTIFIER for one in payment_differs(attempt, row))
    )


def _same_second(row: OrderItemRow, attempt: Attempt) -> bool:
    if row.consumed is None or attempt.consumption is None:
        return False
    return row.consumed.replace(microsecond=0) == attempt.consumption.replace(microsecond=0)
