"""The processes of all properties, some at a time; one property's failure stops no other.

Before anything is sent every property is preflighted: the second round begins when the first has ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event
from typing import Any

from etl.errors import EtlError, ExitCode, UsageError
from etl.portfolio.call import in_its_names
from etl.portfolio.file import Property
from etl.portfolio.place import Orders, Place, Tell, state
from etl.portfolio.process import Ended
from etl.portfolio.result import Result

LOCKED = "ledger.locked"
TOLD = ("error", "stopped", "checks")
"""Where a document says what is to be corrected."""
_POLL_SECONDS = 0.5
_RETRY_SECONDS = 1.0


class Jobs:
    """All properties under one command, `jobs` at a time. `stop` may be called from a signal handler, `run` once."""

    def __init__(self, properties: Sequence[Property], orders: Orders, place: Place, tell: Tell, jobs: int) -> None:
        self._properties = properties
        self._orders = orders
        self._place = place
        self._tell = tell
        self._jobs = jobs
        self._stopping = Event()

    def stop(self) -> None:
        """Ctrl-C: starts nothing more, and passes it on to every process that is under way."""
        self._stopping.set()
        self._place.stop()

    def run(self) -> list[Result]:
        """What became of each property, in the order of the file. Effects: processes, which all have ended."""
        sends = self._orders.command == "run"
        checked = self._round(self._preflight, self._properties) if sends else {}
        left = [one for one in self._properties if one.name not in checked or checked[one.name].may_send]
        done = self._round(self._work, left)
        return [done.get(one.name) or checked[one.name] for one in self._properties]

    def _round(self, work: Callable[[Property], Result], properties: Sequence[Property]) -> dict[str, Result]:
        with ThreadPoolExecutor(self._jobs, "property") as pool:
            waiting: dict[Future[Result], str] = {pool.submit(work, one): one.name for one in properties}
            left = set(waiting)
            while left:
                # In short turns, so that the main thread takes a signal between two of them.
                _, left = wait(left, _POLL_SECONDS)
            return {name: future.result() for future, name in waiting.items()}

    def _preflight(self, one: Property) -> Result:
        return self._guarded(one, "preflight", lambda: self._checked(one))

    def _checked(self, one: Property) -> Result:
        ended = self._place.do(one, "preflight", self._tell)
        return _result(one, ended, "preflight")

    def _work(self, one: Property) -> Result:
        return self._guarded(one, self._orders.command, lambda: self._worked(one))

    def _worked(self, one: Property) -> Result:
        began = time.monotonic()
        ended = self._place.do(one, self._orders.command, self._tell)
        while _is_locked(ended) and time.monotonic() - began < self._place.lock_seconds and not self._stopping.is_set():
            self._say(one, "waits for the run that holds its ledger")
            self._stopping.wait(_RETRY_SECONDS)
            ended = self._place.do(one, self._orders.command, self._tell)
        return _result(one, ended, self._orders.command)

    def _guarded(self, one: Property, stage: str, work: Callable[[], Result]) -> Result:
        """The result, or the fault as one: it is this property's alone."""
        try:
            result = not_started(one, stage) if self._stopping.is_set() else work()
        except EtlError as error:
            result = Result(one, error.exit_code, {"error": error.attrs()}, stage=stage)
        except OSError as error:
            result = Result(one, ExitCode.USAGE, {"error": _not_startable(error).attrs()}, stage=stage)
        is_last = stage == self._orders.command or not result.may_send
        self._say(one, f"{stage}: {result.words}", ended=is_last, code=int(result.exit_code))
        return result

    def _say(self, one: Property, message: str, **more: Any) -> None:
        self._tell(one.name, state(message, **more))


def _result(one: Property, ended: Ended, stage: str) -> Result:
    told = {key: in_its_names(one, ended.document[key]) for key in TOLD if key in ended.document}
    return Result(one, ended.exit_code, {**ended.document, **told}, stage=stage)


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
