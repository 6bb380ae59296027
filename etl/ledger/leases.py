"""Who works on a ledger on a server: one command alone, or several runs of one plan, each with a lease.

Rule: design section 10. A lease ends by the server's clock; its holder renews it, and every transaction that writes
finds it still valid, with its row locked until the commit. Whoever finds a lease over (or its process gone from this very
machine) takes the row away in one transaction with what follows for the orders, behind that lock: so an intent is either on
disk before, and its order in doubt from then on, or it is never written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Row,
    Select,
    bindparam,
    delete,
    insert,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError

from etl.errors import LedgerError
from etl.ledger import schema
from etl.ledger.holder import Holder
from etl.ledger.lock import Held, LockLost, held_by
from etl.ledger.records import LAST_BYTE

LEASE = 60.0
"""Seconds that a lease lasts from its last renewal on."""
RENEWED_AFTER = 15.0
_RETRY = 1.0
FIRST_VERSION = 11
"""Of the schema: ledgers of earlier versions have no workers."""
_SECOND = 1_000_000
_NOW = literal_column("CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)", BigInteger)
_TABLE = schema.workers
_ALL: Select[Any] = select(*_TABLE.c, _NOW.label("now"))
_CURRENT = select(_TABLE.c.lease_ends > _NOW).where(_TABLE.c.token == bindparam("token")).with_for_update()
_RENEW = (
    update(_TABLE)
    .where(_TABLE.c.token == bindparam("renewed"), _TABLE.c.lease_ends > _NOW)
    .values(lease_ends=_NOW + int(LEASE * _SECOND))
)


@dataclass(frozen=True, slots=True)
class Buried:
    """Workers that are no more. `sent_before`: the server's time, in microseconds, by which their last byte had left."""

    tokens: tuple[str, ...] = ()
    sent_before: int = 0


def serialize(connection: Connection, what: str) -> None:
    """Until the transaction ends, nobody else is between here and its end for the same thing. A file has one writer."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtext('centra-mews'), hashtext(:what))"), {"what": what}
        )


def server_time(connection: Connection) -> int:
    """The server's clock in microseconds."""
    return int(connection.scalar(select(_NOW)) or 0)


def living(connection: Connection) -> list[Held]:
    """Who works on the ledger, the longest first."""
    query = select(_TABLE).where(_TABLE.c.lease_ends > _NOW).order_by(_TABLE.c.taken_at, _TABLE.c.token)
    return [Held.of(row) for row in connection.execute(query)]


def tokens(connection: Connection) -> list[str]:
    """What the workers are known by, whoever has not left."""
    return list(connection.scalars(select(_TABLE.c.token)))


def bury(connection: Connection, *, alive: Callable[[Holder], bool], me: Holder, take_over: str = "") -> Buried:
    """Takes away the leases that are over. Effects: within the caller's transaction, which sees to their orders.

    A process of this machine that is gone has no lease any more; one of the host `take_over` loses it by a person's word.
    """
    serialize(connection, "workers")
    found = [row for row in connection.execute(_ALL) if _is_over(row, me, alive, take_over)]
    dead: list[str] = []
    sent_before = 0
    for row in found:
        # Behind its lock: what its holder is just writing is on disk, and what it writes next finds no lease.
        locked = connection.execute(_ALL.where(_TABLE.c.token == row.token).with_for_update()).one_or_none()
        if locked is not None and _is_over(locked, me, alive, take_over):
            dead.append(locked.token)
            sent_before = max(sent_before, min(locked.lease_ends, locked.now) + int(LAST_BYTE * _SECOND))
    if dead:
        connection.execute(delete(_TABLE).where(_TABLE.c.token.in_(dead)))
    return Buried(tuple(dead), sent_before)


def join(connection: Connection, *, me: Holder, token: str, now: str, purpose: str, is_shared: bool) -> None:
    """Makes `token` one of the ledger's workers, or its only one. Call `bury` before, in the same transaction.

    Raises: LedgerError `ledger.locked` that names who keeps it from it.
    """
    for row in connection.execute(_ALL.order_by(_TABLE.c.taken_at)):
        if not (is_shared and row.is_shared):
            raise _in_the_way(Held.of(row), me)
    connection.execute(
        insert(_TABLE).values(
            **Held(me, token, now, purpose).columns(),
            is_shared=is_shared,
            plan_id="",
            lease_ends=_NOW + int(LEASE * _SECOND),
        )
    )


def share_plan(connection: Connection, token: str, plan_id: str) -> None:
    """Says which plan a worker posts. Raises LedgerError `ledger.locked` where others are at work on another one."""
    serialize(connection, "workers")
    others = _ALL.where(_TABLE.c.token != token, _TABLE.c.plan_id.not_in(("", plan_id)))
    for row in connection.execute(others):
        held = Held.of(row)
        raise LedgerError(
            f"the ledger is held by a run of another plan, {row.plan_id}: process {held.holder.pid} on "
            f"{held.holder.host}, since {held.taken_at}; this one's is {plan_id}",
            code="ledger.locked",
            hint="Several runs share a ledger only with the same export and mapping. Wait until it has finished.",
        )
    connection.execute(update(_TABLE).where(_TABLE.c.token == token).values(plan_id=plan_id))


def verify(connection: Connection, token: str) -> None:
    """Raises LockLost unless the lease is still ours; its row stays locked until the transaction ends."""
    if not connection.scalar(_CURRENT, {"token": token}):
        raise LockLost(
            f"the lease on the ledger ran out: this command did not get to renew it for {LEASE:g} s",
            hint="Nothing was sent after that, and others may have gone on. Run the same command again.",
        )


def leave(connection: Connection, token: str) -> None:
    """Gives the lease back, if it is still there: what was claimed under it is anybody's."""
    connection.execute(delete(_TABLE).where(_TABLE.c.token == token))


class Renewer:
    """Keeps one lease alive from a thread of its own: reading a large export takes longer than a lease."""

    def __init__(self, engine: Engine, token: str) -> None:
        self._engine = engine.execution_options(writes=True)
        self._token = token
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Renews no more."""
        self._over.set()
        self._thread.join(_RETRY)

    def _run(self) -> None:
        wait = RENEWED_AFTER
        while not self._over.wait(wait):
            wait = _RETRY
            # A server that is gone for a while may be back before the lease is over.
            with suppress(DBAPIError), self._engine.begin() as connection:
                if not connection.execute(_RENEW, {"renewed": self._token}).rowcount:
                    return
                wait = RENEWED_AFTER


def _in_the_way(held: Held, me: Holder) -> LedgerError:
    error = held_by(held)
    if held.holder.host != me.host:
        error.hint = (
            f"Wait until it has finished. If that machine is gone, its lease ends {LEASE:g} s after its last word; "
            f"not to wait for that: run --take-over {held.holder.host}"
        )
    return error


def _is_over(row: Row[Any], me: Holder, alive: Callable[[Holder], bool], take_over: str) -> bool:
    if row.lease_ends <= row.now or (take_over and row.host == take_over):
        return True
    return bool(row.host == me.host and not alive(Held.of(row).holder))
