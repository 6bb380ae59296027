"""The poster against a small Mews: exactly once, and stopping when it must."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from ledger_copy import copy_ledger
from load_fakes import ME, SmallMews, VirtualTime, a_payment, a_poster, an_order, open_ledger, recover_into, run_poster
from sqlalchemy import text

from etl.errors import ExitCode
from etl.ledger.holder import Holder
from etl.ledger.ledger import Ledger
from etl.load.breaker import Breaker
from etl.load.first_order import FIRST_CHECK
from etl.load.stop import StopFlag
from etl.model.outcome import Kind, Outcome
from etl.model.states import State
from etl.model.status import ReportState


def orders(count: int) -> list:
    return [an_order(str(number), day=0) for number in range(1, count + 1)]


def state(path: Path, number: str) -> State:
    with Ledger.open(path, read_only=True) as ledger:
        row = ledger.order(number)
        assert row is not None
        return row.state


def test_every_order_is_posted_once_and_a_rerun_sends_nothing(path, mews, time):
    """The plain case: all are posted with concurrency, the next run finds nothing to do."""
    first = run_poster(path, mews, time, orders(30))
    assert first.counts == {ReportState.POSTED: 30}
    assert first.exit_code is ExitCode.DONE
    assert 1 < mews.most_in_flight <= 4
    again = run_poster(path, mews, time, orders(30), run_id="run-2")
    assert again.counts == {ReportState.ALREADY_POSTED: 30}
    assert len(mews.calls) == 30


def test_the_first_order_goes_alone(path, mews, time):
    """A wrong mapping must harm one order, not eight."""
    seen = []
    mews.before_answer = lambda number: seen.append((number, mews.in_flight, len(mews.calls)))
    run_poster(path, mews, time, orders(5))
    assert seen[0][2] == 1


@pytest.mark.parametrize("fault", ["marks", "amounts", "missing", "reservation"])
def test_a_first_order_that_reads_back_wrong_stops_the_run(path, mews, time, fault):
    """Without marks, with other amounts, no items or a guessed reservation, nothing else may be sent."""
    more = {}
    if fault == "marks":
        mews.hides_identifiers = mews.hides_notes = True
    elif fault == "amounts":
        mews.tax_error = Decimal("0.05")
    elif fault == "missing":
        mews.lag = 1e9
    else:

        async def reservation(_: str) -> str:
            return "reservation-1"

        more["linked_reservation"] = reservation
    result = run_poster(path, mews, time, orders(5), **more)
    assert result.stop.code == "run.first_order"
    assert result.exit_code is ExitCode.ATTENTION
    assert len(mews.calls) == 1
    assert result.counts == {ReportState.POSTED: 1, ReportState.READY: 4}
    again = run_poster(path, mews, time, orders(5), run_id="run-2", **more)
    assert again.stop.code == "run.first_order"
    assert len(mews.calls) == 1


def test_nothing_follows_a_first_order_in_doubt(path, mews, time):
    """Whether Mews booked it as it was sent nobody knows: the next run finds out before it sends anything else."""
    mews.script = lambda _, n: Outcome(Kind.UNKNOWN, message="reset") if n == 1 else None
    result = run_poster(path, mews, time, orders(3), run={"no_wait": True})
    assert result.stop.code == "run.first_order"
    assert len(mews.calls) == 1


@pytest.mark.parametrize("delay", [0.0, 170.0])
def test_a_first_order_in_doubt_is_found_and_read_back_in_the_same_run(path, mews, time, delay):
    """Only a run that does not wait leaves it to the next one."""
    mews.script = lambda _, n: ("lost", delay) if n == 1 else None
    result = run_poster(path, mews, time, orders(3))
    assert (result.exit_code, result.stop) == (ExitCode.DONE, None)
    assert [mews.times_posted(str(n)) for n in range(1, 4)] == [1] * 3
    assert run_poster(path, mews, time, orders(3), run_id="run-2").sent == 0


def test_a_first_order_half_read_back_is_read_back_by_the_next_run(path, mews, time):
    """Stopped while reads lag: that they show nothing yet is no verdict, neither good nor bad."""
    mews.lag = 60.0
    stop = StopFlag()
    ask = lambda stage, _done, _total: stop.request() if stage.startswith("read back") else None  # noqa: E731
    result = run_poster(path, mews, time, orders(3), stop=stop, progress=ask)
    assert (result.exit_code, result.stop) == (ExitCode.INTERRUPTED, None)
    with open_ledger(path, time) as ledger:
        assert ledger.meta(FIRST_CHECK) is None
    mews.hides_identifiers = mews.hides_notes = True
    time.seconds += 100
    assert run_poster(path, mews, time, orders(3), run_id="run-2").stop.code == "run.first_order"
    assert len(mews.calls) == 1


def test_payments_of_a_found_order_go_without_a_first_order(path, mews, time):
    """What `recover` found was never sent from here: there is nothing to be read back, and the payment is due."""
    batch = [an_order("1", payments=(a_payment(),))]
    mews.script = lambda p, _: Outcome(Kind.REFUSED, status=403) if "Type" in p else None
    run_poster(path, mews, time, batch)
    mews.script = lambda _p, _n: None
    other = path.with_name("other.sqlite")
    recover_into(other, mews, time)
    result = run_poster(other, mews, time, batch, run_id="run-2")
    assert (result.exit_code, result.stop) == (ExitCode.DONE, None)
    assert (mews.times_posted("1"), mews.times_paid("1", "gift1")) == (1, 1)
    with open_ledger(other, time) as ledger:
        assert ledger.meta(FIRST_CHECK) is None, "the first order that this ledger sends is still to be read back"


def test_the_last_digit_of_a_tax_is_shown_and_goes_on(path, mews, time):
    """Mews may round a tax elsewhere; that is no reason to stop, but is to be told."""
    mews.tax_error = Decimal("0.01")
    result = run_poster(path, mews, time, orders(3))
    assert result.counts == {ReportState.POSTED: 3}
    assert len(result.first_check) == 1


def test_a_server_without_identifiers_is_recognised_by_the_marker(path, mews, time):
    """Older servers return no ExternalIdentifier; the marker in Notes must do."""
    mews.hides_identifiers = True
    mews.script = lambda _, n: ("lost", 0.0) if n == 3 else None
    result = run_poster(path, mews, time, orders(5))
    assert result.counts == {ReportState.POSTED: 4, ReportState.RECOVERED: 1}
    assert len(mews.calls) == 5


def test_a_lost_answer_is_found_not_sent_again(path, mews, time):
    """The order is in Mews although the answer never came."""
    mews.script = lambda _, n: ("lost", 0.0) if n in (2, 5) else None
    result = run_poster(path, mews, time, orders(8))
    assert result.counts == {ReportState.POSTED: 6, ReportState.RECOVERED: 2}
    assert all(mews.times_posted(str(n)) == 1 for n in range(1, 9))


@pytest.mark.parametrize("lag", [0.0, 60.0, 89.0])
@pytest.mark.parametrize("delay", [1.0, 100.0, 175.0])
def test_a_late_commit_within_the_settling_time_is_never_doubled(path, mews, time, delay, lag):
    """Mews commits minutes after the client gave up, and its reads lag behind that."""
    mews.script = lambda _, n: ("lost", delay) if n in (2, 3) else None
    mews.lag = lag
    result = run_poster(path, mews, time, orders(6))
    assert [mews.times_posted(str(n)) for n in range(1, 7)] == [1] * 6
    assert result.counts[ReportState.POSTED] + result.counts[ReportState.RECOVERED] == 6


def test_what_was_never_processed_is_proved_absent_and_sent_again(path, mews, time):
    """Two complete scans, one settling time and a half apart, then once more; the surveys stay few."""
    mews.script = lambda _, n: Outcome(Kind.UNKNOWN, message="reset") if n in (2, 3, 4) else None
    before = time.seconds
    result = run_poster(path, mews, time, orders(6))
    assert result.counts == {ReportState.POSTED: 6}
    assert [mews.times_posted(str(n)) for n in range(1, 7)] == [1] * 6
    assert time.seconds - before >= 270
    assert result.surveys <= 7


def test_what_is_sent_after_it_was_proved_absent_is_on_record_as_it_is_now(path, mews, time):
    """The export changed while nobody knew: the ledger's sums are those of the version that is in Mews."""
    mews.script = lambda p, _: Outcome(Kind.UNKNOWN, message="reset") if "uk:2]" in p["Notes"] else None
    run_poster(path, mews, time, orders(2), run={"no_wait": True})
    mews.script = lambda _p, _n: None
    now = [an_order("1"), an_order("2", amount="13.00")]
    run_poster(path, mews, time, now, run_id="run-2")
    with Ledger.open(path, read_only=True) as ledger:
        row = ledger.order("2")
    assert (row.state, row.planned_total, row.fingerprint) == (State.POSTED, Decimal("13.00"), now[1].fingerprint)
    assert run_poster(path, mews, time, now, run_id="run-3").counts == {ReportState.ALREADY_POSTED: 2}


def test_an_order_proved_absent_three_times_gives_up(path, mews, time):
    """An order that never arrives must not be tried for ever."""
    mews.script = lambda p, _: Outcome(Kind.UNKNOWN, message="reset") if "[centra:uk:3]" in p["Notes"] else None
    result = run_poster(path, mews, time, orders(4))
    assert result.counts == {ReportState.POSTED: 3, ReportState.REJECTED: 1}
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.order("3").code == "send.gave_up"
        assert len(ledger.attempts("3")) == 3
    again = run_poster(path, mews, time, orders(4), run_id="run-2")
    assert again.counts[ReportState.REJECTED] == 1
    mews.script = lambda _p, _n: None
    retried = run_poster(path, mews, time, orders(4), run_id="run-3", run={"retry_rejected": True})
    assert retried.counts == {ReportState.ALREADY_POSTED: 3, ReportState.POSTED: 1}


def test_a_scan_that_fails_proves_nothing(path, mews, time):
    """A page that could not be read may be the one with the order on it."""
    mews.script = lambda _, n: ("lost", 0.0) if n == 2 else None
    run_poster(path, mews, time, orders(3), run={"no_wait": True})
    mews.failing_reads = 3
    result = run_poster(path, mews, time, orders(3), run_id="run-2")
    assert result.stop is not None or result.counts[ReportState.UNKNOWN] == 0
    assert mews.times_posted("2") == 1


def test_no_wait_leaves_the_unknown_to_the_next_run(path, mews, time):
    """`--no-wait` ends with exit code 3; the next run resolves and recovers."""
    mews.script = lambda _, n: ("lost", 5.0) if n == 3 else None
    result = run_poster(path, mews, time, orders(4), run={"no_wait": True})
    assert result.counts == {ReportState.POSTED: 3, ReportState.UNKNOWN: 1}
    assert result.exit_code is ExitCode.ATTENTION
    assert state(path, "3") is State.UNKNOWN
    time.seconds += 10
    again = run_poster(path, mews, time, orders(4), run_id="run-2")
    assert again.counts == {ReportState.ALREADY_POSTED: 3, ReportState.RECOVERED: 1}
    third = run_poster(path, mews, time, orders(4), run_id="run-3")
    assert third.counts == {ReportState.ALREADY_POSTED: 4}


def test_a_commit_beyond_the_bounds_is_reported_as_duplicate(path, mews, time):
    """Beyond the settling time a duplicate can happen; silent it may not be."""
    mews.script = lambda _, n: ("lost", 1000.0) if n == 3 else None
    first = run_poster(path, mews, time, orders(4))
    assert first.counts == {ReportState.POSTED: 4}
    assert not first.duplicated
    time.seconds += 2000
    second = run_poster(path, mews, time, orders(4), run_id="run-2")
    assert set(second.duplicated) == {"3"}
    assert len(second.duplicated["3"]) == 2
    assert second.exit_code is ExitCode.ATTENTION
    with Ledger.open(path, read_only=True) as ledger:
        assert dict(ledger.duplicated())["3"] == tuple(sorted(second.duplicated["3"]))


def test_items_without_any_mark_leave_the_decision_to_a_person(path, mews, time):
    """Same account, consumption and amounts but no mark: neither absent nor present, both sides shown."""
    run_poster(path, mews, time, orders(1))
    mews.script = lambda _, n: ("lost", 0.0) if n == 2 else None
    mews.hides_identifiers = mews.hides_notes = True
    unlike = replace(an_order("2", amount="99.00"), consumption=an_order("2").consumption + timedelta(hours=1))
    result = run_poster(path, mews, time, [*orders(1), unlike], run_id="run-2")
    assert result.counts[ReportState.UNKNOWN] == 1
    assert len(mews.calls) == 2
    with Ledger.open(path, read_only=True) as ledger:
        (part,) = ledger.parts(["2"])["2"]
        assert "OrderId-2" in part.held
        assert "99.00" in part.held


def test_refused_orders_stay_rejected_until_their_payload_changes(path, mews, time):
    """A refusal is definite for this payload; another payload is another question."""
    refusal = Outcome(Kind.REFUSED, status=403, message="closed", request_id="r-9")
    mews.script = lambda p, _: refusal if p["AccountId"] == "bad" else None
    batch = [an_order("1"), an_order("2", account_id="bad")]
    result = run_poster(path, mews, time, batch)
    assert result.counts == {ReportState.POSTED: 1, ReportState.REJECTED: 1}
    with Ledger.open(path, read_only=True) as ledger:
        row = ledger.order("2")
        assert (row.message, row.request_id, row.code) == ("closed", "r-9", "mews.refused")
    run_poster(path, mews, time, batch, run_id="run-2")
    assert len(mews.calls) == 2
    run_poster(path, mews, time, batch, run_id="run-3", run={"retry_rejected": True})
    assert len(mews.calls) == 3
    fixed = [an_order("1"), an_order("2", account_id="other")]
    assert run_poster(path, mews, time, fixed, run_id="run-4").counts[ReportState.POSTED] == 1


def test_twenty_equal_refusals_stop_the_run(path, mews, time):
    """A wrong mapping must not be tried on two million orders."""
    mews.script = lambda _, n: Outcome(Kind.REFUSED, status=403, message="no") if n > 1 else None
    result = run_poster(path, mews, time, orders(200))
    assert result.stop.code == "run.refusals"
    assert 21 <= len(mews.calls) <= 25
    assert result.exit_code is ExitCode.ATTENTION
    assert sum(result.counts.values()) == 200


def test_nothing_but_faults_stops_the_run(path, mews, time):
    """A dead Mews must not leave hundreds of orders in doubt."""
    mews.script = lambda _, n: Outcome(Kind.UNKNOWN, message="500") if n > 1 else None
    result = run_poster(path, mews, time, orders(200), run={"no_wait": True})
    assert result.exit_code is ExitCode.MEWS
    assert len(mews.calls) <= 40
    assert mews.pauses


def test_unreachable_is_not_sent(path, mews, time):
    """Connect faults leave orders ready and stop the run in the end."""
    mews.script = lambda _, n: Outcome(Kind.NOT_SENT, message="connection refused") if n > 1 else None
    result = run_poster(path, mews, time, orders(10))
    assert result.exit_code is ExitCode.MEWS
    assert result.counts == {ReportState.POSTED: 1, ReportState.READY: 9}
    mews.script = lambda _p, _n: None
    assert run_poster(path, mews, time, orders(10), run_id="run-2").counts[ReportState.POSTED] == 9


def test_only_a_row_of_429_is_nothing_but_429():
    """Between two of them lay half an hour, and other answers: Mews was there all the time."""
    breaker, half_an_hour = Breaker(Random(1)), 1800.0
    breaker.wait(0.0, 0.0, None)
    breaker.see(Outcome(Kind.UNKNOWN, status=504, message="no answer in time"))
    breaker.wait(half_an_hour, half_an_hour, None)
    assert breaker.waited_too_long(half_an_hour) is None
    breaker.wait(2 * half_an_hour, 2 * half_an_hour, None)
    assert breaker.waited_too_long(2 * half_an_hour).code == "mews.too_many_requests"


@pytest.mark.parametrize("status", [401, 404])
def test_refused_credentials_stop_at_once(path, mews, time, status):
    """After 401 or 404 no further request leaves; the orders are ready."""
    mews.script = lambda _, n: Outcome(Kind.STOP, status=status, message="no") if n == 6 else None
    result = run_poster(path, mews, time, orders(50))
    assert result.exit_code is ExitCode.MEWS
    assert len(mews.calls) <= 9
    assert set(result.counts) == {ReportState.POSTED, ReportState.READY}
    assert sum(result.counts.values()) == 50


@pytest.mark.parametrize("retry_after", [0.5, 7.0, 90.0])
def test_what_mews_asks_for_is_waited_and_not_what_the_row_says(retry_after):
    """Retry-After, whichever of a row it is: longer than the backoff it is kept to, shorter it spares time."""
    breaker = Breaker(Random(1))
    for at in range(4):
        breaker.wait(float(at), float(at), None)
    assert retry_after <= breaker.wait(4.0, 4.0, retry_after) <= retry_after + 0.1
    assert breaker.wait(5.0, 5.0, 0.0) >= 16 * 0.75


def test_429_makes_all_wait_and_the_order_is_sent_again(path, mews, time):
    """Retry-After counts for everybody; without it the wait grows."""
    mews.script = lambda _, n: (
        Outcome(Kind.WAIT, status=429, retry_after=7.0 if n == 2 else None) if 2 <= n < 6 else None
    )
    result = run_poster(path, mews, time, orders(6))
    assert result.counts == {ReportState.POSTED: 6}
    assert any(7.0 <= pause < 8 for pause in mews.pauses)
    assert [mews.times_posted(str(n)) for n in range(1, 7)] == [1] * 6


def test_a_conflict_is_tried_a_few_times(path, mews, time):
    """409 means not done; four tries, then a person looks."""
    mews.script = lambda p, n: Outcome(Kind.CONFLICT, status=409, message="changed") if "uk:2]" in p["Notes"] else None
    result = run_poster(path, mews, time, orders(3))
    assert result.counts == {ReportState.POSTED: 2, ReportState.REJECTED: 1}
    assert len(mews.calls) == 6


def test_payments_follow_their_order_and_only_the_missing_part_is_sent(path, mews, time):
    """A payment whose answer is lost is found; the order is not touched again."""
    batch = [an_order("1"), an_order("2", payments=(a_payment("gift1"), a_payment("pay1")))]
    mews.script = lambda p, _: ("lost", 0.0) if p.get("ExternalIdentifier", "").endswith("pay1") else None
    result = run_poster(path, mews, time, batch)
    assert result.exit_code is ExitCode.DONE
    assert (mews.times_posted("2"), mews.times_paid("2", "gift1"), mews.times_paid("2", "pay1")) == (1, 1, 1)
    refused = [*batch, an_order("3", payments=(a_payment(),))]
    mews.script = lambda p, _: Outcome(Kind.REFUSED, status=403, message="type") if "Type" in p else None
    second = run_poster(path, mews, time, refused, run_id="run-2")
    assert second.counts == {ReportState.ALREADY_POSTED: 2, ReportState.REJECTED: 1}
    mews.script = lambda _p, _n: None
    third = run_poster(path, mews, time, refused, run_id="run-3", run={"retry_rejected": True})
    assert third.counts == {ReportState.ALREADY_POSTED: 2, ReportState.POSTED: 1}
    assert (mews.times_posted("3"), mews.times_paid("3", "gift1")) == (1, 1)


@pytest.mark.parametrize(
    "fate", [Outcome(Kind.REFUSED, status=403, message="x"), Outcome(Kind.UNKNOWN, message="reset")]
)
def test_no_payment_goes_before_its_order_is_known_to_be_there(path, mews, time, fate):
    """A payment for what Mews refused, or may not have, would be money for nothing."""
    tries = []

    def script(payload, _):
        if "uk:2]" not in payload["Notes"] or "Type" in payload:
            return None
        tries.append(1)
        return fate if len(tries) == 1 else None

    mews.script = script
    run_poster(path, mews, time, [an_order("1"), an_order("2", payments=(a_payment(),))])
    what = ["payment" if "Type" in call else "order" for call in mews.calls if "uk:2]" in call["Notes"]]
    assert what == (["order"] if fate.kind is Kind.REFUSED else ["order", "order", "payment"])


def test_an_unprocessed_payment_is_proved_absent_and_sent_again(path, mews, time):
    """Payments have the same guarantee as orders."""
    batch = [an_order("1"), an_order("2", payments=(a_payment(),))]
    tries = []

    def script(payload, _):
        if "Type" in payload:
            tries.append(1)
            return Outcome(Kind.UNKNOWN, message="reset") if len(tries) == 1 else None
        return None

    mews.script = script
    result = run_poster(path, mews, time, batch)
    assert result.counts == {ReportState.POSTED: 2}
    assert (len(tries), mews.times_paid("2", "gift1"), mews.times_posted("2")) == (2, 1, 1)


def test_a_return_waits_for_its_order(path, mews, time):
    """A nested return is sent only after its order is posted, even if that took a look at Mews."""
    batch = [an_order("1"), an_order("5-R9", parent="5"), an_order("5")]
    mews.script = lambda p, _: ("lost", 20.0) if "uk:5]" in p["Notes"] else None
    result = run_poster(path, mews, time, batch)
    assert result.exit_code is ExitCode.DONE
    notes = [call["Notes"].split("]")[0] for call in mews.calls]
    assert notes.index("[centra:uk:5") < notes.index("[centra:uk:5-R9")


def test_a_return_of_an_order_that_is_there_otherwise_waits_for_a_person(path, mews, time):
    """Its order is in Mews, and not as it was sent: the reason says so, not that it is missing."""
    batch = [an_order("1"), an_order("2"), an_order("2-R1", amount="-2.00", parent="2")]
    mews.script = lambda p, _: ("lost", 0.0) if "uk:2]" in p["Notes"] else None
    mews.lag = 60.0
    run_poster(path, mews, time, batch[:2], run={"no_wait": True})
    mews.lag = 0.0
    changed = {"gross": Decimal("11.00"), "net": Decimal("9.17")}
    mews.items = [(at, replace(row, **changed) if "uk:2]" in row.notes else row) for at, row in mews.items]
    run_poster(path, mews, time, batch, run_id="run-2")
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.order("2").state is State.DIFFERENT
        row = ledger.order("2-R1")
    assert (row.state, row.code) == (State.BLOCKED, "return.parent")
    assert "otherwise than it was sent" in row.message


def test_a_return_of_an_order_in_doubt_is_left_for_the_next_run(path, mews, time):
    """`--no-wait`: nobody knows whether its order is in Mews, so nothing is said against the return."""
    batch = [an_order("1"), an_order("5"), an_order("5-R9", amount="-2.00", parent="5")]
    mews.script = lambda p, _: Outcome(Kind.UNKNOWN, message="reset") if "uk:5]" in p["Notes"] else None
    result = run_poster(path, mews, time, batch, run={"no_wait": True})
    assert result.counts == {ReportState.POSTED: 1, ReportState.UNKNOWN: 1, ReportState.READY: 1}
    mews.script = lambda _p, _n: None
    assert run_poster(path, mews, time, batch, run_id="run-2").exit_code is ExitCode.DONE
    assert (mews.times_posted("5"), mews.times_posted("5-R9")) == (1, 1)


def test_a_return_without_its_order_is_blocked(path, mews, time):
    """A return of what is not there would be a gift."""
    mews.script = lambda p, _: Outcome(Kind.REFUSED, status=403, message="x") if "uk:5]" in p["Notes"] else None
    result = run_poster(path, mews, time, [an_order("1"), an_order("5"), an_order("5-R9", parent="5")])
    assert result.counts == {ReportState.POSTED: 1, ReportState.REJECTED: 1, ReportState.BLOCKED: 1}
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.order("5-R9").code == "return.parent"


def test_the_window_is_looked_at_just_before_sending(path, mews, time):
    """An order that the window left while it waited is blocked, not refused."""
    batch = [an_order("1", day=20), an_order("2", day=1), an_order("3", day=20)]
    result = run_poster(path, mews, time, batch, window_start=lambda now: now - timedelta(days=20))
    assert result.counts == {ReportState.POSTED: 2, ReportState.BLOCKED: 1}
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.order("2").code == "window.passed"


def test_changed_and_skipped_orders_are_reported_and_not_sent(path, mews, time):
    """What is posted is never sent again, whatever the source says now."""
    run_poster(path, mews, time, orders(2))
    result = run_poster(path, mews, time, [an_order("1", amount="13.00"), an_order("2")], run_id="run-2")
    assert result.counts == {ReportState.CHANGED: 1, ReportState.ALREADY_POSTED: 1}
    assert len(mews.calls) == 2
    with Ledger.open(path, read_only=True) as ledger:
        row = ledger.order("1")
        assert row.changed
        assert row.source_total == Decimal("12.00")
        assert row.facts["now"]["source_total"] == Decimal("13.00")


def test_limit_leaves_the_rest_ready(path, mews, time):
    """`--limit` is a choice, not a failure."""
    result = run_poster(path, mews, time, orders(10), run={"limit": 3})
    assert result.counts == {ReportState.POSTED: 3, ReportState.READY: 7}
    assert result.exit_code is ExitCode.DONE


@pytest.mark.parametrize("first", [1, 2])
def test_what_was_begun_within_the_limit_is_brought_to_its_end(path, mews, time, first):
    """Proved absent, it is sent again in the same run: it has its place within the limit already."""
    run_poster(path, mews, time, orders(1)) if first == 2 else None
    mews.script = lambda _, n: Outcome(Kind.UNKNOWN, message="reset") if n == first else None
    result = run_poster(path, mews, time, orders(4), run_id="run-2", run={"limit": 1})
    assert result.counts[ReportState.POSTED] == 1
    assert mews.times_posted(str(first)) == 1
    assert len(mews.calls) == first + 1


def test_copies_that_a_look_ends_with_are_in_the_result(path, mews, time):
    """Whoever reads the result learns every id, not only that there is something."""
    run_poster(path, mews, time, orders(2))
    time.seconds += 1000
    row, now = mews.items[0][1], mews.mews_now(time.seconds)
    mews.items.append((time.seconds, replace(row, id="copy", order_id="copy", created=now, updated=now)))
    result = run_poster(path, mews, time, orders(3), run_id="run-2")
    assert (result.exit_code, result.sent) == (ExitCode.USAGE, 0)
    assert result.duplicated == {"1": (row.order_id, "copy")}


def test_a_run_that_gets_nothing_but_429_ends(path, mews, time):
    """After half an hour; nothing was taken, and all of it is ready."""
    mews.script = lambda _p, _n: Outcome(Kind.WAIT, status=429)
    result = run_poster(path, mews, time, orders(2))
    assert result.stop.code == "mews.too_many_requests"
    assert result.counts == {ReportState.READY: 2}


def test_a_fresh_ledger_notices_orders_in_mews(path, mews, time, tmp_path):
    """A lost ledger would post everything twice; it stops and points to recover."""
    run_poster(path, mews, time, orders(3))
    result = run_poster(tmp_path / "other.sqlite", mews, time, orders(5))
    assert result.stop.code == "ledger.incomplete"
    assert result.exit_code is ExitCode.USAGE
    assert "recover" in result.stop.hint
    assert len(mews.calls) == 3
    assert sum(result.counts.values()) == 5


def test_an_old_copy_of_the_ledger_is_noticed(path, mews, time, tmp_path):
    """A copy that missed later runs does not post their orders again."""
    run_poster(path, mews, time, orders(3))
    copy = tmp_path / "copy.sqlite"
    copy_ledger(path, copy)
    time.seconds += 3600
    run_poster(path, mews, time, orders(6), run_id="run-2")
    result = run_poster(copy, mews, time, orders(6), run_id="run-3")
    assert result.stop.code == "ledger.incomplete"
    assert len(mews.calls) == 6


def test_a_copy_at_work_elsewhere_is_noticed_while_running(path, mews, time):
    """Every few minutes the service is looked at; somebody else's orders of this store stop the run."""
    other = SmallMews(time)
    mews.latency = 20.0

    def script(payload, n):
        if n == 20:
            other.book(
                {
                    **payload,
                    "Notes": "[centra:uk:999] x",
                    "Items": [{**payload["Items"][0], "ExternalIdentifier": "centra:uk:999:p1"}],
                },
                "foreign-1",
                0.0,
            )
            mews.items += other.items
        return

    mews.script = script
    result = run_poster(path, mews, time, orders(300), concurrency=2)
    assert result.stop.code == "ledger.incomplete"
    assert len(mews.calls) < 80


def run_both(path: Path, other: Path, mews: SmallMews, time: VirtualTime, batch: list) -> list:
    """Two copies of one ledger at work at the same time; their results."""

    async def main() -> list:
        posters = [a_poster(one, mews, time, run_id=f"run-{name}") for name, one in (("a", first), ("b", second))]
        return await time.drive(asyncio.ensure_future(asyncio.gather(*(one.run(iter(batch)) for one in posters))))

    with open_ledger(path, time) as first, open_ledger(other, time) as second:
        return asyncio.run(main())


def test_two_copies_of_a_ledger_at_once_are_told_with_every_duplicate(path, mews, time, tmp_path):
    """Both runs are shorter than the minutes between two looks: the closing look sees what the other one did."""
    batch = [an_order(str(number), payments=(a_payment(),) if number % 2 else ()) for number in range(1, 9)]
    run_poster(path, mews, time, batch[:1])
    copy = tmp_path / "copy.sqlite"
    copy_ledger(path, copy)
    results = run_both(path, copy, mews, time, batch)
    assert [result.exit_code for result in results] == [ExitCode.USAGE, ExitCode.USAGE]
    assert {result.stop.code for result in results} == {"ledger.incomplete"}
    twice = {str(number) for number in range(2, 9) if mews.times_posted(str(number)) == 2}
    assert len(twice) == 7
    last = max(results, key=lambda result: len(result.duplicated))
    assert set(last.duplicated) == twice
    for number in twice:
        paid = int(number) % 2 and mews.times_paid(number, "gift1") == 2
        assert len(last.duplicated[number]) == (4 if paid else 2), number
    # Known by now: the next run goes on, and still says so.
    mine = path if last is results[0] else copy
    again = run_poster(mine, mews, time, batch, run_id="run-3")
    assert (again.sent, again.stop, again.exit_code) == (0, None, ExitCode.ATTENTION)


def test_a_run_with_nothing_to_send_looks_all_the_same(path, mews, time, tmp_path):
    """A ledger from before an undo has nothing to send: without a look it would call reversed orders posted."""
    run_poster(path, mews, time, orders(3))
    at, row = mews.items[1]
    mews.items[1] = (at, replace(row, state="Canceled", canceled=mews.now()))
    result = run_poster(path, mews, time, orders(3), run_id="run-2")
    assert (result.surveys, result.exit_code, result.stop.code) == (0, ExitCode.USAGE, "ledger.incomplete")
    empty = run_poster(tmp_path / "fresh.sqlite", mews, time, [], run_id="run-3")
    assert empty.exit_code is ExitCode.USAGE


def test_a_run_that_stops_itself_looks_back(path, mews, time):
    """Twenty refusals end the run; that the orders before them are there twice is told as well."""
    mews.script = lambda payload, number: Outcome(Kind.REFUSED, status=403, message="no") if number > 2 else None
    mews.before_answer = lambda number: mews.items.append(_copied(mews, number)) if number == 2 else None
    result = run_poster(path, mews, time, orders(40))
    assert (result.exit_code, set(result.duplicated)) == (ExitCode.USAGE, {"2"})


def _copied(mews: SmallMews, number: int) -> tuple:
    at, row = mews.items[-1]
    return at, replace(row, id=f"copy-{number}", order_id=f"copy-{number}")


def test_ctrl_c_awaits_what_is_in_flight(path, mews, time):
    """One Ctrl-C: no new orders, the answers are recorded, exit code 130."""
    stop = StopFlag()
    mews.before_answer = lambda n: stop.request() if n == 10 else None
    result = run_poster(path, mews, time, orders(40), stop=stop)
    assert result.exit_code is ExitCode.INTERRUPTED
    assert sum(result.counts.values()) == 40
    assert result.counts[ReportState.POSTED] == len(mews.calls) < 20
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.counts()[State.IN_FLIGHT] == 0


def test_ctrl_c_does_not_wait_for_the_limiter(path, mews, time):
    """Workers that wait for a slot have sent nothing and go home at once."""
    run_poster(path, mews, time, orders(1))
    stop = StopFlag()
    mews.slot_delay = 5000.0

    async def main():
        poster = a_poster(ledger, mews, time, stop=stop, run_id="run-2")
        work = asyncio.ensure_future(poster.run(iter(orders(9))))
        asyncio.get_running_loop().call_soon(lambda: None)
        for _ in range(200):
            await asyncio.sleep(0)
        sleeper = asyncio.ensure_future(time.sleep(1.0))
        sleeper.add_done_callback(lambda _: stop.request())
        return await time.drive(work)

    with open_ledger(path, time) as ledger:
        result = asyncio.run(main())
    assert result.exit_code is ExitCode.INTERRUPTED
    assert time.seconds < 4000
    assert result.counts == {ReportState.ALREADY_POSTED: 1, ReportState.READY: 8}


def test_a_second_ctrl_c_leaves_with_the_truth_on_disk(path, mews, time):
    """Leaving at once keeps in_flight on disk; the next run finds out and loses nothing."""
    stop = StopFlag()
    mews.latency = 50.0

    def press(n):
        if n == 6:
            stop.request()
            stop.request()

    mews.before_answer = press
    result = run_poster(path, mews, time, orders(12), stop=stop)
    assert result.exit_code is ExitCode.INTERRUPTED
    assert result.has_left
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.counts()[State.IN_FLIGHT] > 0
    mews.before_answer = lambda _: None
    again = run_poster(path, mews, time, orders(12), run_id="run-2")
    assert again.exit_code is ExitCode.DONE
    assert [mews.times_posted(str(n)) for n in range(1, 13)] == [1] * 12


def test_an_undone_order_is_posted_again_only_on_request_and_as_second_generation(path, mews, time):
    """Generations keep lookups apart from what was reversed."""
    run_poster(path, mews, time, orders(2))
    with open_ledger(path, time) as ledger, ledger.steps(["2"]) as steps:
        steps.undo("2", 1)
    assert run_poster(path, mews, time, orders(2), run_id="run-2").counts[ReportState.UNDONE] == 1
    result = run_poster(path, mews, time, orders(2), run_id="run-3", run={"repost_undone": True})
    assert result.counts == {ReportState.ALREADY_POSTED: 1, ReportState.POSTED: 1}
    assert mews.calls[-1]["Notes"].startswith("[centra:uk:2~2]")
    assert mews.calls[-1]["Items"][0]["ExternalIdentifier"] == "centra:uk:2~2:p1"


def test_an_undone_order_that_is_posted_otherwise_is_on_record_so(path, mews, time):
    """The ledger's sums are those of the posting that stands."""
    run_poster(path, mews, time, orders(2))
    with open_ledger(path, time) as ledger, ledger.steps(["2"]) as steps:
        steps.undo("2", 1)
    now = [an_order("1"), an_order("2", amount="13.00")]
    run_poster(path, mews, time, now, run_id="run-2", run={"repost_undone": True})
    with Ledger.open(path, read_only=True) as ledger:
        row = ledger.order("2")
    assert (row.generation, row.planned_total, row.fingerprint) == (2, Decimal("13.00"), now[1].fingerprint)
    assert run_poster(path, mews, time, now, run_id="run-3").counts == {ReportState.ALREADY_POSTED: 2}


@pytest.mark.sqlite
def test_a_full_disk_stops_before_the_byte_leaves(path, mews, time):
    """What can't be reserved on disk is not sent."""
    with open_ledger(path, time) as ledger:

        async def main():
            poster = a_poster(ledger, mews, time)
            return await time.drive(asyncio.ensure_future(poster.run(iter(orders(400)))))

        ledger.record_plan("run-1", orders(400))
        pages = ledger._read().exec_driver_sql("PRAGMA page_count").scalar()
        ledger._writing().exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")
        ledger._writing().rollback()
        result = asyncio.run(main())
    assert result.stop.code == "ledger.disk_full"
    assert result.exit_code is ExitCode.USAGE
    sent = len(mews.calls)
    assert sent < 400
    again = run_poster(path, mews, time, orders(400), run_id="run-2")
    assert again.exit_code is ExitCode.DONE
    assert all(mews.times_posted(str(n)) == 1 for n in range(1, 401))


def test_an_acceptance_without_an_id_is_in_doubt(path, mews, time):
    """Mews says yes and names no order: it is looked up, not taken for posted, and not sent again."""

    def accept(payload: dict, number: int) -> Outcome | None:
        if number != 2:
            return None
        mews.book(payload, "nameless", 0.0)
        return Outcome(Kind.DONE, {}, 200)

    mews.script = accept
    result = run_poster(path, mews, time, orders(3))
    assert result.exit_code is ExitCode.DONE
    assert [mews.times_posted(number) for number in "123"] == [1, 1, 1]
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.order("2").mews_order_id == "nameless"


@pytest.mark.parametrize(("host", "seconds"), [("there", 5), pytest.param("here", 0, marks=pytest.mark.sqlite)])
def test_a_run_that_takes_over_settles_from_when_the_other_machine_has_certainly_stopped(
    path, mews, time, host, seconds
):
    """A writer on another host that lost its lock may still send what it intended five seconds ago."""
    mews.script = lambda _payload, number: Outcome(Kind.UNKNOWN, message="reset") if number == 2 else None
    run_poster(path, mews, time, orders(2), run={"no_wait": True})
    with open_ledger(path, time, lock=False) as ledger:
        ledger.take_lock("run", me=Holder(host, "boot-9", 9, "ticks:9"), alive=lambda _: False)
        with ledger.transaction() as connection:
            connection.execute(text("UPDATE parts SET settle_from = '' WHERE state = 'unknown'"))
        ledger.abandon()
    ledger = open_ledger(path, time, lock=False)
    ledger.take_lock("run", me=ME, take_over=host, alive=lambda _: False)
    before = mews.mews_now(time.seconds)

    async def main() -> None:
        poster = a_poster(ledger, mews, time, run_id="run-2")
        await time.drive(asyncio.ensure_future(poster.run(iter(orders(2)), no_wait=True)))

    asyncio.run(main())
    (part,) = ledger.unsettled()
    ledger.close()
    assert timedelta(seconds=seconds) <= part.settle_from - before < timedelta(seconds=seconds + 4)


def test_what_was_proved_absent_and_sent_again_is_looked_up_twice_more(path, mews, time):
    """Its first request may land beyond the bounds: at the end of the run, and in the next run, somebody looks."""
    mews.script = lambda _payload, number: Outcome(Kind.UNKNOWN, message="reset") if number == 2 else None
    run_poster(path, mews, time, orders(2))
    with Ledger.open(path, read_only=True) as ledger:
        assert [(part.number, part.recheck) for part in ledger.to_recheck()] == [("2", 1)]
    run_poster(path, mews, time, orders(2), run_id="run-2")
    with Ledger.open(path, read_only=True) as ledger:
        assert ledger.to_recheck() == []
