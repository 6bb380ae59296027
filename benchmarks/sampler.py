"""Where the CPU of a process goes: the part of the program that works at every tick of CPU time, counted."""

from __future__ import annotations

import signal
import time
from collections import Counter
from types import FrameType
from typing import Self

TICK = 0.002

READING_BACK = "reading back"
"""Looks at Mews before the first order, every few minutes, and at the end, with whatever is done for them."""

PARTS = (
    ("/etl/load/survey", READING_BACK),
    ("/etl/load/first_order", READING_BACK),
    ("/etl/ledger/", "ledger"),
    ("/sqlalchemy/", "ledger"),
    ("/etl/mews/slots", "limiter"),
    ("/etl/mews/limiter", "limiter"),
    ("/httpx/", "http"),
    ("/aiohttp/", "http"),
    ("/httpx_aiohttp/", "http"),
    ("/multidict/", "http"),
    ("/yarl/", "http"),
    ("/etl/mews/aiohttp_transport", "http"),
    ("/etl/mews/http", "http"),
    ("/httpcore/", "http"),
    ("/h11/", "http"),
    ("/anyio/", "http"),
    ("/etl/mews/connections", "http"),
    ("/etl/mews/", "answers and transport"),
    ("/etl/model/payload", "bodies"),
    ("/etl/model/bill", "bodies"),
    ("/etl/model/identity", "bodies"),
    ("/etl/model/sent", "bodies"),
    ("order_payload", "bodies"),
    ("predicted_of", "bodies"),
    ("/etl/pipeline/plan_store", "plan store"),
    ("/etl/spill", "plan store"),
    ("/transform/consumption", "gate of the window"),
    ("/isodate/", "gate of the window"),
    ("/etl/load/", "loader"),
    ("/etl/", "rest"),
)
"""Innermost frame first: what a file, or a function, belongs to."""


class Sampler:
    """A context manager; `counts` by part afterwards."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.cpu = self.wall = 0.0
        self._known: dict[tuple[str, str], str] = {}

    def __enter__(self) -> Self:
        self.cpu, self.wall = time.process_time(), time.monotonic()
        signal.signal(signal.SIGPROF, self._tick)
        signal.setitimer(signal.ITIMER_PROF, TICK, TICK)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, signal.SIG_IGN)
        self.cpu, self.wall = time.process_time() - self.cpu, time.monotonic() - self.wall

    def shares(self) -> dict[str, float]:
        """CPU seconds by part, most first."""
        ticks = max(1, self.counts.total())
        return {name: self.cpu * count / ticks for name, count in self.counts.most_common()}

    def _tick(self, _: int, frame: FrameType | None) -> None:
        found = ""
        while frame is not None:
            code = frame.f_code
            part = self._part(code.co_filename, code.co_name)
            if part == READING_BACK:
                found = part
                break
            found = found or part
            frame = frame.f_back
        self.counts[found or "event loop"] += 1

    def _part(self, path: str, function: str) -> str:
        key = (path, function)
        if key not in self._known:
            self._known[key] = next((name for sign, name in PARTS if sign in path or sign == function), "")
        return self._known[key]
