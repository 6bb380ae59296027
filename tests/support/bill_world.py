"""A shop whose history goes to an outlet: the real loader and client against the real sandbox, in virtual time."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "fault"))

from virtual_time import START, Killed, MachineClock, Timeline, VirtualLoop

from etl.mews.api import MewsWriter
from etl.mews.limiter import Limiter
from etl.mews.outlets import OutletReader
from etl.mews.secrets import Tokens
from etl.mews.slots import MemorySlots
from etl.mews.transport import Transport
from etl.model.payload import dump
from etl.sandbox.core import PREFIX, Sandbox
from etl.sandbox.faults import FaultPlan, parse_fault
from etl.sandbox.inprocess import SandboxTransport
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN, World
from etl.sandbox.world_file import parse_world

T = TypeVar("T")

SERVICE = "5e000000-0000-4000-a000-000000000001"
ACCOUNT = "ac000000-0000-4000-a000-000000000001"
CATEGORY = "ca000000-0000-4000-a000-000000000001"
PAID = "ca000000-0000-4000-a000-000000000002"
ENTERPRISE = "e0000000-0000-4000-a000-000000000001"
OUTLET = "01000000-0000-4000-a000-000000000001"
KIOSK = "01000000-0000-4000-a000-000000000002"
ADDRESS = "http://127.0.0.1:1"
STORE = "uk"

__all__ = ["START", "Killed", "OutletShop", "world"]


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


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def outlet_reader(writer: MewsWriter, **more: Any) -> OutletReader:
    """The reader of the shop's outlet."""
    return OutletReader(writer, OUTLET, **more)


async def rows_of(pages: Any) -> list[Any]:
    """All rows of all pages."""
    return [row async for page in pages for row in page]
