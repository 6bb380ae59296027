"""A connection to PostgreSQL that gives up on a server which does not answer, instead of waiting for ever."""

from __future__ import annotations

from typing import Any, TypeVar

from psycopg import Connection, OperationalError
from psycopg.abc import PQGen
from psycopg.adapt import Buffer
from psycopg.types.string import StrDumper

from etl.ledger import server

V = TypeVar("V")
_INTERVAL = 0.1
_NUL = "\x00"
_REPLACEMENT = "\ufffd"


class PatientConnection(Connection[Any]):
    """What waits longer than `server.PATIENCE` for one answer is closed; whatever was sent may have been done."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.adapters.register_dumper(str, _TextDumper)

    def wait(self, gen: PQGen[V], interval: float = _INTERVAL, timeout: float | None = None) -> V:
        """What the server answers. Raises OperationalError where it does not."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, server.PATIENCE)
        except OperationalError as error:
            if type(error).__name__ != "_WaitTimeout":
                raise
            self.pgconn.finish()
            raise OperationalError(f"no answer within {server.PATIENCE:g} s") from error


class _TextDumper(StrDumper):
    """A text as a server takes it: it has no NUL, which only words of others hold."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace(_NUL, _REPLACEMENT) if _NUL in obj else obj)
