"""What an answer of Mews means for all workers together: everybody rests, or the run ends."""

from __future__ import annotations

import random

from etl.errors import MewsError
from etl.evidence.reader import Clock
from etl.load.breaker import Breaker
from etl.load.halt import Halt
from etl.load.ports import Limiter
from etl.model.outcome import Kind, Outcome
from etl.model.pace import Pace

_AFTER_CONFLICT = Pace(first=0.5, longest=30.0, least=0.5, most=1.5)
_AFTER_FAULT = Pace(first=1.0, longest=30.0, least=0.5, most=1.5)


class Traffic:
    """The pace of one run. `rng` gives the jitter."""

    def __init__(self, limiter: Limiter, clock: Clock, rng: random.Random, halt: Halt) -> None:
        self._limiter = limiter
        self._clock = clock
        self._rng = rng
        self._halt = halt
        self._breaker = Breaker(rng)

    def heed(self, outcome: Outcome, granted_at: float = 0.0, *, is_expected: bool = False) -> None:
        """Takes in an answer, or its absence; `granted_at`: when its slot was granted, on the monotonic clock.

        `is_expected`: a refusal that somebody else counts (design 7.1, kinds; 9, several bills).
        """
        stop = self._breaker.see(outcome, is_expected=is_expected)
        match outcome.kind:
            case Kind.UNKNOWN if is_expected:
                # Mews answered: only what it did of the request is unknown.
                pass
            case Kind.UNKNOWN | Kind.NOT_SENT:
                self._rest(self._breaker.pause_after_fault())
            case Kind.STOP:
                stop = _refused_credentials(outcome)
            case Kind.WAIT:
                now = self._clock.monotonic()
                self._rest(self._breaker.wait(granted_at, now, outcome.retry_after))
                stop = self._breaker.waited_too_long(now)
            case Kind.DONE | Kind.REFUSED | Kind.SPLIT | Kind.CONFLICT:
                pass
        if stop is not None:
            self._halt.stop(stop)

    async def wait_after_conflict(self, conflicts: int) -> None:
        """The pause before what met a conflict is tried again."""
        await self._halt.sleep(_AFTER_CONFLICT.pause(conflicts - 1, self._rng.random()))

    async def wait_after_fault(self, faults: int) -> None:
        """The pause before a request is tried again that never left."""
        await self._halt.sleep(_AFTER_FAULT.pause(faults - 1, self._rng.random()))

    def _rest(self, seconds: float) -> None:
        if seconds > 0:
            self._limiter.pause(seconds)


def _refused_credentials(outcome: Outcome) -> MewsError:
    what = "the address" if outcome.status == 404 else "the credentials"
    return MewsError(
        f"Mews refuses {what}: {outcome.message}",
        code="mews.refused",
        hint="Check MEWS_PLATFORM_ADDRESS, MEWS_CLIENT_TOKEN and MEWS_ACCESS_TOKEN, then run the same command again.",
        request_id=outcome.request_id or None,
    )
