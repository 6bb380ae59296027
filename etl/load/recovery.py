"""Building or completing the ledger from Mews (`recover`). Only reads Mews."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from etl.evidence.marks import identity_of
from etl.evidence.mews_time import MewsTime
from etl.evidence.read_back import WHATEVER_IT_COSTS, ReadBack
from etl.evidence.reader import Clock, Reader
from etl.evidence.scan import MARGIN, OrderKey, Progress, walk_items
from etl.ledger.cancelled import unknown
from etl.ledger.ledger import Ledger
from etl.ledger.plan_rows import bill_payments, seen_facts, stamp_seconds
from etl.ledger.records import ORDER_PART, RECOVERED_RUN, Attempt, dumps, stamp
from etl.ledger.side_table import empty, keep, met_elsewhere, sighting, sightings
from etl.ledger.steps import CHUNK, PartKey, Steps
from etl.load.balance import Items, reversed_by
from etl.load.found import find_elsewhere, find_order, find_payment, shown
from etl.load.paid import Paid, Payments, read_payments
from etl.load.ports import Sleep
from etl.load.reversal import OPPOSITE, undo_parts, what_of
from etl.load.reversals import Reversals, Seen, is_in_doubt, is_pay_back
from etl.load.session import last_sent_before
from etl.load.unmarked import UnmarkedBills
from etl.model.identity import Identity, parse_identifier
from etl.model.rows import OrderItemRow, PaymentRow
from etl.model.shares import CREDIT
from etl.model.states import IN_MEWS, State

Whole = Callable[[Sequence[OrderItemRow]], list[OrderItemRow]]


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
    `whole`: completes the items of an order of which Mews tells the amounts of one unit alone.
    """

    payments: Payments
    in_doubt: Mapping[str, PaymentRow]
    nowhere: frozenset[tuple[str, int]]
    whole: Whole


async def recover(
    ledger: Ledger,
    reader: Reader,
    *,
    service_id: str,
    store: str,
    settle_seconds: Decimal,
    clock: Clock,
    sleep: Sleep,
    whole: Whole = list,
    progress: Progress = lambda _stage, _done, _total: None,
) -> RecoverResult:
    """Reads every order of this store from Mews into the ledger, cancelled ones included.

    Rule: design section 2: after `settle_seconds` the recent part is read again, so that what was still on its
    way is not missed. `whole`: as of `Met`. Raises: MewsError where a page can't be read; then the ledger is as before.
    Effects: writes the ledger; needs its lock. Memory stays bounded: what was read waits in a table.
    """
    time = MewsTime(reader, clock)
    settle = timedelta(seconds=float(settle_seconds))
    result = RecoverResult()
    started = await time.sync()
    # First on disk: what was in flight when its process died counts as sent until then, whatever is found below.
    sent_before = last_sent_before(ledger, time)
    with ledger.steps() as steps:
        steps.start_settling(sent_before)
    empty(ledger)
    walks = _Walks(ledger, reader, service_id, store, result, progress)
    await walks.read_items(None, started)
    progress("wait for what may still be on its way", 0, 0)
    await sleep(settle.total_seconds())
    second = await time.sync()
    await walks.read_items(started - settle - MARGIN, second)
    payments: Payments = {}
    if result.since is not None:
        # A payment is never sent before its order.
        payments = await read_payments(reader, store, result.since - MARGIN, second)
    result.payments = sum(len(paid.sent) for paid in payments.values())
    # All is read before anything is recorded: where a page can't be read, the ledger stays as it was.
    met = Met(payments, await _read_in_doubt(ledger, reader, payments), await _read_nowhere(ledger, reader), whole)
    _adopt_ids(ledger, walks.unmarked.ids())
    _record(ledger, met, result, progress)
    with ledger.steps() as steps:
        steps.meta("watermark", stamp(second - settle))
    empty(ledger)
    return result


# What Mews shows


class _Walks:
    """Walks over all items: those of this store wait in a table. `unmarked`: bills that came back without a mark."""

    def __init__(
        self,
        ledger: Ledger,
        reader: Reader,
        service_id: str,
        store: str,
        result: RecoverResult,
        progress: Progress,
    ) -> None:
        self._ledger = ledger
        self._reader = reader
        self._service_id = service_id
        self._store = store
        self._result = result
        self._progress = progress
        self.unmarked = UnmarkedBills(ledger, store)

    async def read_items(self, start: datetime | None, now: datetime) -> None:
        """One walk from `start` (None: ever). Raises MewsError."""
        async for page in walk_items(self._reader, self._service_id, start, now):
            keep(self._ledger, [sighting(row, identity) for row, identity in self._mine(page)])
            self.unmarked.see(self.unmarked.of_page(page))
            self._progress("read items", self._result.items, 0)

    def _mine(self, page: Iterable[OrderItemRow]) -> Iterator[tuple[OrderItemRow, Identity]]:
        result = self._result
        for row in page:
            result.items += 1
            identity = identity_of(row)
            if identity is None:
                result.strangers += 1
            elif identity.store == self._store:
                result.since = min(result.since or row.created, row.created)
                yield row, identity


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


# What follows from it


def _record(ledger: Ledger, met: Met, result: RecoverResult, progress: Progress) -> None:
    missing = ledger.without_ids()
    for batch in _batches(sightings(ledger), 200):
        _adopt_ids(ledger, _ids_of(one for one in batch if one[:2] in missing))
        with ledger.steps({number for number, _, _ in batch}) as steps:
            for number, generation, items in batch:
                _OneOrder(ledger, steps, (number, generation), met, result).record(items)
        progress("record orders", result.found + result.known + result.resolved, 0)


def _ids_of(met: Iterable[tuple[str, int, Items]]) -> dict[PartKey, str]:
    """Which bill is whose, of those that were posted together and never read back by the run that did."""
    return {
        (number, generation, ORDER_PART): order_id
        for number, generation, found in met
        for order_id, items in found.items()
        if not _is_undo(items)
    }


def _adopt_ids(ledger: Ledger, ids: Mapping[PartKey, str]) -> None:
    if ids:
        with ledger.steps() as steps:
            steps.adopt_ids(ids)


class _OneOrder:
    """One generation of one order, recorded within one transaction. `result` is told what was found of it."""

    def __init__(self, ledger: Ledger, steps: Steps, key: OrderKey, met: Met, result: RecoverResult) -> None:
        self._ledger = ledger
        self._steps = steps
        self._key = key
        self._number = key[0]
        self._met = met
        self._paid = met.payments.get(key, Paid())
        self._result = result

    def record(self, found: Items) -> None:
        """Its orders and what reverses them, by OrderId."""
        undos = {order_id: items for order_id, items in found.items() if _is_undo(items)}
        orders = {order_id: items for order_id, items in found.items() if order_id not in undos}
        if not orders:
            # What reverses an order proves no presence.
            return
        known = undo_parts(self._ledger.parts([self._number]).get(self._number, ()), self._key[1], OPPOSITE)
        gone = reversed_by(orders, undos, self._steps.mews_id(*self._key), known)
        standing = [order_id for order_id in orders if order_id not in gone]
        # Where copies were reversed, the order is the one that stands.
        orders = {order_id: orders[order_id] for order_id in (*standing, *gone)}
        seen = Seen(orders, undos, gone, self._paid, self._met.in_doubt)
        reversals = Reversals(self._ledger, self._steps, *self._key, seen)
        reversals.take_up_again()
        was_in_doubt = self._presence(orders)
        twice: list[str] = []
        if gone or undos or self._paid.undone:
            twice = reversals.record()
            message, is_undone = reversals.conclude()
            self._result.undone += is_undone
            self._differs(message)
        is_held = self._steps.part_state(*self._key) in (State.POSTED, State.DIFFERENT)
        if is_held and self._key in self._met.nowhere and len(standing) == 1:
            at = find_elsewhere(self._steps, *self._key, standing[0], orders[standing[0]])
            self._differs(at.message)
        self._copies([*(standing if len(standing) > 1 else ()), *twice])
        if not was_in_doubt:
            self._cancelled(orders)

    def _differs(self, message: str) -> None:
        if message:
            self._result.different[self._number] = message

    def _copies(self, copies: Sequence[str]) -> None:
        """What stands in Mews more than once, in place of what the ledger believed: staff may have reversed a copy."""
        paid = self._paid
        paid_twice = [mews_id for part in paid.sent if len(paid.standing(part)) > 1 for mews_id in paid.standing(part)]
        # Older generations came first.
        found = tuple(dict.fromkeys((*self._result.duplicated.get(self._number, ()), *copies, *paid_twice)))
        self._steps.see_copies(*self._key, found)
        if found:
            self._result.duplicated[self._number] = found

    def _cancelled(self, orders: Items) -> None:
        """Cancelled items become known; an order of which others cancelled a part is no longer there as it was posted."""
        items = {item.id: self._number for order in orders.values() for item in order if item.is_canceled}
        others = unknown(self._ledger, items) if items else {}
        if not others:
            return
        self._steps.take_in_cancelled(others)
        state, order_id = self._steps.part_state(*self._key), self._steps.mews_id(*self._key)
        if state in (State.POSTED, State.DIFFERENT) and _is_of(orders, others, order_id):
            # Where a part of it was reversed, that is why they are cancelled.
            message = self._result.different.get(self._number) or f"{len(others)} of its items are cancelled in Mews"
            self._steps.differ(*self._key, message, {"items": shown(orders[order_id])})
            self._differs(message)

    def _presence(self, orders: Items) -> bool:
        """That the order is there. Shape: whether the ledger sent it, and knew of no end until now."""
        state = self._steps.part_state(*self._key)
        if state is not None and state in IN_MEWS:
            self._result.known += 1
            if state is not State.UNDONE:
                self._payments()
            return False
        attempts = self._attempts(ORDER_PART)
        if attempts and state is not None:
            found = find_order(self._steps, (*self._key, ORDER_PART), attempts, orders, RECOVERED_RUN)
            self._result.resolved += 1
            self._differs(found.message)
            self._payments()
            return True
        self._adopt(orders)
        return False

    def _attempts(self, part: str) -> list[Attempt]:
        return self._ledger.attempts(self._number, generation=self._key[1], part=part)

    def _adopt(self, orders: Items) -> None:
        """An order of this store that this ledger never sent: what Mews shows of it stands in for what was sent."""
        order_id, rows = next(iter(orders.items()))
        items = self._met.whole(rows)
        first, paid = items[0], self._paid
        different = _missing_lines(items)
        observed = {
            "account": first.account_id,
            "consumed": stamp_seconds(first.consumed),
            "items": shown(items),
            "order_id": order_id,
        }
        # Captures pay what the order is worth; credits lower it. Those of a bill are items of it.
        paid_by_items = [one for one in bill_payments(items) if one[0].startswith(CREDIT)]
        sold = sum((item.first_booked[1] for item in items if not item.is_payment), Decimal(0))
        payments = [(part, "", amount) for part, amount in paid.amounts(sold)]
        credit = [amount for part, _, amount in (*paid_by_items, *payments) if part.startswith(CREDIT)]
        self._steps.recover(
            *self._key,
            mews_order_id=order_id,
            observed=dumps(observed),
            payments=[(part, paid.first(part)) for part in paid.sent],
            differences=different,
            run_id=RECOVERED_RUN,
            facts={
                "currency": first.currency,
                "basis": "gross",
                "planned_total": str(sold - sum(credit, Decimal(0))),
                "facts": dumps(seen_facts(items, payments)),
                "account_id": first.account_id,
            },
        )
        self._result.found += 1
        self._differs("; ".join(different))

    def _payments(self) -> None:
        """Payments of an order that the ledger knows: one that it calls unsent would be sent again."""
        paid, in_doubt = self._paid, self._met.in_doubt
        for part in paid.sent:
            # One that stands before one that was cancelled.
            ids = dict.fromkeys((paid.first(part), *paid.sent[part]))
            rows = [in_doubt[one] for one in ids if one in in_doubt]
            if not rows:
                self._steps.see_payment(*self._key, part, mews_id=paid.first(part), run_id=RECOVERED_RUN)
                continue
            found = find_payment(self._steps, (*self._key, part), self._attempts(part), rows, RECOVERED_RUN)
            self._differs(found.message)


def _is_undo(items: Sequence[OrderItemRow]) -> bool:
    identity = identity_of(items[0])
    return identity is not None and identity.is_undo


def _is_of(orders: Items, item_ids: Mapping[str, str], order_id: str) -> bool:
    return any(item.id in item_ids for item in orders.get(order_id, ()))


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
