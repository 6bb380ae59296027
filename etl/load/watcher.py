"""When a run looks at Mews, and that a look which could not be finished is tried again. What a look is: `survey.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from etl.errors import LedgerError, MewsError, StoppedError
from etl.load.session import Session
from etl.load.signs import IncompleteError, add_copies
from etl.load.survey import Survey, Surveyor
from etl.model.pace import Pace

SURVEY_TRIES = 4
FINAL_CODES = ("mews.credentials", "mews.address", "mews.refused")
"""Codes of faults that trying again does not mend."""


_AFTER_FAULT = Pace(first=1.0, longest=60.0, least=0.75, most=1.25)


class Watcher:
    """The looks of one run, and what they met. `is_busy`: whether a worker has the order in hand."""

    surveyor_type: type[Surveyor] = Surveyor

    def __init__(self, session: Session, is_busy: Callable[[str], bool] = lambda _: False) -> None:
        self._session = session
        self._halt = session.halt
        self._clock = session.reach.clock
        self._surveyor = self.surveyor_type(session, is_busy)
        self._lock = asyncio.Lock()
        self._last: float | None = None
        self.surveys = 0
        self.strangers = 0
        """Most items of other people that a look met."""
        self.duplicated: dict[str, tuple[str, ...]] = {}
        """What stands in Mews more than once, ids by order number."""

    @property
    def has_looked(self) -> bool:
        """Whether one look was finished: nothing is sent before."""
        return self._last is not None

    def due(self, *, all_of_them: bool) -> datetime | None:
        """Mews's time at which a look can decide on something in doubt (or on all of it); None if nothing is."""
        return self._surveyor.due(all_of_them=all_of_them)

    async def look(self, *, recheck_floor: int | None = None) -> Survey | None:
        """One complete look, tried a few times; None where the run ends meanwhile. Raises MewsError, LedgerError."""
        async with self._lock:
            for attempt in range(SURVEY_TRIES):
                if self._halt.is_set:
                    return None
                try:
                    survey = await self._surveyor.survey(recheck_floor=recheck_floor)
                except IncompleteError as error:
                    add_copies(self.duplicated, error.duplicated)
                    raise
                except MewsError as error:
                    if attempt + 1 == SURVEY_TRIES or error.code in FINAL_CODES:
                        # Before the lock is free: whoever waits for it must not ask again.
                        self._halt.stop(error)
                        raise
                    await self._halt.sleep(_AFTER_FAULT.pause(attempt, self._session.reach.rng.random()))
                    continue
                break
            self._last = self._clock.monotonic()
        self.surveys += 1
        self.strangers = max(self.strangers, survey.strangers)
        add_copies(self.duplicated, survey.duplicated)
        return survey

    async def look_back_after_stop(self) -> None:
        """The closing look of a run that stopped itself: Mews answers, and what was sent may stand there twice.

        Likewise of one that met a copy of its ledger at work: what it sent meanwhile is listed with the rest.
        """
        met = self._halt.error
        is_of_copies = isinstance(met, IncompleteError) and not met.lacks_orders
        if not (isinstance(met, StoppedError) or is_of_copies) or not self._session.sender.writes:
            return
        try:
            add_copies(self.duplicated, (await self._surveyor.survey()).duplicated)
        except IncompleteError as error:
            add_copies(self.duplicated, error.duplicated)
            self._halt.error = error
        except (LedgerError, MewsError):
            # The run has its reason already; the next one looks before it sends anything.
            return

    def seconds_until_next(self) -> float:
        """How long until the next look is due: every few minutes, sooner where it can decide on something in doubt."""
        now = self._clock.monotonic()
        last = self._last if self._last is not None else now
        wait = last + self._session.facts.scan_seconds - now
        due = self._surveyor.due(all_of_them=False)
        if due is not None:
            until_due = self._session.time.seconds_until(due)
            wait = min(wait, max(until_due, last + self._session.facts.settle.total_seconds() / 2 - now))
        return wait

    def shortest(self, seconds: float) -> float:
        """So long at most may be slept: what comes into doubt meanwhile is due earlier."""
        return min(seconds, max(self._session.facts.settle.total_seconds() / 4, 0.05))
