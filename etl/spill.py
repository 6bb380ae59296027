"""The one temporary store: what does not fit into memory, in a private SQLite file without a name.

People's data passes through it, so the file has mode 0600 and its name is removed at once: not even a killed
process leaves it behind. A full or unwritable disk is a sentence, never a traceback.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from etl.errors import UsageError

_CACHE_KIB = 4_096
"""Most is written and read in one go, for which a cache is of no use; what is kept of it would grow with the history."""
_PAGE_BYTES = 8192
_PRAGMAS = (
    # Nothing here outlives the process: no journal, no waiting for the disk, nobody else to lock out.
    "journal_mode = OFF",
    "synchronous = OFF",
    "locking_mode = EXCLUSIVE",
    "temp_store = FILE",
    f"cache_size = -{_CACHE_KIB}",
    f"page_size = {_PAGE_BYTES}",
)


class Spill:
    """A private SQLite database that exists only as long as this object is open. A context manager.

    `what` says in a message what it was for ("the plan", "the rows of the export"). Single-threaded.
    Raises: UsageError `spill.unusable`, from every method that touches the disk. Effects: a file with mode 0600 in
    `folder` (default: the system's temporary folder), unlinked at once where the system allows it.
    """

    def __init__(self, what: str, *tables: str, folder: Path | None = None) -> None:
        self._what = what
        self._folder = folder
        handle, self._path = _private_file(what, folder)
        os.close(handle)
        with self._told():
            self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            for pragma in _PRAGMAS:
                self._db.execute(f"PRAGMA {pragma}").close()
            for table in tables:
                self._db.execute(table).close()
            # SQLite opens its file with the first statement; from here on the name is not needed any more.
            _unname(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def define(self, name: str, function: Callable[..., str]) -> None:
        """A function that statements may call."""
        arguments = len(inspect.signature(function).parameters)
        self._db.create_function(name, arguments, function, deterministic=True)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Runs a statement that answers nothing."""
        with self._told():
            self._db.execute(statement, values).close()

    def insert(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Runs a statement for every row, all in one transaction."""
        with self._told():
            self._db.execute("BEGIN").close()
            self._db.executemany(statement, rows).close()
            self._db.execute("COMMIT").close()

    def rows(self, query: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, streamed."""
        # Sorting happens while rows are fetched, and needs room on the disk as well.
        with self._told():
            cursor = self._db.execute(query, values)
            try:
                for row in cursor:  # noqa: UP028 -- `yield from` closes the cursor by itself
                    yield row
            finally:
                # Whoever left off in the middle, by a fault, may let go of the rows after the store is closed.
                with contextlib.suppress(sqlite3.ProgrammingError):
                    cursor.close()

    def row(self, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        with self._told(), contextlib.closing(self._db.execute(query, values)) as cursor:
            found: tuple[Any, ...] | None = cursor.fetchone()
            return found

    def scalar(self, query: str, values: Sequence[Any] = ()) -> Any:
        """The first value of a query that has at least one row."""
        found = self.row(query, values)
        return None if found is None else found[0]

    def close(self) -> None:
        """Removes the file; harmless when done twice."""
        self._db.close()
        _unname(self._path)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError | sqlite3.NotSupportedError):
                # A statement of ours is wrong: no disk helps.
                raise
            raise _unusable(self._what, self._folder, str(error)) from error


class SpilledBytes:
    """Bytes at the end of which more are put, in a private file as that of a `Spill`, and read back from anywhere.

    Raises: UsageError `spill.unusable` where the disk is full or can't be written.
    """

    def __init__(self, what: str, folder: Path | None = None) -> None:
        self._what, self._folder = what, folder
        handle, self._path = _private_file(what, folder)
        self._file = os.fdopen(handle, "w+b", buffering=0)
        self.size = 0
        _unname(self._path)

    def add(self, data: bytes | memoryview) -> int:
        """Puts bytes at the end; where they begin."""
        start, left = self.size, memoryview(data)
        with _told(self._what, self._folder):
            self._file.seek(start)
            while left:
                done = self._file.write(left)
                self.size += done
                left = left[done:]
        return start

    def read(self, start: int, size: int) -> bytes:
        """These bytes, all of which were put there."""
        found = b""
        with _told(self._what, self._folder):
            self._file.seek(start)
            while len(found) < size:
                more = self._file.read(size - len(found))
                if not more:
                    raise OSError(f"{self._what} end before their end")
                found = found + more if found else more
        return found

    def close(self) -> None:
        """Removes the file; harmless when done twice."""
        self._file.close()
        _unname(self._path)


def _private_file(what: str, folder: Path | None) -> tuple[int, Path]:
    """(descriptor, path) of a new file that nobody else can read."""
    with _told(what, folder):
        handle, name = tempfile.mkstemp(prefix="centra-mews-", suffix=".spill", dir=folder)
    return handle, Path(name)


def _unname(path: Path) -> None:
    """Takes the name away, if it is there and the system lets go of the name of an open file."""
    with contextlib.suppress(OSError):
        path.unlink()


@contextlib.contextmanager
def _told(what: str, folder: Path | None) -> Iterator[None]:
    """The system's word on a file, in ours."""
    try:
        yield
    except OSError as error:
        raise _unusable(what, folder, error.strerror or str(error)) from error


def _unusable(what: str, folder: Path | None, why: str) -> UsageError:
    """Why the temporary folder can't hold `what`, and what to do."""
    try:
        place = str(folder or tempfile.gettempdir())
    except OSError:
        # No candidate for the temporary folder can be written at all.
        place = os.environ.get("TMPDIR", "the temporary folder")
    return UsageError(
        f"The temporary folder {place} can't hold {what}: {why}.",
        code="spill.unusable",
        place=place,
        hint="Make room there, or set TMPDIR to a folder on a disk with more, then run the same command again.",
    )
