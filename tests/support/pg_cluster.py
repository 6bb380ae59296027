"""A PostgreSQL of our own for the tests: Debian's programs, a folder that goes away, no network beyond loopback.

One cluster for each test process, started when the first test asks for it. `database_for` stands in for the path of a
ledger: every path is a database of its own, made when it is first asked for.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    import psycopg

USER = "shop"
PASSWORD = "se-cret%word"
_WAIT = 30


def programs() -> Path | None:
    """The folder of Debian's newest PostgreSQL server, None where none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[4]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


class Cluster:
    """A running server. `url(name)` logs in over TCP with a password; `socket_url(name)` without."""

    def __init__(self) -> None:
        bin_folder = programs()
        assert bin_folder is not None
        self._bin = bin_folder
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self.data = self.folder / "data"
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = int(taken.getsockname()[1])
        self._made: dict[str, str] = {}
        self._count = 0
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self._as_owner("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8",
                       "--locale=C.UTF-8")  # fmt: skip
        (self.data / "pg_hba.conf").write_text(
            "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )
        self.start()
        atexit.register(self.remove)
        with self.admin() as admin:
            admin.execute(f"CREATE ROLE {USER} LOGIN CREATEDB PASSWORD '{PASSWORD}'")

    def _as_owner(self, program: str, *arguments: object) -> None:
        command = [str(self._bin / program), *map(str, arguments)]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(
            command, check=False, cwd="/tmp", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        """Starts the server and waits until it takes logins."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=60"
        log = self.data / "log"
        self._as_owner("pg_ctl", "-D", self.data, "-w", "-t", str(_WAIT), "-l", log, "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stops the server, as a machine that is switched off does."""
        self.pause(stopped=False)
        self._as_owner("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def processes(self) -> list[int]:
        """The postmaster and its children."""
        try:
            parent = int((self.data / "postmaster.pid").read_text().split()[0])
        except OSError:
            return []
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [parent, *map(int, children)]

    def pause(self, *, stopped: bool) -> None:
        """SIGSTOP to the whole server: what a network partition looks like from here; or SIGCONT."""
        for pid in self.processes():
            os.kill(pid, signal.SIGSTOP if stopped else signal.SIGCONT)

    def admin(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """A connection of the owner that commits each statement."""
        import psycopg

        return psycopg.connect(host=str(self.folder), port=self.port, user="postgres", dbname=database, autocommit=True)

    def new_database(self, name: str) -> str:
        """A new, empty database. Shape: its URL."""
        with self.admin() as admin:
            # A language that sorts otherwise than bytes do: the ledger must not care.
            language = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'" if admin.info.server_version >= 150000 else ""
            admin.execute(f'CREATE DATABASE "{name}" OWNER {USER} TEMPLATE template0 {language}')
        return self.url(name)

    def url(self, name: str) -> str:
        """How a user names the database."""
        return f"postgresql+psycopg://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{name}"

    def database_for(self, path: str) -> str:
        """The database that stands for a path, made if need be."""
        if path not in self._made:
            self._made[path] = self.new_database(self._next())
        return self._made[path]

    def _next(self) -> str:
        self._count += 1
        return f"ledger_{self._count}"

    def copy(self, source: str, target: str) -> None:
        """The database of one path under another."""
        old = self._made.pop(target, "").rpartition("/")[2]
        name = self._next()
        with self.admin() as admin:
            if old:
                admin.execute(f'DROP DATABASE "{old}" WITH (FORCE)')
            origin = self._made[source].rpartition("/")[2]
            admin.execute(f'CREATE DATABASE "{name}" OWNER {USER} TEMPLATE "{origin}"')
        self._made[target] = self.url(name)

    def remove(self) -> None:
        """Stops the server and takes its folder away."""
        if self.processes():
            try:
                self.stop()
            except AssertionError:
                for pid in self.processes():
                    os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def cluster() -> Cluster:
    """The cluster of this test process."""
    return Cluster()
