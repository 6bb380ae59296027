"""One writer per ledger: who holds it, whether the holder still lives, and taking it over.

Rule: design section 7.5.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Self

from sqlalchemy import Connection, Row, delete, insert, select

from etl.errors import LedgerError
from etl.ledger import schema
from etl.ledger.holder import Holder, is_alive
from etl.ledger.prepared import PreparedLookup


class LockLost(LedgerError):  # noqa: N818 - named after what happened
    """Another process took the ledger over while this one was working; nothing more may be written."""

    code = "ledger.lock_lost"


_CURRENT = PreparedLookup(
    select(schema.lock.c.token, schema.lock.c.host, schema.lock.c.pid).with_for_update(), schema.lock.c.id
)
"""Every transaction asks it."""


@dataclass(frozen=True, slots=True)
class Held:
    """Who works on the ledger, as it has it. `taken_at`: this machine's time, ISO UTC."""

    holder: Holder
    token: str
    taken_at: str
    purpose: str

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """What a row of `lock` or `workers` says."""
        return cls(Holder(row.host, row.boot_id, row.pid, row.started), row.token, row.taken_at, row.purpose)

    def columns(self) -> dict[str, Any]:
        """The same as values of such a row, by column."""
        return {
            "token": self.token,
            **asdict(self.holder),
            "taken_at": self.taken_at,
            "purpose": self.purpose,
        }


def read(connection: Connection, *, for_update: bool = False) -> Held | None:
    """Who holds the ledger; None if nobody does."""
    query = select(schema.lock).where(schema.lock.c.id == 1)
    row = connection.execute(query.with_for_update() if for_update else query).one_or_none()
    return None if row is None else Held.of(row)


def take(
    connection: Connection,
    *,
    me: Holder,
    token: str,
    now: str,
    purpose: str,
    take_over: str = "",
    alive: Callable[[Holder], bool] = is_alive,
) -> Held | None:
    """Makes `token` the ledger's lock. Shape: the dead holder it was taken from, or None.

    `take_over` names the other host whose lock may be taken. Raises: LedgerError `ledger.locked` that names
    the holder. Effects: writes within the caller's transaction.
    """
    held = read(connection, for_update=True)
    if held is not None:
        _check_takeover(held, me, take_over, alive)
        connection.execute(delete(schema.lock).where(schema.lock.c.id == 1))
    connection.execute(insert(schema.lock).values(id=1, **Held(me, token, now, purpose).columns()))
    return held


def verify(connection: Connection, token: str) -> None:
    """Raises LockLost unless the lock is still ours; every writing transaction begins with it."""
    found, host, pid = next(iter(_CURRENT.rows(connection, [1])), (None, "", 0))
    if found != token:
        now_held = "nobody" if found is None else f"process {pid} on {host}"
        raise LockLost(
            f"the ledger was taken over while this run was working; {now_held} holds it now",
            hint="Nothing was sent after that. Let the other run finish, then look at `centra-mews status`.",
        )


def check_idle(connection: Connection, alive: Callable[[Holder], bool] = is_alive) -> None:
    """Raises LedgerError `ledger.locked` where a process of this machine works on the ledger."""
    held = read(connection)
    if held is not None and held.holder.host == socket.gethostname() and alive(held.holder):
        raise held_by(held)


def release(connection: Connection, token: str) -> None:
    """Frees the lock if it is still ours."""
    connection.execute(delete(schema.lock).where(schema.lock.c.id == 1, schema.lock.c.token == token))


def _check_takeover(held: Held, me: Holder, take_over: str, alive: Callable[[Holder], bool]) -> None:
    holder = held.holder
    if holder.host != me.host:
        if take_over == holder.host:
            return
        raise LedgerError(
            f"the ledger is held by {_who(held)}, which can't be checked from here",
            code="ledger.locked",
            hint=f"If that machine is certainly not working on it any more: run --take-over {holder.host}",
        )
    if alive(holder):
        raise held_by(held)


def held_by(held: Held) -> LedgerError:
    """What is said to whom somebody else keeps from the ledger."""
    return LedgerError(
        f"the ledger is held by {_who(held)}",
        code="ledger.locked",
        hint="Wait until it has finished, or stop it with Ctrl-C.",
    )


def _who(held: Held) -> str:
    return f"process {held.holder.pid} on {held.holder.host} ({held.purpose}, since {held.taken_at})"
