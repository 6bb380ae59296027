"""An open ledger: its file or database, its lock, its transactions. What it holds is read by `ledger_queries.py`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL

from etl.errors import InternalError, LedgerError
from etl.ledger import leases, migrations
from etl.ledger.faults import translated
from etl.ledger.file import APPLICATION_ID, ledger_url, make_private, open_sqlite
from etl.ledger.glance import missing
from etl.ledger.holder import Holder, is_alive, this_process
from etl.ledger.lock import Held
from etl.ledger.records import stamp
from etl.ledger.row_memory import RowMemory
from etl.ledger.server import open_server
from etl.ledger.steps import Steps
from etl.ledger.writers import Claim, FileWriter, ServerWriters, Writers
from etl.model.ledger_place import shown

Checkpoint = Callable[[str], None]
"""Called with the name of a place between two steps; tests raise there what a kill would do."""


def _pass(_: str) -> None:
    """No checkpoint is looked at."""


def _wall() -> datetime:
    return datetime.now(UTC)


class LedgerStore:
    """An open ledger. Writing needs the lock (`take_lock`), reading does not."""

    def __init__(
        self,
        engine: Engine,
        where: str,
        *,
        read_only: bool,
        wall: Callable[[], datetime],
        checkpoint: Checkpoint,
    ) -> None:
        self._engine = engine
        self._where = where
        self._read_only = read_only
        self._wall = wall
        self._checkpoint = self.fatal(checkpoint)
        self._token = ""
        self._is_dead = False
        self._proved_kinds: set[str] = set()
        self._memory = RowMemory()
        self._writer: Connection | None = None
        self._reader: Connection | None = None
        self.reading: dict[str, dict[str, Any]] = {}
        """What the source is read through now: table to key to meaning; empty where it does not matter."""
        self._edits: dict[str, str] = {}
        self.read_ids: dict[tuple[str, int], str] = {}
        """Mews's ids of posted orders, by number and generation, that were read and can't be written."""
        is_file = engine.dialect.name == "sqlite"
        self._writers: Writers = FileWriter() if is_file else ServerWriters(engine)

    # Opening and closing

    @classmethod
    def open(
        cls,
        url_or_path: str | Path,
        *,
        create: bool = True,
        read_only: bool = False,
        wall: Callable[[], datetime] = _wall,
        checkpoint: Checkpoint = _pass,
        further: Sequence[Path] = (),
    ) -> Self:
        """The ledger at a path or SQLAlchemy URL, brought to the newest schema, through `further` steps if there are any.

        Raises: LedgerError `ledger.missing`, `ledger.foreign`, `ledger.newer`, `ledger.corrupt`, ...
        Effects: creates the file with mode 0600, unless told not to; upgrades a ledger of an earlier version, also
        where it is only read then.
        """
        url = ledger_url(url_or_path)
        is_file = url.get_backend_name() == "sqlite"
        where = str(url.database) if is_file else shown(url.render_as_string(hide_password=True))
        with translated(where):
            if is_file:
                engine = open_sqlite(url, create=create and not read_only, read_only=read_only)
            else:
                engine = open_server(url, read_only=read_only)
            ledger = cls(engine, where, read_only=read_only, wall=wall, checkpoint=checkpoint)
            try:
                found = ledger._version()
                if read_only and 0 < found < migrations.latest(further):
                    ledger.close()
                    _upgrade(url, where, wall, further)
                    return cls.open(url_or_path, read_only=True, wall=wall, checkpoint=checkpoint, further=further)
                ledger._prepare(found, create=create, further=further)
                if is_file:
                    # Only now it is known to be ours: somebody else's database may not be changed.
                    make_private(Path(str(url.database)), read_only=read_only)
            except BaseException:
                ledger.close()
                raise
        return ledger

    @property
    def where(self) -> str:
        """Path or URL, for people."""
        return self._where

    def close(self) -> None:
        """Frees the lock and closes the file; safe to call twice."""
        if self._token:
            try:
                self.release_lock()
            except LedgerError:
                # A full disk must not hide what went wrong before; a dead holder is taken over anyway.
                self._token = ""
        self.abandon()

    def abandon(self) -> None:
        """Closes the file and leaves everything as it is on disk, lock included: what a kill does."""
        for connection in (self._writer, self._reader):
            if connection is not None and not connection.closed:
                connection.invalidate()
                connection.close()
        self._writer = self._reader = None
        self._writers.end()
        self._token = ""
        self._is_dead = True
        self._engine.dispose()

    def fatal(self, checkpoint: Checkpoint) -> Checkpoint:
        """`checkpoint`, but what it raises to stand for a kill also stops this ledger from writing any more."""

        def check(name: str) -> None:
            try:
                checkpoint(name)
            except BaseException:
                self.abandon()
                raise

        return check

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The lock

    def take_lock(
        self,
        purpose: str,
        *,
        take_over: str = "",
        me: Holder | None = None,
        alive: Callable[[Holder], bool] = is_alive,
        shared: bool = False,
    ) -> int:
        """Makes this process the ledger's one writer. Shape: how many requests its predecessor left in flight.

        `shared`: on a server, one of several that post the same plan (`leases.py`).
        Raises: LedgerError `ledger.locked` that names the holder. Effects: what was in flight is unknown now.
        """
        claim = Claim(
            uuid.uuid4().hex, me or this_process(), stamp(self._wall()), purpose, take_over, alive, is_shared=shared
        )
        with self.transaction() as connection:
            steps = Steps(connection, self._wall())
            orphans = self._writers.take(connection, steps, claim)
            steps.save()
        self._token = claim.token
        self._writers.begin(claim)
        return orphans

    def release_lock(self) -> None:
        """Frees the lock, if it is ours."""
        token, self._token = self._token, ""
        self._writers.end()
        with self.transaction() as connection:
            self._writers.release(connection, token)

    @property
    def taken_from(self) -> Held | None:
        """The dead or overridden holder that the lock was taken from."""
        return self._writers.taken_from

    @property
    def is_shared(self) -> bool:
        """Whether other runs of the same plan may work on the ledger at the same time."""
        return self._writers.is_shared

    @property
    def keeps_late_answers(self) -> bool:
        """Whether what Mews answered is recorded though the lock was lost meanwhile; see `late_steps`."""
        return self._writers.keeps_late_answers

    def holder(self) -> Held | None:
        """Who works on the ledger, as it says; of several, the longest."""
        with translated(self._where):
            return self._writers.holder(self._read())

    def seconds_since_last_byte(self) -> float | None:
        """How long ago the last byte of those who are gone had certainly left, by the server's clock; then forgotten.

        Below 0 where that is still to come; None where it is not known, and nobody else works on the ledger.
        """
        with translated(self._where):
            return self._writers.seconds_since_last_byte(self._read())

    # Transactions

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One durable transaction. Raises LedgerError where the disk or database fails; then nothing was written."""
        if self._read_only:
            raise LedgerError(
                f"the ledger {self._where} is open for reading only",
                code="ledger.read_only",
                hint="Make file and folder writable.",
            )
        with translated(self._where), self._writing().begin() as begun:
            yield begun.connection
            self._checkpoint("ledger.before_commit")
        self._checkpoint("ledger.after_commit")

    @contextmanager
    def steps(self, numbers: Iterable[str] = (), people: Iterable[str] = ()) -> Iterator[Steps]:
        """Transitions in one transaction, if the lock is still ours; `numbers` are read, `people` taken in hand beforehand.

        Raises: LockLost, LedgerError.
        """
        with self.transaction() as connection:
            self.verify_lock(connection)
            steps = Steps(connection, self._wall(), self._proved_kinds)
            steps.is_shared, steps.worker = self.is_shared, self._token
            self._memory.begin(connection, steps)
            steps.load(numbers)
            steps.load_people(people)
            yield steps
            steps.save()
            self._memory.end(connection, steps)
        self._memory.keep(steps)

    @contextmanager
    def late_steps(self, numbers: Iterable[str]) -> Iterator[Steps]:
        """What Mews answered to who has lost the lease: no intent can be written, and nobody's later decision undone."""
        with self.transaction() as connection:
            steps = Steps(connection, self._wall())
            steps.is_late = True
            steps.load(numbers)
            yield steps
            steps.save()

    def verify_lock(self, connection: Connection) -> None:
        """Raises LockLost unless this ledger's writer is still the one that the lock names."""
        if not self._token:
            raise InternalError("the ledger is written without its lock", code="internal.no_lock")
        self._writers.verify(connection, self._token)

    # Own work

    def _prepare(self, found: int, *, create: bool, further: Sequence[Path]) -> None:
        migrations.check(found, further)
        if found == migrations.latest(further):
            return
        if found == 0 and not create:
            raise missing(self._where)
        with self.transaction() as connection:
            # On a server two may find it empty, or old, at the same moment.
            leases.serialize(connection, "schema")
            if found:
                # The program that works on it knows the tables as they were.
                self._writers.check_idle(connection, found)
            migrations.migrate(connection, stamp(self._wall()), further)
            if found == 0 and self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")

    def _version(self) -> int:
        found = migrations.version(self._read())
        self._end_read()
        return found

    def _writing(self) -> Connection:
        self._check_open()
        if self._writer is None or self._writer.closed:
            self._writer = self._engine.connect().execution_options(writes=True)
        return self._writer

    def _read(self) -> Connection:
        """The connection for short reads, outside any transaction: it always sees the last commit."""
        self._check_open()
        if self._reader is not None and self._reader.invalidated:
            # It broke, and was told: it takes no statement any more, and a new one is as good.
            self._end_read()
        if self._reader is None or self._reader.closed:
            self._reader = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return self._reader

    def _check_open(self) -> None:
        if self._is_dead:
            raise InternalError(f"the ledger {self._where} is closed", code="internal.closed")

    def _end_read(self) -> None:
        if self._reader is not None and not self._reader.closed:
            self._reader.close()
        self._reader = None

    def _scalar(self, query: Any, **values: object) -> Any:
        with translated(self._where):
            return self._read().scalar(query, values)


def _upgrade(url: URL, where: str, wall: Callable[[], datetime], further: Sequence[Path]) -> None:
    """Brings a ledger of an earlier version up to date, so that it can be read."""
    try:
        LedgerStore.open(url.render_as_string(hide_password=False), create=False, wall=wall, further=further).close()
    except LedgerError as error:
        if error.code != "ledger.read_only":
            raise
        raise LedgerError(
            f"the ledger {where} was written by an earlier version of this program and has to be upgraded, "
            "but file or folder can't be written",
            code="ledger.read_only",
            hint="Make file and folder writable, or copy the ledger to where you may write and name it with --ledger.",
        ) from error
