"""Which version of an order took the place of which, in the ledger: without files and with a made-up Mews."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from load_fakes import SmallMews, VirtualTime, a_payment, an_order, open_ledger, run_poster

from etl.ledger.corrections import held_back, newest_given
from etl.ledger.standing import change, notices_of
from etl.model.order import Replaced
from etl.model.outcome import Kind, Outcome
from etl.model.plan import PlannedOrder, Verdict
from etl.model.problem import Problem
from etl.model.states import State


def version(name: str, *replaces: str, **more: Any) -> PlannedOrder:
    """A version of order 1; one whose name begins with `unread:` can't be read."""
    if name.startswith("unread:"):
        more |= {"verdict": Verdict.BLOCKED, "fingerprint": "", "unread": name}
    return an_order("1", **{"fingerprint": name, "replaces": tuple(map(Replaced, replaces)), **more})


def plan(path: Path, time: VirtualTime, *orders: PlannedOrder) -> None:
    """Each of the versions as the plan of a run of its own."""
    with open_ledger(path, time) as ledger:
        for at, order in enumerate(orders):
            time.seconds += 1
            ledger.record_plan(f"plan-{at}", [order])


def post(path: Path, time: VirtualTime, order: PlannedOrder, mews: SmallMews | None = None) -> None:
    run_poster(path, mews or SmallMews(time), time, [order])


def is_changed(path: Path, time: VirtualTime, order: PlannedOrder) -> bool:
    with open_ledger(path, time) as ledger:
        row = ledger.order("1")
        assert row is not None
        return change(row, order, "uk") != ""


def notices(path: Path, time: VirtualTime, order: PlannedOrder) -> Sequence[str]:
    with open_ledger(path, time) as ledger:
        row = ledger.order("1")
        assert row is not None
        return [problem.code for problem in notices_of(row, order)]


def test_every_version_before_the_posted_one_is_known_again(path: Path, time: VirtualTime) -> None:
    """Corrected twice before it was right: none of the earlier versions makes an alarm, an unknown one does."""
    plan(path, time, version("unread:first"), version("unread:second", "unread:first"))
    post(path, time, version("third", "unread:second"))
    for name in ("unread:first", "unread:second"):
        assert not is_changed(path, time, version(name)), name
        assert notices(path, time, version(name)) == ["order.corrected"]
    assert notices(path, time, version("third")) == []
    assert is_changed(path, time, version("unread:fourth"))
    assert is_changed(path, time, version("fourth"))


def test_the_newest_unsent_version_is_known_again(path: Path, time: VirtualTime) -> None:
    """Nobody said that it is a correction; the ledger saw the one blocked and the other posted."""
    plan(path, time, version("unread:first"))
    post(path, time, version("second"))
    assert not is_changed(path, time, version("unread:first"))
    assert is_changed(path, time, version("unread:other"))


def test_an_order_that_was_ready_and_came_otherwise_is_no_correction(path: Path, time: VirtualTime) -> None:
    """Only what was blocked or rejected was corrected; a sound order that changed is changed."""
    plan(path, time, version("first"))
    post(path, time, version("second"))
    assert is_changed(path, time, version("first"))


def test_a_correction_after_the_posting_excuses_nothing(path: Path, time: VirtualTime) -> None:
    """What was posted is not what the file says: a person has to look."""
    post(path, time, version("first"))
    plan(path, time, version("second", "first"))
    assert is_changed(path, time, version("second", "first"))
    assert not is_changed(path, time, version("first"))


def test_the_original_that_is_cancelled_now_is_changed(path: Path, time: VirtualTime) -> None:
    """Met exactly so: an order that the shop has cancelled since was not met so."""
    post(path, time, version("second", "first"))
    cancelled = version("first", verdict=Verdict.SKIPPED, skip_fingerprint="sha256:cancelled", skip_reason="status")
    assert is_changed(path, time, cancelled)


@pytest.mark.parametrize("state", [State.READY, State.REJECTED, State.BLOCKED])
def test_a_corrected_order_is_held_back_uncorrected(path: Path, time: VirtualTime, state: State) -> None:
    """Planned, refused or still blocked: the correction was given, and only it (or a newer one) goes."""
    first = version("second" if state is not State.BLOCKED else "unread:second", "first")
    plan(path, time, first)
    if state is State.REJECTED:
        mews = SmallMews(time)
        mews.script = lambda _payload, _number: Outcome(Kind.REFUSED, status=403, message="no")
        post(path, time, first, mews)
    with open_ledger(path, time) as ledger:
        row = ledger.order("1")
        assert row is not None
        assert row.state is state
        blocked = held_back(row, version("first"))
        assert (blocked.verdict, blocked.codes) == (Verdict.BLOCKED, ("order.correction_missing",))
        assert held_back(row, version("other")).verdict is Verdict.BLOCKED
        assert held_back(row, version("third", "first")).verdict is Verdict.READY
        if state is not State.BLOCKED:
            assert held_back(row, version("second")).verdict is Verdict.READY
        counts = ledger.record_plan("run-2", [version("first")])
        # What Mews refused stays rejected until another payload goes.
        assert counts[State.REJECTED if state is State.REJECTED else State.BLOCKED] == 1


def test_a_blocked_original_is_told_to_come_uncorrected(path: Path, time: VirtualTime) -> None:
    """What blocks an order is told whole: mending what blocks the original would send it no more than before."""
    plan(path, time, version("second", "first"))
    with open_ledger(path, time) as ledger:
        row = ledger.order("1")
        assert row is not None
        fault = Problem("total.mismatch", "1")
        blocked = held_back(row, version("first", verdict=Verdict.BLOCKED, problems=(fault,)))
        assert set(blocked.codes) == {"total.mismatch", "order.correction_missing"}
        assert held_back(row, version("first", verdict=Verdict.SKIPPED)).codes == ()


def test_the_newest_correction_is_the_one_that_may_go(path: Path, time: VirtualTime) -> None:
    """Corrected back to what it was: the original is right after all."""
    plan(path, time, version("second", "first"))
    plan(path, time, version("first", "second"))
    with open_ledger(path, time) as ledger:
        row = ledger.order("1")
        assert row is not None
        newest = newest_given(row)
        assert newest is not None
        assert newest.corrected == "first"
        assert held_back(row, version("first")).verdict is Verdict.READY
        assert held_back(row, version("second")).verdict is Verdict.BLOCKED


def test_nothing_is_sent_of_an_order_that_comes_uncorrected(path: Path, time: VirtualTime) -> None:
    """Also where it reaches the loader as ready: the ledger has the last word."""
    mews = SmallMews(time)
    plan(path, time, version("second", "first"))
    post(path, time, version("first"), mews)
    with open_ledger(path, time) as ledger:
        row = ledger.order("1")
        assert row is not None
        assert (row.state, row.mews_order_id) == (State.BLOCKED, "")
        assert ledger.attempts("1") == []


def test_the_original_of_a_refused_correction_is_not_sent(path: Path, time: VirtualTime) -> None:
    """Mews refused the correction, and the export has the original again: another payload, and not the one that was meant."""
    mews = SmallMews(time)
    mews.script = lambda _payload, _number: Outcome(Kind.REFUSED, status=403, message="no")
    post(path, time, version("second", "first"), mews)
    mews.script = lambda _payload, _number: None
    run_poster(path, mews, time, [version("first", amount="13.00")], run_id="run-2")
    assert mews.times_posted("1") == 0


def test_no_payment_goes_as_the_original_has_it(path: Path, time: VirtualTime) -> None:
    """The correction is posted, its gift card was refused: the original's gift card is no other attempt at it."""
    mews = SmallMews(time)
    refused = Outcome(Kind.REFUSED, status=403, message="no")
    mews.script = lambda payload, _number: refused if "Type" in payload else None
    post(path, time, version("second", "first", payments=(a_payment("gift1", "5.00"),)), mews)
    mews.script = lambda _payload, _number: None
    original = version("first", payments=(a_payment("gift1", "7.00"),))
    run_poster(path, mews, time, [original], run_id="run-2")
    assert (mews.times_posted("1"), mews.times_paid("1", "gift1")) == (1, 0)
