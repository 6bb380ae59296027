"""Who waits for a slot when the run ends goes home, and nobody else is disturbed."""

from __future__ import annotations

import asyncio

import pytest

from etl.load.halt import Halt


async def waits(halt: Halt, has_its_slot: asyncio.Event, told: list[bool]) -> str:
    """Parked until the event, in the task that goes on afterwards."""
    task = halt.park()
    try:
        await has_its_slot.wait()
    except asyncio.CancelledError:
        told.append(halt.unpark(task))
        if not told[-1]:
            raise
    halt.unpark(task)
    await asyncio.sleep(0)
    return "went on"


def ended(*, stops: int = 1, others: int = 0, first: bool = False) -> tuple[str, list[bool], int]:
    """What became of a task that waited as the run ended; `first`: it had its slot before."""

    async def run() -> tuple[str, list[bool], int]:
        halt, event, told = Halt(asyncio.sleep), asyncio.Event(), list[bool]()
        task = asyncio.ensure_future(waits(halt, event, told))
        await asyncio.sleep(0)
        if first:
            event.set()
            await asyncio.sleep(0)
        for _ in range(stops):
            halt.stop(None)
        for _ in range(others):
            task.cancel()
        return await task, told, task.cancelling()

    return asyncio.run(run())


@pytest.mark.parametrize("stops", [1, 2])
def test_who_waits_goes_home_and_its_task_goes_on(stops: int) -> None:
    """Also where several reasons end the run: a task that stays cancelled would lose what it does next."""
    assert ended(stops=stops) == ("went on", [True], 0)


def test_who_had_its_slot_is_not_disturbed() -> None:
    """Its outcome is awaited."""
    assert ended(first=True) == ("went on", [], 0)


def test_who_is_cancelled_by_somebody_else_as_well_ends() -> None:
    """A second Ctrl-C leaves at once."""
    with pytest.raises(asyncio.CancelledError):
        ended(others=1)
