"""When an order was consumed, and what of it Mews will still take. Pure.

Rule: design section 5 (consumption, editable window).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

import isodate

from etl.model.mapping import Settings
from etl.model.order import LocalTime, Order
from etl.model.problem import Problem, notice
from etl.model.reference import Reference


@dataclass(frozen=True, slots=True)
class Window:
    """The editable history interval at one moment of Mews's clock.

    `start` is the earliest consumption that Mews takes now; `clamp_to` the first local midnight that
    stays inside until the estimated end of the run plus a day. Both aware UTC.
    """

    start: datetime
    clamp_to: datetime


class Intervals(Protocol):
    """An enterprise whose history may be edited so long: ISO 8601 durations, on the calendar of its timezone."""

    @property
    def accounting_interval(self) -> str:
        """That of accounting."""
        ...

    @property
    def operational_interval(self) -> str:
        """That of operations."""
        ...

    @property
    def timezone(self) -> str:
        """Its IANA name."""
        ...


def window_start(reference: Intervals, which: str, now: datetime) -> datetime:
    """The earliest consumption that Mews takes at `now`; calendar arithmetic in the enterprise's timezone.

    `which` is `target.editable_window`. Mews does not say which interval binds, so the shorter one does
    unless the user knows better.
    """
    starts = {
        "accounting": _minus(now, reference.accounting_interval, reference.timezone),
        "operational": _minus(now, reference.operational_interval, reference.timezone),
    }
    return max(starts.values()) if which == "shorter" else starts[which]


def window_at(reference: Reference, settings: Settings, now: datetime, run_seconds: Decimal) -> Window:
    """The window for a run that starts at `now` (Mews's clock) and takes about `run_seconds`."""
    which = settings.target.editable_window
    end = now + timedelta(seconds=float(run_seconds)) + timedelta(days=1)
    last_start = window_start(reference, which, end)
    day = local_day(last_start, reference.timezone)
    midnight = _latest(datetime.combine(day, time()), reference.timezone)
    if midnight < last_start:
        midnight = _latest(datetime.combine(day + timedelta(days=1), time()), reference.timezone)
    return Window(window_start(reference, which, now), midnight)


def consumption_of(order: Order, settings: Settings) -> tuple[datetime | None, list[Problem]]:
    """The order's own time of consumption in UTC, or the problem with it."""
    source = settings.source
    chosen = _chosen(order, settings)
    if chosen is None:
        if not order.is_readable:
            return None, []  # the date itself is among the problems, or nobody can tell
        column = "orderDate" if order.parent else source.consumption
        return None, [
            Problem(
                "date.missing",
                order.number,
                order.place.at(column),
                message=f"Order {order.number} has no {column}, which decides when Mews books it.",
            )
        ]
    column = "deliveryDate" if chosen is not order.order_date else "orderDate"
    return _to_utc(chosen, source.timezone, order, column)


def month_of(order: Order, settings: Settings) -> str:
    """YYYY-MM on the shop's calendar, also of a time that its clocks skipped; "" where the order has no readable date."""
    chosen = _chosen(order, settings)
    return "" if chosen is None else f"{chosen.wall:%Y-%m}"


def _chosen(order: Order, settings: Settings) -> LocalTime | None:
    # A nested return has one date only: its own.
    is_delivery = settings.source.consumption == "deliveryDate" and not order.parent
    return order.delivery_date if is_delivery else order.order_date


def local_day(moment: datetime, timezone: str) -> date:
    """The day of `moment` on the calendar of `timezone`."""
    return moment.astimezone(zone(timezone)).date()


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The IANA zone, read once."""
    return ZoneInfo(name)


def utc_of(local: LocalTime, timezone: str) -> tuple[datetime | None, bool]:
    """A wall time in UTC, None where it was skipped; and whether it occurs twice (then it is the first of both)."""
    moment = local.wall.replace(tzinfo=zone(timezone))
    utc = moment.astimezone(UTC)
    if utc.astimezone(zone(timezone)).replace(tzinfo=None) != local.wall:
        return None, False
    # A time that came with an offset is sure of its hour, and the second one says so by its fold.
    return utc, moment.replace(fold=1).utcoffset() != moment.utcoffset()


def _to_utc(local: LocalTime, timezone: str, order: Order, column: str) -> tuple[datetime | None, list[Problem]]:
    utc, is_twice = utc_of(local, timezone)
    place = order.place
    if utc is None:
        return None, [
            Problem(
                "date.nonexistent",
                order.number,
                place.at(column),
                str(local),
                f"{local} was skipped in {timezone} when the clocks went forward.",
            )
        ]
    if not is_twice:
        return utc, []
    text = f"{local} occurs twice in {timezone}; the first occurrence was used."
    return utc, [notice("date.ambiguous", text, order=order.number, place=place.at(column), value=str(local))]


def _minus(now: datetime, interval: str, timezone: str) -> datetime:
    """`now` less an ISO 8601 duration: years to days on the calendar, the rest by the clock on the wall or by time passed.

    Mews does not say which; across a clock change they differ, and the later one is inside the window either way.
    """
    days, hours = _durations(interval)
    local = now.astimezone(zone(timezone)).replace(tzinfo=None)
    day: datetime = local - days
    since = now if day == local else _latest(day, timezone)
    return max(_latest(day - hours, timezone) if hours else since, since - hours)


@lru_cache(maxsize=64)
def _durations(interval: str) -> tuple[isodate.Duration | timedelta, timedelta]:
    """The part of a duration on the calendar, and that by the clock; asked before every request, read once."""
    calendar, _, clock = interval.partition("T")
    days = isodate.parse_duration(calendar) if calendar != "P" else timedelta()
    return days, isodate.parse_duration(f"PT{clock}") if clock else timedelta()


def _latest(wall: datetime, timezone: str) -> datetime:
    """The later of the moments that a wall time can mean where the clocks change."""
    return max(wall.replace(tzinfo=zone(timezone), fold=fold).astimezone(UTC) for fold in (0, 1))
