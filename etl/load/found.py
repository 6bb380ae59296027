"""What was met in Mews is recorded here, whoever met it: the walk of a run, or `recover`.

The one gate through which what this ledger sent and lost sight of becomes POSTED or DIFFERENT: the stored attempts say
what it must be, `evidence.match` whether it is that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from etl.evidence.values import Difference
from etl.ledger.cancelled import cancelled_of
from etl.ledger.plan_rows import observed_items, observed_payment, recovered_item
from etl.ledger.records import Attempt, damaged, dumps
from etl.ledger.steps import PartKey, Steps
from etl.load.attempted import match_order, payment_differs
from etl.load.balance import NOT_BALANCED
from etl.load.reversal import is_gone
from etl.model.rows import OrderItemRow, PaymentRow
from etl.model.states import State

Met = TypeVar("Met", str, PaymentRow)


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a part that was met. `mews_id`: under which id; `message`: in what it differs, "" if it does not.

    `leaves`: whether it reverses an order and leaves something of it, or takes more than it was.
    """

    state: State
    mews_id: str
    message: str
    leaves: bool = False


def find_order(
    steps: Steps,
    key: PartKey,
    attempts: Sequence[Attempt],
    orders: Mapping[str, Sequence[OrderItemRow]],
    run_id: str,
) -> Found:
    """An order is met in Mews: POSTED, or DIFFERENT from all that was sent, as it was booked or as the staff left it.

    One that was cancelled whole is POSTED until `ends` concludes. `attempts` of this part, oldest first; `orders`: items by OrderId, at least one. `run_id`: who met it. Where none
    is what was sent, the first is told against the newest attempt. Raises LedgerError without any attempt.
    """
    closest = _closest_order(attempts, orders)
    rows = orders[closest[0]]
    # A sighting while nobody knew is no sign of somebody else, whatever the staff did to it meanwhile.
    steps.take_in_cancelled(cancelled_of(key[0], rows))
    if not is_gone(rows):
        # It arrived as it was sent; what is told is what stands, since that is what counts as being in Mews.
        closest = (*closest[:2], match_order(closest[1], rows).differences)
    return _record(steps, key, closest, run_id, dumps(observed_items(rows)))


def find_reversal(
    steps: Steps,
    key: PartKey,
    attempts: Sequence[Attempt],
    undos: Mapping[str, Sequence[OrderItemRow]],
    run_id: str,
    *,
    is_balanced: bool,
) -> Found:
    """The opposite of an order stands in Mews: as `find_order`; DIFFERENT too where it does not balance the order."""
    closest = _closest_order(attempts, undos)
    besides = "" if is_balanced else NOT_BALANCED
    found = _record(steps, key, closest, run_id, dumps(observed_items(undos[closest[0]])), besides)
    return replace(found, leaves=not is_balanced)


def find_payment(
    steps: Steps,
    key: PartKey,
    attempts: Sequence[Attempt],
    rows: Sequence[PaymentRow],
    run_id: str,
    unbalanced: str = "",
) -> Found:
    """A payment, or what pays one back, stands in Mews: as `find_order`. `unbalanced`: what else is wrong with it."""
    judged = [(row, attempt, payment_differs(attempt, row)) for row in rows for attempt in reversed(attempts)]
    row, attempt, differences = _closest(judged, "a payment")
    return _record(
        steps, key, (row.id, attempt, differences), run_id, observed_payment(row, attempt.payload), unbalanced
    )


def find_elsewhere(steps: Steps, number: str, generation: int, order_id: str, rows: Sequence[OrderItemRow]) -> Found:
    """Mews does not know the OrderId that it answered, and holds the order under another one: a person names it."""
    message = (
        f"Mews does not know the OrderId that it answered and holds the order as {order_id}: "
        f"`centra-mews settle {number} --posted {order_id}`"
    )
    steps.differ(number, generation, message, observed_items(rows))
    return Found(State.DIFFERENT, order_id, message)


def shown(items: Iterable[OrderItemRow]) -> list[dict[str, Any]]:
    """Items as the ledger keeps those that were read."""
    return [recovered_item(item) for item in items]


def leaving_something(reversals: Mapping[str, Found]) -> list[str]:
    """Of reversals that are not what was sent, by id, those that do not balance their order."""
    return [mews_id for mews_id, found in reversals.items() if found.leaves]


def not_as_sent(reversals: Mapping[str, Found]) -> str:
    """Of an order whose reversals, by id, are not what was sent."""
    return "; ".join(
        f"its reversal {mews_id} is not as it was sent: {found.message}" for mews_id, found in reversals.items()
    )


def payment_stands(parts: Iterable[str]) -> str:
    """Of an order that is reversed, while these payments of it are not."""
    return f"its items are reversed, its payment {', '.join(parts)} stands"


def does_not_balance(undo_ids: Iterable[str]) -> str:
    """Of an order that these reversals leave something of, or take more than it was."""
    return f"its reversal {', '.join(undo_ids)} does not balance it"


def _closest_order(
    attempts: Sequence[Attempt], orders: Mapping[str, Sequence[OrderItemRow]]
) -> tuple[str, Attempt, tuple[Difference, ...]]:
    judged = [
        (order_id, attempt, match_order(attempt, rows).not_as_sent)
        for order_id, rows in orders.items()
        for attempt in reversed(attempts)
    ]
    return _closest(judged, "an order")


def _closest(
    judged: Sequence[tuple[Met, Attempt, tuple[Difference, ...]]], what: str
) -> tuple[Met, Attempt, tuple[Difference, ...]]:
    """The first that is as it was sent, else the first. Raises LedgerError where nothing of `what` was ever sent."""
    if not judged:
        raise damaged(f"{what} in doubt, of which no attempt is on record,")
    return next((one for one in judged if not one[2]), judged[0])


def _record(
    steps: Steps,
    key: PartKey,
    closest: tuple[str, Attempt, tuple[Difference, ...]],
    run_id: str,
    observed: str,
    besides: str = "",
) -> Found:
    mews_id, attempt, differences = closest
    sentences = [*(one.sentence for one in differences), *filter(None, [besides])]
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
