"""The tasks that work in the background of one run, their jobs, and waiting that ends when one of them dies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from etl.load.halt import cancel
from etl.load.jobs import Job

T = TypeVar("T")


class Crew:
    """The background tasks of one run."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begins one more task."""
        self.tasks.append(asyncio.ensure_future(work))

    async def wait_for(self, awaitable: Awaitable[T] | Coroutine[Any, Any, T]) -> T:
        """The awaitable's result, unless a task dies first: then what it died of."""
        task = asyncio.ensure_future(awaitable)
        try:
            while not task.done():
                await asyncio.wait({task, *self.tasks}, return_when=asyncio.FIRST_COMPLETED)
                for worker in tuple(self.tasks):
                    if worker.done():
                        self.tasks.remove(worker)
                        worker.result()
            return await task
        finally:
            if not task.done():
                await cancel([task])


class JobQueue:
    """Jobs for the workers. What is put in for the first time waits for room; what is let go again does not."""

    def __init__(self, crew: Crew, room: int) -> None:
        self._crew = crew
        self._jobs: asyncio.Queue[Job] = asyncio.Queue()
        self._room = asyncio.Semaphore(room)

    async def put(self, job: Job) -> None:
        """Puts a job in, once there is room."""
        if self._room.locked():
            await self._crew.wait_for(self._room.acquire())
        else:
            await self._room.acquire()
        job.has_room = True
        self._jobs.put_nowait(job)

    def put_again(self, job: Job) -> None:
        """Puts in a job that waited for something else."""
        self._jobs.put_nowait(job)

    async def get(self) -> Job:
        """The next job."""
        job = await self._jobs.get()
        if job.has_room:
            job.has_room = False
            self._room.release()
        return job

    async def take(self) -> list[Job]:
        """Jobs that go together, in their order; say `done` afterwards."""
        return [await self.get()]

    def done(self, count: int) -> None:
        """So many jobs are through."""
        for _ in range(count):
            self._jobs.task_done()

    async def empty(self) -> None:
        """Waits until all jobs are through, unless a worker dies first."""
        await self._crew.wait_for(self._jobs.join())
