"""Building or completing the ledger from Mews (`recover`). Only reads Mews."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from etl.evidence.marks import identity_of
from etl.evidence.mews_time import MewsTime
from etl.evidence.reader import Clock, Reader
from etl.evidence.scan import MARGIN, Progress, walk_items
from etl.load.cancelled import unknown
from etl.load.compare import BookedItem, match, unit_of
from etl.load.ledger import Ledger
from etl.load.paid import Paid, Payments, read_payments
from etl.load.ports import Sleep
from etl.load.records import ORDER_PART, RECOVERED_RUN, Attempt, Part, PartKind, dumps, stamp
from etl.load.reversal import OPPOSITE, copy_of, undo_part, what_of
from etl.load.side_table import empty, keep, sighting, sightings
from etl.load.steps import Steps
from etl.model.identity import parse_identifier
from etl.model.plan import Basis
from etl.model.shares import CAPTURED, CREDIT
from etl.model.states import IN_MEWS, State

CENT = Decimal("0.01")

Items = dict[str, list[dict[str, Any]]]
"""Items as kept in the side table, by OrderId."""


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
    with_payments: bool = True,
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
    with ledger.steps() as steps:
        steps.start_settling(time.latest())
    empty(ledger)
    await _read_items(ledger, reader, service_id, store, None, started, result, progress)
    progress("wait for what may still be on its way", 0, 0)
    await sleep(settle.total_seconds())
    second = await time.sync()
    await _read_items(ledger, reader, service_id, store, started - settle - MARGIN, second, result, progress)
    payments: Payments = {}
    if with_payments and result.since is not None:
        # A payment is never sent before its order.
        payments = await read_payments(reader, store, result.since - MARGIN, second)
    result.payments = sum(len(paid.sent) for paid in payments.values())
    _record(ledger, payments, result, progress)
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


def _record(
    ledger: Ledger,
    payments: Payments,
    result: RecoverResult,
    progress: Progress,
) -> None:
    for batch in _batches(sightings(ledger), 200):
        with ledger.steps({number for number, _, _ in batch}) as steps:
            for number, generation, items in batch:
                _record_order(ledger, steps, number, generation, items, payments, result)
        progress("record orders", result.found + result.known + result.resolved, 0)


def _record_order(
    ledger: Ledger,
    steps: Steps,
    number: str,
    generation: int,
    found: Items,
    payments: Payments,
    result: RecoverResult,
) -> None:
    undos = {order_id: items for order_id, items in found.items() if items[0].get("undo") is not None}
    orders = {order_id: items for order_id, items in found.items() if order_id not in undos}
    if not orders:
        # What reverses an order proves no presence.
        return
    paid = payments.get((number, generation), Paid())
    gone = {order_id: by for order_id in orders if (by := _gone(order_id, orders, undos)) is not None}
    standing = [order_id for order_id in orders if order_id not in gone]
    # Where copies were reversed, the order is the one that stands.
    orders = {order_id: orders[order_id] for order_id in (*standing, *gone)}
    _record_presence(ledger, steps, number, generation, orders, paid, result)
    twice: list[str] = []
    if gone or undos or paid.undone:
        twice = _record_reversals(ledger, steps, number, generation, undos, gone, paid)
        _conclude_reversals(steps, number, generation, orders, undos, gone, paid, result)
    _record_copies(steps, number, generation, [*(standing if len(standing) > 1 else ()), *twice], paid, result)
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
    items = {item["id"]: number for order in orders.values() for item in order if item["canceled"]}
    others = unknown(ledger, items) if items else {}
    if not others:
        return
    steps.take_in_cancelled(others)
    state, order_id = steps.part_state(number, generation), steps.mews_id(number, generation)
    if state in (State.POSTED, State.DIFFERENT) and _is_of(orders, others, order_id):
        # Where a part of it was reversed, that is why they are cancelled.
        message = result.different.get(number) or f"{len(others)} of its items are cancelled in Mews"
        steps.differ(number, generation, message, {"items": orders[order_id]})
        result.different[number] = message


def _standing(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in items if not item["canceled"]]


def _is_of(orders: Items, item_ids: Mapping[str, str], order_id: str) -> bool:
    return any(item["id"] in item_ids for item in orders.get(order_id, ()))


def _record_presence(
    ledger: Ledger,
    steps: Steps,
    number: str,
    generation: int,
    orders: Items,
    paid: Paid,
    result: RecoverResult,
) -> None:
    state = steps.part_state(number, generation)
    order_id = next(iter(orders))
    if state is not None and state in IN_MEWS:
        result.known += 1
        if state is not State.UNDONE:
            _record_payments(steps, number, generation, paid)
        return
    attempts = ledger.attempts(number, generation=generation, part=ORDER_PART)
    if attempts and state is not None:
        _resolve(steps, attempts, number, generation, orders, result)
        _record_payments(steps, number, generation, paid)
        return
    items = orders[order_id]
    different = _missing_lines(items)
    observed = {
        "account": items[0]["account"],
        "consumed": items[0]["consumed"],
        "items": items,
        "order_id": order_id,
    }
    # Captures pay what the order is worth; credits lower it.
    credit = [(part, "", ids[paid.first(part)]) for part, ids in paid.sent.items() if part.startswith(CREDIT)]
    # Those of a bill are items of it, and lower its sum already.
    credit_items = [(line, "", -item["gross"]) for item in items if (line := _line(item)).startswith(CREDIT)]
    steps.recover(
        number,
        generation,
        mews_order_id=order_id,
        observed=dumps(observed),
        payments=[(part, paid.first(part)) for part in paid.sent],
        differences=different,
        run_id=RECOVERED_RUN,
        facts={
            "currency": items[0]["currency"],
            "basis": "gross",
            "planned_total": str(
                sum((item["gross"] for item in items if not _line(item).startswith(CAPTURED)), Decimal(0))
                - sum((amount for _, _, amount in credit), Decimal(0))
            ),
            "facts": dumps({"payments": credit + credit_items} if credit or credit_items else {}),
            "account_id": items[0]["account"],
        },
    )
    result.found += 1
    if different:
        result.different[number] = "; ".join(different)


def _line(item: Mapping[str, Any]) -> str:
    """The line of an item of ours, such as `p1`; "" where its identifier does not come back."""
    parsed = parse_identifier(item["identifier"])
    return parsed[1] if parsed is not None else ""


def _record_payments(steps: Steps, number: str, generation: int, paid: Paid) -> None:
    """Payments of an order that the ledger knows: one that it calls unsent would be sent again."""
    for part in paid.sent:
        steps.see_payment(number, generation, part, mews_id=paid.first(part), run_id=RECOVERED_RUN)


# What was reversed


def _gone(order_id: str, orders: Items, undos: Items) -> str | None:
    """What reversed an order: "" for its cancellation, the OrderId of its opposite; None where it stands."""
    items = orders[order_id]
    left = _standing(items)
    if len(left) < len(items) and not any(item["gross"] or item["net"] for item in left):
        return ""
    for undo_id, undo in undos.items():
        target = undo[0]["undo"]
        opposite = _standing(undo)
        is_its_own = target == order_id or (not target and len(orders) == 1)
        if is_its_own and opposite and _balances([*left, *opposite]):
            return undo_id
    return None


def _balances(items: Sequence[dict[str, Any]]) -> bool:
    """Whether items add up to nothing in the basis they were sent in; the other may be off by a cent an item."""
    sums: dict[str, dict[str, Decimal]] = {"net": {}, "gross": {}}
    for item in items:
        for basis, amounts in sums.items():
            amounts[item["currency"]] = amounts.get(item["currency"], Decimal(0)) + item[basis]
    off = [max(abs(amount) for amount in amounts.values()) for amounts in sums.values()]
    return min(off) == 0 and max(off) <= CENT * len(items)


def _record_reversals(
    ledger: Ledger, steps: Steps, number: str, generation: int, undos: Items, gone: Mapping[str, str], paid: Paid
) -> list[str]:
    """Undo entries become parts of their own, so that scans know them. Shape: ids of those that are there twice."""
    parts = [one for one in ledger.parts([number]).get(number, []) if one.generation == generation]
    known = [one for one in parts if one.kind is PartKind.UNDO]
    twice: list[str] = []

    def see(what: str, target: str, mews_id: str, message: str = "") -> None:
        kind = "" if what == OPPOSITE else what
        first = next((one for one in known if what_of(one) == what and one.target == target), None)
        if any(one.mews_id == mews_id for one in known):
            return
        if first is not None and first.mews_id and first.state in IN_MEWS:
            twice.extend((first.mews_id, mews_id))
            return
        name = undo_part(what, copy_of(known, target, kind))
        state = State.DIFFERENT if message else State.POSTED
        known[:] = [one for one in known if one.part != name]
        known.append(Part(number, generation, name, state, PartKind.UNDO, mews_id, target=target))
        steps.see_undo(number, generation, name, mews_id=mews_id, target=target, run_id=RECOVERED_RUN, message=message)

    for order_id, undo_id in gone.items():
        if undo_id:
            see(OPPOSITE, order_id, undo_id)
    for part in paid.sent:
        for payment_id, undo_id in paid.reversals(part).items():
            see(part, payment_id, undo_id)
    for undo_id, undo in undos.items():
        if undo_id not in gone.values() and _charges(undo):
            see(OPPOSITE, undo[0]["undo"] or undo_id, undo_id, "it does not balance the order")
    for part in paid.undone:
        for undo_id, target in paid.too_often(part).items():
            see(part, target or undo_id, undo_id, f"it does not balance payment {part}")
    return list(dict.fromkeys(twice))


def _conclude_reversals(
    steps: Steps,
    number: str,
    generation: int,
    orders: Items,
    undos: Items,
    gone: Mapping[str, str],
    paid: Paid,
    result: RecoverResult,
) -> None:
    """UNDONE where nothing is left, DIFFERENT where only a part of it was reversed, else the copies that stand."""
    state, own = steps.part_state(number, generation), steps.mews_id(number, generation)
    standing = [order_id for order_id in orders if order_id not in gone]
    if state not in (State.POSTED, State.DIFFERENT):
        return
    open_payments = [part for part in paid.sent if paid.standing(part)]
    paid_back = [part for part in paid.sent if paid.reversals(part) and part not in open_payments]
    lonely = [undo_id for undo_id in undos if undo_id not in gone.values() and _charges(undos[undo_id])]
    message = ""
    if lonely:
        message = f"its reversal {', '.join(lonely)} does not balance it"
    elif any(paid.too_often(part) for part in paid.undone):
        message = (
            f"its payment {', '.join(part for part in paid.undone if paid.too_often(part))} is paid back otherwise"
        )
    elif not standing and open_payments:
        message = f"its items are reversed, its payment {', '.join(open_payments)} stands"
    elif standing and paid_back:
        message = f"its payment {', '.join(paid_back)} is paid back, its items stand"
    if message:
        against = [undo_id for undo_id in undos if undo_id in (*lonely, gone.get(own))]
        reversing = [item for undo_id in against for item in _standing(undos[undo_id])]
        shown = {"items": orders.get(own, []), "undo": reversing}
        steps.differ(number, generation, message, shown)
        result.different[number] = message
    elif not standing:
        steps.undo_all(number, generation)
        result.undone += 1
    elif gone:
        steps.keep_copies(number, generation, standing)


def _charges(items: Iterable[dict[str, Any]]) -> bool:
    return any(not item["canceled"] and (item["gross"] or item["net"]) for item in items)


def _resolve(
    steps: Steps,
    attempts: list[Attempt],
    number: str,
    generation: int,
    orders: dict[str, list[dict[str, Any]]],
    result: RecoverResult,
) -> None:
    """An order that this ledger sent itself and lost track of: the stored attempts say what it must be."""
    best: tuple[str, Attempt, tuple[str, ...]] | None = None
    for order_id, items in orders.items():
        for attempt in reversed(attempts):
            booked = [_booked(item, attempt.basis) for item in items]
            differences = match(attempt.payload, attempt.basis, booked).differences
            if best is None or not differences:
                best = (order_id, attempt, differences)
            if not differences:
                break
    if best is None:
        return
    order_id, attempt, differences = best
    steps.find(
        number,
        generation,
        ORDER_PART,
        mews_id=order_id,
        differences=differences,
        fingerprint=attempt.fingerprint,
        run_id=RECOVERED_RUN,
        sent_by=attempt.run_id,
        observed=dumps({"items": orders[order_id]}),
    )
    result.resolved += 1
    if differences:
        result.different[number] = "; ".join(differences)


def _booked(item: Mapping[str, Any], basis: Basis) -> BookedItem:
    """An item as it was kept in the side table."""
    side = "gross" if basis is Basis.GROSS else "net"
    unit, total = Decimal(str(item[f"unit_{side}"])), Decimal(str(item[side]))
    unit = unit_of(item["count"], unit, total, is_canceled=item["canceled"])
    return BookedItem(item["identifier"], item["count"], unit, item["currency"], frozenset(item["taxed"]))


def _missing_lines(items: Iterable[dict[str, Any]]) -> list[str]:
    """Lines that must have been there: numbers are given without gaps, so a gap is a missing item."""
    numbers: dict[str, set[int]] = {}
    for item in items:
        parsed = parse_identifier(item["identifier"])
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
