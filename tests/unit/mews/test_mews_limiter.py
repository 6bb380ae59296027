"""The sliding window: never more than N in any S seconds, and nearly all of that."""

from __future__ import annotations

import asyncio
import math
import os
import random
import stat
import subprocess
import sys
from decimal import Decimal

import pytest
from mews_fakes import HandClock, VirtualClock, run_virtual

from etl.errors import LedgerError
from etl.mews import slot_file
from etl.mews.limiter import LEASE_SECONDS, Backoff, Limiter, Way
from etl.mews.slot_file import FOLDER, FileSlots, shared_name, shared_slots
from etl.mews.slots import MemorySlots, Row
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
            there = rng.uniform(0, latency)
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
    [(200, "30", 0.3, 8), (200, "30", 0.5, 64), (50, "2", 0.02, 8), (20, "1", 0.01, 8), (3000, "3", 0.004, 16)],
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
        slot = await limiter.slot()
        slot.sent(clock.monotonic())
        slot.release(clock.monotonic())
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
            Limiter(1, Decimal(10), store=FileSlots(tmp_path / "l", clock=clock), clock=clock) for _ in range(2)
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
            Limiter(count, Decimal(seconds), store=FileSlots(tmp_path / "l", clock=clock), clock=clock)
            for _ in range(2)
        ]
        arrivals = await drive(limiters, clock, requests=count * 6, workers=4, rng=rng, latency=0.01)
        for limiter in limiters:
            limiter.close()
        return arrivals

    arrivals = sorted(run_virtual(main()))
    assert most_in_any_window(arrivals, float(seconds)) <= count
    assert (5 * float(seconds)) / (arrivals[count * 5] - arrivals[0]) >= 0.95


def use_up(path, clock, count=5, seconds="30", *, close=True, **store):
    """A process that uses the whole window, and ends, or is killed with all of its requests under way."""

    async def main():
        slots = FileSlots(path, clock=clock, boot_id="boot-1", **store)
        limiter = Limiter(count, Decimal(seconds), store=slots, clock=clock, timeout=10)
        for _ in range(count):
            slot = await limiter.slot()
            slot.sent(clock.monotonic())
            if close:
                slot.release(clock.monotonic())
        if close:
            limiter.close()
        else:
            slots.abandon()

    asyncio.run(main())


def wait_after_restart(path, clock, *, boot_id="boot-1", count=5, window=30.0, **store):
    """Seconds that a new process says it must wait."""
    slots = FileSlots(path, clock=clock, boot_id=boot_id, **store)
    taken = slots.take(now=clock.monotonic(), window=window, keep=window, count=count, want=1, lease=5.0, moved=[])
    slots.close([] if taken.row is None else [Row(taken.row.id, taken.row.granted, taken.row.until, 0)])
    return 0.0 if taken.row else taken.wait


def test_the_window_survives_a_restart(tmp_path):
    """Killing and starting again must not send the same burst twice."""
    clock = HandClock()
    use_up(tmp_path / "l", clock)
    clock.now += 10
    assert 19 < wait_after_restart(tmp_path / "l", clock) <= 20.1
    clock.now += 21
    assert wait_after_restart(tmp_path / "l", clock) == 0


def test_slots_of_a_killed_process_count_to_the_end_of_their_time_out(tmp_path):
    """Nobody knows whether the requests of a killed process left, and when they arrive."""
    clock = HandClock()
    use_up(tmp_path / "l", clock, close=False)
    clock.now += 30 + 10
    assert wait_after_restart(tmp_path / "l", clock) > 0
    clock.now += LEASE_SECONDS + 1
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


def test_each_token_of_each_platform_has_its_own_window():
    """The limit counts per access token; the names of this machine are one; no token stands in a name."""
    here = shared_name("http://127.0.0.1:8765", "key")
    assert here == shared_name("http://localhost:8765/", "key") == shared_name("http://[::1]:8765", "key")
    assert shared_name("https://api.mews.com", "key") == shared_name("https://API.mews.com.:443", "key")
    names = {here, shared_name("http://127.0.0.1:8766", "key"), shared_name("http://127.0.0.1:8765", "other")}
    assert len(names | {shared_name("https://api.mews.com", "key")}) == 4
    assert not [name for name in names if "key" in name]


def test_the_file_is_private(tmp_path):
    """Files next to the ledger are readable by their owner only."""
    old = os.umask(0)
    try:
        FileSlots(tmp_path / "l", clock=HandClock()).close([])
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "l").stat().st_mode) == 0o600


def test_a_damaged_file_counts_as_a_full_window(tmp_path):
    """What can't be read may have been anything; after one window it is a file like any other."""
    clock = HandClock()
    (tmp_path / "l").write_bytes(b"no record of ours at all, but long enough to look at" * 30)
    assert 29 < wait_after_restart(tmp_path / "l", clock) <= 30
    clock.now += 30.1
    assert wait_after_restart(tmp_path / "l", clock) == 0


def test_a_damaged_row_counts_from_now(tmp_path):
    """A row of another world (infinite, in the future) neither frees a slot nor holds one for ever."""
    clock = HandClock()
    use_up(tmp_path / "l", clock, count=2)
    with (tmp_path / "l").open("r+b") as file:
        file.seek(slot_file._HEADER.size)
        file.write(slot_file._ROW.pack(7, clock.now + 1e9, float("inf"), 1))
    assert 29 < wait_after_restart(tmp_path / "l", clock, count=2) <= 30.1
    clock.now += 31
    assert wait_after_restart(tmp_path / "l", clock, count=2) == 0


def test_an_unusable_file_is_said_in_words(tmp_path):
    """A folder that is missing, a file that is none: the message names it and what to do, without a traceback."""
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "missing" / "l", tmp_path / "folder"):
        with pytest.raises(LedgerError) as caught:
            FileSlots(path, clock=HandClock())
        assert str(path) == caught.value.place


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A folder that is this machine's, and two ledgers."""
    monkeypatch.setenv(FOLDER, str(tmp_path / "machine"))
    return tmp_path


def free_on_machine(machine, ledger, clock, *, count=5, platform="https://api.mews.com", key="key"):
    """Whether a process with that ledger is granted a slot at once."""
    store = shared_slots(platform, key, clock=clock, beside=machine / f"{ledger}.limiter")
    taken = store.take(now=clock.now, window=30.0, keep=30.0, count=count, want=1, lease=5.0, moved=[])
    store.close([])
    return taken.row is not None


def test_two_ledgers_with_one_token_share_a_window(machine):
    """Five slots are five, whatever ledger asks for them; another token has five of its own."""
    clock = HandClock()
    granted = [free_on_machine(machine, ledger, clock) for ledger in "abababab"]
    assert granted == [True] * 5 + [False] * 3
    assert free_on_machine(machine, "a", clock, key="other")


def test_the_shared_file_is_for_all_users_and_the_copy_is_not(machine):
    """Two users with one token share a limit: the file says nothing but times. What lies beside the ledger is private."""
    old = os.umask(0o077)
    try:
        free_on_machine(machine, "a", HandClock())
    finally:
        os.umask(old)
    (shared,) = (machine / "machine").iterdir()
    assert stat.S_IMODE((machine / "machine").stat().st_mode) == 0o1777
    assert stat.S_IMODE(shared.stat().st_mode) == 0o666
    assert stat.S_IMODE((machine / "a.limiter").stat().st_mode) == 0o600
    assert b"key" not in shared.read_bytes()


def test_the_copy_brings_the_window_back_in_a_new_container(machine):
    """The ledger lies on a volume, the machine's temporary folder is new."""
    clock = HandClock()
    assert [free_on_machine(machine, "a", clock) for _ in range(6)] == [True] * 5 + [False]
    for path in (machine / "machine").iterdir():
        path.unlink()
    assert not free_on_machine(machine, "a", clock)


def test_a_file_swept_away_under_two_processes_is_one_again(tmp_path):
    """A cleaner of temporary files: all who share the file go on in one new one, with what each has granted."""
    clock = HandClock()
    asked = {"now": clock.now, "window": 30.0, "keep": 30.0, "count": 5, "want": 2, "lease": 5.0, "moved": []}
    stores = [FileSlots(tmp_path / "l", clock=clock, boot_id="b") for _ in range(2)]
    assert [store.take(**asked).row.size for store in stores] == [2, 2]
    (tmp_path / "l").unlink()
    for store in stores:
        store.write([])
    assert [store.take(**asked).row.size for store in stores[:1]] == [1]
    assert [store.take(**asked).row for store in stores] == [None, None]
    for store in stores:
        store.close([])


@pytest.mark.parametrize("fault", ["missing", "a file", "read-only", "full"])
def test_without_a_folder_of_the_machine_the_ledgers_own_file_counts(machine, monkeypatch, fault):
    """Then the processes of one ledger still share a limit, and nothing ends in a traceback."""
    clock = HandClock()
    if fault == "missing":
        monkeypatch.setenv(FOLDER, str(machine / "not" / "there"))
    elif fault == "a file":
        (machine / "machine").write_text("x")
    else:
        made = FileSlots._make
        number = 28 if fault == "full" else 30

        def make(self, flags):
            if self.is_shared:
                raise OSError(number, "no")
            return made(self, flags)

        monkeypatch.setattr(FileSlots, "_make", make)
    assert [free_on_machine(machine, "a", clock) for _ in range(6)] == [True] * 5 + [False]


def test_files_of_long_ago_are_swept_away(tmp_path):
    """Ports and tokens of old rehearsals leave nothing; a file in use stays."""
    (tmp_path / "old").write_bytes(b"x")
    (tmp_path / "new").write_bytes(b"x")
    os.utime(tmp_path / "old", (1, 1))
    FileSlots(tmp_path / "l", clock=HandClock()).close([])
    assert {path.name for path in tmp_path.iterdir()} == {"new", "l"}


def test_a_request_without_an_answer_counts_to_the_end_of_its_time_out():
    """It may still be arriving: one that is given up after 8 seconds keeps its place for 8 and a window."""

    async def main():
        clock = VirtualClock()
        limiter = Limiter(1, Decimal(10), store=MemorySlots(), clock=clock, timeout=8)
        slot = await limiter.slot()
        slot.sent(clock.monotonic())
        began = clock.monotonic()
        slot.release(None)
        await limiter.slot()
        return clock.monotonic() - began

    assert run_virtual(main()) >= 18


def test_a_request_that_outlived_a_sleep_may_arrive_after_it():
    """What stood in the machine's buffers leaves once it wakes, when its time-out is long over."""

    async def main():
        clock = VirtualClock()
        limiter = Limiter(2, Decimal(10), store=MemorySlots(), clock=clock, timeout=5.0)
        slot = await limiter.slot()
        slot.sent(clock.monotonic())
        await asyncio.sleep(60)
        slot.release(None)
        woke = clock.monotonic()
        for _ in range(2):
            slot = await limiter.slot()
            slot.sent(clock.monotonic())
            slot.release(clock.monotonic())
        return clock.monotonic() - woke

    assert run_virtual(main()) >= 10


def test_a_slot_given_back_is_free_at_once():
    """A refused connection, an intent that could not be written: no byte has left."""

    async def main():
        clock = VirtualClock()
        limiter = Limiter(1, Decimal(10), store=MemorySlots(), clock=clock)
        began = clock.monotonic()
        for _ in range(3):
            (await limiter.slot()).give_back()
        await limiter.slot()
        return clock.monotonic() - began

    assert run_virtual(main()) == 0


@pytest.mark.parametrize("asleep", [8.0, 200.0, 4000.0])
def test_no_slot_of_before_a_sleep_is_used_beside_those_of_after_it(tmp_path, asleep):
    """A laptop, SIGSTOP: whoever was stopped with slots in hand, and whoever went on meanwhile, stay within one limit."""

    async def main():
        clock = VirtualClock()
        limiters = [
            Limiter(6, Decimal(2), store=FileSlots(tmp_path / "l", clock=clock), clock=clock, timeout=100)
            for _ in range(2)
        ]
        stopped = [await limiters[0].slot() for _ in range(3)]
        await asyncio.sleep(asleep)
        sent: list[float] = []

        async def use(limiter, slot):
            if not slot.is_fresh(clock.monotonic()):
                slot = await limiter.renew(slot)
            slot.sent(clock.monotonic())
            sent.append(clock.monotonic())
            slot.release(clock.monotonic())

        async def others():
            for _ in range(6):
                await use(limiters[1], await limiters[1].slot())

        await asyncio.gather(others(), *(use(limiters[0], slot) for slot in stopped))
        for limiter in limiters:
            limiter.close()
        return sent

    sent = run_virtual(main())
    assert len(sent) == 9
    assert most_in_any_window(sent, 2.0) <= 6


@pytest.mark.parametrize("stopped_for", [6.0, 9.0, 13.0, 20.0])
def test_what_others_forgot_is_not_used_again(tmp_path, stopped_for):
    """Of several requests held up so long that their slots are forgotten, none leaves on a slot of before.

    Renewing the first, or taking another, must not make the others look as if they had been known all the time.
    """
    sent: list[float] = []

    async def main():
        clock = VirtualClock()
        limiters = [
            Limiter(5, Decimal(5), store=FileSlots(tmp_path / "l", clock=clock), clock=clock, timeout=2.0)
            for _ in range(2)
        ]
        held_up = [await limiters[0].slot() for _ in range(3)]
        for slot in held_up:
            slot.sent(clock.monotonic())
        await asyncio.sleep(stopped_for - 0.5)
        for _ in range(5):
            slot = await limiters[1].slot()
            slot.sent(clock.monotonic())
            sent.append(clock.monotonic())
            await asyncio.sleep(0.02)
            slot.release(clock.monotonic())
        await asyncio.sleep(0.4)

        async def go_on(slot):
            renewed = await limiters[0].renew(slot)
            renewed.sent(clock.monotonic())
            sent.append(clock.monotonic())
            renewed.release(clock.monotonic())

        await asyncio.gather(*map(go_on, held_up))
        for limiter in limiters:
            limiter.close()

    run_virtual(main())
    assert len(sent) == 8
    assert most_in_any_window(sent, 5.0) <= 5


@pytest.mark.parametrize(
    ("seconds", "latency", "least"),
    [("30", 0.0, 0.98), ("30", 0.1, 0.98), ("30", 1.0, 0.98), ("3", 0.0, 0.97), ("3", 0.1, 0.97)],
)
@pytest.mark.parametrize("there", [0.0, 0.5, 1.0])
def test_a_steady_way_costs_hardly_anything(seconds, latency, least, there):
    """98 % of 200/30s, 97 % of 200/3s with a second or a tenth of latency, wherever on the way it is spent."""
    arrivals: list[float] = []

    async def main():
        clock = VirtualClock()
        limiter = Limiter(200, Decimal(seconds), store=MemorySlots(), clock=clock)

        async def worker():
            while len(arrivals) < 2200:
                slot = await limiter.slot()
                slot.sent(clock.monotonic())
                await asyncio.sleep(latency * there)
                arrivals.append(clock.monotonic())
                await asyncio.sleep(latency * (1 - there) + 0.0005)
                slot.release(clock.monotonic())

        await asyncio.gather(*(worker() for _ in range(8)))

    run_virtual(main())
    assert most_in_any_window(arrivals, float(seconds) - 1e-9) <= 200
    assert 9 * float(seconds) / (arrivals[2000] - arrivals[200]) >= least


@pytest.mark.parametrize("there", [0.5, 0.9, 1.0])
@pytest.mark.parametrize("quick_at", [0.02, 0.3, 0.6, 0.9])
@pytest.mark.parametrize(("count", "seconds", "latency"), [(10, "8", 1.0), (200, "30", 1.0), (200, "3", 0.1)])
def test_a_way_that_becomes_quick_in_a_pause_is_not_trusted(there, quick_at, count, seconds, latency):
    """A starved server stamps behind its own queue: the way there is short again while the window is full, and nobody knows yet."""
    arrivals: list[float] = []

    async def main():
        clock = VirtualClock()
        limiter = Limiter(count, Decimal(seconds), store=MemorySlots(), clock=clock)
        quick_from = math.inf

        def way(share):
            return latency * share if clock.monotonic() < quick_from else 0.001

        async def worker():
            while len(arrivals) < 6 * count:
                slot = await limiter.slot()
                slot.sent(clock.monotonic())
                await asyncio.sleep(way(there))
                arrivals.append(clock.monotonic())
                await asyncio.sleep(way(1 - there) + 0.0005)
                slot.release(clock.monotonic())

        async def becomes_quick():
            nonlocal quick_from
            while len(arrivals) < 4 * count:  # noqa: ASYNC110 - time is virtual
                await asyncio.sleep(latency / 50)
            while clock.monotonic() - arrivals[-1] < latency + 0.05:  # noqa: ASYNC110
                await asyncio.sleep(latency / 50)
            # Nothing is under way now, and the next can't leave before the fourth burst's first has counted out.
            first = arrivals[-count + 1] + latency * (1 - there)
            quick_from = clock.monotonic() + quick_at * (first + float(seconds) - latency - clock.monotonic())

        await asyncio.gather(becomes_quick(), *(worker() for _ in range(40)))

    run_virtual(main())
    assert most_in_any_window(arrivals, float(seconds) - 1e-9) <= count


def test_a_way_that_differs_is_worth_nothing():
    """Credit is only for what every request takes: two that differ much say nothing of the shortest way."""
    rng = random.Random(1)
    way = Way(30.0)
    for at in range(100):
        way.note(at, at + rng.uniform(0.6, 1.0))
    assert way.credit == 0
    for at in range(100, 400):
        way.note(at, at + 1.0)
    assert way.credit == pytest.approx(0.6)
    way.note(400, 400.7)
    assert way.credit == 0


@pytest.mark.parametrize("trip", [0.002, 0.1, 0.49])
def test_a_short_way_is_not_worth_a_guess(trip):
    """Below a sixtieth of the window all of it may be lost: then every request counts to its answer, whatever becomes of the way."""
    way = Way(30.0)
    for at in range(400):
        way.note(at, at + trip)
    assert way.credit == 0


def test_old_rows_do_not_pile_up(tmp_path):
    """A run of weeks leaves a small file."""
    clock = HandClock()
    store = FileSlots(tmp_path / "l", clock=clock)
    for _ in range(50):
        row = store.take(now=clock.now, window=1.0, keep=1.0, count=5, want=1, lease=0.1, moved=[]).row
        assert isinstance(row, Row)
        clock.now += 2
    assert (tmp_path / "l").stat().st_size < 20_000
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
from etl.mews.limiter import Limiter, SystemClock
from etl.mews.slot_file import FileSlots

async def main():
    clock = SystemClock()
    limiter = Limiter(30, Decimal("0.5"), store=FileSlots(Path(sys.argv[1]), clock=clock), clock=clock)
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


@pytest.mark.slow
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
