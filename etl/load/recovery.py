"""Building or completing the ledger from Mews (`recover`). Only reads Mews."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from etl.evidence.marks import identity_of
from etl.evidence.mews_time import MewsTime
from etl.evidence.read_back import WHATEVER_IT_COSTS, ReadBack
from etl.evidence.reader import Clock, Reader
from etl.evidence.scan import MARGIN, Progress, walk_items
from etl.ledger.cancelled import unknown
from etl.ledger.ledger import Ledger
from etl.ledger.plan_rows import stamp_seconds
from etl.ledger.records import ORDER_PART, RECOVERED_RUN, dumps, stamp
from etl.ledger.side_table import empty, keep, met_elsewhere, sighting, sightings
from etl.ledger.steps import CHUNK, Steps
from etl.load.balance import Items, reversed_by
from etl.load.found import find_elsewhere, find_order, find_payment, shown
from etl.load.paid import Paid, Payments, read_payments
from etl.load.ports import Sleep
from etl.load.reversal import OPPOSITE, undo_parts, what_of
from etl.load.reversals import Reversals, Seen, is_in_doubt, is_pay_back
from etl.model.identity import parse_identifier
from etl.model.rows import OrderItemRow, PaymentRow
from etl.model.shares import CREDIT
from etl.model.states import IN_MEWS, State


@dataclass(slots=True)
class RecoverResult:
    """What `recover` found. `different`: orders that are there only in part, or not as sent, with the reason.

    `undone`: orders that turned out to be reversed.

    `duplicated`: orders that Mews holds more than once, with their OrderIds. `strangers`: other people's items.
    `since`: when the first of our items was created.
    """

    found: int = 0
    known: int = 0
    resolved: int = 0
    different: dict[str, str] = field(default_factory=dict)
    duplicated: dict[str, tuple[str, ...]] = field(default_factory=dict)
    payments: int = 0
    items: int = 0
    strangers: int = 0
    since: datetime | None = None
    undone: int = 0


@dataclass(frozen=True, slots=True)
class Met:
    """What was read beside the items. `in_doubt`: by PaymentId, those of which the ledger holds an attempt and no end.

    `nowhere`: orders that Mews holds under another OrderId than the ledger, and does not know under the ledger's.
    """

    payments: Payments
    in_doubt: Mapping[str, PaymentRow]
    nowhere: frozenset[tuple[str, int]]


async def recover(
    ledger: Ledger,
    reader: Reader,
    *,
    service_id: str,
    store: str,
    settle_seconds: Decimal,
    clock: Clock,
    sleep: Sleep,
    progress: Progress = lambda _stage, _done, _total: None,
) -> RecoverResult:
    """Reads every order of this store from Mews into the ledger, cancelled ones included.

    Rule: design section 2: after `settle_seconds` the recent part is read again, so that what was still on its
    way is not missed. Raises: MewsError where a page can't be read; then the ledger is as before.
    Effects: writes the ledger; needs its lock. Memory stays bounded: what was read waits in a table.
    """
    time = MewsTime(reader, clock)
    settle = timedelta(seconds=float(settle_seconds))
    result = RecoverResult()
    started = await time.sync()
    # First on disk: what was in flight when its process died counts as sent until now, whatever is found below.
    with ledger.steps() as steps:
        steps.start_settling(time.latest())
    empty(ledger)
    await _read_items(ledger, reader, service_id, store, None, started, result, progress)
    progress("wait for what may still be on its way", 0, 0)
    await sleep(settle.total_seconds())
    second = await time.sync()
    await _read_items(ledger, reader, service_id, store, started - settle - MARGIN, second, result, progress)
    payments: Payments = {}
    if result.since is not None:
        # A payment is never sent before its order.
        payments = await read_payments(reader, store, result.since - MARGIN, second)
    result.payments = sum(len(paid.sent) for paid in payments.values())
    # All is read before anything is recorded: where a page can't be read, the ledger stays as it was.
    met = Met(payments, await _read_in_doubt(ledger, reader, payments), await _read_nowhere(ledger, reader))
    _record(ledger, met, result, progress)
    with ledger.steps() as steps:
        steps.meta("watermark", stamp(second - settle))
    empty(ledger)
    return result


# recover


async def _read_items(
    ledger: Ledger,
    reader: Reader,
    service_id: str,
    store: str,
    start: datetime | None,
    now: datetime,
    result: RecoverResult,
    progress: Progress,
) -> None:
    async for page in walk_items(reader, service_id, start, now):
        rows = []
        for row in page:
            result.items += 1
            identity = identity_of(row)
            if identity is None:
                result.strangers += 1
            elif identity.store == store:
                result.since = min(result.since or row.created, row.created)
                rows.append(sighting(row, identity))
        keep(ledger, rows)
        progress("read items", result.items, 0)


async def _read_in_doubt(ledger: Ledger, reader: Reader, payments: Payments) -> dict[str, PaymentRow]:
    """The payments met of parts in doubt, whole: what was sent decides what they are. Raises MewsError."""
    found: dict[str, PaymentRow] = {}
    back = ReadBack(reader, most_refusals=WHATEVER_IT_COSTS)
    for keys in _batches(iter(payments), CHUNK):
        wanted: list[str] = []
        for parts in ledger.parts({number for number, _ in keys}).values():
            for part in parts:
                paid = payments.get((part.number, part.generation))
                if paid is not None and is_in_doubt(part):
                    wanted += paid.undone.get(what_of(part), ()) if is_pay_back(part) else paid.sent.get(part.part, ())
        found |= await back.payments(wanted)
    return found


async def _read_nowhere(ledger: Ledger, reader: Reader) -> frozenset[tuple[str, int]]:
    """Orders that were met, but not under the ledger's OrderId, which Mews does not know. Raises MewsError."""
    suspects = met_elsewhere(ledger)
    known = await ReadBack(reader, most_refusals=WHATEVER_IT_COSTS).items(list(suspects.values()))
    return frozenset(key for key, order_id in suspects.items() if not known.get(order_id))


def _record(ledger: Ledger, met: Met, result: RecoverResult, progress: Progress) -> None:
    missing = ledger.without_ids()
    for batch in _batches(sightings(ledger), 200):
        _adopt_ids(ledger, [one for one in batch if one[:2] in missing])
        with ledger.steps({number for number, _, _ in batch}) as steps:
            for number, generation, items in batch:
                _record_order(ledger, steps, number, generation, items, met, result)
        progress("record orders", result.found + result.known + result.resolved, 0)


def _adopt_ids(ledger: Ledger, met: Iterable[tuple[str, int, Items]]) -> None:
    """Which bill is whose, of those that were posted together and never read back by the run that did."""
    ids = {
        (number, generation, ORDER_PART): order_id
        for number, generation, found in met
        for order_id, items in found.items()
        if not _is_undo(items)
    }
    if ids:
        with ledger.steps() as steps:
            steps.adopt_ids(ids)


def _record_order(
    ledger: Ledger, steps: Steps, number: str, generation: int, found: Items, met: Met, result: RecoverResult
) -> None:
    undos = {order_id: items for order_id, items in found.items() if _is_undo(items)}
    orders = {order_id: items for order_id, items in found.items() if order_id not in undos}
    if not orders:
        # What reverses an order proves no presence.
        return
    paid = met.payments.get((number, generation), Paid())
    known = undo_parts(ledger.parts([number]).get(number, ()), generation, OPPOSITE)
    gone = reversed_by(orders, undos, steps.mews_id(number, generation), known)
    standing = [order_id for order_id in orders if order_id not in gone]
    # Where copies were reversed, the order is the one that stands.
    orders = {order_id: orders[order_id] for order_id in (*standing, *gone)}
    reversals = Reversals(ledger, steps, number, generation, Seen(orders, undos, gone, paid, met.in_doubt))
    reversals.take_up_again()
    was_in_doubt = _record_presence(ledger, steps, number, generation, orders, paid, met, result)
    twice: list[str] = []
    if gone or undos or paid.undone:
        twice = reversals.record()
        message, is_undone = reversals.conclude()
        result.undone += is_undone
        if message:
            result.different[number] = message
    is_held = steps.part_state(number, generation) in (State.POSTED, State.DIFFERENT)
    if is_held and (number, generation) in met.nowhere and len(standing) == 1:
        at = find_elsewhere(steps, number, generation, standing[0], orders[standing[0]])
        result.different[number] = at.message
    _record_copies(steps, number, generation, [*(standing if len(standing) > 1 else ()), *twice], paid, result)
    if not was_in_doubt:
        _record_cancelled(ledger, steps, number, generation, orders, result)


def _record_copies(
    steps: Steps, number: str, generation: int, copies: Sequence[str], paid: Paid, result: RecoverResult
) -> None:
    """What stands in Mews more than once, in place of what the ledger believed: staff may have reversed a copy."""
    paid_twice = [mews_id for part in paid.sent if len(paid.standing(part)) > 1 for mews_id in paid.standing(part)]
    # Older generations came first.
    found = tuple(dict.fromkeys((*result.duplicated.get(number, ()), *copies, *paid_twice)))
    steps.see_copies(number, generation, found)
    if found:
        result.duplicated[number] = found


def _record_cancelled(
    ledger: Ledger, steps: Steps, number: str, generation: int, orders: Items, result: RecoverResult
) -> None:
    """Cancelled items become known; an order of which others cancelled a part is no longer there as it was posted."""
    items = {item.id: number for order in orders.values() for item in order if item.is_canceled}
    others = unknown(ledger, items) if items else {}
    if not others:
        return
    steps.take_in_cancelled(others)
    state, order_id = steps.part_state(number, generation), steps.mews_id(number, generation)
    if state in (State.POSTED, State.DIFFERENT) and _is_of(orders, others, order_id):
        # Where a part of it was reversed, that is why they are cancelled.
        message = result.different.get(number) or f"{len(others)} of its items are cancelled in Mews"
        steps.differ(number, generation, message, {"items": shown(orders[order_id])})
        result.different[number] = message


def _is_undo(items: Sequence[OrderItemRow]) -> bool:
    identity = identity_of(items[0])
    return identity is not None and identity.is_undo


def _is_of(orders: Items, item_ids: Mapping[str, str], order_id: str) -> bool:
    return any(item.id in item_ids for item in orders.get(order_id, ()))


def _record_presence(
    ledger: Ledger,
    steps: Steps,
    number: str,
    generation: int,
    orders: Items,
    paid: Paid,
    met: Met,
    result: RecoverResult,
) -> bool:
    """That the order is there. Shape: whether the ledger sent it, and knew of no end until now."""
    state = steps.part_state(number, generation)
    if state is not None and state in IN_MEWS:
        result.known += 1
        if state is not State.UNDONE:
            _record_payments(ledger, steps, number, generation, paid, met, result)
        return False
    attempts = ledger.attempts(number, generation=generation, part=ORDER_PART)
    if attempts and state is not None:
        found = find_order(steps, (number, generation, ORDER_PART), attempts, orders, RECOVERED_RUN)
        result.resolved += 1
        if found.message:
            result.different[number] = found.message
        _record_payments(ledger, steps, number, generation, paid, met, result)
        return True
    _adopt(steps, number, generation, orders, paid, result)
    return False


def _adopt(steps: Steps, number: str, generation: int, orders: Items, paid: Paid, result: RecoverResult) -> None:
    """An order of this store that this ledger never sent: what Mews shows of it stands in for what was sent."""
    order_id, items = next(iter(orders.items()))
    first = items[0]
    different = _missing_lines(items)
    observed = {
        "account": first.account_id,
        "consumed": stamp_seconds(first.consumed),
        "items": shown(items),
        "order_id": order_id,
    }
    # Captures pay what the order is worth; credits lower it.
    credit = [(part, "", ids[paid.first(part)]) for part, ids in paid.sent.items() if part.startswith(CREDIT)]
    # Those of a bill are items of it. Its type tells a payment; only the identifier tells which, and it may be hidden.
    credit_items = [(line, "", -item.first_booked[1]) for item in items if (line := _credit_line(item))]
    worth = sum((item.first_booked[1] for item in items if not item.is_payment or _credit_line(item)), Decimal(0))
    steps.recover(
        number,
        generation,
        mews_order_id=order_id,
        observed=dumps(observed),
        payments=[(part, paid.first(part)) for part in paid.sent],
        differences=different,
        run_id=RECOVERED_RUN,
        facts={
            "currency": first.currency,
            "basis": "gross",
            "planned_total": str(worth - sum((amount for _, _, amount in credit), Decimal(0))),
            "facts": dumps({"payments": credit + credit_items} if credit or credit_items else {}),
            "account_id": first.account_id,
        },
    )
    result.found += 1
    if different:
        result.different[number] = "; ".join(different)


def _credit_line(item: OrderItemRow) -> str:
    """The line of a gift card or credit that is an item of a bill; "" of all else, and where no identifier comes back."""
    parsed = parse_identifier(item.external_identifier) if item.is_payment else None
    return parsed[1] if parsed is not None and parsed[1].startswith(CREDIT) else ""


def _record_payments(
    ledger: Ledger, steps: Steps, number: str, generation: int, paid: Paid, met: Met, result: RecoverResult
) -> None:
    """Payments of an order that the ledger knows: one that it calls unsent would be sent again."""
    for part in paid.sent:
        # One that stands before one that was cancelled.
        ids = dict.fromkeys((paid.first(part), *paid.sent[part]))
        rows = [met.in_doubt[one] for one in ids if one in met.in_doubt]
        if not rows:
            steps.see_payment(number, generation, part, mews_id=paid.first(part), run_id=RECOVERED_RUN)
            continue
        attempts = ledger.attempts(number, generation=generation, part=part)
        found = find_payment(steps, (number, generation, part), attempts, rows, RECOVERED_RUN)
        if found.message:
            result.different[number] = found.message


def _missing_lines(items: Iterable[OrderItemRow]) -> list[str]:
    """Lines that must have been there: numbers are given without gaps, so a gap is a missing item."""
    numbers: dict[str, set[int]] = {}
    for item in items:
        parsed = parse_identifier(item.external_identifier)
        if parsed is None:
            continue
        line = parsed[1].split(".")[0]
        if line[:1].isalpha() and line[1:].isdigit():
            numbers.setdefault(line[0], set()).add(int(line[1:]))
    missing = [
        f"{kind}{number}"
        for kind, found in sorted(numbers.items())
        for number in range(1, max(found) + 1)
        if number not in found
    ]
    return [f"lines {', '.join(missing)} are not in Mews"] if missing else []


def _batches(values: Iterator[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for value in values:
        batch.append(value)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
