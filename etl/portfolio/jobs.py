"""The processes of all properties, some at a time; one property's failure stops no other.

Before anything is sent every property is preflighted: the second round begins when the first has ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

from etl.errors import EtlError, ExitCode, UsageError
from etl.portfolio.call import call, refuse_unreviewed
from etl.portfolio.file import Property
from etl.portfolio.process import Ended, Process, Record
from etl.portfolio.result import Result
from etl.portfolio.starting import NewInterpreter, Start

LOCKED = "ledger.locked"
LOCK_SECONDS = 30.0
"""How long a run waits for the one before it, which ends as soon as it notices that its portfolio was killed."""
_POLL_SECONDS = 0.5
_RETRY_SECONDS = 1.0

Tell = Callable[[str, Record], None]
"""Takes a property's name and a record: `{"event": "state", "message": ".."}`, or what its process logged."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What is asked of all. `level` is the level of the log; `report` the folder of the report, None for none."""

    command: str
    jobs: int
    report: Path | None
    level: str
    values: Mapping[str, str] = field(repr=False)
    start: Start = NewInterpreter


class Jobs:
    """All properties under one command. `stop` may be called from a signal handler, `run` once."""

    def __init__(self, properties: Sequence[Property], orders: Orders, tell: Tell) -> None:
        self._properties = properties
        self._orders = orders
        self._tell = tell
        self._hidden = {name for one in properties for name in (one.client_token_env, one.access_token_env)}
        self._stopping = Event()
        self._running: set[Process] = set()
        self._guard = Lock()

    def stop(self) -> None:
        """Ctrl-C: starts nothing more, and passes it on to every process that is under way."""
        self._stopping.set()
        # No lock: a signal handler that waits for the thread it interrupted would wait for ever.
        for process in tuple(self._running):
            process.stop()

    def run(self) -> list[Result]:
        """What became of each property, in the order of the file. Effects: processes, which all have ended."""
        sends = self._orders.command == "run"
        checked = self._round(self._preflight, self._properties) if sends else {}
        left = [one for one in self._properties if one.name not in checked or checked[one.name].may_send]
        done = self._round(self._work, left)
        return [done.get(one.name) or checked[one.name] for one in self._properties]

    def _round(self, work: Callable[[Property], Result], properties: Sequence[Property]) -> dict[str, Result]:
        with ThreadPoolExecutor(self._orders.jobs, "property") as pool:
            waiting: dict[Future[Result], str] = {pool.submit(work, one): one.name for one in properties}
            left = set(waiting)
            while left:
                # In short turns, so that the main thread takes a signal between two of them.
                _, left = wait(left, _POLL_SECONDS)
            return {name: future.result() for future, name in waiting.items()}

    def _preflight(self, one: Property) -> Result:
        return self._guarded(one, "preflight", lambda: self._checked(one))

    def _checked(self, one: Property) -> Result:
        refuse_unreviewed(one, self._orders.values)
        ended = self._process(one, "preflight")
        return Result(one, ended.exit_code, ended.document, stage="preflight")

    def _work(self, one: Property) -> Result:
        return self._guarded(one, self._orders.command, lambda: self._worked(one))

    def _worked(self, one: Property) -> Result:
        began = time.monotonic()
        ended = self._process(one, self._orders.command)
        while _is_locked(ended) and time.monotonic() - began < LOCK_SECONDS and not self._stopping.is_set():
            self._say(one, "waits for the run that holds its ledger")
            self._stopping.wait(_RETRY_SECONDS)
            ended = self._process(one, self._orders.command)
        return Result(one, ended.exit_code, ended.document, stage=self._orders.command)

    def _guarded(self, one: Property, stage: str, work: Callable[[], Result]) -> Result:
        """The result, or the fault as one: it is this property's alone."""
        try:
            result = not_started(one, stage) if self._stopping.is_set() else work()
        except EtlError as error:
            result = Result(one, error.exit_code, {"error": error.attrs()}, stage=stage)
        except OSError as error:
            result = Result(one, ExitCode.USAGE, {"error": _not_startable(error).attrs()}, stage=stage)
        is_last = stage == self._orders.command or not result.may_send
        self._say(one, f"{stage}: {result.words}", ended=is_last)
        return result

    def _process(self, one: Property, command: str) -> Ended:
        orders = self._orders
        asked = call(command, one, orders.values, hidden=self._hidden, report=orders.report, level=orders.level)
        self._say(one, f"{command}: starting")
        process = Process(asked, lambda record: self._tell(one.name, record), orders.start)
        with self._listed(process):
            if self._stopping.is_set():
                # The signal came while it started, and its handler could not see it.
                process.stop()
            return process.wait()

    @contextmanager
    def _listed(self, process: Process) -> Iterator[None]:
        with self._guard:
            self._running = {*self._running, process}
        try:
            yield
        finally:
            with self._guard:
                self._running = self._running - {process}

    def _say(self, one: Property, message: str, **more: Any) -> None:
        self._tell(one.name, {"event": "state", "message": message, **more})


def not_started(one: Property, stage: str) -> Result:
    """A property whose turn never came."""
    error = {
        "code": "portfolio.not_started",
        "message": "Interrupted before its turn; nothing was sent.",
        "hint": "Start the same command again.",
    }
    return Result(one, ExitCode.INTERRUPTED, {"error": error}, stage=stage)


def _not_startable(error: OSError) -> UsageError:
    """The system's word: too many processes or open files, no memory."""
    return UsageError(
        f"The property's process can't be started: {error.strerror or error}.",
        code="portfolio.process",
        hint="Start the same command again with fewer --jobs; what was sent is recorded.",
    )


def _is_locked(ended: Ended) -> bool:
    return bool(ended.document.get("error", {}).get("code") == LOCKED)
