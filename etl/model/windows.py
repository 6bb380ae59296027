"""Intervals of time that Mews takes in one filter. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

WINDOW = timedelta(days=88)
"""Longest interval asked for at once: three months are never shorter than 89 days."""

MOST = 40
"""So many intervals at most are read around moments: one request each at least."""

NEAR = timedelta(hours=1)
"""Moments closer than this are read at once anyway."""

_SECOND = timedelta(seconds=1)

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


def around(moments: Iterable[datetime], *, near: timedelta = NEAR) -> list[Window]:
    """Few intervals that Mews takes, each moment well inside one of them, oldest first.

    They are cut at the widest gaps, none of them shorter than `near`, so that little is read between; half open, as
    Mews may take them, they reach a second beyond both ends.
    """
    known = sorted(set(moments))
    if not known:
        return []
    gaps = sorted(((later - earlier, later) for earlier, later in pairwise(known)), reverse=True)
    starts = {known[0], *(later for gap, later in gaps[: MOST - 1] if gap > near)}
    found: list[Window] = []
    first = last = known[0]
    for moment in [*known[1:], None]:
        if moment is None or moment in starts:
            found += windows(first - _SECOND, last + 2 * _SECOND)
            first = moment or first
        last = moment or last
    return found


def joined(known: Iterable[Window]) -> list[Window]:
    """The same stretches of time without overlaps, oldest first."""
    found: list[Window] = []
    for low, high in sorted(known):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def _whole_second_after(moment: datetime) -> datetime:
    whole = moment.replace(microsecond=0)
    return whole if whole == moment else whole + timedelta(seconds=1)
