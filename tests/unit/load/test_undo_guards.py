"""What keeps an undo from reversing twice, or from reversing what it may not, on a day on which everything lags or changes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from load_fakes import VirtualTime, a_payment, an_order
from test_undo import a_copy, endings, message_of, state_of
from undo_fakes import UndoMews, posted, undo_in, with_lines

from etl.load.undo import Ending
from etl.model.outcome import Kind, Outcome
from etl.model.states import State


@pytest.fixture
def mews(time: VirtualTime) -> UndoMews:
    return UndoMews(time)


def test_what_was_cancelled_a_moment_ago_is_in_no_opposite_though_reads_lag(path, mews, time):
    """The permission goes between two calls: ten items are cancelled, and Mews still shows them when the opposite is made."""
    posted(path, mews, time, [with_lines("1", 25)])
    time.seconds += 500
    mews.lag = 80.0
    denied = Outcome(Kind.STOP, status=401, message="not any more", request_id="r1")
    mews.cancel_script = lambda _ids, number: denied if number > 1 else None
    assert undo_in(path, mews, time).count(Ending.REVERSED) == 1
    assert len(mews.reversals()) == 15
    assert mews.balance() == 0


def test_an_order_that_reads_do_not_show_yet_is_waited_for(path, mews, time):
    """Posted a moment ago: Mews knows nothing of it, or a part; neither is a reason to keep it, or to reverse a part."""
    mews.lag = 60.0
    posted(path, mews, time, [an_order("1"), an_order("2")])
    assert endings(undo_in(path, mews, time)) == {"1": Ending.REVERSED, "2": Ending.REVERSED}
    assert mews.balance() == 0


def test_nothing_more_is_sent_where_a_reversal_is_not_as_it_was_sent(path, mews, time):
    """Its opposite stands in Mews with another amount: cancelling the order now would reverse it a second time."""
    posted(path, mews, time, [an_order("1")])
    mews.may_cancel = False

    def half(payload: dict[str, Any], _number: int) -> Outcome:
        (item,) = payload["Items"]
        other = {**item, "UnitAmount": {**item["UnitAmount"], "GrossValue": Decimal("-6.00")}}
        mews.book({**payload, "Items": [other]}, "half")
        return Outcome(Kind.UNKNOWN, message="reset")

    mews.script = half
    assert endings(undo_in(path, mews, time)) == {"1": Ending.FAILED}
    assert state_of(path, "1") is State.DIFFERENT
    asked = len(mews.cancel_calls)
    mews.may_cancel, mews.script = True, lambda _p, _n: None
    again = undo_in(path, mews, time, only=["1"], run="")
    assert endings(again) == {"1": Ending.FAILED}
    assert "is not in Mews as it was sent" in message_of(again, "1")
    assert (len(mews.cancel_calls), mews.balance()) == (asked, Decimal("6.00"))


def test_what_may_be_its_reversal_is_left_to_a_person(path, mews, time):
    """A payment was paid back, no answer came, and what stands there bears no mark: whether it is ours is for people."""
    posted(path, mews, time, [an_order("1", payments=(a_payment("gift1"),))])
    mews.may_cancel = False
    mews.script = lambda payload, _number: ("lost", 0.0) if "Type" in payload else None
    mews.hides_identifiers = mews.hides_notes = True
    undo_in(path, mews, time)
    time.seconds += 400
    again = undo_in(path, mews, time)
    assert endings(again) == {"1": Ending.FAILED}
    assert "looks like its reversal" in message_of(again, "1")
    assert len(mews.paid) == 2


@pytest.mark.parametrize("may_cancel", [True, False])
def test_a_payment_on_a_closed_bill_keeps_its_order(path, mews, time, may_cancel):
    """The hotel has closed its accounts over it: nothing of the order is touched."""
    posted(path, mews, time, [an_order("1", payments=(a_payment("gift1"),))])
    mews.paid = [(at, replace(row, accounting_state="Closed")) for at, row in mews.paid]
    mews.may_cancel = may_cancel
    result = undo_in(path, mews, time)
    assert endings(result) == {"1": Ending.KEPT}
    assert "closed bill" in message_of(result, "1")
    assert (len(mews.paid), mews.reversals(), mews.balance()) == (1, [], Decimal("12.00"))


@pytest.mark.parametrize("lost", ["order", "payment"])
def test_what_was_found_after_a_lost_answer_is_reversed_as_it_was_sent(path, mews, time, lost):
    """No answer named it: the attempt of that very part says what it was, and not the last one of any part."""
    seen: list[str] = []

    def lose(payload: dict[str, Any], _number: int) -> tuple[str, float] | None:
        is_lost = ("Type" in payload) == (lost == "payment") and payload["Notes"].startswith("[centra:uk:2]")
        seen.extend(["lost"] if is_lost else [])
        return ("lost", 0.0) if is_lost and len(seen) == 1 else None

    mews.script = lose
    posted(path, mews, time, [an_order("1"), an_order("2", payments=(a_payment("gift1"),))])
    assert seen
    mews.script, mews.may_cancel = (lambda _p, _n: None), False
    assert endings(undo_in(path, mews, time)) == {"1": Ending.REVERSED, "2": Ending.REVERSED}
    assert (mews.balance(), mews.paid_balance()) == (0, 0)


@pytest.mark.parametrize("may_cancel", [True, False])
def test_payments_stay_where_one_copy_of_their_order_goes(path, mews, time, may_cancel):
    """The order that stays is paid as before; paying it back with the copy would leave the guest in debt."""
    posted(path, mews, time, [an_order("1", payments=(a_payment("gift1"),))])
    a_copy(mews)
    mews.may_cancel = may_cancel
    result = undo_in(path, mews, time, run="", order_ids=["copy"])
    assert [detail.result for detail in result.details] == [Ending.REVERSED]
    assert (len(mews.paid), mews.balance(), mews.standing("1") - {"copy"}) == (1, Decimal("12.00"), {"OrderId-1"})
