"""Jobs that travel together: a worker waits until a request is full, or until nothing more is coming for now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from etl.load.crew import Crew, JobQueue
from etl.load.jobs import Job


class BatchQueue(JobQueue):
    """Jobs for workers that take many at once. `limit_of`: with how many a job may travel, itself included."""

    def __init__(self, crew: Crew, room: int, limit_of: Callable[[Job], int]) -> None:
        super().__init__(crew, room)
        self._limit_of = limit_of
        self._front: Job | None = None
        self._filling = asyncio.Lock()
        self._news = asyncio.Event()
        self._is_hurried = 0

    async def put(self, job: Job) -> None:
        """Puts a job in, once there is room."""
        await super().put(job)
        self._news.set()

    def put_again(self, job: Job) -> None:
        """Puts in a job that waited for something else."""
        super().put_again(job)
        self._news.set()

    async def take(self) -> list[Job]:
        """As `JobQueue.take`: the jobs of one request."""
        # One worker fills its request at a time: two would fill two by halves.
        async with self._filling:
            jobs = [await self._next()]
            limit = self._limit_of(jobs[0])
            while len(jobs) < limit:
                if self._front is None and self._jobs.empty():
                    if self._is_hurried:
                        break
                    self._news.clear()
                    await self._news.wait()
                    continue
                job = await self._next()
                if self._limit_of(job) != limit:
                    self._front = job
                    break
                jobs.append(job)
            return jobs

    async def empty(self) -> None:
        """Waits until all jobs are through; requests leave as they are meanwhile."""
        self._is_hurried += 1
        self._news.set()
        try:
            await super().empty()
        finally:
            self._is_hurried -= 1

    async def _next(self) -> Job:
        job, self._front = self._front, None
        return await self.get() if job is None else job
