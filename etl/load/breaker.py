"""When a run stops itself: nothing but faults, nothing but 429, the same refusal over and over. Pure counting."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from etl.errors import EtlError, MewsError, StoppedError
from etl.model.outcome import Kind, Outcome
from etl.model.pace import Pace

EQUAL_REFUSALS = 20
FAULTS_BEFORE_PAUSE = 8
FAULTS_BEFORE_STOP = 32
PAUSES = (5.0, 15.0, 45.0)
_BACKOFF = Pace(first=1.0, longest=60.0, least=0.75, most=1.25)
WAITING_TOO_LONG = 1800.0


@dataclass(slots=True)
class Breaker:
    """What a row of outcomes means for the whole run. `rng` gives the jitter."""

    rng: random.Random
    faults: int = 0
    refusals: int = 0
    _refusal: tuple[int | None, str] = (None, "")
    _waits: int = 0
    _wait_since: float | None = None
    _last_wait: float = field(default=-1.0)

    def see(self, outcome: Outcome, *, is_expected: bool = False) -> EtlError | None:
        """Why the run must stop after this outcome; None where it goes on.

        `is_expected`: a refusal that is counted elsewhere (design 7.1, kinds; 9, several bills); those in a row stay
        as they were.
        """
        match outcome.kind:
            case Kind.UNKNOWN if is_expected:
                self._calm()
            case Kind.UNKNOWN | Kind.NOT_SENT:
                # No 429: what Mews answers from here on is another row of them.
                self._wait_since = None
                self.faults += 1
                if self.faults >= FAULTS_BEFORE_STOP:
                    return MewsError(
                        f"{self.faults} requests in a row failed; the last: {outcome.message}",
                        code="mews.faults",
                        hint="Look at Mews's status and the network, then run again: the ledger knows what is open.",
                    )
            case Kind.REFUSED | Kind.CONFLICT:
                self._calm()
                if is_expected:
                    return None
                refusal = (outcome.status, outcome.message)
                self.refusals = self.refusals + 1 if refusal == self._refusal else 1
                self._refusal = refusal
                if self.refusals >= EQUAL_REFUSALS:
                    return StoppedError(
                        f"Mews refused {self.refusals} orders in a row for the same reason: {outcome.message}",
                        code="run.refusals",
                        hint="Clear the reason, then run again.",
                        request_id=outcome.request_id or None,
                    )
            case Kind.SPLIT:
                self._calm()
            case Kind.DONE:
                self._calm()
                self.refusals = 0
                self._refusal = (None, "")
            case Kind.WAIT | Kind.STOP:
                pass
        return None

    def pause_after_fault(self) -> float:
        """Seconds for which everybody rests after the fault just seen; 0 for most."""
        if self.faults == 0 or self.faults % FAULTS_BEFORE_PAUSE:
            return 0.0
        return PAUSES[min(self.faults // FAULTS_BEFORE_PAUSE, len(PAUSES)) - 1] * self._jitter()

    def wait(self, sent_at: float, now: float, retry_after: float | None) -> float:
        """Seconds for which everybody rests after a 429. Several answers of one round count once."""
        if self._wait_since is None:
            self._wait_since = now
        if sent_at >= self._last_wait:
            self._waits += 1
            self._last_wait = now
        if retry_after is not None and retry_after > 0:
            # A little more: the slot must be free when the first of all workers asks again.
            return retry_after + 0.1 * self.rng.random()
        return _BACKOFF.pause(self._waits - 1, self.rng.random())

    def waited_too_long(self, now: float) -> EtlError | None:
        """Why a run ends that gets nothing but 429."""
        if self._wait_since is None or now - self._wait_since < WAITING_TOO_LONG:
            return None
        return MewsError(
            "Mews answers nothing but 429 (too many requests) since half an hour",
            code="mews.too_many_requests",
            hint="Something else uses the same access token; stop it, or lower mews.rate_limit, then run again.",
        )

    def _calm(self) -> None:
        self.faults = 0
        self._waits = 0
        self._wait_since = None

    def _jitter(self) -> float:
        return 0.75 + 0.5 * self.rng.random()
