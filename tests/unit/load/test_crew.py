"""The background tasks of a run: one that dies ends what waits for it, and the queue holds no more than it has room for."""

from __future__ import annotations

import asyncio

import pytest
from load_fakes import an_order

from etl.load.batch_queue import BatchQueue
from etl.load.crew import Crew, JobQueue
from etl.load.jobs import Job


def a_job(number: str) -> Job:
    return Job(an_order(number), 1, True, [], {})


async def die() -> None:
    raise RuntimeError("unforeseen")


def test_waiting_ends_with_what_a_task_died_of():
    """A run whose worker is gone must not end as if all was well, or wait for ever."""

    async def main() -> None:
        crew, reached = Crew(), []

        async def wait() -> None:
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                reached.append("called off")
                raise

        crew.start(die())
        with pytest.raises(RuntimeError, match="unforeseen"):
            await crew.wait_for(wait())
        assert reached == ["called off"]
        assert (crew.tasks, await crew.wait_for(asyncio.sleep(0, "well"))) == ([], "well")

    asyncio.run(main())


def test_who_waits_for_room_or_for_the_end_learns_of_the_dead():
    async def main() -> None:
        for full in (True, False):
            crew = Crew()
            queue = JobQueue(crew, 1)
            await queue.put(a_job("1"))
            crew.start(die())
            with pytest.raises(RuntimeError):
                await asyncio.wait_for(queue.put(a_job("2")) if full else queue.empty(), 5)

    asyncio.run(main())


def test_a_job_gives_its_room_back_once():
    """What is let go again has none: else the queue would hold more and more of a history."""

    async def main() -> None:
        queue = JobQueue(Crew(), 1)
        await queue.put(a_job("1"))
        first = await queue.get()
        queue.put_again(first)
        await queue.get()
        await queue.put(a_job("2"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.put(a_job("3")), 0.05)
        queue.done(2)
        assert (await queue.get()).number == "2"
        queue.done(1)
        await asyncio.wait_for(queue.empty(), 5)

    asyncio.run(main())


def test_a_job_that_may_not_travel_along_is_the_next_request():
    """Neither beside the others, nor lost, nor twice: a bill of a kind that nobody has proved goes alone."""

    async def main() -> None:
        queue = BatchQueue(Crew(), 9, lambda job: 1 if job.number == "3" else 3)
        for number in "12345":
            await queue.put(a_job(number))
        ends = asyncio.ensure_future(queue.empty())
        await asyncio.sleep(0)
        taken = []
        while sum(map(len, taken)) < 5:
            taken.append([job.number for job in await asyncio.wait_for(queue.take(), 5)])
            queue.done(len(taken[-1]))
        assert taken == [["1", "2"], ["3"], ["4", "5"]]
        await asyncio.wait_for(ends, 5)

    asyncio.run(main())


def test_a_request_is_filled_by_one_and_waits_for_what_comes():
    """Two would fill two by halves; only when nothing more is coming it leaves as it is."""

    async def main() -> None:
        queue = BatchQueue(Crew(), 9, lambda _: 2)
        await queue.put(a_job("1"))
        first, second = (asyncio.ensure_future(queue.take()) for _ in range(2))
        await asyncio.sleep(0.01)
        assert not first.done()
        await queue.put(a_job("2"))
        queue.put_again(a_job("3"))
        assert [job.number for job in await asyncio.wait_for(first, 5)] == ["1", "2"]
        await asyncio.sleep(0.01)
        assert not second.done()
        queue.put_again(a_job("4"))
        assert [job.number for job in await asyncio.wait_for(second, 5)] == ["3", "4"]
        queue.done(4)
        await asyncio.wait_for(queue.empty(), 5)

    asyncio.run(main())
