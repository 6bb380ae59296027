"""A ledger on a PostgreSQL server: how its database is opened durably, and how long anybody waits for it.

All that the two databases do differently is here and in `file.py`; what goes wrong with a server is in
`server_faults.py`. The driver is psycopg 3, the extra `postgres`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from etl.errors import LedgerError

if TYPE_CHECKING:
    from psycopg import Connection

PATIENCE = 30.0
"""Seconds after which a server that does not answer counts as gone; for a lock that another command holds, likewise."""
LONGEST_SLEEP = 15.0
"""Seconds after which the server ends a transaction whose writer sleeps: well before those who wait for it lose patience."""
CONNECT_SECONDS = 10
DRIVER = "postgresql+psycopg"
_NAMES = frozenset({"postgres", "postgresql"})

_SETTINGS = """
SELECT set_config('timezone', 'UTC', false), set_config('lock_timeout', '{lock}', false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
        ELSE current_setting('synchronous_commit') END, false)
"""
"""Durable whatever the server's default is: a commit is on its disk, not on its way there, when it returns."""


def server_url(url: URL) -> URL:
    """The URL with the driver that is used, where it names PostgreSQL. Raises LedgerError for another driver of it."""
    name, _, driver = url.drivername.partition("+")
    if name not in _NAMES:
        return url
    if driver not in ("", "psycopg"):
        raise LedgerError(
            f"--ledger names the driver {driver}, which is not used here",
            code="ledger.url",
            hint=f"Write {DRIVER}://USER@HOST/DATABASE.",
        )
    return url.set(drivername=DRIVER)


def open_server(url: URL, *, read_only: bool) -> Engine:
    """The engine of a ledger's database. Connects to nothing yet. Raises LedgerError without the driver."""
    if url.drivername != DRIVER:
        return create_engine(url)
    try:
        import psycopg  # noqa: F401 - whether it is there
    except ImportError as error:
        raise LedgerError(
            "a ledger on PostgreSQL needs the package psycopg, which is not installed",
            code="ledger.driver",
            hint="Install it with `pip install 'centra-mews[postgres]'` (or `pip install 'psycopg[binary]'`), "
            "or name a file: --ledger ledger.sqlite.",
        ) from error
    return _engine(url, read_only=read_only)


def connect(url: URL, *, read_only: bool = False, holds_locks: bool = False) -> Connection[Any]:
    """A connection of its own, ready to write durably. Raises what the driver raises.

    `holds_locks`: whoever sleeps in the middle of any transaction is ended by the server, so that nobody waits for it.
    """
    import psycopg

    from etl.ledger.patient import PatientConnection

    arguments, named = url.get_dialect()().create_connect_args(url)
    options: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, "application_name": "centra-mews", **named}
    connection = PatientConnection.connect(*arguments, **options)
    connection.again = partial(psycopg.Connection.connect, *arguments, autocommit=True, **options)
    with connection.cursor() as cursor:
        cursor.execute(_SETTINGS.format(lock=int(PATIENCE * 1000)))
        if read_only:
            cursor.execute("SET default_transaction_read_only = on")
        if holds_locks:
            cursor.execute(f"SET {_ends_sleepers()}")
    connection.commit()
    return connection


def _ends_sleepers() -> str:
    return f"idle_in_transaction_session_timeout = {int(LONGEST_SLEEP * 1000)}"


def _engine(url: URL, *, read_only: bool) -> Engine:
    engine = create_engine(url, creator=lambda: connect(url, read_only=read_only), poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # A writer that sleeps in the middle of a transaction must not keep the others waiting: the server ends it.
        if connection.get_execution_options().get("writes"):
            connection.exec_driver_sql(f"SET LOCAL {_ends_sleepers()}")

    return engine
