"""What every part of one run works with: Mews as it is reached, the facts of the run, and what all workers share."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from etl.evidence.mews_time import MewsTime
from etl.evidence.reader import BillReader, Clock, Reader
from etl.ledger.commit import Committer
from etl.ledger.ledger import Checkpoint, Ledger
from etl.ledger.records import LAST_BYTE
from etl.load.halt import Halt
from etl.load.ports import CustomerReader, Limiter, Sleep, Writer
from etl.load.sender import Sender
from etl.load.traffic import Traffic
from etl.model.plan import Basis

SCAN_SECONDS = 180.0
"""A run looks for foreign orders this often (design 7.6: every few minutes)."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How Mews is reached, and time with it. `rng` gives jitter. `people`: who finds customers by e-mail, if anybody.

    `bills`: on the outlet route, the reader that proves absence there.
    """

    writer: Writer
    reader: Reader
    limiter: Limiter
    clock: Clock
    sleep: Sleep
    rng: random.Random
    people: CustomerReader | None = None
    bills: BillReader | None = None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What holds for all of one run.

    `store`: the name in identifiers. `basis`: the enterprise's. `settle`: so long Mews may take to commit.
    `window_start`: Mews's now -> the earliest consumption that Mews takes then. `bills_per_request`: on the outlet
    route, whose outlet `service_id` is; else 0.
    """

    run_id: str
    store: str
    service_id: str
    basis: Basis
    settle: timedelta
    concurrency: int
    window_start: Callable[[datetime], datetime]
    scan_seconds: float = SCAN_SECONDS
    bills_per_request: int = 0

    @property
    def is_outlet(self) -> bool:
        """Whether orders are bills of an outlet (design section 9)."""
        return self.bills_per_request > 0


class Session:
    """One run at work on one ledger. Needs the ledger's lock. `checkpoint` is fatal: what it raises ends all writing."""

    def __init__(self, ledger: Ledger, reach: Reach, facts: RunFacts, checkpoint: Checkpoint) -> None:
        self.ledger = ledger
        self.reach = reach
        self.facts = facts
        self.checkpoint = ledger.fatal(checkpoint)
        self.time = MewsTime(reach.reader, reach.clock)
        self.commit = Committer(ledger)
        self.halt = Halt(reach.sleep)
        self.traffic = Traffic(reach.limiter, reach.clock, reach.rng, self.halt)
        self.sender = Sender(
            reach.writer, self.commit, self.time, reach.clock, self.traffic, self.halt, checkpoint=self.checkpoint
        )

    def start_settling(self) -> None:
        """Says since when settles what those who are gone had under way."""
        sent_before = self.last_sent_before()
        with self.ledger.steps() as steps:
            steps.start_settling(sent_before)

    def bury(self) -> None:
        """What workers that are gone had under way is in doubt and settles; their other orders are anybody's."""
        if self.ledger.bury():
            self.start_settling()

    def last_sent_before(self) -> datetime:
        """Mews's time by which a predecessor that died, or lost its lock, had certainly sent its last byte.

        Call it once the lock is taken and Mews's clock was asked.
        """
        return last_sent_before(self.ledger, self.time)


def last_sent_before(ledger: Ledger, time: MewsTime) -> datetime:
    """See `Session.last_sent_before`."""
    since = ledger.seconds_since_last_byte()
    if since is not None:
        return time.latest() - timedelta(seconds=since)
    taken, mine = ledger.taken_from, ledger.holder()
    is_foreign = taken is not None and (mine is None or mine.holder.host != taken.holder.host)
    return time.latest() + timedelta(seconds=LAST_BYTE if is_foreign else 0)
