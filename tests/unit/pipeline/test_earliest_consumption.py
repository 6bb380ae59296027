"""The editable window just before an order leaves: never wider than Mews's, and calculated once a second."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from etl.pipeline import planning
from etl.transform.consumption import window_start

HOTEL = SimpleNamespace(accounting_interval="P0M30DT4H", operational_interval="P1M", timezone="Europe/London")
MAPPING = SimpleNamespace(settings=SimpleNamespace(target=SimpleNamespace(editable_window="shorter")))
TURN = datetime(2026, 3, 29, 1, tzinfo=UTC)
"""London's clocks go forward."""


@pytest.mark.parametrize("start", [TURN - timedelta(seconds=2), TURN + timedelta(days=30, seconds=-2)])
def test_the_window_is_never_taken_for_wider_than_it_is(start):
    earliest = planning.earliest_consumption(MAPPING, HOTEL)
    for step in range(40):
        now = start + timedelta(milliseconds=100 * step)
        exact, soon = (window_start(HOTEL, "shorter", now + timedelta(seconds=more)) for more in (0, 1))
        assert exact <= earliest(now) <= soon
    assert earliest(start) == window_start(HOTEL, "shorter", start)


def test_calendar_arithmetic_is_done_once_a_second(monkeypatch):
    calls = []
    monkeypatch.setattr(planning, "window_start", lambda *given: calls.append(given[2]) or given[2])
    earliest = planning.earliest_consumption(MAPPING, HOTEL)
    for step in range(1, 2001):
        earliest(TURN + timedelta(milliseconds=step))
    assert calls == [TURN + timedelta(seconds=1), TURN + timedelta(seconds=2)]
