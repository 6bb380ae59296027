"""The sandbox behind the real client, in a test's own time: what a test plays is the wire and the hotel's staff.

Whatever is booked, refused and shown is the sandbox's doing; `script` says what becomes of a request on its way. Ids are
readable: an order of the third request is `OrderId-3` to loader, ledger and test, and a UUID to client and sandbox.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, MutableSequence
from contextvars import ContextVar
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Protocol, Self, TypeVar
from uuid import NAMESPACE_URL, uuid5

import httpx

from etl.ledger.records import loads
from etl.mews.api import MewsWriter
from etl.mews.limiter import Limiter
from etl.mews.secrets import Tokens
from etl.mews.slots import MemorySlots
from etl.mews.transport import RetryPolicy, Transport
from etl.model.outcome import Kind, Outcome
from etl.model.payload import Operation, dump
from etl.model.rows import OrderItemRow, PaymentRow
from etl.sandbox.core import PREFIX, Answer, Sandbox
from etl.sandbox.faults import Commit, Effect, FaultPlan, Wire, parse_fault
from etl.sandbox.inprocess import SandboxTransport
from etl.sandbox.state import Entry, Item, Order, Payment, Store
from etl.sandbox.taxes import Booked
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN, World
from etl.sandbox.world_file import parse_world

T = TypeVar("T")
ADDRESS = "http://127.0.0.1:1"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SKEW = timedelta(hours=3)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STATUS = {Kind.REFUSED: 403, Kind.STOP: 401, Kind.CONFLICT: 409, Kind.WAIT: 429}
_RATES = {"UK-S": "0.2", "UK-R": "0.05", "UK-Z": "0", "UK-20%": "0.2"}
_WRITES = frozenset(one.value for one in Operation)

Fate = Outcome | tuple[str, float] | None
"""What becomes of a request: it goes well, it had this outcome and was not acted on, or Mews acts so many seconds later
and the answer is lost."""


def uid(name: str) -> str:
    """The id that the sandbox has for a readable one; one that is an id already stays."""
    return name if not name or _UUID.fullmatch(name) else str(uuid5(NAMESPACE_URL, name))


class Ticks(Protocol):
    """The time of a test."""

    seconds: float

    def monotonic(self) -> float: ...

    def wall(self) -> datetime: ...

    async def sleep(self, seconds: float) -> None: ...


def a_world(services: Iterable[str], accounts: Iterable[str], categories: Iterable[str] = ()) -> World:
    """A hotel with gross prices whose window takes years."""
    return parse_world(
        {
            "pricing": "Gross",
            "timezone": "UTC",
            "editable_window": "P40Y0M0DT0H0M0S",
            "currencies": {"GBP": 2, "EUR": 2},
            "rates": [{"code": code, "taxation": "VAT", "relative": rate} for code, rate in _RATES.items()],
            "enterprise": {"id": uid("enterprise-1"), "name": "Hotel"},
            "services": [{"id": uid(one), "name": f"Service {at}"} for at, one in enumerate(services)],
            "accounts": [{"id": uid(one), "email": f"{at}@example.com"} for at, one in enumerate(accounts)],
            "accounting_categories": [{"id": uid(one), "name": f"Goods {at}"} for at, one in enumerate(categories)],
            "payment_types": ["Cash", "GiftCard", "CreditCard", "Voucher"],
            "allow_rebates": True,
            "rate_limit": None,
        }
    )


class _OneEffect(FaultPlan):
    """The plan of a single request: this happens to it."""

    def __init__(self, effect: Effect | None) -> None:
        super().__init__()
        self._effect = effect

    def pick(self, operation: str) -> Effect | None:
        return self._effect


class _Limiter(Limiter):
    """Remembers the pauses that Mews asked for."""

    def __init__(self, *args: Any, pauses: list[float], **more: Any) -> None:
        super().__init__(*args, **more)
        self._pauses = pauses

    def pause(self, seconds: float) -> None:
        self._pauses.append(seconds)
        super().pause(seconds)


class Rows(MutableSequence[Any]):
    """What Mews holds as a list of its own making: the staff, or another ledger, changes it. See `SmallMews.items`."""

    def __init__(self, read: Callable[[], list[Any]], write: Callable[[list[Any]], None]) -> None:
        self._read = read
        self._write = write

    def __getitem__(self, at: Any) -> Any:
        return self._read()[at]

    def __len__(self) -> int:
        return len(self._read())

    def __eq__(self, other: object) -> bool:
        return self._read() == other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._read())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._read())

    def __setitem__(self, at: Any, value: Any) -> None:
        rows = self._read()
        rows[at] = value
        self._write(rows)

    def __delitem__(self, at: Any) -> None:
        rows = self._read()
        del rows[at]
        self._write(rows)

    def insert(self, index: int, value: Any) -> None:
        rows = self._read()
        rows.insert(index, value)
        self._write(rows)

    def extend(self, values: Iterable[Any]) -> None:
        self._write([*self._read(), *values])

    def __iadd__(self, values: Iterable[Any]) -> Self:
        self.extend(values)
        return self

    def clear(self) -> None:
        self._write([])


_call: ContextVar[tuple[str, int]] = ContextVar("call", default=("", 0))


class _Wire(SandboxTransport):
    """The way of one request into the sandbox, and what the test makes of it."""

    def __init__(self, mews: SmallMews) -> None:
        super().__init__(mews.sandbox, clock=mews.time.wall, sleep=mews.time.sleep)
        self._mews = mews

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        operation = request.url.path.removeprefix(PREFIX)
        mews = self._mews
        if operation not in _WRITES:
            await mews.time.sleep(0.001)
            if mews.failing_reads:
                mews.failing_reads -= 1
                return httpx.Response(500, json={"Message": "read failed"}, request=request)
            return await self._carried(request, operation, None)
        with mews.in_flight_now():
            await mews.time.sleep(mews.latency)
        kind, number = _call.get()
        fate = mews.fate_of(kind, number)
        if isinstance(fate, Outcome) and not mews.is_acted_on(fate):
            return _said(request, fate)
        effect = None
        if isinstance(fate, tuple):
            commit = Commit.LATER if fate[1] else Commit.NOW
            effect = Effect("lost", commit, Wire.RESET, seconds=fate[1])
        try:
            return await self._carried(request, operation, effect)
        finally:
            mews.name_what_came(f"{kind}-{number}")
            mews.answered(kind, number)

    async def _carried(self, request: httpx.Request, operation: str, effect: Effect | None) -> httpx.Response:
        answer = self._mews.handle(operation, await request.aread(), effect)
        return await self._carry_out(request, self._mews.as_shown(operation, answer))


def _said(request: httpx.Request, outcome: Outcome) -> httpx.Response:
    """An answer in the words that a test gives it. Raises what httpx raises where there is none."""
    if outcome.kind is Kind.NOT_SENT:
        raise httpx.ConnectError(outcome.message, request=request)
    status = outcome.status or _STATUS.get(outcome.kind)
    if status is None:
        raise httpx.ReadError(outcome.message, request=request)
    headers = {} if outcome.retry_after is None else {"Retry-After": str(outcome.retry_after)}
    body = {"Message": outcome.message, "RequestId": outcome.request_id, "Details": outcome.details or None}
    return httpx.Response(status, json={**outcome.body, **body}, headers=headers, request=request)


class SmallMews:
    """Writer, reader and limiter of the loader at once. `script` answers each order and payment, see `Fate`.

    `lag`: seconds until reads see what was written; `tax_error`: what Mews books more of net on every entry than its
    contract says. `before_answer`: called with the number of the request once Mews acted on it.
    """

    services: tuple[str, ...] = ("service-1",)
    accounts: tuple[str, ...] = ("account-1", "account-2", "other", "moved")
    categories: tuple[str, ...] = ()
    bills = None

    def __init__(self, time: Ticks, *faults: str) -> None:
        self.time = time
        self.skew = SKEW
        self.sandbox = Sandbox(
            a_world(self.services, self.accounts, self.categories),
            time.wall,
            Random("ids"),
            faults=[parse_fault(fault) for fault in faults],
        )
        self.sandbox._offset = self.skew
        self._names: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        for person in self.sandbox.customers:
            self._register(person.id, person.id)
        for one in (*self.services, *self.accounts, *self.categories, "enterprise-1"):
            self._register(uid(one), one)
        self._waiting: list[str] = []
        self._shown: dict[str, dict[str, Any]] = {}
        self._places: dict[str, float] = {}
        self._clients: dict[int, MewsWriter] = {}
        self._told: MewsWriter | None = None
        self._limiter: _Limiter | None = None
        self.calls: list[dict[str, Any]] = []
        self.pauses: list[float] = []
        self.reads = 0
        self.failing_reads = 0
        self.script: Callable[[dict[str, Any], int], Fate] = lambda _p, _n: None
        self.before_answer: Callable[[int], None] = lambda _n: None
        self.tax_error = Decimal(0)
        self.latency = 0.01
        self.slot_delay = 0.0
        self.in_flight = 0
        self.most_in_flight = 0

    # Dials

    @property
    def lag(self) -> float:
        return self.sandbox._quirks.lag_seconds

    @lag.setter
    def lag(self, seconds: float) -> None:
        self.sandbox._quirks = replace(self.sandbox._quirks, lag_seconds=seconds)

    @property
    def hides_identifiers(self) -> bool:
        return self.sandbox._quirks.identifiers != "kept"

    @hides_identifiers.setter
    def hides_identifiers(self, hides: bool) -> None:
        self.sandbox._quirks = replace(self.sandbox._quirks, identifiers="ignored" if hides else "kept")

    @property
    def hides_notes(self) -> bool:
        return not self.sandbox._quirks.keeps_notes

    @hides_notes.setter
    def hides_notes(self, hides: bool) -> None:
        self.sandbox._quirks = replace(self.sandbox._quirks, keeps_notes=not hides)

    # Names

    def name(self, key: str | None) -> str:
        """The readable id."""
        return self._names.get(key, key) if key else ""

    def id(self, name: str) -> str:
        """The sandbox's id of a readable one, which is known as that from now on."""
        if name in self._keys or not name:
            return self._keys.get(name, name)
        key = uid(name)
        if key != name:
            self._register(key, name)
        return key

    def _register(self, key: str, name: str) -> None:
        self._names[key] = name
        self._keys[name] = key

    def name_what_came(self, name: str) -> None:
        """What the sandbox made just now is known by the request that asked for it; what it makes later too."""
        before = len(self._unnamed())
        if name:
            self._waiting.append(name)
        for key in self._unnamed():
            if self._waiting:
                self._name(key, self._waiting.pop(0))
        if before == 0 and name in self._waiting and not self.sandbox._due:
            self._waiting.remove(name)

    def _unnamed(self) -> list[str]:
        made = (*self.sandbox.orders, *self.sandbox.payments, *self.sandbox.customers)
        keys = [one.id for one in made]
        return [key for key in keys if key not in self._names]

    def _name(self, key: str, name: str) -> None:
        number = name.partition("-")[2]
        is_order = key in self.sandbox._store.orders
        prefix = "OrderId" if is_order else "ExternalPaymentId"
        # Requests of one kind are counted together.
        name = f"{prefix}-{number}" if name.startswith("call-") else name
        self._register(key, name)
        for index, item in enumerate(self.sandbox.items_of(key)) if is_order else ():
            self._register(item.id, f"{name}-{index}")
            if self.tax_error:
                net = item.amount.net + self.tax_error
                booked = Booked(
                    net, item.amount.gross, tuple((code, item.amount.gross - net) for code, _ in item.amount.taxes)
                )
                self.sandbox._store.commit(Entry(items=(replace(item, amount=booked),)))

    def _ids_of(self, text: str) -> str:
        """A text of JSON with the sandbox's ids."""
        return re.sub(r'"([^"\\]+)"', lambda found: f'"{self._keys.get(found[1], found[1])}"', text)

    # The loader's side

    async def scope(self, operation: Operation) -> dict[str, str]:
        return await self._client().scope(operation)

    async def send(self, operation: Operation, content: bytes, *, before_send: Any) -> Outcome:
        """As `MewsWriter.send`; the ids of content and answer are readable ones."""
        if self.slot_delay:
            await self.time.sleep(self.slot_delay)

        async def intend() -> None:
            await before_send()
            _call.set(self._note(operation, loads(content.decode(), {})))

        body = self._ids_of(content.decode()).encode()
        outcome = await self._client().send(operation, body, before_send=intend)
        return replace(outcome, body={key: self._readable(value) for key, value in outcome.body.items()})

    def _readable(self, value: Any) -> Any:
        return self.name(value) if isinstance(value, str) else value

    def _note(self, operation: Operation, payload: dict[str, Any]) -> tuple[str, int]:
        """A request is about to leave."""
        assert operation in (Operation.ADD_ORDER, Operation.ADD_PAYMENT)
        self.calls.append(payload)
        return "call", len(self.calls)

    def fate_of(self, kind: str, number: int) -> Fate:
        """What becomes of the request that has just arrived."""
        return self.script(self.calls[number - 1], number)

    def is_acted_on(self, outcome: Outcome) -> bool:
        """Whether Mews acts, whatever the test says of the answer."""
        return False

    def answered(self, kind: str, number: int) -> None:
        """Mews acted on a request."""
        if kind == "call":
            self.before_answer(number)

    def handle(self, operation: str, body: bytes, effect: Effect | None) -> Answer:
        """What the sandbox answers a request to which just this happens."""
        plan, self.sandbox.plan = self.sandbox.plan, _OneEffect(effect)
        try:
            return self.sandbox.handle(f"{PREFIX}{operation}", body, self.time.wall())
        finally:
            self.sandbox.plan = plan

    def in_flight_now(self) -> _InFlight:
        """Counts a request while it is on its way."""
        return _InFlight(self)

    def pause(self, seconds: float) -> None:
        """Nobody gets a slot for that long."""
        self._client()
        assert self._limiter is not None
        self._limiter.pause(seconds)

    async def configuration(self) -> Any:
        self._read()
        return await self._client().configuration()

    def now(self) -> datetime:
        """Mews's time as the client tells it; before it asked, as it is."""
        client = self._told
        return client.now() if client is not None and client.told is not None else self.mews_now(self.time.seconds)

    def mews_now(self, seconds: float) -> datetime:
        return START + self.skew + timedelta(seconds=seconds)

    async def order_items(self, **filters: Any) -> Any:
        self._read()
        async for page in self._client().order_items(**self._filters(filters)):
            yield [self._row(row) for row in page]

    async def payments(self, **filters: Any) -> Any:
        self._read()
        async for page in self._client().payments(**self._filters(filters)):
            yield [replace(row, id=self.name(row.id), account_id=self.name(row.account_id)) for row in page]

    async def service_orders(self, service_ids: Any, *, order_ids: Any = None) -> Any:
        ids = None if order_ids is None else [self.id(one) for one in order_ids]
        async for page in self._client().service_orders([self.id(one) for one in service_ids], order_ids=ids):
            yield [replace(row, id=self.name(row.id)) for row in page]

    def _filters(self, filters: dict[str, Any]) -> dict[str, Any]:
        return {
            key: [self.id(one) for one in value] if key.endswith("_ids") and value is not None else value
            for key, value in filters.items()
        }

    def _row(self, row: OrderItemRow) -> OrderItemRow:
        named = {name: self.name(getattr(row, name)) for name in _ITEM_IDS}
        return replace(row, **named)

    def _read(self) -> None:
        self.reads += 1
        self.name_what_came("")

    def _client(self) -> MewsWriter:
        """One client an event loop: a process of its own."""
        loop = id(asyncio.get_running_loop())
        if loop not in self._clients:
            self._clients.clear()
            self._limiter = limiter = _Limiter(
                100_000, Decimal(1), store=MemorySlots(), clock=self.time, sleep=self.time.sleep, pauses=self.pauses
            )
            http = httpx.AsyncClient(transport=_Wire(self), timeout=None)
            transport = Transport(
                address=ADDRESS,
                tokens=Tokens(CLIENT_TOKEN, ACCESS_TOKEN),
                http=http,
                limiter=limiter,
                clock=self.time,
                retry=RetryPolicy(attempts=1),
                rng=random.Random(1),
                sleep=self.time.sleep,
            )
            self._clients[loop] = self._told = MewsWriter(transport)
        return self._clients[loop]

    # The hotel's side

    def book(self, payload: dict[str, Any], name: str, delay: float = 0.0) -> None:
        """Somebody else's order or payment, under a readable id; with `delay`, Mews acts on it so much later (or did)."""
        operation = Operation.ADD_PAYMENT if "Type" in payload else Operation.ADD_ORDER
        content = json.loads(self._ids_of(dump(payload).decode()), parse_float=Decimal)
        body = dump({"ClientToken": CLIENT_TOKEN, "AccessToken": ACCESS_TOKEN, "Client": "other", **content})
        effect = Effect("", Commit.LATER, Wire.RESET, seconds=delay) if delay > 0 else None
        self.name_what_came("")
        answer = self.handle(operation, body, effect)
        assert delay > 0 or answer.status == 200, answer.body
        self.name_what_came(name)
        if delay < 0:
            at, rows = self.time.seconds + delay, list(self.items)
            self.items = [(at, _from(row, self.mews_now(at))) if row.order_id == name else (t, row) for t, row in rows]

    @property
    def items(self) -> Any:
        """All order items with the second at which Mews acted, oldest first. What a test changes, the staff changed."""
        return Rows(self._items, self._set_items)

    @items.setter
    def items(self, rows: Iterable[tuple[float, OrderItemRow]]) -> None:
        self._set_items(list(rows))

    @property
    def paid(self) -> Any:
        """All payments likewise."""
        return Rows(self._payments, self._set_payments)

    @paid.setter
    def paid(self, rows: Iterable[tuple[float, PaymentRow]]) -> None:
        self._set_payments(list(rows))

    def times_posted(self, number: str, generation: str = "") -> int:
        stem = f"[centra:uk:{number}{generation}]"
        return len({item.order_id for item in self._held() if (item.notes or "").startswith(stem)})

    def times_paid(self, number: str, part: str) -> int:
        self._held()
        wanted = f"centra:uk:{number}:{part}"
        return sum(paid.external_identifier == wanted for paid in self.sandbox.payments)

    def _held(self) -> list[Item]:
        """Everything, once all has landed that is due by now."""
        self.sandbox.settle(self.time.wall())
        self.name_what_came("")
        return self.sandbox.items

    def _items(self) -> list[tuple[float, OrderItemRow]]:
        return [(self._second(item.written), self._as_row(item)) for item in self._held()]

    def _payments(self) -> list[tuple[float, PaymentRow]]:
        self._held()
        return [(self._second(paid.written), self._as_payment(paid)) for paid in self.sandbox.payments]

    def _second(self, written: datetime) -> float:
        return (written - START - self.skew).total_seconds()

    def _as_row(self, item: Item) -> OrderItemRow:
        shown = self._shown.get(item.id, {}).get("OriginalAmount", {})
        return OrderItemRow(
            id=self.name(item.id),
            order_id=self.name(item.order_id),
            account_id=self.name(item.account_id),
            service_id=self.name(item.service_id),
            notes=item.notes or "",
            name=item.name,
            external_identifier=item.external_identifier or "",
            count=item.count,
            unit_net=item.unit.net,
            unit_gross=item.unit.gross,
            net=item.amount.net,
            gross=item.amount.gross,
            taxes=item.amount.taxes,
            original_net=shown.get("NetValue", item.amount.net),
            original_gross=shown.get("GrossValue", item.amount.gross),
            currency=item.currency,
            created=item.created,
            updated=item.updated,
            consumed=item.consumed,
            canceled=item.canceled,
            closed=item.closed,
            state=item.state,
            type=item.type,
            product_id=self.name(item.product_id),
            category_id=self.name(item.category_id),
            bill_id=self.name(item.bill_id),
            original_currency=shown.get("Currency", item.currency),
        )

    def _as_payment(self, paid: Payment) -> PaymentRow:
        shown = self._shown.get(paid.id, {})
        return PaymentRow(
            id=self.name(paid.id),
            account_id=self.name(paid.account_id),
            bill_id="",
            category_id=self.name(paid.category_id),
            external_identifier=paid.external_identifier or "",
            notes=paid.notes or "",
            type="ExternalPayment",
            external_type=paid.type,
            net=-paid.amount.net,
            gross=-paid.amount.gross,
            currency=paid.currency,
            created=paid.created,
            updated=paid.updated,
            charged=paid.created,
            consumed=paid.created,
            closed=None,
            state=shown.get("State", "Charged"),
            accounting_state=shown.get("AccountingState", "Open"),
        )

    def _set_items(self, rows: list[tuple[float, OrderItemRow]]) -> None:
        before = {item.id: item for item in self.sandbox.items}
        self._rebuild([self._as_item(at, row, before.get(self.id(row.id))) for at, row in rows])

    def _as_item(self, at: float, row: OrderItemRow, before: Item | None) -> Item:
        canceled = row.canceled or (row.created if row.state == "Canceled" else None)
        key = self.id(row.id)
        original = {"Currency": row.original_currency, "NetValue": row.original_net, "GrossValue": row.original_gross}
        booked = {"Currency": row.currency, "NetValue": row.net, "GrossValue": row.gross}
        is_other = before is not None and original != booked and (canceled or row.original_currency != row.currency)
        self._shown.pop(key, None)
        if is_other:
            self._shown[key] = {"OriginalAmount": original}
        is_touched = before is not None and (canceled, row.closed) != (before.canceled, before.closed)
        return Item(
            seq=before.seq if before else self.sandbox._store.next_seq(),
            id=key,
            order_id=self.id(row.order_id),
            enterprise_id=self.sandbox.world.enterprise.id,
            service_id=self.id(row.service_id),
            account_id=self.id(row.account_id),
            account_type="Customer",
            bill_id=self.id(row.bill_id) if row.bill_id else None,
            category_id=self.id(row.category_id) if row.category_id else None,
            product_id=self.id(row.product_id) if row.product_id else None,
            name=row.name,
            external_identifier=row.external_identifier or None,
            notes=row.notes or None,
            count=row.count,
            currency=row.currency,
            unit=Booked(row.unit_net, row.unit_gross, ()),
            amount=Booked(row.net, row.gross, row.taxes),
            consumed=row.consumed or row.created,
            created=row.created,
            updated=row.updated,
            written=self.mews_now(at),
            canceled=canceled,
            closed=row.closed,
            touched=self.mews_now(self.time.seconds) if is_touched else before.touched if before else None,
        )

    def _set_payments(self, rows: list[tuple[float, PaymentRow]]) -> None:
        before = {paid.id: paid for paid in self.sandbox.payments}
        found = []
        for at, row in rows:
            key = self.id(row.id)
            known = before.get(key)
            self._shown.pop(key, None)
            if (row.state, row.accounting_state) != ("Charged", "Open"):
                self._shown[key] = {"State": row.state, "AccountingState": row.accounting_state}
            found.append(
                Payment(
                    seq=known.seq if known else self.sandbox._store.next_seq(),
                    id=key,
                    enterprise_id=self.sandbox.world.enterprise.id,
                    account_id=self.id(row.account_id),
                    account_type="Customer",
                    bill_id=None,
                    category_id=None,
                    reservation_id=None,
                    type=row.external_type,
                    external_identifier=row.external_identifier or None,
                    notes=row.notes or None,
                    currency=row.currency,
                    amount=Booked(-row.net, -row.gross, ()),
                    created=row.created,
                    updated=row.updated,
                    written=self.mews_now(at),
                )
            )
        self._rebuild(self.sandbox.items, found)

    def _rebuild(self, items: Iterable[Item], payments: Iterable[Payment] | None = None) -> None:
        """The same Mews, with other items and payments."""
        old = self.sandbox._store
        store = Store(list(old.people.values()))
        orders = dict(old.orders)
        rows = sorted(items, key=lambda one: one.created)
        for item in rows:
            orders.setdefault(item.order_id, _order_of(item))
        kept = {item.order_id for item in rows}
        for order in orders.values():
            if order.id in kept:
                store.commit(Entry(order=order))
        store.commit(Entry(items=tuple(rows)))
        store.before.update(old.before)
        # Whoever writes twice (`+=` does) has what stood before the first of it shown as before.
        now = {item.id: item for item in rows}
        store.before.update({one.id: one for one in old.items if one != now.get(one.id)})
        for paid in old.payments.values() if payments is None else payments:
            store.commit(Entry(payment=paid))
        store._seq = max(store._seq, old._seq)
        self.sandbox._store = store

    def as_shown(self, operation: str, answer: Answer) -> Answer:
        """The answer, with what no dial of the sandbox can show: amounts converted or zeroed, payments cancelled."""
        key = {"orderItems/getAll": "OrderItems", "payments/getAll": "Payments"}.get(operation)
        if key is None or not self._shown or answer.status != 200:
            return answer
        body = json.loads(answer.body, parse_float=Decimal)
        for row in body[key]:
            shown = dict(self._shown.get(row["Id"], {}))
            original = shown.pop("OriginalAmount", None)
            row.update(shown)
            if original:
                row["OriginalAmount"] = {**row["OriginalAmount"], **original}
        return replace(answer, body=dump(body))


class _InFlight:
    def __init__(self, mews: SmallMews) -> None:
        self._mews = mews

    def __enter__(self) -> None:
        self._mews.in_flight += 1
        self._mews.most_in_flight = max(self._mews.most_in_flight, self._mews.in_flight)

    def __exit__(self, *_: object) -> None:
        self._mews.in_flight -= 1


def _order_of(item: Item) -> Order:
    shared = {name.name: getattr(item, name.name) for name in fields(Order) if hasattr(item, name.name)}
    own = {"id": item.order_id, "number": "0", "segment_id": None, "reservation_id": None, "canceled": None}
    return Order(**{**shared, **own})


def _from(row: OrderItemRow, moment: datetime) -> OrderItemRow:
    return replace(row, created=moment.replace(microsecond=0), updated=moment.replace(microsecond=0))


_ITEM_IDS = ("id", "order_id", "account_id", "service_id", "product_id", "category_id", "bill_id")
