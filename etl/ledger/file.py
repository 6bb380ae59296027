"""The ledger's file: where it lies, how it is opened durably, and who may read it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from etl.errors import LedgerError
from etl.ledger.glance import missing
from etl.ledger.server import server_url

BUSY_SECONDS = 30
APPLICATION_ID = 0x63656E74


def ledger_url(url_or_path: str | Path) -> URL:
    """The URL of a path, or of a URL. Raises LedgerError for what is neither."""
    text = str(url_or_path)
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        return server_url(make_url(text))
    except (ArgumentError, ValueError):
        # Its own words hold the text, password included.
        raise LedgerError(
            "--ledger is neither a path nor a database URL",
            code="ledger.url",
            hint="Name a file: --ledger ledger.sqlite.",
        ) from None


def open_sqlite(url: URL, *, create: bool, read_only: bool) -> Engine:
    """The engine of a ledger's file, which is created with mode 0600 if need be. Raises LedgerError."""
    path = Path(url.database or "")
    if not url.database or url.database == ":memory:":
        raise LedgerError("a ledger in memory would be no ledger", code="ledger.url", hint="Name a file.")
    if path.is_dir():
        raise LedgerError(f"{path} is a folder", code="ledger.foreign", hint="Name a file with --ledger.")
    if not path.exists():
        if not create:
            raise missing(str(path))
        _create_private(path)
    name = path.resolve().as_uri()

    def connect() -> sqlite3.Connection:
        return _connect_sqlite(name, path, read_only=read_only)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer asks for the write lock at once: upgrading a read transaction could fail midway.
        options = connection.get_execution_options()
        if options.get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")

    return engine


def _connect_sqlite(name: str, path: Path, *, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rw"
    connection = sqlite3.connect(f"{name}?mode={mode}", uri=True, isolation_level=None, timeout=BUSY_SECONDS)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        if read_only:
            try:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.OperationalError:
                # A write-protected folder has no room for the index of the log; without a log none is needed.
                wal = Path(f"{path}-wal")
                if wal.exists() and wal.stat().st_size:
                    raise
                connection.close()
                connection = sqlite3.connect(f"{name}?immutable=1", uri=True, isolation_level=None)
            return connection
        # Somebody else's database keeps its journal as it is: it will be refused, and may not be changed.
        if _may_be_ours(connection):
            connection.execute("PRAGMA journal_mode = WAL")
        # FULL: a commit is on the disk, not on its way there, when it returns; NORMAL would lose the last
        # commits in a power loss, and with them the proof of what was sent.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def make_private(path: Path, *, read_only: bool) -> None:
    """Takes a ledger that others may read from them: it holds people's orders and what they paid.

    Raises LedgerError where that is not ours to change and we are to write; who only reads changes nothing.
    """
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        try:
            mode = file.stat().st_mode & 0o777
            if mode & 0o077:
                file.chmod(mode & 0o700)
        except FileNotFoundError:
            continue
        except OSError as error:
            if read_only:
                continue
            raise LedgerError(
                f"the ledger {path} can be read by others (mode {mode:04o}) and can't be made private: "
                f"{error.strerror or error}",
                code="ledger.public",
                hint="Let its owner run `chmod 600` on it, or copy it to a folder of your own and use that copy alone.",
            ) from error


def _may_be_ours(connection: sqlite3.Connection) -> bool:
    """Whether the database is a ledger by its mark, or still empty."""
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return mark == APPLICATION_ID or not tables


def _create_private(path: Path) -> None:
    """An empty file with mode 0600; SQLite gives its -wal and -shm the same mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        folder = os.open(path.resolve().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        return
    except OSError as error:
        raise LedgerError(
            f"the ledger {path} can't be created: {error.strerror}",
            code="ledger.read_only",
            hint="Create the folder and make it writable, or name another file for the ledger (--ledger, or `ledger` of a portfolio).",
        ) from error
