"""What was met in Mews is recorded here, whoever met it: the walk of a run, or `recover`.

The one gate through which what this ledger sent and lost sight of becomes POSTED or DIFFERENT: the stored attempts say
what it must be, `evidence.match` whether it is that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etl.evidence.values import Difference
from etl.ledger.cancelled import cancelled_of
from etl.ledger.plan_rows import observed_items, observed_payment
from etl.ledger.records import ORDER_PART, Attempt, damaged, dumps
from etl.ledger.steps import PartKey, Steps
from etl.load.attempted import match_order, payment_differs
from etl.model.rows import OrderItemRow, PaymentRow
from etl.model.states import State


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a part that was met. `mews_id`: under which id; `message`: in what it differs, "" if it does not."""

    state: State
    mews_id: str
    message: str


def find_order(
    steps: Steps,
    key: PartKey,
    attempts: Sequence[Attempt],
    orders: Mapping[str, Sequence[OrderItemRow]],
    run_id: str,
) -> Found:
    """An order, or the opposite of one, stands in Mews: POSTED, or DIFFERENT from all that was sent.

    `attempts` of this part, oldest first; `orders`: items by OrderId, at least one. `run_id`: who met it. Where none
    is what was sent, the first is told against the newest attempt. Raises LedgerError without any attempt.
    """
    closest: tuple[str, Attempt, tuple[Difference, ...]] | None = None
    for order_id, rows in orders.items():
        for attempt in reversed(attempts):
            differences = match_order(attempt, rows).not_as_sent
            if closest is None or (closest[2] and not differences):
                closest = order_id, attempt, differences
    if closest is None:
        raise damaged("an order in doubt, of which no attempt is on record,")
    rows = orders[closest[0]]
    if key[2] == ORDER_PART:
        # A sighting while nobody knew is no sign of somebody else, whatever the staff did to it meanwhile.
        steps.take_in_cancelled(cancelled_of(key[0], rows))
    return _record(steps, key, closest, run_id, dumps(observed_items(rows)))


def find_payment(
    steps: Steps, key: PartKey, attempts: Sequence[Attempt], rows: Sequence[PaymentRow], run_id: str
) -> Found:
    """A payment, or what pays one back, stands in Mews: as `find_order`."""
    closest: tuple[PaymentRow, Attempt, tuple[Difference, ...]] | None = None
    for row in rows:
        for attempt in reversed(attempts):
            differences = payment_differs(attempt, row)
            if closest is None or (closest[2] and not differences):
                closest = row, attempt, differences
    if closest is None:
        raise damaged("a payment in doubt, of which no attempt is on record,")
    row, attempt, differences = closest
    return _record(steps, key, (row.id, attempt, differences), run_id, observed_payment(row, attempt.payload))


def find_elsewhere(steps: Steps, number: str, generation: int, order_id: str, rows: Sequence[OrderItemRow]) -> Found:
    """Mews does not know the OrderId that it answered, and holds the order under another one: a person names it."""
    message = (
        f"Mews does not know the OrderId that it answered and holds the order as {order_id}: "
        f"`centra-mews settle {number} --posted {order_id}`"
    )
    steps.differ(number, generation, message, observed_items(rows))
    return Found(State.DIFFERENT, order_id, message)


def _record(
    steps: Steps, key: PartKey, closest: tuple[str, Attempt, tuple[Difference, ...]], run_id: str, observed: str
) -> Found:
    mews_id, attempt, differences = closest
    sentences = [one.sentence for one in differences]
    state = steps.find(
        *key,
        mews_id=mews_id,
        differences=sentences,
        fingerprint=attempt.fingerprint,
        run_id=run_id,
        sent_by=attempt.run_id,
        observed=observed,
    )
    return Found(state, mews_id, "; ".join(sentences))
