"""How a run ends before its time: no new request from then on, and whoever waits goes home."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar, cast

from etl.errors import EtlError
from etl.load.ports import Sleep

T = TypeVar("T")


class HeldBackError(Exception):
    """A signal, no fault: this request was not sent, and will not be."""


class HaltedError(HeldBackError):
    """The run ends."""


class WindowPassedError(HeldBackError):
    """Mews no longer takes the request's consumption."""


class Halt:
    """Whether one run goes on. `error`: the first reason why it does not; None where a person ended it."""

    def __init__(self, sleep: Sleep) -> None:
        self._sleep = sleep
        self._event = asyncio.Event()
        self.error: EtlError | None = None
        self._parked: set[asyncio.Task[Any]] = set()
        self._sent_home: set[asyncio.Task[Any]] = set()

    @property
    def is_set(self) -> bool:
        """Whether the run ends."""
        return self._event.is_set()

    def stop(self, error: EtlError | None) -> None:
        """No new request from here on; who still waits for a slot goes home."""
        if error is not None and self.error is None:
            self.error = error
        self._event.set()
        parked, self._parked = self._parked, set()
        self._sent_home |= parked
        for task in parked:
            task.cancel()

    def park(self) -> asyncio.Task[Any]:
        """The task that asks waits for its slot until `unpark`: the end of the run cancels it. Shape: that task."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._parked.add(task)
        return task

    def unpark(self, task: asyncio.Task[Any]) -> bool:
        """It waits no more. Shape: whether it was cancelled by the end of the run, and by nobody else: then it goes on."""
        self._parked.discard(task)
        if task not in self._sent_home:
            return False
        self._sent_home.discard(task)
        return task.uncancel() == 0

    async def sleep(self, seconds: float) -> None:
        """Sleeps that long, or until the run ends."""
        if seconds <= 0 or self.is_set:
            return
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        halting = asyncio.ensure_future(self._event.wait())
        try:
            await asyncio.wait({sleeping, halting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel([sleeping, halting])

    async def unless(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The work's result, None where the run ends meanwhile: who reads then asks Mews nothing more."""
        task = asyncio.ensure_future(work)
        halting = asyncio.ensure_future(self._event.wait())
        try:
            await asyncio.wait({task, halting}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            await cancel([task, halting])


async def cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancels and waits; what they end with is nobody's concern any more."""
    pending = [task for task in tasks if not task.done()]
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()
