"""The heartbeat of a run: how far it is, kept in its ledger for `status` from another terminal."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from etl.errors import LedgerError
from etl.ledger.ledger import Ledger
from etl.pipeline.meter import Meter, Progress

BEAT = 2.0
"""Seconds between two entries in the ledger."""
KEY = "progress"
"""Under which the ledger's table meta holds it; "" once the run is over."""


class Heart:
    """Keeps how far a run is in its ledger, for `status` from another terminal.

    Called by the stages that hold the thread, and by `beating` while the loop runs. Both are between two transactions of
    the ledger: those are never left open over an await or a call of progress.
    """

    def __init__(self, ledger: Ledger, progress: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger = ledger
        self._progress = progress
        self._clock = clock
        self._meter = Meter()
        self._last = -BEAT
        self._is_beating = False

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Passes on what a stage tells."""
        self._progress(stage, done, total)
        self._meter(stage, done, total)
        if not self._is_beating and self._clock() - self._last >= BEAT:
            self._write()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """While the loop runs, an entry every few seconds, also where nothing but waiting goes on."""
        task = asyncio.ensure_future(self._beat())
        self._is_beating = True
        try:
            yield
        finally:
            self._is_beating = False
            task.cancel()

    def stop(self) -> None:
        """The run is over."""
        with suppress(LedgerError):
            self._ledger.set_meta(KEY, "")

    async def _beat(self) -> None:
        while True:
            self._write()
            await asyncio.sleep(BEAT)

    def _write(self) -> None:
        standing = self._meter.look()
        self._last = self._clock()
        if standing is not None:
            # A heartbeat that can't be written must not end a run: what has to be on disk is written by others.
            with suppress(LedgerError):
                self._ledger.set_meta(KEY, json.dumps(standing.document()))
