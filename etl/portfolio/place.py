"""Where the processes of the properties run: on this machine; `etl.portfolio.cluster` has them run on others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from etl.portfolio.call import call, refuse_unreviewed
from etl.portfolio.file import Property
from etl.portfolio.process import Ended, Process, Record
from etl.portfolio.starting import NewInterpreter, Start

Tell = Callable[[str, Record], None]
"""Takes a property's name and a record: `{"event": "state", "message": ".."}`, or what its process logged."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What is asked of all: `command` of the portfolio. `level`: of the log; `report`: its folder, None for none."""

    command: str
    report: Path | None
    level: str


class Place(Protocol):
    """Does a command for one property. Called from many threads at once."""

    @property
    def lock_seconds(self) -> float:
        """How long a ledger may still be held by the process before, which was killed."""
        ...

    def do(self, one: Property, command: str, tell: Tell) -> Ended:
        """How it ended. Raises EtlError for what forbids it, OSError where no process can be started."""
        ...

    def stop(self) -> None:
        """Passes a Ctrl-C on to all that is under way, and to what begins after it. Called from a signal handler."""
        ...

    def close(self) -> None:
        """Nothing is done there any more."""
        ...


@dataclass
class Here:
    """Processes of this machine. `values` are the variables that hold the tokens; other properties' are hidden from each."""

    orders: Orders
    values: Mapping[str, str] = field(repr=False)
    hidden: Iterable[str] = ()
    start: Start = NewInterpreter
    lock_seconds: float = 30.0
    """It ends as soon as it notices that its portfolio is gone."""
    _running: set[Process] = field(default_factory=set, init=False)
    _guard: Lock = field(default_factory=Lock, init=False)
    _is_stopped: bool = field(default=False, init=False)

    def do(self, one: Property, command: str, tell: Tell) -> Ended:
        """How the property's process ended."""
        if self.orders.command == "run":
            refuse_unreviewed(one, self.values)
        orders = self.orders
        asked = call(command, one, self.values, hidden=self.hidden, report=orders.report, level=orders.level)
        tell(one.name, state(f"{command}: starting"))
        process = Process(asked, lambda record: tell(one.name, record), self.start)
        with self._listed(process):
            if self._is_stopped:
                # The signal came while it started, and its handler could not see it.
                process.stop()
            return process.wait()

    def stop(self) -> None:
        """SIGTERM to every process."""
        self._is_stopped = True
        # No lock: a signal handler that waits for the thread it interrupted would wait for ever.
        for process in tuple(self._running):
            process.stop()

    def close(self) -> None:
        """Its processes have ended, each within its `do`."""

    @contextmanager
    def _listed(self, process: Process) -> Iterator[None]:
        with self._guard:
            self._running = {*self._running, process}
        try:
            yield
        finally:
            with self._guard:
                self._running = self._running - {process}


def state(message: str, **more: Any) -> Record:
    """A record for the view."""
    return {"event": "state", "message": message, **more}


def token_variables(properties: Iterable[Property]) -> frozenset[str]:
    """The variables that hold the tokens of any of them."""
    return frozenset(name for one in properties for name in (one.client_token_env, one.access_token_env))
