"""Two names of one clock are no difference; another clock is told, since it decides the day of an order."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from etl.pipeline.candidates import other_clock

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shop", "hotel", "differ"),
    [
        ("Europe/London", "Europe/London", False),
        ("Europe/Amsterdam", "Europe/Rome", False),
        ("Europe/London", "Europe/Rome", True),
        # Both at UTC in winter; in summer an hour apart.
        ("Europe/London", "Atlantic/Reykjavik", True),
    ],
)
def test_clocks_that_differ_in_any_season_are_told(shop: str, hotel: str, differ: bool) -> None:
    """By what they show over a year, not by their names."""
    words = other_clock(shop, hotel, NOW)
    assert (shop in words and hotel in words) is differ
    assert bool(words) is differ
