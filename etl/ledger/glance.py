"""What `status` shows of a ledger, read without the library that writes it.

SQLAlchemy takes longer to import than everything else that `status` does. A ledger file of this version that SQLite
reads without complaint is therefore asked directly; every other one (older, damaged, readable by others, on a
server) is opened as all commands open it, which upgrades it, makes it private or says what is wrong. Both are
asked with the same texts. It shows only what a single transaction saw.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from json import loads
from pathlib import Path
from typing import Any

from etl.errors import LedgerError
from etl.ledger.holder import Holder, is_gone
from etl.ledger.stamps import stamp
from etl.model.ledger_place import is_server
from etl.model.states import State

SCHEMA_VERSION = 13
"""The schema that these texts were written for, and the newest of `revisions/`."""
ERRORS_SHOWN = 10
RATE_OVER = timedelta(seconds=60)
IN_DOUBT = (State.REJECTED, State.UNKNOWN, State.DIFFERENT)
_BUSY_SECONDS = 30

Query = Callable[[str, Mapping[str, Any]], Sequence[Sequence[Any]]]
"""SQL with :names and their values to all rows."""


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A `run` or `undo` as the ledger has it; times are ISO UTC of the machine that ran it."""

    run_id: str
    command: str
    plan_id: str
    started: str
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class Fault:
    """An order that was refused, or that nobody knows the state of."""

    number: str
    state: State
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Glance:
    """The ledger as a whole. `home`: names to values, None before the first use; `holder`: (host, pid) of a
    process that may be at work.

    `progress`: what a run under way said last of how far it is, as JSON, "" without one.
    `answered`: requests answered with success within `RATE_OVER` before now, by this machine's clock.
    """

    home: Mapping[str, str] | None
    counts: Mapping[State, int]
    runs: tuple[RunSeen, ...]
    holder: tuple[str, int] | None
    answered: int
    faults: tuple[Fault, ...]
    progress: str = ""


def missing(where: str) -> LedgerError:
    """What is said where there is no ledger."""
    return LedgerError(
        f"there is no ledger at {where}",
        code="ledger.missing",
        hint="Name the right file with --ledger, or begin with `centra-mews dry-run`.",
    )


def glance(url_or_path: str, now: datetime) -> Glance:
    """The ledger at a glance. Raises LedgerError where there is none, or where it can't be read."""
    if "://" not in url_or_path and url_or_path not in ("", ":memory:") and not Path(url_or_path).exists():
        raise missing(url_or_path)
    seen = _seen_directly(url_or_path, now)
    if seen is not None:
        return seen
    from etl.ledger.ledger import Ledger
    from etl.ledger.records import damaged

    with Ledger.open(url_or_path, create=False, read_only=True) as ledger:
        try:
            return _glance(ledger.query, now, on_server=is_server(url_or_path))
        except (ValueError, TypeError) as error:
            raise damaged("a state") from error


def _seen_directly(path: str, now: datetime) -> Glance | None:
    """The same of a file that is in order; None where only the ledger itself can tell what to do or say."""
    file = Path(path)
    try:
        if "://" in path or file.stat().st_mode & 0o077:
            return None
        address = f"{file.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)) as connection:
            connection.execute("BEGIN")
            query: Query = lambda sql, values: connection.execute(sql, values).fetchall()  # noqa: E731
            return _glance(query, now) if _is_current(query) else None
    except (sqlite3.Error, OSError, ValueError, TypeError):
        return None


def _is_current(query: Query) -> bool:
    rows = query("SELECT key, value FROM meta WHERE key IN ('application', 'schema_version') ORDER BY key", {})
    return [tuple(row) for row in rows] == [("application", "centra-mews"), ("schema_version", str(SCHEMA_VERSION))]


def _living(row: Sequence[Any]) -> tuple[str, int] | None:
    """Host and pid of who holds the ledger; None where that was a process of this machine which is gone."""
    holder = Holder(*row)
    return None if is_gone(holder) else (holder.host, holder.pid)


_HOLDER = "SELECT host, boot_id, pid, started FROM lock WHERE id = 1"
_AT_WORK = (
    "SELECT host, boot_id, pid, started FROM workers "
    "WHERE lease_ends > extract(epoch FROM clock_timestamp()) * 1000000 ORDER BY taken_at"
)


def _glance(query: Query, now: datetime, *, on_server: bool = False) -> Glance:
    home = query("SELECT value FROM meta WHERE key = 'home'", {})
    progress = query("SELECT value FROM meta WHERE key = 'progress'", {})
    counts = query("SELECT state, count(*) FROM orders GROUP BY state", {})
    runs = query(
        "SELECT run_id, command, plan_id, started, exit_code FROM runs WHERE command IN ('run', 'undo') "
        "ORDER BY started, run_id",
        {},
    )
    holder = query(_AT_WORK if on_server else _HOLDER, {})
    ((answered,),) = query(
        "SELECT count(*) FROM attempts WHERE outcome = 'done' AND finished_at >= :start AND finished_at < :end",
        {"start": stamp(now - RATE_OVER), "end": stamp(now)},
    )
    faults = query(
        "SELECT number, state, code, message FROM orders WHERE state IN (:a, :b, :c) "
        "ORDER BY length(number), number LIMIT :most",
        {**dict(zip("abc", IN_DOUBT, strict=True)), "most": ERRORS_SHOWN},
    )
    return Glance(
        home=loads(home[0][0]) if home else None,
        counts={State(state): count for state, count in counts},
        runs=tuple(RunSeen(*row) for row in runs),
        holder=_living(holder[0]) if holder else None,
        answered=int(answered),
        faults=tuple(Fault(row[0], State(row[1]), *row[2:]) for row in faults),
        progress=str(progress[0][0]) if progress else "",
    )
