"""How far a command is: stage, done of total, rate, what is waited for, and when it ends. Also kept in the ledger.

Every stage tells (stage, done, total or None). The meter makes of it what a person wants to see on the terminal, in a
log and in `status` from another terminal.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from etl.waiting import LIMIT, SETTLING, WAITS, Waits

Progress = Callable[[str, int, int | None], None]

RATE_OVER = 30.0
"""Seconds over which the rate is taken."""
SETTLE = "settle"
LOOK = "look for "
"""Begins a stage that reads pages in search of what its other words name."""
_STAGES = {
    "sorting": ("sort the rows", ""),
    "transform": ("plan", "orders"),
    "orders": ("read orders", "orders"),
    "post": ("post", "orders"),
    "wait for what is unknown": (SETTLE, "orders"),
    "wait for what may still be on its way": (SETTLE, ""),
    "read back the first order": ("read back the first order", ""),
    "read back": ("read back", "orders"),
    "second look": ("look again", "orders"),
    "scan items": ("scan Mews", "items"),
    "scan payments": ("scan Mews", "payments"),
    "read items": ("scan Mews", "items"),
    "record orders": ("record", "orders"),
    "undo": ("undo", "entries"),
    "report": ("report", "orders"),
    "page": ("write the page", "orders"),
}
"""Stages in words, and what they count; any other stage, but one of LOOK, is a file that is read, in bytes."""


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a command is. *Units*: `rate` per second, None while unknown; `ends` and `at` aware UTC.

    `total` is None where nobody knows it. `waits_for` is "" where nothing is waited for, else until `waits_until`.
    """

    stage: str
    unit: str
    done: int
    total: int | None
    rate: float | None
    ends: datetime | None
    waits_for: str
    waits_until: datetime | None
    at: datetime

    def document(self) -> dict[str, Any]:
        """As data for `status --json` and JSON logs."""
        shown = asdict(self)
        return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in shown.items()}


class Meter:
    """Takes in what the stages tell; `look` may be called from another thread."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        waits: Waits = WAITS,
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._waits = waits
        self._stage = ""
        self._total: int | None = None
        self._seen: deque[tuple[float, int]] = deque()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """One stage tells how far it is."""
        now = self._clock()
        if stage != self._stage or (self._seen and done < self._seen[-1][1]):
            self._stage = stage
            self._seen = deque()
        self._total = total or None
        self._seen.append((now, done))
        # The oldest look stays until a younger one is old enough: a slow stage has a rate too.
        while len(self._seen) > 2 and now - self._seen[1][0] >= RATE_OVER:
            self._seen.popleft()

    def look(self) -> JobProgress | None:
        """How far it is now; None before the first stage."""
        seen = tuple(self._seen)
        if not seen:
            return None
        stage, unit = _shown(self._stage)
        done, wall, total = seen[-1][1], self._wall(), self._total
        since = self._clock() - seen[0][0]
        waits = self._waits.now()
        if waits and waits[0] == LIMIT:
            # What went in a burst is paid for by the wait after it: the pace is that of both.
            since += waits[1]
        rate = (done - seen[0][1]) / since if since >= 1 and done > seen[0][1] else None
        left = None if total is None or rate is None else max(0, total - done) / rate
        if waits and waits[0] == SETTLING and stage != SETTLE:
            # Somebody waits for the next look at what is unclear, and the others go on.
            waits = None
        return JobProgress(
            stage=stage,
            unit=unit,
            done=done,
            total=total,
            rate=None if rate is None else round(rate, 2),
            ends=None if left is None else wall + timedelta(seconds=left),
            waits_for=waits[0] if waits else "",
            waits_until=wall + timedelta(seconds=waits[1]) if waits else None,
            at=wall,
        )


def _shown(stage: str) -> tuple[str, str]:
    """A stage in words, and what it counts."""
    if stage.startswith(LOOK):
        return stage, "pages"
    return _STAGES.get(stage, (f"read {Path(stage).name}", "bytes"))


def short(job: JobProgress) -> str:
    """As `words`, for beside a bar: within 80 columns, what is waited for last."""
    done = f"{_number(job.done, job.unit)} of {_number(job.total, job.unit)}" if job.total else ""
    parts = [done or _count(job)]
    if job.rate is not None:
        parts.append(f"{_number(job.rate, job.unit)}/s")
    if job.ends is not None:
        parts.append(f"ends {_clock(job.ends, job.at)}")
    return f"{job.stage}: {', '.join(part for part in parts if part)}".removesuffix(": ")


def words(job: JobProgress, now: datetime | None = None) -> str:
    """How far it is, in one line: `post: 1,200 of 25,897 orders (4.6 %), 6.6/s, ends about 14:32; waiting 12 s for ..`."""
    parts = [_count(job)]
    if job.rate is not None:
        parts.append(f"{_number(job.rate, job.unit)}/s")
    if job.ends is not None:
        parts.append(f"ends about {_clock(job.ends, job.at)}")
    text = f"{job.stage}: {', '.join(part for part in parts if part)}".removesuffix(": ")
    return "; ".join(part for part in (text, waiting(job, now)) if part)


def waiting(job: JobProgress, now: datetime | None = None) -> str:
    """What is waited for and how long still; "" for nothing."""
    if job.waits_until is None:
        return ""
    left = (job.waits_until - (now or job.at)).total_seconds()
    return f"waiting {max(0, round(left))} s for {job.waits_for}" if left > 0 else ""


def _count(job: JobProgress) -> str:
    if not job.unit:
        return ""
    done = _number(job.done, job.unit)
    if job.total is None:
        return f"{done}{_unit(job.unit)}" if job.done else ""
    share = 1000 * min(job.done, job.total) // job.total
    return f"{done} of {_number(job.total, job.unit)}{_unit(job.unit)} ({share // 10}.{share % 10} %)"


def _number(value: float, unit: str) -> str:
    if unit == "bytes":
        return f"{value / 1_000_000:,.1f} MB"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.1f}"


def _unit(unit: str) -> str:
    return "" if unit == "bytes" else f" {unit}"


def _clock(moment: datetime, now: datetime) -> str:
    """The time of day where the person is, with the date where that is another day."""
    local = moment.astimezone()
    return f"{local:%H:%M}" if local.date() == now.astimezone().date() else f"{local:%Y-%m-%d %H:%M}"


def read_progress(text: str) -> JobProgress | None:
    """What `JobProgress.document` was written as JSON; None for nothing."""
    if not text:
        return None
    found = json.loads(text)
    for name in ("ends", "waits_until", "at"):
        found[name] = datetime.fromisoformat(found[name]) if found[name] else None
    return JobProgress(**found)
