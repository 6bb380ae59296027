"""Rows on disk, grouped by order number when read back: memory stays bounded in any row order."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Collection, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from etl.errors import UsageError

_BATCH = 2000
_BATCH_BYTES = 8 << 20
_CACHE_KIB = 16_384


class Part(NamedTuple):
    """Rows of one order that stood together. `copy` tells apart objects and files that hold the order."""

    file: int
    copy: int
    data: bytes


def sort_key(number: str) -> str:
    """Orders canonical numbers of any length by value."""
    return f"{len(number):03d}{number}"


class Spool:
    """A private SQLite file that exists only as long as this object is open.

    Effects: creates the file with mode 0600 in `directory` (default: the system's temporary folder); where
    the system allows it, the name is removed at once, so that not even a killed process leaves it behind.
    """

    def __init__(self, directory: Path | None = None) -> None:
        try:
            handle, name = tempfile.mkstemp(prefix="centra-mews-", suffix=".spool", dir=directory)
        except OSError as error:
            raise UsageError(
                f"No temporary file can be made in {directory or tempfile.gettempdir()}: {error.strerror}.",
                code="spool.unusable",
                hint="Set TMPDIR to a folder that can be written.",
            ) from error
        os.close(handle)
        self._path = Path(name)
        self._pending: list[tuple[str, int, int, bytes]] = []
        self._bytes = 0
        self._last = ""
        self._is_sorted = True
        self._transitions = 0
        self._has_index = False
        self._questions = 0
        self._db = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
        for pragma in (
            "journal_mode = OFF",
            "synchronous = OFF",
            "locking_mode = EXCLUSIVE",
            f"cache_size = -{_CACHE_KIB}",
            "page_size = 8192",
        ):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("CREATE TABLE part (key TEXT NOT NULL, file INT, copy INT, data BLOB NOT NULL)")
        with contextlib.suppress(OSError):
            self._path.unlink()

    def add(self, number: str, part: Part) -> None:
        """Stores rows of one order. Raises UsageError where the disk is full."""
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
        (count,) = self._db.execute("SELECT count(DISTINCT key) FROM part").fetchone()
        return int(count)

    def groups(self) -> Iterator[tuple[str, list[Part]]]:
        """(order number, its parts in input order) by number; every call starts anew."""
        order = "rowid" if self._is_sorted else "key, rowid"
        rows = self._db.execute(f"SELECT file, copy, data, key FROM part ORDER BY {order}")
        for key, parts in groupby(rows, itemgetter(3)):
            yield key[3:], [Part(file, copy, data) for file, copy, data, _ in parts]

    def ask(self, numbers: Collection[str]) -> list[tuple[int, Iterator[tuple[str, Part]]]]:
        """(file, its parts of the named orders in input order) for each file that has any of them."""
        self._index()
        self._questions += 1
        asked = f"temp.asked_{self._questions}"
        self._db.execute(f"CREATE TABLE {asked} (key TEXT PRIMARY KEY) WITHOUT ROWID")
        self._db.executemany(f"INSERT OR IGNORE INTO {asked} VALUES (?)", ((sort_key(number),) for number in numbers))
        files = self._db.execute(f"SELECT DISTINCT file FROM part JOIN {asked} USING (key) ORDER BY file").fetchall()
        return [(file, self._answers(asked, file)) for (file,) in files]

    def _answers(self, asked: str, file: int) -> Iterator[tuple[str, Part]]:
        rows = self._db.execute(
            f"SELECT part.key, file, copy, data FROM part JOIN {asked} USING (key) WHERE file = ? ORDER BY part.rowid",
            (file,),
        )
        for key, *part in rows:
            yield key[3:], Part(*part)

    def close(self) -> None:
        """Removes the file; harmless when done twice."""
        self._db.close()
        self._path.unlink(missing_ok=True)

    def _flush(self) -> None:
        if not self._pending:
            return
        with self._told():
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO part VALUES (?, ?, ?, ?)", self._pending)
            self._db.execute("COMMIT")
        self._pending.clear()
        self._bytes = 0

    def _index(self) -> None:
        if not self._has_index:
            with self._told():
                self._db.execute("CREATE INDEX part_key ON part (key)")
            self._has_index = True

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise UsageError(
                f"The temporary file for grouping rows can't be written: {error}.",
                code="spool.unusable",
                place=str(self._path.parent),
                hint="Make room there, or set TMPDIR to a folder with more.",
            ) from error
