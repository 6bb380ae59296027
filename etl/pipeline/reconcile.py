"""The job of `reconcile`: every order that the ledger holds as posted against what Mews returns. Only reads.

First every order by its OrderId, then one scan of the service for what the ledger does not know, then a second
look at everything that did not agree: a run may be going on, and reads may lag behind writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TypeVar

from etl.evidence.marks import identity_of
from etl.evidence.observed import observed_entries, observed_moment
from etl.evidence.read_back import ReadBack
from etl.evidence.reader import RouteReader
from etl.evidence.sent import payload_currency, sent_payment
from etl.evidence.values import Expected, ExpectedPayment, What
from etl.ledger.ledger import Ledger
from etl.ledger.records import ORDER_PART, Attempt, LedgerOrder, Part, PartKind, loads
from etl.load.attempted import sent_order
from etl.mews.reference_data import Needs, read_reference
from etl.model.identity import Identity, parse_identifier
from etl.model.mapping import Mapping
from etl.model.outcome import Kind
from etl.model.plan import Basis
from etl.model.reference import Pricing, Reference
from etl.model.rows import OrderItemRow, PaymentRow
from etl.model.states import IN_MEWS, State
from etl.pipeline.needs import needs_of
from etl.pipeline.outlet import on_route, read_missing_ids
from etl.pipeline.paid_in_mews import PaidInMews
from etl.pipeline.prepare import home_of, link_to_mews, read_mapping_of
from etl.pipeline.reconcile_result import Found, Reconciled, tell
from etl.pipeline.reconciled import Trace, keep, stand_of
from etl.pipeline.source_files import sources_of
from etl.pipeline.unmarked_reversals import note_unmarked
from etl.reconcile.compare import bookings, compare_order
from etl.reconcile.controls import ControlSums
from etl.reconcile.notebook import Amounts, Booked, Notebook, Noted, Task
from etl.reconcile.presence import Held, Verdict, judge
from etl.reconcile.scan import scan_items, scan_payments
from etl.reconcile.totals import ControlTotals
from etl.reconcile.values import Booking, Klass, OrderFinding, sums
from etl.report.folder import PAGE
from etl.settings import Connection, Settings

T = TypeVar("T")
Progress = Callable[[str, int, int | None], None]
Sleep = Callable[[float], Awaitable[None]]

MARGIN = timedelta(hours=1)
"""The scan starts this much before the first attempt."""
_NOT_DONE = frozenset({Kind.REFUSED, Kind.SPLIT, Kind.CONFLICT, Kind.WAIT, Kind.NOT_SENT, Kind.STOP})


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done at once. `ids`: of one request; `items`: about so many rows of one batch fill the memory."""

    ids: int = 1000
    items: int = 4000
    parallel: int = 4
    chunk: int = 500


async def reconcile(
    stack: ExitStack,
    settings: Settings,
    connection: Connection,
    *,
    report: Path | None,
    progress: Progress,
    sleep: Sleep = asyncio.sleep,
) -> Reconciled:
    """Reads Mews, never writes there; needs no lock, a run may be going on.

    Raises LedgerError where there is no ledger or it belongs elsewhere, MewsError where Mews gives no whole
    answer. Effects: writes the report folder, and into the ledger that and how it ended, nothing else.
    """
    mapping = read_mapping_of(settings)
    ledger = stack.enter_context(Ledger.open(settings.ledger, create=False, read_only=True))
    notebook = stack.enter_context(Notebook())
    async with link_to_mews(settings, mapping, connection, writes=False) as link:
        named = needs_of(mapping)
        needs = Needs(service=named.service, categories=named.categories, outlet=named.outlet)
        reference = await read_reference(link.reader, needs, platform=link.platform)
        if ledger.home() is not None:
            ledger.bind(home_of(mapping, reference))
        reader = on_route(link, mapping, reference, ledger).reader
        await read_missing_ids(reader, ledger, mapping.settings.source.store)
        job = Reconciliation(ledger, reader, mapping, reference, notebook, sleep=sleep, progress=progress)
        stand = stand_of(ledger)
        await job.work()
    done = job.tell(report)
    certificate = done.document["certificate"]
    trace = Trace(
        certificate["is_clean"],
        certificate["read_back_utc"],
        certificate["source_orders"],
        tuple(certificate["reasons"]),
        mapping.digest,
        stand,
        str(report / PAGE) if report else "",
    )
    ledger.close()
    keep(settings.ledger, trace)
    return done


class Reconciliation:
    """One reconciliation at work. Memory does not grow with the number of orders. Shape: `work`, then `tell`."""

    def __init__(
        self,
        ledger: Ledger,
        reader: RouteReader,
        mapping: Mapping,
        reference: Reference,
        notebook: Notebook,
        *,
        sleep: Sleep,
        progress: Progress,
        sizes: Sizes = Sizes(),
    ) -> None:
        self._ledger = ledger
        self._reader = reader
        self._back = ReadBack(reader)
        self._mapping = mapping
        self._reference = reference
        self._notebook = notebook
        self._sleep = sleep
        self._progress = progress
        self._sizes = sizes
        self._store = mapping.settings.source.store
        self._basis = Basis.GROSS if reference.pricing is Pricing.GROSS else Basis.NET
        self._totals = ControlTotals(reference.timezone)
        self._controls = ControlSums()
        self._first_sent: datetime | None = None
        self._knows_first = True
        self._has_payments = False
        self._read = 0
        self._posted_meanwhile = 0
        self._not_posted = 0
        self._unsettled_seen: list[str] = []
        self._paid = PaidInMews(self._basis)
        self._generated = reference.now

    async def work(self) -> None:
        """Reads everything. Raises MewsError, LedgerError."""
        self._spool()
        for batches in _grouped(self._notebook.open_tasks(self._sizes.ids, self._sizes.items), self._sizes.parallel):
            await asyncio.gather(*(self._compare(tasks, is_last=False) for tasks in batches))
        await self._scan()
        await note_unmarked(self._ledger, self._notebook, self._back, self._reader.bills, self._sizes.chunk)
        await self._wait_for_lagging_reads()
        self._read = 0
        for tasks in self._notebook.doubtful_tasks(self._sizes.ids, self._sizes.items):
            await self._compare(tasks, is_last=True)
        self._judge()
        await self._count_strays()
        self._generated = self._reader.now()

    # The ledger's side

    def _spool(self) -> None:
        """Notes what the ledger holds as posted. One short read: a long one would hold up a run's checkpoints."""
        for orders in _grouped(self._ledger.orders(), self._sizes.chunk):
            for order in orders:
                self._count_in_ledger(order)
            self._notebook.add_orders(
                (order.number, order.mews_order_id, max(1, order.line_count)) for order in orders if order.has_posted
            )
            for parts in self._ledger.parts([order.number for order in orders]).values():
                for part in parts:
                    self._look_at(part)

    def _look_at(self, part: Part) -> None:
        self._has_payments |= part.kind is PartKind.PAYMENT
        if part.first_sent_at is not None:
            self._first_sent = min(self._first_sent or part.first_sent_at, part.first_sent_at)
        elif part.kind is PartKind.ORDER and part.state in IN_MEWS:
            # Found by `recover`: nobody knows when it was sent.
            self._knows_first = False

    def _count_in_ledger(self, order: LedgerOrder) -> None:
        if order.state is not State.SKIPPED and not order.has_posted and order.state is not State.UNDONE:
            self._not_posted += 1
        # The export as it was read last, as `complete` and the bridge take it.
        if State.SKIPPED in (order.state, order.newest_verdict) or not order.is_read:
            return
        reading = order.newest
        total = reading.total
        if total is None:
            total = order.planned_total if order.has_posted else Decimal(0)
        self._controls.add_ledger(self._month(order), reading.currency, total, _tax(order, total))

    def _month(self, order: LedgerOrder) -> str:
        """The month of the true, unclamped consumption: the shop's own report knows no other."""
        return self._totals.month(order.true_consumption or order.consumption) or order.month

    def _candidates(self, order: LedgerOrder, parts: Sequence[Part]) -> list[Expected]:
        """What the order may have been sent as, the likeliest first; nearly always one."""
        mine = {part.part: part for part in parts if part.generation == order.generation}
        attempts = self._ledger.attempts(order.number, generation=order.generation)
        payments = tuple(self._payments(order, mine, attempts))
        sent = _likely(mine.get(ORDER_PART), [one for one in attempts if one.part == ORDER_PART])
        if not sent:
            return [self._observed(order, payments)]
        return [
            replace(
                sent_order(attempt),
                order_id=order.mews_order_id,
                currency=payload_currency(attempt.payload) or order.currency,
                payments=payments,
                sent_by=max(one.over_at for one in attempts),
            )
            for attempt in sent
        ]

    def _observed(self, order: LedgerOrder, payments: tuple[ExpectedPayment, ...]) -> Expected:
        observed = loads(order.observed, {})
        items = observed.get("items", ())
        return Expected(
            number=order.number,
            generation=order.generation,
            order_id=order.mews_order_id,
            account_id=str(observed.get("account") or ""),
            consumption=observed_moment(observed),
            currency=order.currency or next((str(item["currency"]) for item in items), ""),
            basis=self._basis,
            entries=observed_entries(observed, self._basis),
            payments=payments,
        )

    def _payments(
        self, order: LedgerOrder, mine: dict[str, Part], attempts: Sequence[Attempt]
    ) -> Iterator[ExpectedPayment]:
        identity = Identity(self._store, order.number, order.generation)
        for name, part in mine.items():
            if part.kind is not PartKind.PAYMENT or part.state not in (State.POSTED, State.DIFFERENT):
                continue
            sent = _likely(part, [one for one in attempts if one.part == name])
            if sent:
                yield sent_payment(name, part.mews_id, sent[0].payload, sent[0].basis)
            else:
                yield ExpectedPayment(name, part.mews_id, identity.line(name), "", None, order.currency)

    # The read-back

    async def _compare(self, tasks: Sequence[Task], *, is_last: bool) -> None:
        """Classifies a batch. What agrees is counted at once, what does not after its last look."""
        numbers = [task.number for task in tasks]
        orders, parts = self._ledger.lookup(numbers), self._ledger.parts(numbers)
        held = {number: order for number, order in orders.items() if order.has_posted}
        self._notebook.drop(task.position for task in tasks if task.number not in held)
        candidates = {number: self._candidates(order, parts.get(number, ())) for number, order in held.items()}
        self._remember(held.values())
        rows = await self._back.items([order.mews_order_id for order in held.values()])
        payments = await self._back.payments(
            [payment.id for expected in candidates.values() for payment in expected[0].payments if payment.id]
        )
        results = []
        for task in tasks:
            if task.number in held:
                order = held[task.number]
                expected, finding = _best(candidates[task.number], rows.get(order.mews_order_id, []), payments)
                if is_last or finding.klass is Klass.MATCHED:
                    self._count(order, finding)
                results.append((task.position, _noted(expected, finding), expected.sent_by))
        self._notebook.note(results)
        self._notebook.keep_entries(
            {number: _entries(rows.get(order.mews_order_id, ())) for number, order in held.items()}
        )
        self._read += len(tasks)
        if is_last:
            self._progress("second look", self._read, None)
        else:
            self._progress("read back", self._read, self._notebook.count)

    def _remember(self, orders: Iterable[LedgerOrder]) -> None:
        """Bills are found around the time at which they closed."""
        if (bills := self._reader.bills) is not None:
            closed = {one.mews_order_id: one.consumption or observed_moment(loads(one.observed, {})) for one in orders}
            bills.remember({bill_id: moment for bill_id, moment in closed.items() if moment is not None})

    def _count(self, order: LedgerOrder, finding: OrderFinding) -> None:
        self._totals.add(finding.ledger, finding.mews)
        self._paid.add(finding, order.currency)
        if finding.klass is Klass.MISSING:
            return
        net, gross = sums(finding.mews)
        basis = Basis(order.basis) if order.basis else self._basis
        self._controls.add_mews(
            self._month(order),
            order.currency,
            total=(gross if basis is Basis.GROSS else net) - finding.credits,
            gross=gross - finding.credits,
            tax=gross - net,
            rounding=order.rounding,
        )

    async def _wait_for_lagging_reads(self) -> None:
        """An order sent just now may not be readable yet (design section 7.1)."""
        youngest = self._notebook.last_sent_of_missing()
        if youngest is None:
            return
        settle = timedelta(seconds=float(self._mapping.settings.mews.settle_seconds))
        wait = (youngest + settle / 2 - self._reader.now()).total_seconds()
        if wait > 0:
            await self._sleep(min(wait, settle.total_seconds()))

    # The scan

    async def _scan(self) -> None:
        start = self._first_sent - MARGIN if self._knows_first and self._first_sent is not None else None
        progress = self._progress
        since = await scan_items(
            self._reader,
            self._notebook,
            service_id=self._reference.place.id,
            store=self._store,
            start=start,
            progress=progress,
        )
        # A payment is never sent before its order: where nobody knows when that was, Mews's time of it tells.
        paid_from = start or (since and since - MARGIN)
        if self._has_payments and paid_from:
            await scan_payments(self._reader, self._notebook, store=self._store, start=paid_from, progress=progress)

    def _judge(self) -> None:
        """Copies, strangers and reversals, by what the ledger says now, after the scan."""
        for batch in self._notebook.sightings(self._sizes.chunk):
            parts, noted = self._ledger.parts(batch), self._notebook.noted(list(batch))
            for number, sightings in batch.items():
                held = {
                    (part.generation, part.part): Held(part.state, part.mews_id)
                    for part in parts.get(number, ())
                    # A reversal that is posted is no order that a run posted meanwhile.
                    if part.kind is not PartKind.UNDO
                }
                own = noted.get(number)
                verdict = judge(sightings, held, own.klass if own else None)
                if verdict.unsettled:
                    self._unsettled_seen.append(number)
                self._paid.see(sightings, parts.get(number, ()), own, is_open=verdict.unsettled)
                self._apply(number, own, verdict, sightings[0].currency)
                if own is None and verdict.klass is None and any(one.state is State.POSTED for one in held.values()):
                    self._posted_meanwhile += 1

    def _apply(self, number: str, own: Noted | None, verdict: Verdict, currency: str) -> None:
        for order_id in verdict.strays:
            self._notebook.add_stray(order_id)
        if verdict.klass is None:
            if own is not None and verdict.notices:
                self._notebook.amend(replace(own, notices=own.notices + tuple(verdict.notices)))
            return
        if own is None:
            own = Noted(number, next(iter(verdict.mews_ids), ""), verdict.klass, currency)
        kept = own.differences
        if verdict.replaces_missing:
            kept = tuple(one for one in kept if one.what is not What.ORDER)
        elif own.klass is Klass.MISSING and verdict.klass is Klass.DIFFERENT:
            verdict.klass = Klass.MISSING
        self._notebook.amend(
            replace(
                own,
                klass=verdict.klass,
                differences=(*kept, *verdict.differences),
                notices=(*own.notices, *verdict.notices),
            )
        )

    async def _count_strays(self) -> None:
        """What Mews holds and the ledger does not belongs into Mews's sums."""
        for order_ids in self._notebook.strays(self._sizes.ids):
            for rows in (await self._back.items(order_ids)).values():
                found = bookings(rows)
                self._totals.add((), found)
                self._paid.add_items(rows)
                number = _number_of(rows)
                for own in self._notebook.noted([number]).values():
                    net, gross = sums(found)
                    more = own.mews or Amounts(Decimal(0), Decimal(0))
                    self._notebook.amend(replace(own, mews=Amounts(more.net + net, more.gross + gross)))
        if self._reader.bills is not None:
            for rows in (await self._back.items(self._paid.open_bills)).values():
                self._paid.add_items(rows)

    # The result

    def tell(self, report: Path | None) -> Reconciled:
        """The document, the exit code and the report's files. Effects: writes the report folder."""
        found = Found(
            self._ledger,
            self._notebook,
            self._mapping,
            self._reference,
            self._totals,
            self._controls.compare(self._mapping.controls),
            self._generated,
            self._not_posted,
            self._posted_meanwhile,
            self._unsettled_seen,
            self._paid.amounts(),
            sources_of(self._ledger.runs(), self._ledger.planners()),
            self._progress,
        )
        return tell(found, report)


def _tax(order: LedgerOrder, total: Decimal) -> Decimal | None:
    """The tax that the order was planned with; None where that is not the tax of what was read last."""
    if order.changed or (order.state is State.BLOCKED and total):
        return None
    return sum((Decimal(row[1]) for row in order.facts.get("by_codes", {}).values()), Decimal(0))


def _grouped(values: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk


def _likely(part: Part | None, attempts: Sequence[Attempt]) -> list[Attempt]:
    """The attempts that may have booked the part: the one that Mews answered, else those that may have arrived."""
    answered = [one for one in attempts if part is not None and one.mews_id and one.mews_id == part.mews_id]
    if answered:
        return answered[-1:]
    sent = [one for one in reversed(attempts) if not one.outcome or Kind(one.outcome) not in _NOT_DONE]
    fingerprint = part.fingerprint if part is not None else ""
    # Found in Mews although every answer said no: then any attempt may be the one.
    return sorted(sent or list(reversed(attempts)), key=lambda one: one.fingerprint != fingerprint)


def _best(
    candidates: Sequence[Expected], rows: Sequence[OrderItemRow], payments: dict[str, PaymentRow]
) -> tuple[Expected, OrderFinding]:
    """The first candidate that agrees, else the likeliest with its differences."""
    first: tuple[Expected, OrderFinding] | None = None
    for expected in candidates:
        finding = compare_order(expected, rows, payments)
        if finding.klass is Klass.MATCHED:
            return expected, finding
        first = first or (expected, finding)
    if first is None:
        raise ValueError("an order without candidates")
    return first


def _entries(rows: Iterable[OrderItemRow]) -> dict[str, tuple[Decimal, Decimal]]:
    """Net and gross of the items that carry our identifiers and stand, by name of the line."""
    found = {}
    for row in rows:
        parsed = parse_identifier(row.external_identifier)
        if parsed is not None and not row.is_canceled:
            found[parsed[1]] = (row.net, row.gross)
    return found


def _noted(expected: Expected, finding: OrderFinding) -> Noted:
    return Noted(
        expected.number,
        expected.order_id,
        finding.klass,
        expected.currency,
        _amounts(finding.ledger),
        _amounts(finding.mews) if finding.klass is not Klass.MISSING else None,
        finding.differences,
        finding.notices,
        _booked(finding.mews),
    )


def _booked(side: tuple[Booking, ...]) -> tuple[Booked, ...]:
    found: dict[str, list[Decimal]] = {}
    for one in side:
        amounts = found.setdefault(one.currency, [Decimal(0), Decimal(0)])
        amounts[0] += one.net
        amounts[1] += one.gross
    return tuple(Booked(currency, net, gross) for currency, (net, gross) in found.items())


def _amounts(side: tuple[Booking, ...]) -> Amounts:
    return Amounts(*sums(side))


def _number_of(rows: Sequence[OrderItemRow]) -> str:
    identities = (identity_of(row) for row in rows)
    return next((identity.number for identity in identities if identity is not None), "")
