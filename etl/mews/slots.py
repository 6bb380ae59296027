"""What the limiter asks of the place where granted slots are remembered, and the one of a process alone.

The place that processes of a machine share is `slot_file.py`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class Row:
    """`size` slots granted together. They count until the window's length after `until`, the last possible arrival."""

    id: int
    granted: float
    until: float
    size: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A granted row, or the seconds after which asking again may help. `is_written`: the moved rows are stored."""

    row: Row | None
    wait: float = 0.0
    is_written: bool = True


class SlotStore(Protocol):
    """The granted slots of one access token. Times are seconds of the clock's `monotonic`."""

    def take(
        self, *, now: float, window: float, keep: float, count: int, want: int, lease: float, moved: Sequence[Row]
    ) -> Taken:
        """Stores the moved rows, and grants up to `want` slots if any is free.

        At most `count` slots count at once: those with `until > now - window`. Rows are forgotten `keep` seconds after
        `until`; others may count for longer than this one asks. A new row counts as if it arrived `lease` seconds from
        now, until it is moved.
        """

    def write(self, moved: Sequence[Row]) -> None:
        """Stores rows: a later or earlier `until`, a smaller `size` (0: the row is gone)."""

    def close(self, moved: Sequence[Row]) -> None:
        """Stores the moved rows and lets go of the file. What can't be written only makes the next window stricter."""


def grant(rows: Collection[Row], key: int, *, now: float, window: float, count: int, want: int, lease: float) -> Taken:
    """A new row with the id `key` for up to `want` slots, beside those that are there; see SlotStore. Pure."""
    free = count - sum(row.size for row in rows if row.until > now - window)
    if free <= 0:
        return Taken(None, _seconds_to_wait(rows, now=now, window=window, count=count))
    return Taken(Row(key, now, now + lease, min(want, free)))


def _seconds_to_wait(rows: Iterable[Row], *, now: float, window: float, count: int) -> float:
    """Seconds after which fewer than `count` slots can count. Pure.

    A request under way may turn out to have arrived now at the earliest.
    """
    counted = sorted((min(row.until, now), row.size) for row in rows if row.until > now - window)
    left = sum(size for _, size in counted)
    for until, size in counted:
        left -= size
        if left < count:
            return until + window - now
    return 0.0


class MemorySlots:
    """Slots of this process alone."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._next = 0

    def take(
        self, *, now: float, window: float, keep: float, count: int, want: int, lease: float, moved: Sequence[Row]
    ) -> Taken:
        """See SlotStore."""
        self.write(moved)
        self._rows = {key: row for key, row in self._rows.items() if row.until > now - keep}
        self._next += 1
        taken = grant(self._rows.values(), self._next, now=now, window=window, count=count, want=want, lease=lease)
        if taken.row is not None:
            self._rows[taken.row.id] = taken.row
        return taken

    def write(self, moved: Sequence[Row]) -> None:
        """See SlotStore."""
        for row in moved:
            if row.size:
                self._rows[row.id] = row
            else:
                self._rows.pop(row.id, None)

    def close(self, moved: Sequence[Row]) -> None:
        """See SlotStore."""
        self.write(moved)


def is_plausible(row: Row) -> bool:
    """Whether a row that was read from somewhere can be one."""
    return row.size > 0 and math.isfinite(row.granted) and math.isfinite(row.until)
