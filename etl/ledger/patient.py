"""A connection to PostgreSQL that gives up on a server which does not answer, instead of waiting for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from psycopg import Connection, Error, OperationalError
from psycopg.abc import PQGen
from psycopg.adapt import Buffer
from psycopg.types.string import StrDumper

from etl.ledger import server

V = TypeVar("V")
_INTERVAL = 0.1
_NUL = "\x00"
_REPLACEMENT = "\ufffd"
_END_SLEEPERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = ANY(pg_blocking_pids(%s)) AND application_name = current_setting('application_name')
    AND wait_event = 'ClientRead' AND extract(epoch FROM clock_timestamp() - state_change) >= %s
"""
"""Those of this program that keep one waiting and wait for their own process, which does not come."""


class PatientConnection(Connection[Any]):
    """What waits longer than `server.PATIENCE` for one answer is closed; whatever was sent may have been done."""

    again: Callable[[], Connection[Any]] | None = None
    """Connects once more to the same server."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.adapters.register_dumper(str, _TextDumper)

    def wait(self, gen: PQGen[V], interval: float = _INTERVAL, timeout: float | None = None) -> V:
        """What the server answers. Raises OperationalError where it does not.

        Effects: whoever of us sleeps in a transaction that this one waits for is ended.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(self._watched(gen), interval, server.PATIENCE)
        except OperationalError as error:
            if type(error).__name__ != "_WaitTimeout":
                raise
            self.pgconn.finish()
            raise OperationalError(f"no answer within {server.PATIENCE:g} s") from error

    def _watched(self, gen: PQGen[V]) -> PQGen[V]:
        """The same, and once the answer takes longer than anybody may sleep, looks at whom it waits for."""
        impatient_at = time.monotonic() + server.LONGEST_SLEEP + _INTERVAL
        try:
            asks = next(gen)
            while True:
                ready = yield asks
                if not ready and time.monotonic() >= impatient_at:
                    impatient_at = time.monotonic() + server.LONGEST_SLEEP / 3
                    self._end_sleepers()
                asks = gen.send(ready)
        except StopIteration as end:
            value: V = end.value
            return value

    def _end_sleepers(self) -> None:
        """Does what the server's own time-out does, where that does not reach: within a pipeline nothing is called idle."""
        if self.again is None:
            return
        with suppress(Error), self.again() as other:
            other.execute(_END_SLEEPERS, (self.pgconn.backend_pid, server.LONGEST_SLEEP))


class _TextDumper(StrDumper):
    """A text as a server takes it: it has no NUL, which only words of others hold."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace(_NUL, _REPLACEMENT) if _NUL in obj else obj)
