"""Who works on a ledger now: the one holder of a file, or everybody who has a lease of one on a server.

Rule: design section 10. A process of this machine that was killed leaves its lease behind for a minute: it is told as gone,
and hides nobody who goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl.ledger.holder import Holder, is_gone

if TYPE_CHECKING:
    from etl.ledger.ledger import Ledger

_LEASES = (
    "SELECT host, boot_id, pid, started, purpose, taken_at FROM workers "
    "WHERE lease_ends > extract(epoch FROM clock_timestamp()) * 1000000 ORDER BY taken_at, token"
)
"""Only a server has rows there; a file has one holder."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process with a claim on a ledger. `since`: ISO UTC by its own clock; `is_gone`: it certainly does not run any more."""

    host: str
    pid: int
    purpose: str
    since: str
    is_gone: bool

    def document(self) -> dict[str, Any]:
        """As data for `status --json`."""
        return {"host": self.host, "pid": self.pid, "purpose": self.purpose, "since": self.since}


def workers_of(ledger: Ledger) -> list[Worker]:
    """Everybody with a claim, the longest first; one who is gone among them."""
    held = ledger.holder()
    if held is None:
        return []
    if ledger.query("SELECT count(*) FROM workers", {})[0][0]:
        return [_worker(Holder(*row[:4]), str(row[4]), str(row[5])) for row in ledger.query(_LEASES, {})]
    return [_worker(held.holder, held.purpose, held.taken_at)]


def at_work(ledger: Ledger) -> list[Worker]:
    """Everybody who may be writing the ledger, the longest first."""
    return [one for one in workers_of(ledger) if not one.is_gone]


def _worker(holder: Holder, purpose: str, since: str) -> Worker:
    return Worker(holder.host, holder.pid, purpose, since, is_gone(holder))
