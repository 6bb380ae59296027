"""Mews's time, which alone decides how long something may still be on its way."""

from __future__ import annotations

from datetime import datetime, timedelta

from etl.evidence.reader import Clock, Reader

RESOLUTION = 1.0
"""Seconds: Mews tells its time in whole ones, so it is up to this much later there than it says."""


class MewsTime:
    """Mews's clock between two readings of it, carried on by a clock that never jumps.

    What it says is old by the answer's way and cut to the second: `now` is never ahead of Mews, `latest` never behind.
    Waits count from `latest` to `now`, so that none is a moment too short.
    """

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._anchor: tuple[datetime, float] | None = None
        self._slack = timedelta(seconds=RESOLUTION)

    async def sync(self) -> datetime:
        """Mews's time, asked for; it is not earlier there. Raises MewsError."""
        asked = self._clock.monotonic()
        await self._reader.configuration()
        self._anchor = (self._reader.now(), self._clock.monotonic())
        self._slack = timedelta(seconds=RESOLUTION + self._anchor[1] - asked)
        return self._anchor[0]

    def latest(self) -> datetime:
        """The time that it can be in Mews at the latest."""
        return self.now() + self._slack

    def seconds_until(self, due: datetime) -> float:
        """How long until Mews, asked then, says that it is `due`: it cuts the second. 0 or less: it says so now.

        Whoever waits less asks again and again while the second has not turned, each time with a whole walk.
        """
        said = due if not due.microsecond else due.replace(microsecond=0) + timedelta(seconds=RESOLUTION)
        return (said - self.now()).total_seconds()

    def now(self) -> datetime:
        """Mews's time, carried on since it was asked for; it is not earlier there."""
        if self._anchor is None:
            return self._reader.now()
        then, at = self._anchor
        return then + timedelta(seconds=self._clock.monotonic() - at)
