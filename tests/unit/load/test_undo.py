"""Undo: whole orders reversed once, or kept with the reason; no answer, crash or copy leads to a second reversal."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ledger_copy import copy_ledger
from load_fakes import ME, Killed, VirtualTime, a_payment, an_order, open_ledger, recover_into, run_poster
from undo_fakes import UndoMews, an_undoer, posted, undo_in, with_lines

from etl.errors import ExitCode, LedgerError, MewsError, UsageError
from etl.ledger.holder import Holder
from etl.ledger.ledger import Ledger
from etl.ledger.records import PartKind, RunRecord
from etl.ledger.steps import NotReady
from etl.load.reverser import Reverser
from etl.load.signs import IncompleteError
from etl.load.stop import StopFlag
from etl.load.undo import Ending, Selection, Undoer, UndoResult
from etl.model.outcome import Kind, Outcome
from etl.model.rows import PaymentRow
from etl.model.states import State
from etl.model.status import ReportState

NEVER = Outcome(Kind.UNKNOWN, message="reset")
REFUSED = Outcome(Kind.REFUSED, status=403, message="not this one", request_id="r7")


@pytest.fixture
def mews(time: VirtualTime) -> UndoMews:
    return UndoMews(time)


def orders(count: int, **more: object) -> list:
    return [an_order(str(number), **more) for number in range(1, count + 1)]


def endings(result: UndoResult) -> dict[str, Ending]:
    return {detail.order: detail.result for detail in result.details}


def message_of(result: UndoResult, number: str) -> str:
    return next(detail.message for detail in result.details if detail.order == number)


def state_of(path: Path, number: str) -> State:
    with Ledger.open(path, read_only=True) as ledger:
        return ledger.order(number).state


# Ways to reverse


def test_a_run_is_cancelled_ten_items_a_call(path, mews, time):
    """`orderItems/cancel` takes ten ids; an order of 25 items needs three calls, and no call serves two orders."""
    posted(path, mews, time, [with_lines("1", 25), an_order("2")])
    result = undo_in(path, mews, time)
    assert endings(result) == {"1": Ending.REVERSED, "2": Ending.REVERSED}
    assert sorted(len(ids) for ids in mews.cancel_calls) == [1, 5, 10, 10]
    assert mews.balance() == 0
    assert (state_of(path, "1"), state_of(path, "2")) == (State.UNDONE, State.UNDONE)
    assert result.exit_code is ExitCode.DONE
    with Ledger.open(path, read_only=True) as ledger:
        parts = [part for held in ledger.parts(["1", "2"]).values() for part in held if part.kind is PartKind.UNDO]
    assert [part.mews_id for part in parts] == [part.target for part in parts], "a cancellation has no other id"


def test_the_opposite_is_exact(path, mews, time):
    """Where cancelling is not allowed: same account, codes, time and product, opposite unit, undo identifiers."""
    posted(path, mews, time, [an_order("1", amount="12.34")])
    mews.may_cancel = False
    result = undo_in(path, mews, time)
    assert result.details[0].how == "opposite"
    sent, opposite = mews.calls[0], mews.calls[1]
    for name in ("ServiceId", "AccountId", "ConsumptionUtc"):
        assert opposite[name] == sent[name]
    (item,), (original,) = opposite["Items"], sent["Items"]
    assert item["UnitCount"] == original["UnitCount"] > 0
    assert item["UnitAmount"] == {**original["UnitAmount"], "GrossValue": Decimal("-12.34")}
    assert item["ExternalIdentifier"] == "centra:uk:1:undo:p1"
    assert opposite["Notes"].startswith("[centra:uk:1:undo] ")
    assert mews.balance() == 0
    assert state_of(path, "1") is State.UNDONE


def test_one_refused_permission_is_asked_for_once(path, mews, time):
    """401 on cancelling is a missing permission, not lost credentials; later orders are not tried in vain."""
    posted(path, mews, time, orders(6))
    mews.may_cancel = False
    result = undo_in(path, mews, time)
    assert (result.count(Ending.REVERSED), len(mews.cancel_calls)) == (6, 1)
    assert mews.balance() == 0


@pytest.mark.parametrize(
    ("answer", "most"),
    [
        (Outcome(Kind.REFUSED, status=400, message="unknown operation", request_id="r1"), 3),
        (Outcome(Kind.REFUSED, status=403, message="this integration may not cancel", request_id="r1"), 3),
        (Outcome(Kind.STOP, status=401, message="no permission"), 1),
        (Outcome(Kind.STOP, status=404, message="no such operation"), 1),
        (Outcome(Kind.CONFLICT, status=409, message="the data has changed"), 12),
    ],
    ids=["400", "403", "401", "404", "409"],
)
def test_whatever_refuses_cancelling_leads_to_opposites(path, mews, time, answer, most):
    """More orders than the breaker takes of one refusal: each is reversed, and cancelling is not tried in vain."""
    batch = [an_order("1", payments=(a_payment(),)), *(an_order(str(number)) for number in range(2, 25))]
    posted(path, mews, time, batch)
    mews.cancel_script = lambda _ids, _number: answer
    result = undo_in(path, mews, time)
    assert (result.stop, result.count(Ending.REVERSED)) == (None, 24)
    assert (mews.balance(), mews.paid_balance()) == (0, 0)
    assert len(mews.cancel_calls) == most
    assert len(set(mews.reversals())) == 24


@pytest.mark.parametrize("status", [403, 401])
def test_cancelling_that_is_refused_midway_leaves_the_rest_to_an_opposite(path, mews, time, status):
    """Ten items are cancelled, the next call is refused: the opposite holds the others, no item is reversed twice."""
    posted(path, mews, time, [with_lines("1", 25), an_order("2")])
    kind = Kind.STOP if status == 401 else Kind.REFUSED
    denied = Outcome(kind, status=status, message="not any more", request_id="r1")
    mews.cancel_script = lambda _ids, number: denied if number > 1 else None
    result = undo_in(path, mews, time)
    assert (result.stop, result.count(Ending.REVERSED)) == (None, 2)
    assert mews.balance() == 0
    assert len([one for one in mews.reversals() if one.startswith("centra:uk:1:")]) == 15


def test_refusals_of_single_orders_do_not_forbid_cancelling(path, mews, time):
    """Three orders can't be cancelled for reasons of their own after one was: the others still are."""
    posted(path, mews, time, orders(8))
    bad = {row.id for _, row in mews.items if row.notes.split()[-1] in ("2", "3", "4")}
    mews.cancel_script = lambda ids, _number: REFUSED if bad & set(ids) else None
    result = undo_in(path, mews, time)
    assert result.count(Ending.REVERSED) == 8
    assert len(mews.reversals()) == 3
    assert mews.balance() == 0


def test_lost_credentials_stop_everything(path, mews, time):
    """401 on every operation: nothing is posted as opposite, and the next undo goes on."""
    posted(path, mews, time, orders(3))
    mews.may_cancel = False

    def lose(_: int) -> None:
        mews.has_lost_credentials = True

    mews.before_cancelling = lose
    result = undo_in(path, mews, time)
    assert result.exit_code is ExitCode.MEWS
    assert result.left == 3
    assert len(mews.calls) == 3
    mews.has_lost_credentials, mews.before_cancelling = False, lambda _: None
    mews.may_cancel = True
    assert undo_in(path, mews, time).count(Ending.REVERSED) == 3


def test_a_second_undo_does_nothing(path, mews, time):
    """Idempotent: what is reversed is told as such, and no request changes anything."""
    posted(path, mews, time, orders(2))
    undo_in(path, mews, time)
    calls = len(mews.cancel_calls)
    result = undo_in(path, mews, time)
    assert endings(result) == {"1": Ending.ALREADY, "2": Ending.ALREADY}
    assert result.exit_code is ExitCode.DONE
    assert len(mews.cancel_calls) == calls
    assert len(mews.calls) == 2


def test_what_the_staff_cancelled_is_not_reversed_again(path, mews, time):
    """Half of an order is cancelled by hand: recover takes it in, only the rest gets an opposite, a whole one nothing."""
    posted(path, mews, time, [with_lines("1", 2), an_order("2")])
    mews.may_cancel = False
    mews.cancelled = [(time.seconds, mews.items[0][1].id), (time.seconds, mews.items[2][1].id)]
    with pytest.raises(LedgerError) as caught:
        undo_in(path, mews, time)
    assert caught.value.code == "ledger.incomplete"
    found = recover_into(path, mews, time)
    assert (found.undone, found.different) == (1, {"1": "1 of its items are cancelled in Mews"})
    result = undo_in(path, mews, time)
    assert endings(result) == {"1": Ending.REVERSED, "2": Ending.ALREADY}
    assert mews.reversals() == ["centra:uk:1:undo:p2"]
    assert mews.balance() == 0


# Why an order is kept


def test_a_closed_bill_keeps_the_whole_order(path, mews, time):
    """One closed item is enough: no other item of the order is touched, and the exit code says so."""
    posted(path, mews, time, [with_lines("1", 12), an_order("2")])
    mews.closed = {mews.items[11][1].id}
    result = undo_in(path, mews, time)
    assert endings(result) == {"1": Ending.KEPT, "2": Ending.REVERSED}
    assert "closed bill" in message_of(result, "1")
    assert len(mews.cancel_calls) == 1
    assert state_of(path, "1") is State.POSTED
    assert result.exit_code is ExitCode.ATTENTION


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"may_rebate": False}, "rebates"),
        ({"window_start": lambda now: now - timedelta(days=1)}, "window"),
        ({"flat_codes": frozenset({"UK-S"})}, "amount a piece"),
    ],
    ids=["rebates", "window", "flat tax"],
)
def test_an_opposite_that_can_not_be_is_told(path, mews, time, more, why):
    """Rebates not allowed, consumption outside the window, a tax a piece: kept with the reason, nothing sent."""
    posted(path, mews, time, orders(1))
    mews.may_cancel = False
    result = undo_in(path, mews, time, **more)
    assert endings(result) == {"1": Ending.KEPT}
    assert why in message_of(result, "1")
    assert len(mews.calls) == 1
    assert state_of(path, "1") is State.POSTED


def test_a_refused_opposite_keeps_the_order_and_can_be_tried_again(path, mews, time):
    """Mews's message and RequestId are told; once the cause is cleared, the same command works."""
    posted(path, mews, time, orders(1))
    mews.may_cancel = False
    mews.script = lambda p, _: REFUSED
    result = undo_in(path, mews, time)
    assert endings(result) == {"1": Ending.KEPT}
    assert "not this one" in message_of(result, "1")
    assert "r7" in message_of(result, "1")
    mews.script = lambda _p, _n: None
    assert undo_in(path, mews, time).count(Ending.REVERSED) == 1
    assert mews.balance() == 0


def test_an_order_with_a_part_in_doubt_is_kept(path, mews, time):
    """Whether its payment arrived is not known: reversing now could leave it standing."""
    mews.script = lambda p, n: NEVER if n == 2 else None
    run_poster(path, mews, time, [an_order("1", payments=(a_payment("gift1"),))], run={"no_wait": True})
    result = undo_in(path, mews, time)
    assert endings(result) == {"1": Ending.KEPT}
    assert mews.cancel_calls == []


def test_an_order_id_that_carries_the_mark_of_another_order_is_kept(path, mews, time):
    """Whatever the ledger says: what stands there is another order, and cancelling it would take its money back."""
    posted(path, mews, time, orders(2))
    swapped = {"OrderId-1": "OrderId-2", "OrderId-2": "OrderId-1"}
    watched = Undoer.watcher_type.look

    async def swap(self, **more):
        result = await watched(self, **more)
        mews.items = [(at, replace(row, order_id=swapped[row.order_id])) for at, row in mews.items]
        swapped.update({one: one for one in swapped})
        return result

    with mock.patch.object(Undoer.watcher_type, "look", swap):
        result = undo_in(path, mews, time)
    assert endings(result) == {"1": Ending.KEPT, "2": Ending.KEPT}
    assert "carries the mark of order" in message_of(result, "1")
    assert mews.cancel_calls == []


def test_what_the_staff_changed_is_balanced_as_it_stands(path, mews, time):
    """Another price by now: the opposite of what was sent would leave a difference on the guest's account."""
    posted(path, mews, time, orders(1, amount="12.00"))
    mews.items = [(at, replace(row, gross=Decimal("9.60"), net=Decimal("8.00"))) for at, row in mews.items]
    mews.may_cancel = False
    assert endings(undo_in(path, mews, time)) == {"1": Ending.REVERSED}
    assert mews.balance() == 0


# Payments


def test_payments_are_reversed_by_their_opposite(path, mews, time):
    """gift1 and pay1 each get the opposite external payment under undo identifiers; a rerun adds none."""
    posted(path, mews, time, [an_order("1", payments=(a_payment("gift1"), a_payment("pay1", "7.00")))])
    result = undo_in(path, mews, time)
    assert result.count(Ending.REVERSED) == 1
    assert mews.paid_balance() == 0
    assert {row.external_identifier for _, row in mews.paid[2:]} == {"centra:uk:1:undo:gift1", "centra:uk:1:undo:pay1"}
    with Ledger.open(path, read_only=True) as ledger:
        states = {part.part: part.state for part in ledger.parts(["1"])["1"]}
    assert states["order"] is states["gift1"] is states["pay1"] is State.UNDONE
    undo_in(path, mews, time)
    assert len(mews.paid) == 4


@pytest.mark.parametrize("may_cancel", [True, False])
def test_a_payment_that_stays_keeps_its_order(path, mews, time, may_cancel):
    """A guest must not lose the charge and keep the credit: where the opposite payment is refused, all is kept."""
    posted(path, mews, time, [an_order("0"), an_order("1", payments=(a_payment("gift1"),))])
    mews.may_cancel = may_cancel
    mews.script = lambda p, _: REFUSED if p.get("Type") else None
    result = undo_in(path, mews, time)
    assert endings(result) == {"0": Ending.REVERSED, "1": Ending.KEPT}
    assert mews.standing("1")
    assert mews.balance() == Decimal("12.00")
    assert state_of(path, "1") is State.POSTED


def test_payments_stay_where_the_opposite_of_the_order_can_not_be(path, mews, time):
    """What is known beforehand is looked at before the first payment is reversed."""
    posted(path, mews, time, [an_order("0"), an_order("1", payments=(a_payment("gift1"),))])
    mews.may_cancel = False
    result = undo_in(path, mews, time, may_rebate=False)
    assert endings(result) == {"0": Ending.KEPT, "1": Ending.KEPT}
    assert len(mews.paid) == 1


def test_a_payment_of_another_amount_by_now_keeps_its_order(path, mews, time):
    """What would balance it is for the hotel to say."""
    posted(path, mews, time, [an_order("1", payments=(a_payment("gift1", "5.00"),))])
    mews.paid = [(at, replace(row, gross=Decimal("-4.00"), net=Decimal("-4.00"))) for at, row in mews.paid]
    mews.may_cancel = False
    assert "not 5.00 as it was sent" in message_of(undo_in(path, mews, time), "1")
    assert len(mews.paid) == 1


# Returns


def test_an_order_with_a_return_in_mews_is_refused_without_it(path, mews, time):
    """A return credits what its order charged: alone it would be a gift."""
    posted(path, mews, time, [an_order("1"), an_order("1-R7", parent="1")])
    result = undo_in(path, mews, time, only=["1"])
    assert endings(result) == {"1": Ending.KEPT}
    assert "1-R7" in message_of(result, "1")
    assert mews.cancel_calls == []


@pytest.mark.parametrize("lost", [False, True])
def test_returns_go_before_their_order(path, mews, time, lost):
    """With the whole run both go, the return first, even where the return's answer is lost."""
    posted(path, mews, time, [an_order("1"), an_order("1-R7", parent="1"), an_order("2")])
    if lost:
        mews.cancel_script = lambda ids, n: ("lost", 20.0) if n == 1 else None
    result = undo_in(path, mews, time)
    assert result.count(Ending.REVERSED) == 3
    order = [detail.order for detail in result.details]
    assert order.index("1-R7") < order.index("1")


def test_a_return_that_is_kept_keeps_its_order(path, mews, time):
    """The return stands on a closed bill: its order stays as well."""
    posted(path, mews, time, [an_order("1"), an_order("1-R7", parent="1")])
    mews.closed = {row.id for _, row in mews.items if "1-R7" in row.notes}
    assert endings(undo_in(path, mews, time)) == {"1-R7": Ending.KEPT, "1": Ending.KEPT}


# Copies


def a_copy(mews: UndoMews) -> None:
    at, row = mews.items[0]
    mews.items.append((at, replace(row, id="copy-item", order_id="copy")))


@pytest.mark.parametrize("may_cancel", [True, False])
@pytest.mark.parametrize("gone", ["copy", "OrderId-1"])
def test_one_copy_goes_and_the_other_is_the_order(path, mews, time, may_cancel, gone):
    """Whichever copy is undone: the order stays posted under the other, and no longer counts as duplicated."""
    posted(path, mews, time, orders(2))
    a_copy(mews)
    mews.may_cancel = may_cancel
    kept = ({"copy", "OrderId-1"} - {gone}).pop()
    result = undo_in(path, mews, time, run="", order_ids=[gone])
    assert [(detail.order, detail.order_id, detail.result) for detail in result.details] == [
        ("1", gone, Ending.REVERSED)
    ]
    with Ledger.open(path, read_only=True) as ledger:
        row = ledger.order("1")
        assert (row.state, row.mews_order_id, row.duplicates) == (State.POSTED, kept, ())
    assert mews.balance() == Decimal("24.00")
    again = run_poster(path, mews, time, orders(3), run_id="run-2")
    assert (again.duplicated, again.exit_code) == ({}, ExitCode.DONE)
    told = undo_in(path, mews, time, run="", order_ids=[gone])
    assert [(detail.order_id, detail.result) for detail in told.details] == [(gone, Ending.ALREADY)]
    both = undo_in(path, mews, time, run="", order_ids=[gone, kept])
    assert {(detail.order_id, detail.result) for detail in both.details} == {
        (gone, Ending.ALREADY),
        (kept, Ending.REVERSED),
    }
    assert mews.balance() == Decimal("24.00")
    for one in (gone, kept):
        assert undo_in(path, mews, time, run="", order_ids=[one]).count(Ending.ALREADY) == 1


@pytest.mark.parametrize("may_cancel", [True, False])
def test_a_copy_whose_reversal_was_cut_short_is_no_reversed_one(path, mews, time, may_cancel):
    """Mews has the reversal, the ledger still counts the copy: naming it again brings the order to its end."""
    posted(path, mews, time, orders(1))
    mews.may_cancel = may_cancel
    assert killed_undo(path, mews, time, KillAt("outcome.recorded", 1 if may_cancel else 2))
    assert state_of(path, "1") is State.POSTED
    result = undo_in(path, mews, time, run="", order_ids=["OrderId-1"])
    assert result.count(Ending.REVERSED) == 1
    assert state_of(path, "1") is State.UNDONE
    assert mews.balance() == 0


@pytest.mark.parametrize("may_cancel", [True, False])
def test_a_run_takes_all_copies_along(path, mews, time, may_cancel):
    """Nothing of the order stays, each copy is balanced by an entry of its own, and both under one identifier."""
    posted(path, mews, time, orders(1))
    a_copy(mews)
    mews.may_cancel = may_cancel
    result = undo_in(path, mews, time)
    assert result.count(Ending.REVERSED) == 1
    assert mews.balance() == 0
    assert state_of(path, "1") is State.UNDONE


async def choose_in(ledger: Ledger, mews: UndoMews, time: VirtualTime) -> Selection:
    return await time.drive(asyncio.ensure_future(an_undoer(ledger, mews, time).choose("run-1")))


@pytest.mark.parametrize("shown", ["identifier", "marker"])
def test_copies_of_a_payment_go_with_their_order(path, mews, time, shown):
    """Order and payment stand there twice: all four go, by whichever mark Mews shows, and people are asked about two."""
    posted(path, mews, time, [an_order("1", payments=(a_payment(),))])
    a_copy(mews)
    at, paid = mews.paid[0]
    mews.paid.append((at, replace(paid, id="paid-twice")))
    if shown == "marker":
        mews.paid = [(at, replace(row, external_identifier="")) for at, row in mews.paid]
    with open_ledger(path, time) as ledger:
        chosen = asyncio.run(choose_in(ledger, mews, time))
    assert chosen.money == {"GBP": Decimal("24.00")}
    assert [target.order_ids for target in chosen.targets] == [("OrderId-1", "copy")]
    assert undo_in(path, mews, time).count(Ending.REVERSED) == 1
    assert (mews.balance(), mews.paid_balance()) == (0, 0)


@pytest.mark.parametrize(
    ("order_id", "notes"),
    [("nothing", ""), ("foreign", "[centra:se:1] x"), ("mute", "x"), ("undo", "[centra:uk:1:undo] x")],
)
def test_order_ids_of_others_are_refused(path, mews, time, order_id, notes):
    """Only what carries this store's identifier may be reversed, and no reversal."""
    posted(path, mews, time, orders(1))
    if notes:
        at, row = mews.items[0]
        mews.items.append((at - 400, replace(row, id="x", order_id=order_id, notes=notes, external_identifier="")))
    with pytest.raises((UsageError, LedgerError)):
        undo_in(path, mews, time, run="", order_ids=[order_id])
    assert mews.cancel_calls == []


def test_an_order_id_of_another_service_is_refused(path, mews, time):
    """The same marks there are another ledger's business."""
    posted(path, mews, time, orders(1))
    mews.items = [(at, replace(row, service_id="another")) for at, row in mews.items]
    with pytest.raises(UsageError, match="belongs to another service"):
        undo_in(path, mews, time, run="", order_ids=["OrderId-1"])
    assert mews.cancel_calls == []


# Names


def test_names_that_mean_nothing_are_refused(path, mews, time):
    """A mistyped run, an order of another run, one that was never posted: nothing is sent."""
    posted(path, mews, time, orders(1))
    for names in ({"run": "run-9"}, {"only": ["2"]}, {"run": "", "only": ["2"]}):
        with pytest.raises(UsageError):
            undo_in(path, mews, time, **names)


@pytest.mark.parametrize("kind", [Kind.REFUSED, Kind.UNKNOWN])
def test_what_is_not_known_to_be_in_mews_is_not_undone(path, mews, time, kind):
    """It is told by name, before anything of the others is reversed."""
    mews.script = lambda p, _: Outcome(kind, status=403) if "uk:2]" in p["Notes"] else None
    run_poster(path, mews, time, [an_order("1"), an_order("2")], run={"no_wait": True})
    with pytest.raises(UsageError) as caught:
        undo_in(path, mews, time, run="", only=["1", "2"])
    assert caught.value.code == "undo.not_posted"
    assert state_of(path, "1") is State.POSTED


@pytest.mark.parametrize("may_cancel", [True, False])
def test_an_undo_that_reversed_every_copy_ends_well(path, mews, time, may_cancel):
    """Its first look meets the copies that it is there for; once they are gone, nobody has to be told of them."""
    posted(path, mews, time, [an_order("1"), an_order("2")])
    mews.may_cancel = may_cancel
    time.seconds += 1000
    row, now = mews.items[0][1], mews.mews_now(time.seconds)
    mews.items.append((time.seconds, replace(row, id="copy", order_id="copy", created=now, updated=now)))
    time.seconds += 10
    result = undo_in(path, mews, time, run="", order_ids=["copy"])
    assert (result.stop, result.exit_code) == (None, ExitCode.DONE)
    assert mews.balance() == 2 * row.gross
    assert run_poster(path, mews, time, [an_order("1"), an_order("2")], run_id="run-2").duplicated == {}


def test_what_is_half_reversed_is_not_called_kept(path, mews, time):
    """Its gift card is paid back and its opposite refused: whoever reads "kept" would not look again."""
    posted(path, mews, time, [an_order("1"), an_order("2", payments=(a_payment(),))])
    mews.may_cancel = False
    refused = Outcome(Kind.REFUSED, status=403, message="no")
    mews.script = lambda p, _: refused if "uk:2:undo]" in p["Notes"] and "Type" not in p else None
    result = undo_in(path, mews, time)
    assert endings(result) == {"1": Ending.REVERSED, "2": Ending.FAILED}
    assert mews.paid_balance() == 0


def test_what_somebody_else_decides_meanwhile_is_not_called_reversed(path, mews, time, monkeypatch):
    """The ledger refuses the request: nothing was sent, and nothing is known of the order."""
    posted(path, mews, time, [an_order("1")])

    async def decided(*_):
        raise NotReady("order 1: undo:cancel1 is in_flight, not ready")

    monkeypatch.setattr(Reverser, "reverse", decided)
    result = undo_in(path, mews, time)
    assert endings(result) == {"1": Ending.FAILED}
    assert result.exit_code is ExitCode.ATTENTION


def test_a_run_whose_orders_a_later_one_posted_again_is_not_called_unknown(path, mews, time):
    """It stands among the runs on record; what it posted was undone since, and is another run's now."""
    posted(path, mews, time, orders(1))
    with Ledger.open(path) as ledger:
        ledger.take_lock("run")
        ledger.save_run(RunRecord("run-0", "run"))
        ledger.release_lock()
    with pytest.raises(UsageError, match="a later run posted them again"):
        undo_in(path, mews, time, run="run-0")
    with pytest.raises(UsageError, match="no such run"):
        undo_in(path, mews, time, run="run-9")


def test_a_ledger_that_knows_less_than_mews_undoes_nothing(path, mews, time, tmp_path):
    """An old copy of the ledger would reverse a second time: the scan before the first write stops it."""
    posted(path, mews, time, orders(1))
    old = tmp_path / "old.sqlite"
    copy_ledger(path, old)
    mews.may_cancel = False
    undo_in(path, mews, time)
    assert mews.balance() == 0
    with pytest.raises(LedgerError) as caught:
        undo_in(old, mews, time)
    assert caught.value.code == "ledger.incomplete"
    assert mews.balance() == 0


@pytest.mark.parametrize("may_cancel", [True, False])
def test_an_old_ledger_pays_nothing_back_twice(path, mews, time, tmp_path, may_cancel):
    """Cancellations leave no undo order: the cancelled items and the unknown undo payments are the signs."""
    batch = [an_order(str(number), payments=(a_payment(), a_payment("pay1", "1.00"))) for number in (1, 2, 3)]
    posted(path, mews, time, batch)
    old = tmp_path / "old.sqlite"
    copy_ledger(path, old)
    mews.may_cancel = may_cancel
    undo_in(path, mews, time)
    assert (mews.balance(), mews.paid_balance(), len(mews.paid)) == (0, 0, 12)
    with pytest.raises(IncompleteError) as caught:
        undo_in(old, mews, time)
    assert "3 orders of store 'uk' cancelled, reversed or paid back" in caught.value.message
    assert (mews.balance(), mews.paid_balance(), len(mews.paid)) == (0, 0, 12)
    assert (recover_into(old, mews, time).undone, state_of(old, "3")) == (3, State.UNDONE)
    assert undo_in(old, mews, time).count(Ending.ALREADY) == 3
    assert len(mews.paid) == 12


def test_an_order_in_doubt_that_the_right_ledger_undid_is_not_recovered(path, mews, time, tmp_path):
    """An old copy holds it as unknown: it stands there, and so does its opposite, so that `recover` is due."""
    batch = orders(2)
    mews.script = lambda payload, _: ("lost", 0.0) if "[centra:uk:2]" in payload["Notes"] else None
    mews.lag = 60.0
    run_poster(path, mews, time, batch, run={"no_wait": True})
    mews.lag = 0.0
    old = tmp_path / "old.sqlite"
    copy_ledger(path, old)
    assert state_of(old, "2") is State.UNKNOWN
    time.seconds += 400
    assert run_poster(path, mews, time, batch, run_id="run-2").counts[ReportState.RECOVERED] == 1
    mews.may_cancel = False
    assert undo_in(path, mews, time, run="", only=["2"]).count(Ending.REVERSED) == 1
    sent_before = len(mews.calls)
    result = run_poster(old, mews, time, batch, run_id="run-3")
    assert (result.stop.code, result.counts[ReportState.RECOVERED]) == ("ledger.incomplete", 0)
    assert "cancelled, reversed or paid back" in result.stop.message
    assert recover_into(old, mews, time).undone == 1
    assert (state_of(old, "2"), len(mews.calls)) == (State.UNDONE, sent_before)
    assert run_poster(old, mews, time, batch, run_id="run-4").exit_code is ExitCode.DONE


@pytest.mark.parametrize("sign", ["item", "undo payment"])
def test_one_sign_is_enough(path, mews, time, tmp_path, sign):
    """Killed between payment and items, an undo leaves one of the two signs only."""
    posted(path, mews, time, [an_order("1", payments=(a_payment(),)), an_order("2")])
    old = tmp_path / "old.sqlite"
    copy_ledger(path, old)
    if sign == "item":
        mews.cancelled = [(time.seconds, mews.items[0][1].id)]
    else:
        mews.paid.append((time.seconds, a_pay_back(mews)))
    with pytest.raises(IncompleteError):
        undo_in(old, mews, time)
    run = run_poster(old, mews, time, [an_order("1", payments=(a_payment(),)), an_order("2")], run_id="run-2")
    assert (run.sent, run.exit_code, run.stop.code) == (0, ExitCode.USAGE, "ledger.incomplete")
    assert len(mews.calls) == 3
    assert recover_into(old, mews, time).different == {
        "1": "its items are reversed, its payment gift1 stands"
        if sign == "item"
        else "its payment gift1 is paid back, its items stand"
    }
    assert undo_in(old, mews, time, run="", only=["1"]).count(Ending.REVERSED) == 1
    assert (mews.balance(), mews.paid_balance()) == (Decimal("12.00"), 0)


def a_pay_back(mews: UndoMews, name: str = "back", amount: str = "") -> PaymentRow:
    """What an undo with another ledger would have posted for the first payment."""
    row = mews.paid[0][1]
    identifier = row.external_identifier.replace(":gift1", ":undo:gift1")
    notes = f"[centra:uk:1:undo] Reverses payment {row.id} gift1"
    money = -Decimal(amount) if amount else -row.gross
    created = mews.mews_now(mews.time.seconds)
    return replace(
        row,
        id=name,
        external_identifier=identifier,
        notes=notes,
        gross=money,
        net=money,
        created=created,
        updated=created,
    )


def test_two_copies_that_undo_at_once_are_told(path, mews, time):
    """While one copy of the ledger undoes, another pays back the same payment: exit code 2, both ids listed."""
    posted(path, mews, time, [an_order("1", payments=(a_payment(),)), an_order("2")])
    mews.before_answer = lambda _: mews.paid.append((mews.time.seconds, a_pay_back(mews, "other's")))
    result = undo_in(path, mews, time)
    assert (result.exit_code, result.stop.code) == (ExitCode.USAGE, "ledger.incomplete")
    assert set(result.duplicated["1"]) == {"ExternalPaymentId-4", "other's"}
    mews.before_answer = lambda _: None
    # It is known by now, and told by whoever reads Mews back; nothing more is sent.
    assert undo_in(path, mews, time).count(Ending.ALREADY) == 2
    assert len(mews.paid) == 3


def test_recover_tells_what_was_paid_back_twice(path, mews, time, tmp_path):
    """The harm is done: the lost ledger and the right one say so, with both ids, and the next run is not held up."""
    batch = [an_order("1", payments=(a_payment(),))]
    posted(path, mews, time, batch)
    old = tmp_path / "old.sqlite"
    copy_ledger(path, old)
    undo_in(path, mews, time)
    mews.paid.append((time.seconds, a_pay_back(mews, "second")))
    for ledger in (path, old, tmp_path / "fresh.sqlite"):
        found = recover_into(ledger, mews, time)
        assert set(found.duplicated["1"]) == {"ExternalPaymentId-3", "second"}, ledger
        after = run_poster(ledger, mews, time, batch, run_id="run-2")
        assert (after.sent, after.stop) == (0, None)


def a_second_opposite(mews: UndoMews) -> None:
    """What another copy of the ledger would have posted at the same time for the first order."""
    at, row = mews.items[0]
    notes = f"[centra:uk:1:undo] Reverses Centra order 1, OrderId {row.order_id}"
    identifier = row.external_identifier.replace(":1:", ":1:undo:")
    other = replace(row, id="second-item", order_id="second", external_identifier=identifier, notes=notes)
    other = replace(other, canceled=None, state="Open")
    mews.items.append((at, replace(other, gross=-row.gross, net=-row.net, unit_gross=-row.unit_gross)))


@pytest.mark.parametrize("hides_notes", [False, True], ids=["notes", "no-notes"])
@pytest.mark.parametrize("what", ["items", "payment", "cancelled"])
def test_recover_tells_every_second_reversal(path, mews, time, tmp_path, hides_notes, what):
    """Two copies undid one order, and Mews may show no notes that name what they reversed: each recover tells it."""
    batch = [an_order("1", payments=(a_payment(),))]
    posted(path, mews, time, batch)
    old = tmp_path / "old.sqlite"
    copy_ledger(path, old)
    mews.may_cancel, mews.hides_notes = what == "cancelled", hides_notes
    undo_in(path, mews, time)
    first = mews.items[-1][1].order_id if what != "cancelled" else mews.items[0][1].order_id
    if what == "payment":
        first = mews.paid[-1][1].id
        mews.paid.append((time.seconds, a_pay_back(mews, "second")))
    else:
        a_second_opposite(mews)
    for ledger in (path, path, old, old, tmp_path / "fresh.sqlite"):
        found = recover_into(ledger, mews, time)
        assert set(found.duplicated["1"]) == {first, "second"}, ledger
        with Ledger.open(ledger, read_only=True) as opened:
            assert dict(opened.duplicated()) == {"1": tuple(sorted((first, "second")))}
        after = run_poster(ledger, mews, time, batch, run_id="run-2")
        assert (after.sent, after.stop) == (0, None)


@pytest.mark.parametrize("reversed_copies", [["OrderId-1"], ["copy"], ["OrderId-1", "copy"]])
def test_copies_reversed_by_opposites_without_notes_are_told_apart(path, mews, time, tmp_path, reversed_copies):
    """Mews shows no notes that name what was reversed: each opposite serves one copy that it balances, no more."""
    posted(path, mews, time, orders(2))
    a_copy(mews)
    recover_into(path, mews, time)
    mews.may_cancel, mews.hides_notes = False, True
    undo_in(path, mews, time, run="", order_ids=reversed_copies)
    for ledger in (path, tmp_path / "fresh.sqlite"):
        found = recover_into(ledger, mews, time)
        assert (found.different, found.duplicated) == ({}, {}), ledger
        assert state_of(ledger, "1") is (State.UNDONE if len(reversed_copies) == 2 else State.POSTED), ledger
        after = run_poster(ledger, mews, time, orders(2), run_id="run-2")
        assert (after.sent, after.stop) == (0, None)


@pytest.mark.parametrize("amount", ["4.00", "6.00"])
def test_a_payment_paid_back_otherwise_is_left_to_people(path, mews, time, amount):
    """Another amount went back than was paid: neither paid back again nor called settled."""
    posted(path, mews, time, [an_order("1", payments=(a_payment(),))])
    mews.paid.append((time.seconds, a_pay_back(mews, "odd", amount)))
    assert "paid back otherwise" in recover_into(path, mews, time).different["1"]
    result = undo_in(path, mews, time, run="", only=["1"])
    assert (result.count(Ending.FAILED), len(mews.paid), mews.cancel_calls) == (1, 2, [])
    assert "odd" in result.details[0].message


# Generations


@pytest.mark.parametrize("may_cancel", [True, False])
def test_generations_are_undone_one_by_one(path, mews, time, may_cancel):
    """Undone orders are left alone, posted again as generation 2 on demand, and that is undone under its own name."""
    posted(path, mews, time, orders(1))
    mews.may_cancel = may_cancel
    undo_in(path, mews, time)
    assert run_poster(path, mews, time, orders(1), run_id="run-2").sent == 0
    again = run_poster(path, mews, time, orders(1), run_id="run-3", run={"repost_undone": True})
    assert again.sent == 1
    assert mews.times_posted("1", "~2") == 1
    assert mews.balance() == Decimal("12.00")
    result = undo_in(path, mews, time, run="run-3")
    assert result.count(Ending.REVERSED) == 1
    assert mews.balance() == 0
    if not may_cancel:
        assert mews.reversals() == ["centra:uk:1:undo:p1", "centra:uk:1~2:undo:p1"]
    with pytest.raises(UsageError):
        undo_in(path, mews, time, run="run-1")


def test_a_payment_that_was_never_sent_is_not_due_after_an_undo(path, mews, time):
    """The order is undone, so its open payment must not be posted by the next run."""
    mews.script = lambda p, _: REFUSED if p.get("Type") else None
    batch = [an_order("1", payments=(a_payment("gift1"),))]
    run_poster(path, mews, time, batch)
    mews.script = lambda _p, _n: None
    undo_in(path, mews, time)
    assert state_of(path, "1") is State.UNDONE
    run_poster(path, mews, time, batch, run_id="run-2", run={"retry_rejected": True})
    assert mews.paid == []


# Unclear answers


@pytest.mark.parametrize("delay", [0.0, 30.0, 170.0])
def test_a_lost_answer_to_a_cancellation_is_settled_by_looking(path, mews, time, delay):
    """However late it lands: the items are cancelled, nothing is posted on top."""
    posted(path, mews, time, orders(2))
    mews.cancel_script = lambda ids, n: ("lost", delay) if n == 1 else None
    result = undo_in(path, mews, time)
    assert result.count(Ending.REVERSED) == 2
    assert mews.reversals() == []
    assert mews.balance() == 0


def test_a_cancellation_in_doubt_is_never_joined_by_an_opposite(path, mews, time):
    """The permission is withdrawn while a cancellation is on its way: the opposite waits until that has settled."""
    posted(path, mews, time, orders(1))
    # Mews acts on it, and shows so much later.
    mews.lag = 80.0

    def withdraw(_: int) -> None:
        mews.may_cancel = False

    mews.cancel_script = lambda _ids, _number: ("lost", 0.0)
    mews.after_cancelling = withdraw
    result = undo_in(path, mews, time)
    assert result.count(Ending.REVERSED) == 1
    assert mews.reversals() == []
    assert mews.balance() == 0


def test_a_cancellation_that_never_arrived_gives_way_to_the_opposite(path, mews, time):
    """The same, but it never reached Mews: once that is proved, the opposite goes, once."""
    posted(path, mews, time, orders(1))

    def withdraw(ids: list[str], number: int) -> Outcome:
        mews.may_cancel = False
        return NEVER

    mews.cancel_script = withdraw
    result = undo_in(path, mews, time)
    assert result.count(Ending.REVERSED) == 1
    assert mews.reversals() == ["centra:uk:1:undo:p1"]
    assert mews.balance() == 0


def test_a_cancellation_that_never_arrived_is_sent_again(path, mews, time):
    """A reset before Mews acted: proved by two scans, then cancelled."""
    posted(path, mews, time, orders(1))
    mews.cancel_script = lambda ids, n: NEVER if n == 1 else None
    assert undo_in(path, mews, time).count(Ending.REVERSED) == 1
    assert len(mews.cancel_calls) == 2
    assert mews.balance() == 0


def test_a_refused_cancellation_waits_for_lagging_reads_before_the_opposite(path, mews, time):
    """Cancelled by somebody else a moment ago, and the read does not show it yet: no opposite may follow."""
    posted(path, mews, time, orders(1))
    time.seconds += 500
    mews.lag = 80.0

    def too_late(ids: list[str], number: int) -> Outcome:
        mews.cancelled += [(time.seconds, item_id) for item_id in ids]
        return REFUSED

    mews.cancel_script = too_late
    result = undo_in(path, mews, time)
    assert result.count(Ending.REVERSED) == 1
    assert mews.reversals() == []
    assert mews.balance() == 0


@pytest.mark.parametrize("delay", [0.0, 30.0, 170.0])
def test_a_lost_answer_to_an_opposite_is_settled_by_scans(path, mews, time, delay):
    """Found late or early, the opposite is there once; an order and its payment alike."""
    posted(path, mews, time, [an_order("1", payments=(a_payment("gift1"),)), an_order("2")])
    mews.may_cancel = False
    seen: set[str] = set()

    def lost_once(payload: dict, _: int) -> tuple[str, float] | None:
        if payload["Notes"] in seen:
            return None
        seen.add(payload["Notes"])
        return ("lost", delay)

    mews.script = lost_once
    result = undo_in(path, mews, time)
    assert result.count(Ending.REVERSED) == 2
    assert sorted(mews.reversals()) == ["centra:uk:1:undo:p1", "centra:uk:2:undo:p1"]
    assert (mews.balance(), mews.paid_balance()) == (0, 0)


def test_an_opposite_that_never_arrived_is_sent_again(path, mews, time):
    """Two scans prove it absent, then it goes once more."""
    posted(path, mews, time, orders(1))
    mews.may_cancel = False
    mews.script = lambda p, n: NEVER if n == 2 else None
    assert undo_in(path, mews, time).count(Ending.REVERSED) == 1
    assert mews.reversals() == ["centra:uk:1:undo:p1"]


def test_a_run_settles_what_an_undo_left_in_doubt(path, mews, time):
    """The scans of a run know undo entries: a found one is no copy and no stranger, and leaves nothing of its order."""
    posted(path, mews, time, orders(1))
    mews.may_cancel = False

    def killed_after_answer(name: str) -> None:
        if name == "answer.received" and len(mews.calls) > 1:
            raise Killed

    assert killed_undo(path, mews, time, killed_after_answer)
    time.seconds += 1
    result = run_poster(path, mews, time, orders(2), run_id="run-2")
    assert (result.exit_code, result.duplicated) == (ExitCode.DONE, {})
    assert state_of(path, "1") is State.UNDONE
    assert undo_in(path, mews, time).count(Ending.ALREADY) == 1
    assert mews.reversals() == ["centra:uk:1:undo:p1"]


def test_ctrl_c_ends_cleanly(path, mews, time):
    """What is in flight is recorded, nothing new leaves, and the next undo does the rest."""
    posted(path, mews, time, orders(30))
    stop = StopFlag()
    mews.cancel_script = lambda ids, n: stop.request() if n == 5 else None
    result = undo_in(path, mews, time, stop=stop)
    assert result.exit_code is ExitCode.INTERRUPTED
    assert 0 < result.left < 30
    assert result.left + len(result.details) == 30
    mews.cancel_script = lambda _i, _n: None
    assert undo_in(path, mews, time).exit_code is ExitCode.DONE
    assert mews.balance() == 0


# Recover


@pytest.mark.parametrize("may_cancel", [True, False])
def test_recover_sees_what_was_undone(path, mews, time, tmp_path, may_cancel):
    """A lost ledger: undone orders come back as undone, not as posted, and are posted again only on demand."""
    batch = [an_order("1", payments=(a_payment("gift1"),)), an_order("2")]
    posted(path, mews, time, batch)
    mews.may_cancel = may_cancel
    undo_in(path, mews, time, only=["1"])
    fresh = tmp_path / "fresh.sqlite"
    found = recover_into(fresh, mews, time)
    assert (found.found, found.undone, found.different, found.duplicated) == (2, 1, {}, {})
    assert (state_of(fresh, "1"), state_of(fresh, "2")) == (State.UNDONE, State.POSTED)
    assert run_poster(fresh, mews, time, batch, run_id="run-2").sent == 0
    again = run_poster(fresh, mews, time, batch, run_id="run-3", run={"repost_undone": True})
    assert (again.sent, mews.times_posted("1", "~2"), mews.times_posted("1")) == (1, 1, 1)
    # Generation 2 stands, generation 1 does not: a ledger that is lost once more says the same.
    last = tmp_path / "last.sqlite"
    recover_into(last, mews, time)
    with Ledger.open(last, read_only=True) as ledger:
        row = ledger.order("1")
        assert (row.state, row.generation) == (State.POSTED, 2)
    assert undo_in(last, mews, time, run="recovered").count(Ending.REVERSED) == 2
    assert (mews.balance(), mews.paid_balance()) == (0, 0)


@pytest.mark.parametrize("may_cancel", [True, False])
def test_an_old_ledger_learns_what_was_undone(path, mews, time, tmp_path, may_cancel):
    """A copy from before the undo: recover brings it up to date, and nothing is reversed a second time."""
    posted(path, mews, time, orders(2))
    old = tmp_path / "old.sqlite"
    copy_ledger(path, old)
    mews.may_cancel = may_cancel
    undo_in(path, mews, time)
    assert recover_into(old, mews, time).undone == 2
    assert undo_in(old, mews, time).count(Ending.ALREADY) == 2
    assert mews.balance() == 0


def test_recover_does_not_call_half_a_reversal_undone(path, mews, time, tmp_path):
    """Items cancelled by hand while the payment stands: posting again would credit the guest twice."""
    posted(path, mews, time, [an_order("1", payments=(a_payment("gift1"),))])
    mews.cancelled = [(0.0, mews.items[0][1].id)]
    fresh = tmp_path / "fresh.sqlite"
    assert "gift1" in recover_into(fresh, mews, time).different["1"]
    assert state_of(fresh, "1") is State.DIFFERENT
    # Undo ends what the staff began.
    assert undo_in(fresh, mews, time, run="", only=["1"]).count(Ending.REVERSED) == 1
    assert mews.paid_balance() == 0
    assert state_of(fresh, "1") is State.UNDONE


@pytest.mark.parametrize("may_cancel", [True, False])
def test_recover_takes_the_copy_that_stands(path, mews, time, tmp_path, may_cancel):
    """One of two copies was reversed: the other is the order, and nothing is duplicated."""
    posted(path, mews, time, orders(1))
    a_copy(mews)
    mews.may_cancel = may_cancel
    undo_in(path, mews, time, run="", order_ids=["OrderId-1"])
    fresh = tmp_path / "fresh.sqlite"
    found = recover_into(fresh, mews, time)
    assert (found.undone, found.duplicated) == (0, {})
    with Ledger.open(fresh, read_only=True) as ledger:
        row = ledger.order("1")
        assert (row.state, row.mews_order_id, row.duplicates) == (State.POSTED, "copy", ())
    assert run_poster(fresh, mews, time, orders(1), run_id="run-2").duplicated == {}


@pytest.mark.parametrize("may_cancel", [True, False])
@pytest.mark.parametrize("late", ["order", "payment", "both"])
def test_recover_takes_up_what_came_to_light_after_an_undo(path, mews, time, may_cancel, late):
    """A copy that nobody knew of stands in Mews: the order is not undone, whatever the ledger says, and goes once more."""
    posted(path, mews, time, [an_order("1", payments=(a_payment(),))])
    mews.may_cancel = may_cancel
    (at, row), (paid_at, paid) = mews.items[0], mews.paid[0]
    undo_in(path, mews, time)
    if late != "payment":
        mews.items.append((at, replace(row, id="copy-item", order_id="copy")))
    if late != "order":
        mews.paid.append((paid_at, replace(paid, id="paid-twice")))
    found = recover_into(path, mews, time)
    assert state_of(path, "1") in (State.POSTED, State.DIFFERENT)
    assert (found.different == {}) is (late == "both")
    again = undo_in(path, mews, time, run="", only=["1"])
    assert (endings(again), mews.balance(), mews.paid_balance()) == ({"1": Ending.REVERSED}, 0, 0)
    assert recover_into(path, mews, time).different == {}
    assert state_of(path, "1") is State.UNDONE


def test_recover_leaves_undone_what_only_seems_to_stand(path, mews, time):
    """Reads that lag show the items of what was cancelled just now: this ledger cancelled them itself."""
    posted(path, mews, time, orders(1))
    undo_in(path, mews, time)
    mews.cancelled.clear()
    recover_into(path, mews, time)
    assert state_of(path, "1") is State.UNDONE


def test_a_reversal_that_does_not_balance_is_told(path, mews, time, tmp_path):
    """Somebody changed the undo order: neither posted nor undone is true."""
    posted(path, mews, time, orders(1))
    mews.may_cancel = False
    undo_in(path, mews, time)
    at, row = mews.items[-1]
    mews.items[-1] = (at, replace(row, gross=row.gross + 1, unit_gross=row.unit_gross + 1))
    fresh = tmp_path / "fresh.sqlite"
    assert "balance" in recover_into(fresh, mews, time).different["1"]
    assert state_of(fresh, "1") is State.DIFFERENT


# Crash windows


class KillAt:
    """Raises at the n-th checkpoint that is named so (or at the n-th of all, for no name)."""

    def __init__(self, name: str, count: int) -> None:
        self.name, self.left = name, count
        self.seen: list[str] = []

    def __call__(self, name: str) -> None:
        self.seen.append(name)
        if not self.name or name == self.name:
            self.left -= 1
            if self.left == 0:
                raise Killed


def killed_undo(path: Path, mews: UndoMews, time: VirtualTime, kill: Callable[[str], None]) -> bool:
    """One undo that the checkpoint may end as a kill would; whether it did."""
    ledger = open_ledger(path, time)
    ledger._checkpoint = ledger.fatal(kill)

    async def main() -> None:
        undoer = an_undoer(ledger, mews, time, checkpoint=kill, concurrency=2)

        async def work() -> None:
            await undoer.run(await undoer.choose("run-1"))

        await time.drive(asyncio.ensure_future(work()))

    try:
        asyncio.run(main())
    except Killed:
        return True
    else:
        ledger._checkpoint = lambda _: None
        ledger.close()
        return False
    finally:
        ledger.abandon()


WINDOWS = [
    # checkpoint, part's state on disk after the kill, whether Mews acted
    ("slot.granted", None, False),
    ("intent.recorded", State.IN_FLIGHT, False),
    ("answer.received", State.IN_FLIGHT, True),
    ("outcome.recorded", State.POSTED, True),
    ("undo.finished", State.POSTED, True),
]


def test_a_reversal_that_is_found_twice_stays_on_record(path, mews, time):
    """In doubt, and there twice once it is found: the ledger keeps both ids, for whoever reports after a kill."""
    posted(path, mews, time, orders(1))
    mews.may_cancel = False

    def lost_and_doubled(payload: dict, _: int) -> tuple[str, float] | None:
        at, row = mews.items[0]
        other = replace(
            row, id="x", order_id="other's", external_identifier="centra:uk:1:undo:p1", notes=payload["Notes"]
        )
        mews.items.append((at, replace(other, gross=-row.gross, unit_gross=-row.unit_gross)))
        return ("lost", 0.0)

    mews.script = lost_and_doubled
    assert killed_undo(path, mews, time, KillAt("undo.finished", 1))
    with Ledger.open(path, read_only=True) as ledger:
        order = ledger.order("1")
    assert order.state is State.UNDONE
    assert "other's" in order.duplicates


@pytest.mark.parametrize(("checkpoint", "expected", "acted"), WINDOWS, ids=[row[0] for row in WINDOWS])
@pytest.mark.parametrize("may_cancel", [True, False], ids=["cancel", "opposite"])
def test_the_disk_says_what_an_undo_did(path, mews, time, checkpoint, expected, acted, may_cancel):
    """The state found after a kill is the one of the table, and the rerun reverses exactly once."""
    posted(path, mews, time, orders(1))
    mews.may_cancel = may_cancel
    name = "undo:cancel1" if may_cancel else "undo:order"
    skipped = 0 if may_cancel or checkpoint == "undo.finished" else 1
    assert killed_undo(path, mews, time, KillAt(checkpoint, 1 + skipped))
    with Ledger.open(path, read_only=True) as ledger:
        states = {part.part: part.state for part in ledger.parts(["1"])["1"]}
    assert states.get(name) is expected
    assert states["order"] is (State.UNDONE if checkpoint == "undo.finished" else State.POSTED)
    assert (mews.balance() == 0) is acted
    time.seconds += 1
    undo_in(path, mews, time)
    assert mews.balance() == 0
    assert state_of(path, "1") is State.UNDONE


def scenario() -> list:
    """Orders for every fate: many lines and a lost answer, never processed, a payment, a return."""
    return [
        with_lines("2", 12),
        an_order("3"),
        an_order("4", payments=(a_payment("gift1"),)),
        an_order("2-R1", parent="2"),
    ]


def inject(mews: UndoMews) -> None:
    """Answers lost, late, or never given (once), for cancellations and opposites alike."""
    dropped: set[str] = set()

    def fate(key: str, name: str) -> Outcome | tuple[str, float] | None:
        if name == "late":
            return ("lost", 30.0)
        if name == "never" and key not in dropped:
            dropped.add(key)
            return NEVER
        return None

    def by_order(payload: dict, _: int) -> Outcome | tuple[str, float] | None:
        notes = payload["Notes"]
        if ":undo]" not in notes:
            return None
        return fate(notes, {"[centra:uk:2:undo]": "late", "[centra:uk:3:undo]": "never"}.get(notes.split()[0], ""))

    def by_items(ids: list[str], _: int) -> Outcome | tuple[str, float] | None:
        number = next(row.notes.split()[0] for _, row in mews.items if row.id == ids[0])
        return fate(ids[0], {"[centra:uk:2]": "late", "[centra:uk:3]": "never"}.get(number, ""))

    mews.script, mews.cancel_script = by_order, by_items


@pytest.mark.slow
@pytest.mark.parametrize("may_cancel", [True, False], ids=["cancel", "opposite"])
@pytest.mark.parametrize("residue", range(4))
def test_killed_at_any_step_every_order_is_reversed_once(tmp_path, residue, may_cancel):
    """Kill at each single checkpoint of a whole undo, twice, then undo on: balanced to the cent, once each."""

    then = VirtualTime()
    before = UndoMews(then)
    posted(tmp_path / "posted.sqlite", before, then, scenario())

    def prepared(name: str) -> tuple[VirtualTime, UndoMews, Path]:
        time = VirtualTime()
        time.seconds = then.seconds
        mews, path = UndoMews(time), tmp_path / f"{name}.sqlite"
        copy_ledger(tmp_path / "posted.sqlite", path)
        mews.items, mews.paid, mews.calls = list(before.items), list(before.paid), list(before.calls)
        mews.may_cancel = may_cancel
        inject(mews)
        return time, mews, path

    time, mews, path = prepared("probe")
    probe = KillAt("", 10**9)
    killed_undo(path, mews, time, probe)
    assert len(probe.seen) > 40
    for at in range(1 + residue, len(probe.seen) + 1, 4):
        time, mews, path = prepared(f"ledger-{at}")
        assert killed_undo(path, mews, time, KillAt("", at)), at
        time.seconds += 1
        killed_undo(path, mews, time, KillAt("", 7 + at % 23))
        result = undo_in(path, mews, time)
        assert result.exit_code is ExitCode.DONE, (at, result)
        assert (mews.balance(), mews.paid_balance()) == (0, 0), at
        assert len(mews.reversals()) == len(set(mews.reversals())), at
        assert len(mews.paid) == 2, at
        with Ledger.open(path, read_only=True) as ledger:
            assert ledger.counts()[State.UNDONE] == 4, at
        # The next run takes none of it for something else.
        if at % 16 == residue:
            after = run_poster(path, mews, time, scenario(), run_id="run-9")
            assert (after.sent, after.duplicated) == (0, {}), at


def test_mews_out_of_reach_is_said(path, mews, time):
    """The scan before the first write can't be read: nothing is reversed on a guess."""
    posted(path, mews, time, orders(1))
    mews.failing_reads = 100
    with pytest.raises(MewsError):
        undo_in(path, mews, time)
    assert mews.cancel_calls == []


# Guards that only a bad day shows


def test_a_cancellation_is_settled_only_by_all_of_its_items(path, mews, time):
    """The staff cancelled one of two items while the request was lost: the other still stands, and is cancelled again."""
    posted(path, mews, time, [with_lines("1", 2)])

    def lose(_ids: list, number: int) -> Outcome | None:
        if number > 1:
            return None
        mews.cancelled.append((time.seconds, mews.items[0][1].id))
        return NEVER

    mews.cancel_script = lose
    result = undo_in(path, mews, time)
    assert result.count(Ending.REVERSED) == 1
    assert mews.balance() == 0
    assert mews.cancel_calls[1] == [mews.items[1][1].id]


@pytest.mark.parametrize(("host", "seconds"), [("there", 5), pytest.param("here", 0, marks=pytest.mark.sqlite)])
def test_an_undo_that_takes_over_settles_from_when_the_other_machine_has_certainly_stopped(
    path, mews, time, host, seconds
):
    """A writer on another host that lost its lock may still send what it intended five seconds ago."""
    posted(path, mews, time, orders(1))
    assert killed_undo(path, mews, time, KillAt("answer.received", 1))
    mews.cancelled.clear()
    with open_ledger(path, time, lock=False) as ledger:
        ledger.take_lock("undo", me=Holder(host, "boot-9", 9, "ticks:9"), take_over="here", alive=lambda _: False)
        ledger.abandon()
    ledger = open_ledger(path, time, lock=False)
    ledger.take_lock("undo", me=ME, take_over=host, alive=lambda _: False)
    before = mews.mews_now(time.seconds)
    asyncio.run(time_driven(time, an_undoer(ledger, mews, time).choose("run-1")))
    (part,) = ledger.unsettled()
    ledger.close()
    assert timedelta(seconds=seconds) <= part.settle_from - before < timedelta(seconds=seconds + 5)


async def time_driven(time: VirtualTime, work: Any) -> Any:
    return await time.drive(asyncio.ensure_future(work))


def test_items_cancelled_long_after_they_were_created_are_a_sign(path, mews, time, tmp_path):
    """The scans since have moved the watermark past the items' creation; what counts is when they were cancelled."""
    posted(path, mews, time, orders(2))
    time.seconds += 7200
    posted(path, mews, time, orders(3))
    old = tmp_path / "old.sqlite"
    copy_ledger(path, old)
    undo_in(path, mews, time, run="", only=["1"])
    with pytest.raises(IncompleteError, match="such as 1"):
        undo_in(old, mews, time, run="", only=["2"])


def test_twenty_refused_cancellations_after_one_that_worked_end_no_undo(path, mews, time):
    """Cancelling is allowed, so each order is tried; what is refused gets its opposite."""
    posted(path, mews, time, orders(24))
    mews.cancel_script = lambda _ids, number: REFUSED if number > 1 else None
    result = undo_in(path, mews, time)
    assert (result.stop, result.count(Ending.REVERSED)) == (None, 24)
    assert mews.balance() == 0


@pytest.mark.sqlite
def test_an_older_ledger_keeps_what_its_reversals_reverse(path, mews, time):
    """Earlier programs kept it in another column: led on, an undo goes on as if it had been this one's."""
    batch = [an_order("1", payments=(a_payment(),)), an_order("2")]
    posted(path, mews, time, batch)
    mews.may_cancel = False
    assert undo_in(path, mews, time, only=["1"]).count(Ending.REVERSED) == 1
    with Ledger.open(path, read_only=True) as ledger:
        before = {part.part: part.target for part in ledger.parts(["1"])["1"] if part.kind is PartKind.UNDO}
    assert set(before) == {"undo:order", "undo:gift1", "undo:cancel1"}
    with sqlite3.connect(path) as old:
        old.execute("UPDATE parts SET fingerprint = target WHERE kind = 'undo'")
        old.execute("UPDATE attempts SET fingerprint = 'OrderId-1' WHERE part LIKE 'undo%'")
        old.execute("ALTER TABLE parts DROP COLUMN target")
        old.execute("UPDATE meta SET value = '7' WHERE key = 'schema_version'")
    old.close()
    with Ledger.open(path) as ledger:
        parts = [part for part in ledger.parts(["1"])["1"] if part.kind is PartKind.UNDO]
        assert {part.part: (part.target, part.fingerprint) for part in parts} == {
            name: (target, "") for name, target in before.items()
        }
        assert {one.fingerprint for one in ledger.attempts("1") if one.part.startswith("undo")} == {""}
        assert all(one.fingerprint for one in ledger.attempts("1", part="order"))
    calls = len(mews.calls)
    assert endings(undo_in(path, mews, time)) == {"1": Ending.ALREADY, "2": Ending.REVERSED}
    assert len(mews.calls) == calls + 1
    assert (mews.balance(), mews.paid_balance()) == (0, 0)
