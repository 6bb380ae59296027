"""Local times of a shop to times of consumption; what holds all day is asked once a day. Pure.

Rule: design section 5 (consumption). Every answer is one of `etl.transform.consumption`.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from etl.model.order import LocalTime
from etl.transform.consumption import local_day, utc_of
from etl.transform.context import Context

_KEPT = 10_000
"""Hours of which the day is remembered."""


class When(NamedTuple):
    """A time of consumption: UTC, its day and month at the hotel, its text in a plan line and in ISO, and the period of tax codes.

    `is_old`: before the editable window, which binds no bill of an outlet.
    """

    utc: datetime
    day: date
    month: str
    text: str
    iso: str
    period: int
    is_old: bool = False


class Moments:
    """The times of one shop and hotel."""

    def __init__(self, ctx: Context) -> None:
        self._shop = ctx.mapping.settings.source.timezone
        self._hotel = ctx.reference.timezone
        self._start, self._is_outlet = ctx.window.start, ctx.is_outlet
        rates = ctx.reference.tax_rates.values()
        ends = {end for rate in rates for one in rate.validity for end in (one.start, one.end)}
        self._ends = sorted(end for end in ends if end is not None)
        """Where the validity of any tax code begins or ends: between two of them, Mews takes the same codes."""
        self._shifts: dict[date, timedelta | None] = {}
        self._days: dict[tuple[int, int, int, int], tuple[date, str] | None] = {}

    def when(self, local: LocalTime) -> When | None:
        """The consumption; None where it is skipped, occurs twice or lies outside a window that binds."""
        wall = local.wall
        shift = self._shift(wall.date())
        if shift is None:
            utc, is_twice = utc_of(local, self._shop)
            if utc is None or is_twice:
                return None
        else:
            utc = (wall - shift).replace(tzinfo=UTC)
        is_old = utc < self._start
        if is_old and not self._is_outlet:
            return None
        day, month = self._day(utc)
        text = str(utc)
        return When(utc, day, month, text, text.replace(" ", "T", 1), bisect_right(self._ends, utc), is_old)

    def _shift(self, day: date) -> timedelta | None:
        """By how much the shop's clock is ahead of UTC all day long; None where it changes, or nobody can tell."""
        if day not in self._shifts:
            self._shifts[day] = self._shift_of(day)
        return self._shifts[day]

    def _shift_of(self, day: date) -> timedelta | None:
        shifts = set()
        for moment in (time.min, time.max):
            wall = datetime.combine(day, moment)
            try:
                utc, is_twice = utc_of(LocalTime(wall), self._shop)
            except OverflowError:
                return None
            if utc is None or is_twice:
                return None
            shifts.add(wall - utc.replace(tzinfo=None))
        return shifts.pop() if len(shifts) == 1 else None

    def _day(self, utc: datetime) -> tuple[date, str]:
        """The hotel's day and month; all times of an hour that begins and ends on one day are on it."""
        key = (utc.year, utc.month, utc.day, utc.hour)
        if key not in self._days:
            if len(self._days) >= _KEPT:
                self._days.clear()
            first, last = (local_day(utc.replace(minute=n, second=n, microsecond=0), self._hotel) for n in (0, 59))
            self._days[key] = (first, _month(first)) if first == last else None
        known = self._days[key]
        if known is None:
            day = local_day(utc, self._hotel)
            return day, _month(day)
        return known


def _month(day: date) -> str:
    return day.isoformat()[:7]
