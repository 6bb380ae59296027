"""What goes wrong with a ledger's file or database, as errors for people: translated once, here."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from etl.errors import LedgerError
from etl.ledger.records import DAMAGED_HINT, damaged
from etl.ledger.server_faults import server_fault
from etl.model.ledger_place import is_server

_WRITABLE_HINT = "Make file and folder writable, or copy the ledger to a disk that is and use only that copy."
_DISK_FULL = (
    "ledger.disk_full",
    "the disk is full",
    "Free some space, then run again: what was under way is looked up in Mews first.",
)
_FULL = 256 << 10
"""Bytes below which a disk counts as full: SQLite can't even open the files beside the ledger, and calls that I/O."""
_FAULTS = (
    ("disk is full", *_DISK_FULL),
    ("readonly", "ledger.read_only", "the file is read-only", _WRITABLE_HINT),
    ("read-only", "ledger.read_only", "the file is read-only", _WRITABLE_HINT),
    (
        "not a database",
        "ledger.foreign",
        "the file is no ledger",
        "Name the right file with --ledger; nothing was written to it.",
    ),
    ("malformed", "ledger.corrupt", "the file is damaged", DAMAGED_HINT),
    ("could not decode", "ledger.corrupt", "the file is damaged", DAMAGED_HINT),
    ("no such column", "ledger.corrupt", "the file is damaged", DAMAGED_HINT),
    ("no such table", "ledger.corrupt", "the file is damaged", DAMAGED_HINT),
    ("locked", "ledger.busy", "another process keeps it busy", "Wait for the other command, then run again."),
    ("unable to open", "ledger.unusable", "the file can't be opened", "Check the path and its permissions."),
    ("disk i/o", "ledger.unusable", "the disk reports an error", "Check the disk, then run again."),
)


def _was_a_ledger(where: str) -> bool:
    """Whether a file that is no database any more holds our tables' names."""
    try:
        with Path(where).open("rb") as stream:
            head = stream.read(8 << 20)
    except OSError:
        return False
    return b"payload_hash" in head or b"posted_fingerprint" in head


def _is_full(where: str) -> bool:
    """Whether the disk of the ledger has no room left."""
    try:
        disk = os.statvfs(Path(where).resolve().parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _FULL


def _why_closed(where: str) -> str:
    """What keeps SQLite from opening a file that is there; "" where nothing is known."""
    path = Path(where)
    folder = path.resolve().parent
    try:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return f"it lies on a read-only disk ({folder})"
    except OSError:
        return ""
    if not os.access(path, os.R_OK):
        return "you may not read it"
    if not os.access(path, os.W_OK) or not os.access(folder, os.W_OK):
        return f"file or folder can't be written ({folder})"
    return ""


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Foreign errors become LedgerError once, here."""
    try:
        yield
    except UnicodeDecodeError as error:
        # SQLite's own message holds bytes of the damaged file.
        raise damaged(f"the file {where}") from error
    except (DBAPIError, sqlite3.Error) as error:
        if is_server(where):
            raise server_fault(where, error.orig or error if isinstance(error, DBAPIError) else error) from error
        # "Could not decode to UTF-8 column 'x' with text ..": the text is somebody's data.
        text = str(error.orig if isinstance(error, DBAPIError) else error).partition(" with text ")[0]
        if "not a database" in text and _was_a_ledger(where):
            raise damaged(f"the file {where}") from error
        if "unable to open" in text and (why := _why_closed(where)):
            raise LedgerError(
                f"the ledger {where} can't be used: {why}", code="ledger.read_only", hint=_WRITABLE_HINT
            ) from error
        faults = (("disk i/o", *_DISK_FULL), *_FAULTS) if _is_full(where) else _FAULTS
        for sign, code, what, hint in faults:
            if sign in text.lower():
                raise LedgerError(f"the ledger {where} can't be used: {what} ({text})", code=code, hint=hint) from error
        hint = "Make sure that file or database can be read and written, then run the same command again."
        raise LedgerError(f"the ledger {where} can't be used: {text}", code="ledger.unusable", hint=hint) from error
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        hint = "Install the driver that the URL names, or name a file: --ledger ledger.sqlite."
        raise LedgerError(f"no driver for the ledger {where}: {error}", code="ledger.url", hint=hint) from error
