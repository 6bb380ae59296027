"""Every crash window of docs/crash-windows.md: stop there, look at the disk, run again, count what Mews holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from ledger_copy import copy_ledger
from load_fakes import Killed, SmallMews, VirtualTime, a_payment, a_poster, an_order, open_ledger, run_poster

from etl.errors import ExitCode
from etl.ledger.ledger import Ledger
from etl.model.outcome import Kind, Outcome
from etl.model.states import State


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


def killed_run(path: Path, mews: SmallMews, time: VirtualTime, orders: list, kill: Callable[[str], None]) -> bool:
    """One run that the checkpoint may end as a kill would; whether it did."""
    ledger = open_ledger(path, time)
    ledger._checkpoint = ledger.fatal(kill)

    async def main():
        poster = a_poster(ledger, mews, time, checkpoint=kill, concurrency=2)
        await time.drive(asyncio.ensure_future(poster.run(iter(orders))))

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


def state_of(path: Path, number: str) -> State:
    with Ledger.open(path, read_only=True) as ledger:
        return ledger.order(number).state


WINDOWS = [
    # checkpoint, which of them, state on disk after the kill, requests that had left
    ("slot.granted", 1, State.READY, 0),
    ("intent.recorded", 1, State.IN_FLIGHT, 0),
    ("answer.received", 1, State.IN_FLIGHT, 1),
    ("outcome.recorded", 1, State.POSTED, 1),
]


@pytest.mark.parametrize(("checkpoint", "count", "expected", "sent"), WINDOWS, ids=[row[0] for row in WINDOWS])
def test_the_disk_says_what_happened(tmp_path, checkpoint, count, expected, sent):
    """The state found after a kill is the one of the table, and the rerun posts exactly once."""
    time = VirtualTime()
    mews, path = SmallMews(time), tmp_path / "ledger.sqlite"
    assert killed_run(path, mews, time, [an_order("1")], KillAt(checkpoint, count))
    assert state_of(path, "1") is expected
    assert len(mews.calls) == sent
    with open_ledger(path, time) as ledger:
        assert ledger.order("1").state is (State.UNKNOWN if expected is State.IN_FLIGHT else expected)
    result = run_poster(path, mews, time, [an_order("1")], run_id="run-2")
    assert result.exit_code is ExitCode.DONE
    assert mews.times_posted("1") == 1


def test_an_intent_that_was_not_committed_never_was(tmp_path):
    """Killed before the commit of the intent: nothing on disk, and no byte left."""
    time = VirtualTime()
    mews, path = SmallMews(time), tmp_path / "ledger.sqlite"
    run_poster(path, mews, time, [an_order("1")])
    probe = KillAt("", 10**9)
    copy = tmp_path / "copy.sqlite"
    copy_ledger(path, copy)
    killed_run(copy, SmallMews(time), time, [an_order("2")], probe)
    commits_before_intent = probe.seen[: probe.seen.index("slot.granted")].count("ledger.before_commit")
    assert killed_run(path, mews, time, [an_order("2")], KillAt("ledger.before_commit", commits_before_intent + 1))
    assert state_of(path, "2") is State.READY
    assert len(mews.calls) == 1


def test_a_crash_between_two_surveys_keeps_the_first(tmp_path):
    """The first scan that missed an order is on disk; a later run adds the second and sends again."""
    time = VirtualTime()
    mews, path = SmallMews(time), tmp_path / "ledger.sqlite"
    run_poster(path, mews, time, [an_order("1")])
    mews.script = lambda p, n: Outcome(Kind.UNKNOWN, message="reset") if n == 2 else None
    batch = [an_order("1"), an_order("2")]
    # Surveys of this run: before the first write, first look, first proof.
    assert killed_run(path, mews, time, batch, KillAt("survey.recorded", 3))
    with Ledger.open(path, read_only=True) as ledger:
        (part,) = ledger.parts(["2"])["2"]
        assert part.state is State.UNKNOWN
        assert part.unseen_at is not None
    result = run_poster(path, mews, time, batch, run_id="run-2")
    assert result.exit_code is ExitCode.DONE
    assert mews.times_posted("2") == 1


def scenario() -> list:
    """Orders for every fate: plain, lost answer, never processed, with payments, a return."""
    return [
        an_order("1"),
        an_order("2"),
        an_order("3"),
        an_order("4", payments=(a_payment("gift1"), a_payment("pay1"))),
        an_order("2-R1", parent="2"),
    ]


def faults() -> Callable:
    """Answers lost, late, or never given (once)."""
    dropped = []

    def script(payload: dict, _: int):
        notes = payload["Notes"]
        if notes.startswith("[centra:uk:2]"):
            return ("lost", 30.0)
        if notes.startswith("[centra:uk:3]") and not dropped:
            dropped.append(notes)
            return Outcome(Kind.UNKNOWN, message="reset")
        if notes.endswith("gift1"):
            return ("lost", 0.0)
        return None

    return script


def checkpoints_of_one_run(tmp_path: Path) -> int:
    time = VirtualTime()
    mews, probe = SmallMews(time), KillAt("", 10**9)
    mews.script = faults()
    killed_run(tmp_path / "probe.sqlite", mews, time, scenario(), probe)
    return len(probe.seen)


@pytest.mark.parametrize("residue", range(8))
def test_killed_at_any_step_every_order_is_there_once(tmp_path, residue):
    """Kill at each single checkpoint of a whole run, then run on: nothing twice, nothing lost, payments too."""
    steps = checkpoints_of_one_run(tmp_path)
    assert steps > 60
    for at in range(1 + residue, steps + 1, 8):
        time = VirtualTime()
        mews, path = SmallMews(time), tmp_path / f"ledger-{at}.sqlite"
        mews.script = faults()
        assert killed_run(path, mews, time, scenario(), KillAt("", at)), at
        time.seconds += 1
        # Killed a second time, somewhere else, before it may finish.
        killed_run(path, mews, time, scenario(), KillAt("", 7 + at % 23))
        result = run_poster(path, mews, time, scenario(), run_id="run-3")
        assert result.exit_code is ExitCode.DONE, (at, result)
        assert [mews.times_posted(number) for number in ("1", "2", "3", "4", "2-R1")] == [1] * 5, at
        assert [mews.times_paid("4", part) for part in ("gift1", "pay1")] == [1, 1], at
        with Ledger.open(path, read_only=True) as ledger:
            assert ledger.counts()[State.POSTED] == 5, at


def returns_and_gifts() -> list:
    """Two kinds, both refused, with returns and gift cards in turn."""
    found = [an_order("1")]
    for at in range(4):
        found.append(an_order(str(10 + at), amount="-12.00", unproved=("rebates",)))
        found.append(an_order(str(20 + at), payments=(a_payment(),), unproved=("payment:GiftCard",)))
    return [*found, an_order("30")]


def refusing_kinds(allowed: bool) -> Callable:
    """Mews allows or refuses both kinds; the first return gets no answer once, and is not booked."""
    dropped = []

    def script(payload: dict, _: int):
        if payload["Notes"].startswith("[centra:uk:10]") and not dropped:
            dropped.append(1)
            return Outcome(Kind.UNKNOWN, message="reset")
        if any(item["UnitAmount"]["GrossValue"] < 0 for item in payload.get("Items", ())):
            return None if allowed else Outcome(Kind.REFUSED, status=403, message="Negative amounts are not allowed.")
        if "Type" in payload:
            return None if allowed else Outcome(Kind.REFUSED, status=403, message="This payment is not enabled.")
        return None

    return script


def answered_refusals(mews: SmallMews) -> tuple[int, int]:
    """How many returns and how many gift cards were sent."""
    negative = [any(item["UnitAmount"]["GrossValue"] < 0 for item in call.get("Items", ())) for call in mews.calls]
    return sum(negative), sum("Type" in call for call in mews.calls)


@pytest.mark.parametrize(("checkpoint", "count"), [("answer.received", 4), ("outcome.recorded", 4)])
def test_a_kill_around_a_refusal_counts_it_once(tmp_path, checkpoint, count):
    """The refusal and its count for the kind are one transaction: both are on disk, or neither is."""
    time = VirtualTime()
    mews, path = SmallMews(time), tmp_path / "ledger.sqlite"
    batch = [an_order("1"), *(an_order(str(n), amount="-12.00", unproved=("rebates",)) for n in range(11, 19))]
    mews.script = refusing_kinds(allowed=False)
    assert killed_run(path, mews, time, batch, KillAt(checkpoint, count))
    is_recorded = checkpoint == "outcome.recorded"
    with Ledger.open(path, read_only=True) as ledger:
        assert sum(ledger.kinds()["rebates"].refusals.values()) == (3 if is_recorded else 2)
        assert state_of(path, "13") is (State.REJECTED if is_recorded else State.IN_FLIGHT)
    run_poster(path, mews, time, batch, run_id="run-2")
    assert answered_refusals(mews)[0] == (3 if is_recorded else 4)


@pytest.mark.slow
@pytest.mark.parametrize("residue", range(4))
def test_killed_at_any_step_a_refused_kind_is_tried_no_more_than_three_times(tmp_path, residue):
    """A kill may lose an answer, which is asked for again; what was recorded counts, in whatever run."""
    time = VirtualTime()
    mews, probe = SmallMews(time), KillAt("", 10**9)
    mews.script = refusing_kinds(allowed=False)
    killed_run(tmp_path / "probe.sqlite", mews, time, returns_and_gifts(), probe)
    assert len(probe.seen) > 60
    for at in range(1 + residue, len(probe.seen) + 1, 4):
        time = VirtualTime()
        mews, path = SmallMews(time), tmp_path / f"ledger-{at}.sqlite"
        mews.script = refusing_kinds(allowed=False)
        assert killed_run(path, mews, time, returns_and_gifts(), KillAt("", at)), at
        time.seconds += 1
        result = run_poster(path, mews, time, returns_and_gifts(), run_id="run-2")
        returns, gifts = answered_refusals(mews)
        # One that nobody knew of, one answer that the kill took with it.
        assert returns <= 3 + 1 + 1, at
        assert gifts <= 3 + 1, at
        assert result.stop is None, (at, result)
        with Ledger.open(path, read_only=True) as ledger:
            kinds = ledger.kinds()
            assert [len(kinds[kind].refusals) for kind in ("rebates", "payment:GiftCard")] == [1, 1]
            assert ledger.order("30").state is State.POSTED, at
            rejected = list(ledger.orders([State.REJECTED]))
            blocked = list(ledger.orders([State.BLOCKED]))
            assert (len(rejected), len(blocked)) == (6, 2), at


@pytest.mark.slow
@pytest.mark.parametrize("residue", range(4))
def test_killed_at_any_step_an_allowed_kind_is_posted_whole(tmp_path, residue):
    """Whatever the kill, each return and each gift card is there once in the end, and the kinds are proved."""
    time = VirtualTime()
    mews, probe = SmallMews(time), KillAt("", 10**9)
    mews.script = refusing_kinds(allowed=True)
    killed_run(tmp_path / "probe.sqlite", mews, time, returns_and_gifts(), probe)
    for at in range(1 + residue, len(probe.seen) + 1, 4):
        time = VirtualTime()
        mews, path = SmallMews(time), tmp_path / f"ledger-{at}.sqlite"
        mews.script = refusing_kinds(allowed=True)
        assert killed_run(path, mews, time, returns_and_gifts(), KillAt("", at)), at
        time.seconds += 1
        result = run_poster(path, mews, time, returns_and_gifts(), run_id="run-2")
        assert result.exit_code is ExitCode.DONE, (at, result)
        assert all(mews.times_posted(order.number) == 1 for order in returns_and_gifts()), at
        assert all(mews.times_paid(str(20 + n), "gift1") == 1 for n in range(4)), at
        with Ledger.open(path, read_only=True) as ledger:
            assert {one.state.value for one in ledger.kinds().values()} == {"proved"}
