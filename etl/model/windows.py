"""Intervals of time that Mews takes in one filter. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

WINDOW = timedelta(days=88)
"""Longest interval asked for at once: three months are never shorter than 89 days."""

Window = tuple[datetime, datetime]
"""`[from, to)`, aware UTC, on whole seconds."""


def windows(start: datetime, end: datetime) -> list[Window]:
    """`[start, end)` cut into consecutive intervals that Mews takes, oldest first, widened to whole seconds.

    None where there is nothing between the two.
    """
    if start >= end:
        return []
    low, high = start.astimezone(UTC).replace(microsecond=0), _whole_second_after(end.astimezone(UTC))
    found: list[Window] = []
    while low < high:
        cut = min(low + WINDOW, high)
        found.append((low, cut))
        low = cut
    return found


def _whole_second_after(moment: datetime) -> datetime:
    whole = moment.replace(microsecond=0)
    return whole if whole == moment else whole + timedelta(seconds=1)
