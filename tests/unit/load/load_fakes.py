"""A clock and builders for the tests of the load stage; their Mews is the sandbox (`small_mews`)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from counted_run import CountedResult, run_counted
from small_mews import START, SmallMews

from etl.ledger.holder import Holder
from etl.ledger.ledger import Home, Ledger
from etl.load.first_order import FirstCheck
from etl.load.poster import Poster
from etl.load.recovery import RecoverResult, recover
from etl.load.session import Reach, RunFacts
from etl.load.stop import StopFlag
from etl.model.plan import Basis, Booked, Entry, EntryKind, PlannedOrder, PlannedPayment, Verdict

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


def a_reach(mews: SmallMews, time: VirtualTime, *, people: Any = None) -> Reach:
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


def taken(more: dict[str, Any], kind: Any) -> dict[str, Any]:
    """Those of the keywords that are fields of this dataclass; they are taken out."""
    return {one.name: more.pop(one.name) for one in fields(kind) if one.name in more}


def a_poster(ledger: Ledger, mews: SmallMews, time: VirtualTime, **more: Any) -> CountingPoster:
    """A poster with 180 s to settle, and a window that takes everything; keywords change that."""
    facts = some_facts(**taken(more, RunFacts))
    check = FirstCheck(**taken(more, FirstCheck))
    reach = a_reach(mews, time, people=more.pop("people", None))
    return CountingPoster(ledger, reach, facts, **{"stop": StopFlag(), "first_check": check, **more})


def run_poster(
    path: Path, mews: SmallMews, time: VirtualTime, orders: list[PlannedOrder], *, run: Any = None, **more: Any
) -> Any:
    """One whole run on the ledger at `path`; the result."""

    async def main() -> Any:
        poster = a_poster(ledger, mews, time, **more)
        return await time.drive(asyncio.ensure_future(poster.run(iter(orders), **(run or {}))))

    checkpoint = more.pop("ledger_checkpoint", None)
    with open_ledger(path, time, checkpoint=checkpoint) as ledger:
        return asyncio.run(main())


def recover_into(path: Path, mews: SmallMews, time: VirtualTime) -> RecoverResult:
    """One `recover` on the ledger at `path`."""

    async def main() -> RecoverResult:
        work = recover(
            ledger, mews, service_id=SERVICE, store="uk", settle_seconds=Decimal(180), clock=time, sleep=time.sleep
        )
        done: RecoverResult = await time.drive(asyncio.ensure_future(work))
        return done

    with open_ledger(path, time) as ledger:
        return asyncio.run(main())
