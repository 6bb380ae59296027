"""The loop whose clock only moves when nobody has anything to do."""

from __future__ import annotations

import asyncio

import pytest
from virtual_time import Deadlock, Killed, Timeline, VirtualLoop


def run(timeline: Timeline, work):
    loop = VirtualLoop(timeline)
    try:
        return loop.run_until_complete(work)
    finally:
        timeline.begin_process(None)
        loop.sweep()
        loop.close()


def test_sleeping_takes_no_time():
    """A day passes at once, and the sleepers wake in the order of their times."""
    timeline, woken = Timeline(), []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((seconds, timeline.now))

    async def work() -> None:
        await asyncio.gather(*(sleeper(seconds) for seconds in (86400.0, 0.5, 60.0)))

    run(timeline, work())
    assert woken == [(0.5, 0.5), (60.0, 60.0), (86400.0, 86400.0)]


def test_things_happen_outside_of_processes():
    """What was planned on the timeline happens in its moment, whether a process runs or not."""
    timeline, seen = Timeline(), []
    for moment in (1.0, 5.0):
        timeline.at(moment, lambda: seen.append(timeline.now))
    run(timeline, asyncio.sleep(3))
    assert seen == [1.0]
    timeline.pass_until(10)
    assert seen == [1.0, 5.0]


def test_a_kill_ends_the_process_in_its_moment():
    """Nothing runs after the kill but the sweeping up, and that takes no time."""
    timeline, after = Timeline(), []

    async def work() -> None:
        await asyncio.sleep(10)
        after.append("alive")

    timeline.begin_process(4.0)
    with pytest.raises(Killed):
        run(timeline, work())
    assert timeline.now == 4.0
    assert after == []


def test_waiting_for_ever_is_told():
    """A process that waits for nothing that could happen is a fault, not a hang."""

    async def work() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run(Timeline(), work())
