"""Time that only moves when nobody has anything to do: an asyncio loop for whole days in milliseconds.

`Timeline` is the one time of a schedule: it outlives the processes that come and go on it, and things outside of them
(commits that land late, the hotel's staff) happen on it too. A `VirtualLoop` is the loop of one process.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""What a right clock shows when a schedule begins."""

_SPINS = 2000


class Killed(BaseException):
    """Stands for kill -9 or a power cut: nothing of the product catches it."""


class Deadlock(Exception):
    """Everybody waits, and nothing will ever happen."""


class Timeline:
    """Virtual seconds since the start, and what happens on its own at some of them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.kill_at: float | None = None
        self.is_killed = False
        self.is_frozen = False
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, moment: float, happens: Callable[[], None]) -> None:
        """Has something happen at that time (or now, if that is past)."""
        self._count += 1
        heapq.heappush(self._events, (max(moment, self.now), self._count, happens))

    def kill(self) -> None:
        """The running process dies now: its loop gets no further turn."""
        self.is_killed = True

    def begin_process(self, kill_at: float | None) -> None:
        """A new process runs; `kill_at` is when it dies."""
        self.kill_at, self.is_killed, self.is_frozen = kill_at, False, False

    def pass_until(self, moment: float) -> None:
        """Time passes and no process is there to notice."""
        while self._events and self._events[0][0] <= moment:
            self._happen()
        self.now = max(self.now, moment)

    def step(self, seconds: float | None) -> None:
        """Time moves on by so much, or to the next thing that happens. Raises Killed, Deadlock."""
        if seconds is None and not self._events:
            raise Deadlock
        until = float("inf") if seconds is None else self.now + seconds
        if self.kill_at is not None and self.kill_at <= until and not self._earlier(self.kill_at):
            self.now = max(self.now, self.kill_at)
            self.is_killed = True
            raise Killed
        if self._earlier(until):
            self._happen()
        else:
            self.now = until

    def _earlier(self, moment: float) -> bool:
        return bool(self._events) and self._events[0][0] <= moment

    def _happen(self) -> None:
        moment, _, happens = heapq.heappop(self._events)
        self.now = max(self.now, moment)
        happens()


class MachineClock:
    """The importer's clocks. `wall` may be wrong and jump by `skew`; `monotonic` never does."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.skew = timedelta(0)

    def monotonic(self) -> float:
        """Seconds since boot."""
        return 1000.0 + self._timeline.now

    def wall(self) -> datetime:
        """What the machine believes."""
        return START + timedelta(seconds=self._timeline.now) + self.skew


class _Selector(selectors.SelectSelector):
    """Never waits: where the loop would, time moves on instead."""

    def __init__(self, timeline: Timeline) -> None:
        super().__init__()
        self._timeline = timeline
        self._spins = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        timeline = self._timeline
        if timeline.is_frozen:
            # A dead process is swept up: nothing of it may wait for anything any more.
            self._spins += 1
            if self._spins > _SPINS:
                raise Deadlock
            return []
        if timeline.is_killed:
            raise Killed
        if timeout is None or timeout > 0:
            timeline.step(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop of one process on a timeline."""

    def __init__(self, timeline: Timeline) -> None:
        super().__init__(_Selector(timeline))
        self._timeline = timeline
        self._clock_resolution = 1e-9
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        """Virtual seconds."""
        return self._timeline.now

    def sweep(self) -> None:
        """Ends what a killed process left in memory, without a moment passing."""
        self._timeline.is_frozen = True
        # Killed in the very moment in which it ended: what ends the loop may still be waiting for its turn.
        self.stop()
        self.run_forever()
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.run_until_complete(self.shutdown_asyncgens())
        self._timeline.is_frozen = False
