"""One process of the same program: its document, its exit code, and what it tells of its progress meanwhile."""

from __future__ import annotations

import json
import signal
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Any

from etl.errors import ExitCode
from etl.portfolio.call import Call
from etl.portfolio.starting import NewInterpreter, Start

_KEPT_LINES = 20
_STOPPED = frozenset({-signal.SIGTERM, -signal.SIGINT})

Record = dict[str, Any]
Told = Callable[[Record], None]
"""Takes a record of the process's log; those with the event `progress` say how far it is. Called from a thread."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one process ended. `document` is what it printed with `--json`, {} for nothing."""

    exit_code: ExitCode
    document: dict[str, Any]


class Process:
    """A process that is under way. *Effects*: starts it; it stops by itself when this process is gone."""

    def __init__(self, call: Call, told: Told, start: Start = NewInterpreter) -> None:
        self._started = start(call)
        self._told = told
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)

    def stop(self) -> None:
        """Passes a Ctrl-C on. A process that has ended takes no notice."""
        self._started.stop()

    def wait(self) -> Ended:
        """How it ended. *Effects*: reads its output to the end."""
        listener = threading.Thread(target=self._listen, args=(self._started.err,), daemon=True)
        listener.start()
        text = self._started.out.read()
        listener.join()
        status = self._started.wait()
        return Ended(_exit_code(status), self._document(text, status))

    def _listen(self, stream: IO[str]) -> None:
        for line in stream:
            record = _record(line)
            if record is None:
                self._lines.append(line.rstrip())
            else:
                self._told(record)

    def _document(self, text: str, status: int) -> dict[str, Any]:
        try:
            found = json.loads(text, parse_float=Decimal)
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
        return {
            "error": {
                "code": "portfolio.no_document",
                "message": f"The process ended without a result (exit status {status}).",
                "hint": "Start the same command again: it does only what is missing.",
                "told": list(self._lines),
            }
        }


def _record(line: str) -> Record | None:
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None


def _exit_code(status: int) -> ExitCode:
    """A process that a signal ended before it could answer it was interrupted; any other status is an internal error."""
    if status in _STOPPED:
        return ExitCode.INTERRUPTED
    try:
        return ExitCode(status)
    except ValueError:
        return ExitCode.INTERNAL
