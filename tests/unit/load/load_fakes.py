"""A small Mews, a clock and builders for the tests of the load stage."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from counted_run import CountedResult, run_counted

from etl.errors import MewsError
from etl.ledger.holder import Holder
from etl.ledger.ledger import Home, Ledger
from etl.ledger.records import loads
from etl.load.first_order import FirstCheck
from etl.load.poster import Poster
from etl.load.recovery import RecoverResult, recover
from etl.load.session import Reach, RunFacts
from etl.load.stop import StopFlag
from etl.model.outcome import Kind, Outcome
from etl.model.payload import Operation
from etl.model.plan import Basis, Booked, Entry, EntryKind, PlannedOrder, PlannedPayment, Verdict
from etl.model.rows import OrderItemRow, PaymentRow

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERVICE = "service-1"
HOME = Home("http://127.0.0.1:1", "enterprise-1", SERVICE, "uk")
ME = Holder("here", "boot-1", 4711, "ticks:1")


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


class VirtualTime:
    """Monotonic and wall clock that only sleeping moves; `skew` is what Mews's clock is ahead."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def monotonic(self) -> float:
        return self.seconds

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        self._sleepers.append((self.seconds + max(seconds, 0), self._count, future))
        await future

    async def drive(self, work: asyncio.Future[Any], limit: float = 100_000) -> Any:
        """Moves time on whenever everybody sleeps, until `work` is done."""
        idle = 0
        while not work.done():
            await asyncio.sleep(0)
            idle += 1
            if idle < 40:
                continue
            idle = 0
            self._sleepers = [entry for entry in self._sleepers if not entry[2].done()]
            if not self._sleepers:
                continue
            self._sleepers.sort(key=lambda entry: entry[:2])
            at, _, future = self._sleepers.pop(0)
            self.seconds = max(self.seconds, at)
            assert self.seconds < limit, "virtual time ran away"
            future.set_result(None)
        return work.result()


class FakeMews:
    """Writer and reader in one. `script` answers each add call: a Kind, or a function of payload and call number.

    `commit_delay`: seconds until an accepted order stands in Mews; `lag`: until reads see it.
    """

    def __init__(self, time: VirtualTime, *, store: list[OrderItemRow] | None = None) -> None:
        self.time = time
        self.skew = timedelta(hours=3)
        self.items: list[tuple[float, OrderItemRow]] = []
        self.paid: list[tuple[float, PaymentRow]] = []
        self.calls: list[dict[str, Any]] = []
        self.reads = 0
        self.failing_reads = 0
        self.script: Callable[[dict[str, Any], int], Outcome | tuple[str, float] | None] = lambda _p, _n: None
        self.lag = 0.0
        self.hides_identifiers = False
        self.hides_notes = False
        self.tax_error = Decimal(0)
        self.pauses: list[float] = []
        self.latency = 0.01
        self.slot_delay = 0.0
        self.in_flight = 0
        self.most_in_flight = 0
        self.before_answer: Callable[[int], None] = lambda _n: None

    # Limiter

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    # Writer

    async def scope(self, operation: Operation) -> dict[str, str]:
        return {}

    async def send(self, operation: Operation, content: bytes, *, before_send: Any) -> Outcome:
        payload = loads(content.decode(), {})
        if operation is Operation.ADD_ORDER:
            return await self._add(payload, before_send, self._book, "OrderId")
        assert operation is Operation.ADD_PAYMENT
        return await self._add(payload, before_send, self._pay, "ExternalPaymentId")

    async def _add(self, payload: dict[str, Any], before_send: Any, book: Any, key: str) -> Outcome:
        if self.slot_delay:
            await self.time.sleep(self.slot_delay)
        await before_send()
        self.calls.append(payload)
        number = len(self.calls)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self.time.sleep(self.latency)
        finally:
            self.in_flight -= 1
        answer = self.script(payload, number)
        if isinstance(answer, Outcome):
            return answer
        delay = 0.0
        lost = False
        if isinstance(answer, tuple):
            lost, delay = True, answer[1]
        mews_id = f"{key}-{number}"
        book(payload, mews_id, delay)
        self.before_answer(number)
        if lost:
            return Outcome(Kind.UNKNOWN, message="no answer")
        return Outcome(Kind.DONE, {key: mews_id}, 200, request_id=f"r{number}")

    def _book(self, payload: dict[str, Any], order_id: str, delay: float) -> None:
        at = self.time.seconds + delay
        for index, (entry, count) in enumerate(
            [(entry, entry["Count"]) for entry in payload.get("ProductOrders", ())]
            + [(entry, entry["UnitCount"]) for entry in payload.get("Items", ())]
        ):
            unit = Decimal(entry["UnitAmount"]["GrossValue"])
            gross = unit * count
            net = (gross / Decimal("1.2")).quantize(Decimal("0.01")) + self.tax_error
            row = OrderItemRow(
                id=f"{order_id}-{index}",
                order_id=order_id,
                account_id=payload["AccountId"],
                service_id=payload["ServiceId"],
                notes=payload["Notes"],
                name=entry.get("Name", ""),
                external_identifier=entry["ExternalIdentifier"],
                count=count,
                unit_net=net / count,
                unit_gross=unit,
                net=net,
                gross=gross,
                taxes=(("UK-S", gross - net),),
                original_net=net,
                original_gross=gross,
                currency=entry["UnitAmount"]["Currency"],
                created=self.mews_now(at),
                updated=self.mews_now(at),
                consumed=datetime.fromisoformat(payload["ConsumptionUtc"]),
                canceled=None,
                closed=None,
                state="Open",
                type="CustomItem",
            )
            self.items.append((at, row))

    def _pay(self, payload: dict[str, Any], payment_id: str, delay: float) -> None:
        at = self.time.seconds + delay
        amount = -Decimal(payload["Amount"]["GrossValue"])
        self.paid.append(
            (
                at,
                PaymentRow(
                    id=payment_id,
                    account_id=payload["AccountId"],
                    bill_id="",
                    category_id="",
                    external_identifier=payload["ExternalIdentifier"],
                    notes=payload["Notes"],
                    type="ExternalPayment",
                    external_type=payload["Type"],
                    net=amount,
                    gross=amount,
                    currency=payload["Amount"]["Currency"],
                    created=self.mews_now(at),
                    updated=self.mews_now(at),
                    charged=None,
                    consumed=None,
                    closed=None,
                    state="Charged",
                    accounting_state="Open",
                ),
            )
        )

    # Reader

    async def configuration(self) -> None:
        self._read()

    def now(self) -> datetime:
        return self.mews_now(self.time.seconds)

    def mews_now(self, seconds: float) -> datetime:
        return START + self.skew + timedelta(seconds=seconds)

    async def order_items(
        self,
        *,
        service_ids: Any = None,
        created: Any = None,
        order_ids: Any = None,
        account_ids: Any = None,
        canceled: Any = None,
    ) -> AsyncIterator[list[OrderItemRow]]:
        self._read()
        visible = [self._shown(row) for at, row in self.items if at + self.lag <= self.time.seconds]
        if created is not None:
            assert created[1] - created[0] <= timedelta(days=92)
            visible = [row for row in visible if created[0] <= row.created < created[1]]
        if canceled is not None:
            visible = [row for row in visible if row.canceled and canceled[0] <= row.canceled < canceled[1]]
        if order_ids is not None:
            visible = [row for row in visible if row.order_id in order_ids]
        if service_ids is not None:
            visible = [row for row in visible if row.service_id in service_ids]
        for start in range(0, len(visible), 3):
            await self.time.sleep(0.001)
            yield visible[start : start + 3]

    async def payments(
        self, *, created: Any = None, account_ids: Any = None, payment_ids: Any = None
    ) -> AsyncIterator[list[PaymentRow]]:
        self._read()
        visible = [self._shown_payment(row) for at, row in self.paid if at + self.lag <= self.time.seconds]
        if created is not None:
            visible = [row for row in visible if created[0] <= row.created < created[1]]
        yield [row for row in visible if payment_ids is None or row.id in payment_ids]

    def _read(self) -> None:
        self.reads += 1
        if self.failing_reads:
            self.failing_reads -= 1
            raise MewsError("read failed")

    def _shown(self, row: OrderItemRow) -> OrderItemRow:
        row = replace(row, external_identifier="") if self.hides_identifiers else row
        return replace(row, notes="") if self.hides_notes else row

    def _shown_payment(self, row: PaymentRow) -> PaymentRow:
        row = replace(row, external_identifier="") if self.hides_identifiers else row
        return replace(row, notes="") if self.hides_notes else row

    # What a test asks

    def times_posted(self, number: str, generation: str = "") -> int:
        stem = f"[centra:uk:{number}{generation}]"
        return len({row.order_id for _, row in self.items if row.notes.startswith(stem)})

    def times_paid(self, number: str, part: str) -> int:
        return len({row.id for _, row in self.paid if row.external_identifier == f"centra:uk:{number}:{part}"})


def an_order(number: str = "1", *, amount: str = "12.00", day: int = 0, **more: Any) -> PlannedOrder:
    """A ready order with one item over `amount` gross, 20 % tax."""
    gross = Decimal(amount)
    net = (gross / Decimal("1.2")).quantize(Decimal("0.01"))
    entry = Entry(
        line="p1",
        kind=EntryKind.ITEM,
        name="Mug",
        count=1,
        unit=gross,
        basis=Basis.GROSS,
        codes=("UK-S",),
        predicted=Booked(net, gross - net, gross, (("UK-S", gross - net),)),
        source_amount=gross,
        rounding=Decimal(0),
    )
    values: dict[str, Any] = {
        "number": number,
        "verdict": Verdict.READY,
        "currency": "GBP",
        "source_total": gross,
        "planned_total": gross,
        "account_id": "account-1",
        "service_id": SERVICE,
        "consumption": START - timedelta(days=30 - day),
        "notes": f"Centra order {number}",
        "entries": (entry,),
        "fingerprint": f"sha256:{number}:{amount}",
        "skip_fingerprint": "sha256:completed",
        "line_count": 1,
    }
    return PlannedOrder(**{**values, **more})


def a_payment(part: str = "gift1", amount: str = "5.00") -> PlannedPayment:
    """A gift card part."""
    return PlannedPayment(part, "GiftCard", Decimal(amount))


def open_ledger(path: Path, time: VirtualTime, *, lock: bool = True, checkpoint: Any = None) -> Ledger:
    """The ledger at `path`, locked by this pretended process; whoever held it before counts as dead."""
    ledger = Ledger.open(path, wall=time.wall, checkpoint=checkpoint or (lambda _: None))
    ledger.bind(HOME)
    if lock:
        ledger.take_lock("run", me=ME, alive=lambda _: False)
    return ledger


class CountingPoster(Poster):
    """A poster whose result has the orders counted."""

    async def run(self, orders: Iterable[PlannedOrder], **options: Any) -> CountedResult:  # type: ignore[override]
        return await run_counted(super(), self._ledger, orders, "uk", self._run_id, **options)  # type: ignore[arg-type]


def a_reach(mews: FakeMews, time: VirtualTime, *, people: Any = None) -> Reach:
    """The small Mews, with time that only sleeping moves."""
    return Reach(mews, mews, mews, time, time.sleep, random.Random(1), people)


def some_facts(run_id: str = "run-1", **more: Any) -> RunFacts:
    """Facts of a run with 180 s to settle, and a window that takes everything."""
    values: dict[str, Any] = {
        "run_id": run_id,
        "store": "uk",
        "service_id": SERVICE,
        "basis": Basis.GROSS,
        "settle": timedelta(seconds=180),
        "concurrency": 4,
        "window_start": lambda now: now - timedelta(days=400),
    }
    return RunFacts(**{**values, **more})


_OF_FACTS = frozenset(one.name for one in fields(RunFacts))
_OF_CHECK = frozenset(one.name for one in fields(FirstCheck))


def taken(more: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Those of the keywords that have one of these names; they are taken out."""
    return {name: more.pop(name) for name in sorted(names & set(more))}


def a_poster(ledger: Ledger, mews: FakeMews, time: VirtualTime, **more: Any) -> CountingPoster:
    """A poster with 180 s to settle, and a window that takes everything; keywords change that."""
    facts = some_facts(**taken(more, _OF_FACTS))
    check = FirstCheck(**taken(more, _OF_CHECK))
    reach = a_reach(mews, time, people=more.pop("people", None))
    return CountingPoster(ledger, reach, facts, **{"stop": StopFlag(), "first_check": check, **more})


def run_poster(
    path: Path, mews: FakeMews, time: VirtualTime, orders: list[PlannedOrder], *, run: Any = None, **more: Any
) -> Any:
    """One whole run on the ledger at `path`; the result."""

    async def main() -> Any:
        poster = a_poster(ledger, mews, time, **more)
        return await time.drive(asyncio.ensure_future(poster.run(iter(orders), **(run or {}))))

    checkpoint = more.pop("ledger_checkpoint", None)
    with open_ledger(path, time, checkpoint=checkpoint) as ledger:
        return asyncio.run(main())


def recover_into(path: Path, mews: FakeMews, time: VirtualTime) -> RecoverResult:
    """One `recover` on the ledger at `path`."""

    async def main() -> RecoverResult:
        work = recover(
            ledger, mews, service_id=SERVICE, store="uk", settle_seconds=Decimal(180), clock=time, sleep=time.sleep
        )
        done: RecoverResult = await time.drive(asyncio.ensure_future(work))
        return done

    with open_ledger(path, time) as ledger:
        return asyncio.run(main())
