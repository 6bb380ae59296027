"""Every crash window of docs/crash-windows.md: stop there, look at the disk, run again, count what Mews holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from load_fakes import FakeMews, Killed, VirtualTime, a_payment, a_poster, an_order, open_ledger, run_poster

from etl.errors import ExitCode
from etl.load.ledger import Ledger
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


def killed_run(path: Path, mews: FakeMews, time: VirtualTime, orders: list, kill: Callable[[str], None]) -> bool:
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
    mews, path = FakeMews(time), tmp_path / "ledger.sqlite"
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
    mews, path = FakeMews(time), tmp_path / "ledger.sqlite"
    run_poster(path, mews, time, [an_order("1")])
    probe = KillAt("", 10**9)
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(path.read_bytes())
    killed_run(copy, FakeMews(time), time, [an_order("2")], probe)
    commits_before_intent = probe.seen[: probe.seen.index("slot.granted")].count("ledger.before_commit")
    assert killed_run(path, mews, time, [an_order("2")], KillAt("ledger.before_commit", commits_before_intent + 1))
    assert state_of(path, "2") is State.READY
    assert len(mews.calls) == 1


def test_a_crash_between_two_surveys_keeps_the_first(tmp_path):
    """The first scan that missed an order is on disk; a later run adds the second and sends again."""
    time = VirtualTime()
    mews, path = FakeMews(time), tmp_path / "ledger.sqlite"
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
    mews, probe = FakeMews(time), KillAt("", 10**9)
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
        mews, path = FakeMews(time), tmp_path / f"ledger-{at}.sqlite"
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
