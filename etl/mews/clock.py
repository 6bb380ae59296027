"""The clock that everything in `mews/` reads; tests pass their own."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

Sleep = Callable[[float], Awaitable[None]]
"""Waits that many seconds; `asyncio.sleep` outside tests."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
"""Where there is no boot time (macOS), CLOCK_MONOTONIC goes on in sleep; `time.monotonic` stands still there."""


class Clock(Protocol):
    """Time as this machine has it."""

    def monotonic(self) -> float:
        """Seconds since a moment that all processes of this boot share; never goes back."""

    def wall(self) -> datetime:
        """The machine's date and time, aware UTC; may jump, and may be wrong."""


class SystemClock:
    """The machine's own clock. `monotonic` goes on while the machine sleeps, where the system can do that."""

    def monotonic(self) -> float:
        """Seconds since boot."""
        return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)

    def wall(self) -> datetime:
        """Now, aware UTC."""
        return datetime.now(UTC)
