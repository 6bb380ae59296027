"""What this process waits for just now, and how long still: for progress, never for decisions.

A person who sees a run stand still has to know whether that is the rate limit, Mews asking for a pause, or an unclear
answer that has to settle. Whoever sleeps takes its sleep from here and says what for.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

LIMIT = "the rate limit"
ASKED = "the pause that Mews asked for"
SETTLING = "unclear answers to settle, or the next try"
RETRY = "the next try of a read"
OTHERS = "another run of this plan, which goes first"
_RANK = (OTHERS, SETTLING, RETRY, LIMIT, ASKED)
"""What is told where several are waited for: the last of these holds up everything."""
SHORTEST = 1.0
"""Seconds below which a wait is not told."""


class Waits:
    """The sleeps under way, by reason. *Units*: seconds of `clock`, which does not jump."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[object, tuple[str, float]] = {}

    def sleep(self, reason: str) -> Callable[[float], Awaitable[None]]:
        """A sleep that says what it is for."""
        # `status` reads what was waited for and answers at once: it has no loop to import.
        from asyncio import sleep as nap

        async def sleep(seconds: float) -> None:
            token = object()
            self._until[token] = (reason, self._clock() + seconds)
            try:
                await nap(seconds)
            finally:
                del self._until[token]

        return sleep

    def now(self) -> tuple[str, float] | None:
        """The reason that holds up most, and the seconds left of it; None where nothing of note is waited for."""
        # Read from a thread that draws, while the loop adds and removes: a copy can't change under the loop's feet.
        left = [(until - self._clock(), reason) for reason, until in tuple(self._until.values())]
        told = [(_RANK.index(reason), seconds, reason) for seconds, reason in left if seconds >= SHORTEST]
        _, seconds, reason = max(told, default=(0, 0.0, ""))
        return (reason, seconds) if reason else None


WAITS = Waits()
"""Of this process: there is one terminal to show it on."""
