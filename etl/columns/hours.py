"""Times of consumption by the hour: what the readers and rules say of an hour's first and last second holds between them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from etl.columns.cells import KEPT, clean
from etl.columns.moments import Moments, When
from etl.model.order import LocalTime
from etl.reading.parse import Reader

_HOUR = len("2024-03-01 10")
_REST = re.compile(r":[0-5][0-9]:[0-5][0-9]")
_LAST = timedelta(minutes=59, seconds=59)


class Hour(NamedTuple):
    """An hour of a shop's clock: its first moment, and its hour in UTC as it begins a text."""

    first: When
    text: str


class Hours:
    """The hours of one file's dates."""

    def __init__(self, dates: Reader[Any], moments: Moments) -> None:
        self._dates, self._moments = dates, moments
        self._known: dict[str, Hour | None] = {}

    def of(self, cell: str) -> Hour | None:
        """The hour of a cell with a plain date and time; None where the cell or its hour is anything else."""
        key = cell[:_HOUR]
        if key not in self._known:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[key] = self._read(key)
        return self._known[key] if _REST.fullmatch(cell, _HOUR) else None

    def _read(self, key: str) -> Hour | None:
        ends = [clean(self._dates, f"{key}{rest}") for rest in (":00:00", ":59:59")]
        if not all(isinstance(end, LocalTime) for end in ends):
            return None
        first, last = map(self._moments.when, ends)
        start = ends[0].wall
        is_iso = key == f"{start:%Y-%m-%d %H}" and ends[1].wall - start == _LAST
        if not is_iso or first is None or last is None or last.utc - first.utc != _LAST:
            return None
        hour = datetime(first.utc.year, first.utc.month, first.utc.day, first.utc.hour, tzinfo=UTC)
        is_one = (first.day, first.month, first.period) == (last.day, last.month, last.period)
        return Hour(first, f"{hour:%Y-%m-%d %H}") if is_one and hour == first.utc else None


def text_of(hour: Hour, cell: str) -> str:
    """The moment in UTC of a cell of that hour, as `str` writes it."""
    return f"{hour.text}{cell[_HOUR:]}+00:00"
