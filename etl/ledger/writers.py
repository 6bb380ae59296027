"""Who writes a ledger: the one holder of a file's lock, or those who hold leases of a database on a server.

Rule: design sections 7.5 and 10.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, Engine

from etl.ledger import leases
from etl.ledger import lock as locks
from etl.ledger.holder import Holder
from etl.ledger.lock import Held
from etl.ledger.records import LAST_BYTE
from etl.ledger.steps import Steps


@dataclass(frozen=True, slots=True)
class Claim:
    """Who asks to write, and what for. `alive`: whether the process of a holder lives; `take_over`: the host to override.

    `is_shared`: beside others that post the same plan, which only a server allows.
    """

    token: str
    me: Holder
    now: str
    purpose: str
    take_over: str
    alive: Callable[[Holder], bool]
    is_shared: bool = False


class Writers(Protocol):
    """What differs between a file and a server. Each call is within a transaction, or a read, of its caller."""

    taken_from: Held | None
    """The dead or overridden holder that the lock was taken from."""
    is_shared: bool
    """Whether other runs of the same plan may work on the ledger at the same time."""
    keeps_late_answers: bool
    """Whether what Mews answered counts though its request's holder is none any more."""

    def take(self, connection: Connection, steps: Steps, claim: Claim) -> int:
        """Writes the claim down. Shape: how many requests of those who are gone are in doubt. Raises LedgerError."""
        ...

    def bury(
        self, connection: Connection, steps: Steps, me: Holder, alive: Callable[[Holder], bool], take_over: str = ""
    ) -> int:
        """Claims that are over end; what nobody has in hand any more is in doubt. Shape: how many requests."""
        ...

    def begin(self, claim: Claim) -> None:
        """The claim is on disk."""

    def end(self) -> None:
        """The holder works no more."""

    def release(self, connection: Connection, token: str) -> None:
        """Takes the claim back."""

    def verify(self, connection: Connection, token: str) -> None:
        """Raises LockLost where the claim counts no more."""

    def holder(self, connection: Connection) -> Held | None:
        """Who works on the ledger, as it says; of several, the longest."""
        ...

    def seconds_since_last_byte(self, connection: Connection) -> float | None:
        """See `LedgerStore.seconds_since_last_byte`."""
        ...

    def check_idle(self, connection: Connection, version: int) -> None:
        """Raises LedgerError while somebody works on a ledger of that version."""


class FileWriter:
    """The one writer of a file: a second one stops."""

    is_shared = False
    # Another process is the one writer now.
    keeps_late_answers = False

    def __init__(self) -> None:
        self.taken_from: Held | None = None

    def take(self, connection: Connection, steps: Steps, claim: Claim) -> int:
        """As `Writers.take`."""
        self.taken_from = locks.take(
            connection,
            me=claim.me,
            token=claim.token,
            now=claim.now,
            purpose=claim.purpose,
            take_over=claim.take_over,
            alive=claim.alive,
        )
        return steps.orphan()

    def bury(
        self,
        connection: Connection,  # noqa: ARG002
        steps: Steps,  # noqa: ARG002
        me: Holder,  # noqa: ARG002
        alive: Callable[[Holder], bool],  # noqa: ARG002
        take_over: str = "",  # noqa: ARG002
    ) -> int:
        """Nothing: who holds a lock is the only one."""
        return 0

    def begin(self, claim: Claim) -> None:
        """Nothing more is to be done: a lock lasts."""

    def end(self) -> None:
        """As `begin`."""

    def release(self, connection: Connection, token: str) -> None:
        """As `Writers.release`."""
        locks.release(connection, token)

    def verify(self, connection: Connection, token: str) -> None:
        """As `Writers.verify`."""
        locks.verify(connection, token)

    def holder(self, connection: Connection) -> Held | None:
        """As `Writers.holder`."""
        return locks.read(connection)

    def seconds_since_last_byte(self, connection: Connection) -> None:  # noqa: ARG002
        """A file has no clock to tell it by."""
        return

    def check_idle(self, connection: Connection, version: int) -> None:  # noqa: ARG002 - a lock is as old as the ledger
        """As `Writers.check_idle`."""
        locks.check_idle(connection)


class ServerWriters:
    """Holders of leases, which end by the server's clock unless they are renewed."""

    keeps_late_answers = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.taken_from: Held | None = None
        self.is_shared = False
        self._renewer: leases.Renewer | None = None
        self._sent_before = 0

    def take(self, connection: Connection, steps: Steps, claim: Claim) -> int:
        """As `Writers.take`."""
        orphans = self.bury(connection, steps, claim.me, claim.alive, claim.take_over)
        leases.join(
            connection,
            me=claim.me,
            token=claim.token,
            now=claim.now,
            purpose=claim.purpose,
            is_shared=claim.is_shared,
        )
        return orphans

    def bury(
        self, connection: Connection, steps: Steps, me: Holder, alive: Callable[[Holder], bool], take_over: str = ""
    ) -> int:
        """As `Writers.bury`."""
        is_open = steps.has_unsettled_orphans()
        buried = leases.bury(connection, alive=alive, me=me, take_over=take_over)
        orphans = steps.orphan(leases.tokens(connection))
        if is_open or (orphans and not buried.tokens):
            # Whose they were is not known any more: they are taken for the newest.
            self._sent_before = leases.server_time(connection) + int(LAST_BYTE * 1_000_000)
        self._sent_before = max(self._sent_before, buried.sent_before)
        return orphans

    def begin(self, claim: Claim) -> None:
        """As `Writers.begin`: from here on the lease is renewed."""
        self.is_shared = claim.is_shared
        self._renewer = leases.Renewer(self._engine, claim.token)

    def end(self) -> None:
        """As `Writers.end`."""
        renewer, self._renewer = self._renewer, None
        if renewer is not None:
            renewer.end()

    def release(self, connection: Connection, token: str) -> None:
        """As `Writers.release`."""
        leases.leave(connection, token)

    def verify(self, connection: Connection, token: str) -> None:
        """As `Writers.verify`."""
        leases.verify(connection, token)

    def holder(self, connection: Connection) -> Held | None:
        """As `Writers.holder`."""
        return next(iter(leases.living(connection)), None)

    def seconds_since_last_byte(self, connection: Connection) -> float:
        """As `Writers.seconds_since_last_byte`."""
        sent_before, self._sent_before = self._sent_before, 0
        return (leases.server_time(connection) - sent_before) / 1_000_000 if sent_before else -LAST_BYTE

    def check_idle(self, connection: Connection, version: int) -> None:
        """As `Writers.check_idle`."""
        if version >= leases.FIRST_VERSION and (at_work := leases.living(connection)):
            raise locks.held_by(at_work[0])
