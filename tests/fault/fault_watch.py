"""The wire between importer and sandbox, and the watch that sees every request and everything that Mews books.

What is watched at every moment: no order or payment twice (within the bounds), each as some version of the export has
it, a return after its order, no request after a 401, never more requests than the limit allows.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import httpx
from fault_schedule import Schedule, Spec
from fault_world import ACCOUNT, OTHER_ACCOUNT, enterprise_id, is_billed_as, is_booked_as, place_of, world
from virtual_time import START, Timeline

from etl.sandbox.call import Quirks
from etl.sandbox.core import Answer, Sandbox
from etl.sandbox.faults import FaultPlan, parse_fault
from etl.sandbox.inprocess import SandboxTransport
from etl.sandbox.outlet_state import PAYMENT, OutletItem
from etl.sandbox.state import Item

_STEM = re.compile(r"centra:([a-z]+):([0-9]+(?:-R[0-9]+)?)(?:~[0-9]+)?:(\S+)")
_IN_BODY = re.compile(rb'"ExternalIdentifier":"centra:([a-z]+:[0-9]+(?:-R[0-9]+)?)(?:~[0-9]+)?:([a-z0-9.]+)"')

_MONEY = ("orders/add", "payments/addExternal", "orderItems/cancel", "outletBills/add")

PartKey = tuple[str, str]
"""Number and part ("order", "gift1")."""

_Booked = list[Item] | list[OutletItem]


def accounts_of(spec: Spec, sandbox: Sandbox, *, is_outlet: bool) -> frozenset[str | None]:
    """Whom an order may charge: the fallback account, or the customer of its address; a bill may be on none."""
    if not spec.email:
        return frozenset({ACCOUNT if spec.names_account or not is_outlet else None})
    return frozenset(person.id for person in sandbox._store.people_with(spec.email))


@dataclass(slots=True)
class Copy:
    """One posting that Mews holds. `version` of the export that it is."""

    id: str
    at: float
    version: Spec


@dataclass(slots=True)
class Watch:
    """What Mews holds of one ledger's orders, and what should never have happened.

    `violations` and `log` are one for all ledgers.
    """

    schedule: Schedule
    versions: dict[str, tuple[Spec, ...]]
    violations: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    copies: dict[PartKey, list[Copy]] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    """OrderIds that the hotel's staff changed."""
    staff_cancelled: list[float] = field(default_factory=list)
    """When the staff cancelled items that no `recover` has taken in yet."""
    ever_cancelled: list[float] = field(default_factory=list)
    """When the staff cancelled items: a ledger from before a `recover` knows of none."""
    undo_orders: dict[str, list[str]] = field(default_factory=dict)
    """OrderIds of reversals, by the number that they reverse."""
    paid_back: dict[PartKey, list[str]] = field(default_factory=dict)
    over: dict[str, float] = field(default_factory=dict)
    """Orders reversed or paid back more than once by two copies of a ledger, and since when."""
    _orders_seen: int = 0
    _bills_seen: int = 0
    _payments_seen: int = 0

    def blame(self, now: float, what: str) -> None:
        """Notes a violation."""
        self.violations.append(f"at {now:.3f} s: {what}")
        self.log.append(f"{now:10.3f}   !! {what}")

    def tell(self, now: float, who: str, what: str) -> None:
        """Notes what happens, for the replay."""
        self.log.append(f"{now:10.3f} {who:>4} {what}")

    def look(self, sandbox: Sandbox, now: float) -> list[str]:
        """Takes note of what was booked since the last look. Shape: ids of new orders of ours."""
        new = []
        for one, owner, items in self._unseen(sandbox):
            match = self._of_ours(items[0].external_identifier, owner)
            if match is None:
                continue
            if isinstance(items[0], OutletItem) is not self.schedule.is_outlet:
                self.blame(now, f"{one} carries our mark on the other route")
            number = match[2]
            if match[3].startswith("undo:"):
                self.undo_orders.setdefault(number, []).append(one)
                continue
            new.append(one)
            fitting = [spec for spec in self.versions[number] if self._is_booked(spec, one, items, sandbox)]
            if not fitting:
                self.blame(now, f"order {number} is booked as {one}, which is none of its versions")
            version = fitting[0] if fitting else self.versions[number][0]
            self._add((number, "order"), Copy(one, now, version), now)
            if version.parent and not self.copies.get((version.parent, "order")):
                self.blame(now, f"the return {number} is booked before its order {version.parent}")
        self._look_at_payments(sandbox, now)
        for number in self.undo_orders:
            self._check_reversed(sandbox, number, now)
        return new

    def _unseen(self, sandbox: Sandbox) -> Iterator[tuple[str, str, _Booked]]:
        """Orders and bills booked since the last look, whosever. Shape: id, enterprise, items."""
        store = sandbox._store
        for order in itertools.islice(store.orders.values(), self._orders_seen, None):
            self._orders_seen += 1
            yield order.id, order.enterprise_id, store.items_of(order.id)
        for bill in itertools.islice(store.outlets.bills.values(), self._bills_seen, None):
            self._bills_seen += 1
            yield bill.id, bill.enterprise_id, store.outlets.items_of(bill.id)

    def _is_booked(self, spec: Spec, one: str, items: Any, sandbox: Sandbox) -> bool:
        schedule = self.schedule
        accounts = accounts_of(spec, sandbox, is_outlet=schedule.is_outlet)
        if schedule.is_outlet:
            return is_billed_as(spec, sandbox.outlets.bills[one], items, schedule, accounts)
        return is_booked_as(spec, items, schedule, accounts)

    def _look_at_payments(self, sandbox: Sandbox, now: float) -> None:
        store = sandbox._store
        for paid in itertools.islice(store.payments.values(), self._payments_seen, None):
            self._payments_seen += 1
            match = self._of_ours(paid.external_identifier, paid.enterprise_id)
            if match is None:
                continue
            number, part = match[2], match[3]
            if part.startswith("undo:"):
                key = (number, part.removeprefix("undo:"))
                self.paid_back.setdefault(key, []).append(paid.id)
                if len(self.paid_back[key]) > len(self.copies.get(key, ())):
                    self._note_over(now, number, f"{key[1]} of {number} is paid back {len(self.paid_back[key])} times")
                continue
            fitting = [
                spec
                for spec in self.versions[number]
                if (part, paid.amount.gross, paid.type) in spec.payments
                and paid.account_id in accounts_of(spec, sandbox, is_outlet=self.schedule.is_outlet)
            ]
            if not fitting:
                self.blame(now, f"payment {part} of {number} is booked with another amount: {paid.amount.gross}")
            self._add((number, part), Copy(paid.id, now, fitting[0] if fitting else self.versions[number][0]), now)
            if not self.copies.get((number, "order")):
                self.blame(now, f"payment {part} is booked before its order {number}")

    def left_of(self, sandbox: Sandbox, number: str) -> Decimal:
        """Gross of what was sold and stands of an order, its reversals included."""
        return sum((self.sold_by(sandbox, one) for one in self._ids_of(number)), Decimal(0))

    def paid_of(self, sandbox: Sandbox, number: str) -> Decimal:
        """What stands paid on the bills of an order, their reversals included."""
        items = [item for one in self._ids_of(number) for item in sandbox.outlets.items_of(one)]
        return sum((item.amount.gross for item in items if item.type == PAYMENT), Decimal(0))

    def sold_by(self, sandbox: Sandbox, one: str) -> Decimal:
        """Gross of what an order (or the revenue of a bill) with this id charges."""
        if self.schedule.is_outlet:
            sold = [item.amount.gross for item in sandbox.outlets.items_of(one) if item.type != PAYMENT]
        else:
            sold = [item.amount.gross for item in sandbox.items_of(one) if item.canceled is None]
        return sum(sold, Decimal(0))

    def _ids_of(self, number: str) -> list[str]:
        return [copy.id for copy in self.copies.get((number, "order"), ())] + self.undo_orders.get(number, [])

    def _check_reversed(self, sandbox: Sandbox, number: str, now: float) -> None:
        """What is left of an order lies between nothing and all of it: beyond nothing it was reversed twice."""
        left, whole = self.left_of(sandbox, number), self.copies[number, "order"][0].version.gross
        if not min(whole, Decimal(0)) <= left <= max(whole, Decimal(0)):
            self._note_over(now, number, f"order {number} of {whole} is reversed twice: {left} is left")

    def _note_over(self, now: float, number: str, what: str) -> None:
        """Two copies of a ledger can reverse twice: then it has to be told."""
        if not self.schedule.has_copies:
            self.blame(now, what)
        elif number not in self.over:
            self.tell(now, "mews", what)
            self.over[number] = now

    def _of_ours(self, identifier: str | None, owner: str) -> re.Match[str] | None:
        """An identifier of this ledger's store in its enterprise, in its pieces."""
        match = _STEM.fullmatch(identifier or "")
        is_ours = match is not None and match[1] == self.schedule.store
        return match if is_ours and owner == enterprise_id(self.schedule.enterprise) else None

    def _add(self, key: PartKey, copy: Copy, now: float) -> None:
        copies = self.copies.setdefault(key, [])
        copies.append(copy)
        if len(copies) > 1 and self.schedule.within_bounds and not self.schedule.has_copies:
            ids = ", ".join(one.id for one in copies)
            self.blame(now, f"{key[1]} of {key[0]} is in Mews {len(copies)} times: {ids}")


class Mews:
    """The sandbox on a timeline, with what happens to it besides requests: late commits and the hotel's staff."""

    def __init__(self, schedule: Schedule, timeline: Timeline, watch: Watch, rng: Random) -> None:
        self.watches = [watch]
        self.requests = 0
        self.faults: Counter[str] = Counter()
        """How many requests each dial hit."""
        self._people = sorted({spec.email for versions in schedule.orders for spec in versions if spec.email})
        self._sends: deque[float] = deque()
        arrival = min(0.5, 0.02 * schedule.rate[1])
        self.timeline, self.watch, self.schedule, self.rng = timeline, watch, schedule, rng
        faults = [parse_fault(f"clock-offset:seconds={schedule.offset}")] if schedule.offset else []
        limit = schedule.rate if schedule.latency <= arrival else None
        self.sandbox = Sandbox(
            world(schedule, limit, schedule.refuses),
            lambda: START + timedelta(seconds=timeline.now),
            Random(f"ids {schedule.seed}"),
            faults=faults,
        )
        self.hide(schedule.hides if schedule.hides != "both" else "")

    def hide(self, what: str) -> None:
        """Which marks this Mews does not return from now on."""
        self.sandbox._quirks = Quirks(
            identifiers="ignored" if what in ("identifiers", "both") else "kept",
            keeps_notes=what not in ("notes", "both"),
            lag_seconds=self.schedule.lag,
            refused_bills=self.schedule.keeps,
            # Nobody else makes profiles here, so that a second one shows. Two ledgers at once can't know of each other.
            twin_customers=not self.schedule.neighbours,
        )

    def allow_all(self) -> None:
        """From now on this Mews takes what it refused."""
        self.sandbox.world = world(self.schedule, self.sandbox.world.limit, "")

    def set_faults(self, specs: tuple[str, ...], seed: int, revoke_after: int | None) -> None:
        """Today's dials."""
        faults = [parse_fault(spec) for spec in specs]
        if revoke_after is not None:
            faults.append(parse_fault(f"revoke-token:after={self.sandbox._authorised + revoke_after}"))
        self.sandbox.plan = FaultPlan(tuple(faults), seed)

    def sent(self, now: float) -> None:
        """The first byte of a request leaves, from whatever ledger."""
        self.requests += 1
        count, seconds = self.schedule.rate
        while self._sends and now - self._sends[0] >= seconds - 1e-6:
            self._sends.popleft()
        self._sends.append(now)
        if len(self._sends) > count:
            self.watch.blame(now, f"{len(self._sends)} requests in {seconds:g} s, {count} are allowed")

    def arrive(self, path: str, body: bytes, content_type: str, who: str) -> object:
        """A request reaches Mews."""
        now = self.timeline.now
        answer = self.sandbox.handle(path, body, self.sandbox.clock(), content_type=content_type)
        answer = self._refuse_otherwise(path, answer)
        logged = self.sandbox.log[-1]
        if logged.fault:
            self.faults[logged.fault] += 1
        marks = sorted({f"{number.decode()}:{part.decode()}" for number, part in _IN_BODY.findall(body)})
        self.watch.tell(
            now,
            who,
            f"{logged.operation} {' '.join(marks)} -> {logged.status} {logged.fault} {logged.message}".rstrip(),
        )
        if logged.status == 429 and logged.message.startswith("More than"):
            self.watch.blame(now, f"Mews answers 429: {logged.message}")
        self._await_next()
        self._look()
        return answer

    def _await_next(self) -> None:
        due = self.sandbox.next_due()
        if due is not None:
            self.timeline.at((due - START).total_seconds(), self.settle)

    def _refuse_otherwise(self, path: str, answer: Answer) -> Answer:
        """A missing permission to cancel, told with another status than the sandbox's 401."""
        if self.schedule.cancel in ("yes", "401") or not path.endswith("orderItems/cancel") or answer.status != 401:
            return answer
        return replace(answer, status=int(self.schedule.cancel))

    def settle(self) -> None:
        """Late commits land."""
        if self.sandbox.settle():
            self.watch.tell(self.timeline.now, "mews", "a delayed commit is carried out")
            # Another may be due before any request arrives.
            self._await_next()
        self._look()

    def under_way(self, schedule: Schedule) -> set[PartKey]:
        """Parts of a ledger that Mews has received and will still commit."""
        found = set()
        for _, _, operation, data in self.sandbox._due:
            for sent in data["Bills"] if operation == "outletBills/add" else [data]:
                named = sent.get("ExternalIdentifier") or next(
                    (one["ExternalIdentifier"] for name in ("Items", "ProductOrders") for one in sent.get(name) or ()),
                    "",
                )
                match = _STEM.fullmatch(named)
                is_undo = match is not None and match[3].startswith("undo:")
                if match is not None and not is_undo and match[1] == schedule.store and _is_to(schedule, sent):
                    found.add((match[2], match[3] if operation.startswith("payments") else "order"))
        return found

    def is_canceled(self, mews_id: str) -> bool:
        """Whether nothing of that order is charged any more."""
        items = self.sandbox.items_of(mews_id)
        return bool(items) and all(item.canceled is not None for item in items)

    def _look(self) -> None:
        for email in self._people:
            if len(made := self.sandbox._store.people_with(email)) > 1 and not self.schedule.neighbours:
                self.watch.blame(self.timeline.now, f"a customer is made twice: {', '.join(one.id for one in made)}")
        for watch in self.watches:
            for one in watch.look(self.sandbox, self.timeline.now):
                if self.rng.random() < self.schedule.staff_rate:
                    wait = self.rng.uniform(0, self.schedule.settle)
                    staff = self._staff_at_the_till(one) if watch.schedule.is_outlet else self._staff(one)
                    self.timeline.at(self.timeline.now + wait, staff)

    def _staff(self, order_id: str) -> Callable[[], None]:
        """The hotel's staff move, cancel or rename what we posted."""
        kinds = ("move", "cancel", "strip") if not self.schedule.hides else ("move", "cancel")
        kind = self.rng.choice(kinds)

        def act() -> None:
            self.sandbox.settle()
            self.watch.touched.add(order_id)
            self.watch.tell(self.timeline.now, "desk", f"{kind} {order_id}")
            if kind == "cancel":
                self.watch.staff_cancelled.append(self.timeline.now)
                self.watch.ever_cancelled.append(self.timeline.now)
            for item in self.sandbox.items_of(order_id):
                if kind == "move":
                    self.sandbox.change_item(item.id, account_id=OTHER_ACCOUNT)
                elif kind == "strip":
                    self.sandbox.change_item(item.id, notes="late checkout")
                elif item.canceled is None:
                    self.sandbox.cancel_item(item.id)

        return act

    def _staff_at_the_till(self, bill_id: str) -> Callable[[], None]:
        """The hotel's staff touch a bill that we posted: its UpdatedUtc moves, its notes may be others."""
        changes = {"notes": "late checkout"} if self.rng.random() < 0.5 and not self.schedule.hides else {}

        def act() -> None:
            self.sandbox.settle()
            self.watch.tell(self.timeline.now, "desk", f"touch {bill_id} {changes}")
            self.sandbox.touch_bill(bill_id, **changes)

        return act


def _is_to(schedule: Schedule, sent: dict[str, Any]) -> bool:
    """Whether an order, payment or bill on its way goes to the enterprise of this schedule, if it says where to."""
    place = place_of(schedule)
    if "OutletId" in sent:
        return sent["OutletId"] == place.id
    return sent.get("EnterpriseId", place.enterprise) == place.enterprise


@dataclass(slots=True, eq=False)
class Transit:
    """A request whose bytes have left but not arrived."""

    arrives: float
    path: str
    body: bytes
    content_type: str


class Wire(SandboxTransport):
    """The network of one process. What is on its way when the process dies may arrive all the same."""

    def __init__(self, mews: Mews, who: str, sleep: Callable[[float], object], rng: Random) -> None:
        super().__init__(
            mews.sandbox, clock=mews.sandbox.clock, sleep=sleep, latency=lambda: rng.random() * mews.schedule.latency
        )
        self._mews, self._who, self._rng = mews, who, rng
        self._refused_at: float | None = None
        self._is_in_question = False
        """A cancellation had the 401, which may be a permission: the configuration is asked, until it is answered."""
        self._transit: dict[Transit, None] = {}
        self._is_cut = False
        self.requests = 0
        self.last_write: float | None = None
        """When Mews got the last order or payment that this process knows of."""

    def cut(self) -> None:
        """The process is dead: no request leaves any more."""
        self._is_cut = True
        for transit in list(self._transit):
            self._lose(transit)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The sandbox's answer, as httpx would see it on a socket."""
        body = await request.aread()
        timeline, watch = self._mews.timeline, self._mews.watch
        began = timeline.now
        if self._rng.random() < self._mews.schedule.slow_connects:
            await self._sleep(self._rng.choice((2.0, 6.0, 15.0)))
            await request.extensions["trace"]("connection.connect_tcp.complete", {})
        # httpcore tells so just before the first byte leaves.
        await request.extensions["trace"]("http11.send_request_headers.started", {})
        if self._is_cut:
            raise httpx.ConnectError("the process is dead", request=request)
        now = timeline.now
        # What waits for its connection already is not held back any more.
        is_question = self._is_in_question and request.url.path.endswith("configuration/get")
        if self._refused_at is not None and began > self._refused_at and not is_question:
            watch.blame(now, f"process {self._who} sends {request.url.path} after a 401")
        self._mews.sent(now)
        self.requests += 1
        latency = self._latency()
        path, kind = request.url.raw_path.decode("ascii"), request.headers.get("Content-Type", "")
        transit = Transit(now + latency, path, body, kind)
        self._transit[transit] = None
        try:
            if latency:
                await self._sleep(latency)
        except BaseException:
            self._lose(transit)
            raise
        del self._transit[transit]
        answer = self._mews.arrive(path, body, kind, self._who)
        if path.endswith(_MONEY):
            self.last_write = timeline.now
        response = await self._carry_out(request, answer)
        # Cancelling alone may be forbidden: that says nothing about the tokens.
        is_cancellation = path.endswith("orderItems/cancel")
        is_permission = self._mews.schedule.cancel != "yes" and is_cancellation
        if response.status_code == 401 and not is_permission:
            self._is_in_question = is_cancellation and (self._refused_at is None or self._is_in_question)
            self._refused_at = timeline.now if self._refused_at is None else self._refused_at
        return response

    def _lose(self, transit: Transit) -> None:
        """Nobody waits for the answer any more; the bytes may still arrive."""
        if transit not in self._transit:
            return
        del self._transit[transit]
        if self._rng.random() < 0.5:
            args = (transit.path, transit.body, transit.content_type, f"{self._who}+")
            self._mews.timeline.at(transit.arrives, lambda: self._mews.arrive(*args))
