"""The sliding window: never more than N in any S seconds, and nearly all of that."""

from __future__ import annotations

import asyncio
import os
import random
import stat
import subprocess
import sys
from decimal import Decimal

import pytest
from mews_fakes import HandClock, VirtualClock, run_virtual

from etl.errors import LedgerError
from etl.mews.limiter import Backoff, Limiter
from etl.mews.slots import MemorySlots, Row, SqliteSlots
from etl.model.pace import Pace


def most_in_any_window(times: list[float], seconds: float) -> int:
    """The largest count of `times` in any closed interval of that length."""
    times = sorted(times)
    most, start = 0, 0
    for end, moment in enumerate(times):
        while moment - times[start] > seconds:
            start += 1
        most = max(most, end - start + 1)
    return most


async def drive(limiters, clock, *, requests, workers, rng, latency, intent=0.0):
    """Sends `requests` with `workers` per limiter; returns when each arrived at the server."""
    arrivals: list[float] = []
    left = requests

    async def worker(limiter):
        nonlocal left
        while left > 0:
            left -= 1
            slot = await limiter.slot()
            await asyncio.sleep(rng.uniform(0, intent))
            slot.sent(clock.monotonic())
            there = rng.uniform(0, min(latency, limiter.arrival_seconds))
            await asyncio.sleep(there)
            arrivals.append(clock.monotonic())
            await asyncio.sleep(rng.uniform(0, latency))
            slot.release(clock.monotonic())

    await asyncio.gather(*(worker(limiter) for limiter in limiters for _ in range(workers)))
    return arrivals


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("count", "seconds"), [(200, "30"), (10, "1"), (1, "0.5"), (7, "2.5"), (900, "3")])
def test_no_window_ever_holds_more_than_the_limit(seed, count, seconds):
    """A server that counts strictly never has a reason for 429, whatever the latencies."""
    rng = random.Random(seed)

    async def main():
        clock = VirtualClock()
        limiter = Limiter(count, Decimal(seconds), store=MemorySlots(), clock=clock)
        return await drive(
            [limiter],
            clock,
            requests=count * 4,
            workers=rng.choice([1, 8, 40]),
            rng=rng,
            latency=rng.choice([0.005, 0.2, 3]),
        )

    arrivals = run_virtual(main())
    assert len(arrivals) == count * 4
    assert most_in_any_window(arrivals, float(seconds)) <= count


@pytest.mark.parametrize(
    ("count", "seconds", "latency", "workers"),
    [(200, "30", 0.3, 8), (200, "30", 2.0, 64), (50, "2", 0.02, 8), (20, "1", 0.02, 8), (3000, "3", 0.004, 16)],
)
def test_at_least_97_percent_of_the_window_is_used(count, seconds, latency, workers):
    """A migration of weeks must not take weeks and a half."""

    async def main():
        clock = VirtualClock()
        limiter = Limiter(count, Decimal(seconds), store=MemorySlots(), clock=clock)
        return await drive(
            [limiter], clock, requests=count * 11, workers=workers, rng=random.Random(3), latency=latency, intent=0.002
        )

    arrivals = sorted(run_virtual(main()))
    # The first window's burst needs no waiting: ten windows follow it.
    assert (10 * float(seconds)) / (arrivals[count * 10] - arrivals[0]) >= 0.97


def test_slots_are_given_first_come_first_served():
    """A reconcile's reads must not starve behind the run's posts."""

    async def main():
        clock = VirtualClock()
        limiter = Limiter(1, Decimal(1), store=MemorySlots(), clock=clock)
        order: list[int] = []

        async def one(number):
            slot = await limiter.slot()
            order.append(number)
            slot.sent(clock.monotonic())
            slot.release(clock.monotonic())

        await asyncio.gather(*(one(number) for number in range(5)))
        return order

    assert run_virtual(main()) == [0, 1, 2, 3, 4]


def test_a_pause_holds_everybody_and_is_never_shortened():
    """After a 429 all workers wait together, the longest wait that Mews asked for."""

    async def main():
        clock = VirtualClock()
        limiter = Limiter(100, Decimal(1), store=MemorySlots(), clock=clock)
        start = clock.monotonic()
        limiter.pause(20)
        limiter.pause(5)
        await asyncio.gather(*(limiter.slot() for _ in range(3)))
        return clock.monotonic() - start

    assert 20 <= run_virtual(main()) < 20.01


def test_a_cancelled_waiter_costs_nobody_a_slot():
    """Ctrl-C on one waiting worker leaves the others going."""

    async def main():
        clock = VirtualClock()
        limiter = Limiter(1, Decimal(1), store=MemorySlots(), clock=clock)
        (await limiter.slot()).release(clock.monotonic())
        waiting = asyncio.create_task(limiter.slot())
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        start = clock.monotonic()
        await limiter.slot()
        return clock.monotonic() - start

    assert run_virtual(main()) < 1.0


def test_a_slot_that_was_held_up_too_long_is_asked_for_again():
    """An intent that took a minute to write must not leave beside the request that had the place meanwhile."""

    async def main():
        clock = VirtualClock()
        limiter = Limiter(1, Decimal(2), store=MemorySlots(), clock=clock)
        held_up = await limiter.slot()
        await asyncio.sleep(60)
        other = await limiter.slot()
        other.sent(clock.monotonic())
        first = clock.monotonic()
        other.release(clock.monotonic())
        renewed = await limiter.renew(held_up)
        renewed.sent(clock.monotonic())
        return clock.monotonic() - first

    assert run_virtual(main()) >= 2


def test_other_processes_learn_at_once_that_a_slot_counts_longer(tmp_path):
    """A connection that took seconds: the request arrives later than the file said."""

    async def main():
        clock = VirtualClock()
        limiters = [
            Limiter(1, Decimal(10), store=SqliteSlots(tmp_path / "l", "key", clock=clock), clock=clock)
            for _ in range(2)
        ]
        slot = await limiters[0].slot()
        slot.sent(clock.monotonic())
        await asyncio.sleep(8)
        slot = await limiters[0].renew(slot)
        slot.sent(clock.monotonic())
        sent = clock.monotonic()
        await limiters[1].slot()
        waited = clock.monotonic() - sent
        for limiter in limiters:
            limiter.close()
        return waited

    assert run_virtual(main()) >= 10


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("count", "seconds"), [(20, "1"), (200, "5"), (900, "2")])
def test_processes_that_share_a_file_share_the_window(tmp_path, seed, count, seconds):
    """A run and a reconcile at the same time stay within one limit together, and use it."""
    rng = random.Random(seed)

    async def main():
        clock = VirtualClock()
        limiters = [
            Limiter(count, Decimal(seconds), store=SqliteSlots(tmp_path / "l", "key", clock=clock), clock=clock)
            for _ in range(2)
        ]
        arrivals = await drive(limiters, clock, requests=count * 6, workers=4, rng=rng, latency=0.01)
        for limiter in limiters:
            limiter.close()
        return arrivals

    arrivals = sorted(run_virtual(main()))
    assert most_in_any_window(arrivals, float(seconds)) <= count
    assert (5 * float(seconds)) / (arrivals[count * 5] - arrivals[0]) >= 0.95


def use_up(path, clock, count=5, seconds="30", *, close=True):
    """A process that uses the whole window, and ends."""

    async def main():
        store = SqliteSlots(path, "key", clock=clock, boot_id="boot-1")
        limiter = Limiter(count, Decimal(seconds), store=store, clock=clock)
        for _ in range(count):
            slot = await limiter.slot()
            if close:
                slot.sent(clock.monotonic())
                slot.release(clock.monotonic())
        limiter.close()

    asyncio.run(main())


def wait_after_restart(path, clock, *, boot_id="boot-1", count=5, key="key"):
    """Seconds that a new process says it must wait."""
    store = SqliteSlots(path, key, clock=clock, boot_id=boot_id)
    taken = store.take(now=clock.monotonic(), window=30.0, count=count, want=1, lease=5.0, moved=[])
    store.close([])
    return 0.0 if taken.row else taken.wait


def test_the_window_survives_a_restart(tmp_path):
    """Killing and starting again must not send the same burst twice."""
    clock = HandClock()
    use_up(tmp_path / "l", clock)
    clock.now += 10
    assert 19 < wait_after_restart(tmp_path / "l", clock) <= 20.1
    clock.now += 21
    assert wait_after_restart(tmp_path / "l", clock) == 0


def test_slots_of_a_killed_process_count_as_sent(tmp_path):
    """Nobody knows whether the requests of a killed process left: they count, and for a little longer."""
    clock = HandClock()
    use_up(tmp_path / "l", clock, close=False)
    clock.now += 30.1
    assert wait_after_restart(tmp_path / "l", clock) > 0
    clock.now += 10
    assert wait_after_restart(tmp_path / "l", clock) == 0


@pytest.mark.parametrize("jump", [0.0, -3600.0])
def test_the_window_survives_a_reboot_by_the_wall_clock(tmp_path, jump):
    """After a reboot the boot clock starts at zero; a wall clock that went back can't free a slot early."""
    clock = HandClock(50_000.0)
    use_up(tmp_path / "l", clock)
    after = HandClock(3.0)
    after.jump = (50_000.0 + 10 - 3.0) + jump
    wait = wait_after_restart(tmp_path / "l", after, boot_id="boot-2")
    assert 19 < wait <= (20.1 if not jump else 30.1)


def test_another_token_has_its_own_window(tmp_path):
    """The limit counts per access token."""
    clock = HandClock()
    use_up(tmp_path / "l", clock)
    assert wait_after_restart(tmp_path / "l", clock, key="other") == 0


def test_the_file_is_private(tmp_path):
    """Files next to the ledger are readable by their owner only."""
    old = os.umask(0)
    try:
        SqliteSlots(tmp_path / "l", "key", clock=HandClock()).close([])
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "l").stat().st_mode) == 0o600


def test_an_unusable_file_is_said_in_words(tmp_path):
    """A damaged file names itself and what to do, without a traceback."""
    (tmp_path / "l").write_bytes(b"no database at all, but long enough to look at" * 30)
    with pytest.raises(LedgerError) as caught:
        SqliteSlots(tmp_path / "l", "key", clock=HandClock())
    assert str(tmp_path / "l") == caught.value.place
    with pytest.raises(LedgerError):
        SqliteSlots(tmp_path / "missing" / "l", "key", clock=HandClock())


def test_old_rows_do_not_pile_up(tmp_path):
    """A run of weeks leaves a small file."""
    clock = HandClock()
    store = SqliteSlots(tmp_path / "l", "key", clock=clock)
    for _ in range(50):
        row = store.take(now=clock.now, window=1.0, count=5, want=1, lease=0.1, moved=[]).row
        assert isinstance(row, Row)
        clock.now += 2
    assert store._db.execute("SELECT count(*) FROM slot").fetchone() == (1,)
    store.close([])


def test_backoff_grows_once_for_all_workers_and_starts_over():
    """Eight workers that meet one 429 each are one failure; a processed request ends the series."""
    clock = HandClock()
    backoff = Backoff(clock, random.Random(1), Pace(1, 10))
    first = backoff.failed()
    assert 0.5 <= first <= 1
    assert [backoff.failed() for _ in range(7)] == pytest.approx([first] * 7)
    pauses = []
    for _ in range(6):
        clock.now += 60
        pauses.append(backoff.failed())
    assert 1 <= pauses[0] <= 2
    assert 2 <= pauses[1] <= 4
    assert all(5 <= pause <= 10 for pause in pauses[3:])
    backoff.succeeded()
    clock.now += 60
    backoff.succeeded()
    assert backoff.failed() <= 1


PROCESS = """
import asyncio, sys
from decimal import Decimal
from pathlib import Path
from etl.mews.limiter import Limiter, SqliteSlots, SystemClock

async def main():
    clock = SystemClock()
    limiter = Limiter(30, Decimal("0.5"), store=SqliteSlots(Path(sys.argv[1]), "key", clock=clock), clock=clock)
    end = clock.monotonic() + 1.6
    async def worker():
        while clock.monotonic() < end:
            slot = await limiter.slot()
            slot.sent(clock.monotonic())
            print(repr(clock.monotonic()))
            await asyncio.sleep(0.002)
            slot.release(clock.monotonic())
    await asyncio.gather(*(worker() for _ in range(4)))
    limiter.close()

asyncio.run(main())
"""


def test_real_processes_share_one_window(tmp_path):
    """Three processes at once, in real time, stay within one limit and use it."""
    running = [
        subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path / "l")], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    sent = sorted(float(line) for process in running for line in process.communicate(timeout=60)[0].split())
    assert [process.returncode for process in running] == [0, 0, 0]
    assert most_in_any_window(sent, 0.5) <= 30
    assert len(sent) >= 90
