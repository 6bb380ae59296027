"""The report folder: private files that appear whole or not at all, and never in place of somebody's export."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from etl.errors import UsageError

SUMMARY = "summary.json"
PAGE = "report.html"
OUTPUTS = (SUMMARY, "orders.csv", "problems.csv", PAGE, "report.xlsx")


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Faults of the disk as a sentence. Raises UsageError, `report.unwritable`."""
    try:
        yield
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(folder: Path, error: OSError) -> UsageError:
    """The disk's word about the report folder as an error for people."""
    reason = error.strerror or str(error) or type(error).__name__
    return UsageError(
        f"The report can't be written to {folder}: {reason}.",
        code="report.unwritable",
        place=str(folder),
        hint="Give --report a folder that you may write to, on a disk with room; nothing else is lost.",
    )


def private_text(path: Path, *, encoding: str = "utf-8") -> IO[str]:
    """A new text file that only its owner can read. What the encoding lacks is written as an escape or `?`."""
    errors = "backslashreplace" if encoding.startswith("utf") else "replace"
    return open(path, "w", encoding=encoding, errors=errors, newline="", opener=_private)


def private_bytes(path: Path) -> IO[bytes]:
    """A new file that only its owner can read."""
    return open(path, "wb", opener=_private)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL, 0o600)


class ReportFolder:
    """A folder that takes a set of files at once: written in `scratch`, renamed by `publish`.

    Raises UsageError: `report.unwritable`; `report.overwrites` where one of `inputs`, or a file of the
    same name that no report wrote, would be replaced.
    """

    def __init__(self, path: Path, names: Iterable[str], *, inputs: Iterable[Path] = ()) -> None:
        self.path = path
        self._is_new = not path.exists()
        with explained(path):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_to_overwrite(path, tuple(names), inputs)
            self.scratch = Path(tempfile.mkdtemp(prefix=".report-", dir=path))

    def publish(self, names: Iterable[str]) -> list[Path]:
        """Moves the files from `scratch` to their names, and gives their paths."""
        with explained(self.path):
            for name in names:
                _sync(self.scratch / name)
            paths = [(self.scratch / name).replace(self.path / name) for name in names]
        self.discard()
        return paths

    def discard(self) -> None:
        """Removes whatever is still in `scratch`."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    def withdraw(self) -> None:
        """Leaves the folder as it was found."""
        self.discard()
        if self._is_new:
            with suppress(OSError):
                self.path.rmdir()


def close_quietly(stream: IO[Any]) -> None:
    """Closes a file whose content no longer counts, on a disk that may be full."""
    with suppress(OSError, ValueError):
        stream.close()


def is_same_file(path: Path, others: Iterable[Path]) -> bool:
    """Whether `path` exists and is one of `others`."""
    for other in others:
        with suppress(OSError):
            if path.samefile(other):
                return True
    return False


def _refuse_to_overwrite(folder: Path, names: tuple[str, ...], inputs: Iterable[Path]) -> None:
    given = tuple(inputs)
    has_report = (folder / SUMMARY).exists()
    for name in names:
        path = folder / name
        if is_same_file(path, given) or (not has_report and path.exists()):
            raise UsageError(
                f"{path} is there already and was not written by a report; it would be replaced.",
                code="report.overwrites",
                place=str(path),
                hint="Give --report a new or empty folder.",
            )


def _sync(path: Path) -> None:
    """Makes a full disk known before the old report is replaced."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
