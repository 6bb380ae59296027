"""One look at Mews: what proves presence, what proves absence, and what proves nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from ledger_copy import copy_ledger
from load_fakes import (
    ME,
    SmallMews,
    VirtualTime,
    a_payment,
    a_poster,
    a_reach,
    an_order,
    open_ledger,
    recover_into,
    run_poster,
    some_facts,
)
from test_ledger import DONE, an_intent

from etl.errors import ExitCode, LedgerError
from etl.ledger.ledger import Ledger
from etl.load.session import Session
from etl.load.signs import IncompleteError
from etl.load.survey import Survey, Surveyor
from etl.model.identity import Identity
from etl.model.outcome import Kind, Outcome
from etl.model.plan import PlannedOrder, order_payload
from etl.model.states import IN_MEWS, State


def look(path: Path, mews: SmallMews, time: VirtualTime, *, busy: str = "", recheck_floor: int | None = None) -> Survey:
    async def main():
        session = Session(ledger, a_reach(mews, time), some_facts("run-9"), lambda _: None)
        surveyor = Surveyor(session, busy.__eq__)
        return await time.drive(asyncio.ensure_future(surveyor.survey(recheck_floor=recheck_floor)))

    with open_ledger(path, time) as ledger:
        return asyncio.run(main())


def an_unknown(path: Path, mews: SmallMews, time: VirtualTime, answer) -> None:
    """Order 1 is posted; order 2 had this answer and is unknown."""
    mews.script = lambda p, _: answer if "uk:2]" in p["Notes"] else None
    # Reads lag, so that the closing look of the run does not find it.
    mews.lag = 60.0
    run_poster(path, mews, time, [an_order("1"), an_order("2")], run={"no_wait": True})
    mews.lag = 0.0


NEVER = Outcome(Kind.UNKNOWN, message="reset")


def test_two_scans_must_lie_apart(path, mews, time):
    """The second scan counts only half the settling time after the first: reads may lag that long."""
    an_unknown(path, mews, time, NEVER)
    time.seconds += 179
    assert not look(path, mews, time).absent
    time.seconds += 3
    assert not look(path, mews, time).absent
    assert not look(path, mews, time).absent
    time.seconds += 88
    assert not look(path, mews, time).absent
    time.seconds += 4
    assert look(path, mews, time).absent == [("2", 1, "order")]


def test_what_a_worker_has_in_hand_is_left_alone(path, mews, time):
    """A scan must not decide on an order that is being sent at the same moment."""
    an_unknown(path, mews, time, ("lost", 0.0))
    assert not look(path, mews, time, busy="2").found
    assert look(path, mews, time).found == {("2", 1, "order"): State.POSTED}


def test_what_a_worker_had_in_hand_is_looked_at_again(path, mews, time):
    """A copy that was passed over is older than the next look goes back, unless the watermark waits for it."""
    run_poster(path, mews, time, [an_order("1"), an_order("2")])
    time.seconds += 1000
    row = mews.items[-1][1]
    created = mews.mews_now(time.seconds)
    mews.items.append((time.seconds, replace(row, id="copy", order_id="copy", created=created, updated=created)))
    time.seconds += 1000
    assert not look(path, mews, time, busy="2").duplicated
    time.seconds += 1000
    with pytest.raises(IncompleteError) as caught:
        look(path, mews, time)
    assert caught.value.duplicated == {"2": (row.order_id, "copy")}
    time.seconds += 1000
    look(path, mews, time)
    with open_ledger(path, time) as ledger:
        assert ledger.watermark() > created


@pytest.mark.parametrize("what", ["payment", "cancelled", "undo"])
def test_signs_of_what_a_worker_had_in_hand_are_met_by_the_next_look(path, mews, time, what):
    """A copy of its payment, its items cancelled or reversed by others: none of it is judged now, and none is lost."""
    run_poster(path, mews, time, [an_order("1"), an_order("2", payments=(a_payment(),))])
    time.seconds += 1000
    # From here on the order itself is older than what looks read.
    look(path, mews, time)
    time.seconds += 1000
    row = next(one for _, one in mews.items if one.notes.startswith("[centra:uk:2]"))
    now = mews.mews_now(time.seconds)
    if what == "payment":
        mews.paid.append((time.seconds, replace(mews.paid[0][1], id="copy", created=now)))
    elif what == "cancelled":
        mews.items = [
            (at, replace(one, canceled=now, state="Canceled") if one.id == row.id else one) for at, one in mews.items
        ]
    else:
        marks = {"notes": "[centra:uk:2:undo] x", "external_identifier": "centra:uk:2:undo:p1"}
        mews.items.append((time.seconds, replace(row, id="undo", order_id="undo", created=now, updated=now, **marks)))
    time.seconds += 1000
    assert not look(path, mews, time, busy="2").duplicated
    time.seconds += 1000
    with pytest.raises(IncompleteError):
        look(path, mews, time)


def test_a_look_counts_for_nothing_that_a_worker_has_in_hand(path, mews, time):
    """What was sent more than once is looked up twice more: a look that passes it over is none of them."""
    orders = [an_order("1"), an_order("2")]
    proved_absent(path, mews, time, orders, "uk:2]")
    run_poster(path, mews, time, orders, run_id="run-2")
    with Ledger.open(path, read_only=True) as ledger:
        (before,) = ledger.to_recheck()
    look(path, mews, time, busy="2", recheck_floor=0)
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.to_recheck() == [before]
    look(path, mews, time, recheck_floor=0)
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.to_recheck() == []


@pytest.mark.parametrize("what", ["order", "payment"])
def test_it_is_as_it_was_sent_where_an_earlier_request_sent_it_so(path, mews, time, what):
    """The export changed between two requests, and the first was processed after all: that is what was sent."""
    if what == "order":
        first, second = an_order("2"), an_order("2", amount="13.00")
    else:
        first, second = (an_order("2", payments=(a_payment(amount=amount),)) for amount in ("5.00", "6.00"))
    which = "uk:2]" if what == "order" else "gift1"
    proved_absent(path, mews, time, [an_order("1"), first], which)
    late = mews.calls[-1]
    mews.script = lambda p, _: NEVER if which in p["Notes"] else None
    run_poster(path, mews, time, [an_order("1"), second], run_id="run-2", run={"no_wait": True})
    assert mews.calls[-1]["Notes"] == late["Notes"]
    assert mews.calls[-1] != late
    mews.book(late, "late")
    time.seconds += 10
    (state,) = look(path, mews, time).found.values()
    assert state is State.POSTED


def test_cancelled_items_prove_presence(path, mews, time):
    """Staff may cancel an order within minutes; it was there all the same, so it is not sent again: it is undone."""
    an_unknown(path, mews, time, ("lost", 0.0))
    at, row = mews.items[-1]
    zero = row.gross - row.gross
    mews.items[-1] = (
        at,
        replace(row, state="Canceled", canceled=row.created, net=zero, gross=zero, unit_gross=zero, unit_net=zero),
    )
    assert look(path, mews, time).found == {("2", 1, "order"): State.UNDONE}


def test_other_amounts_are_different(path, mews, time):
    """It is there, but not as sent: known to be in Mews, shown with both sides, never sent."""
    an_unknown(path, mews, time, ("lost", 0.0))
    at, row = mews.items[-1]
    mews.items[-1] = (at, replace(row, unit_gross=row.unit_gross + 1, gross=row.gross + 1))
    assert look(path, mews, time).found == {("2", 1, "order"): State.DIFFERENT}
    with Ledger.open(path, read_only=True) as ledger:
        message = ledger.order("2").message
    assert "12" in message
    assert "13" in message


def test_undo_entries_and_other_stores_prove_nothing(path, mews, time):
    """What reverses an order, or belongs to another shop, is neither this order nor a foreign one of ours."""
    an_unknown(path, mews, time, ("lost", 0.0))
    at, row = mews.items.pop()
    for stem in ("centra:uk:2:undo", "centra:se:77"):
        mews.items.append(
            (at, replace(row, id=stem, order_id=stem, notes=f"[{stem}] x", external_identifier=f"{stem}:p1"))
        )
    assert not look(path, mews, time).found


def test_the_window_starts_before_the_first_attempt(path, mews, time):
    """An order sent twice may be there from its first request: the second attempt must not narrow the search."""
    an_unknown(path, mews, time, NEVER)
    at = time.seconds
    time.seconds += 400
    look(path, mews, time)
    time.seconds += 100
    assert look(path, mews, time).absent
    time.seconds += 4000
    mews.script = lambda p, _: NEVER if "uk:2]" in p["Notes"] else None
    run_poster(path, mews, time, [an_order("1"), an_order("2")], run_id="run-2", run={"no_wait": True})
    mews.book(mews.calls[-1], "from-the-first", at - time.seconds)
    assert look(path, mews, time).found == {("2", 1, "order"): State.POSTED}


def test_a_broken_walk_keeps_the_watermark(path, mews, time):
    """The watermark vouches for whole scans only."""
    run_poster(path, mews, time, [an_order("1")])
    with Ledger.open(path, read_only=True) as ledger:
        before = ledger.watermark()
    time.seconds += 1000
    foreign = replace(mews.items[-1][1], id="x", order_id="x", external_identifier="centra:uk:9:p1")
    mews.items.append((time.seconds, replace(foreign, created=mews.now())))
    with pytest.raises(LedgerError):
        look(path, mews, time)
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.watermark() == before


def test_a_run_that_lost_its_lock_sends_nothing_more(path, mews, time):
    """Somebody on another machine took the ledger over: this run must stop before its next byte."""
    sent = []

    def take_over(number: int) -> None:
        if number == 5:
            with Ledger.open(path, wall=time.wall) as other:
                other.take_lock("run", me=replace(ME, host="there"), take_over=ME.host)
                other.abandon()
            sent.append(len(mews.calls))

    mews.before_answer = take_over

    async def main():
        return await time.drive(asyncio.ensure_future(a_poster(ledger, mews, time).run(iter(batch))))

    batch = [an_order(str(number)) for number in range(1, 40)]
    with open_ledger(path, time) as ledger:
        result = asyncio.run(main())
    assert result.stop.code == "ledger.lock_lost"
    assert result.exit_code is ExitCode.USAGE
    assert len(mews.calls) <= sent[0] + 4


def test_the_watermark_leaves_room_for_reads_that_lag(path, mews, time, tmp_path):
    """What another ledger posted just before a scan is not readable yet: the next scan starts before it."""
    run_poster(path, mews, time, [an_order("1")])
    time.seconds += 400
    before = time.seconds
    mews.book(order_payload(an_order("77"), Identity("uk", "77")), "others", 0.0)
    mews.lag = 60.0
    time.seconds += 30
    look(path, mews, time)
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.watermark() <= mews.mews_now(before) - timedelta(seconds=120)
    time.seconds += 60
    with pytest.raises(IncompleteError, match="77"):
        look(path, mews, time)


def test_a_scan_within_the_settling_time_is_no_first_one(path, mews, time):
    """Mews may still commit: what an early scan missed is not half of a proof."""
    an_unknown(path, mews, time, NEVER)
    time.seconds += 5
    assert not look(path, mews, time).absent
    time.seconds += 178
    assert not look(path, mews, time).absent
    time.seconds += 92
    assert look(path, mews, time).absent == [("2", 1, "order")]


def test_no_absence_is_proved_of_what_a_worker_has_in_hand(path, mews, time):
    """It may be on its way again at this moment: scans meanwhile count for nothing."""
    an_unknown(path, mews, time, NEVER)
    for seconds in (181, 95, 95):
        time.seconds += seconds
        assert not look(path, mews, time, busy="2").absent
    with Ledger.open(path, read_only=True) as ledger:
        (part,) = ledger.unsettled()
        assert part.unseen_at is None


def test_what_was_taken_in_hand_while_a_look_was_under_way_is_not_absent(path, mews, time, monkeypatch):
    """Another run claims an order in doubt behind our list of those: its page passes it over, which is no absence."""
    an_unknown(path, mews, time, ("lost", 0.0))
    # The first look is one whose reads lagged.
    mews.lag = 600.0
    time.seconds += 185
    assert not look(path, mews, time).found
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.unsettled()[0].unseen_at is not None
    mews.lag = 0.0
    time.seconds += 95
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "elsewhere", lambda _, numbers: frozenset({"2"} & set(numbers)))
        patch.setattr(Ledger, "_mine", lambda _, parts: parts)
        assert not look(path, mews, time).absent
    assert look(path, mews, time).found == {("2", 1, "order"): State.POSTED}


def test_an_order_under_another_id_than_was_answered_is_different(path, mews, time):
    """Mews does not know the OrderId that it answered: there is one order, and a person tells its id; it is no copy."""
    run_poster(path, mews, time, [an_order("1"), an_order("2")])
    mews.items = [
        (at, replace(row, order_id="elsewhere") if row.notes.startswith("[centra:uk:2]") else row)
        for at, row in mews.items
    ]
    time.seconds += 100
    found = look(path, mews, time)
    assert found.duplicated == {}
    with Ledger.open(path, read_only=True) as ledger:
        first, second = ledger.order("1"), ledger.order("2")
    assert (first.state, second.state, second.duplicates) == (State.POSTED, State.DIFFERENT, ())
    assert "centra-mews settle 2 --posted elsewhere" in second.message
    assert run_poster(path, mews, time, [an_order("1"), an_order("2")], run_id="run-2").sent == 0


def test_an_order_under_two_ids_is_there_twice(path, mews, time):
    """The same, but the OrderId that was answered is there as well: somebody else posted the other."""
    run_poster(path, mews, time, [an_order("1"), an_order("2")])
    mine = [(at, row) for at, row in mews.items if row.notes.startswith("[centra:uk:2]")]
    mews.items += [(at, replace(row, id=f"copy-{row.id}", order_id="elsewhere")) for at, row in mine]
    time.seconds += 100
    with pytest.raises(IncompleteError) as caught:
        look(path, mews, time)
    assert not caught.value.lacks_orders
    assert caught.value.duplicated == {"2": (mine[0][1].order_id, "elsewhere")}
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.order("2").state is State.POSTED


def test_an_order_id_that_reads_do_not_show_yet_is_there_twice(path, mews, time):
    """The answer came long after the intent: reads lag behind the answer, not behind the intent."""

    def slow(payload, _):
        time.seconds += 100 if "uk:2]" in payload["Notes"] else 0

    mews.script = slow
    run_poster(path, mews, time, [an_order("1"), an_order("2")], run={"no_wait": True})
    mine = [(at, row) for at, row in mews.items if row.notes.startswith("[centra:uk:2]")]
    mews.items = [entry for entry in mews.items if entry not in mine] + [
        (at, replace(row, id=f"copy-{row.id}", order_id="elsewhere")) for at, row in mine
    ]
    time.seconds += 10
    with pytest.raises(IncompleteError) as caught:
        look(path, mews, time)
    assert caught.value.duplicated == {"2": (mine[0][1].order_id, "elsewhere")}
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.order("2").mews_order_id == mine[0][1].order_id


def test_an_order_that_was_met_before_it_was_sent_is_there_twice(path, mews, time, tmp_path, monkeypatch):
    """A page shows it, posted by a copy of this ledger; before the last page came this one had sent it too."""
    copy = tmp_path / "copy.sqlite"
    run_poster(path, mews, time, [an_order("1")])
    copy_ledger(path, copy)
    run_poster(path, mews, time, [an_order("1"), an_order("2")], run_id="run-2")
    judge = Surveyor._judge_copies

    async def sent_meanwhile(self, met):
        self._ledger.record_plan("run-9", [an_order("2")])
        with self._ledger.steps(["2"]) as steps:
            steps.conclude("2", 1, "order", steps.intend(an_intent("2", time)), DONE, at=time.wall(), mews_id="mine")
        await judge(self, met)

    monkeypatch.setattr(Surveyor, "_judge_copies", sent_meanwhile)
    with pytest.raises(IncompleteError) as caught:
        look(copy, mews, time)
    assert caught.value.lacks_orders
    assert caught.value.duplicated == {"2": ("mine", "OrderId-2")}


@pytest.mark.parametrize("kind", [Kind.NOT_SENT, Kind.WAIT, Kind.STOP, Kind.REFUSED, Kind.SPLIT])
@pytest.mark.parametrize("is_sent_once", [False, True])
def test_what_no_attempt_can_have_brought_to_mews_was_never_sent(path, mews, time, tmp_path, kind, is_sent_once):
    """Mews acted on no attempt of an old copy (401, 429, no connection, refused, proved absent): another posted it."""
    copy = tmp_path / "copy.sqlite"
    answers = [Outcome(kind), Outcome(kind)]
    if is_sent_once:
        answers[0] = NEVER
    with open_ledger(path, time) as ledger:
        ledger.record_plan("run-1", [an_order("2")])
        for answer in answers:
            with ledger.steps(["2"]) as steps:
                seq = steps.intend(an_intent("2", time))
                state = steps.conclude("2", 1, "order", seq, answer, at=time.wall())
                if state is State.UNKNOWN:
                    steps.miss("2", 1, "order", seq, proved=True, at=time.wall())
                elif state is State.REJECTED and answer is answers[0]:
                    steps.reopen("2", 1, "order")
    copy_ledger(path, copy)
    run_poster(path, mews, time, [an_order("2")], run_id="run-2", run={"retry_rejected": True})
    time.seconds += 1000
    with pytest.raises(IncompleteError) as caught:
        look(copy, mews, time)
    assert caught.value.lacks_orders
    # Only what was sent without an answer may have come late; of the rest that would be no help.
    assert ("settle_seconds" in caught.value.hint) is is_sent_once
    assert ("proved absent" in caught.value.message) is is_sent_once
    assert ("never sent" in caught.value.message) is not is_sent_once
    recover_into(copy, mews, time)
    with Ledger.open(copy, read_only=True) as ledger:
        assert ledger.order("2").state in IN_MEWS
    assert look(copy, mews, time).found == {}


def proved_absent(path: Path, mews: SmallMews, time: VirtualTime, orders: list[PlannedOrder], what: str) -> None:
    """Order 1 is posted; of order 2 this part (`Notes` end with its words) had no answer and was proved absent."""
    mews.script = lambda p, _: NEVER if what in p["Notes"] else None
    run_poster(path, mews, time, orders, run={"no_wait": True})
    mews.script = lambda _p, _n: None
    for seconds in (185, 95):
        time.seconds += seconds
        result = look(path, mews, time)
    assert result.absent


def test_an_old_ledger_learns_of_no_reversal_by_taking_in_what_it_proved_absent(path, mews, time, tmp_path):
    """Another ledger posted the order and reversed it: taken in alone, it would be called posted ever after."""
    copy = tmp_path / "copy.sqlite"
    orders = [an_order("1"), an_order("2")]
    proved_absent(path, mews, time, orders, "uk:2]")
    copy_ledger(path, copy)
    run_poster(path, mews, time, orders, run_id="run-2")
    (mine,) = [row for _, row in mews.items if row.notes.startswith("[centra:uk:2]")]
    undo = replace(
        mine,
        id="undo",
        order_id="undo",
        notes=f"[centra:uk:2:undo] Reverses Centra order 2, OrderId {mine.order_id}",
        external_identifier="centra:uk:2:undo:p1",
        **{name: -getattr(mine, name) for name in ("gross", "net", "unit_gross", "unit_net")},
    )
    mews.items.append((time.seconds, undo))
    time.seconds += 1000
    with pytest.raises(IncompleteError) as caught:
        look(copy, mews, time)
    assert caught.value.lacks_orders
    recover_into(copy, mews, time)
    with Ledger.open(copy, read_only=True) as ledger:
        assert ledger.order("2").state is State.UNDONE


def test_a_payment_that_was_proved_absent_is_another_ledgers(path, mews, time, tmp_path):
    """The order is known here, its payment was looked for twice: who has it in Mews sent it from elsewhere."""
    copy = tmp_path / "copy.sqlite"
    orders = [an_order("1"), an_order("2", payments=(a_payment(),))]
    proved_absent(path, mews, time, orders, "gift1")
    copy_ledger(path, copy)
    run_poster(path, mews, time, orders, run_id="run-2")
    time.seconds += 1000
    with pytest.raises(IncompleteError) as caught:
        look(copy, mews, time)
    assert caught.value.lacks_orders
    assert "proved absent" in caught.value.message
    recover_into(copy, mews, time)
    assert run_poster(copy, mews, time, orders, run_id="run-3").sent == 0
    assert len(mews.paid) == 1


@pytest.mark.parametrize("state", [State.READY, State.REJECTED])
def test_a_commit_beyond_the_bounds_is_neither_lost_nor_doubled(path, mews, time, state):
    """Proved absent (given up or not) and there after all: the run stops before it sends it again, and says why."""
    orders = [an_order("1"), an_order("2")]
    proved_absent(path, mews, time, orders, "uk:2]")
    if state is State.REJECTED:
        with open_ledger(path, time) as ledger, ledger.steps(["2"]) as steps:
            for _ in range(2):
                seq = steps.intend(an_intent("2", time))
                steps.conclude("2", 1, "order", seq, NEVER, at=time.wall())
                assert steps.miss("2", 1, "order", seq, proved=True, at=time.wall()) in (State.READY, state)
    late = mews.calls[-1]
    mews.book(late, "late")
    time.seconds += 10
    result = run_poster(path, mews, time, orders, run_id="run-2", run={"retry_rejected": True})
    assert result.exit_code is ExitCode.USAGE
    assert "recover" in result.stop.hint
    assert "settle_seconds" in result.stop.hint
    assert recover_into(path, mews, time).resolved == 1
    assert run_poster(path, mews, time, orders, run_id="run-3").exit_code is ExitCode.DONE
    with Ledger.open(path, read_only=True) as ledger:
        assert (ledger.order("2").state, ledger.order("2").mews_order_id) == (State.POSTED, "late")
    assert mews.times_posted("2") == 1


@pytest.mark.parametrize("what", ["order", "payment"])
def test_an_order_in_doubt_that_is_there_twice_was_posted_by_somebody_else_too(path, mews, time, what):
    """Sent once, answer lost, and two are there: one is of another copy of this ledger, which the run has to say."""
    is_order = what == "order"

    def lose(payload, _number):
        return ("lost", 0.0) if ("Type" not in payload) is is_order and "uk:2" in str(payload) else None

    mews.script = lose
    mews.lag = 60.0
    run_poster(path, mews, time, [an_order("1"), an_order("2", payments=(a_payment(),))], run={"no_wait": True})
    mews.lag = 0.0
    mine = [(at, row) for at, row in mews.items if row.notes.startswith("[centra:uk:2]")]
    paid = list(mews.paid)
    if is_order:
        mews.items += [(at, replace(row, id=f"copy-{row.id}", order_id="copy")) for at, row in mine]
    else:
        mews.paid += [(at, replace(row, id="copy")) for at, row in paid]
    with pytest.raises(IncompleteError) as caught:
        look(path, mews, time)
    assert not caught.value.lacks_orders
    assert set(caught.value.duplicated["2"]) == {mine[0][1].order_id if is_order else paid[0][1].id, "copy"}
    with Ledger.open(path, read_only=True) as ledger:
        assert {part.part: part.state for part in ledger.parts(["2"])["2"]}[
            "order" if is_order else "gift1"
        ] is State.POSTED
    assert look(path, mews, time).found == {}


def test_copies_of_an_order_and_of_its_payment_are_told_together(path, mews, time):
    """Another ledger posted both at the same time: its payment's ids do not hide those of the order."""
    order = an_order("2", payments=(a_payment(),))
    mews.script = lambda p, _: Outcome(Kind.UNKNOWN, message="reset") if "Type" in p else None
    mews.lag = 500.0
    run_poster(path, mews, time, [an_order("1"), order], run={"no_wait": True}, is_wanted=False)
    mews.script, mews.lag = (lambda _p, _n: None), 0.0
    sent = mews.calls[-2:]
    for number, payload in enumerate(sent + sent[1:]):
        mews.book(payload, f"copy-{number}")
    with pytest.raises(IncompleteError) as caught:
        look(path, mews, time)
    assert {"OrderId-2", "copy-0", "copy-1", "copy-2"} == set(caught.value.duplicated["2"])


OTHERWISE = {
    "currency": {"currency": "EUR", "original_currency": "EUR"},
    "count": {"count": 2, "unit_gross": Decimal("6.00"), "unit_net": Decimal("5.00")},
    "amount": {"unit_gross": Decimal("12.01"), "gross": Decimal("12.01")},
    "tax code": {"taxes": (("UK-R", Decimal("2.00")),)},
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_a_sighting_is_judged_alike_by_run_and_recover(path, mews, time, tmp_path, what):
    """Currency, counts, amounts and tax codes: what differs for one differs for the other, in the same words."""
    an_unknown(path, mews, time, ("lost", 10.0))
    time.seconds += 20
    at, row = mews.items[-1]
    mews.items[-1] = (at, replace(row, **OTHERWISE[what]))
    copy = tmp_path / "copy.sqlite"
    copy_ledger(path, copy)
    assert look(path, mews, time).found == {("2", 1, "order"): State.DIFFERENT}
    assert recover_into(copy, mews, time).different.keys() == {"2"}
    with Ledger.open(path, read_only=True) as by_run, Ledger.open(copy, read_only=True) as by_recover:
        assert by_run.order("2").message == by_recover.order("2").message != ""


def test_an_unmarked_order_of_another_tax_code_holds_what_is_in_doubt(path, mews, time):
    """No mark comes back and the staff changed its code: a person decides; absence is not proved of it."""
    an_unknown(path, mews, time, ("lost", 10.0))
    time.seconds += 20
    at, row = mews.items[-1]
    mews.items[-1] = (at, replace(row, external_identifier="", notes="", taxes=(("UK-R", Decimal("2.00")),)))
    assert look(path, mews, time).held == [("2", 1, "order")]
