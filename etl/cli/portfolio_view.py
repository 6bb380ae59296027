"""One line per property: what it does, how far it is. On a terminal they live; elsewhere they come every ten seconds.

Many do not fit: above them stands how many ended, and how; a terminal shows as many as it has lines for, what needs attention first.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from etl.model.words import counted

if TYPE_CHECKING:
    from rich.text import Text

    from etl.cli.console import Console

EVERY = 10.0
"""Seconds between two looks at all properties where there is no terminal."""
WAITING = "waits for its turn"
FEW = 20
"""As many properties are told one by one at every interval; of more than that only the sum, and each when it ends."""
_LOG_FIELDS = frozenset({"event", "level", "timestamp"})


class View:
    """What is known of each property; told from many threads."""

    def __init__(self, console: Console, names: Sequence[str]) -> None:
        self._console = console
        self._lines = dict.fromkeys(names, WAITING)
        self._stages = dict.fromkeys(names, "")
        self._ended: dict[str, int] = {}
        self._guard = threading.Lock()

    def tell(self, name: str, record: dict[str, Any]) -> None:
        """A state, a progress line, or a line of the log, which is passed on with the property's name."""
        event = record.get("event")
        if event == "state":
            with self._guard:
                self._lines[name] = str(record["message"])
                self._stages[name] = self._lines[name].partition(":")[0]
                if record.get("ended"):
                    self._ended[name] = int(record.get("code", 0))
            if record.get("ended"):
                self._write(name)
        elif event == "progress":
            with self._guard:
                self._lines[name] = f"{self._stages[name]}: {record.get('message', '')}"
        elif not self._console.settings.quiet:
            self._pass_on(name, record)

    def write_all(self) -> None:
        """How many ended; and a line for each property that has not, unless there are too many."""
        self._write_line(self.summary())
        left = [one for one in self._lines if one not in self._ended]
        for name in left if len(left) <= FEW else ():
            self._write(name)

    def summary(self) -> str:
        """How many ended, how many of them not well, and what the others do."""
        with self._guard:
            ended, bad = len(self._ended), sum(code != 0 for code in self._ended.values())
            waiting = sum(line == WAITING for line in self._lines.values())
        found = f"{counted(len(self._lines), 'property|properties')}: {ended} ended"
        found += f" ({bad} not well)" if bad else ""
        return f"{found}, {len(self._lines) - ended - waiting} under way" + (f", {waiting} waiting" if waiting else "")

    def shown(self, height: int | None = None) -> Text:
        """For a terminal of so many lines (None: this one): the sum, what ended not well, what is under way, the rest."""
        from rich.text import Text

        height = height or shutil.get_terminal_size().lines
        with self._guard:
            rows = sorted(self._lines.items(), key=self._rank)
        lines = [self.summary(), *self._fitting(rows, height - 2)]
        return Text("\n".join(lines), no_wrap=True, overflow="ellipsis")

    def _rank(self, row: tuple[str, str]) -> tuple[bool, bool, bool]:
        name, line = row
        return (self._ended.get(name, 0) == 0, name in self._ended, line == WAITING)

    def _fitting(self, rows: Sequence[tuple[str, str]], room: int) -> Iterator[str]:
        width = max(map(len, self._lines))
        most = len(rows) if len(rows) <= room else max(room - 1, 0)
        yield from (f"{name:<{width}}  {line}" for name, line in rows[:most])
        if left := len(rows) - most:
            yield f"{'':<{width}}  and {left} more"

    def _write(self, name: str) -> None:
        self._write_line(self._lines[name], name)

    def _write_line(self, line: str, name: str = "") -> None:
        if self._console.settings.quiet or self._console.live is not None:
            return
        if self._console.settings.log_format == "json":
            at = datetime.now(UTC).isoformat()
            row = {"event": "progress", "level": "info", "timestamp": at, **({"property": name} if name else {})}
            click.echo(json.dumps({**row, "message": line}), err=True)
        else:
            click.echo(f"{name}: {line}" if name else line, err=True)

    def _pass_on(self, name: str, record: dict[str, Any]) -> None:
        if self._console.settings.log_format == "json":
            click.echo(json.dumps({**record, "property": name}, default=str), err=True)
            return
        fields = " ".join(f"{key}={value}" for key, value in record.items() if key not in _LOG_FIELDS)
        click.echo(f"{name}: [{record.get('level', 'info')}] {record['event']} {fields}".rstrip(), err=True)


@contextmanager
def watched(console: Console, view: View, every: float = EVERY) -> Iterator[None]:
    """Shows the view until the work is done. *Effects*: a thread that writes to stderr."""
    if console.settings.quiet:
        yield
        return
    from etl.cli.progress import drawn

    with drawn(console, view.shown, lambda over: _write_lines(view, over, every)):
        yield


def _write_lines(view: View, over: threading.Event, every: float) -> None:
    due = time.monotonic() + every
    while not over.wait(max(0.0, due - time.monotonic())):
        due += every
        view.write_all()
