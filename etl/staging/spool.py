"""Rows on disk, grouped by order number when read back: memory stays bounded in any row order."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from etl.spill import Spill

_TABLE = "CREATE TABLE part (key TEXT NOT NULL, file INT, copy INT, data BLOB NOT NULL)"
_BATCH = 2000
_BATCH_BYTES = 8 << 20
LONGEST_ORDER = 8 << 20
"""Bytes of rows that are held of one order: tens of thousands of lines. A column that is no order number has more."""


class Part(NamedTuple):
    """Rows of one order that stood together.

    `copy` tells apart objects and files that hold the order; a return of get-returns has a negative one.
    """

    file: int
    copy: int
    data: bytes


class Parts(list[Part]):
    """The parts of one order; `is_cut` where they were too many to be held, and only the first ones are here."""

    is_cut = False


def _held(rows: Iterator[tuple[int, int, bytes, str]]) -> Parts:
    """The parts of one order, as many as may be held; the first one always."""
    parts, size = Parts(), 0
    for file, copy, data, _ in rows:
        size += len(data)
        if size > LONGEST_ORDER and parts:
            parts.is_cut = True
            continue
        parts.append(Part(file, copy, data))
    return parts


def sort_key(number: str) -> str:
    """Orders canonical numbers of any length by value."""
    return f"{len(number):03d}{number}"


class Spool:
    """The rows of a batch in the temporary store. Raises UsageError `spill.unusable` where the disk is full."""

    def __init__(self, directory: Path | None = None) -> None:
        self._pending: list[tuple[str, int, int, bytes]] = []
        self._bytes = 0
        self._last = ""
        self._is_sorted = True
        self._transitions = 0
        self._has_index = False
        self._questions = 0
        self._spill = Spill("the rows of the export", _TABLE, folder=directory)

    def add(self, number: str, part: Part) -> None:
        """Stores rows of one order."""
        key = sort_key(number)
        if key != self._last:
            self._transitions += 1
            if key < self._last:
                self._is_sorted = False
            self._last = key
        self._pending.append((key, *part))
        self._bytes += len(part.data)
        if len(self._pending) >= _BATCH or self._bytes > _BATCH_BYTES:
            self._flush()

    def seal(self) -> int:
        """Ends the storing; the count of distinct orders."""
        self._flush()
        if self._is_sorted:
            return self._transitions
        self._index()
        return int(self._spill.scalar("SELECT count(DISTINCT key) FROM part"))

    def groups(self) -> Iterator[tuple[str, Parts]]:
        """(order number, its parts in input order) by number; every call starts anew."""
        self._flush()
        order = "rowid" if self._is_sorted else "key, rowid"
        rows = self._spill.rows(f"SELECT file, copy, data, key FROM part ORDER BY {order}")
        for key, parts in groupby(rows, itemgetter(3)):
            yield key[3:], _held(parts)

    def ask(self, numbers: Collection[str]) -> list[tuple[int, Iterator[tuple[str, Part]]]]:
        """(file, its parts of the named orders in input order) for each file that has any of them."""
        asked = self._asked(numbers)
        files = list(self._spill.rows(f"SELECT DISTINCT file FROM part JOIN {asked} USING (key) ORDER BY file"))
        return [(file, self._answers(asked, file)) for (file,) in files]

    def named(self, numbers: Collection[str]) -> Iterator[tuple[str, Parts]]:
        """(order number, its parts in input order) of the named orders, by number."""
        asked = self._asked(numbers)
        rows = self._spill.rows(
            f"SELECT file, copy, data, part.key FROM part JOIN {asked} USING (key) ORDER BY part.key, part.rowid"
        )
        for key, parts in groupby(rows, itemgetter(3)):
            yield key[3:], _held(parts)
        self._spill.execute(f"DROP TABLE {asked}")

    def _asked(self, numbers: Collection[str]) -> str:
        """The name of a table with the keys of these numbers."""
        self._index()
        self._questions += 1
        asked = f"temp.asked_{self._questions}"
        self._spill.execute(f"CREATE TABLE {asked} (key TEXT PRIMARY KEY) WITHOUT ROWID")
        self._spill.insert(f"INSERT OR IGNORE INTO {asked} VALUES (?)", ((sort_key(number),) for number in numbers))
        return asked

    def _answers(self, asked: str, file: int) -> Iterator[tuple[str, Part]]:
        rows = self._spill.rows(
            f"SELECT part.key, file, copy, data FROM part JOIN {asked} USING (key) WHERE file = ? ORDER BY part.rowid",
            (file,),
        )
        for key, *part in rows:
            yield key[3:], Part(*part)

    def close(self) -> None:
        """Removes the rows; harmless when done twice."""
        self._spill.close()

    def _flush(self) -> None:
        if self._pending:
            self._spill.insert("INSERT INTO part VALUES (?, ?, ?, ?)", self._pending)
            self._pending.clear()
            self._bytes = 0

    def _index(self) -> None:
        if not self._has_index:
            self._spill.execute("CREATE INDEX part_key ON part (key)")
            self._has_index = True
