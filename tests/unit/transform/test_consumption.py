"""Time of consumption and the editable window."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
from builders import a_reference, an_order, settings

from etl.model.order import LocalTime, Order
from etl.transform.consumption import consumption_of, local_day, window_at, window_start


def at(text: str, *, has_time: bool = True) -> LocalTime:
    return LocalTime(datetime.fromisoformat(text), has_time)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def consumed(text: str, timezone: str = "Europe/London", *, has_time: bool = True) -> tuple[str, list[str]]:
    order = an_order(order_date=at(text, has_time=has_time))
    moment, problems = consumption_of(order, settings(source={"timezone": timezone}))
    return ("" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"), [problem.code for problem in problems]


@pytest.mark.parametrize(
    ("local", "timezone", "expected"),
    [
        ("2011-06-15 12:00:00", "Europe/London", "2011-06-15T11:00:00Z"),
        ("2011-01-03 23:59:00", "Europe/Stockholm", "2011-01-03T22:59:00Z"),
        ("2011-01-04 00:30:00", "Europe/Stockholm", "2011-01-03T23:30:00Z"),
        ("2025-02-03 10:00:00", "America/New_York", "2025-02-03T15:00:00Z"),
    ],
)
def test_wall_time_becomes_utc(local: str, timezone: str, expected: str) -> None:
    """The shop's clock is the shop's timezone, summer or winter."""
    assert consumed(local, timezone) == (expected, [])


def test_a_date_alone_is_local_midnight() -> None:
    """Midnight of the shop, which may be the day before in UTC."""
    assert consumed("2011-06-15", has_time=False) == ("2011-06-14T23:00:00Z", [])


def test_an_hour_that_occurs_twice_is_the_first() -> None:
    """Said, since the second would be an hour later."""
    assert consumed("2011-10-30 01:30:00") == ("2011-10-30T00:30:00Z", ["date.ambiguous"])


def test_a_skipped_hour_blocks() -> None:
    """No clock ever showed it."""
    assert consumed("2011-03-27 01:30:00") == ("", ["date.nonexistent"])
    assert consumed("2011-03-27 02:00:00") == ("2011-03-27T01:00:00Z", [])


def test_delivery_date_is_used_where_chosen() -> None:
    """And its faults name its own column."""
    chosen = settings(source={"consumption": "deliveryDate"})
    order = an_order(delivery_date=at("2011-06-17 12:00:00"))
    assert consumption_of(order, chosen) == (utc("2011-06-17T11:00:00"), [])
    _, problems = consumption_of(an_order(delivery_date=at("2011-03-27 01:30:00")), chosen)
    assert problems[0].place.column == "deliveryDate"


def test_a_missing_delivery_date_blocks() -> None:
    """Falling back to the order date would book another day than the user chose."""
    moment, problems = consumption_of(an_order(), settings(source={"consumption": "deliveryDate"}))
    assert (moment, [problem.code for problem in problems]) == (None, ["date.missing"])


def test_a_nested_return_is_consumed_on_its_own_date() -> None:
    """It has no delivery."""
    order: Order = an_order(number="1-R2", parent="1")
    assert consumption_of(order, settings(source={"consumption": "deliveryDate"}))[0] == utc("2011-06-15T11:00:00")


def test_local_day_is_the_hotels() -> None:
    """Half past midnight in Stockholm is still yesterday in London."""
    assert local_day(utc("2011-01-03T23:30:00"), "Europe/London") == date(2011, 1, 3)
    assert local_day(utc("2011-01-03T23:30:00"), "Europe/Stockholm") == date(2011, 1, 4)


@pytest.mark.parametrize(
    ("interval", "now", "timezone", "expected"),
    [
        ("P0M7DT0H0M0S", "2012-01-10T09:00:00", "Europe/London", "2012-01-03T09:00:00"),
        ("P1M", "2012-03-31T09:00:00", "Europe/London", "2012-02-29T10:00:00"),
        ("P0Y40M0DT0H0M0S", "2025-03-10T15:00:00", "America/New_York", "2021-11-10T16:00:00"),
        ("P0M7DT0H0M0S", "2011-03-28T09:00:00", "Europe/London", "2011-03-21T10:00:00"),
        ("P1Y", "2012-02-29T12:00:00", "Europe/London", "2011-02-28T12:00:00"),
    ],
)
def test_intervals_are_calendar_arithmetic_of_the_hotel(interval: str, now: str, timezone: str, expected: str) -> None:
    """A month is a month, and a day across a clock change is no 24 hours."""
    reference = a_reference(timezone=timezone, accounting_interval=interval)
    assert window_start(reference, "accounting", utc(now)) == utc(expected)


@pytest.mark.parametrize(
    ("interval", "now", "expected"),
    [
        # Clocks went forward on 27 March 2011 at 01:00 UTC: 10:00 by time passed, 11:00 on the wall.
        ("P0M0DT24H0M0S", "2011-03-27T12:00:00", "2011-03-26T13:00:00"),
        ("P0Y0M1DT0H0M0S", "2011-03-27T12:00:00", "2011-03-26T13:00:00"),
        # Back on 30 October at 01:00 UTC: 24 hours of the wall are 25.
        ("PT24H", "2011-10-30T12:00:00", "2011-10-29T12:00:00"),
        ("P1D", "2011-10-30T12:00:00", "2011-10-29T11:00:00"),
        # Into the hour that there is twice: the second.
        ("P7D", "2011-11-06T01:30:00", "2011-10-30T01:30:00"),
        # Out of it: now is now.
        ("PT2H", "2011-10-30T00:30:00", "2011-10-29T22:30:00"),
        ("PT48H", "2012-01-10T09:00:00", "2012-01-08T09:00:00"),
        ("P0D", "2012-01-10T09:00:00", "2012-01-10T09:00:00"),
    ],
)
def test_of_two_readings_the_later_one_binds(interval: str, now: str, expected: str) -> None:
    """Whatever Mews means by hours across a clock change, nothing is sent that it would refuse."""
    reference = a_reference(timezone="Europe/London", accounting_interval=interval)
    assert window_start(reference, "accounting", utc(now)) == utc(expected)


def test_a_midnight_that_is_skipped_or_doubled_is_inside() -> None:
    """Where the clocks change at midnight the day begins later, or twice."""
    zones = {"America/Sao_Paulo": ("2011-10-16", "03:00:00"), "America/Havana": ("2011-11-13", "05:00:00")}
    for zone, (day, clock) in zones.items():
        more = {"accounting_interval": "P0M7DT0H0M0S", "operational_interval": "P0M7DT0H0M0S"}
        reference = a_reference(timezone=zone, **more)
        until = utc(f"{day}T{clock}") + timedelta(days=6)
        window = window_at(reference, settings(), until, D(0))
        assert window.clamp_to >= window_start(reference, "shorter", until + timedelta(days=1))
        assert window.clamp_to <= utc(f"{day}T{clock}") + timedelta(days=1)


def test_the_shorter_interval_binds_unless_the_user_knows_better() -> None:
    """Mews does not say which one; sending too old orders would be refused one by one."""
    reference = a_reference(accounting_interval="P0M7DT0H0M0S", operational_interval="P0M5DT0H0M0S")
    now = utc("2012-01-10T09:00:00")
    assert window_start(reference, "shorter", now) == utc("2012-01-05T09:00:00")
    assert window_start(reference, "accounting", now) == utc("2012-01-03T09:00:00")
    assert window_start(reference, "operational", now) == utc("2012-01-05T09:00:00")


def test_clamped_orders_stay_inside_until_the_run_ends_and_a_day() -> None:
    """The worked example: open from 3 January 09:00, clamped to midnight of the 5th."""
    reference = a_reference(accounting_interval="P0M7DT0H0M0S", operational_interval="P0M7DT0H0M0S")
    window = window_at(reference, settings(), utc("2012-01-10T09:00:00"), D(3))
    assert (window.start, window.clamp_to) == (utc("2012-01-03T09:00:00"), utc("2012-01-05T00:00:00"))
    longer = window_at(reference, settings(), utc("2012-01-10T09:00:00"), D(86_400))
    assert longer.clamp_to == utc("2012-01-06T00:00:00")


def test_a_clamp_on_the_edge_is_the_midnight_itself() -> None:
    """Midnight that stays inside needs no further day; it is the hotel's midnight."""
    reference = a_reference(
        timezone="America/New_York", accounting_interval="P0M7DT0H0M0S", operational_interval="P0M7DT0H0M0S"
    )
    window = window_at(reference, settings(), utc("2012-01-10T05:00:00"), D(0))
    assert window.clamp_to == utc("2012-01-04T05:00:00")
