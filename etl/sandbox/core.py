"""The sandbox itself, pure and synchronous: a request and its time of arrival in, an answer out.

No socket and no waiting: what happens on the wire is told in the answer (`Answer.wire`), and what Mews does
later is kept in a list of things due. Deterministic, given clock, random source, seed and requests.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import simplejson

from etl.sandbox import outlet_faults
from etl.sandbox.call import Call, Quirks, RefusedError
from etl.sandbox.faults import Commit, Effect, Fault, FaultPlan, Wire
from etl.sandbox.operations import TABLE
from etl.sandbox.outlet_state import OutletBill, OutletBook
from etl.sandbox.outlet_writes import bills_before
from etl.sandbox.requests import SHAPES, WHO
from etl.sandbox.shapes import ShapeError
from etl.sandbox.state import Entry, Item, Journal, Order, Payment, Person, Store
from etl.sandbox.world import WORLD_BEGAN, World

PREFIX = "/api/connector/v1/"
_LOG_LENGTH = 200_000

OPERATIONS = tuple(TABLE)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and what becomes of it: `delay` seconds pass, then the wire does what `wire` says."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    wire: Wire = Wire.SEND
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Logged:
    """One request. `moment` is this machine's; `fault` names the dial that hit it, `wire` what it did."""

    number: int
    moment: datetime
    operation: str
    status: int
    fault: str = ""
    wire: Wire = Wire.SEND
    message: str = ""


def steady_clock() -> Callable[[], datetime]:
    """A clock that tells the real time now and can't be set back while the sandbox runs."""
    began, mark = datetime.now(UTC), time.monotonic()
    return lambda: began + timedelta(seconds=time.monotonic() - mark)


class Sandbox:
    """A local Mews. Safe to be used from several threads.

    `clock` gives the machine's time (aware); Mews's own is that plus what the world's `now` and the
    `clock-offset` dial say. `rng` makes the ids. `state_path` keeps everything written across restarts.
    """

    def __init__(
        self,
        world: World,
        clock: Callable[[], datetime] | None = None,
        rng: Random | None = None,
        state_path: str | Path | None = None,
        *,
        faults: Iterable[Fault] = (),
        seed: int = 0,
        largest_body: int | None = None,
    ) -> None:
        self.world = world
        self.clock = clock or steady_clock()
        self.plan = FaultPlan(tuple(faults), seed)
        self.log: deque[Logged] = deque(maxlen=_LOG_LENGTH)
        self.statuses: Counter[int] = Counter()
        self._lock = threading.RLock()
        self._rng = rng or Random()  # noqa: S311 - ids, not secrets
        self.largest_body = largest_body or world.largest_body
        self._number = 0
        self._authorised = 0
        self._recent: deque[datetime] = deque()
        self._due: list[tuple[datetime, int, str, dict[str, Any]]] = []
        self._quirks = self.plan.quirks(_world_quirks(world))
        started = self.clock()
        journal = None if state_path is None else Journal(state_path, world.enterprise.id)
        people = _first_people(world)
        self._store = Store(people, journal, bills_before(world, people, world.now or started))
        if journal is not None:
            started = journal.started or started
            if journal.is_new:
                journal.append(Entry(started=started, enterprise_id=world.enterprise.id))
            else:
                # A seeded source would make the same ids again.
                self._rng = Random(f"{self._rng.getrandbits(64)}:{self._store.entries}")  # noqa: S311
        self._offset = self.plan.clock_offset + (timedelta(0) if world.now is None else world.now - started)

    def handle(
        self,
        path: str,
        body: bytes,
        arrived: datetime | None = None,
        *,
        method: str = "POST",
        content_type: str = "application/json",
    ) -> Answer:
        """The answer to one request.

        Effects: what was due by `arrived` (machine time; default now) is committed first, then this request,
        as far as no fault keeps Mews from it.
        """
        with self._lock:
            arrived = arrived or self.clock()
            self.settle(arrived)
            self._number += 1
            operation = path.removeprefix(PREFIX)
            if self.plan.refuses(operation, arrived):
                return self._logged(arrived, operation, Answer(0, b"", wire=Wire.REFUSE), "connect-error")
            try:
                data = self._admit(path, operation, body, arrived, method, content_type)
            except RefusedError as refusal:
                return self._logged(arrived, operation, self._refused(refusal, arrived), "", refusal.message)
            burst = self.plan.burst(operation, arrived)
            effect = burst or self.plan.pick(operation)
            if effect is None:
                answer, message = self._process(operation, data, arrived)
                return self._logged(arrived, operation, answer, "", message)
            answer, message = self._faulted(effect, operation, data, arrived)
            return self._logged(arrived, operation, answer, effect.name, message)

    def settle(self, now: datetime | None = None) -> int:
        """Commit what is due by `now` (machine time); the count of requests that were carried out."""
        with self._lock:
            now = now or self.clock()
            count = 0
            while self._due and self._due[0][0] <= now:
                due, _, operation, data = heapq.heappop(self._due)
                answer, message = self._process(operation, data, due)
                self._logged(due, operation, answer, "delayed-commit (carried out)", message)
                count += 1
            return count

    def next_due(self) -> datetime | None:
        """When the next delayed commit lands (machine time)."""
        with self._lock:
            return self._due[0][0] if self._due else None

    def mews_time(self, moment: datetime) -> datetime:
        """Mews's clock when this machine's shows `moment`."""
        return moment + self._offset

    @property
    def orders(self) -> list[Order]:
        """All orders, oldest first."""
        with self._lock:
            return list(self._store.orders.values())

    @property
    def items(self) -> list[Item]:
        """All order items, canceled ones included, oldest first."""
        with self._lock:
            return list(self._store.items)

    @property
    def payments(self) -> list[Payment]:
        """All external payments, oldest first, with the amounts as posted."""
        with self._lock:
            return list(self._store.payments.values())

    @property
    def outlets(self) -> OutletBook:
        """All outlet bills and items, those of the world's beginning included; to be read only."""
        with self._lock:
            return self._store.outlets

    @property
    def customers(self) -> list[Person]:
        """All customers."""
        with self._lock:
            return list(self._store.people.values())

    def items_of(self, order_id: str) -> list[Item]:
        """The items of one order."""
        with self._lock:
            return self._store.items_of(order_id)

    def duplicates(self, *, canceled: bool = False) -> dict[str, list[str]]:
        """The ids of items (of orders and outlet bills) and payments by ExternalIdentifier, where more than one has it.

        Identifiers count as sent, also where this Mews does not return them; `canceled` counts canceled
        items too.
        """
        found: dict[str, list[str]] = {}
        with self._lock:
            for item in self._store.items:
                if item.external_identifier and (canceled or item.canceled is None):
                    found.setdefault(item.external_identifier, []).append(item.id)
            for paid in self._store.payments.values():
                if paid.external_identifier:
                    found.setdefault(paid.external_identifier, []).append(paid.id)
            for entry in self._store.outlets.items:
                if entry.external_identifier:
                    found.setdefault(entry.external_identifier, []).append(entry.id)
        return {identifier: ids for identifier, ids in found.items() if len(ids) > 1}

    def requests(self, operation: str | None = None, status: int | None = None) -> list[Logged]:
        """The log of requests, oldest first, of that operation and status."""
        with self._lock:
            return [
                each
                for each in self.log
                if (operation is None or each.operation == operation) and (status is None or each.status == status)
            ]

    def change_item(self, item_id: str, **changes: Any) -> Item:
        """An item after the hotel's staff changed it (`account_id`, `name`, `notes`, `amount`, `canceled`, ...).

        Effects: writes. Raises KeyError where there is no such item.
        """
        with self._lock:
            item = self._store.item(item_id)
            if item is None:
                raise KeyError(item_id)
            now = self.mews_time(self.clock())
            item = replace(item, updated=self._store.stamp(now), touched=now, **changes)
            self._store.commit(Entry(items=(item,)))
            return item

    def touch_bill(self, bill_id: str, **changes: Any) -> OutletBill:
        """An outlet bill after the hotel's staff touched it (`notes`, `number`): its UpdatedUtc moves.

        Effects: writes. Raises KeyError where there is no such bill.
        """
        with self._lock:
            bill, now = self._store.outlets.bills[bill_id], self.mews_time(self.clock())
            return outlet_faults.touch(self._store, bill, now, **changes)

    def cancel_item(self, item_id: str) -> Item:
        """The item canceled by the hotel's staff."""
        return self.change_item(item_id, canceled=self.mews_time(self.clock()).replace(microsecond=0))

    def close_item(self, item_id: str) -> Item:
        """The item on a bill that the hotel's staff closed."""
        return self.change_item(item_id, closed=self.mews_time(self.clock()).replace(microsecond=0))

    def page(self) -> str:
        """The page that shows what was posted."""
        from etl.sandbox.page import render

        with self._lock:
            self.settle()
            return render(self)

    def close(self) -> None:
        """Close the state file."""
        with self._lock:
            self._store.close()

    def _admit(
        self, path: str, operation: str, body: bytes, arrived: datetime, method: str, content_type: str
    ) -> dict[str, Any]:
        """The request's object, if its address, size, form and tokens are right and the limit allows it."""
        if not path.startswith(PREFIX) or operation not in TABLE:
            raise RefusedError(404, "There is no such operation; addresses are case-sensitive, without trailing slash.")
        if method != "POST":
            raise RefusedError(405, "Operations are called with POST.")
        if len(body) > self.largest_body:
            raise RefusedError(413, f"The request is larger than {self.largest_body} bytes.")
        if content_type.partition(";")[0].strip().lower() != "application/json":
            raise RefusedError(400, "Invalid Content-Type: application/json is expected.")
        data = _parse(body)
        for name, check in WHO.items():
            if name not in data:
                raise RefusedError(400, f"Invalid {name}: the property is required.")
            try:
                check(data[name], name)
            except ShapeError as fault:
                raise RefusedError(400, str(fault)) from fault
        if data["ClientToken"] != self.world.client_token:
            raise RefusedError(401, "Invalid ClientToken.")
        if data["AccessToken"] != self.world.access_token:
            raise RefusedError(401, "Invalid AccessToken.")
        self._authorised += 1
        revoked_after = self.plan.revoked_after
        if revoked_after is not None and self._authorised > revoked_after:
            raise RefusedError(401, "Invalid AccessToken: it has been revoked.")
        self._count_request(arrived)
        return data

    def _count_request(self, arrived: datetime) -> None:
        """Refuse what is over the limit in the sliding window; refused requests do not count."""
        if self.world.limit is None:
            return
        most, seconds = self.world.limit
        recent = self._recent
        while recent and (arrived - recent[0]).total_seconds() >= seconds:
            recent.popleft()
        if len(recent) >= most:
            wait = seconds - (arrived - recent[0]).total_seconds()
            raise _TooManyError(f"More than {most} requests in {seconds:g} seconds.", wait, self.plan.retry_after_form)
        recent.append(arrived)

    def _process(self, operation: str, data: dict[str, Any], arrived: datetime) -> tuple[Answer, str]:
        """Carry the request out; the answer, and the message if it was refused."""
        try:
            SHAPES[operation](data, "")
            now = self.mews_time(arrived)
            call = Call(self.world, self._store, data, now, self._new_id, self._quirks)
            result = TABLE[operation](call)
        except ShapeError as fault:
            refusal = RefusedError(400, str(fault))
        except RefusedError as fault:
            refusal = fault
        except OSError as fault:
            refusal = RefusedError(500, f"The sandbox can't write its state file: {fault.strerror}.")
        else:
            return self._answer(200, result), ""
        return self._refused(refusal, arrived), refusal.message

    def _faulted(self, effect: Effect, operation: str, data: dict[str, Any], arrived: datetime) -> tuple[Answer, str]:
        answer, message = Answer(0, b""), ""
        match effect.commit:
            case Commit.NOW:
                answer, message = self._process(operation, data, arrived)
            case Commit.LATER:
                due = arrived + timedelta(seconds=effect.seconds)
                heapq.heappush(self._due, (due, self._number, operation, data))
            case Commit.PARTLY if (part := outlet_faults.first_half(data)) is not None:
                _, message = self._process(operation, part, arrived)
            case Commit.NEVER | Commit.PARTLY:
                pass
        if effect.status is not None:
            if effect.status == 429:
                return self._refused(_TooManyError("Too many requests.", effect.seconds, effect.form), arrived), message
            words = _FAULT_MESSAGES.get(effect.status) or _FAULT_MESSAGES[effect.status // 100]
            return self._refused(RefusedError(effect.status, words), arrived), message
        if effect.body == "html":
            html = b"<html><body><h1>200 OK</h1></body></html>"
            return Answer(200, html, {"Content-Type": "text/html"}), message
        if effect.body == "empty" and answer.status == 200:
            return self._answer(200, {}), message
        if answer.status == 200:
            answer = self._confused(answer, effect, arrived)
        delay = effect.seconds if effect.commit is Commit.NOW else 0.0
        return replace(answer, wire=effect.wire, delay=delay), message

    def _confused(self, answer: Answer, effect: Effect, arrived: datetime) -> Answer:
        """The answer with ids that do not fit the request; or as it was, and a bill that moves meanwhile."""
        if effect.body in ("fewer", "repeated", "more"):
            result = outlet_faults.wrong_ids(json.loads(answer.body), effect.body, self._new_id())
            return self._answer(200, result)
        if effect.body == "moves":
            bill = outlet_faults.next_bill(self._store, answer.body)
            # A change that the state file has no room for did not happen.
            with contextlib.suppress(OSError):
                if bill is not None:
                    outlet_faults.touch(self._store, bill, self.mews_time(arrived))
        return answer

    def _refused(self, refusal: RefusedError, arrived: datetime) -> Answer:
        body = {"Message": refusal.message, "RequestId": self._new_id(), "Details": refusal.details}
        headers = {}
        if isinstance(refusal, _TooManyError):
            headers = refusal.headers(self.mews_time(arrived))
        return self._answer(refusal.status, body, headers, str(body["RequestId"]))

    def _answer(
        self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None, request_id: str = ""
    ) -> Answer:
        return Answer(
            status,
            simplejson.dumps(body, use_decimal=True, separators=(",", ":")).encode("ascii"),
            {
                "Content-Type": "application/json; charset=utf-8",
                "Request-Id": request_id or self._new_id(),
                **(headers or {}),
            },
        )

    def _logged(self, moment: datetime, operation: str, answer: Answer, fault: str, message: str = "") -> Answer:
        status = answer.status if answer.wire in (Wire.SEND, Wire.TRUNCATE) else 0
        self.statuses[status] += 1
        self.log.append(Logged(self._number, moment, operation, status, fault, answer.wire, message))
        return answer

    def _new_id(self) -> str:
        # A UUID of version 4, as the library makes it, but for a request of many bills in a fraction of the time.
        digits = f"{self._rng.getrandbits(128):032x}"
        variant = "89ab"[int(digits[16], 16) & 3]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


class _TooManyError(RefusedError):
    """429, with the wait told as seconds, as a date, or not at all."""

    def __init__(self, message: str, wait: float, form: str) -> None:
        super().__init__(429, message)
        self.wait = wait
        self.form = form

    def headers(self, now: datetime) -> dict[str, str]:
        seconds = max(1, math.ceil(self.wait))
        match self.form:
            case "none":
                return {}
            case "date":
                # HTTP dates have whole seconds: one more, so that the wait is never too short.
                until = now + timedelta(seconds=seconds + 1)
                return {"Retry-After": format_datetime(until, usegmt=True), "Date": format_datetime(now, usegmt=True)}
            case _:
                return {"Retry-After": str(seconds)}


_FAULT_MESSAGES = {
    401: "This integration does not have the permission to use the operation.",
    4: "The request took too long or the data has changed.",
    5: "An unexpected error occurred.",
}


def _world_quirks(world: World) -> Quirks:
    kept = all(enterprise.external_identifiers for enterprise in world.enterprises.values())
    return Quirks(identifiers="kept" if kept else "ignored", refused_bills=world.refused_bills)


def _first_people(world: World) -> list[Person]:
    customers = [each for enterprise in world.enterprises.values() for each in enterprise.customers.values()]
    return [
        Person(
            seq=seq,
            id=customer.id,
            email=customer.email,
            classifications=customer.classifications,
            is_active=customer.is_active,
            merged_into=customer.merged_into,
            created=WORLD_BEGAN,
            updated=WORLD_BEGAN,
            details={"FirstName": customer.first_name, "LastName": customer.last_name},
        )
        for seq, customer in enumerate(customers, 1)
    ]


def _parse(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body.decode("utf-8"), parse_float=Decimal, parse_constant=_no_constant)
        if b"\\ud" in body.lower():
            # Half of a pair is no character, and could be neither kept nor shown.
            simplejson.dumps(data, use_decimal=True, ensure_ascii=False).encode("utf-8")
    except (ValueError, ArithmeticError, RecursionError) as fault:
        raise RefusedError(400, "Invalid JSON: the body can't be read.") from fault
    if type(data) is not dict:
        raise RefusedError(400, "Invalid JSON: an object is expected.")
    return data


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
