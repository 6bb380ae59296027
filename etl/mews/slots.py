"""Where granted slots are remembered: in memory, or in a small SQLite file that processes share.

The file outlives a crash, so a restart does not start with an empty window. It holds times and a hash of the
access token, nothing else.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from etl.errors import LedgerError
from etl.mews.clock import Clock


@dataclass(slots=True)
class Row:
    """`size` slots granted together. They count until the window's length after `until`."""

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
    """The granted slots of one access token."""

    def take(self, *, now: float, window: float, count: int, want: int, lease: float, moved: Sequence[Row]) -> Taken:
        """Stores the moved rows, forgets those out of the window, and grants up to `want` slots if any is free.

        At most `count` slots are in the window at once. A new row counts from `now`, and is assumed to arrive
        up to `lease` seconds later until it is moved.
        """

    def write(self, moved: Sequence[Row]) -> None:
        """Stores rows that count for longer than the store knows."""

    def close(self, moved: Sequence[Row]) -> None:
        """Stores the moved rows and lets go of the file."""


def _wait(now: float, earliest: float, window: float) -> float:
    # A request under way may turn out to have arrived now at the earliest.
    return min(now, earliest) + window - now


class MemorySlots:
    """Slots of this process alone."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._ends: list[tuple[float, int]] = []
        self._used = 0
        self._next = 0

    def take(self, *, now: float, window: float, count: int, want: int, lease: float, moved: Sequence[Row]) -> Taken:
        """See SlotStore."""
        self.write(moved)
        self._forget(now - window)
        free = count - self._used
        if free <= 0:
            return Taken(None, _wait(now, self._ends[0][0], window))
        self._next += 1
        row = Row(self._next, now, now + lease, min(want, free))
        self._rows[row.id] = row
        self._used += row.size
        heapq.heappush(self._ends, (row.until, row.id))
        return Taken(row)

    def write(self, moved: Sequence[Row]) -> None:
        """See SlotStore."""
        for row in moved:
            if row.id not in self._rows:
                self._used += row.size
                self._rows[row.id] = row
            heapq.heappush(self._ends, (row.until, row.id))

    def _forget(self, before: float) -> None:
        while self._ends and (self._ends[0][0] <= before or not self._is_current(*self._ends[0])):
            until, key = heapq.heappop(self._ends)
            if self._is_current(until, key):
                self._used -= self._rows.pop(key).size

    def _is_current(self, until: float, key: int) -> bool:
        row = self._rows.get(key)
        return row is not None and row.until == until

    def close(self, moved: Sequence[Row]) -> None:
        """Nothing to keep."""


_SCHEMA = """
CREATE TABLE IF NOT EXISTS slot (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL,
    boot TEXT NOT NULL,
    granted REAL NOT NULL,
    until REAL NOT NULL,
    wall REAL NOT NULL,
    size INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS slot_token ON slot (token, until);
"""

_FORGET_OTHERS_SECONDS = 3600.0
_BUSY_SECONDS = 1.0


class SqliteSlots:
    """Slots of every process that opens the same file. Rows are keyed by a hash of the token.

    Times are the boot's monotonic clock; rows of another boot are carried over by the wall clock.
    Raises LedgerError where the file can't be used. Effects: creates the file with mode 0600.
    """

    def __init__(self, path: Path, token_key: str, *, clock: Clock, boot_id: str | None = None) -> None:
        self._path = path
        self._token = token_key
        self._clock = clock
        self._boot = _boot_id() if boot_id is None else boot_id
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise self._error(error) from error
        try:
            self._db.execute("PRAGMA journal_mode = WAL").close()
            # A lost write costs at most one window after a power cut, which a reboot outlasts.
            self._db.execute("PRAGMA synchronous = OFF").close()
            self._db.executescript(_SCHEMA)
            self._carry_over()
        except sqlite3.Error as error:
            self._db.close()
            raise self._error(error) from error

    def take(self, *, now: float, window: float, count: int, want: int, lease: float, moved: Sequence[Row]) -> Taken:
        """See SlotStore. One transaction."""
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if _is_busy(error):
                return Taken(None, 0.05, is_written=False)
            raise self._error(error) from error
        try:
            self._store(moved)
            db.execute("DELETE FROM slot WHERE token = ? AND until <= ?", (self._token, now - window))
            used, earliest = db.execute(
                "SELECT coalesce(sum(size), 0), min(until) FROM slot WHERE token = ?", (self._token,)
            ).fetchone()
            free = count - used
            taken = Taken(None, _wait(now, earliest, window)) if free <= 0 else self._add(now, min(want, free), lease)
            db.execute("COMMIT")
        except sqlite3.Error as error:
            self._rollback()
            raise self._error(error) from error
        return taken

    def write(self, moved: Sequence[Row]) -> None:
        """See SlotStore."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._store(moved)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._rollback()
            raise self._error(error) from error

    def close(self, moved: Sequence[Row]) -> None:
        """See SlotStore. What can't be written any more only makes the next window stricter."""
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("BEGIN IMMEDIATE")
            self._store(moved)
            self._db.execute("COMMIT")
        self._db.close()

    def _add(self, now: float, size: int, lease: float) -> Taken:
        cursor = self._db.execute(
            "INSERT INTO slot (token, boot, granted, until, wall, size) VALUES (?, ?, ?, ?, ?, ?)",
            (self._token, self._boot, now, now + lease, self._clock.wall().timestamp(), size),
        )
        if cursor.lastrowid is None:
            raise sqlite3.DatabaseError("no row id")
        return Taken(Row(cursor.lastrowid, now, now + lease, size))

    def _store(self, moved: Sequence[Row]) -> None:
        # A row that another process has forgotten meanwhile comes back if it counts again.
        wall = self._clock.wall().timestamp()
        now = self._clock.monotonic()
        self._db.executemany(
            "INSERT INTO slot (id, token, boot, granted, until, wall, size) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET until = excluded.until",
            [
                (row.id, self._token, self._boot, row.granted, row.until, wall - (now - row.granted), row.size)
                for row in moved
            ],
        )

    def _carry_over(self) -> None:
        now, wall = self._clock.monotonic(), self._clock.wall().timestamp()
        self._db.execute("BEGIN IMMEDIATE")
        # A wall clock that went back can't make a row younger than now.
        self._db.execute(
            "UPDATE slot SET boot = :boot, until = :now - max(0, :wall - wall) + (until - granted), "
            "granted = :now - max(0, :wall - wall) WHERE boot <> :boot OR granted > :now + 1",
            {"boot": self._boot, "now": now, "wall": wall},
        )
        self._db.execute("DELETE FROM slot WHERE until < ?", (now - _FORGET_OTHERS_SECONDS,))
        self._db.execute("COMMIT")

    def _rollback(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("ROLLBACK")

    def _error(self, error: Exception) -> LedgerError:
        return LedgerError(
            f"the record of sent requests can't be used: {error}",
            code="ledger.limiter",
            place=str(self._path),
            hint="Make room or the file writable; a damaged file may be deleted a minute after the last run.",
        )


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
