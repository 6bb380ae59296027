"""The fault harness: the real loader, ledger and Mews client against the sandbox, through bad days drawn from seeds.

    python tests/fault/harness.py --schedules 10000     all seeds from 0 on
    python tests/fault/harness.py --schedules 4000 --first 6000     the last 4000 of them
    python tests/fault/harness.py --seed 4711           one seed, with its description and its log
    python tests/fault/harness.py --ledger postgresql   ledgers on a private server, and what befalls servers

A schedule is a storm (processes that are killed, stopped, and met by faults), then calm reruns without new faults.
Properties: design sections 7.1 to 7.8; what is checked at every moment is in `fault_watch.py`.

Drawn (`fault_schedule.py`), each with kills, lost answers, late commits, 429, lagging reads, lost and old ledgers:
both routes (a third of the ledgers are an outlet's, with requests of 1 to 1000 bills, partial commits, wrong ids, bills
that move, what a refusal of several leaves, captures, balances, gift cards or no payments, accounts or none, bills older
than the window); undo, two undos at once, an undo beside a run; two runs on one ledger or on two copies of it; customers;
payments; kinds that Mews refuses and later allows; gross and net prices; other stores under the same token, of the same
enterprise or of a second one with another price basis (on either route, perhaps with our store's name).
On a server besides (`draw_on_server`): two runs of one plan that share a ledger, killed alone, stopped, or with a lease
that runs out; connections that are cut; commits that nobody hears of. Leases end by the schedule's time.
Not drawn: reposting what was undone, corrections, the look at the other route, a server that is stopped or stands still
(tests of their own).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from itertools import compress
from pathlib import Path
from typing import Any, ClassVar

import httpx
import psycopg

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from counted_run import CountedResult, run_counted
from fault_disk import Databases, Disk, Files, Row, VirtualRenewer, on_virtual_time
from fault_schedule import EPSILON, Process, Schedule, Spec, draw, draw_on_server, with_tax
from fault_watch import Mews, PartKey, Watch, Wire
from fault_world import ACCOUNT, ADDRESS, consumed, kinds_of, mews_start, place_of, planned, window_start
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError
from virtual_time import Deadlock, Killed, MachineClock, Timeline, VirtualLoop

from etl.errors import EtlError, ExitCode, InternalError, LedgerError
from etl.evidence.by_unit import completed
from etl.ledger.faults import translated
from etl.ledger.holder import Holder
from etl.ledger.ledger import Home, Ledger
from etl.ledger.records import RECOVERED_RUN, RunRecord
from etl.load.bill_poster import BillPoster
from etl.load.poster import Poster
from etl.load.recovery import RecoverResult, recover
from etl.load.result import LoadResult
from etl.load.session import Reach, RunFacts
from etl.load.settling import settle
from etl.load.stop import StopFlag
from etl.load.undo import Ending, Undoer, UndoResult, UndoRules
from etl.mews.api import MewsReader, MewsWriter
from etl.mews.limiter import Limiter
from etl.mews.outlets import OutletReader
from etl.mews.secrets import Tokens
from etl.mews.slot_file import FileSlots
from etl.mews.slots import MemorySlots, SlotStore
from etl.mews.transport import RetryPolicy, Transport
from etl.model.kinds import EQUAL_REFUSALS
from etl.model.payload import dump
from etl.model.plan import Basis, PlannedOrder
from etl.model.rows import OrderItemRow
from etl.model.shares import Column
from etl.model.status import ReportState
from etl.pipeline.from_ledger import ledger_statuses
from etl.pipeline.turns import BEGIN, in_turn
from etl.sandbox.core import PREFIX
from etl.sandbox.outlet_state import PAYMENT
from etl.sandbox.world import ACCESS_TOKEN, CLIENT_TOKEN

CALM_RERUNS = 6
"""N of the guarantee: after so many reruns without new faults every order is there once, or reported."""

THROTTLED = ("mews.throttled", "mews.too_many_requests")
"""Codes of runs that wait for 429 no longer; no storm drawn lasts that long."""
_IN_MEWS = ("posted", "different")
_SENT = ("posted", "different", "unknown", "in_flight")
_ABSENT = ("ready", "rejected", "blocked", "skipped")
_TRACES = 60
TELL_SECONDS = 10.0
"""Between two lines of progress."""
LONG = 500
"""Schedules of a proof that takes all cores."""
_GAVE_UP = ("rejected", "send.gave_up")
_OF_AN_ORDER = ("Negative amounts", "The time of")
_OF_A_KIND = ("Negative amounts", "External payments of type", "The time of")


class OneEngineLedger(Ledger):
    """The real ledger on one engine for all files, so that statements are compiled once, not once a process.

    Only the pool, which knows the file or database, changes; one ledger is open at a time, see `nth_of`.
    """

    _engines: ClassVar[dict[str, Engine]] = {}

    def __init__(self, engine: Engine, *more: Any, **named: Any) -> None:
        first = self._engines.get(engine.dialect.name)
        if first is None:
            first = self._engines[engine.dialect.name] = engine
            on_virtual_time(engine)
        first.pool = engine.pool
        super().__init__(first, *more, **named)


class ServerLedger(OneEngineLedger):
    """The real ledger on a server. Of the transaction that brings `unheard` to 0, nobody hears that it was committed."""

    unheard: int | None = None

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """See LedgerStore."""
        with super().transaction() as connection:
            yield connection
        if self.unheard is None:
            return
        self.unheard -= 1
        if self.unheard == 0 and self._writer is not None:
            self._writer.invalidate()
            lost = psycopg.OperationalError("server closed the connection unexpectedly")
            with translated(self.where):
                raise OperationalError("COMMIT", {}, lost, connection_invalidated=True)


@cache
def nth_of(kind: type[Ledger], place: int) -> type[Ledger]:
    """The same ledger on an engine of its own for each place, so that several can be open at a time."""
    return kind if not place else type(f"{kind.__name__}{place}", (kind,), {"_engines": {}})


@dataclass(frozen=True, slots=True)
class Parts:
    """What a schedule is run with; tests that break a guard on purpose give other parts."""

    ledger: type[Ledger] = OneEngineLedger
    poster: type[Poster] = Poster
    biller: type[BillPoster] = BillPoster
    """The poster of the outlet route."""
    undoer: type[Undoer] = Undoer
    writer: Callable[[MewsWriter], Any] = lambda writer: writer
    reader: Callable[[MewsReader], Any] = lambda reader: reader
    rate: Callable[[int], int] = lambda count: count
    settle: Callable[[float], float] = lambda seconds: seconds
    slots: Callable[[Schedule], str] = lambda _: "slots"
    """The file that holds a ledger's share of the limit."""
    retry: RetryPolicy = RetryPolicy()
    disk: Callable[[], Disk] = Files
    """Where the ledgers lie."""


REAL = Parts()
ON_SERVER = Parts(ledger=ServerLedger, disk=Databases)


@dataclass(slots=True)
class Verdict:
    """What became of one schedule."""

    schedule: Schedule
    violations: list[str]
    log: list[str]
    processes: int
    requests: int
    virtual_seconds: float
    duplicates: int = 0
    killed: int = 0
    """Processes that ended by kill -9."""
    faults: Counter[str] = field(default_factory=Counter)
    """Requests that each dial hit."""
    on_server: bool = False

    def report(self) -> str:
        """Everything needed to understand and replay a failure."""
        return "\n".join(
            [
                self.schedule.describe(),
                "",
                *self.log,
                "",
                *(f"VIOLATION {what}" for what in self.violations),
                f"replay: make fault SEED={self.schedule.seed}{' LEDGER=postgresql' if self.on_server else ''}",
            ]
        )


class _SlotsOfProcess:
    """The slot store as one process has it: once the process is dead, nothing of it writes any more."""

    def __init__(self, store: SlotStore, *, is_shared: bool) -> None:
        self._store = store
        self._is_shared = is_shared
        self.is_dead = False

    def take(self, **asked: Any) -> Any:
        """See SlotStore."""
        if self.is_dead:
            raise Killed
        return self._store.take(**asked)

    def write(self, moved: Any) -> None:
        """See SlotStore."""
        if not self.is_dead:
            self._store.write(moved)

    def close(self, moved: Any) -> None:
        """See SlotStore."""
        if self._is_shared:
            self._store.close([] if self.is_dead else moved)
        elif not self.is_dead:
            self._store.write(moved)

    def kill(self) -> None:
        """What was moved and not written is lost."""
        self.is_dead = True
        if self._is_shared:
            self._store.abandon()
        else:
            # In memory the rows are the limiter's own: what it changed last is stored for the next process.
            self._store.write(list(self._store._rows.values()))


@dataclass(slots=True)
class _Rows:
    """The ledger as it lies on disk."""

    parts: dict[PartKey, tuple[str, str]] = field(default_factory=dict)
    """State and Mews's id."""
    orders: dict[str, Row] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)


class Runner:
    """One schedule, from its first process to its last rerun; with its neighbours, each of which has a ledger too.

    `host`: the runner whose machine, token and Mews a neighbour shares.
    """

    def __init__(self, schedule: Schedule, folder: Path, parts: Parts = REAL, host: Runner | None = None) -> None:
        self.schedule, self.parts = schedule, parts
        self.folder = folder
        self.host = host or self
        self.path = folder / f"ledger-{schedule.store}-{schedule.enterprise}.sqlite"
        self.timeline = host.timeline if host else Timeline()
        self.clock = host.clock if host else MachineClock(self.timeline)
        self.disk = host.disk if host else parts.disk()
        self.rng = random.Random(f"run {schedule.seed}" if host is None else f"run {schedule.seed} {schedule.store}")
        self.versions = {versions[0].number: versions for versions in schedule.orders}
        self.watch = Watch(schedule, self.versions)
        if host:
            self.watch.violations, self.watch.log = host.watch.violations, host.watch.log
            self.mews = host.mews
            self.mews.watches.append(self.watch)
        else:
            self.mews = Mews(schedule, self.timeline, self.watch, random.Random(f"staff {schedule.seed}"))
        self.current = dict.fromkeys(self.versions, 0)
        self.memory_slots = host.memory_slots if host else MemorySlots()
        self.neighbours = [Runner(one, folder, parts, self) for one in schedule.neighbours]
        self.at_work: list[_Running] = []
        self.count = self.killed = 0
        self.retries = 0
        self._refuses = schedule.refuses
        self.needs_recover = False
        self.is_stale = False
        self.to_undo: set[str] = set()
        self.reported: dict[str, set[str]] = {}
        self.copies_of_ledger: list[Path] = []
        self.last: CountedResult | None = None
        self.paired_at = 0.0

    # The whole

    def run(self) -> Verdict:
        """Storm, then calm; stops at the first violation."""
        try:
            self.disk.follow(self.timeline)
            self._post_strangers()
            self._storm()
            for runner in (self, *self.neighbours):
                runner._calm()
            for runner in (self, *self.neighbours):
                runner._check_whole()
        except _Violated:
            pass
        finally:
            self.disk.close()
        return Verdict(
            self.schedule,
            self.watch.violations,
            self.watch.log,
            self.count,
            self.mews.requests,
            self.timeline.now,
            sum(len(copies) > 1 for watch in self.mews.watches for copies in watch.copies.values()),
            self.killed,
            self.mews.faults,
            self.disk.is_server,
        )

    def _storm(self) -> None:
        for index, process in enumerate(self.schedule.processes):
            self.timeline.pass_until(self.timeline.now + process.pause)
            self._allow(index)
            if self.schedule.hides == "both" and index and self._is_checked():
                self.mews.hide("both")
            self._tamper(process)
            for number in process.changes:
                self.current[number] = min(self.current[number] + 1, len(self.versions[number]) - 1)
            if self.needs_recover:
                self._process(replace(process, command="recover", changes=()))
            if process.is_in_company:
                self._together(process)
            else:
                self._process(self._with_targets(process))
            self._keep_copy(index)

    @property
    def refuses(self) -> str:
        """What Mews does not allow right now."""
        return self.host._refuses

    def _next(self) -> str:
        """The name of the next process on this machine."""
        self.host.count += 1
        return f"p{self.host.count}"

    def _allow(self, index: int) -> None:
        """Somebody has Mews take what it refused, once so many processes have run."""
        allows_from = self.schedule.allows_from
        if self.refuses and allows_from is not None and index >= allows_from:
            self.watch.tell(self.timeline.now, "mews", f"{self.refuses} are allowed now")
            self.host._refuses = ""
            self.mews.allow_all()

    def _with_targets(self, process: Process) -> Process:
        """An undo of some of the orders that the ledger holds as posted; a run where there are none."""
        if process.command != "undo":
            return process
        posted = sorted(number for number, row in self._rows().orders.items() if row["state"] == "posted")
        if not posted:
            return replace(process, command="run")
        numbers = sorted(self.rng.sample(posted, self.rng.randint(1, len(posted))))
        self.to_undo.update(numbers)
        return replace(process, command=f"undo {' '.join(numbers)}")

    def _finish_undos(self) -> None:
        """Undo again until what was begun is ended; an order is kept only for a return that stands, or an open window."""
        for _ in range(CALM_RERUNS):
            if self.needs_recover or self.is_stale:
                # A ledger from before it all knows nothing that could be undone.
                self._process(Process("recover"))
            rows = self._rows()
            left = [
                one
                for one in sorted(self.to_undo)
                if rows.orders[one]["state"] in _IN_MEWS and one not in self.watch.over
            ]
            if not left:
                return
            result = self._process(Process(f"undo {' '.join(left)}"))
            if isinstance(result, UndoResult):
                kept = [detail for detail in result.details if detail.result is Ending.KEPT]
                self.to_undo -= {one.order for one in kept if "its return" in one.message or "window" in one.message}
        self._blame(f"undo does not come to an end: {left}")

    def _calm(self) -> None:
        self.timeline.pass_until(self.timeline.now + self.schedule.calm_pause)
        self._allow(len(self.schedule.processes))
        if self.to_undo:
            self._finish_undos()
        is_retried = False
        for number in range(CALM_RERUNS):
            if self.needs_recover:
                self._process(Process("recover"))
            self._ask_person()
            retry, gave_up = number > 0 and not is_retried, self._gave_up()
            result = self._process(Process(retry=retry))
            # What this very run gave up, after the storm's faults, it does not try again: the next one does.
            is_open = bool(self._gave_up() - gave_up)
            is_retried = is_retried or (retry and _went_through(result) and not is_open)
            if isinstance(result, LoadResult) and result.stop is None and self._is_settled(number) and not is_open:
                break
        else:
            self._blame(f"not finished after {CALM_RERUNS} reruns: {self._states()}")
        self._final_check()

    def _gave_up(self) -> set[str]:
        """Orders that were proved absent so often that nobody sends them again unasked."""
        return {number for number, row in self._rows().orders.items() if row["code"] == "send.gave_up"}

    def _is_settled(self, number: int) -> bool:
        rows = self._rows()
        if rows.held or number == 0:
            return False
        return not any(state in ("in_flight", "unknown") for state, _ in rows.parts.values())

    # Processes

    def _process(self, process: Process) -> LoadResult | RecoverResult | UndoResult | EtlError | None:
        """One process from start to end; None where it was killed."""
        who = self._next()
        self.retries += process.retry
        tag = f"{process.command} {'no-wait ' if process.no_wait else ''}{process.faults}"
        self.watch.tell(self.timeline.now, who, f"{self._named()}starts: {tag}")
        self.mews.set_faults(process.faults, self.schedule.seed * 1000 + self.host.count, process.revoke_after)
        started = self.timeline.now
        running = _Running(self, process, who, self.path)
        self.at_work = [running]
        result = self._in_a_loop(process, who, [running], running.work)
        self._conclude(process, who, result, since=max(started, running.last_write or started))
        return result

    def _named(self) -> str:
        """Whose process it is, for the log."""
        return "" if self.host is self else f"[{self.schedule.store} of enterprise {self.schedule.enterprise}] "

    def _together(self, process: Process) -> None:
        """A process and all that is at work at the same time: its twin, and the neighbours."""
        started = self.timeline.now
        process = self._with_targets(process)
        twin = process.twin and self._with_targets(process.twin)
        other = self.path
        if twin and twin.on == "copy":
            other = self.folder / f"twin-{self.count}.sqlite"
            self.disk.copy(self.path, other)
        self.mews.set_faults(process.faults, self.schedule.seed * 1000 + self.count, process.revoke_after)
        ours = [self._begin(process, self.path, 0)]
        if twin:
            ours.append(self._begin(twin, other, 1))
            if twin.on == "shared":
                ours[0].is_shared = ours[1].is_shared = True
        self.at_work = ours
        theirs: list[_Running] = []
        for at, one in process.neighbours:
            neighbour = self.neighbours[at]
            neighbour.at_work = [neighbour._begin(neighbour._with_targets(one), neighbour.path, 1 + len(theirs))]
            theirs.extend(neighbour.at_work)
        everybody = [*ours, *theirs]
        results = self._in_a_loop(process, ours[0].who, everybody, lambda: _all(everybody)) or [None] * len(everybody)
        if twin and twin.on == "copy":
            self._conclude_copies(ours, results, other, started)
        else:
            self._conclude_one_ledger(ours, results, started)
        for running, result in zip(theirs, results[len(ours) :], strict=True):
            running.conclude(result, started)

    def _begin(self, process: Process, path: Path, place: int) -> _Running:
        who = self._next()
        self.retries += process.retry
        tag = f"{process.command}{' on the copy' if place and process.on == 'copy' and self.host is self else ''}"
        self.watch.tell(self.timeline.now, who, f"{self._named()}starts in company: {tag} {process.faults}")
        return _Running(self, process, who, path, place=place, is_alone=False)

    def _conclude_one_ledger(self, ours: list[_Running], results: list[Any], started: float) -> None:
        """One process, or two of which one holds the ledger's lock at a time."""
        for running, result in zip(ours, results, strict=False):
            error = _error_of(result)
            if error is not None and error.code == "ledger.locked":
                if running.requests:
                    self._blame(f"{running.who} has no lock, and sends {running.requests} requests", stop=False)
                if error.exit_code is not ExitCode.USAGE:
                    self._blame(f"{running.who} has no lock, and ends with {error.exit_code!r}", stop=False)
            running.conclude(result, started, is_last=len(ours) == 1)

    def _conclude_copies(self, ours: list[_Running], results: list[Any], other: Path, started: float) -> None:
        """Two copies of the ledger, one of which is used from then on."""
        is_theirs = self.rng.random() < 0.5
        for running, result in zip(ours, results, strict=False):
            self._tell_end(running.who, result)
            self._note_reported(running, result)
            self._check_copies(running.who, result, max(started, running.last_write or started), running.path)
            if self.watch.violations:
                raise _Violated
            if (running is ours[1]) is is_theirs:
                self.needs_recover = _lacks_orders(result) or (
                    isinstance(result, UndoResult) and _is_incomplete(result)
                )
        self._change_ledgers(other, is_theirs=is_theirs)
        # Until somebody looked once everything has landed, it may lack what the other copy sent.
        self.is_stale, self.paired_at = True, self.timeline.now

    def _change_ledgers(self, other: Path, *, is_theirs: bool) -> None:
        kept = self.folder / f"left-{self.count}.sqlite"
        if is_theirs and self.disk.exists(other):
            self.watch.tell(self.timeline.now, "disk", "the other copy of the ledger goes on")
            self.disk.copy(self.path, kept)
            self.disk.remove(self.path)
            self.disk.copy(other, self.path)
        elif self.disk.exists(other):
            self.disk.copy(other, kept)
        if self.disk.exists(kept):
            self.copies_of_ledger.append(kept)

    def _in_a_loop(
        self, process: Process, who: str, runnings: list[_Running], work: Callable[[], Coroutine[Any, Any, Any]]
    ) -> Any:
        """What a process (or two of them) comes to; None where it was killed."""
        kill_at = self.timeline.now + process.kill[1] if process.kill and process.kill[0] == "time" else None
        self.timeline.begin_process(kill_at)
        loop = VirtualLoop(self.timeline)
        result: Any = None
        try:
            asyncio.set_event_loop(loop)
            result = loop.run_until_complete(work())
        except Killed:
            self.watch.tell(self.timeline.now, who, "is killed")
            for running in runnings:
                running.die()
        except InternalError as error:
            self._blame(f"{who}: internal error {error.code}: {error}", stop=False)
        except EtlError as error:
            result = error
        except Deadlock:
            self._blame(f"{who}: everybody waits for ever", stop=False)
        except Exception as error:
            self._blame(f"{who}: {type(error).__name__}: {error}", stop=False)
        finally:
            self.timeline.begin_process(None)
            for running in runnings:
                running.is_over = True
            loop.sweep()
            for running in runnings:
                running.close()
            asyncio.set_event_loop(None)
            loop.close()
        self.clock.skew = timedelta(0)
        return result

    def _tell_end(self, who: str, result: Any) -> None:
        error = result if isinstance(result, EtlError) else getattr(result, "stop", None)
        words = f"ends: {error.code}: {error}" if error else "ends"
        if isinstance(result, CountedResult):
            words += f" {dict(result.counts)}{' interrupted' if result.is_interrupted else ''}"
        if isinstance(result, RecoverResult | UndoResult):
            words += f" {result}"
        self.watch.tell(self.timeline.now, who, words)
        if isinstance(error, InternalError):
            self._blame(f"{who}: internal error {error.code}: {error}", stop=False)
        if error is not None and error.code in THROTTLED:
            self._blame(f"{who} gives up after a storm of 429 that passed: {error}", stop=False)

    def _conclude(self, process: Process, who: str, result: Any, *, since: float, is_last: bool = True) -> None:
        """`since`: when the process began, or sent its last order or payment.

        `is_last`: no other process worked on the ledger besides.
        """
        self._tell_end(who, result)
        error = _error_of(result)
        if error is not None and error.code == "ledger.incomplete":
            # What an undo met besides is taken in as its hint says; a run has told it, and that is enough.
            self.needs_recover = self.needs_recover or _lacks_orders(result) or isinstance(result, UndoResult)
            is_of_copies = self.schedule.has_copies and not _lacks_orders(result)
            if (
                not is_of_copies
                and not self.is_stale
                and not self.watch.staff_cancelled
                and self.schedule.within_bounds
            ):
                self._blame(f"{who}: the right ledger is called incomplete: {error}", stop=False)
        if isinstance(result, LoadResult | RecoverResult | UndoResult):
            for number, ids in result.duplicated.items():
                self.reported.setdefault(number, set()).update(ids)
        if isinstance(result, RecoverResult):
            for number in result.different:
                self.reported.setdefault(number, set())
            self.needs_recover = self.is_stale = False
            # What was cancelled just before the last page was read may not have been on it yet.
            since = self.timeline.now - self.schedule.settle - 60
            self.watch.staff_cancelled = [at for at in self.watch.staff_cancelled if at > since]
        if isinstance(result, CountedResult):
            self.last = result
            is_free = not self.schedule.within_bounds or self.schedule.has_copies
            if self.is_stale and result.stop is None and result.sent and not is_free:
                self._blame(f"{who}: a ledger that lacks orders sent {result.sent} more", stop=False)
        if self.schedule.has_copies:
            self._check_copies(who, result, since, self.path)
            is_settled = since > self.paired_at + 1.5 * self.schedule.settle + 2 * self.schedule.latency + 1
            if isinstance(result, LoadResult) and result.stop is None and not result.is_interrupted and is_settled:
                self.is_stale = False
        if self.watch.violations:
            raise _Violated
        if self.schedule.within_bounds and not self.is_stale:
            self._check_ledger(is_clean=is_last and _ended_clean(process, result))

    def _note_reported(self, running: _Running, result: Any) -> None:
        """What a process that worked beside another says is there twice: never with the exit code of a good end."""
        if not isinstance(result, CountedResult | UndoResult) or not result.duplicated:
            return
        for number, ids in result.duplicated.items():
            self.reported.setdefault(number, set()).update(ids)
        if isinstance(result, UndoResult):
            return
        told = result.exit_code
        if told is not ExitCode.USAGE and not _sent_again(self.disk, running.path, result.duplicated):
            self._blame(f"{running.who} met copies that it did not send, and ends with {told!r}", stop=False)

    def _check_copies(self, who: str, result: Any, since: float, path: Path) -> None:
        """Whatever stood there twice when a run looked, it reports, or somebody has before."""
        if isinstance(result, UndoResult) and not result.is_interrupted and not result.left and result.stop is None:
            self._check_over(who, result, since - (self.schedule.lag + EPSILON if self.schedule.lag else 0))
        if not isinstance(result, LoadResult) or result.is_interrupted or result.has_left:
            return
        lacks_orders = _lacks_orders(result)
        if result.stop is not None and not _is_incomplete(result):
            return
        seen_until = since - (self.schedule.lag + EPSILON if self.schedule.lag else 0)
        states = self._rows(path).parts
        for (number, part), copies in self.watch.copies.items():
            ids = {copy.id for copy in copies if copy.at <= seen_until}
            # Nothing is decided on what is in doubt before `recover` has run.
            is_left = lacks_orders and states.get((number, part), ("", ""))[0] not in _IN_MEWS
            if len(ids) > 1 and not is_left and not ids <= self.reported.get(number, set()):
                self._blame(f"{who} does not report the copies of {part} of {number}: {sorted(ids)}", stop=False)
        self._check_over(who, result, seen_until)

    def _check_over(self, who: str, result: LoadResult | UndoResult, seen_until: float) -> None:
        """Whatever two copies of the ledger had reversed twice when one looked, it reports, or somebody has before."""
        if _lacks_orders(result):
            # Nothing is decided before `recover` has run, which tells it.
            return
        for number, at in self.watch.over.items():
            if at <= seen_until and number not in self.reported:
                self._blame(f"{who} does not report that {number} is reversed twice", stop=False)

    def plans(self) -> list[PlannedOrder]:
        """Today's export, oldest consumption first."""
        start = mews_start(self.schedule.offset)
        specs = [versions[self.current[number]] for number, versions in self.versions.items()]
        place = place_of(self.schedule)
        owner = place.enterprise if self.schedule.is_portfolio else ""
        return sorted(
            (planned(spec, start, place, owner) for spec in specs),
            key=lambda order: (order.consumption, order.number),
        )

    def _ask_person(self) -> None:
        """A person decides what the tool may not; this one knows the truth."""
        self._settle_all(self._rows().held)

    def _settle_all(self, numbers: list[str]) -> None:
        for number in numbers:
            wait = self.schedule.settle * 1.5 + 2
            self.timeline.pass_until(self.timeline.now + wait)
            copies = self.watch.copies.get((number, "order"), [])
            choice = f"--posted {copies[0].id}" if copies else "--absent"
            self.watch.tell(self.timeline.now, "desk", f"settle {number} {choice}")
            self._process(Process(f"settle {number} {copies[0].id if copies else ''}".strip()))

    # Around the processes

    def _post_strangers(self) -> None:
        """Orders of other people on the service, one of them perhaps like one of ours."""
        start = mews_start(self.schedule.offset)
        for index in range(self.schedule.strangers):
            self._stranger(f"T{index}", f"2026-02-1{index}T10:00:00Z", Decimal("12.50"), 1)
        if self.schedule.has_lookalike:
            spec = self.schedule.orders[0][0]
            line = spec.lines[0]
            moment = consumed(spec, start).strftime("%Y-%m-%dT%H:%M:%SZ")
            self.timeline.at(self.rng.uniform(0, 5), lambda: self._stranger(spec.number, moment, line.unit, line.count))

    def _stranger(self, number: str, moment: str, unit: Decimal, count: int) -> None:
        place = place_of(self.schedule)
        value = {"Currency": "GBP", "TaxCodes": ["UK-20%"], f"{self.schedule.basis.capitalize()}Value": unit}
        item = {"Name": "Massage", "UnitCount": count, "UnitAmount": value}
        body = {"ClientToken": CLIENT_TOKEN, "AccessToken": ACCESS_TOKEN, "Client": "another integration"}
        if self.schedule.is_outlet:
            item |= {"Type": "Revenue", "ConsumedUtc": moment, "AccountingCategoryId": place.category}
            bill = {"OutletId": place.id, "Number": number, "ClosedUtc": moment, "Items": [item]}
            self._sent_by_another("outletBills/add", {**body, "Bills": [bill]})
            return
        body |= {"EnterpriseId": place.enterprise, "ServiceId": place.id, "AccountId": ACCOUNT}
        self._sent_by_another("orders/add", {**body, "ConsumptionUtc": moment, "Items": [item]})

    def _sent_by_another(self, operation: str, body: dict[str, Any]) -> None:
        sandbox, plan, recent = self.mews.sandbox, self.mews.sandbox.plan, self.mews.sandbox._recent
        self.mews.set_faults((), 0, None)
        sandbox.handle(f"{PREFIX}{operation}", dump(body), sandbox.clock())
        # Another access token: our limit has nothing to do with it.
        recent.pop() if recent else None
        sandbox.plan = plan

    def _tamper(self, process: Process) -> None:
        if not process.before or not self.disk.exists(self.path):
            return
        if process.before == "restore" and not self.copies_of_ledger:
            return
        self.watch.tell(self.timeline.now, "disk", f"the ledger is {'lost' if process.before == 'lose' else 'old'}")
        self.disk.remove(self.path)
        if process.before == "restore":
            self.disk.copy(self.rng.choice(self.copies_of_ledger), self.path)
        self.watch.staff_cancelled = list(self.watch.ever_cancelled)
        rows = self._rows()
        known = ("posted", "different", "unknown", "in_flight", "undone")
        lacking = [key for key in self.watch.copies if rows.parts.get(key, ("", ""))[0] not in known]
        self.is_stale = bool(lacking) or self._is_from_before_an_undo(rows)

    def _is_from_before_an_undo(self, rows: _Rows) -> bool:
        """Whether Mews shows a reversal that this ledger knows nothing of."""
        entries = {mews_id for (_, part), (_, mews_id) in rows.parts.items() if part.startswith("undo")}
        made = [one for ids in (*self.watch.undo_orders.values(), *self.watch.paid_back.values()) for one in ids]
        cancelled = [
            number
            for (number, part), copies in self.watch.copies.items()
            if part == "order"
            and rows.parts.get((number, part), ("", ""))[0] == "posted"
            and any(self.mews.is_canceled(copy.id) and copy.id not in self.watch.touched for copy in copies)
            and not any(key[0] == number and key[1].startswith("undo") for key in rows.parts)
        ]
        if self.schedule.is_outlet:
            # The ids of opposites that travelled together are read back later.
            sent = {
                number for (number, part), (state, _) in rows.parts.items() if part[:4] == "undo" and state in _SENT
            }
            return not sent.issuperset(self.watch.undo_orders)
        return bool(cancelled) or any(one not in entries for one in made)

    def _keep_copy(self, index: int) -> None:
        if any(process.before == "restore" for process in self.schedule.processes[index + 1 :]) and self.disk.exists(
            self.path
        ):
            copy = self.folder / f"copy-{index}.sqlite"
            self.disk.copy(self.path, copy)
            self.copies_of_ledger.append(copy)

    # Checks

    def _rows(self, path: Path | None = None) -> _Rows:
        rows = _Rows()
        with self.disk.read(path or self.path, "orders") as connection:
            if connection is None:
                return rows
            for row in connection.execute("SELECT number, part, state, mews_id, held FROM parts"):
                rows.parts[row["number"], row["part"]] = (row["state"], row["mews_id"])
                if row["held"] and row["state"] == "unknown" and not row["part"].startswith("undo"):
                    rows.held.append(row["number"])
            for row in connection.execute("SELECT * FROM orders"):
                rows.orders[row["number"]] = row
                rows.parts.setdefault((row["number"], "order"), (row["state"], row["mews_order_id"]))
        return rows

    def _is_checked(self) -> bool:
        """Whether the ledger's first order was read back: a Mews without any mark would end the run there."""
        with self.disk.read(self.path, "meta") as connection:
            return (
                connection is not None
                and connection.execute("SELECT 1 FROM meta WHERE key = 'first_check'").fetchone() is not None
            )

    def _check_ledger(self, *, is_clean: bool) -> None:
        """What the ledger claims is true in Mews: posted is there under that id, ready and rejected are not."""
        rows, under_way = self._rows(), self.mews.under_way(self.schedule)
        for key, (state, mews_id) in rows.parts.items():
            if key[1].startswith("undo"):
                continue
            ids = [copy.id for copy in self.watch.copies.get(key, ())]
            # Which of many bills is which is read back later: until then the ledger has no id.
            is_unread = self.schedule.is_outlet and not mews_id and bool(ids)
            if state in _IN_MEWS and mews_id not in ids and not is_unread:
                self._blame(f"the ledger calls {key} {state} as {mews_id}, Mews has {ids}")
            if state in _ABSENT and ids:
                self._blame(f"the ledger calls {key} {state}, Mews has {ids}")
            if state in _ABSENT and key in under_way:
                self._blame(f"the ledger calls {key} {state}, Mews will still commit it")
            if state == "in_flight" and is_clean:
                self._blame(f"the run ended in order, but {key} is still in flight")
        for key, copies in self.watch.copies.items():
            if key not in rows.parts:
                self._blame(f"Mews has {key} as {copies[0].id}, the ledger does not know it")
        self._check_kinds()

    def _check_kinds(self) -> None:
        """Three equal refusals of a kind are enough to know, in whatever run, unless somebody asks to try again."""
        query = (
            "SELECT message, count(*) AS refusals FROM attempts WHERE outcome = 'refused' {} GROUP BY message".format(
                # Opposites are no order of the kind.
                "AND part NOT LIKE 'undo%'"
            )
        )
        with self.disk.read(self.path, "attempts") as connection:
            for row in connection.execute(query) if connection is not None else ():
                message, count = row["message"], row["refusals"]
                if message.startswith(_OF_A_KIND) and count > EQUAL_REFUSALS * (1 + self.retries):
                    self._blame(f"{count} times the ledger records, after {self.retries} retries: {message}")

    def _final_check(self) -> None:
        if not self.schedule.within_bounds:
            self._check_reports()
        rows = self._rows()
        expected = Counter[ReportState]()
        booked = held = ledger = Decimal(0)
        for number, versions in self.versions.items():
            spec = versions[self.current[number]]
            row = rows.orders.get(number)
            if row is None:
                self._blame(f"the ledger does not know order {number} at the end")
                continue
            copies = self.watch.copies.get((number, "order"), [])
            if not copies:
                self._check_unsent(number, spec, row)
                continue
            name = self._check_posted(number, spec, row, rows)
            expected[name] += 1
            # Beyond the bounds another version may be there besides: the ledger speaks of the one that it knows.
            version = next((one.version for one in copies if one.id == row["mews_order_id"]), copies[0].version)
            held += sum((copy.version.gross for copy in copies), Decimal(0))
            if name is ReportState.UNDONE or row["state"] == "different":
                continue
            if not self.schedule.within_bounds and row["fingerprint"] != version.fingerprint:
                # Given up, planned anew in another version, and only then found: the facts are the newer plan's.
                continue
            booked += version.gross
            ledger += Decimal(row["planned_total"]) + self._credits(number, row, version)
        if booked != ledger and not self.watch.violations:
            self._blame(f"Mews holds {booked}, the ledger says {ledger}")
        if self.schedule.within_bounds:
            self._check_sums(held)
            self._check_money()
            self._check_report(expected)

    def _credits(self, number: str, row: Row, version: Spec) -> Decimal:
        """Credits that the ledger takes off: those planned, or those there where `recover` found another order."""
        as_found = row["posted_run_id"] == RECOVERED_RUN and row["changed"]
        # The payments on a bill are told by their type; which of them is a credit, by its identifier alone.
        is_told = self.schedule.is_outlet and self.schedule.hides not in ("identifiers", "both")
        return self._booked_credits(number, version, is_whole=is_told or not as_found)

    def _booked_credits(self, number: str, version: Spec, *, is_whole: bool) -> Decimal:
        """All credits of an order, or those of which a payment is in Mews."""
        is_booked = [is_whole or (number, part) in self.watch.copies for part in version.credits]
        return sum(compress(version.credits.values(), is_booked), Decimal(0))

    def _check_unsent(self, number: str, spec: Spec, row: Row) -> None:
        """An order that is not in Mews is reported with the right reason, or it is lost."""
        state, code = row["state"], row["code"]
        refused = spec.fate == "refused" or (spec.fate == "edge" and "before the editable" in row["message"])
        # A refusal whose answer was lost every time looks like an order that never arrives.
        gave_up = spec.fate in ("refused", "edge") and code == "send.gave_up"
        if state == "rejected" and ((code == "mews.refused" and refused) or gave_up):
            return
        if state == "blocked" and code == "window.passed" and spec.fate == "edge":
            return
        kinds = set(kinds_of(spec, place_of(self.schedule).route))
        if self.schedule.refuses in kinds and (state, code) == _GAVE_UP:
            return
        refused_kinds = {self.refuses, f"payment:{self.refuses}", "payment:Invoice"} - {""}
        if refused_kinds & kinds:
            is_told = row["message"].startswith(_OF_AN_ORDER)
            if (state, code) == ("rejected", "mews.refused") and is_told:
                return
            if (state, code) == ("blocked", "kind.refused"):
                return
        above = self.watch.copies.get((spec.parent, "order"), [])
        # An order that the staff canceled counts as gone once `recover` has seen it.
        is_gone = not above or spec.parent in self.to_undo
        # What an old ledger knows otherwise than Mews has it is for a person, and its return with it.
        kept = self._rows().orders.get(spec.parent)
        is_gone = is_gone or (kept is not None and kept["state"] == "different")
        parent = spec.parent and (is_gone or not self.watch.touched.isdisjoint(one.id for one in above))
        if state == "blocked" and code == "return.parent" and parent:
            return
        self._blame(f"order {number} is lost: {state} {code} {row['message']}")

    def _check_posted(self, number: str, spec: Spec, row: Row, rows: _Rows) -> ReportState:
        """The order is there: so are its payments, and the ledger says so of the version that is there."""
        copies = self.watch.copies[number, "order"]
        version = next((one.version for one in copies if one.id == row["mews_order_id"]), None)
        if version is None:
            self._blame(f"order {number}: the ledger says {row['mews_order_id']}, Mews has {[c.id for c in copies]}")
            return ReportState.POSTED
        if number in self.watch.over:
            if row["state"] not in ("undone", "different") or number not in self.reported:
                self._blame(f"order {number} is reversed twice, and nobody says so: it is {row['state']}")
            return _reported(row["state"])
        is_touched = not self.watch.touched.isdisjoint(one.id for one in copies)
        if row["state"] == "undone" and number in self.to_undo:
            self._check_undone(number, version)
            return ReportState.UNDONE
        if row["state"] in ("undone", "different") and is_touched:
            # What the staff canceled is there no more, and `recover` says so.
            return _reported(row["state"])
        if row["state"] == "different" and not self.schedule.within_bounds and len(copies) > 1:
            # Reads lagged for longer than design 7.1 allows, it went twice, and Mews knows neither by the id that it answered.
            return _reported("different")
        if row["state"] == "different" and version.version > 1:
            # An old copy of the ledger holds an attempt of an earlier version: a person compares.
            return _reported("different")
        if row["posted_fingerprint"] not in ("", version.fingerprint):
            self._blame(f"order {number}: the ledger posted {row['posted_fingerprint']}, Mews has v{version.version}")
        is_changed = version is not spec
        # What `recover` found is compared with what Mews returns, so the staff's changes show there.
        is_moved = row["posted_run_id"] == "recovered" and is_touched
        is_changed = is_changed or (is_moved and bool(row["changed"]))
        if is_changed != bool(row["changed"]):
            self._blame(
                f"order {number}: v{version.version} is in Mews, the export has v{spec.version}: {row['changed']!r}"
            )
        for part, _, kind in () if self.schedule.is_outlet else version.payments:
            state = rows.parts.get((number, part), ("", ""))[0]
            paid = len(self.watch.copies.get((number, part), ()))
            if not self.schedule.within_bounds and (state, paid) == ("ready", 0):
                # The last `recover` took up a copy that had landed late: told as open, and the next run pays for it.
                continue
            if kind in ("Invoice", self.refuses) and not is_changed:
                # Of a held type, what was never sent stays unsent.
                if state not in ("rejected", "ready") or paid:
                    self._blame(f"order {number}: {part} must be refused, it is {state}")
            elif not is_changed and (state != "posted" or not paid):
                self._blame(f"order {number}: {part} is {state} and {paid} times in Mews")
        if row["state"] == "different":
            self._blame(f"order {number} is called different: {row['message']}")
        if is_changed:
            return ReportState.CHANGED
        types = set() if self.schedule.is_outlet else {kind for _, _, kind in version.payments}
        return ReportState.REJECTED if types & {"Invoice", self.refuses} else ReportState.POSTED

    def _check_undone(self, number: str, version: Spec) -> None:
        """Nothing stands of an undone order, and each payment was paid back once."""
        left = self.watch.left_of(self.mews.sandbox, number)
        if left:
            self._blame(f"order {number} is called undone, {left} stands in Mews")
        if self.schedule.is_outlet:
            if paid := self.watch.paid_of(self.mews.sandbox, number):
                self._blame(f"order {number} is called undone, {paid} stands paid in Mews")
            return
        for part, _, _ in version.payments:
            paid, back = self.watch.copies.get((number, part), ()), self.watch.paid_back.get((number, part), ())
            if len(paid) != len(back):
                self._blame(
                    f"order {number} is called undone, {part} was paid {len(paid)} times, back {len(back)} times"
                )

    def _check_whole(self) -> None:
        """What nobody undid stands as it was posted, whatever other ledgers did meanwhile."""
        if not self.schedule.within_bounds:
            return
        for (number, part), copies in self.watch.copies.items():
            if number in self.to_undo:
                continue
            if self.watch.paid_back.get((number, part)) or (part == "order" and number in self.watch.undo_orders):
                self._blame(f"{part} of {number} is reversed, nobody undid it")
            for copy in copies if part == "order" else ():
                left = self.watch.sold_by(self.mews.sandbox, copy.id)
                if left != copy.version.gross and copy.id not in self.watch.touched:
                    self._blame(f"order {number} of {copy.version.gross} was not undone, {left} of it stands")

    def _check_sums(self, booked: Decimal) -> None:
        store, mine = self.mews.sandbox._store, f"centra:{self.schedule.store}:"
        sold = (
            [item for item in store.outlets.items if item.type != PAYMENT] if self.schedule.is_outlet else store.items
        )
        held = sum(
            (
                item.amount.gross
                for item in sold
                if (item.external_identifier or "").startswith(mine)
                and ":undo:" not in item.external_identifier
                and item.enterprise_id == place_of(self.schedule).enterprise
            ),
            Decimal(0),
        )
        if held != booked:
            self._blame(f"Mews's items come to {held}, its orders of ours to {booked}")

    def _check_money(self) -> None:
        """The column `posted` of a report: items that stand less the credits that were booked, part by part."""
        with self.parts.ledger.open(self.disk.address(self.path), create=False, wall=self.clock.wall) as ledger:
            told = {status.number: status for status in ledger_statuses(ledger, self.schedule.store, "")}
            recovered = {order.number for order in ledger.orders() if order.posted_run_id == RECOVERED_RUN}
        for (number, part), copies in self.watch.copies.items():
            is_plain = told[number].state in (ReportState.POSTED, ReportState.ALREADY_POSTED, ReportState.REJECTED)
            # What `recover` found has the amounts that Mews returns, the staff's doings included.
            if part != "order" or not is_plain or number in recovered:
                continue
            version = copies[0].version
            due = version.gross - self._booked_credits(number, version, is_whole=self.schedule.is_outlet)
            posted = sum((share[4] for share in told[number].money if share[0] == Column.POSTED), Decimal(0))
            if posted != due:
                self._blame(f"a report says that {posted} of order {number} are posted, Mews holds {due}")

    def _check_report(self, expected: Counter[ReportState]) -> None:
        """The last run's counts and exit code say what Mews holds."""
        result = self.last
        if result is None:
            self._blame("no run came to an end")
            return
        posted = sum(
            result.counts[name] for name in (ReportState.POSTED, ReportState.RECOVERED, ReportState.ALREADY_POSTED)
        )
        if (
            posted != expected[ReportState.POSTED]
            or result.counts[ReportState.CHANGED] != expected[ReportState.CHANGED]
        ):
            self._blame(f"the last run counts {dict(result.counts)}, Mews holds {dict(expected)}")
        all_good = expected[ReportState.POSTED] + expected[ReportState.UNDONE] == len(self.versions)
        due = {ExitCode.DONE if all_good else ExitCode.ATTENTION}
        if self.watch.over or any(len(copies) > 1 for copies in self.watch.copies.values()):
            # What is there twice was told; a later run tells it again if it meets it again.
            due.add(ExitCode.ATTENTION)
        if result.exit_code not in due:
            self._blame(f"the last run ends with {result.exit_code!r}; {dict(expected)} of {len(self.versions)}")

    def _check_reports(self) -> None:
        """Beyond the bounds: whatever is there twice was reported, or is by whoever reads Mews back."""
        self.timeline.pass_until(self.timeline.now + 10 * self.schedule.settle + 60)
        found = self._process(Process("recover"))
        if isinstance(found, RecoverResult) and (found.resolved or found.found):
            # What arrived after all may lack its payments: as the hint says, a run goes on with it.
            self._process(Process())
        rows = self._rows()
        for (number, part), copies in self.watch.copies.items():
            row = rows.orders.get(number)
            told = self.reported.get(number, set()) | set(_ids(row["duplicates"]) if row is not None else ())
            charging = [copy for copy in copies if not self.mews.is_canceled(copy.id)]
            if len(charging) > 1 and not told:
                self._blame(f"{part} of {number} is in Mews {len(copies)} times and nobody says so")

    def _states(self) -> dict[str, str]:
        return {f"{number}:{part}": state for (number, part), (state, _) in self._rows().parts.items()}

    def _blame(self, what: str, *, stop: bool = True) -> None:
        self.watch.blame(self.timeline.now, what)
        if stop:
            raise _Violated


class _Violated(Exception):
    """The schedule showed what must not be; it ends here."""


class _Running:
    """One process while it runs: its ledger, client and loader."""

    def __init__(
        self, runner: Runner, process: Process, who: str, path: Path, *, place: int = 0, is_alone: bool = True
    ) -> None:
        self._runner, self._process, self._who = runner, process, who
        self.path, self.place, self.is_alone = path, place, is_alone
        self.machine = "there" if process.takes_over or process.on == "shared" else "here"
        self.is_shared = False
        self.death: asyncio.Future[None] | None = None
        self.tasks: list[asyncio.Task[Any]] = []
        self._rng = random.Random(f"process {runner.schedule.seed} {who}")
        self._wire = Wire(runner.mews, who, asyncio.sleep, self._rng)
        self._ledger: Ledger | None = None
        self._slots: _SlotsOfProcess | None = None
        self._limiter: Limiter | None = None
        self._passed: Counter[str] = Counter()
        self.is_over = self._has_lock = False

    async def work(self) -> LoadResult | RecoverResult | UndoResult | None:
        """What the command does between its start and its end."""
        runner, schedule = self._runner, self._runner.schedule
        for at, seconds in self._process.jumps:
            runner.timeline.at(runner.timeline.now + at, lambda by=seconds: self._jump(by))
        kind = nth_of(runner.parts.ledger, self.place)
        self._ledger = ledger = kind.open(
            runner.disk.address(self.path), wall=runner.clock.wall, checkpoint=self._checkpoint
        )
        if isinstance(ledger, ServerLedger):
            ledger.unheard = self._process.unheard
        self._take_lock(ledger)
        place = place_of(schedule)
        ledger.bind(Home(ADDRESS, place.enterprise, place.id, schedule.store))
        async with httpx.AsyncClient(
            transport=self._wire, timeout=httpx.Timeout(schedule.timeout), trust_env=False
        ) as http:
            writer = self._client(http)
            reader = runner.parts.reader(
                OutletReader(writer, place.id, closed_of=ledger.closings) if schedule.is_outlet else writer
            )
            match self._process.command.split():
                case ["run"]:
                    return await self._run(ledger, writer, reader)
                case ["recover"]:
                    return await recover(
                        ledger,
                        reader,
                        service_id=place.id,
                        store=schedule.store,
                        settle_seconds=Decimal(schedule.settle),
                        clock=runner.clock,
                        sleep=asyncio.sleep,
                        whole=partial(_whole, schedule.basis),
                    )
                case ["undo", *numbers]:
                    return await self._undo(ledger, writer, reader, numbers)
                case ["settle", number, *posted]:
                    await settle(
                        ledger,
                        reader,
                        number,
                        service_id=place.id,
                        store=schedule.store,
                        settle_seconds=Decimal(schedule.settle),
                        clock=runner.clock,
                        run_id=self._who,
                        posted_order_id=posted[0] if posted else "",
                        absent=not posted,
                        bills=reader if schedule.is_outlet else None,
                    )
        return None

    def _take_lock(self, ledger: Ledger) -> None:
        """A dead holder's lock is taken, a living one's only where somebody says that its machine is dead."""
        others = [one for one in self._runner.at_work if one.path == self.path and one is not self and one.holds_lock]
        living = {int(one.who[1:]) for one in others}
        VirtualRenewer.is_stuck = self._process.is_stuck
        # Nobody says so of another machine on which a process is at work, unless this schedule wants it.
        may_be_dead = not self.is_shared and not any(one.machine == "there" for one in others)
        ledger.take_lock(
            self._process.command,
            me=Holder(self.machine, "boot", int(self._who[1:]), "ticks:1"),
            alive=lambda holder: holder.pid in living,
            take_over={"here": "there", "there": "here"}[self.machine]
            if self._process.takes_over or may_be_dead
            else "",
            shared=self.is_shared,
        )
        self._has_lock = True
        if others and not self._process.takes_over and not self.is_shared:
            self._runner._blame(f"{self._who} and {others[0].who} hold the lock of one ledger", stop=False)

    @property
    def holds_lock(self) -> bool:
        """Whether it is alive, and took the lock."""
        return self._has_lock and not self.is_over

    @property
    def requests(self) -> int:
        """How many it sent."""
        return self._wire.requests

    def conclude(self, result: Any, started: float, *, is_last: bool = True) -> None:
        """What follows once all that was at work at the time has ended."""
        since = max(started, self.last_write or started)
        self._runner._conclude(self._process, self._who, result, since=since, is_last=is_last)

    async def _run(self, ledger: Ledger, writer: MewsWriter, reader: Any) -> LoadResult:
        runner, process = self._runner, self._process
        orders = runner.plans()
        if process.is_shuffled:
            self._rng.shuffle(orders)
        ledger.share_plan(" ".join(sorted(order.fingerprint for order in orders)))
        ledger.save_run(RunRecord(self._who, "run"))
        async with in_turn(ledger, BEGIN, asyncio.sleep):
            ledger.record_plan(self._who, orders)
        stop = StopFlag()
        self._plan_stops(stop)
        poster_type = runner.parts.biller if runner.schedule.is_outlet else runner.parts.poster
        poster = poster_type(ledger, self._reach(writer, reader), self._facts(), stop=stop, checkpoint=self._checkpoint)
        options = {"limit": process.limit, "no_wait": process.no_wait, "retry_rejected": process.retry}
        result = await run_counted(poster, ledger, orders, runner.schedule.store, self._who, **options)
        if result.stop is None and not result.is_interrupted:
            # As the command does: what a dead process met and could not tell any more is on disk.
            for number, ids in ledger.duplicated():
                result.duplicated.setdefault(number, ids)
        return result

    async def _undo(self, ledger: Ledger, writer: MewsWriter, reader: Any, numbers: list[str]) -> UndoResult:
        runner = self._runner
        ledger.save_run(RunRecord(self._who, "undo"))
        stop = StopFlag()
        self._plan_stops(stop)
        undoer = runner.parts.undoer(
            ledger,
            self._reach(writer, reader),
            self._facts(),
            UndoRules(may_rebate=True),
            reader=reader,
            stop=stop,
            checkpoint=self._checkpoint,
        )
        return await undoer.run(await undoer.choose("", numbers))

    def _reach(self, writer: MewsWriter, reader: Any) -> Reach:
        rng = random.Random(f"jitter {self._runner.schedule.seed} {self._who}")
        parts, clock = self._runner.parts, self._runner.clock
        bills = reader if self._runner.schedule.is_outlet else None
        return Reach(parts.writer(writer), reader, self._limiter, clock, asyncio.sleep, rng, people=writer, bills=bills)

    def _facts(self) -> RunFacts:
        schedule = self._runner.schedule
        return RunFacts(
            run_id=self._who,
            store=schedule.store,
            service_id=place_of(schedule).id,
            basis=Basis(schedule.basis),
            settle=timedelta(seconds=self._runner.parts.settle(schedule.settle)),
            concurrency=schedule.concurrency,
            window_start=(lambda _now: datetime.min.replace(tzinfo=UTC)) if schedule.is_outlet else window_start,
            bills_per_request=schedule.bills if schedule.is_outlet else 0,
        )

    def _client(self, http: httpx.AsyncClient) -> MewsWriter:
        runner, schedule = self._runner, self._runner.schedule
        tokens = Tokens(CLIENT_TOKEN, ACCESS_TOKEN)
        store: SlotStore = (
            FileSlots(runner.folder / runner.parts.slots(schedule), clock=runner.clock, boot_id="boot")
            if schedule.shared_slots
            else runner.memory_slots
        )
        self._slots = _SlotsOfProcess(store, is_shared=schedule.shared_slots)
        count, seconds = schedule.rate
        self._limiter = Limiter(
            runner.parts.rate(count),
            Decimal(str(seconds)),
            store=self._slots,
            clock=runner.clock,
            sleep=asyncio.sleep,
            timeout=schedule.timeout,
        )
        transport = Transport(
            address=ADDRESS,
            tokens=tokens,
            http=http,
            limiter=self._limiter,
            clock=runner.clock,
            rng=random.Random(f"pauses {schedule.seed} {self._who}"),
            sleep=asyncio.sleep,
            retry=runner.parts.retry,
        )
        return MewsWriter(transport, enterprise_id=place_of(schedule).enterprise if schedule.is_portfolio else None)

    def _plan_stops(self, stop: StopFlag) -> None:
        process, timeline = self._process, self._runner.timeline

        def request() -> None:
            if not self.is_over:
                self._runner.watch.tell(timeline.now, self._who, "Ctrl-C")
                stop.request()

        if process.stop_at is not None:
            timeline.at(timeline.now + process.stop_at, request)
            if process.leave_after is not None:
                timeline.at(timeline.now + process.stop_at + process.leave_after, request)

    def _jump(self, seconds: float) -> None:
        if not self.is_over:
            self._runner.clock.skew += timedelta(seconds=seconds)

    def _checkpoint(self, name: str) -> None:
        if self.is_over:
            return
        self._passed[name] += 1
        self._passed["any"] += 1
        process, timeline = self._process, self._runner.timeline
        if process.freeze is not None and self._passed["any"] == process.freeze[0]:
            self._runner.watch.tell(timeline.now, self._who, f"the machine sleeps at {name}")
            VirtualRenewer.is_asleep = True
            timeline.pass_until(timeline.now + process.freeze[1])
            VirtualRenewer.is_asleep = False
        if process.cut is not None and self._passed["any"] == process.cut:
            self._runner.watch.tell(timeline.now, self._who, f"the ledger's connections are cut at {name}")
            self._runner.disk.cut(self.path)
        if self._runner.watch.violations or (
            process.kill is not None
            and self._passed[process.kill[0]] == process.kill[1]
            and name != "time"
            and process.kill[0] in (name, "any")
        ):
            self._runner.watch.tell(timeline.now, self._who, f"dies at {name}")
            if self.is_alone or self._runner.watch.violations:
                timeline.kill()
            else:
                self.die()
            raise Killed

    @property
    def who(self) -> str:
        """Its name in the log."""
        return self._who

    @property
    def last_write(self) -> float | None:
        """When Mews got the last order or payment that it knows of."""
        return self._wire.last_write

    async def beside(self) -> Any:
        """The work of one of several; what it comes to, None where it died, alone."""
        runner, kill = self._runner, self._process.kill
        _OWNER.set(self)
        # The first of them begins at once: its pause is over.
        await asyncio.sleep(self._process.pause if self.place else 0.0)
        # Where the first is killed by the clock, all are.
        kill_after = kill[1] if self.place and kill and kill[0] == "time" else None
        self.death = asyncio.get_running_loop().create_future()
        if kill_after is not None:
            runner.timeline.at(runner.timeline.now + kill_after, self._perish)
        work = asyncio.ensure_future(self.work())
        await asyncio.wait({work, self.death}, return_when=asyncio.FIRST_COMPLETED)
        if self.death.done():
            for task in self.tasks:
                task.cancel()
            return None
        self.is_over = True
        self.close()
        try:
            return work.result()
        except EtlError as error:
            return error

    def _perish(self) -> None:
        if not self.is_over:
            self._runner.watch.tell(self._runner.timeline.now, self._who, "is killed, alone")
            self.die()

    def die(self) -> None:
        """kill -9: nothing more is written or sent."""
        self._runner.host.killed += not self.is_over
        if self.death is not None and not self.death.done() and not self.is_over:
            self.death.set_result(None)
        self.is_over = True
        self._wire.cut()
        if self._ledger is not None:
            self._ledger.abandon()
        if self._slots is not None:
            self._slots.kill()

    def close(self) -> None:
        """What an orderly end does; nothing after a kill."""
        if self._ledger is not None:
            self._ledger.close()
        if self._limiter is not None and self._slots is not None and not self._slots.is_dead:
            self._limiter.close()
            self._limiter = None


_OWNER: ContextVar[_Running | None] = ContextVar("owner", default=None)


def _reported(state: str) -> ReportState:
    """How an order is reported that the ledger calls undone or different."""
    return ReportState.UNDONE if state == "undone" else ReportState.CHANGED


def _owned(loop: asyncio.AbstractEventLoop, work: Any, **named: Any) -> asyncio.Task[Any]:
    """A task that dies with its process."""
    task = asyncio.Task(work, loop=loop, **named)
    owner = _OWNER.get()
    if owner is not None:
        owner.tasks.append(task)
    return task


async def _all(runnings: list[_Running]) -> list[Any]:
    """Several processes in one stretch of time."""
    asyncio.get_running_loop().set_task_factory(_owned)
    return await asyncio.gather(*(running.beside() for running in runnings))


def _error_of(result: Any) -> EtlError | None:
    return result if isinstance(result, EtlError) else getattr(result, "stop", None)


def _went_through(result: Any) -> bool:
    """Whether a run offered all orders, or was stopped by refusals, as it would be each time."""
    return isinstance(result, LoadResult) and (result.stop is None or result.stop.code == "run.refusals")


def _is_incomplete(result: Any) -> bool:
    error = _error_of(result)
    return error is not None and error.code == "ledger.incomplete"


def _whole(basis: str, rows: Sequence[OrderItemRow]) -> list[OrderItemRow]:
    """Items of bills, of which Mews tells one unit, with the amounts of all of them, as `centra-mews recover` has them."""
    found = []
    for row in rows:
        unit = row.unit_net if basis == "net" else row.unit_gross
        amounts = {row.external_identifier: with_tax(basis, row.count * unit)} if row.taxes else {}
        found += completed([row], amounts, Basis(basis))
    return found


def _lacks_orders(result: Any) -> bool:
    """Whether `recover` is due: not where copies are all that was met."""
    return _is_incomplete(result) and bool(getattr(_error_of(result), "lacks_orders", True))


def _sent_again(disk: Disk, path: Path, numbers: Any) -> bool:
    """Whether a ledger's own requests may explain copies of one of these orders: some part was sent twice."""
    query = "SELECT number FROM attempts WHERE outcome IN ('', 'done', 'unknown') GROUP BY number, generation, part"
    with disk.read(path, "attempts") as connection:
        rows = connection.execute(f"{query} HAVING count(*) > 1") if connection is not None else ()
        found = {row["number"] for row in rows}
    return not found.isdisjoint(numbers)


def _ended_clean(process: Process, result: Any) -> bool:
    # Whose ledger broke can't record an answer: it is in doubt until the next run.
    is_broken = isinstance(result, LoadResult) and isinstance(result.stop, LedgerError)
    return isinstance(result, LoadResult) and not (result.has_left or is_broken) and process.command == "run"


def _ids(text: str) -> list[str]:
    return [part for part in text.strip("[]").replace('"', "").split(",") if part]


# Many schedules


def scratch() -> str | None:
    """Where ledgers lie: in memory if possible, for durability of the disk is not what is tested here."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def run_seed(seed: int, parts: Parts = REAL, schedule: Schedule | None = None) -> Verdict:
    """The verdict on one seed."""
    with tempfile.TemporaryDirectory(dir=scratch(), prefix="fault-") as folder:
        drawn = draw_on_server if parts.disk is Databases else draw
        return Runner(schedule or drawn(seed), Path(folder), parts).run()


def _quiet(seed: int, *, on_server: bool = False) -> Verdict:
    verdict = run_seed(seed, ON_SERVER if on_server else REAL)
    if not verdict.violations:
        verdict.log.clear()
    return verdict


def run_seeds(seeds: range, jobs: int = 1, *, on_server: bool = False) -> Iterator[Verdict]:
    """The verdicts, in order of the seeds; of ledgers on a private PostgreSQL, or of files."""
    work = partial(_quiet, on_server=on_server)
    if jobs == 1:
        yield from map(work, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(work, seeds, chunksize=8)
        # Its processes end by themselves, so that each takes its server with it.
        pool.close()
        pool.join()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@dataclass(slots=True)
class Tally:
    """What a range of seeds came to so far."""

    seeds: range
    jobs: int
    began: float = field(default_factory=time.perf_counter)
    totals: Counter[str] = field(default_factory=Counter)
    failed: list[int] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    _told: float = field(default_factory=time.perf_counter)

    def add(self, verdict: Verdict) -> None:
        """Takes a verdict in, and tells of a failure at once."""
        self.totals.update(
            schedules=1,
            processes=verdict.processes,
            requests=verdict.requests,
            hours=int(verdict.virtual_seconds),
            duplicates=verdict.duplicates,
            killed=verdict.killed,
            faults=verdict.faults.total(),
            outlet=verdict.schedule.is_outlet,
            elsewhere=any(one.enterprise for one in verdict.schedule.neighbours),
            shared=verdict.schedule.is_shared,
            makers=verdict.schedule.is_shared and verdict.schedule.makes_people,
        )
        self.faults.update(verdict.faults)
        if verdict.violations:
            self.failed.append(verdict.schedule.seed)
            _say(f"seed {verdict.schedule.seed}: {verdict.violations[0]}")
            if len(self.failed) == 1:
                _say(verdict.report())
        if time.perf_counter() - self._told >= TELL_SECONDS:
            self._told = time.perf_counter()
            left = (len(self.seeds) - self.done) / self.rate
            _say(
                f"{self.done} of {len(self.seeds)}, {self.rate:.1f}/s, {len(self.failed)} failed, {left / 60:.0f} min left"
            )

    @property
    def done(self) -> int:
        """Schedules run: in the order of their seeds, so that it tells where to go on."""
        return self.totals["schedules"]

    @property
    def rate(self) -> float:
        """Schedules a second."""
        return self.done / (time.perf_counter() - self.began)

    def conclude(self) -> None:
        """The last lines: sums, what failed, and how to go on where it ended early."""
        totals = self.totals
        _say(
            f"{self.done} schedules (seeds {self.seeds.start} to {self.seeds.start + self.done - 1}) "
            f"in {time.perf_counter() - self.began:.1f} s ({self.rate:.1f}/s, {self.jobs} jobs): "
            f"{totals['processes']} processes ({totals['killed']} killed), {totals['requests']} requests, "
            f"{totals['faults']} faults, {totals['hours'] / 3600:.0f} virtual hours, {totals['outlet']} outlets, "
            f"{totals['elsewhere']} with ledgers of two enterprises, {totals['shared']} with runs that share a ledger "
            f"({totals['makers']} of them make customers), "
            f"{totals['duplicates']} duplicates beyond the bounds or by two copies of a ledger (all reported), "
            f"{len(self.failed)} failed {self.failed[:_TRACES]}"
        )
        _say("faults: " + ", ".join(f"{name} {count}" for name, count in self.faults.most_common()))
        if self.done < len(self.seeds):
            first, left = self.seeds.start + self.done, len(self.seeds) - self.done
            _say(f"the rest: make fault FIRST={first} SCHEDULES={left}")


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 if no schedule showed a violation."""
    parser = argparse.ArgumentParser(description="Bad days drawn from seeds, against the real loader.")
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="this one alone, with its log")
    parser.add_argument("--jobs", type=int, default=0, help="processes; 0: one for each core in long proofs")
    parser.add_argument(
        "--ledger", choices=("sqlite", "postgresql"), default="sqlite", help="a private server, or files"
    )
    options = parser.parse_args(argv)
    # Ended from outside, it says how far it came and takes its server along; where it was put into the background, too.
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, signal.default_int_handler)
    on_server = options.ledger == "postgresql"
    if options.seed is not None:
        verdict = run_seed(options.seed, ON_SERVER if on_server else REAL)
        _say(verdict.report())
        return int(bool(verdict.violations))
    jobs = options.jobs or (os.cpu_count() or 1 if options.schedules > LONG else 1)
    tally = Tally(range(options.first, options.first + options.schedules), jobs)
    try:
        for verdict in run_seeds(tally.seeds, jobs, on_server=on_server):
            tally.add(verdict)
    except KeyboardInterrupt:
        tally.conclude()
        return 130
    tally.conclude()
    return int(bool(tally.failed))


if __name__ == "__main__":
    sys.exit(main())
