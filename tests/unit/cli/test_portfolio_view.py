"""A line per property: when it ends, every ten seconds, and the log of its process under its name."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from etl.cli.console import Console
from etl.cli.portfolio_view import View, watched
from etl.settings import Settings

PLAIN = Settings(Path("mappings"), "ledger.sqlite")


def told(view: View) -> None:
    view.tell("bath", {"event": "state", "message": "run: starting"})
    view.tell("bath", {"event": "progress", "message": "post: 3 of 9 orders (33.3 %)"})
    view.tell("dover", {"event": "state", "message": "run: done: 9 posted", "ended": True})
    view.tell("bath", {"event": "mews.slow", "level": "warning", "timestamp": "x", "seconds": 3})


def test_without_a_terminal_lines_come_at_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    view = View(Console(PLAIN), ["bath", "dover", "hull"])
    with watched(Console(PLAIN), view, every=0.05):
        told(view)
        time.sleep(0.2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["dover: run: done: 9 posted", "bath: [warning] mews.slow seconds=3"]
    assert "bath: run: post: 3 of 9 orders (33.3 %)" in lines[2:]
    assert "hull: waits for its turn" in lines[2:]
    assert not any(line.startswith("dover") for line in lines[2:]), "what has ended is told once"


def test_as_a_log_every_line_is_a_record_with_its_property(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(replace(PLAIN, log_format="json"))
    view = View(console, ["bath", "dover"])
    told(view)
    view.write_all()
    records = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one["property"], one["event"]) for one in records] == [
        ("dover", "progress"),
        ("bath", "mews.slow"),
        ("bath", "progress"),
    ]


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(replace(PLAIN, quiet=True))
    view = View(console, ["bath", "dover"])
    with watched(console, view, every=0.01):
        told(view)
        time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_what_is_under_way_stands_first() -> None:
    view = View(Console(replace(PLAIN, quiet=True)), ["dover", "hull", "bath"])
    told(view)
    assert [line.split()[0] for line in str(view.shown()).splitlines()] == ["bath", "hull", "dover"]
