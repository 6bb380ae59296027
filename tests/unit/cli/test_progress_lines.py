"""Progress where there is no terminal: a line now and then, as text or as a record of the JSON log."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from etl.cli.console import Console
from etl.cli.progress import line, shown
from etl.pipeline.meter import Meter
from etl.settings import Settings


def a_console(log_format: str = "console") -> Console:
    return Console(Settings(Path("mappings"), "ledger.sqlite", log_format, "warning", json=False, quiet=False))


def show(console: Console, capsys: pytest.CaptureFixture[str]) -> list[str]:
    with shown(console, every=0.02) as progress:
        progress("post", 386, 25_897)
        time.sleep(0.3)
    return capsys.readouterr().err.splitlines()


def test_a_pipe_gets_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Minutes of silence in a pipe look like a hang."""
    lines = show(a_console(), capsys)
    assert lines
    assert set(lines) == {"post: 386 of 25,897 orders (1.4 %)"}


def test_a_json_log_gets_records(capsys: pytest.CaptureFixture[str]) -> None:
    """A machine that watches wants figures, not sentences; and no line that is not JSON."""
    records = [json.loads(one) for one in show(a_console("json"), capsys)]
    assert records
    assert {(one["event"], one["stage"], one["done"], one["total"]) for one in records} == {
        ("progress", "post", 386, 25_897)
    }


def test_nothing_before_the_first_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """Quick commands stay quiet."""
    with shown(a_console()) as progress:
        progress("post", 1, 2)
    assert capsys.readouterr().err == ""


def test_a_terminals_line_fits_and_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    """A line that wraps at 80 columns leaves a trail of half lines behind."""
    meter = Meter()
    meter("/a/very/long/path/" + "x" * 200 + "/orders-of-the-year-2010.csv", 1_000_000, 9_000_000)
    text = line(meter.look())
    assert text.plain.startswith("-------- ")
    assert "\n" not in text.plain
    assert text.no_wrap
