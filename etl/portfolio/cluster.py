"""The processes of the properties as tasks on a cluster of Dask that exists.

A task starts the same process on a worker's machine that `--jobs` starts on this one, and waits for it. What a lost worker had under way
Dask runs again elsewhere; that an order is sent once is the ledger's doing, not the scheduler's. Tokens do not travel: a worker finds
them in its own environment, or in the .env beside the portfolio, by the names that the portfolio has.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from distributed import CancelledError, Client, Future, get_worker
from distributed.client import ClosedClientError
from distributed.scheduler import KilledWorker

from etl.errors import EtlError, ExitCode, UsageError
from etl.portfolio.call import variables
from etl.portfolio.file import Property
from etl.portfolio.place import Here, Orders, Tell, state, token_variables
from etl.portfolio.process import Ended, Record
from etl.version import __version__

CONNECT_SECONDS = 10.0
PATIENCE = 600.0
"""How long a scheduler may be gone before the properties that it had end with a sentence."""
STEADY_SECONDS = 60.0
"""A scheduler that kept a task for that long had come back."""
RETRIES = 2
"""Of a task on a machine that can't start its process; of a lost worker Dask has a number of its own (allowed-failures)."""
LOCK_SECONDS = 90.0
"""A lease of a machine that is gone lasts 60 s."""
_LOOK = 0.5
_GONE = (ClosedClientError, CancelledError, OSError)
"""What a client raises that has no scheduler."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is handed: names and places, no values of variables. `batch` tells this portfolio's run from others."""

    whose: Property
    command: str
    orders: Orders
    portfolio: Path
    hidden: frozenset[str]
    batch: str
    version: str = __version__


_HERE: dict[str, list[Here]] = {}
"""On a worker: what runs there, by batch."""
_STOPPED: set[str] = set()


def work(task: Task) -> Ended:
    """On a worker: the property's process, from its start to its end. Raises OSError where it can't be started."""
    worker = get_worker()
    if task.version != __version__:
        return _refused(_other_version(task.version))

    def tell(_: str, record: Record) -> None:
        worker.log_event(task.batch, {"property": task.whose.name, "record": record})

    try:
        place = Here(task.orders, variables(task.portfolio), task.hidden)
        with _listed(task.batch, place):
            return place.do(task.whose, task.command, tell)
    except EtlError as error:
        return _refused(error)


@contextmanager
def _listed(batch: str, place: Here) -> Iterator[None]:
    _HERE.setdefault(batch, []).append(place)
    try:
        if batch in _STOPPED:
            place.stop()
        yield
    finally:
        _HERE[batch].remove(place)


def stop_batch(batch: str) -> None:
    """On a worker: passes a Ctrl-C on to whatever of the batch runs there, or starts later."""
    _STOPPED.add(batch)
    for place in tuple(_HERE.get(batch, ())):
        place.stop()


@dataclass
class Cluster:
    """The place of a portfolio whose properties run as tasks. Close it in the end."""

    address: str
    orders: Orders
    portfolio: Path
    hidden: frozenset[str]
    tell: Tell
    lock_seconds: float = LOCK_SECONDS
    patience: float = PATIENCE
    _client: Client = field(init=False)
    _batch: str = field(init=False, default_factory=lambda: f"centra-mews-{uuid4().hex}")
    _guard: threading.Lock = field(init=False, default_factory=threading.Lock)
    _asked: threading.Event = field(init=False, default_factory=threading.Event)
    _is_stopped: bool = field(init=False, default=False)
    _begun: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        """Connects. Raises UsageError `portfolio.scheduler`."""
        self._client = self._connected()
        threading.Thread(target=self._pass_on, name="stop", daemon=True).start()

    def do(self, one: Property, command: str, tell: Tell) -> Ended:
        """How the property's process ended, on whichever worker. Raises UsageError where the cluster is gone or refuses it."""
        task = Task(_absolute(one), command, self.orders, self.portfolio, self.hidden, self._batch)
        lost_at = 0.0
        while True:
            tell(one.name, state(f"{command}: handed to the cluster"))
            handed_at = time.monotonic()
            try:
                return self._outcome(one, task)
            except _LostError as lost:
                if self._is_stopped:
                    return _taken_back()
                now = time.monotonic()
                if not lost_at or now - handed_at > STEADY_SECONDS:
                    lost_at = now
                if now - lost_at > self.patience:
                    raise _unreachable(self.address) from lost
                tell(one.name, state(f"{command}: waits for the scheduler"))
                self._reconnect()

    def stop(self) -> None:
        """A thread does the rest: a signal handler may not wait for the cluster."""
        self._is_stopped = True
        self._asked.set()

    def close(self) -> None:
        """Leaves the cluster as it was."""
        self._client.close()

    def _outcome(self, one: Property, task: Task) -> Ended:
        """Raises _LostError where the scheduler forgot the task: it is handed in again, and the ledger knows what was sent."""
        future = self._submitted(task)
        try:
            while not future.done():
                if self._is_stopped and one.name not in self._begun:
                    future.cancel()
                    return _taken_back()
                time.sleep(_LOOK)
            return _result(future)
        except KilledWorker as error:
            raise _all_lost(error) from error
        except (ImportError, AttributeError) as error:
            raise _other_version(str(error)) from error
        finally:
            self._begun.discard(one.name)

    def _submitted(self, task: Task) -> Future[Ended]:
        key = f"{task.command}-{task.whose.folder}-{uuid4().hex}"
        try:
            return self._client.submit(work, task, key=key, pure=False, retries=RETRIES)
        except _GONE as error:
            raise _LostError from error

    def _connected(self) -> Client:
        try:
            client = Client(self.address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise _unreachable(self.address) from error
        client.subscribe_topic(self._batch, self._heard)
        return client

    def _reconnect(self) -> None:
        """A new client where the old one gave up; the same again where it found its scheduler by itself."""
        time.sleep(_LOOK)
        with self._guard:
            if self._client.status == "running":
                self._client.subscribe_topic(self._batch, self._heard)
            elif self._client.status in ("closed", "closing"):
                try:
                    self._client = self._connected()
                except UsageError:
                    return

    def _heard(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """A record that a worker logged; called from the client's own thread."""
        _, told = event
        self._begun.add(told["property"])
        self.tell(told["property"], dict(told["record"]))

    def _pass_on(self) -> None:
        while self._asked.wait():
            self._asked.clear()
            try:
                self._client.run(partial(stop_batch, self._batch), on_error="ignore")
            except _GONE:
                # No scheduler, no worker: each process notices by itself that its worker is gone.
                time.sleep(_LOOK)


class _LostError(Exception):
    """The scheduler is gone, or came back and knows the task no longer."""


def _result(future: Future[Ended]) -> Ended:
    """Raises what the task itself raised, or _LostError where its result can't be had any more."""
    if future.status == "error":
        raise future.exception(timeout=CONNECT_SECONDS)
    try:
        found: Ended = future.result(timeout=CONNECT_SECONDS)
    except _GONE as error:
        raise _LostError from error
    return found


def connected(address: str, orders: Orders, portfolio: Path, properties: tuple[Property, ...], tell: Tell) -> Cluster:
    """The place, whose records go to `tell`. Raises UsageError `portfolio.scheduler`, for a ledger that only one machine opens too."""
    here = [one.name for one in properties if not one.ledger.startswith("postgresql")]
    if here:
        raise UsageError(
            f"--scheduler needs ledgers that every machine reaches, in PostgreSQL; a file has: {', '.join(here)}.",
            code="portfolio.scheduler",
            hint='Write ledger = "postgresql+psycopg://HOST/DATABASE" for each, or leave --scheduler out.',
        )
    report = orders.report and orders.report.resolve()
    far = replace(orders, report=report)
    return Cluster(address, far, portfolio.resolve(), token_variables(properties), tell)


def _absolute(one: Property) -> Property:
    """A worker has a folder of its own at hand: files are looked for where they are."""
    return replace(
        one,
        exports=tuple(file.resolve() for file in one.exports),
        mapping=one.mapping.resolve(),
        corrections=tuple(file.resolve() for file in one.corrections),
    )


def _refused(error: EtlError) -> Ended:
    return Ended(error.exit_code, {"error": error.attrs()})


def _taken_back() -> Ended:
    message = "Interrupted; the cluster did not begin it, or had no time to say what became of it."
    error = {"code": "portfolio.not_started", "message": message, "hint": "Start the same command again."}
    return Ended(ExitCode.INTERRUPTED, {"error": error})


def _unreachable(address: str) -> UsageError:
    return UsageError(
        f"The scheduler at {address} can't be reached.",
        code="portfolio.scheduler",
        hint="Start it (`dask scheduler`), or correct the address; then start the same command again: it does only what is missing.",
    )


def _all_lost(error: BaseException) -> UsageError:
    return UsageError(
        f"Every worker that this property was given to was lost: {error}",
        code="portfolio.workers",
        hint="See the workers' logs (often memory); then start the same command again: it does only what is missing.",
    )


def _other_version(other: str) -> UsageError:
    return UsageError(
        f"The cluster's workers and this machine have different programs ({other}; here or there {__version__}).",
        code="portfolio.workers",
        hint="Install the same version of centra-mews with its extras dask and postgres on all of them.",
    )
