"""A run between two undos: what an undo left half done is no order that stands, whatever the ledger called it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_copy import copy_ledger
from load_fakes import Killed, VirtualTime, an_order, open_ledger, recover_into, run_poster
from test_ledger import an_intent
from undo_fakes import UndoMews, an_undoer, posted, undo_in, with_lines

from etl.errors import ExitCode
from etl.ledger.cancelled import unknown
from etl.ledger.records import PartKind, dumps
from etl.load.jobs import Job
from etl.load.poster import Poster
from etl.load.returns import Returns
from etl.load.undo import Ending
from etl.model.outcome import Kind, Outcome
from etl.model.states import State

NEVER = Outcome(Kind.UNKNOWN, message="reset")


@pytest.fixture
def mews(time: VirtualTime) -> UndoMews:
    return UndoMews(time)


def killed_at(path: Path, mews: UndoMews, time: VirtualTime, name: str, count: int = 1) -> None:
    """An undo of order 1 that dies at this checkpoint, for the n-th time."""
    left = [count]

    def kill(passed: str) -> None:
        left[0] -= passed == name
        if not left[0]:
            raise Killed

    ledger = open_ledger(path, time)
    ledger._checkpoint = ledger.fatal(kill)

    async def main() -> None:
        undoer = an_undoer(ledger, mews, time, checkpoint=kill)

        async def work() -> None:
            await undoer.run(await undoer.choose("", ["1"]))

        await time.drive(asyncio.ensure_future(work()))

    try:
        with pytest.raises(Killed):
            asyncio.run(main())
    finally:
        ledger.abandon()


def states(path: Path, time: VirtualTime) -> dict[str, tuple[State, str]]:
    with open_ledger(path, time) as ledger:
        return {row.number: (row.state, row.code) for row in ledger.orders()}


def lost(delay: float) -> Callable[[list[str], int], tuple[str, float]]:
    return lambda _ids, _n: ("lost", delay)


@pytest.mark.parametrize("delay", [0.0, 30.0, 170.0])
def test_a_run_sees_the_cancellation_that_was_in_doubt(path, mews, time, delay):
    """Nothing of the order stands: it is undone, and never again called posted."""
    posted(path, mews, time, [an_order("1"), an_order("2")])
    mews.cancel_script = lost(delay)
    killed_at(path, mews, time, "answer.received", 1)
    run_poster(path, mews, time, [an_order("1"), an_order("2"), an_order("3")], run_id="run-2")
    assert states(path, time) == {"1": (State.UNDONE, ""), "2": (State.POSTED, ""), "3": (State.POSTED, "")}
    assert mews.standing("1") == set()
    assert undo_in(path, mews, time, run="", only=["1"]).count(Ending.ALREADY) == 1
    assert len(mews.cancel_calls) == 1


def test_a_cancellation_of_some_items_leaves_an_order_that_stands(path, mews, time):
    """Ten of fifteen items were cancelled: the undo goes on with the rest, and no run calls it done."""
    posted(path, mews, time, [with_lines("1", 15)])
    mews.cancel_script = lost(0.0)
    killed_at(path, mews, time, "answer.received")
    mews.cancel_script = lambda _ids, _n: None
    run_poster(path, mews, time, [with_lines("1", 15)], run_id="run-2")
    assert states(path, time)["1"][0] is State.POSTED
    assert undo_in(path, mews, time, run="", only=["1"]).count(Ending.REVERSED) == 1
    assert [len(ids) for ids in mews.cancel_calls] == [10, 5]


@pytest.mark.parametrize("no_wait", [False, True])
@pytest.mark.parametrize("delay", [0.0, 30.0, 170.0])
def test_no_return_follows_an_order_whose_cancellation_is_in_doubt(path, mews, time, delay, no_wait):
    """Alone it would be a gift: it waits until the doubt is settled, and is blocked where the order is gone."""
    posted(path, mews, time, [an_order("1")])
    mews.cancel_script = lost(delay)
    killed_at(path, mews, time, "answer.received")
    batch = [an_order("1"), an_order("1-R7", parent="1")]
    run_poster(path, mews, time, batch, run_id="run-2", run={"no_wait": no_wait})
    assert mews.times_posted("1-R7") == 0
    assert states(path, time)["1-R7"] == (State.BLOCKED, "return.parent")


def test_a_return_goes_once_the_cancellation_is_proved_absent(path, mews, time):
    """It never reached Mews: the order stands, and its return follows in the same run."""
    posted(path, mews, time, [an_order("1")])
    mews.cancel_script = lambda _ids, _n: NEVER
    killed_at(path, mews, time, "answer.received")
    run_poster(path, mews, time, [an_order("1"), an_order("1-R7", parent="1")], run_id="run-2")
    assert mews.times_posted("1-R7") == 1


def test_no_return_follows_an_order_that_is_half_reversed(path, mews, time):
    """Ten of its items are cancelled: whoever undoes it goes on with the rest."""
    posted(path, mews, time, [with_lines("1", 15)])
    killed_at(path, mews, time, "outcome.recorded")
    run_poster(path, mews, time, [with_lines("1", 15), an_order("1-R7", parent="1")], run_id="run-2")
    assert mews.times_posted("1-R7") == 0
    with open_ledger(path, time) as ledger:
        assert "being reversed" in ledger.order("1-R7").message
    assert undo_in(path, mews, time, run="", only=["1"]).count(Ending.REVERSED) == 1


class Heedless(Returns):
    """Returns as they were sent before anybody looked whether their order was being reversed."""

    def may_go(self, job: Job) -> bool:
        return True


@pytest.mark.parametrize(("answer", "ending"), [(("lost", 60.0), Ending.REVERSED), (NEVER, Ending.KEPT)])
def test_an_order_is_kept_for_its_return_only_once_it_is_known_to_stand(path, mews, time, monkeypatch, answer, ending):
    """While its cancellation is in doubt nobody knows that: "kept" would be said of an order that is gone."""
    posted(path, mews, time, [an_order("1")])
    mews.cancel_script = lambda _ids, _n: answer
    killed_at(path, mews, time, "answer.received")
    monkeypatch.setattr(Poster, "returns_type", Heedless)
    batch = [an_order("1"), an_order("1-R7", parent="1")]
    run_poster(path, mews, time, batch, run_id="run-2", run={"no_wait": True})
    assert mews.times_posted("1-R7") == 1
    (detail,) = undo_in(path, mews, time, run="", only=["1"]).details
    assert detail.result is ending
    assert "its return 1-R7" in detail.message
    assert states(path, time)["1"][0] is (State.UNDONE if ending is Ending.REVERSED else State.POSTED)
    assert bool(mews.standing("1")) is (ending is Ending.KEPT)


@pytest.mark.parametrize("answer", [NEVER, Outcome(Kind.REFUSED, status=403), Outcome(Kind.STOP, status=401)])
@pytest.mark.parametrize("may_cancel", [True, False])
def test_a_reversal_that_nothing_here_can_have_brought_to_mews_is_another_ledgers(
    path, mews, time, tmp_path, answer, may_cancel
):
    """What an old copy tried was refused, or proved absent; another ledger then reversed the order: no look takes it for ours."""
    copy = tmp_path / "copy.sqlite"
    posted(path, mews, time, [an_order("1"), an_order("2")])
    copy_ledger(path, copy)
    item = next(row for _, row in mews.items if row.notes.startswith("[centra:uk:1]"))
    mews.may_cancel = may_cancel
    assert undo_in(path, mews, time, run="", only=["1"]).count(Ending.REVERSED) == 1
    content = {"OrderItemIds": [item.id]} if may_cancel else mews.calls[-1]
    tried = replace(
        an_intent("1", time),
        part="undo:cancel1" if may_cancel else "undo:order",
        kind=PartKind.UNDO,
        target=item.order_id,
        payload=dumps(content),
        consumption=item.consumed,
    )
    with open_ledger(copy, time) as ledger, ledger.steps(["1"]) as steps:
        steps.plan_undo(*tried.key, tried.target)
        seq = steps.intend(tried)
        if steps.conclude(*tried.key, seq, answer, at=time.wall()) is State.UNKNOWN:
            steps.miss(*tried.key, seq, proved=True, at=time.wall())
    time.seconds += 1000
    result = run_poster(copy, mews, time, [an_order("1"), an_order("2"), an_order("3")], run_id="run-2")
    assert result.exit_code is ExitCode.USAGE
    assert "cancelled, reversed or paid back" in result.stop.message
    assert mews.times_posted("3") == 0
    recover_into(copy, mews, time)
    assert states(copy, time)["1"][0] is State.UNDONE


def test_only_the_last_request_of_a_cancellation_explains_what_is_cancelled(path, time):
    """Its first one was proved absent, its second named another item: whoever cancelled the first item was another."""
    with open_ledger(path, time) as ledger:
        ledger.record_plan("run-1", [an_order("1")])
        with ledger.steps(["1"]) as steps:
            order = steps.intend(an_intent("1", time))
            steps.conclude("1", 1, "order", order, Outcome(Kind.DONE, {}, 200), at=time.wall(), mews_id="o-1")
        for item_id, answer in (("first", NEVER), ("second", Outcome(Kind.DONE, {}, 200))):
            tried = replace(
                an_intent("1", time),
                part="undo:cancel1",
                kind=PartKind.UNDO,
                target="o-1",
                payload=dumps({"OrderItemIds": [item_id]}),
            )
            with ledger.steps(["1"]) as steps:
                steps.plan_undo(*tried.key, tried.target)
                seq = steps.intend(tried)
                if steps.conclude(*tried.key, seq, answer, at=time.wall()) is State.UNKNOWN:
                    steps.miss(*tried.key, seq, proved=True, at=time.wall())
        assert unknown(ledger, {"first": "1", "second": "1"}) == {"first": "1"}
