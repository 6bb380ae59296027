"""Times of consumption by the hour: what the readers and rules say of an hour's first and last second holds between them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from etl.columns.cells import clean
from etl.columns.moments import Moments, When
from etl.model.order import LocalTime
from etl.reading.parse import Reader

NONE = -1
_KEPT = 50_000
"""Hours that are remembered: almost six years of them, some 250 bytes each."""
_HOUR = len("2024-03-01 10")
_REST = re.compile(r":[0-5][0-9]:[0-5][0-9]").fullmatch
_LAST = timedelta(minutes=59, seconds=59)


class Dated(NamedTuple):
    """Moments: the text of each in a plan line, its month at the hotel, which of `Hours.days` it is in, and whether the window begins later."""

    texts: list[str]
    months: list[str]
    days: list[int]
    is_old: list[bool]


Hour = tuple[str, str, int]
"""An hour of a shop's clock: its hour in UTC as it begins a text, its month, and which of `Hours.days` it is in."""


class Hours:
    """The moments of one file's dates. `when` gives that of a cell by itself.

    `days`: moments that differ in nothing that taxes or the window are decided by, one of each.
    """

    def __init__(self, dates: Reader[Any], moments: Moments, when: Callable[[str], When | None]) -> None:
        self._dates, self._moments, self._when = dates, moments, when
        self._known: dict[str, Hour | None] = {}
        self._numbers: dict[tuple[date, int, bool], int] = {}
        self.days: list[When] = []

    def of(self, cells: Sequence[str]) -> Dated:
        """The moments of some cells; an empty text where a cell is not plain, or outside the window."""
        hours, size = self._known, len(cells)
        keys = [cell[:_HOUR] for cell in cells]
        for key in set(keys) - hours.keys():
            hours[key] = self._read(key)
        found = Dated([""] * size, [""] * size, [NONE] * size, [False] * size)
        texts, months, days, is_old = found
        for at, (key, cell) in enumerate(zip(keys, cells, strict=True)):
            hour = hours[key]
            if hour is not None and _REST(cell, _HOUR):
                text, months[at], days[at] = hour
                texts[at] = f"{text}{cell[_HOUR:]}+00:00"
            elif cell and (when := self._when(cell)) is not None:
                texts[at], months[at], days[at] = when.text, when.month, self._number(when)
        old = [at for at, when in enumerate(self.days) if when.is_old]
        for at in range(size) if old else ():
            is_old[at] = days[at] in old
        if len(hours) >= _KEPT:
            hours.clear()
        return found

    def _number(self, when: When) -> int:
        key = (when.day, when.period, when.is_old)
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
        is_one = (first.day, first.month, *first[-2:]) == (last.day, last.month, *last[-2:])
        if not is_one or hour != first.utc:
            return None
        day = self._number(first)
        # The text of the day's own, so that hours of a day share it.
        return f"{hour:%Y-%m-%d %H}", self.days[day].month, day
