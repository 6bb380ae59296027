"""How a run ends before its time: no new request from then on, and whoever waits goes home."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from etl.errors import EtlError
from etl.load.ports import Sleep
from etl.model.outcome import Outcome

T = TypeVar("T")


class HeldBackError(Exception):
    """A signal, no fault: this request was not sent, and will not be."""


class HaltedError(HeldBackError):
    """The run ends."""


class WindowPassedError(HeldBackError):
    """Mews no longer takes the request's consumption."""


class Halt:
    """Whether one run goes on. `error`: the first reason why it does not; None where a person ended it.

    `parked`: the requests that wait for their slot.
    """

    def __init__(self, sleep: Sleep) -> None:
        self._sleep = sleep
        self._event = asyncio.Event()
        self.error: EtlError | None = None
        self.parked: set[asyncio.Future[Outcome]] = set()

    @property
    def is_set(self) -> bool:
        """Whether the run ends."""
        return self._event.is_set()

    def stop(self, error: EtlError | None) -> None:
        """No new request from here on; who still waits for a slot goes home."""
        if error is not None and self.error is None:
            self.error = error
        self._event.set()
        for request in tuple(self.parked):
            request.cancel()

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


def is_cancelled() -> bool:
    """Whether somebody cancels the task that asks."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


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
