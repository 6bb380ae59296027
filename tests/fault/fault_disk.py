"""Where the ledgers of a schedule lie: files of SQLite, or databases of a private PostgreSQL.

A path names a ledger in both. On a server it stands for a database of its own; copies and losses are copies and losses
of databases. The server's clock, by which leases end, is the schedule's: in these databases `clock_timestamp()` reads it
from a file, and leases are renewed on the timeline.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from unittest import mock

from pg_cluster import USER
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError
from virtual_time import START, Timeline

from etl.ledger import leases

if TYPE_CHECKING:
    import psycopg
    from pg_cluster import Cluster

Row = Mapping[str, Any]
"""What a ledger holds of something, by column. Rows of SQLite have no more of a mapping than that."""


class Reading(Protocol):
    """A connection for looking at what a ledger holds."""

    def execute(self, query: str) -> Any:
        """The rows, each by the names of its columns."""


class Disk(Protocol):
    """Where ledgers lie."""

    is_server: bool

    def follow(self, timeline: Timeline) -> None:
        """A schedule begins, with this time."""

    def address(self, path: Path) -> Path | str:
        """What the loader opens."""

    def exists(self, path: Path) -> bool:
        """Whether anything was ever opened there."""

    def remove(self, path: Path) -> None:
        """The ledger is lost."""

    def copy(self, source: Path, target: Path) -> None:
        """The ledger as it is on disk, at another path too."""

    def cut(self, path: Path) -> None:
        """Every connection to the ledger breaks."""

    def read(self, path: Path, table: str) -> contextlib.AbstractContextManager[Reading | None]:
        """For looking at it; None while it has no such table."""

    def close(self) -> None:
        """The schedule is over."""


class Files:
    """SQLite's."""

    is_server = False

    def follow(self, timeline: Timeline) -> None:
        """Files have no time."""

    def address(self, path: Path) -> Path:
        """See Disk."""
        return path

    def exists(self, path: Path) -> bool:
        """See Disk."""
        return path.exists()

    def remove(self, path: Path) -> None:
        """See Disk."""
        for file, _ in _files(path):
            file.unlink(missing_ok=True)

    def copy(self, source: Path, target: Path) -> None:
        """See Disk."""
        for file, suffix in _files(source):
            if file.exists():
                shutil.copyfile(file, f"{target}{suffix}")

    def cut(self, path: Path) -> None:
        """Nobody can cut a file."""

    @contextlib.contextmanager
    def read(self, path: Path, table: str) -> Iterator[Reading | None]:
        """See Disk."""
        if not path.exists():
            yield None
            return
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            found = connection.execute(f"SELECT 1 FROM sqlite_master WHERE name = '{table}'").fetchone()
            yield None if found is None else connection

    def close(self) -> None:
        """See Disk."""


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    for suffix in ("", "-wal", "-shm"):
        yield Path(f"{path}{suffix}"), suffix


_CLOCK = """
CREATE SCHEMA virtual;
GRANT USAGE ON SCHEMA virtual TO PUBLIC;
CREATE FUNCTION virtual.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE SECURITY DEFINER AS
    $$ SELECT pg_catalog.to_timestamp(pg_catalog.pg_read_file('{file}')::double precision) $$;
"""
_TEMPLATE = "fault_template"


@cache
def cluster() -> Cluster:
    """This process's private server, whose clock shows what `_Clock` says."""
    import pg_cluster

    found = pg_cluster.cluster()
    _Clock.begin(found.folder / "clock")
    with found.admin() as admin:
        # Of the disk, nothing is tested here.
        admin.execute("ALTER SYSTEM SET full_page_writes = off")
        admin.execute("ALTER SYSTEM SET autovacuum = off")
        admin.execute("SELECT pg_reload_conf()")
        admin.execute(f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0")
    with found.admin(_TEMPLATE) as admin:
        admin.execute(_CLOCK.format(file=found.folder / "clock"))
    return found


class _Clock:
    """The server's, in virtual time."""

    file: ClassVar[int] = -1
    timeline: ClassVar[Timeline] = Timeline()

    @classmethod
    def begin(cls, path: Path) -> None:
        cls.file = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        cls.show()

    @classmethod
    def show(cls, *_: object) -> None:
        """What a statement that is sent now will see."""
        now = START + timedelta(seconds=cls.timeline.now)
        os.pwrite(cls.file, f"{now.timestamp():018.6f}".encode(), 0)


def on_virtual_time(engine: Engine) -> None:
    """Has a server's clock show the schedule's time to every statement of this engine."""
    if engine.dialect.name == "postgresql":
        event.listen(engine, "before_cursor_execute", _Clock.show)


class VirtualRenewer:
    """Renews a lease as `leases.Renewer` does, on the timeline. While the machine sleeps, nothing is renewed."""

    is_asleep: ClassVar[bool] = False
    is_stuck: ClassVar[bool] = False
    """Whether those that begin now never renew anything."""

    def __init__(self, engine: Engine, token: str) -> None:
        self._engine, self._token = engine, token
        self._is_over = self.is_stuck
        self._plan(leases.RENEWED_AFTER)

    def end(self) -> None:
        """See leases.Renewer."""
        self._is_over = True

    def _plan(self, wait: float) -> None:
        if not self._is_over:
            _Clock.timeline.at(_Clock.timeline.now + wait, self._renew)

    def _renew(self) -> None:
        if self._is_over or self.is_asleep:
            self._plan(1.0)
            return
        wait = 1.0
        with contextlib.suppress(DBAPIError), self._engine.begin() as connection:
            if not _renewed(connection, self._token):
                return
            wait = leases.RENEWED_AFTER
        self._plan(wait)


def _renewed(connection: Connection, token: str) -> bool:
    return bool(connection.execute(leases._RENEW, {"renewed": token}).rowcount)


@cache
def _admin() -> psycopg.Connection[Any]:
    return cluster().admin()


class Databases:
    """PostgreSQL's: each path is a database, which goes away with the schedule."""

    is_server = True
    _count = 0

    def __init__(self) -> None:
        self._made: dict[Path, str] = {}
        self._open: dict[Path, psycopg.Connection[Any]] = {}
        self._more = contextlib.ExitStack()

    def follow(self, timeline: Timeline) -> None:
        """See Disk."""
        _Clock.timeline = timeline
        self._more.enter_context(mock.patch.object(leases, "Renewer", VirtualRenewer))

    def address(self, path: Path) -> str:
        """See Disk."""
        if path not in self._made:
            self._make(path, _TEMPLATE)
        # Over the socket, without a password: logging in is not what is tested here, and costs more than a transaction.
        found = cluster()
        return f"postgresql+psycopg://{USER}@/{self._made[path]}?host={found.folder}&port={found.port}"

    def exists(self, path: Path) -> bool:
        """See Disk."""
        return path in self._made

    def remove(self, path: Path) -> None:
        """See Disk."""
        self._leave(path)
        name = self._made.pop(path, None)
        if name is not None:
            _admin().execute(f"DROP DATABASE {name} WITH (FORCE)")

    def copy(self, source: Path, target: Path) -> None:
        """See Disk."""
        self._leave(source)
        self.remove(target)
        if source in self._made:
            # A process that was killed may have left a session that is just ending.
            self._end_sessions(self._made[source])
            self._make(target, self._made[source])

    def cut(self, path: Path) -> None:
        """See Disk."""
        self._leave(path)
        if path in self._made:
            self._end_sessions(self._made[path])

    @contextlib.contextmanager
    def read(self, path: Path, table: str) -> Iterator[Reading | None]:
        """See Disk."""
        if path not in self._made:
            yield None
            return
        connection = self._open.get(path)
        if connection is None or connection.closed:
            connection = self._open[path] = _reader(self._made[path])
        found = connection.execute(f"SELECT to_regclass('{table}') AS found").fetchone()
        yield connection if found is not None and found["found"] else None

    def close(self) -> None:
        """See Disk."""
        for path in list(self._made):
            self.remove(path)
        self._more.close()

    def _make(self, path: Path, template: str) -> None:
        Databases._count += 1
        self._made[path] = name = f"fault_{Databases._count}"
        _admin().execute(f"CREATE DATABASE {name} OWNER {USER} TEMPLATE {template}")
        # What stands in the template's schema comes before the server's own.
        _admin().execute(f"ALTER DATABASE {name} SET search_path = public, virtual, pg_catalog")

    def _end_sessions(self, name: str) -> None:
        query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
        _admin().execute(query, (name,))

    def _leave(self, path: Path) -> None:
        connection = self._open.pop(path, None)
        if connection is not None:
            connection.close()


def _reader(name: str) -> psycopg.Connection[Mapping[str, Any]]:
    connection = cluster().admin(name)
    from psycopg.rows import dict_row

    connection.row_factory = dict_row  # type: ignore[assignment]
    return connection  # type: ignore[return-value]
