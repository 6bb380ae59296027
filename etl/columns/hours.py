"""Times of consumption by the hour: what the readers and rules say of an hour's first and last second holds between them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from etl.columns.cells import KEPT, clean
from etl.columns.moments import Moments, When
from etl.model.order import LocalTime
from etl.reading.parse import Reader

_HOUR = len("2024-03-01 10")
_REST = re.compile(r":[0-5][0-9]:[0-5][0-9]").fullmatch
_LAST = timedelta(minutes=59, seconds=59)


class Dated(NamedTuple):
    """A moment: its text in a plan line, its month at the hotel, and which of `Hours.days` it is in."""

    text: str
    month: str
    day: int


class Hour(NamedTuple):
    """An hour of a shop's clock: its first moment, its hour in UTC as it begins a text, and which of `Hours.days` it is in."""

    first: When
    text: str
    day: int


class Hours:
    """The moments of one file's dates. `when` gives that of a cell by itself.

    `days`: moments that differ in nothing that taxes are decided by, one of each.
    """

    def __init__(self, dates: Reader[Any], moments: Moments, when: Callable[[str], When | None]) -> None:
        self._dates, self._moments, self._when = dates, moments, when
        self._known: dict[str, Hour | None] = {}
        self._numbers: dict[tuple[date, int], int] = {}
        self.days: list[When] = []

    def of(self, cell: str) -> Dated | None:
        """The moment of a cell; None where it is not plain, or outside the window."""
        key = cell[:_HOUR]
        if key not in self._known:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[key] = self._read(key)
        hour = self._known[key]
        if hour is not None and _REST(cell, _HOUR):
            return Dated(f"{hour.text}{cell[_HOUR:]}+00:00", hour.first.month, hour.day)
        when = self._when(cell)
        return None if when is None else Dated(when.text, when.month, self._number(when))

    def _number(self, when: When) -> int:
        key = (when.day, when.period)
        if key not in self._numbers:
            self._numbers[key] = len(self.days)
            self.days.append(when)
        return self._numbers[key]

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
        return Hour(first, f"{hour:%Y-%m-%d %H}", self._number(first)) if is_one and hour == first.utc else None
