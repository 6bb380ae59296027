"""A small ledger of posted orders, and a Mews that holds exactly them until a test says otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from builders import ACCOUNT, CATEGORY, SERVICE, a_mapping, a_reference, money
from small_mews import START, Rows, SmallMews

from etl.ledger.ledger import Ledger
from etl.ledger.records import ORDER_PART, Home, PartKind, RunRecord, dumps, loads
from etl.ledger.steps import Intent
from etl.model.identity import RECIPE_VERSION, Identity, content_hash
from etl.model.outcome import Kind, Outcome
from etl.model.plan import (
    Basis,
    Booked,
    Entry,
    EntryKind,
    PlannedOrder,
    PlannedPayment,
    Verdict,
    order_payload,
    payment_payload,
)
from etl.model.rows import OrderItemRow, PaymentRow
from etl.pipeline.reconcile import Reconciled, Reconciliation, Sizes
from etl.reconcile.notebook import Notebook
from etl.sandbox.core import Answer
from etl.sandbox.faults import Effect

STORE = "shop"
NOW = datetime(2012, 1, 10, 9, tzinfo=UTC)
SENT = datetime(2012, 1, 9, 9, tzinfo=UTC)
CONSUMED = datetime(2011, 6, 15, 11, tzinfo=UTC)


def an_entry(line: str = "p1", unit: str = "12.00", count: int = 1, tax: str = "2.00", **more: Any) -> Entry:
    """Cups at 20 %, with tax; `tax` of the whole entry."""
    gross = money(unit) * count
    values: dict[str, Any] = {
        "line": line,
        "kind": EntryKind.ITEM,
        "name": f"Cup {line}",
        "count": count,
        "unit": money(unit),
        "basis": Basis.GROSS,
        "codes": ("UK-20%",),
        "predicted": Booked(gross - money(tax), money(tax), gross),
        "source_amount": gross,
        "rounding": Decimal(0),
        "category_id": CATEGORY,
    }
    return Entry(**(values | more))


def a_plan(number: str = "10001", *entries: Entry, **more: Any) -> PlannedOrder:
    """A ready order of June 2011."""
    entries = entries or (an_entry(),)
    total = sum((entry.predicted.gross for entry in entries), Decimal(0)) - sum(
        (payment.amount for payment in more.get("payments", ())), Decimal(0)
    )
    values: dict[str, Any] = {
        "number": number,
        "verdict": Verdict.READY,
        "currency": "GBP",
        "source_total": total,
        "planned_total": total,
        "account_id": ACCOUNT,
        "service_id": SERVICE,
        "consumption": CONSUMED,
        "true_consumption": CONSUMED,
        "month": "2011-06",
        "notes": f"Centra order {number}",
        "entries": entries,
        "fingerprint": f"sha256:{number}",
        "line_count": len(entries),
    }
    return PlannedOrder(**(values | more))


def a_payment(part: str = "gift1", amount: str = "2.00", kind: str = "GiftCard") -> PlannedPayment:
    return PlannedPayment(part, kind, money(amount))


class MewsTime:
    """The time that a reconciliation takes: only its waiting moves it."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class HeldMews(SmallMews):
    """The sandbox, holding just what a test says. `refuses`: ids for which the whole request is refused.

    `asked`: the reads in their order; `on_scan`: called before each walk.
    """

    services = (SERVICE,)
    accounts = (ACCOUNT, "ac-other")
    categories = (CATEGORY,)

    def __init__(self, rows: Iterable[OrderItemRow] = ()) -> None:
        super().__init__(MewsTime())
        self.skew = self.sandbox._offset = NOW - START
        self.refuses: set[str] = set()
        self.asked: list[tuple[str, Any]] = []
        self.on_scan: Callable[[], None] = lambda: None
        self.items += rows

    @property
    def items(self) -> Any:
        """All order items, in the order in which they were made; what a test changes, the staff changed."""
        return Rows(lambda: [row for _, row in self._items()], self._hold)

    @items.setter
    def items(self, rows: Iterable[OrderItemRow]) -> None:
        self._hold(list(rows))

    def _hold(self, rows: list[OrderItemRow]) -> None:
        self._set_items([(self._second(row.created), row) for row in rows])

    @property
    def paid(self) -> Any:
        """All payments likewise."""
        return Rows(lambda: [row for _, row in self._payments()], self._hold_payments)

    @paid.setter
    def paid(self, rows: Iterable[PaymentRow]) -> None:
        self._hold_payments(list(rows))

    def _hold_payments(self, rows: list[PaymentRow]) -> None:
        self._set_payments([(self._second(row.created), row) for row in rows])

    def handle(self, operation: str, body: bytes, effect: Effect | None) -> Answer:
        refused = {self.id(one) for one in self.refuses}
        if refused.intersection(loads(body.decode(), {}).get("ServiceOrderIds") or ()):
            return Answer(400, b'{"Message": "Invalid ServiceOrderId"}')
        return super().handle(operation, body, effect)

    async def order_items(self, **filters: Any) -> AsyncIterator[list[OrderItemRow]]:
        order_ids = filters.get("order_ids")
        self.asked.append(("scan", filters.get("created")) if order_ids is None else ("orders", list(order_ids)))
        if order_ids is None:
            self.on_scan()
        async for page in super().order_items(**filters):
            # Pages of three, so that orders are cut apart.
            for at in range(0, len(page), 3):
                yield page[at : at + 3]

    def change(self, which: str, **values: Any) -> None:
        """Staff changed the items of an order."""
        self.items = [replace(row, **values) if row.order_id == which else row for row in self.items]

    def remove(self, order_id: str) -> None:
        self.items = [row for row in self.items if row.order_id != order_id]

    def copy(self, order_id: str, as_id: str, **values: Any) -> None:
        """The same order under another OrderId."""
        rows = [row for row in self.items if row.order_id == order_id]
        self.items += [replace(row, id=f"{as_id}-{row.id}", order_id=as_id, **values) for row in rows]


def rows_of(order: PlannedOrder, order_id: str, *, generation: int = 1, undo: bool = False) -> list[OrderItemRow]:
    """What Mews holds of an order that it booked as predicted; `undo`: its exact opposite."""
    identity = Identity(STORE, order.number, generation, undo)
    sign = -1 if undo else 1
    return [
        OrderItemRow(
            id=f"{order_id}-{entry.line}",
            order_id=order_id,
            account_id=order.account_id,
            service_id=order.service_id,
            notes=f"{identity.marker} {order.notes}",
            name=entry.name,
            external_identifier=identity.line(entry.line),
            count=entry.count,
            unit_net=sign * entry.predicted.net / entry.count,
            unit_gross=sign * entry.unit,
            net=sign * entry.predicted.net,
            gross=sign * entry.predicted.gross,
            taxes=tuple((code, sign * entry.predicted.tax) for code in entry.codes),
            original_net=sign * entry.predicted.net,
            original_gross=sign * entry.predicted.gross,
            currency=order.currency,
            created=SENT,
            updated=SENT,
            consumed=order.consumption,
            canceled=None,
            closed=None,
            state="Open",
            type="CustomItem",
            category_id=entry.category_id,
            original_currency=order.currency,
        )
        for entry in order.entries
    ]


def payment_row(order: PlannedOrder, payment: PlannedPayment, payment_id: str) -> PaymentRow:
    """A payment as Mews shows it: negative."""
    identity = Identity(STORE, order.number)
    return PaymentRow(
        id=payment_id,
        account_id=order.account_id,
        bill_id="",
        category_id="",
        external_identifier=identity.line(payment.part),
        notes=f"{identity.marker} {payment.part}",
        type="ExternalPayment",
        external_type=payment.type,
        net=-payment.amount,
        gross=-payment.amount,
        currency=order.currency,
        created=SENT,
        updated=SENT,
        charged=SENT,
        consumed=SENT,
        closed=None,
        state="Charged",
        accounting_state="Open",
    )


class House:
    """A ledger with its Mews."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        self.path = folder / "ledger.sqlite"
        self.ledger = Ledger.open(self.path, wall=lambda: NOW)
        self.mews = HeldMews()
        self.mapping = a_mapping(**sections)
        self.reference = a_reference()
        self.slept: list[float] = []
        self.ledger.bind(Home(self.reference.platform, self.reference.enterprise_id, self.reference.service.id, STORE))
        self.ledger.take_lock("test")
        self.ledger.save_run(
            RunRecord("run-1", "run", "sha256:plan", sources={"a.csv": "abc"}, mapping={"digest": "m"})
        )

    def plan(self, *orders: PlannedOrder) -> None:
        """Orders as a run records them, before anything is sent."""
        self.ledger.record_plan("run-1", orders)

    def send(
        self,
        order: PlannedOrder,
        kind: Kind = Kind.DONE,
        *,
        sent_at: datetime = SENT,
        ended_at: datetime | None = None,
        generation: int = 1,
    ) -> str:
        """One order through intent and outcome; the OrderId where Mews took it. Mews itself is not told."""
        if self.ledger.order(order.number) is None:
            self.plan(order)
        identity = Identity(STORE, order.number, generation)
        order_id = f"o-{order.number}" + (f"-{generation}" if generation > 1 else "")
        self._attempt(order, ORDER_PART, order_payload(order, identity), identity, order_id, kind, sent_at, ended_at)
        for payment in order.payments if kind is Kind.DONE else ():
            payload = payment_payload(order, payment, identity, Basis.GROSS)
            self._attempt(order, payment.part, payload, identity, f"m-{order.number}-{payment.part}", kind, sent_at)
        return order_id

    def post(self, *orders: PlannedOrder, sent_at: datetime = SENT, ended_at: datetime | None = None) -> list[str]:
        """Orders that are in Mews exactly as they were sent; their OrderIds."""
        ids = []
        for order in orders:
            order_id = self.send(order, sent_at=sent_at, ended_at=ended_at)
            self.mews.items += [replace(row, created=sent_at, updated=sent_at) for row in rows_of(order, order_id)]
            self.mews.paid += [payment_row(order, one, f"m-{order.number}-{one.part}") for one in order.payments]
            ids.append(order_id)
        return ids

    def refuse_payment(self, order: PlannedOrder, payment: PlannedPayment) -> None:
        """One payment of a posted order through intent and refusal."""
        identity = Identity(STORE, order.number)
        payload = payment_payload(order, payment, identity, Basis.GROSS)
        self._attempt(order, payment.part, payload, identity, "", Kind.REFUSED, SENT)

    def _attempt(
        self,
        order: PlannedOrder,
        part: str,
        payload: dict[str, Any],
        identity: Identity,
        mews_id: str,
        kind: Kind,
        sent_at: datetime,
        ended_at: datetime | None = None,
    ) -> None:
        is_order = part == ORDER_PART
        predicted = [
            (entry.line, str(entry.predicted.net), str(entry.predicted.tax), str(entry.predicted.gross))
            for entry in order.entries
        ]
        intent = Intent(
            number=order.number,
            generation=identity.generation,
            part=part,
            kind=PartKind.ORDER if is_order else PartKind.PAYMENT,
            run_id="run-1",
            payload=dumps(payload),
            payload_hash=content_hash(payload),
            identifier=identity.stem if is_order else identity.line(part),
            marker=identity.marker,
            service_id=order.service_id,
            account_id=order.account_id,
            consumption=order.consumption,
            basis=Basis.GROSS.value,
            fingerprint=order.fingerprint,
            skip_fingerprint="",
            recipe_version=RECIPE_VERSION,
            predicted=dumps(predicted) if is_order else "",
            sent_at=sent_at,
            payments=tuple(payment.part for payment in order.payments) if is_order else (),
        )
        with self.ledger.steps([order.number]) as steps:
            seq = steps.intend(intent)
        if kind is Kind.STOP:
            return
        with self.ledger.steps([order.number]) as steps:
            steps.conclude(
                order.number,
                identity.generation,
                part,
                seq,
                Outcome(kind),
                at=ended_at or sent_at,
                mews_id=mews_id if kind is Kind.DONE else "",
            )

    def reconcile(self, report: Path | None = None, sizes: Sizes = Sizes()) -> Reconciled:  # noqa: B008 - a frozen value
        """The job against the sandbox; the ledger is read as a second process would read it."""

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            await self.mews.time.sleep(seconds)

        with ExitStack() as stack:
            ledger = stack.enter_context(Ledger.open(self.path, create=False, read_only=True))
            notebook = stack.enter_context(Notebook())
            job = Reconciliation(
                ledger,
                self.mews,
                self.mapping,
                self.reference,
                notebook,
                sleep=sleep,
                progress=lambda _stage, _done, _total: None,
                sizes=sizes,
            )

            async def work() -> None:
                # Whoever connects has asked Mews for its time.
                await self.mews.configuration()
                await job.work()

            asyncio.run(work())
            return job.tell(report)

    def close(self) -> None:
        self.ledger.close()
