"""A person's decision on an order that the tool may not decide (`settle`). Only reads Mews.

Rule: design sections 2 and 7.2. What the person says is checked against Mews first, and refused where it can't be true.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal

from etl.errors import LedgerError, UsageError
from etl.evidence.marks import identity_of, payment_part
from etl.evidence.mews_time import MewsTime
from etl.evidence.read_back import WHATEVER_IT_COSTS, ReadBack
from etl.evidence.reader import BillReader, Clock, Reader
from etl.evidence.scan import MARGIN, walk_items, walk_payments
from etl.ledger.cancelled import cancelled_of
from etl.ledger.ledger import Ledger
from etl.ledger.plan_rows import observed_items
from etl.ledger.records import ORDER_PART, Part, PartKind
from etl.ledger.steps import NotReady
from etl.load.attempted import match_order, payment_differs
from etl.model.rows import OrderItemRow
from etl.model.states import State


async def settle(
    ledger: Ledger,
    reader: Reader,
    number: str,
    *,
    service_id: str,
    store: str,
    settle_seconds: Decimal,
    clock: Clock,
    run_id: str,
    posted_order_id: str = "",
    absent: bool = False,
    bills: BillReader | None = None,
) -> State:
    """A person decides an order that the tool may not decide, after Mews was asked whether that can be true.

    Shape: the order's new state. Raises: UsageError `settle.contradicted` where Mews says otherwise,
    `settle.not_open` where there is nothing to decide. `bills`: on the outlet route, who looks where a bill must be.
    Effects: writes the ledger; needs its lock.
    """
    if bool(posted_order_id) == absent:
        raise UsageError(
            "say either --posted ORDERID or --absent", code="settle.choice", hint="Look the order up in Mews first."
        )
    # Time before ledger before Mews's items: what is to have settled by `now` can't arrive behind the look at it.
    time = MewsTime(reader, clock)
    now = await time.sync()
    part = await _open_part(ledger, reader, number)
    if part.kind is PartKind.PAYMENT:
        wait = timedelta(seconds=float(settle_seconds))
        return await _settle_payment(ledger, reader, part, store, now, wait, run_id, posted_order_id)
    if posted_order_id:
        return await _settle_posted(ledger, reader, part, posted_order_id, service_id, store, run_id)
    wait = timedelta(seconds=float(settle_seconds))
    return await _settle_absent(ledger, reader, part, service_id, store, now, wait, bills)


_WHICH_ORDER = (
    "Check the number: `centra-mews report --report DIR` lists the ledger's orders in orders.csv; `centra-mews recover` "
    "takes in what only Mews knows."
)


async def _open_part(ledger: Ledger, reader: Reader, number: str) -> Part:
    """What a person may decide: a part in doubt, or an order whose OrderId Mews does not know."""
    order = ledger.order(number)
    if order is None:
        raise UsageError(f"the ledger knows no order {number}", code="settle.not_open", hint=_WHICH_ORDER)
    parts = [part for part in ledger.parts([number]).get(number, []) if part.generation == order.generation]
    mine = next((part for part in parts if part.part == ORDER_PART), None)
    if mine is not None and mine.state in (State.UNKNOWN, State.DIFFERENT):
        return mine
    for part in parts:
        if part.kind is PartKind.PAYMENT and part.state is State.UNKNOWN:
            return part
    if mine is not None and mine.state is State.POSTED:
        if not await _back(reader).items_of(mine.mews_id):
            return mine
        raise UsageError(
            f"order {number} is in Mews as OrderId {mine.mews_id}: there is nothing to decide",
            code="settle.not_open",
            hint=f"`centra-mews undo --only {number}` reverses it.",
        )
    raise UsageError(
        f"order {number} is {order.state}: there is nothing to decide",
        code="settle.not_open",
        hint="A person decides on orders that are unknown or different, and on posted ones whose OrderId Mews does not "
        "know; see `centra-mews status`.",
    )


async def _settle_posted(
    ledger: Ledger, reader: Reader, part: Part, order_id: str, service_id: str, store: str, run_id: str
) -> State:
    rows = await _back(reader).items_of(order_id)
    if not rows:
        raise _contradicted(f"Mews has no items of OrderId {order_id}")
    if any(row.service_id != service_id for row in rows):
        raise _contradicted(f"OrderId {order_id} belongs to another service")
    for row in rows:
        identity = identity_of(row)
        if identity is not None and (identity.store, identity.number) != (store, part.number):
            raise _contradicted(f"OrderId {order_id} carries the mark of order {identity.number}")
    taken = _owner(ledger, order_id)
    if taken not in ("", part.number):
        raise _contradicted(f"OrderId {order_id} is order {taken}")
    attempts = ledger.attempts(part.number, generation=part.generation, part=ORDER_PART)
    matches = [match_order(attempt, rows) for attempt in attempts]
    is_equal = not matches or any(one.is_as_sent for one in matches)
    against = "; ".join(one.sentence for one in matches[-1].not_as_sent) if matches else ""
    if not is_equal and part.state is not State.DIFFERENT:
        raise _contradicted(f"OrderId {order_id} is not what was sent: {against}")
    # For presence what was cancelled counts as first booked; its money is gone.
    is_as_sent = is_equal and not any(row.is_canceled for row in rows)
    note = "settled by a person" + ("" if is_equal else f", who accepts: {against}")
    with ledger.steps([part.number]) as steps:
        steps.settle_posted(
            part.number,
            part.generation,
            mews_id=order_id,
            note=note,
            run_id=run_id,
            accepted=None if is_as_sent else observed_items(rows),
        )
        # The person has seen what the staff cancelled of it.
        steps.take_in_cancelled(cancelled_of(part.number, rows))
        if part.mews_id not in ("", order_id):
            steps.keep_copies(part.number, part.generation, [order_id])
    return State.POSTED


async def _settle_absent(
    ledger: Ledger,
    reader: Reader,
    part: Part,
    service_id: str,
    store: str,
    now: datetime,
    settle_time: timedelta,
    bills: BillReader | None,
) -> State:
    is_lost = part.state in (State.POSTED, State.DIFFERENT) and not await _back(reader).items_of(part.mews_id)
    if part.first_sent_at is None or not (is_lost or part.state is State.UNKNOWN):
        raise UsageError(
            f"order {part.number} is {part.state}: something of it is in Mews",
            code="settle.not_open",
            hint="Use `centra-mews undo` for what has to leave Mews.",
        )
    # An order with an answer counts from its last request: reads may lag that far behind.
    attempts = ledger.attempts(part.number, generation=part.generation, part=ORDER_PART)
    since = max((one.over_at for one in attempts), default=None) if is_lost else part.settle_from
    if since is None or now < since + settle_time:
        raise _contradicted(f"order {part.number} may still be on its way; wait {settle_time.total_seconds():g} s")
    # The wait first, then the whole look: an earlier look would prove nothing of what was still on its way.
    await _check_absence(walk_items(reader, service_id, part.first_sent_at - MARGIN, now), part, store)
    if bills is not None:
        # The time of a bill's last change, by which all were read just now, proves no absence.
        closings = {one.consumption for one in attempts if one.consumption is not None}
        await _check_absence(bills.closed_at(closings), part, store)
    note = "a person says that Mews has nothing of it"
    with ledger.steps([part.number]) as steps:
        try:
            if is_lost:
                steps.disown(part.number, part.generation, note=note)
            else:
                steps.settle_absent(part.number, part.generation, note=note)
        except NotReady as error:
            raise LedgerError(error.message, code="settle.not_open", hint="See `centra-mews status`.") from error
    return State.READY


async def _check_absence(pages: AsyncIterator[list[OrderItemRow]], part: Part, store: str) -> None:
    """Raises UsageError where a whole scan meets the order."""
    mine = (store, part.number, part.generation, False)
    async for page in pages:
        for row in page:
            one = identity_of(row)
            if one is not None and (one.store, one.number, one.generation, one.is_undo) == mine:
                raise UsageError(
                    f"order {part.number} is in Mews as OrderId {row.order_id}",
                    code="settle.contradicted",
                    hint=f"If it is the one, say `centra-mews settle {part.number} --posted {row.order_id}`.",
                )


async def _settle_payment(
    ledger: Ledger,
    reader: Reader,
    part: Part,
    store: str,
    now: datetime,
    settle_time: timedelta,
    run_id: str,
    payment_id: str,
) -> State:
    """A payment in doubt: it is `payment_id` of Mews, or ("") not there."""
    if part.first_sent_at is None or part.settle_from is None or now < part.settle_from + settle_time:
        raise _contradicted(f"payment {part.part} may still be on its way; wait {settle_time.total_seconds():g} s")
    attempts = ledger.attempts(part.number, generation=part.generation, part=part.part)
    chosen = None
    async for page in walk_payments(reader, part.first_sent_at - MARGIN, now):
        for row in page:
            found = payment_part(row)
            is_ours = found is not None and (found[0].store, found[0].number, found[1]) == (
                store,
                part.number,
                part.part,
            )
            if is_ours and not payment_id:
                raise _contradicted(f"payment {part.part} of order {part.number} is in Mews as {row.id}")
            if row.id == payment_id:
                chosen = row
    if payment_id and chosen is None:
        raise _contradicted(f"Mews has no payment {payment_id} made since this one was sent")
    if chosen is not None and all(payment_differs(one, chosen) for one in attempts):
        raise _contradicted(f"payment {payment_id} is not what was sent")
    if _owner(ledger, payment_id) if payment_id else "":
        raise _contradicted(f"payment {payment_id} is known to the ledger already")
    with ledger.steps([part.number]) as steps:
        if payment_id:
            note = "settled by a person"
            steps.settle_posted(
                part.number, part.generation, mews_id=payment_id, note=note, run_id=run_id, part=part.part
            )
        else:
            note = "a person says that Mews has nothing of it"
            steps.settle_absent(part.number, part.generation, note=note, part=part.part)
    return State.POSTED if payment_id else State.READY


def _back(reader: Reader) -> ReadBack:
    """Look-ups that an id which Mews does not know may not fail."""
    return ReadBack(reader, most_refusals=WHATEVER_IT_COSTS)


def _owner(ledger: Ledger, mews_id: str) -> str:
    return next((part.number for part in ledger.parts_of(mews_id)), "")


def _contradicted(message: str) -> UsageError:
    return UsageError(
        message, code="settle.contradicted", hint="Look at the order in Mews; nothing was changed in the ledger."
    )
