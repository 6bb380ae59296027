"""Progress on people's text stream: a line that lives on a terminal, elsewhere a line every ten seconds.

Both are drawn by a thread of their own, so that a wait of minutes is seen to be one.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from etl.pipeline.meter import JobProgress, Meter, Progress, short, waiting, words

if TYPE_CHECKING:
    from rich.text import Text

    from etl.cli.console import Console

EVERY = 10.0
"""Seconds between two lines where there is no terminal."""
BAR = 8
"""Letters of the bar on a terminal."""


@contextmanager
def shown(console: Console, every: float = EVERY) -> Iterator[Progress]:
    """Shows what the meter says until the command is done. *Effects*: a thread that writes to stderr."""
    meter = Meter()
    with drawn(console, lambda: line(meter.look()), lambda over: _write_lines(console, meter, over, every)):
        yield meter


@contextmanager
def drawn(console: Console, look: Callable[[], Text], write: Callable[[threading.Event], None]) -> Iterator[None]:
    """Shows what `look` gives, where it lives on a terminal; elsewhere `write` prints lines until its event is set.

    *Effects*: a thread that writes to stderr.
    """
    if console.rich.is_terminal and console.settings.log_format != "json":
        from rich.console import Console as RichConsole
        from rich.live import Live

        screen = RichConsole(stderr=True, highlight=False)
        live = Live(get_renderable=look, console=screen, refresh_per_second=4, transient=True)
        console.live = live
        try:
            with live:
                yield
        finally:
            console.live = None
        return
    over = threading.Event()
    writer = threading.Thread(target=write, args=(over,), daemon=True)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()


def line(job: JobProgress | None) -> Text:
    """One line for a terminal, its bar first; never more than one."""
    from rich.text import Text

    if job is None:
        return Text("starting ..", style="dim", no_wrap=True, overflow="ellipsis")
    found = Text(no_wrap=True, overflow="ellipsis")
    if job.total:
        filled = BAR * min(job.done, job.total) // job.total
        found.append("#" * filled, style="green")
        found.append("-" * (BAR - filled) + " ", style="dim")
    found.append(short(job))
    if held := waiting(job).removeprefix("waiting "):
        found.append(f"; {held}", style="yellow")
    return found


def _write_lines(console: Console, meter: Meter, over: threading.Event, every: float) -> None:
    last = time.monotonic()
    while not over.wait(min(0.5, every)):
        now = time.monotonic()
        job = meter.look()
        if job is not None and now - last >= every:
            last = now
            click.echo(_as_json(job) if console.settings.log_format == "json" else words(job), err=True)


def _as_json(job: JobProgress) -> str:
    """The line as a record of the JSON log."""
    fields = job.document()
    at = fields.pop("at")
    return json.dumps({"event": "progress", "level": "info", "timestamp": at, **fields, "message": words(job)})
