"""Each guard of the exactly-once promise, broken on purpose: the harness must see it.

A harness that finds nothing proves nothing, unless it finds something once there is something to find.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import Any
from unittest import mock

import pytest
from fault_schedule import BEYOND_EVERY, Line, Process, Schedule, Spec, draw, of_a_kind, on_outlet
from fault_world import ACCOUNT, enterprise_id
from harness import ON_SERVER, OneEngineLedger, Parts, run_seed

from etl.ledger.records import LedgerOrder, loads
from etl.ledger.send_steps import SendSteps
from etl.ledger.steps import Steps
from etl.load import refusals
from etl.load.bill_poster import BillPoster
from etl.load.bills import BatchRecord
from etl.load.kinds import Kinds
from etl.load.poster import Poster
from etl.load.returns import Returns
from etl.load.reverser import Reverser
from etl.load.signs import Signs
from etl.load.survey import Survey, Surveyor
from etl.load.undo import Undoer
from etl.load.watcher import Watcher
from etl.mews.api import MewsReader
from etl.mews.transport import RetryPolicy
from etl.model.identity import parse_identifier, parse_marker
from etl.model.outcome import Kind, Outcome
from etl.model.payload import Operation, dump

pytestmark = pytest.mark.slow

MOST_SEEDS = 150


class BrokenWriter:
    """A writer whose outcomes (`told`) or payloads (`sent`) are not what they should be, where `only` says so."""

    def __init__(
        self,
        inner: Any,
        told: Callable[[Outcome], Outcome] = lambda outcome: outcome,
        sent: Callable[[dict[str, Any]], dict[str, Any]] = lambda payload: payload,
        only: Callable[[Operation, bytes], bool] = lambda _operation, _content: True,
    ) -> None:
        self._inner, self._told, self._sent, self._only = inner, told, sent, only

    async def scope(self, operation: Operation) -> dict[str, str]:
        return await self._inner.scope(operation)

    async def send(self, operation: Operation, content: bytes, *, before_send: Any) -> Outcome:
        if operation in (Operation.ADD_ORDER, Operation.ADD_BILLS):
            payload = loads(content.decode(), {})
            # Of many bills the first.
            changed = self._sent(payload.get("Bills", [payload])[0])
            content = dump({**payload, "Bills": [changed, *payload["Bills"][1:]]} if "Bills" in payload else changed)
        outcome = await self._inner.send(operation, content, before_send=before_send)
        return self._told(outcome) if self._only(operation, content) else outcome


class SendsFirst(BrokenWriter):
    """Writes the intent once the answer is there."""

    async def send(self, operation: Operation, content: bytes, *, before_send: Any) -> Outcome:
        outcome = await self._inner.send(operation, content, before_send=_nothing)
        await before_send()
        return outcome


async def _nothing() -> None:
    """No intent."""


class BrokenReader:
    """A reader that shows less of Mews than there is."""

    def __init__(self, inner: Any, shows: Callable[[Any], bool] = lambda _: True, *, by_account: bool = False) -> None:
        self._inner, self._shows, self._by_account = inner, shows, by_account

    async def configuration(self) -> Any:
        return await self._inner.configuration()

    def now(self) -> Any:
        return self._inner.now()

    async def order_items(self, **filters: Any) -> AsyncIterator[list[Any]]:
        if self._by_account and "service_ids" in filters:
            filters = {"account_ids": [ACCOUNT], **{key: filters[key] for key in filters if key != "service_ids"}}
        async for page in self._inner.order_items(**filters):
            yield [row for row in page if self._shows(row)]

    async def payments(self, **filters: Any) -> AsyncIterator[list[Any]]:
        async for page in self._inner.payments(**filters):
            yield [row for row in page if self._shows(row)]


class OneScan(Surveyor):
    """Takes the first complete scan for a proof of absence."""

    def _not_found(self, steps: Steps, look: Any, part: Any, ended: Any, result: Survey) -> None:
        seen_once = replace(part, unseen_at=part.settle_from)
        key = (part.number, part.generation, part.part)
        if part.settle_from is not None and look.started >= part.settle_from + self._settle and part.unseen_at is None:
            steps.miss(*key, part.seq, proved=False, at=ended)
        super()._not_found(steps, look, seen_once, ended, result)


class LooksNowhere(Surveyor):
    """Takes bills for looked for where they must stand, without having read anything there."""

    async def _walk(self, look: Any) -> None:
        look.closings.update((part.number, part.generation, part.part) for part in look.unknown)


class NoWatermark(Surveyor):
    """Does not mind orders that the ledger knows nothing of."""

    async def _judge_copies(self, look: Any) -> None:
        await super()._judge_copies(look)
        look.signs = Signs()


def looking_by(kind: type[Surveyor]) -> type[Watcher]:
    """Looks of another sort."""

    class OtherWatcher(Watcher):
        surveyor_type = kind

    return OtherWatcher


class BlindUndoer(Undoer):
    """Does not look for what another ledger reversed."""

    watcher_type = looking_by(NoWatermark)


class ForgetfulReverser(Reverser):
    """Follows a refused cancellation by its opposite without asking what the items look like by then."""

    def _standing(self, work: Any, rows: Any) -> Any:
        return [replace(row, state="Open", canceled=None) for row in rows]


class ForgetfulUndoer(Undoer):
    """Undoes with such a one."""

    reverser_type = ForgetfulReverser


def with_surveyor(kind: type[Surveyor]) -> Parts:
    """Posters that look at Mews in another way."""

    class OtherPoster(Poster):
        watcher_type = looking_by(kind)

    class OtherBiller(BillPoster):
        watcher_type = looking_by(kind)

    return Parts(poster=OtherPoster, biller=OtherBiller)


class HasNoLock(OneEngineLedger):
    """Takes the lock of whoever holds it."""

    def take_lock(self, purpose: str, **named: Any) -> int:
        return super().take_lock(purpose, **{**named, "alive": lambda _: False})


class MindsNoLock(OneEngineLedger):
    """Writes on though another machine has taken over."""

    def verify_lock(self, connection: Any) -> None:
        """Takes its lock for granted."""


class UndoesUnseen(Undoer):
    """Ends without a closing look."""

    async def _look_back(self) -> None:
        """Takes what it reversed for all that happened."""


def _as_ours(row: Any) -> Any:
    """What another store posted, taken for this one's."""
    identifier, notes = (row.external_identifier or "").replace(":ukx:", ":uk:"), row.notes.replace(":ukx:", ":uk:")
    return replace(row, external_identifier=identifier, notes=notes)


class SeesOneStore(BrokenReader):
    """Does not tell stores apart."""

    async def order_items(self, **filters: Any) -> AsyncIterator[list[Any]]:
        async for page in super().order_items(**filters):
            yield [_as_ours(row) for row in page]


class NeverLooksBack(Poster):
    """Ends without a closing look."""

    async def _look_back(self, *, no_wait: bool) -> None:
        """Takes what it sent for all that happened."""


class NoReturns(Returns):
    """Does not wait for the order that a return belongs to."""

    def may_go(self, job: Any) -> bool:
        return True


class ReturnsAtOnce(Poster):
    """Sends returns like any other order."""

    returns_type = NoReturns


class HoldsNothing(Kinds):
    """Tries every order of a kind, whatever Mews said of the others; one at a time all the same."""

    def _is_held(self, kind: str) -> bool:
        return False


class AllAtOnce(Kinds):
    """Does not wait for the first of a kind."""

    def admit(self, job: Any) -> bool:
        return True


def with_kinds(kind: type[Kinds]) -> Parts:
    """Posters that treat kinds in another way."""

    class OtherPoster(Poster):
        kinds_type = kind

    class OtherBiller(BillPoster):
        kinds_type = kind

    return Parts(poster=OtherPoster, biller=OtherBiller)


class SendsPaymentsAgain(Poster):
    """Sends an order whose payment was refused from its beginning."""

    def _offer(self, job: Any) -> bool:
        job.send_order = True
        return super()._offer(job)


def _two_at_once(schedule: Schedule) -> Schedule:
    """Two copies of the ledger, side by side from the start; nothing kills them."""
    twin = Process(pause=0.1)
    processes = (Process(twin=twin), Process(pause=4000.0))
    return replace(schedule, processes=processes, staff_rate=0.0, shared_slots=True, lag=0.0)


def _two_undos(schedule: Schedule) -> Schedule:
    """Two copies of the ledger undo at the same time, by opposites: Mews would take both."""
    undos = Process("undo", pause=4000.0, twin=Process("undo", pause=0.1))
    return _undisturbed(replace(schedule, processes=(Process(), undos), cancel="401", lag=0.0))


def _undone_before(schedule: Schedule) -> Schedule:
    """Orders are undone by their opposites, then the ledger of before is put back, and they are undone again."""
    processes = (Process(), Process("undo", pause=60.0), Process("undo", pause=4000.0, before="restore"))
    return _undisturbed(replace(schedule, processes=processes, cancel="401", lag=0.0))


def _one_ledger(*, takes_over: bool) -> Callable[[Schedule], Schedule]:
    """Two runs on one ledger, the second in the midst of the first."""
    twin = Process(pause=1.0, on="ledger", takes_over=takes_over)
    return lambda schedule: _undisturbed(replace(schedule, processes=(Process(twin=twin),), latency=0.5, timeout=10.0))


def _next_door(schedule: Schedule) -> Schedule:
    """Another store of the same hotel, with the same order numbers, works at the same time."""
    schedule = _undisturbed(replace(schedule, processes=(Process(neighbours=((0, Process()),)), Process(pause=60.0))))
    return replace(schedule, neighbours=(replace(schedule, store="ukx", processes=()),))


def _undisturbed(schedule: Schedule) -> Schedule:
    """Nobody works on these orders but the processes; they share one limit, and the export stays."""
    orders = tuple((versions[0],) for versions in schedule.orders)
    return replace(schedule, orders=orders, staff_rate=0.0, shared_slots=True, has_lookalike=False)


def _in_a_storm(schedule: Schedule) -> Schedule:
    """429 for a while, in the midst of every process."""
    storm = ("429-burst:0.5:seconds=20:form=none:times=2",)
    return _each(faults=storm, kill=None, revoke_after=None)(schedule)


def _allowed_later(schedule: Schedule) -> Schedule:
    """Gift cards are refused while the items are booked, and taken from the second process on."""
    more = of_a_kind(Random(schedule.seed), "GiftCard", 4)
    orders = tuple(versions for versions in schedule.orders if not versions[0].number.startswith("7"))
    processes = (Process(), Process(retry=True))
    return replace(schedule, refuses="GiftCard", allows_from=1, orders=(*orders, *more), processes=processes)


def _many_returns(schedule: Schedule) -> Schedule:
    """A Mews that refuses rebates, and eight returns."""
    more = of_a_kind(Random(schedule.seed), "rebates", 8)
    orders = tuple(versions for versions in schedule.orders if not versions[0].number.startswith("7"))
    return replace(schedule, refuses="rebates", orders=(*orders, *more), concurrency=5)


def _two_with_returns(schedule: Schedule) -> Schedule:
    """The same, met by two runs that share the ledger, of sales as many, nothing else in their way."""
    schedule = replace(_many_returns(schedule), is_outlet=False, neighbours=(), latency=0.05, lag=0.0, hides="")
    sales = tuple(
        (Spec(str(900 + at), 1, (Line("p1", "Mug", 1, Decimal(5)),), basis=schedule.basis),) for at in range(4)
    )
    pair = Process(pause=0.0, twin=Process(pause=0.0, on="shared"))
    returns = tuple(versions for versions in schedule.orders if versions[0].number.startswith("7"))
    return replace(schedule, orders=(*sales, *returns), processes=(pair,), shared_slots=True, allows_from=None)


def _with_people(schedule: Schedule) -> Schedule:
    """Every order charges a customer who has to be made; many answers about them are lost."""
    orders = tuple(tuple(replace(spec, email="ann@example.com") for spec in versions) for versions in schedule.orders)
    lossy = ("reset-after-commit:0.5:on=customers/add",)
    processes = tuple(replace(process, faults=(*process.faults, *lossy)) for process in schedule.processes)
    return replace(schedule, orders=orders, processes=processes)


def _billed(schedule: Schedule, **changes: Any) -> Schedule:
    """The day on the outlet route."""
    billed = schedule if schedule.is_outlet else on_outlet(Random(f"billed {schedule.seed}"), schedule)
    return replace(billed, neighbours=(), **changes) if changes else billed


def _full_requests(keeps: str) -> Callable[[Schedule], Schedule]:
    """Bills in requests of five, some of which Mews refuses and keeps a part of."""
    more = ("partly-committed:0.3:answer=reset",)

    def focus(schedule: Schedule) -> Schedule:
        billed = _billed(schedule, bills=5, keeps=keeps, largest_body=0)
        processes = tuple(replace(one, faults=(*one.faults, *more), neighbours=()) for one in billed.processes)
        return replace(billed, processes=processes)

    return focus


def _opposite_bills(schedule: Schedule) -> Schedule:
    """Bills are posted and undone, many answers about the opposites are lost."""
    billed = _billed(schedule, refuses="", allows_from=None)
    lossy = ("reset-after-commit:0.5:on=outletBills/add",)
    orders = tuple((versions[0],) for versions in billed.orders)
    return replace(billed, orders=orders, processes=(Process(), Process("undo", pause=60.0, faults=lossy)))


def _many_old_bills(schedule: Schedule) -> Schedule:
    """A Mews that refuses old bills, and eight of them."""
    more = of_a_kind(Random(schedule.seed), "old", 8)
    orders = tuple(versions for versions in schedule.orders if not versions[0].number.startswith("7"))
    schedule = replace(schedule, refuses="GiftCard", allows_from=None, orders=(*orders, *more), is_outlet=False)
    return on_outlet(Random(f"old {schedule.seed}"), replace(schedule, neighbours=(), concurrency=5, basis="gross"))


def _bills_with_returns(schedule: Schedule) -> Schedule:
    """Orders and their returns travel in the same run, and reads lag behind."""
    lines = (Line("p1", "Mug", 1, Decimal("12.00")),)
    back = (Line("p1", "Mug", 1, Decimal("-12.00")),)
    orders = [(Spec(str(500 + at), 1, lines),) for at in range(5)]
    orders += [(Spec(f"{500 + at}-R1", 1, back, age_seconds=3600, parent=str(500 + at)),) for at in range(5)]
    schedule = replace(
        schedule, orders=tuple(orders), processes=(Process(),), is_outlet=False, basis="gross", refuses=""
    )
    return _undisturbed(_full_requests("whole")(schedule))


def _hotel_next_door(schedule: Schedule) -> Schedule:
    """Another hotel of the portfolio, whose store is named as ours and numbers its orders as ours, works too."""
    paid = (("pay1", Decimal("0.50"), "Cash"),)
    orders = tuple(tuple(replace(spec, payments=paid) for spec in versions) for versions in schedule.orders)
    processes = (Process(neighbours=((0, Process()),)), Process(pause=60.0))
    schedule = _undisturbed(replace(schedule, orders=orders, processes=processes, refuses="", is_outlet=False))
    schedule = replace(schedule, is_portfolio=True, other_basis=schedule.basis, hides="")
    return replace(schedule, neighbours=(replace(schedule, enterprise=1, processes=()),))


def _both_hotels(reader: Any) -> dict[str, Any]:
    """What a reader asks for that does not keep to its own enterprise."""
    return {"EnterpriseIds": [enterprise_id(0), enterprise_id(1)]} if reader.enterprise_id else {}


def _priced_net(schedule: Schedule) -> Schedule:
    """An enterprise that prices without tax."""
    orders = tuple(tuple(replace(spec, basis="net") for spec in versions) for versions in schedule.orders)
    return replace(schedule, basis="net", orders=orders)


def _undone_without_cancelling(schedule: Schedule) -> Schedule:
    """Orders are posted and undone by their opposites, many answers of which are lost."""
    lossy = ("reset-after-commit:0.5:on=orders/add",)
    processes = (Process(), Process("undo", pause=60.0, faults=lossy))
    orders = tuple((versions[0],) for versions in schedule.orders)
    return replace(schedule, processes=processes, orders=orders, cancel="401", refuses="", allows_from=None)


class Forgetful(OneEngineLedger):
    """Takes what a dead process left in flight for not sent."""

    def take_lock(self, purpose: str, **named: Any) -> int:
        orphans = super().take_lock(purpose, **named)
        with self.transaction() as connection:
            for table in ("parts", "orders"):
                connection.exec_driver_sql(f"UPDATE {table} SET state = 'ready' WHERE state = 'unknown'")
        return orphans


def _always(_operation: Operation, _content: bytes) -> bool:
    return True


def _call(kind: Kind, other: Kind, only: Callable[[Operation, bytes], bool] = _always) -> Callable[[Any], BrokenWriter]:
    return lambda writer: BrokenWriter(
        writer, lambda outcome: replace(outcome, kind=other) if outcome.kind is kind else outcome, only=only
    )


def _is_of(operation: Operation) -> Callable[[Operation, bytes], bool]:
    return lambda other, _content: other is operation


def _reverses(operation: Operation, content: bytes) -> bool:
    return operation is Operation.CANCEL_ITEMS or b":undo:" in content


def _a_cent_more(payload: dict[str, Any]) -> dict[str, Any]:
    entries = [*payload.get("Items", ()), *payload.get("ProductOrders", ())]
    unit = entries[0]["UnitAmount"]
    value = "GrossValue" if "GrossValue" in unit else "NetValue"
    unit[value] = Decimal(unit[value]) + Decimal("0.01")
    return payload


class _OneCopy:
    """Shows of each order the copy that it met first."""

    def __init__(self) -> None:
        self._met: dict[str, str] = {}

    def __call__(self, row: Any) -> bool:
        parsed = parse_identifier(row.external_identifier)
        identity = parsed[0] if parsed else parse_marker(row.notes)
        if identity is None:
            return True
        part = getattr(row, "order_id", None)
        key = f"{identity.number}:{'order' if part else row.notes.split()[-1]}"
        return self._met.setdefault(key, part or row.id) == (part or row.id)


@dataclass(frozen=True, slots=True)
class Break:
    """One guard broken. `seen_as`: what the harness must say; `beyond`: on seeds beyond the bounds.

    `focus` makes the bad days that the guard is for frequent, where they are rare.
    """

    parts: Parts
    seen_as: str
    beyond: bool = False
    focus: Callable[[Schedule], Schedule] = lambda schedule: schedule
    patch: tuple[Any, str, Any] | None = None
    """What is broken by another way than parts: an attribute of a class or module, and what it is instead."""


def _each(**changes: Any) -> Callable[[Schedule], Schedule]:
    """All processes changed so."""
    return lambda schedule: replace(
        schedule, processes=tuple(replace(process, **changes) for process in schedule.processes)
    )


BREAKS = {
    "an outcome that nobody knows is taken for not sent": Break(
        Parts(writer=_call(Kind.UNKNOWN, Kind.NOT_SENT)), "times"
    ),
    "an outcome that nobody knows is taken for a refusal": Break(
        Parts(writer=_call(Kind.UNKNOWN, Kind.REFUSED)), "rejected, Mews"
    ),
    "a 401 is taken for a refusal": Break(
        Parts(writer=_call(Kind.STOP, Kind.REFUSED)), "after a 401", focus=_each(revoke_after=6)
    ),
    "the intent is written after sending": Break(
        Parts(writer=SendsFirst), "Mews has", focus=_each(kill=("slot.granted", 2))
    ),
    "what a dead process left is sent again": Break(Parts(ledger=Forgetful), "Mews"),
    "one scan proves absence": Break(with_surveyor(OneScan), "times"),
    "absence is proved before Mews has settled": Break(Parts(settle=lambda seconds: seconds / 5), "Mews"),
    "an account filter proves absence": Break(
        Parts(reader=lambda reader: BrokenReader(reader, by_account=True)), "times"
    ),
    "a payment that nobody knows of goes again": Break(
        Parts(writer=_call(Kind.UNKNOWN, Kind.NOT_SENT, _is_of(Operation.ADD_PAYMENT))), "times"
    ),
    "a reversal that nobody knows of goes again": Break(
        Parts(writer=_call(Kind.UNKNOWN, Kind.NOT_SENT, _reverses)),
        "reversed twice",
        focus=_undone_without_cancelling,
    ),
    "a customer whom nobody knows of is made again": Break(
        Parts(writer=_call(Kind.UNKNOWN, Kind.NOT_SENT, _is_of(Operation.ADD_CUSTOMER))),
        "made twice",
        focus=_with_people,
    ),
    "a cent is added without tax": Break(
        Parts(writer=lambda writer: BrokenWriter(writer, sent=_a_cent_more)), "none of its versions", focus=_priced_net
    ),
    "canceled items prove nothing": Break(
        Parts(reader=lambda reader: BrokenReader(reader, lambda row: not row.is_canceled)), "times"
    ),
    "orders unknown to the ledger are passed over": Break(with_surveyor(NoWatermark), "times"),
    "reversals unknown to the ledger are passed over": Break(
        Parts(undoer=BlindUndoer), "is reversed twice", focus=_undone_before
    ),
    "cancelled items are reversed all the same": Break(Parts(undoer=ForgetfulUndoer), "reversed twice"),
    "a run does not look back": Break(Parts(poster=NeverLooksBack), "does not report the copies", focus=_two_at_once),
    "a living process loses its lock to a second one": Break(
        Parts(ledger=HasNoLock), "hold the lock of one ledger", focus=_one_ledger(takes_over=False)
    ),
    "a lock that was taken over is not minded": Break(
        Parts(ledger=MindsNoLock), "times", focus=_one_ledger(takes_over=True)
    ),
    "an undo does not look back": Break(Parts(undoer=UndoesUnseen), "does not report that", focus=_two_undos),
    "another store's orders are taken for ours": Break(
        Parts(reader=SeesOneStore), "called incomplete", focus=_next_door
    ),
    "each ledger has the whole limit to itself": Break(
        Parts(slots=lambda schedule: f"slots-{schedule.store}"),
        "are allowed",
        focus=lambda schedule: replace(_next_door(schedule), rate=(6, 2.0)),
    ),
    "429 is waited for once": Break(Parts(retry=RetryPolicy(waits=1)), "storm of 429", focus=_in_a_storm),
    "an order goes again with its refused payment": Break(
        Parts(poster=SendsPaymentsAgain), "times", focus=_allowed_later
    ),
    "returns do not wait for their order": Break(Parts(poster=ReturnsAtOnce), "before its order"),
    "a kind that Mews refused is tried on": Break(
        with_kinds(HoldsNothing), "times the ledger records", focus=_many_returns
    ),
    "the first of a kind does not go alone": Break(
        with_kinds(AllAtOnce), "times the ledger records", focus=_many_returns
    ),
    "each of two runs tries a kind by itself": Break(
        ON_SERVER,
        "times the ledger records",
        focus=_two_with_returns,
        patch=(SendSteps, "_check_kinds", lambda _self, _intent: None),
    ),
    "the limit is not kept": Break(
        Parts(rate=lambda count: 3 * count), "are allowed", focus=lambda schedule: replace(schedule, rate=(6, 2.0))
    ),
    "a cent is added": Break(
        Parts(writer=lambda writer: BrokenWriter(writer, sent=_a_cent_more)), "none of its versions"
    ),
    "bills that nobody knows of go again": Break(
        Parts(writer=_call(Kind.UNKNOWN, Kind.NOT_SENT, _is_of(Operation.ADD_BILLS))), "times", focus=_billed
    ),
    "the intents of bills are written after sending": Break(
        Parts(writer=SendsFirst),
        "Mews has",
        focus=lambda schedule: _each(kill=("slot.granted", 2))(_billed(schedule)),
    ),
    "a refusal of several bills is one of each": Break(
        Parts(),
        "is lost",
        focus=_full_requests("whole"),
        patch=(BatchRecord, "judge", lambda _self, outcome: outcome),
    ),
    "a Mews that keeps a part of what it refuses is taken for one that keeps nothing": Break(
        Parts(),
        "times",
        focus=_full_requests("partial"),
        patch=(refusals, "verdict", lambda _ledger: refusals.Keep.NOTHING),
    ),
    "bills in doubt are looked for nowhere": Break(with_surveyor(LooksNowhere), "times", focus=_full_requests("whole")),
    "an opposite bill that nobody knows of goes again": Break(
        Parts(writer=_call(Kind.UNKNOWN, Kind.NOT_SENT, _reverses)), "reversed twice", focus=_opposite_bills
    ),
    "a cent is added to a bill": Break(
        Parts(writer=lambda writer: BrokenWriter(writer, sent=_a_cent_more)), "none of its versions", focus=_billed
    ),
    "a bill is posted only once its id is read": Break(
        Parts(),
        "is lost",
        focus=_bills_with_returns,
        patch=(LedgerOrder, "has_posted", property(lambda row: row.mews_order_id != "" and row.state != "undone")),
    ),
    "an old bill does not go alone": Break(with_kinds(AllAtOnce), "times the ledger records", focus=_many_old_bills),
    "old bills that Mews refused are tried on": Break(
        with_kinds(HoldsNothing), "times the ledger records", focus=_many_old_bills
    ),
    "another enterprise's orders are taken for ours": Break(
        Parts(), "called incomplete", focus=_hotel_next_door, patch=(MewsReader, "_scope", _both_hotels)
    ),
    "each enterprise has the whole limit of the token to itself": Break(
        Parts(slots=lambda schedule: f"slots-{schedule.enterprise}"),
        "are allowed",
        focus=lambda schedule: replace(_hotel_next_door(schedule), rate=(6, 2.0)),
    ),
    "copies are passed over in silence": Break(
        Parts(reader=lambda reader: BrokenReader(reader, _OneCopy())), "nobody says so", beyond=True
    ),
}


def seeds_until_seen(broken: Break) -> int | None:
    """How many seeds it takes; None if none of them shows it."""
    with mock.patch.object(*broken.patch) if broken.patch else contextlib.nullcontext():
        return _seeds_until_seen(broken)


def _seeds_until_seen(broken: Break) -> int | None:
    tried = 0
    for seed in range(10 * MOST_SEEDS):
        if (seed % BEYOND_EVERY == BEYOND_EVERY - 1) is not broken.beyond:
            continue
        tried += 1
        verdict = run_seed(seed, broken.parts, broken.focus(draw(seed)))
        if any(broken.seen_as in what for what in verdict.violations):
            return tried
        if tried == MOST_SEEDS:
            break
    return None


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_guard_is_seen(name, request):
    """The harness finds the harm that this guard prevents."""
    if BREAKS[name].parts is ON_SERVER:
        request.getfixturevalue("postgres")
    assert seeds_until_seen(BREAKS[name]) is not None
