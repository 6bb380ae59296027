"""What Mews shows of one order is judged alike by whoever meets it: run, recover, reconcile and canary."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from builders import a_mapping, a_reference
from load_fakes import (
    SERVICE,
    Killed,
    SmallMews,
    VirtualTime,
    a_payment,
    a_reach,
    an_order,
    open_ledger,
    recover_into,
    run_poster,
    some_facts,
)
from test_undo import killed_undo
from undo_fakes import UndoMews, posted, undo_in

from etl.ledger.ledger import Ledger
from etl.load.session import Session
from etl.load.survey import Surveyor
from etl.model.plan import Entry, PlannedOrder
from etl.model.reference import Service
from etl.model.rows import OrderItemRow
from etl.model.states import State
from etl.pipeline.canary import CanaryCheck
from etl.pipeline.reconcile import Reconciliation
from etl.reconcile.notebook import Notebook

Rows = list[OrderItemRow]
CENT = Decimal("0.01")


def change(index: int, **values: Any) -> Callable[[Rows], Rows]:
    """One item is shown otherwise."""
    return lambda rows: [replace(row, **values) if at == index else row for at, row in enumerate(rows)]


def off(index: int, *, net: str = "0", gross: str = "0") -> Callable[[Rows], Rows]:
    """One item is booked with so much more."""

    def changed(rows: Rows) -> Rows:
        row = rows[index]
        booked = (row.net + Decimal(net), row.gross + Decimal(gross))
        taxes = (("UK-S", booked[1] - booked[0]),)
        return change(index, net=booked[0], gross=booked[1], unit_gross=booked[1] / row.count, taxes=taxes)(rows)

    return changed


def more(**values: Any) -> Callable[[Rows], Rows]:
    """One item more, that nobody sent."""
    return lambda rows: [*rows, replace(rows[0], id="more", external_identifier="", name="Rebate", **values)]


def cancelled(row: OrderItemRow) -> OrderItemRow:
    return replace(row, state="Canceled", canceled=row.created)


def copied(rows: Rows) -> Rows:
    """The order stands a second time, and the staff cancelled that."""
    return [*rows, *(replace(cancelled(row), id=f"copy-{row.id}", order_id="copy") for row in rows)]


def moved(rows: Rows) -> Rows:
    """Mews holds the order under another OrderId than it answered."""
    return [replace(row, order_id="elsewhere") for row in rows]


SIGHTINGS: dict[str, tuple[bool, Callable[[Rows], Rows]]] = {
    "same": (True, lambda rows: rows),
    "no identifiers": (True, lambda rows: [replace(row, external_identifier="") for row in rows]),
    "shown converted": (True, change(0, currency="EUR", gross=Decimal("13.80"), original_currency="GBP")),
    "last digit of a tax": (True, off(0, net="0.01")),
    "cancelled extra item": (True, more(state="Canceled")),
    "cancelled copy": (True, copied),
    "other currency": (False, change(0, currency="EUR", original_currency="EUR")),
    "other count": (False, change(0, count=1)),
    "a cent more": (False, off(0, gross="0.01")),
    "a cent less": (False, off(1, gross="-0.01", net="-0.01")),
    "two cents of net": (False, off(1, net="0.02")),
    "other codes": (False, change(1, taxes=(("UK-R", Decimal("1.00")),))),
    "a code of no tax": (False, change(1, taxes=(("UK-S", Decimal("1.00")), ("UK-Z", Decimal("0.00"))))),
    "missing item": (False, lambda rows: rows[:1]),
    "extra item": (False, more()),
    "other identifier": (False, change(0, external_identifier="till 7")),
    "moved OrderId": (False, moved),
}
OF_POSTED = frozenset({"cancelled copy", "moved OrderId"})
"""Sightings beside the OrderId that Mews answered: the order was posted and its answer came."""


def the_order() -> PlannedOrder:
    """Two mugs and shipping."""
    mug = an_order("2").entries[0]
    mugs = replace(mug, count=2, unit=Decimal("6.00"))
    shipping: Entry = replace(an_order("2", amount="6.00").entries[0], line="s1", name="Shipping")
    return an_order("2", entries=(mugs, shipping))


class World:
    """A ledger with order 2 in it, in doubt or posted, and a Mews that shows it in some way."""

    def __init__(self, path: Path, show: Callable[[Rows], Rows], *, lost: bool) -> None:
        self.time = VirtualTime()
        self.mews = SmallMews(self.time)
        self.path = path
        self.mews.script = lambda p, _: ("lost", 0.0) if lost and "uk:2]" in p["Notes"] else None
        self.mews.lag = 60.0 if lost else 0.0
        batch = [an_order("1"), the_order()]
        run_poster(path, self.mews, self.time, batch, run={"no_wait": True}, is_wanted=not lost)
        self.mews.lag = 0.0
        self.time.seconds += 400
        mine = [(at, row) for at, row in self.mews.items if row.notes.startswith("[centra:uk:2]")]
        others = [one for one in self.mews.items if one not in mine]
        self.mews.items = others + [(mine[0][0], row) for row in show([row for _, row in mine])]

    def do(self, work: Any) -> Any:
        async def main() -> Any:
            return await self.time.drive(asyncio.ensure_future(connected()))

        async def connected() -> Any:
            # As every command does: Mews's time comes first.
            await self.mews.configuration()
            return await work()

        return asyncio.run(main())

    def state(self) -> State:
        """What the ledger calls order 2."""
        with Ledger.open(self.path, read_only=True) as ledger:
            return ledger.order("2").state


def by_run(path: Path, name: str) -> bool:
    """The walk of a run."""
    world = World(path, SIGHTINGS[name][1], lost=name not in OF_POSTED)
    with open_ledger(path, world.time) as ledger:
        session = Session(ledger, a_reach(world.mews, world.time), some_facts("run-9"), lambda _: None)
        world.do(Surveyor(session).survey)
    return world.state() is State.POSTED


def by_recover(path: Path, name: str) -> bool:
    """`recover` on a ledger that sent the order."""
    world = World(path, SIGHTINGS[name][1], lost=name not in OF_POSTED)
    found = recover_into(path, world.mews, world.time)
    assert (world.state() is State.DIFFERENT) is ("2" in found.different)
    return world.state() is State.POSTED


def by_reconcile(path: Path, name: str) -> bool:
    """`reconcile` of the posted order."""
    world = World(path, SIGHTINGS[name][1], lost=False)
    mapping = a_mapping(source={"store": "uk"})
    reference = a_reference(service=Service(SERVICE, "Web shop", True, True, "WEB-SHOP"))
    with Ledger.open(path, read_only=True) as ledger, Notebook() as notebook:
        job = Reconciliation(
            ledger, world.mews, mapping, reference, notebook, sleep=world.time.sleep, progress=lambda *_: None
        )
        world.do(job.work)
        return bool(job.tell(None).document["orders"]["matched"] == 2)


def by_canary(path: Path, name: str) -> bool:
    """The canary that posted the order."""
    world = World(path, SIGHTINGS[name][1], lost=False)
    with Ledger.open(path, read_only=True) as ledger:
        check = CanaryCheck(
            ledger, world.mews, run_id="run-1", service_id=SERVICE, patience=1.0, sleep=world.time.sleep
        )
        return "2" not in world.do(check.look).differences


@pytest.mark.parametrize("name", SIGHTINGS)
def test_one_sighting_has_one_judgement(tmp_path, name):
    """What is the order for one command and is not for another is believed by nobody."""
    judges = (by_run, by_recover, by_reconcile, by_canary)
    said = {judge.__name__: judge(tmp_path / f"{judge.__name__}.sqlite", name) for judge in judges}
    assert said == dict.fromkeys(said, SIGHTINGS[name][0])


def test_run_and_recover_say_it_in_the_same_words(tmp_path):
    """A person who reads of it twice reads of one thing."""
    words = set()
    for judge in (by_run, by_recover):
        path = tmp_path / f"{judge.__name__}.sqlite"
        judge(path, "a cent more")
        with Ledger.open(path, read_only=True) as ledger:
            words.add(ledger.order("2").message)
    assert words == {"centra:uk:2:p1: expected amount 12.00 GBP, Mews has 12.01 GBP"}


def test_a_cancelled_copy_of_an_order_in_doubt_is_no_copy(tmp_path):
    """It charges nobody: the order is the one that stands."""
    world = World(tmp_path / "ledger.sqlite", copied, lost=True)
    with open_ledger(world.path, world.time) as ledger:
        session = Session(ledger, a_reach(world.mews, world.time), some_facts("run-9"), lambda _: None)
        found = world.do(Surveyor(session).survey)
    assert (found.duplicated, world.state()) == ({}, State.POSTED)


@pytest.mark.parametrize("judge", ["run", "recover"])
@pytest.mark.parametrize(("amount", "state"), [("-5.00", State.POSTED), ("-4.00", State.DIFFERENT)])
def test_a_payment_in_doubt_is_judged_alike(tmp_path, judge, amount, state):
    """`recover` compares a payment with what was sent, as a run does."""
    time = VirtualTime()
    mews, path = SmallMews(time), tmp_path / "ledger.sqlite"
    mews.script = lambda p, _: ("lost", 0.0) if "Type" in p else None
    mews.lag = 60.0
    batch = [an_order("1"), an_order("2", payments=(a_payment(),))]
    run_poster(path, mews, time, batch, run={"no_wait": True}, is_wanted=False)
    mews.lag = 0.0
    time.seconds += 400
    mews.paid = [(at, replace(row, gross=Decimal(amount), net=Decimal(amount))) for at, row in mews.paid]
    if judge == "recover":
        assert set(recover_into(path, mews, time).different) == ({"2"} if state is State.DIFFERENT else set())
    else:
        run_poster(path, mews, time, batch, run_id="run-2", is_wanted=False)
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.order("2").state is state


def stand(path: Path, number: str = "2") -> tuple[State, str, list[tuple[str, State, str]]]:
    """What a ledger says of an order: state, words, and its parts."""
    with Ledger.open(path, read_only=True) as ledger:
        row = ledger.order(number)
        parts = [(one.part, one.state, one.message) for one in ledger.parts([number])[number]]
    return row.state, row.message, sorted(parts)


def survey_of(world: World) -> None:
    """The walk of a run."""
    with open_ledger(world.path, world.time) as ledger:
        session = Session(ledger, a_reach(world.mews, world.time), some_facts("run-9"), lambda _: None)
        world.do(Surveyor(session).survey)


def taken_back(rows: Rows) -> Rows:
    return [cancelled(row) for row in rows]


@pytest.mark.parametrize(
    ("show", "state"), [(taken_back, State.UNDONE), (lambda rows: [rows[0], cancelled(rows[1])], State.DIFFERENT)]
)
def test_what_the_staff_took_back_of_an_order_in_doubt_is_judged_alike(tmp_path, show, state):
    """It was there, so it is not sent again; and what does not stand any more is not counted as standing."""
    said = []
    for judge in (survey_of, lambda world: recover_into(world.path, world.mews, world.time)):
        world = World(tmp_path / f"{len(said)}.sqlite", show, lost=True)
        judge(world)
        said.append(stand(world.path))
        sent = len(world.mews.calls)
        # Nobody's sign, and nothing that goes again.
        again = run_poster(world.path, world.mews, world.time, [an_order("1"), the_order()], run_id="run-10")
        assert (len(world.mews.calls), again.stop) == (sent, None)
    assert said[0] == said[1]
    assert said[0][0] is state


@pytest.mark.parametrize("by_recover", [False, True], ids=["run", "recover"])
def test_no_gift_card_follows_an_order_that_the_staff_took_back(tmp_path, by_recover):
    """The order came and its answer did not; before anybody looked, it was cancelled: its payment is not due."""
    time = VirtualTime()
    mews, path = SmallMews(time), tmp_path / "ledger.sqlite"
    mews.script = lambda p, _: ("lost", 0.0) if "uk:2]" in p["Notes"] else None
    mews.lag = 60.0
    batch = [an_order("1"), an_order("2", payments=(a_payment(),))]
    run_poster(path, mews, time, batch, run={"no_wait": True})
    mews.lag = 0.0
    time.seconds += 400
    mews.items = [(at, cancelled(row) if "uk:2]" in row.notes else row) for at, row in mews.items]
    if by_recover:
        recover_into(path, mews, time)
    result = run_poster(path, mews, time, batch, run_id="run-2")
    assert (result.stop, mews.times_paid("2", "gift1")) == (None, 0)
    assert stand(path)[0] is State.UNDONE


def change_undo(**values: Any) -> Callable[[Rows], Rows]:
    return lambda rows: [replace(row, **values) if ":undo" in row.notes else row for row in rows]


def undo_off(cents: str) -> Callable[[Rows], Rows]:
    """The reversal is booked with so much more."""

    def changed(rows: Rows) -> Rows:
        more_of_it = Decimal(cents)
        return [
            replace(row, gross=row.gross + more_of_it, unit_gross=row.unit_gross + more_of_it, net=row.net + more_of_it)
            if ":undo" in row.notes
            else row
            for row in rows
        ]

    return changed


UNDONE: dict[str, tuple[State, Callable[[Rows], Rows]]] = {
    "same": (State.UNDONE, lambda rows: rows),
    "no identifiers": (State.UNDONE, change_undo(external_identifier="")),
    "other codes": (State.DIFFERENT, change_undo(taxes=(("UK-R", Decimal("-2.00")),))),
    "a cent less": (State.DIFFERENT, undo_off("0.01")),
    "cancelled again": (
        State.DIFFERENT,
        lambda rows: [cancelled(row) if ":undo" in row.notes else row for row in rows],
    ),
    "order changed": (
        State.DIFFERENT,
        lambda rows: [
            row if ":undo" in row.notes else replace(row, gross=row.gross + 1, net=row.net + 1) for row in rows
        ],
    ),
}


@pytest.mark.parametrize("name", UNDONE)
def test_an_undo_entry_in_doubt_is_judged_alike(tmp_path, name):
    """By what was sent, and by what it leaves of the order: the same words and states, whoever meets it first."""
    said = []
    for at in range(2):
        time = VirtualTime()
        mews, path = UndoMews(time), tmp_path / f"{at}.sqlite"
        posted(path, mews, time, [an_order("2")])
        mews.may_cancel = False

        def die(checkpoint: str, mews: UndoMews = mews) -> None:
            if checkpoint == "answer.received" and len(mews.calls) > 1:
                raise Killed

        assert killed_undo(path, mews, time, die)
        time.seconds += 400
        seconds, rows = zip(*mews.items, strict=True)
        mews.items = list(zip(seconds, UNDONE[name][1](list(rows)), strict=True))
        if at:
            recover_into(path, mews, time)
        else:
            assert run_poster(path, mews, time, [an_order("2")], run_id="run-2").stop is None
        said.append(stand(path))
        sent = len(mews.calls)
        undo_in(path, mews, time)
        assert len(mews.calls) == sent, "reversed twice"
    assert said[0] == said[1]
    assert said[0][0] is UNDONE[name][0]
