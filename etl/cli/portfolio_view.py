"""One line per property: what it does, how far it is. On a terminal they live; elsewhere they come every ten seconds."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.text import Text

    from etl.cli.console import Console

EVERY = 10.0
"""Seconds between two looks at all properties where there is no terminal."""
WAITING = "waits for its turn"
_LOG_FIELDS = frozenset({"event", "level", "timestamp"})


class View:
    """What is known of each property; told from many threads."""

    def __init__(self, console: Console, names: Sequence[str]) -> None:
        self._console = console
        self._lines = dict.fromkeys(names, WAITING)
        self._stages = dict.fromkeys(names, "")
        self._ended: set[str] = set()
        self._guard = threading.Lock()

    def tell(self, name: str, record: dict[str, Any]) -> None:
        """A state, a progress line, or a line of the log, which is passed on with the property's name."""
        event = record.get("event")
        if event == "state":
            with self._guard:
                self._lines[name] = str(record["message"])
                self._stages[name] = self._lines[name].partition(":")[0]
                if record.get("ended"):
                    self._ended.add(name)
            if record.get("ended"):
                self._write(name)
        elif event == "progress":
            with self._guard:
                self._lines[name] = f"{self._stages[name]}: {record.get('message', '')}"
        elif not self._console.settings.quiet:
            self._pass_on(name, record)

    def write_all(self) -> None:
        """A line for each property that has not ended."""
        for name in [one for one in self._lines if one not in self._ended]:
            self._write(name)

    def shown(self) -> Text:
        """All lines, for a terminal; those that are under way first, where not all fit."""
        from rich.text import Text

        with self._guard:
            rows = sorted(self._lines.items(), key=lambda row: (row[0] in self._ended, row[1] == WAITING))
        width = max(map(len, self._lines))
        return Text("\n".join(f"{name:<{width}}  {line}" for name, line in rows), no_wrap=True, overflow="ellipsis")

    def _write(self, name: str) -> None:
        if self._console.settings.quiet or self._console.live is not None:
            return
        if self._console.settings.log_format == "json":
            at = datetime.now(UTC).isoformat()
            row = {"event": "progress", "level": "info", "timestamp": at, "property": name}
            click.echo(json.dumps({**row, "message": self._lines[name]}), err=True)
        else:
            click.echo(f"{name}: {self._lines[name]}", err=True)

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
