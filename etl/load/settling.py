"""A person's decision on an order that the tool may not decide (`settle`). Only reads Mews.

Rule: design sections 2 and 7.2. What the person says is checked against Mews first, and refused where it can't be true.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select

from etl.errors import LedgerError, UsageError
from etl.load import schema
from etl.load.compare import compare_items, compare_payment
from etl.load.ledger import Ledger
from etl.load.ports import Reader
from etl.load.records import ORDER_PART, Clock, Part, PartKind
from etl.load.scan import MARGIN, MewsTime, identity_of, items_of, payment_part, walk_items, walk_payments
from etl.load.steps import NotReady
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
) -> State:
    """A person decides an order that the tool may not decide, after Mews was asked whether that can be true.

    Shape: the order's new state. Raises: UsageError `settle.contradicted` where Mews says otherwise,
    `settle.not_open` where there is nothing to decide. Effects: writes the ledger; needs its lock.
    """
    if bool(posted_order_id) == absent:
        raise UsageError("say either --posted ORDERID or --absent", code="settle.choice")
    part = _open_part(ledger, number)
    time = MewsTime(reader, clock)
    now = await time.sync()
    if part.kind is PartKind.PAYMENT:
        wait = timedelta(seconds=float(settle_seconds))
        return await _settle_payment(ledger, reader, part, store, now, wait, run_id, posted_order_id)
    if posted_order_id:
        return await _settle_posted(ledger, reader, part, posted_order_id, service_id, store, run_id)
    return await _settle_absent(ledger, reader, part, service_id, store, now, timedelta(seconds=float(settle_seconds)))


def _open_part(ledger: Ledger, number: str) -> Part:
    order = ledger.order(number)
    if order is None:
        raise UsageError(f"the ledger knows no order {number}", code="settle.not_open")
    parts = [part for part in ledger.parts([number]).get(number, []) if part.generation == order.generation]
    for part in parts:
        if part.part == ORDER_PART and part.state in (State.UNKNOWN, State.DIFFERENT):
            return part
    for part in parts:
        if part.kind is PartKind.PAYMENT and part.state is State.UNKNOWN:
            return part
    raise UsageError(
        f"order {number} is {order.state}: there is nothing to decide",
        code="settle.not_open",
        hint="Only orders that are unknown or different need a person; see `centra-mews status`.",
    )


async def _settle_posted(
    ledger: Ledger, reader: Reader, part: Part, order_id: str, service_id: str, store: str, run_id: str
) -> State:
    rows = (await items_of(reader, [order_id])).get(order_id, [])
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
    findings = [compare_items(attempt.payload, attempt.basis, rows) for attempt in attempts]
    is_equal = not findings or any(finding.is_equal for finding in findings)
    if not is_equal and part.state is State.UNKNOWN:
        raise _contradicted(f"OrderId {order_id} is not what was sent: " + "; ".join(findings[-1].differences))
    note = "settled by a person" + ("" if is_equal else ", who accepts: " + "; ".join(findings[-1].differences))
    with ledger.steps([part.number]) as steps:
        steps.settle_posted(part.number, part.generation, mews_id=order_id, note=note, run_id=run_id)
    return State.POSTED


async def _settle_absent(
    ledger: Ledger, reader: Reader, part: Part, service_id: str, store: str, now: datetime, settle_time: timedelta
) -> State:
    if part.state is not State.UNKNOWN or part.first_sent_at is None:
        raise UsageError(
            f"order {part.number} is {part.state}: something of it is in Mews",
            code="settle.not_open",
            hint="Use `centra-mews undo` for what has to leave Mews.",
        )
    if part.settle_from is None or now < part.settle_from + settle_time:
        raise _contradicted(f"order {part.number} may still be on its way; wait {settle_time.total_seconds():g} s")
    async for page in walk_items(reader, service_id, part.first_sent_at - MARGIN, now):
        for row in page:
            identity = identity_of(row)
            if identity is not None and (identity.store, identity.number, identity.generation, identity.is_undo) == (
                store,
                part.number,
                part.generation,
                False,
            ):
                raise _contradicted(f"order {part.number} is in Mews as OrderId {row.order_id}")
    with ledger.steps([part.number]) as steps:
        try:
            steps.settle_absent(part.number, part.generation, note="a person says that Mews has nothing of it")
        except NotReady as error:
            raise LedgerError(error.message, code="settle.not_open") from error
    return State.READY


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
    if chosen is not None and not any(compare_payment(a.payload, a.basis, chosen).is_equal for a in attempts):
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


def _owner(ledger: Ledger, order_id: str) -> str:
    table = schema.parts
    with ledger.transaction() as connection:
        number = connection.scalar(select(table.c.number).where(table.c.mews_id == order_id).limit(1))
    return number or ""


def _contradicted(message: str) -> UsageError:
    return UsageError(
        message, code="settle.contradicted", hint="Look at the order in Mews; nothing was changed in the ledger."
    )
