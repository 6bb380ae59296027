"""A shop whose history goes to an outlet: the real loader and client against the real sandbox, in virtual time."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "fault"))

from counted_run import CountedResult, run_counted
from virtual_time import START, Killed, MachineClock, Timeline, VirtualLoop

from etl.errors import EtlError, InternalError
from etl.ledger.ledger import Home, Ledger
from etl.ledger.lock import Holder
from etl.load.bill_poster import BillPoster
from etl.load.first_order import FirstCheck
from etl.load.recovery import RecoverResult, recover
from etl.load.session import Reach, RunFacts
from etl.load.settling import settle
from etl.load.stop import StopFlag
from etl.load.undo import Undoer, UndoResult, UndoRules
from etl.mews.api import MewsWriter
from etl.mews.limiter import Limiter
from etl.mews.outlets import OutletReader
from etl.mews.secrets import Tokens
from etl.mews.slots import MemorySlots
from etl.mews.transport import Transport
from etl.model.payload import dump
from etl.model.plan import Basis, Booked, Entry, EntryKind, PlannedOrder, Verdict
from etl.model.route import Route
from etl.model.states import State
from etl.sandbox.core import PREFIX, Sandbox
from etl.sandbox.faults import FaultPlan, parse_fault
from etl.sandbox.inprocess import SandboxTransport
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN, World
from etl.sandbox.world_file import parse_world

T = TypeVar("T")
ME = Holder("here", "boot-1", 4711, "ticks:1")

SERVICE = "5e000000-0000-4000-a000-000000000001"
ACCOUNT = "ac000000-0000-4000-a000-000000000001"
CATEGORY = "ca000000-0000-4000-a000-000000000001"
PAID = "ca000000-0000-4000-a000-000000000002"
ENTERPRISE = "e0000000-0000-4000-a000-000000000001"
OUTLET = "01000000-0000-4000-a000-000000000001"
KIOSK = "01000000-0000-4000-a000-000000000002"
ADDRESS = "http://127.0.0.1:1"
STORE = "uk"
ANY_REBATE = UndoRules(may_rebate=True)
HOME = Home(ADDRESS, ENTERPRISE, OUTLET, STORE)

__all__ = ["START", "Killed", "OutletShop", "an_order", "post", "world"]


def world(**changes: Any) -> World:
    """A hotel with two outlets and a window of 30 days."""
    data = {
        "pricing": "Gross",
        "timezone": "UTC",
        "editable_window": "P0Y0M30DT0H0M0S",
        "currencies": {"GBP": 2},
        "rates": [{"code": "UK-20%", "taxation": "VAT", "relative": "0.2"}],
        "enterprise": {"id": ENTERPRISE, "name": "Hotel"},
        "service": {"id": SERVICE, "name": "Web shop"},
        "outlets": [
            {"id": OUTLET, "name": "Shop", "created": "2025-06-01T00:00:00Z"},
            {"id": KIOSK, "name": "Kiosk", "created": "2025-07-01T00:00:00Z"},
        ],
        "accounts": [{"id": ACCOUNT, "email": "webshop@example.com"}],
        "accounting_categories": [{"id": CATEGORY, "name": "Goods"}, {"id": PAID, "name": "Paid"}],
        "payment_types": ["Cash", "GiftCard"],
        "allow_rebates": True,
        "rate_limit": None,
    }
    return parse_world({**data, **changes})


class OutletShop:
    """One Mews, one timeline, and processes that come and go. `latency`: seconds of each way."""

    def __init__(self, *faults: str, latency: float = 0.05, **changes: Any) -> None:
        self.timeline = Timeline()
        self.clock = MachineClock(self.timeline)
        self.latency = latency
        self.sandbox = Sandbox(
            world(**changes),
            lambda: START + timedelta(seconds=self.timeline.now),
            Random("ids"),
            faults=[parse_fault(fault) for fault in faults],
        )
        self.wires: list[SandboxTransport] = []

    def now(self) -> datetime:
        """Mews's time."""
        return START + timedelta(seconds=self.timeline.now)

    def run(self, work: Callable[[MewsWriter, Limiter], Coroutine[Any, Any, T]]) -> T:
        """What one process comes to. Raises Killed where a checkpoint does."""
        self.timeline.begin_process(None)
        loop = VirtualLoop(self.timeline)
        try:
            asyncio.set_event_loop(loop)
            return loop.run_until_complete(self._main(work))
        finally:
            self.timeline.begin_process(None)
            loop.sweep()
            loop.close()
            asyncio.set_event_loop(None)

    async def _main(self, work: Callable[[MewsWriter, Limiter], Coroutine[Any, Any, T]]) -> T:
        limiter = Limiter(10_000, Decimal(1), store=MemorySlots(), clock=self.clock, sleep=asyncio.sleep)
        wire = SandboxTransport(
            self.sandbox, clock=self.sandbox.clock, sleep=asyncio.sleep, latency=lambda: self.latency
        )
        async with httpx.AsyncClient(transport=wire) as http:
            transport = Transport(
                address=ADDRESS,
                tokens=Tokens(CLIENT_TOKEN, ACCESS_TOKEN),
                http=http,
                limiter=limiter,
                clock=self.clock,
                rng=random.Random("pauses"),
                sleep=asyncio.sleep,
            )
            return await work(MewsWriter(transport), limiter)

    def bills_of(self, number: str) -> list[str]:
        """The ids of the bills that stand under a number in the outlet."""
        return [bill.id for bill in self.sandbox.outlets.bills.values() if bill.number == number]

    def times_posted(self, numbers: Iterable[str]) -> set[int]:
        """How often each of these numbers stands there."""
        counted = Counter(bill.number for bill in self.sandbox.outlets.bills.values())
        return {counted[number] for number in numbers}

    def requests(self, operation: str = "outletBills/add") -> list[int]:
        """The statuses of these requests, in their order."""
        return [one.status for one in self.sandbox.requests(operation)]

    def till(
        self, number: str, closed: datetime, *, outlet: str = OUTLET, notes: str = "", identifier: str = ""
    ) -> str:
        """A bill of the hotel's own till (or what somebody else posted). Shape: its id."""
        item = {
            "Type": "Revenue",
            "Name": "Tea",
            "UnitCount": 2,
            "UnitAmount": {"Currency": "GBP", "TaxCodes": ["UK-20%"], "GrossValue": Decimal("1.25")},
            "ConsumedUtc": _text(closed),
            "AccountingCategoryId": CATEGORY,
        }
        if identifier:
            item["ExternalIdentifier"] = identifier
        bill = {"OutletId": outlet, "Number": number, "ClosedUtc": _text(closed), "Notes": notes, "Items": [item]}
        return self.post([bill])[0]

    def post(self, bills: Sequence[dict[str, Any]]) -> list[str]:
        """Bills posted by somebody else, whom no fault hits. Shape: their ids."""
        body = {"ClientToken": CLIENT_TOKEN, "AccessToken": ACCESS_TOKEN, "Client": "Till", "Bills": list(bills)}
        before = set(self.sandbox.outlets.bills)
        plan, self.sandbox.plan = self.sandbox.plan, FaultPlan()
        try:
            answer = self.sandbox.handle(f"{PREFIX}outletBills/add", dump(body), self.sandbox.clock())
        finally:
            self.sandbox.plan = plan
        assert answer.status == 200, answer.body
        return [one for one in self.sandbox.outlets.bills if one not in before]


def an_order(
    number: str,
    *,
    amount: str = "12.00",
    day: int = 0,
    count: int = 1,
    gift: str = "",
    paid: str | None = None,
    **more: Any,
) -> PlannedOrder:
    """A ready order of one line and shipping, paid by a gift card and a capture; its bill adds up to `amount` less these.

    `paid`: the capture, None for the rest. `day`: closed so many days after the history began.
    """
    goods = _entry("p1", EntryKind.ITEM, "Mug", count, Decimal(amount))
    freight = _entry("s1", EntryKind.ITEM, "Shipping", 1, Decimal("3.90"))
    total = goods.predicted.gross + freight.predicted.gross
    entries = [goods, freight]
    if gift:
        entries.append(_entry("gift1", EntryKind.PAYMENT, "GiftCard", 1, -Decimal(gift)))
    rest = total - Decimal(gift or 0) if paid is None else Decimal(paid)
    if rest:
        entries.append(_entry("pay1", EntryKind.PAYMENT, "Cash", 1, -rest))
    closed = START - timedelta(days=200 - day, seconds=int(number.partition("-")[0]) % 3600)
    values: dict[str, Any] = {
        "number": number,
        "verdict": Verdict.READY,
        "currency": "GBP",
        "source_total": total,
        "planned_total": total - Decimal(gift or 0),
        "service_id": OUTLET,
        "consumption": closed,
        "true_consumption": closed,
        "month": f"{closed:%Y-%m}",
        "notes": f"Centra order {number}",
        "entries": tuple(entries),
        "fingerprint": f"sha256:{number}:{amount}",
        "skip_fingerprint": "sha256:completed",
        "line_count": 1,
        "route": Route.OUTLET,
    }
    return PlannedOrder(**{**values, **more})


def _entry(line: str, kind: EntryKind, name: str, count: int, unit: Decimal) -> Entry:
    gross = unit * count
    is_paid = kind is EntryKind.PAYMENT
    net = gross if is_paid else (gross / Decimal("1.2")).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return Entry(
        line=line,
        kind=kind,
        name=name,
        count=count,
        unit=unit,
        basis=Basis.GROSS,
        codes=() if is_paid else ("UK-20%",),
        predicted=Booked(net, gross - net, gross, () if is_paid else (("UK-20%", gross - net),)),
        source_amount=gross,
        rounding=Decimal(0),
        category_id=PAID if is_paid else CATEGORY,
    )


def open_ledger(path: Path, shop: OutletShop, *, lock: bool = True, home: Home = HOME) -> Ledger:
    """The ledger at `path`, locked by this pretended process; whoever held it before counts as dead."""
    ledger = Ledger.open(path, wall=shop.clock.wall)
    ledger.bind(home)
    if lock:
        ledger.take_lock("run", me=ME, alive=lambda _: False)
    return ledger


def post(
    path: Path,
    shop: OutletShop,
    orders: Iterable[PlannedOrder],
    run_id: str = "run-1",
    *,
    most: int = 1000,
    checkpoint: Callable[[str], None] = lambda _: None,
    concurrency: int = 3,
    **options: Any,
) -> CountedResult:
    """One run of these orders by a process of its own. Raises Killed where the checkpoint does."""
    ledger = open_ledger(path, shop)
    ledger._checkpoint = ledger.fatal(checkpoint)
    batch = list(orders)

    async def work(writer: MewsWriter, limiter: Limiter) -> CountedResult:
        poster = BillPoster(
            ledger,
            reach_of(writer, limiter, shop, ledger),
            facts_of(run_id, most, concurrency),
            stop=StopFlag(),
            checkpoint=checkpoint,
            first_check=FirstCheck(),
        )
        return await run_counted(poster, ledger, batch, STORE, run_id, **options)

    return _ended(ledger, shop, work)


def _ended(ledger: Ledger, shop: OutletShop, work: Callable[[MewsWriter, Limiter], Coroutine[Any, Any, T]]) -> T:
    """What the process comes to. Raises Killed where a checkpoint did, whichever task met the closed ledger first."""
    try:
        result = shop.run(work)
    except InternalError as error:
        if error.code == "internal.closed":
            raise Killed from error
        raise
    else:
        ledger._checkpoint = lambda _: None
        ledger.close()
        return result
    finally:
        ledger.abandon()


def reach_of(writer: MewsWriter, limiter: Limiter, shop: OutletShop, ledger: Ledger) -> Reach:
    """How the loader reaches the outlet."""
    reader = OutletReader(writer, OUTLET, closed_of=ledger.closings)
    return Reach(writer, reader, limiter, shop.clock, asyncio.sleep, Random("jitter"), people=writer, bills=reader)


def facts_of(run_id: str = "run-1", most: int = 1000, concurrency: int = 3) -> RunFacts:
    """The facts of a run on this outlet."""
    return RunFacts(
        run_id=run_id,
        store=STORE,
        service_id=OUTLET,
        basis=Basis.GROSS,
        settle=timedelta(seconds=60),
        concurrency=concurrency,
        window_start=lambda _now: datetime.min.replace(tzinfo=UTC),
        bills_per_request=most,
    )


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def outlet_reader(writer: MewsWriter, **more: Any) -> OutletReader:
    """The reader of the shop's outlet."""
    return OutletReader(writer, OUTLET, **more)


async def rows_of(pages: Any) -> list[Any]:
    """All rows of all pages."""
    return [row async for page in pages for row in page]


def undo(
    path: Path,
    shop: OutletShop,
    *only: str,
    run: str = "",
    order_ids: Sequence[str] = (),
    most: int = 1000,
    rules: UndoRules = ANY_REBATE,
    checkpoint: Callable[[str], None] = lambda _: None,
) -> UndoResult:
    """One undo by a process of its own. Raises Killed where the checkpoint does."""
    ledger = open_ledger(path, shop)
    ledger._checkpoint = ledger.fatal(checkpoint)

    async def work(writer: MewsWriter, limiter: Limiter) -> UndoResult:
        reach = reach_of(writer, limiter, shop, ledger)
        undoer = Undoer(
            ledger,
            reach,
            facts_of("undo-1", most),
            rules,
            reader=reach.reader,
            stop=StopFlag(),
            checkpoint=checkpoint,
        )
        return await undoer.run(await undoer.choose(run, only, order_ids))

    return _ended(ledger, shop, work)


def undo_beside(
    paths: tuple[Path, Path], shop: OutletShop, orders: Iterable[PlannedOrder] = ()
) -> tuple[UndoResult | EtlError, UndoResult | CountedResult | EtlError]:
    """An undo of run-1 with one copy of a ledger, beside it one with the other, or a run of `orders`."""
    one, two = (open_ledger(path, shop) for path in paths)
    batch = list(orders)

    async def undoing(ledger: Ledger, writer: MewsWriter, limiter: Limiter) -> UndoResult:
        reach = reach_of(writer, limiter, shop, ledger)
        undoer = Undoer(ledger, reach, facts_of("undo-1"), ANY_REBATE, reader=reach.reader, stop=StopFlag())
        return await undoer.run(await undoer.choose("run-1"))

    async def posting(ledger: Ledger, writer: MewsWriter, limiter: Limiter) -> CountedResult:
        reach, facts = reach_of(writer, limiter, shop, ledger), facts_of("run-2")
        poster = BillPoster(ledger, reach, facts, stop=StopFlag(), first_check=FirstCheck())
        return await run_counted(poster, ledger, batch, STORE, "run-2")

    async def work(writer: MewsWriter, limiter: Limiter) -> Any:
        beside = (posting if batch else undoing)(two, writer, limiter)
        return await asyncio.gather(undoing(one, writer, limiter), beside, return_exceptions=True)

    try:
        first, second = shop.run(work)
    finally:
        for ledger in (one, two):
            ledger.abandon()
    for ended in (first, second):
        if isinstance(ended, BaseException) and not isinstance(ended, EtlError):
            raise ended
    return first, second


def recovered(path: Path, shop: OutletShop) -> RecoverResult:
    """The ledger completed from Mews."""
    with open_ledger(path, shop) as ledger:

        async def work(writer: MewsWriter, _limiter: Limiter) -> RecoverResult:
            reader = OutletReader(writer, OUTLET, closed_of=ledger.closings)
            return await recover(
                ledger,
                reader,
                service_id=OUTLET,
                store=STORE,
                settle_seconds=Decimal(60),
                clock=shop.clock,
                sleep=asyncio.sleep,
            )

        return shop.run(work)


def settled(path: Path, shop: OutletShop, number: str, **choice: Any) -> State:
    """A person's decision on one order."""
    with open_ledger(path, shop) as ledger:

        async def work(writer: MewsWriter, _limiter: Limiter) -> State:
            reader = OutletReader(writer, OUTLET, closed_of=ledger.closings)
            return await settle(
                ledger,
                reader,
                number,
                service_id=OUTLET,
                store=STORE,
                settle_seconds=Decimal(60),
                clock=shop.clock,
                run_id="settle-1",
                bills=reader,
                **choice,
            )

        return shop.run(work)
