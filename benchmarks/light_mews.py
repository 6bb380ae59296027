"""A Mews that costs next to nothing, in a process of its own: what is measured beside it is the client.

Writes are kept as bytes and answered at once, without a look inside. A page of items is made of those bytes that it asks for,
when somebody reads it: making all of them would leave a client waiting longer than it has patience. Whatever else is read is
answered by the sandbox. It checks nothing: whether a run is right is shown against the sandbox (`--check` there).

    python benchmarks/light_mews.py WORLD [N/S]    prints its address; a line on stdin is answered with its figures as JSON;
                                             seconds in it pass at once

With N/S it refuses with 429 what is over N requests in any S seconds, as the sandbox does: what is refused does not count.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice
from random import Random
from typing import Any

import simplejson

from etl.sandbox.core import PREFIX, Sandbox, steady_clock
from etl.sandbox.world import World
from etl.sandbox.world_file import load_world

Json = dict[str, Any]

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
_CENT = Decimal("0.01")
_ITEMS = 1 << 16
"""More than an order has items: their ids go by order, then place."""


class LightMews:
    """What was sent, when, and how it reads."""

    def __init__(self, world: World, limit: str = "") -> None:
        self._later = 0
        machine = steady_clock()
        self.sandbox = Sandbox(world, lambda: machine() + timedelta(seconds=self._later), rng=Random(1))
        self.rates = {code: rate.value for code, rate in world.rates.items()}
        self.sent: list[tuple[float, bytes]] = []
        self.before: list[int] = []
        """Orders before each request."""
        self.orders = 0
        self.largest = 0
        self._began = time.monotonic(), self.sandbox.mews_time(self.sandbox.clock())
        count, _, seconds = limit.partition("/")
        self._window: deque[float] = deque(maxlen=int(count or 1))
        self._seconds = float(seconds or 0)
        self.asked = self.refused = 0

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of an answer."""
        if self._is_too_early(time.monotonic()):
            self.refused += 1
            return 429, b'{"Message":"Too many requests"}'
        operation = path.removeprefix(PREFIX)
        if operation == "orders/add":
            self._keep(body, 1)
            return 200, b'{"OrderId":"%s"}' % _id(1, self.orders).encode()
        if operation == "outletBills/add":
            first = self.orders + 1
            self._keep(body, body.count(b'"OutletId":'))
            ids = ",".join(f'"{_id(1, at)}"' for at in range(first, self.orders + 1))
            return 200, f'{{"OutletBillIds":[{ids}]}}'.encode()
        if operation in ("orderItems/getAll", "outletItems/getAll"):
            return 200, self._page(operation, json.loads(body))
        found = self.sandbox.handle(path, body)
        return found.status, found.body

    def figures(self) -> Json:
        """Orders, requests, seconds from the first to the last write, CPU seconds, bytes of the largest request."""
        span = self.sent[-1][0] - self.sent[0][0] if self.sent else 0.0
        # The first goes alone and is read back.
        rest = self.sent[-1][0] - self.sent[1][0] if len(self.sent) > 1 else span
        return {
            "orders": self.orders,
            "requests": len(self.sent),
            "seconds": span,
            "seconds_after_first": rest,
            "cpu": time.process_time(),
            "largest": self.largest,
            "asked": self.asked,
            "refused": self.refused,
            "distinct": len({number for _, body in self.sent for number in _numbers(json.loads(body))}),
        }

    def wait(self, seconds: int) -> None:
        """So much later is it in this Mews, at once."""
        self._later += seconds

    def _is_too_early(self, now: float) -> bool:
        self.asked += 1
        if not self._seconds:
            return False
        if len(self._window) == self._window.maxlen and now - self._window[0] < self._seconds:
            return True
        self._window.append(now)
        return False

    def _keep(self, body: bytes, orders: int) -> None:
        self.sent.append((time.monotonic() + self._later, body))
        self.before.append(self.orders)
        self.orders += orders
        self.largest = max(self.largest, len(body))

    def _page(self, operation: str, asked: Json) -> bytes:
        """The newest items first; a cursor is the id of the last one given."""
        limit = asked["Limitation"]
        end = _number(limit["Cursor"]) if "Cursor" in limit else None
        found: list[Json] = []
        bills: dict[str, Json] = {}
        # An order is in one of the two lists: a run looks into the other one as well, for orders that went that way.
        of_bills = operation == "outletItems/getAll"
        every = (one for one in self._asked_for(asked, end) if (one[1] is not None) == of_bills)
        for item, bill in islice(every, limit["Count"]):
            found.append(item)
            if bill is not None:
                bills[bill["Id"]] = bill
        answer: Json = {
            "OutletItems" if of_bills else "OrderItems": found,
            "Cursor": found[-1]["Id"] if found else None,
        }
        if of_bills:
            answer["OutletBills"] = list(bills.values())
        return simplejson.dumps(answer, use_decimal=True).encode()

    def _asked_for(self, asked: Json, end: int | None) -> Iterator[tuple[Json, Json | None]]:
        """(item, its bill), of those with smaller ids than `end`."""
        for request, orders in self._requests(asked, end):
            moment, content = self.sent[request]
            created = self._created(moment)
            body = json.loads(content, parse_float=Decimal)
            every = body.get("Bills") or [body]
            for order in orders:
                one = every[order - self.before[request] - 1]
                bill = _bill(one, _id(1, order), created)
                for item in reversed(list(self._rows(one, order, created))):
                    if (end is None or _number(item["Id"]) < end) and _passes(asked, created, item, bill):
                        yield item, bill

    def _requests(self, asked: Json, end: int | None) -> Iterator[tuple[int, list[int]]]:
        """(request, its orders) that may hold what is asked for, the newest first."""
        low, high = 0, len(self.sent)
        for span in filter(None, (asked.get("CreatedUtc"), asked.get("UpdatedUtc"))):
            low = max(low, bisect_left(self.sent, self._moment(span["StartUtc"]), key=_moment_of))
            high = min(high, bisect_left(self.sent, self._moment(span["EndUtc"]), key=_moment_of))
        last = self.orders if end is None else end // _ITEMS
        wanted = {_number(one) for one in asked.get("ServiceOrderIds", ())}
        wanted |= {_number(one) // _ITEMS for name in ("OrderItemIds", "Ids") for one in asked.get(name, ())}
        if wanted:
            for order in sorted(wanted, reverse=True):
                request = bisect_left(self.before, order) - 1
                if low <= request < high and order <= last:
                    yield request, [order]
            return
        accounts = [one.encode() for one in asked.get("AccountIds", ())]
        for request in range(min(high, bisect_left(self.before, last)) - 1, low - 1, -1):
            if not accounts or any(one in self.sent[request][1] for one in accounts):
                first = self.before[request]
                after = self.before[request + 1] if request + 1 < len(self.before) else self.orders
                yield request, list(range(min(after, last), first, -1))

    def _created(self, moment: float) -> datetime:
        began, then = self._began
        return then + timedelta(seconds=moment - began)

    def _moment(self, utc: str) -> float:
        began, then = self._began
        return began + (datetime.fromisoformat(utc) - then).total_seconds()

    def _rows(self, sent: Json, order: int, created: datetime) -> Iterator[Json]:
        times = {"CreatedUtc": _utc(created), "UpdatedUtc": _utc(created)}
        order_id = _id(1, order)
        for at, item in enumerate([*sent.get("ProductOrders", ()), *sent.get("Items", ())]):
            unit = item["UnitAmount"]
            count = item.get("UnitCount", item.get("Count"))
            shared = {
                "Id": _id(2, order * _ITEMS + at),
                "Name": item.get("Name"),
                "ExternalIdentifier": item.get("ExternalIdentifier"),
                "UnitCount": count,
                "UnitAmount": self._amount(unit, 1),
                "ConsumedUtc": item.get("ConsumedUtc") or sent.get("ConsumptionUtc"),
                "AccountingCategoryId": item.get("AccountingCategoryId"),
                **times,
            }
            if "OutletId" in sent:
                yield {**shared, "BillId": order_id, "Type": item["Type"]}
                continue
            yield {
                **shared,
                "BillingName": item.get("Name"),
                "AccountId": sent["AccountId"],
                "ServiceId": sent["ServiceId"],
                "ServiceOrderId": order_id,
                "Notes": sent.get("Notes"),
                "Amount": self._amount(unit, count),
                "AccountingState": "Open",
                "Type": "CustomItem",
            }

    def _amount(self, unit: Json, count: int) -> Json:
        """Gross pricing, one code at most: what the benchmarks' worlds have."""
        gross = Decimal(unit["GrossValue"]) * count
        codes = unit["TaxCodes"]
        rate = self.rates[codes[0]] if codes else Decimal(0)
        net = (gross / (1 + rate)).quantize(_CENT, ROUND_HALF_UP)
        taxes = [{"Code": code, "Value": gross - net} for code in codes]
        return {"Currency": unit["Currency"], "NetValue": net, "GrossValue": gross, "TaxValues": taxes}


def _bill(sent: Json, order_id: str, created: datetime) -> Json | None:
    if "OutletId" not in sent:
        return None
    told = {name: sent[name] for name in ("OutletId", "Number", "ClosedUtc", "Notes")}
    return {**told, "Id": order_id, "UpdatedUtc": _utc(created)}


def _moment_of(sent: tuple[float, bytes]) -> float:
    return sent[0]


def _number(id_: str) -> int:
    """As it was given to `_id`."""
    return int(id_.rpartition("-")[2], 16)


def _numbers(body: Json) -> Iterable[str]:
    return [one["Number"] for one in body["Bills"]] if "Bills" in body else [body["Notes"].split("]")[0]]


def _passes(asked: Json, created: datetime, item: Json, bill: Json | None) -> bool:
    for name in ("CreatedUtc", "UpdatedUtc"):
        span = asked.get(name)
        if span and not datetime.fromisoformat(span["StartUtc"]) <= created < datetime.fromisoformat(span["EndUtc"]):
            return False
    if "CanceledUtc" in asked:
        return False
    closed = asked.get("ClosedUtc")
    if closed and (bill is None or not closed["StartUtc"] <= bill["ClosedUtc"] < closed["EndUtc"]):
        return False
    wanted = {"ServiceOrderIds": "ServiceOrderId", "OrderItemIds": "Id", "Ids": "Id", "AccountIds": "AccountId"}
    return all(item.get(field) in asked[name] for name, field in wanted.items() if name in asked)


def _id(kind: int, number: int) -> str:
    return f"{kind:08x}-0000-4000-a000-{number:012x}"


def _utc(moment: datetime) -> str:
    return f"{moment.isoformat()[:19]}Z"


class _Connection(asyncio.Protocol):
    def __init__(self, mews: LightMews) -> None:
        self._mews = mews
        self._data = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._data[:end]).lower()
            length = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
            if len(self._data) < end + 4 + length:
                return
            path = bytes(self._data[: self._data.index(b"\r\n")]).split(b" ")[1].decode()
            body = bytes(self._data[end + 4 : end + 4 + length])
            del self._data[: end + 4 + length]
            status, answer = self._mews.answer(path, body)
            start = _HEAD if status == 200 else b"HTTP/1.1 %d Refused\r\nContent-Length: " % status
            self._transport.write(b"%b%d\r\n\r\n%b" % (start, len(answer), answer))


async def _serve(mews: LightMews) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(mews), "127.0.0.1", 0, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        mews.wait(int(line.strip() or 0))
        print(json.dumps(mews.figures()), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(LightMews(load_world(sys.argv[1]), *sys.argv[2:])))
